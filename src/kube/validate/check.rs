//! Checks of single values, and the places in an object that a path names.

use crate::kube::Cause;
use crate::kube::names::{check_label, check_qualified_name, check_subdomain};
use crate::kube::quantity::Quantity;
use serde_json::{Value, json};

/// What must be at a place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Check {
    /// Something: no empty text, list or map. The text completes the message.
    Required(&'static str),
    /// One of these, if anything.
    OneOf(&'static [&'static str]),
    /// No number below zero.
    NotNegative,
    /// A number above zero, if any.
    Positive,
    /// A port number, if any.
    Port,
    /// A DNS-1123 label, if any.
    Label,
    /// A DNS-1123 subdomain, if any.
    Subdomain,
    /// A qualified name, if any.
    QualifiedName,
    /// An amount that is not below zero.
    Amount,
    /// A map whose keys can be file names.
    ConfigKeys,
}

impl Check {
    /// Runs it wherever `path` leads in an object.
    pub(super) fn run(self, object: &Value, path: &str, causes: &mut Vec<Cause>) {
        for (field, value) in places(object, path) {
            self.check(field, value.filter(|value| !value.is_null()), causes);
        }
    }

    fn check(self, field: String, value: Option<&Value>, causes: &mut Vec<Cause>) {
        let Some(value) = value else {
            if let Check::Required(detail) = self {
                causes.push(Cause::required(field, detail));
            }
            return;
        };
        let text = value.as_str().unwrap_or_default();
        let mut refuse = |problem: &str| causes.push(Cause::invalid(field.clone(), value, problem));
        match self {
            Check::Required(detail) => {
                if text.is_empty() && value.is_string() || *value == json!([]) || *value == json!({}) {
                    causes.push(Cause::required(field, detail));
                }
            }
            Check::OneOf(known) if !known.contains(&text) => causes.push(Cause::not_supported(field, value, known)),
            Check::OneOf(_) => {}
            Check::NotNegative if value.as_i64().is_some_and(|n| n < 0) => refuse("must be greater than or equal to 0"),
            Check::Positive if value.as_i64().is_some_and(|n| n <= 0) => refuse("must be greater than 0"),
            Check::Port if value.as_i64().is_some_and(|n| !(1..=65_535).contains(&n)) => {
                refuse("must be between 1 and 65535, inclusive");
            }
            Check::NotNegative | Check::Positive | Check::Port => {}
            Check::Label if !text.is_empty() => check_label(text).iter().for_each(|problem| refuse(problem)),
            Check::Subdomain if !text.is_empty() => check_subdomain(text).iter().for_each(|problem| refuse(problem)),
            Check::QualifiedName if !text.is_empty() => {
                check_qualified_name(text).iter().for_each(|problem| refuse(problem));
            }
            Check::Label | Check::Subdomain | Check::QualifiedName => {}
            Check::Amount => {
                if Quantity::of(value).is_some_and(|amount| amount < Quantity::default()) {
                    refuse("must be greater than or equal to 0");
                }
            }
            Check::ConfigKeys => {
                for key in value.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| !is_config_key(key))
                {
                    causes.push(Cause::invalid(format!("{field}[{key}]"), &json!(key), CONFIG_KEY));
                }
            }
        }
    }
}

/// Where `path` leads, with the name of each place in messages; the last name leads somewhere even if nothing is there.
pub(super) fn places<'a>(object: &'a Value, path: &str) -> Vec<(String, Option<&'a Value>)> {
    let mut found = vec![(String::new(), Some(object))];
    for name in path.split('/') {
        let below = |(at, value): (String, Option<&'a Value>)| -> Vec<(String, Option<&'a Value>)> {
            match (name, value) {
                ("*", Some(Value::Array(items))) => {
                    items.iter().enumerate().map(|(index, item)| (format!("{at}[{index}]"), Some(item))).collect()
                }
                ("*", Some(Value::Object(entries))) => {
                    entries.iter().map(|(key, value)| (format!("{at}[{key}]"), Some(value))).collect()
                }
                ("*", _) | (_, None) => Vec::new(),
                (name, Some(value)) => {
                    let at = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
                    vec![(at, value.get(name))]
                }
            }
        };
        found = found.into_iter().flat_map(below).collect();
    }
    found
}

fn is_config_key(key: &str) -> bool {
    let is_name = !key.is_empty() && key.len() <= 253 && key != "." && !key.starts_with("..");
    is_name && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// `validation.IsConfigMapKey` of apimachinery.
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or \
     'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_every_entry() {
        let object = json!({"spec": {"list": [{"a": 1}, {}], "map": {"k": 2}}});
        let names =
            |path| places(&object, path).into_iter().map(|(at, value)| (at, value.is_some())).collect::<Vec<_>>();
        assert_eq!(names("spec/list/*/a"), [("spec.list[0].a".into(), true), ("spec.list[1].a".into(), false)]);
        assert_eq!(names("spec/map/*"), [("spec.map[k]".into(), true)]);
        assert_eq!(names("spec/nothing/*/a"), []);
        assert_eq!(names("spec/nothing/a"), []);
    }
}
