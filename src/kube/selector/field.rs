//! Field selectors: `metadata.name=x,status.phase!=Running`.

use crate::kube::response::quote::quote;
use crate::kube::{Resource, Status};
use serde_json::Value;
use std::borrow::Cow;

/// Requirements that all must hold. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    field: Field,
    equal: bool,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    At { path: Cow<'static, str>, zero: Cow<'static, str> },
}

impl FieldSelector {
    /// Parses a selector for `resource` (apimachinery `fields.ParseSelector`). An error is the 400 to answer: bad syntax, or a field this kind
    /// cannot be selected by.
    pub fn parse(selector: &str, resource: &Resource) -> Result<FieldSelector, Status> {
        let mut requirements = Vec::new();
        for term in terms(selector).into_iter().filter(|term| !term.is_empty()) {
            let Some((label, equal, value)) = split(term) else {
                return Err(Status::bad_request(format!("invalid selector: '{selector}'; can't understand '{term}'")));
            };
            let value = unescape(value).map_err(Status::bad_request)?;
            requirements.push(Requirement { field: field(label, resource)?, equal, value });
        }
        Ok(FieldSelector { requirements })
    }

    /// Whether `object` is selected.
    pub fn matches(&self, object: &Value) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = match &requirement.field {
                Field::Name => text(object, "metadata.name"),
                Field::Namespace => text(object, "metadata.namespace"),
                Field::At { path, zero } => text(object, path).or(Some(Cow::Borrowed(zero))),
            };
            (value.unwrap_or_default() == requirement.value.as_str()) == requirement.equal
        })
    }

    /// The one name it can select, if it requires one.
    pub fn name(&self) -> Option<&str> {
        self.required(&Field::Name)
    }

    /// The one namespace it can select in, if it requires one.
    pub fn namespace(&self) -> Option<&str> {
        self.required(&Field::Namespace)
    }

    /// Whether it looks at nothing but `metadata.name` and `metadata.namespace`, so that [`FieldSelector::matches_identity`] decides.
    pub fn is_identity_only(&self) -> bool {
        self.requirements.iter().all(|requirement| matches!(requirement.field, Field::Name | Field::Namespace))
    }

    /// Whether an object of this name and namespace can be selected, as far as these two fields say.
    pub fn matches_identity(&self, namespace: Option<&str>, name: &str) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = match requirement.field {
                Field::Name => name,
                Field::Namespace => namespace.unwrap_or_default(),
                Field::At { .. } => return true,
            };
            (value == requirement.value) == requirement.equal
        })
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    fn required(&self, field: &Field) -> Option<&str> {
        let required = self.requirements.iter().find(|requirement| requirement.equal && requirement.field == *field);
        required.map(|requirement| requirement.value.as_str())
    }
}

fn field(label: &str, resource: &Resource) -> Result<Field, Status> {
    match label {
        "metadata.name" => return Ok(Field::Name),
        "metadata.namespace" if resource.namespaced || resource.selectable_fields.is_empty() => {
            return Ok(Field::Namespace);
        }
        _ => {}
    }
    if let Some(field) = resource.selectable_fields.iter().find(|field| field.label == label) {
        return Ok(Field::At { path: field.path.clone(), zero: field.zero.clone() });
    }
    let refusal = if resource.kind == "Job" && resource.group == "batch" {
        format!("field label {} not supported for Job", quote(label))
    } else if resource.custom || !resource.selectable_fields.is_empty() {
        format!("field label not supported: {label}")
    } else {
        format!("{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", quote(label))
    };
    Err(Status::bad_request(refusal))
}

/// Splits at commas that are not escaped.
fn terms(selector: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in selector.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&selector[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&selector[start..]);
    terms
}

/// A term's field, whether it must be equal, and its value, still escaped.
fn split(term: &str) -> Option<(&str, bool, &str)> {
    let (at, _) =
        term.char_indices().find(|(at, _)| ["=", "!="].iter().any(|operator| term[*at..].starts_with(operator)))?;
    let (label, rest) = term.split_at(at);
    let operators = [("!=", false), ("==", true), ("=", true)];
    operators.into_iter().find_map(|(operator, equal)| Some((label, equal, rest.strip_prefix(operator)?)))
}

fn unescape(value: &str) -> Result<String, String> {
    let mut unescaped = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => unescaped.push(c),
                Some(c) => return Err(format!("invalid field selector: invalid escape sequence: \\{c}")),
                None => return Err("invalid field selector: invalid escape sequence: \\".into()),
            },
            // Go prints the rune as its number.
            ',' | '=' => {
                return Err(format!("invalid field selector: unescaped character in value: {}", u32::from(c)));
            }
            c => unescaped.push(c),
        }
    }
    Ok(unescaped)
}

/// What stands at a dotted path, as a string.
fn text<'a>(object: &'a Value, path: &str) -> Option<Cow<'a, str>> {
    let value = path.split('.').try_fold(object, |value, key| value.get(key))?;
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;
    use proptest::prelude::*;
    use serde_json::json;

    fn parse(selector: &str, plural: &str) -> Result<FieldSelector, Status> {
        let groups = ["", "apps", "batch", "events.k8s.io"];
        FieldSelector::parse(selector, groups.iter().find_map(|group| lookup(group, "v1", plural)).unwrap().1)
    }

    fn matches(selector: &str, plural: &str, object: Value) -> bool {
        parse(selector, plural).unwrap().matches(&object)
    }

    #[test]
    fn names_and_namespaces_select_by_identity() {
        // The selector of Rancher's agent TLS check.
        let selector = parse("metadata.namespace=cattle-system,metadata.name=stv-aggregation", "secrets").unwrap();
        assert_eq!((selector.namespace(), selector.name()), (Some("cattle-system"), Some("stv-aggregation")));
        assert!(selector.is_identity_only());
        assert!(selector.matches_identity(Some("cattle-system"), "stv-aggregation"));
        assert!(!selector.matches_identity(Some("default"), "stv-aggregation"));
        assert!(selector.matches(&json!({"metadata": {"name": "stv-aggregation", "namespace": "cattle-system"}})));
        assert!(!selector.matches(&json!({"metadata": {"name": "other", "namespace": "cattle-system"}})));
        let not = parse("metadata.name!=a", "secrets").unwrap();
        assert_eq!(not.name(), None);
        assert!(not.matches_identity(None, "b") && !not.matches_identity(None, "a"));
    }

    #[test]
    fn each_kind_has_its_fields() {
        let pod = || json!({"spec": {"nodeName": "n1", "hostNetwork": true}, "status": {"phase": "Running"}});
        assert!(matches("spec.nodeName=n1,status.phase!=Failed,spec.hostNetwork=true", "pods", pod()));
        assert!(!matches("status.phase==Pending", "pods", pod()));
        assert!(!parse("status.phase=Running", "pods").unwrap().is_identity_only());
        assert!(matches(
            "type=kubernetes.io/service-account-token",
            "secrets",
            json!({"type": "kubernetes.io/service-account-token"})
        ));
        assert!(matches(
            "involvedObject.kind=Pod,source=kubelet",
            "events",
            json!({"involvedObject": {"kind": "Pod"}, "source": {"component": "kubelet"}})
        ));
    }

    #[test]
    fn what_an_object_leaves_out_is_its_zero_value() {
        assert!(matches("spec.unschedulable=false", "nodes", json!({})));
        assert!(matches("spec.unschedulable=true", "nodes", json!({"spec": {"unschedulable": true}})));
        assert!(matches("spec.nodeName=", "pods", json!({})));
        assert!(matches("status.successful=0", "jobs", json!({})));
        assert!(matches("status.successful=2", "jobs", json!({"status": {"succeeded": 2}})));
    }

    #[test]
    fn other_fields_are_refused_in_each_kinds_words() {
        // Field label conversions of Kubernetes 1.31.
        let error = |selector, plural| {
            let status = parse(selector, plural).unwrap_err();
            assert_eq!(status.code, 400);
            status.message
        };
        assert_eq!(error("spec.foo=a", "pods"), "field label not supported: spec.foo");
        assert_eq!(error("metadata.namespace=a", "nodes"), "field label not supported: metadata.namespace");
        assert_eq!(error("spec.foo=a", "jobs"), "field label \"spec.foo\" not supported for Job");
        assert_eq!(
            error("spec.replicas=1", "deployments"),
            "\"spec.replicas\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        );
        assert_eq!(
            error("metadata.name", "pods"),
            "invalid selector: 'metadata.name'; can't understand 'metadata.name'"
        );
        assert_eq!(error("metadata.name=a=b", "pods"), "invalid field selector: unescaped character in value: 61");
        assert_eq!(error("metadata.name=a\\b", "pods"), "invalid field selector: invalid escape sequence: \\b");
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(parse(r"metadata.name=a\,b\=c\\", "pods").unwrap().name(), Some(r"a,b=c\"));
        assert!(parse("", "pods").unwrap().is_empty());
        assert!(parse(",", "pods").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn no_selector_panics(selector in ".*") {
            let _ = parse(&selector, "pods");
        }

        #[test]
        fn any_value_can_be_asked_for(value in ".*") {
            let escaped = value.replace('\\', r"\\").replace(',', r"\,").replace('=', r"\=");
            let selector = parse(&format!("metadata.name={escaped}"), "pods").unwrap();
            prop_assert_eq!(selector.name(), Some(value.as_str()));
        }
    }
}
