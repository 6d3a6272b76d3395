//! `{{cluster-name}}` and `{{index}}`.
//!
//! Before the YAML is read, every placeholder is masked by characters that mean nothing to YAML, so that it need not be quoted
//! and `{{` is not taken for a mapping. Lines stay what they are.

use serde_json::Value;
use std::borrow::Cow;

/// The placeholder that stays in a template's objects until a cluster is made of them.
const CLUSTER_NAME: &str = "{{cluster-name}}";

/// Puts `name` wherever `{{cluster-name}}` stands in a string of `object`, keys included.
pub fn fill_cluster_name(object: &mut Value, name: &str) {
    map_strings(object, &|text| text.contains(CLUSTER_NAME).then(|| text.replace(CLUSTER_NAME, name)));
}

/// Masks the placeholders in YAML text: `{{ word }}` and, meant literally, `{{{{ word }}}}`.
pub(super) fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, from) = rest.split_at(start);
        masked.push_str(before);
        let (open, close, marks) =
            if from.starts_with("{{{{") { ("{{{{", "}}}}", LITERAL) } else { ("{{", "}}", PLACEHOLDER) };
        let word = from[open.len()..].split_once(close).map(|(inside, after)| (inside.trim_matches(' '), after));
        match word {
            Some((word, after)) if is_word(word) => {
                masked.extend([marks.0]);
                masked.push_str(word);
                masked.extend([marks.1]);
                rest = after;
            }
            _ => {
                masked.push_str(open);
                rest = &from[open.len()..];
            }
        }
    }
    masked.push_str(rest);
    masked
}

/// Whether `text` has one of the characters that [`mask`] uses.
pub(super) fn has_mark(text: &str) -> bool {
    text.contains([PLACEHOLDER.0, PLACEHOLDER.1, LITERAL.0, LITERAL.1])
}

/// The first placeholder in masked `text` that is not among `known`.
pub(super) fn unknown<'a>(text: &'a str, known: &[&str]) -> Option<&'a str> {
    words(text).find(|word| !known.contains(word))
}

/// Whether masked `text` asks for `{{cluster-name}}` as it is, which no later step could tell from the placeholder.
pub(super) fn has_literal_cluster_name(text: &str) -> bool {
    text.contains(&format!("{}cluster-name{}", LITERAL.0, LITERAL.1))
}

/// Whether masked `text` has the placeholder `{{index}}`.
pub(super) fn has_index(text: &str) -> bool {
    words(text).any(|word| word == "index")
}

/// Masked `text` as it stands in objects: with `index` filled in and `{{cluster-name}}` in its only spelling.
pub(super) fn unmask(text: &str, index: Option<usize>) -> Option<String> {
    if !has_mark(text) {
        return None;
    }
    let with_index = match index {
        Some(index) => Cow::from(text.replace(&format!("{}index{}", PLACEHOLDER.0, PLACEHOLDER.1), &index.to_string())),
        None => Cow::from(text),
    };
    Some(with_index.replace([PLACEHOLDER.0, LITERAL.0], "{{").replace([PLACEHOLDER.1, LITERAL.1], "}}"))
}

/// `text` with something short and harmless for each placeholder, so that the rest can be checked.
pub(super) fn stand_in(text: &str) -> String {
    let mut text = text.replace(CLUSTER_NAME, "c");
    while let (Some(start), Some(end)) = (text.find(PLACEHOLDER.0), text.find(PLACEHOLDER.1)) {
        if end < start {
            break;
        }
        text.replace_range(start..end + PLACEHOLDER.1.len_utf8(), "1");
    }
    text
}

/// Applies `change` to every string of `value`, keys included; `None` leaves one as it is.
pub(super) fn map_strings(value: &mut Value, change: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(changed) = change(text) {
                *text = changed;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| map_strings(item, change)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| map_strings(field, change));
            let renamed: Vec<(String, String)> =
                fields.keys().filter_map(|key| Some((key.clone(), change(key)?))).collect();
            for (key, changed) in renamed {
                if let Some(field) = fields.remove(&key) {
                    fields.insert(changed, field);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(PLACEHOLDER.0).skip(1).filter_map(|part| part.split_once(PLACEHOLDER.1)).map(|(word, _)| word)
}

/// Only words are placeholders: `{{ .Values.x }}` or `{{ $labels.pod }}` belong to others and stay as they are.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Around a placeholder; from the end of the last private-use plane, where no font has icons.
const PLACEHOLDER: (char, char) = ('\u{10FFF0}', '\u{10FFF1}');

/// Around what was meant literally.
const LITERAL: (char, char) = ('\u{10FFF2}', '\u{10FFF3}');

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn through(text: &str) -> String {
        let masked = mask(text);
        unmask(&masked, Some(7)).unwrap_or(masked)
    }

    #[test]
    fn placeholders_survive_in_one_spelling() {
        for (text, result) in [
            ("{{cluster-name}}-node", "{{cluster-name}}-node"),
            ("{{ cluster-name }}", "{{cluster-name}}"),
            ("n{{index}}-{{ index }}", "n7-7"),
            ("{{{{pod}}}}", "{{pod}}"),
            ("{{ .Values.x }} {{ $labels.pod }}", "{{ .Values.x }} {{ $labels.pod }}"),
            ("{a: {b: c}}", "{a: {b: c}}"),
            ("{{", "{{"),
            ("{{open", "{{open"),
        ] {
            assert_eq!(through(text), result, "{text}");
        }
    }

    #[test]
    fn masked_text_is_plain_yaml() {
        let value: serde_yaml::Value =
            serde_yaml::from_str(&mask("name: {{cluster-name}}-a\nmap: {b: {c: 1}}\n")).unwrap();
        assert_eq!(unmask(value["name"].as_str().unwrap(), None).as_deref(), Some("{{cluster-name}}-a"));
        assert_eq!(value["map"]["b"]["c"], 1);
    }

    #[test]
    fn unknown_words_are_found() {
        let known = ["cluster-name"];
        assert_eq!(unknown(&mask("{{cluster-name}} {{cluster_name}}"), &known), Some("cluster_name"));
        assert_eq!(unknown(&mask("{{cluster-name}} {{{{pod}}}}"), &known), None);
        assert!(has_literal_cluster_name(&mask("{{{{cluster-name}}}}")));
    }

    #[test]
    fn the_name_is_filled_into_values_and_keys() {
        let mut object = json!({"a": ["{{cluster-name}}-x"], "{{cluster-name}}/k": 1, "{{other}}": true});
        fill_cluster_name(&mut object, "edge");
        assert_eq!(object, json!({"a": ["edge-x"], "edge/k": 1, "{{other}}": true}));
    }

    #[test]
    fn stand_ins_leave_the_rest() {
        assert_eq!(stand_in(&mask("{{cluster-name}}-n{{index}}")), "1-n1");
        assert_eq!(stand_in("{{cluster-name}}-n"), "c-n");
    }

    proptest! {
        #[test]
        fn masking_keeps_lines_and_never_panics(text in "[a{} \n-]{0,40}") {
            let masked = mask(&text);
            prop_assert_eq!(masked.lines().count(), text.lines().count());
            stand_in(&masked);
        }

        #[test]
        fn text_without_double_braces_is_untouched(text in "[a{ \n-]?[a \n-]{0,40}") {
            prop_assert_eq!(mask(&text), text);
        }
    }
}
