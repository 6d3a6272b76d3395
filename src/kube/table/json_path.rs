//! The simple JSONPath of `additionalPrinterColumns`: fields, indices, and filters that compare for equality.

use serde_json::Value;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(i64),
    /// `[*]`.
    All,
    /// `[?(@.path=="value")]`.
    Filter(JsonPath, String),
}

impl JsonPath {
    /// Parses a path such as `.status.conditions[?(@.type=="Ready")].status`; `None` for what goes beyond.
    pub(super) fn parse(text: &str) -> Option<JsonPath> {
        let mut steps = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (step, after) = match rest.strip_prefix('[') {
                Some(bracket) => {
                    // A filter may hold brackets in quotes only; its end is `)]`.
                    let end = if bracket.starts_with('?') { bracket.find(")]")? + 1 } else { bracket.find(']')? };
                    (bracketed(&bracket[..end])?, &bracket[end + 1..])
                }
                None => field(rest.strip_prefix('.').unwrap_or(rest))?,
            };
            steps.push(step);
            rest = after;
        }
        Some(JsonPath(steps))
    }

    /// The first value the path leads to.
    pub(super) fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        walk(&self.0, value)
    }
}

fn field(text: &str) -> Option<(Step, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            '.' | '[' => return (!name.is_empty()).then(|| (Step::Field(name), &text[at..])),
            c => name.push(c),
        }
    }
    (!name.is_empty()).then_some((Step::Field(name), ""))
}

fn bracketed(text: &str) -> Option<Step> {
    if text == "*" {
        return Some(Step::All);
    }
    if let Some(filter) = text.strip_prefix("?(@").and_then(|filter| filter.strip_suffix(')')) {
        let (path, value) = filter.split_once("==")?;
        return Some(Step::Filter(JsonPath::parse(path)?, unquote(value.trim())?.to_owned()));
    }
    unquote(text).map(|name| Step::Field(name.to_owned())).or_else(|| text.parse().ok().map(Step::Index))
}

fn unquote(text: &str) -> Option<&str> {
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    quoted('\'').or_else(|| quoted('"'))
}

fn walk<'a>(steps: &[Step], value: &'a Value) -> Option<&'a Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(value) };
    match step {
        Step::Field(name) => walk(rest, value.get(name)?),
        Step::Index(index) => {
            let list = value.as_array()?;
            let length = i64::try_from(list.len()).ok()?;
            let index = if *index < 0 { length.checked_add(*index)? } else { *index };
            walk(rest, list.get(usize::try_from(index).ok()?)?)
        }
        Step::All => value.as_array()?.iter().find_map(|item| walk(rest, item)),
        Step::Filter(path, wanted) => {
            let found =
                value.as_array()?.iter().filter(|item| path.find(item).is_some_and(|value| value == wanted.as_str()));
            found.into_iter().find_map(|item| walk(rest, item))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_paths_custom_resources_use() {
        let object = json!({
            "spec": {"a.b": 1, "list": [{"x": "first"}, {"x": "last"}]},
            "status": {"conditions": [{"type": "Synced", "status": "False"}, {"type": "Ready", "status": "True"}]}
        });
        let find = |path: &str| JsonPath::parse(path).unwrap().find(&object).cloned();
        assert_eq!(find(r#".status.conditions[?(@.type=="Ready")].status"#), Some(json!("True")));
        assert_eq!(find(".status.conditions[?(@.type=='Synced')].status"), Some(json!("False")));
        assert_eq!(find(".spec.list[1].x"), Some(json!("last")));
        assert_eq!(find(".spec.list[-1].x"), Some(json!("last")));
        assert_eq!(find(".spec.list[*].x"), Some(json!("first")));
        assert_eq!(find(r".spec.a\.b"), Some(json!(1)));
        assert_eq!(find(".spec['a.b']"), Some(json!(1)));
        assert_eq!(find(".spec.missing.deep"), None);
        assert_eq!(find(".spec.list[7]"), None);
        assert_eq!(JsonPath::parse(".spec.list[?(@.x>1)]"), None);
        assert_eq!(JsonPath::parse(".spec.."), None);
    }

    proptest! {
        #[test]
        fn no_path_panics(path in ".*") {
            if let Some(path) = JsonPath::parse(&path) {
                path.find(&json!({"a": [1, {"b": 2}]}));
            }
        }

        #[test]
        fn nothing_made_of_paths_parts_panics(parts in proptest::collection::vec(r"\.|\[|\]|a|b|\*|\?\(@|==|'|\)|-1|0|\\", 0..10)) {
            if let Some(path) = JsonPath::parse(&parts.concat()) {
                path.find(&json!({"a": [1, {"b": 2}]}));
            }
        }
    }
}
