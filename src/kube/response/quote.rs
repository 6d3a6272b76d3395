//! How Go prints values into messages.

use serde_json::Value;
use std::fmt::Write;

/// A string in double quotes, as Go's `%q` prints it.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            // Writing to a String cannot fail.
            c if c.is_ascii_control() => _ = write!(quoted, "\\x{:02x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A value inside an error: strings quoted, the rest as JSON.
pub(crate) fn bad_value(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        other => other.to_string(),
    }
}

/// A value as Go's `%v` prints it: `map[a:b]`, `[1 2]`, `<nil>`.
pub(crate) fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(go_value).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{key}:{}", go_value(value)));
            format!("map[{}]", entries.collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

/// A value as Go's `%#v` prints it: `map[string]interface {}{"a":1}`.
pub(crate) fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".into(),
        Value::Array(items) => {
            format!("[]interface {{}}{{{}}}", items.iter().map(go_syntax).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{}:{}", quote(name), go_syntax(value)));
            format!("map[string]interface {{}}{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        scalar => bad_value(scalar),
    }
}

/// A list of strings as Go's `%#v` prints it: `[]string{"a", "b"}`.
pub(crate) fn go_strings<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    format!("[]string{{{}}}", values.into_iter().map(bad_value).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_go_does() {
        let value = serde_json::json!({"a": [1, null, "x"], "b": {"c": true}});
        assert_eq!(go_value(&value), "map[a:[1 <nil> x] b:map[c:true]]");
        let shown = r#"map[string]interface {}{"a":[]interface {}{1, interface {}(nil), "x"}, "b":map[string]interface {}{"c":true}}"#;
        assert_eq!(go_syntax(&value), shown);
        assert_eq!(go_strings(&["a".into(), "b\n".into()]), r#"[]string{"a", "b\n"}"#);
    }

    #[test]
    fn strings_are_quoted_as_go_does() {
        // From `strconv.Quote`'s documentation and its tests.
        assert_eq!(quote("Hello, 世界"), "\"Hello, 世界\"");
        assert_eq!(quote("a\"b\\c\n"), r#""a\"b\\c\n""#);
        assert_eq!(quote("\u{7}\u{8}\u{c}\r\t\u{b}\0\u{7f}"), r#""\a\b\f\r\t\v\x00\x7f""#);
    }
}
