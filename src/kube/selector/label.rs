//! Label selectors: `a=b,c!=d,e in (f,g),h,!i`.

use super::lexer::{Token, TokenKind, tokens};
use crate::kube::Status;
use crate::kube::names::{check_label_value, check_qualified_name};
use crate::kube::response::quote::quote;
use serde_json::{Map, Value};
use std::fmt::{self, Display, Formatter};
use std::iter::Peekable;

/// Requirements that all must hold. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    condition: Condition,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    Equals(String),
    NotEquals(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
    GreaterThan(i64),
    LessThan(i64),
}

impl LabelSelector {
    /// Parses the query form (apimachinery `labels.Parse`). An error is the 400 to answer.
    pub fn parse(selector: &str) -> Result<LabelSelector, Status> {
        Parser { tokens: tokens(selector).into_iter().peekable() }.selector().map_err(Status::bad_request)
    }

    /// Parses the object form (`metav1.LabelSelector`: `matchLabels` and `matchExpressions`), as in a Deployment's spec. An error is the
    /// message of the invalid field.
    pub fn from_object(selector: &Value) -> Result<LabelSelector, String> {
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            requirements.push(requirement(key, "=", vec![value.as_str().unwrap_or_default().to_owned()])?);
        }
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let values = expression["values"].as_array().into_iter().flatten();
            let mut values: Vec<String> = values.filter_map(|value| value.as_str().map(str::to_owned)).collect();
            values.sort();
            let operator = match expression["operator"].as_str().unwrap_or_default() {
                "In" => "in",
                "NotIn" => "notin",
                "Exists" => "",
                "DoesNotExist" => "!",
                other => return Err(format!("{} is not a valid label selector operator", quote(other))),
            };
            requirements.push(requirement(expression["key"].as_str().unwrap_or_default(), operator, values)?);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(LabelSelector { requirements })
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.and_then(|labels| labels.get(&requirement.key)).and_then(Value::as_str);
            requirement.condition.holds(value)
        })
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

/// The query form, in order of keys.
impl Display for LabelSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, Requirement { key, condition }) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match condition {
                Condition::Equals(value) => write!(f, "{key}={value}"),
                Condition::NotEquals(value) => write!(f, "{key}!={value}"),
                Condition::In(values) => write!(f, "{key} in ({})", values.join(",")),
                Condition::NotIn(values) => write!(f, "{key} notin ({})", values.join(",")),
                Condition::Exists => f.write_str(key),
                Condition::DoesNotExist => write!(f, "!{key}"),
                Condition::GreaterThan(bound) => write!(f, "{key}>{bound}"),
                Condition::LessThan(bound) => write!(f, "{key}<{bound}"),
            }?;
        }
        Ok(())
    }
}

impl Condition {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Condition::Equals(wanted) => value == Some(wanted),
            Condition::NotEquals(wanted) => value != Some(wanted),
            Condition::In(values) => value.is_some_and(|value| values.iter().any(|v| v == value)),
            Condition::NotIn(values) => value.is_none_or(|value| values.iter().all(|v| v != value)),
            Condition::Exists => value.is_some(),
            Condition::DoesNotExist => value.is_none(),
            Condition::GreaterThan(bound) => number().is_some_and(|number| number > *bound),
            Condition::LessThan(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

/// Checks and builds one requirement (apimachinery `labels.NewRequirement`); no operator is "exists", `!` its opposite.
fn requirement(key: &str, operator: &str, values: Vec<String>) -> Result<Requirement, String> {
    let mut problems = Vec::new();
    let key_problems = check_qualified_name(key);
    if !key_problems.is_empty() {
        problems.push(format!("key: Invalid value: {}: {}", quote(key), key_problems.join("; ")));
    }
    let list = || format!("[]string{{{}}}", values.iter().map(|value| quote(value)).collect::<Vec<_>>().join(", "));
    match operator {
        "in" | "notin" if values.is_empty() => problems
            .push(format!("values: Invalid value: {}: for 'in', 'notin' operators, values set can't be empty", list())),
        "" | "!" if !values.is_empty() => problems
            .push(format!("values: Invalid value: {}: values set must be empty for exists and does not exist", list())),
        _ => {}
    }
    let bound = values.first().and_then(|value| value.parse::<i64>().ok());
    if matches!(operator, ">" | "<") && bound.is_none() {
        let value = quote(values.first().map_or("", String::as_str));
        problems
            .push(format!("values[0]: Invalid value: {value}: for 'Gt', 'Lt' operators, the value must be an integer"));
    }
    for (i, value) in values.iter().enumerate() {
        let value_problems = check_label_value(value);
        if !value_problems.is_empty() {
            let problem = value_problems.join("; ");
            problems.push(format!("values[{i}][{key}]: Invalid value: {}: {problem}", quote(value)));
        }
    }
    match problems.as_slice() {
        [] => {}
        [problem] => return Err(problem.clone()),
        problems => return Err(format!("[{}]", problems.join(", "))),
    }
    let condition = match operator {
        "" => Condition::Exists,
        "!" => Condition::DoesNotExist,
        ">" => Condition::GreaterThan(bound.unwrap_or_default()),
        "<" => Condition::LessThan(bound.unwrap_or_default()),
        "notin" => Condition::NotIn(values),
        "in" => Condition::In(values),
        "!=" => Condition::NotEquals(values.into_iter().next().unwrap_or_default()),
        _ => Condition::Equals(values.into_iter().next().unwrap_or_default()),
    };
    Ok(Requirement { key: key.to_owned(), condition })
}

struct Parser<'a> {
    tokens: Peekable<std::vec::IntoIter<Token<'a>>>,
}

impl<'a> Parser<'a> {
    fn selector(mut self) -> Result<LabelSelector, String> {
        let mut requirements = Vec::new();
        loop {
            let token = self.peek_value();
            match token.kind {
                TokenKind::Identifier | TokenKind::Not => {
                    let requirement = self.requirement();
                    requirements
                        .push(requirement.map_err(|problem| format!("unable to parse requirement: {problem}"))?);
                }
                TokenKind::End => break,
                _ => return Err(format!("found '{}', expected: !, identifier, or 'end of string'", token.text)),
            }
            let token = self.next_value();
            match token.kind {
                TokenKind::End => break,
                TokenKind::Comma => {
                    let token = self.peek_value();
                    if !matches!(token.kind, TokenKind::Identifier | TokenKind::Not) {
                        return Err(format!("found '{}', expected: identifier after ','", token.text));
                    }
                }
                _ => return Err(format!("found '{}', expected: ',' or 'end of string'", token.text)),
            }
        }
        requirements.sort_by(|a: &Requirement, b| a.key.cmp(&b.key));
        Ok(LabelSelector { requirements })
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let mut token = self.next_value();
        let negated = token.kind == TokenKind::Not;
        if negated {
            token = self.next_value();
        }
        if token.kind != TokenKind::Identifier {
            return Err(format!("found '{}', expected: identifier", token.text));
        }
        let key = token.text;
        let key_problems = check_qualified_name(key);
        if !key_problems.is_empty() {
            return Err(format!("<nil>: Invalid value: {}: {}", quote(key), key_problems.join("; ")));
        }
        let alone = matches!(self.peek_value().kind, TokenKind::End | TokenKind::Comma);
        if negated || alone {
            return requirement(key, if negated { "!" } else { "" }, Vec::new());
        }
        let operator = self.next();
        let values = match operator.kind {
            TokenKind::In | TokenKind::NotIn => self.values()?,
            TokenKind::Equals
            | TokenKind::DoubleEquals
            | TokenKind::NotEquals
            | TokenKind::GreaterThan
            | TokenKind::LessThan => vec![self.exact_value()?],
            _ => return Err(format!("found '{}', expected: {BINARY_OPERATORS}", operator.text)),
        };
        requirement(key, operator.text, values)
    }

    /// `(a,b,c)`, where each may be empty; sorted, without repetitions.
    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.next_value();
        if open.kind != TokenKind::Open {
            return Err(format!("found '{}' expected: '('", open.text));
        }
        let mut values = vec![String::new()];
        let mut after_comma = true;
        loop {
            let token = self.next_value();
            match token.kind {
                TokenKind::Identifier if after_comma => {
                    // There is always a last value: the list starts with one and a comma adds one.
                    if let Some(last) = values.last_mut() {
                        token.text.clone_into(last);
                    }
                    after_comma = false;
                }
                TokenKind::Comma => {
                    values.push(String::new());
                    after_comma = true;
                }
                TokenKind::Close => break,
                _ if after_comma => return Err(format!("found '{}', expected: ',', ')' or identifier", token.text)),
                _ => return Err(format!("found '{}', expected: ',' or ')'", token.text)),
            }
        }
        values.sort();
        values.dedup();
        Ok(values)
    }

    fn exact_value(&mut self) -> Result<String, String> {
        let token = self.peek_value();
        match token.kind {
            TokenKind::End | TokenKind::Comma => Ok(String::new()),
            TokenKind::Identifier => {
                self.next();
                Ok(token.text.to_owned())
            }
            _ => Err(format!("found '{}', expected: identifier", token.text)),
        }
    }

    fn next(&mut self) -> Token<'a> {
        self.tokens.next().unwrap_or(END)
    }

    /// The next token where `in` and `notin` are values like any other.
    fn next_value(&mut self) -> Token<'a> {
        as_value(self.next())
    }

    fn peek_value(&mut self) -> Token<'a> {
        as_value(self.tokens.peek().copied().unwrap_or(END))
    }
}

fn as_value(token: Token<'_>) -> Token<'_> {
    match token.kind {
        TokenKind::In | TokenKind::NotIn => Token { kind: TokenKind::Identifier, ..token },
        _ => token,
    }
}

const END: Token<'static> = Token { kind: TokenKind::End, text: "" };
const BINARY_OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn matches(selector: &str, labels: Value) -> bool {
        LabelSelector::parse(selector).unwrap().matches(labels.as_object())
    }

    fn error(selector: &str) -> String {
        let status = LabelSelector::parse(selector).unwrap_err();
        assert_eq!(status.code, 400);
        status.message
    }

    #[test]
    fn requirements_match_as_documented() {
        // Kubernetes documentation, "Labels and Selectors", and labels/selector_test.go TestSelectorMatches.
        let labels = || json!({"x": "y", "z": "w"});
        for selector in [
            "",
            "x=y",
            "x==y",
            "x=y,z=w",
            "x!=z",
            "x",
            "x,z",
            "x in (a,y)",
            "z notin (a)",
            "foo notin (a)",
            "!a",
            "a!=b",
        ] {
            assert!(matches(selector, labels()), "{selector}");
        }
        for selector in ["x=z", "x!=y", "a", "a=b", "!x", "x in (a,b)", "x notin (y)", "a in (y)", "x=y,a", "x="] {
            assert!(!matches(selector, labels()), "{selector}");
        }
    }

    #[test]
    fn empty_values_are_values() {
        assert!(matches("x=", json!({"x": ""})));
        assert!(!matches("x=", json!({})));
        assert!(matches("x in (,a)", json!({"x": ""})));
        assert!(matches("x in ()", json!({"x": ""})));
        assert!(matches("x notin ()", json!({"x": "a"})));
        assert!(matches("x in (a,,b)", json!({"x": "b"})));
    }

    #[test]
    fn words_of_the_language_are_values_too() {
        assert!(matches("x in (in,notin)", json!({"x": "notin"})));
        assert!(matches("in=notin", json!({"in": "notin"})));
    }

    #[test]
    fn numbers_compare() {
        assert!(matches("x>5,y<7", json!({"x": "6", "y": "6"})));
        assert!(!matches("x>6", json!({"x": "6"})));
        assert!(!matches("x>6", json!({"x": "seven"})));
        assert!(!matches("x<6", json!({})));
    }

    #[test]
    fn nothing_matches_an_object_without_labels_but_denials() {
        assert!(LabelSelector::parse("!a,b!=c").unwrap().matches(None));
        assert!(!LabelSelector::parse("a").unwrap().matches(None));
        assert!(LabelSelector::default().matches(None) && LabelSelector::default().is_empty());
    }

    #[test]
    fn errors_are_worded_as_apimachinerys() {
        // Output of k8s.io/apimachinery v0.31.4 labels.Parse.
        assert_eq!(
            error("x=a||y=b"),
            "unable to parse requirement: values[0][x]: Invalid value: \"a||y\": a valid label must be an empty string or consist of \
             alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
             'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        );
        assert_eq!(error("x in (a"), "unable to parse requirement: found '', expected: ',' or ')'");
        assert_eq!(error("x y"), "unable to parse requirement: found 'y', expected: in, notin, =, ==, !=, gt, lt");
        assert_eq!(error("x in y"), "unable to parse requirement: found 'y' expected: '('");
        assert_eq!(error("x=(a)"), "unable to parse requirement: found '(', expected: identifier");
        assert_eq!(error(",x"), "found ',', expected: !, identifier, or 'end of string'");
        assert_eq!(error("x,"), "found '', expected: identifier after ','");
        assert_eq!(error("x=a b"), "found 'b', expected: ',' or 'end of string'");
        assert_eq!(error("!"), "unable to parse requirement: found '', expected: identifier");
        assert_eq!(
            error("x>a"),
            "unable to parse requirement: values[0]: Invalid value: \"a\": for 'Gt', 'Lt' operators, the value must be an integer"
        );
        assert_eq!(
            error("-a"),
            "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of alphanumeric characters, '-', '_' or \
             '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
             validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        );
        assert_eq!(error("!x=a"), "found '=', expected: ',' or 'end of string'");
        assert_eq!(error("x in (a b)"), "unable to parse requirement: found 'b', expected: ',' or ')'");
        assert_eq!(error("a in (("), "unable to parse requirement: found '(', expected: ',', ')' or identifier");
        assert_eq!(error("a=b,,c"), "found ',', expected: identifier after ','");
    }

    #[test]
    fn the_object_form_means_the_same() {
        // Kubernetes documentation, "Resources that support set-based requirements".
        let selector = LabelSelector::from_object(&json!({
            "matchLabels": {"component": "redis"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["cache"]},
                {"key": "environment", "operator": "NotIn", "values": ["dev"]},
                {"key": "canary", "operator": "DoesNotExist"},
            ]
        }))
        .unwrap();
        assert_eq!(selector.to_string(), "!canary,component=redis,environment notin (dev),tier in (cache)");
        assert!(selector.matches(json!({"component": "redis", "tier": "cache"}).as_object()));
        assert!(!selector.matches(json!({"component": "redis", "tier": "cache", "canary": ""}).as_object()));
        assert!(!selector.matches(json!({"component": "redis", "tier": "cache", "environment": "dev"}).as_object()));
        assert!(LabelSelector::from_object(&json!({"matchExpressions": [{"key": "a", "operator": "Is"}]})).is_err());
        assert!(LabelSelector::from_object(&json!({"matchExpressions": [{"key": "a", "operator": "In"}]})).is_err());
    }

    proptest! {
        #[test]
        fn no_selector_panics(selector in ".*") {
            let _ = LabelSelector::parse(&selector);
        }

        #[test]
        fn nothing_made_of_the_languages_tokens_panics(tokens in proptest::collection::vec("in|notin|a|,|=|==|!=|!|\\(|\\)|>|<| ", 0..12)) {
            let _ = LabelSelector::parse(&tokens.concat());
        }

        #[test]
        fn a_set_and_its_complement_part_the_world(value in "[a-c]", set in proptest::collection::vec("[a-c]", 1..3)) {
            let labels = json!({"k": value});
            let list = set.join(",");
            prop_assert_eq!(matches(&format!("k in ({list})"), labels.clone()), set.contains(&value));
            prop_assert_ne!(matches(&format!("k in ({list})"), labels.clone()), matches(&format!("k notin ({list})"), labels));
        }
    }
}
