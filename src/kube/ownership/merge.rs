//! The values of an apply: what is applied comes in, what is applied no longer goes.

use super::field_set::FieldSet;
use super::shape::{Form, Shape};
use crate::kube::types::Kind;
use serde_json::{Map, Value};

/// Puts `applied` into `current`. A null claims its field and changes nothing.
pub(super) fn merge(current: &mut Value, applied: &Value, shape: Shape<'_>) {
    let form = shape.form(applied);
    match (&form, &mut *current, applied) {
        (_, _, Value::Null) => {}
        (Form::Map, Value::Object(current), Value::Object(applied)) => {
            for (name, value) in applied {
                let inner = shape.field(name).unwrap_or(Shape::Deduced);
                match current.get_mut(name) {
                    Some(current) => merge(current, value, inner),
                    None if value.is_null() => {}
                    None => _ = current.insert(name.clone(), without_nulls(value)),
                }
            }
        }
        (Form::Set | Form::Keyed(_), Value::Array(current), Value::Array(applied)) => {
            *current = merge_lists(std::mem::take(current), applied, &form, shape);
        }
        _ => *current = without_nulls(applied),
    }
}

/// The elements of two lists in an order that is the applied one for what is applied, while what is not stays where it stands between
/// others.
fn merge_lists(current: Vec<Value>, applied: &[Value], form: &Form<'_>, shape: Shape<'_>) -> Vec<Value> {
    let named = |item: &Value| shape.element(form, item);
    let applied: Vec<(Option<String>, &Value)> = applied.iter().map(|item| (named(item), item)).collect();
    let mut current: Vec<(Option<String>, Value)> = current.into_iter().map(|item| (named(&item), item)).collect();
    let is_applied = |name: &Option<String>| name.is_some() && applied.iter().any(|(own, _)| own == name);
    let is_shared: Vec<bool> =
        applied.iter().map(|(name, _)| name.is_some() && current.iter().any(|(own, _)| own == name)).collect();
    let mut merged = Vec::with_capacity(current.len().max(applied.len()));
    let mut at = 0;
    for (index, (name, item)) in applied.iter().enumerate() {
        let next_shared = (index..applied.len()).find(|next| is_shared[*next]).map(|next| &applied[next].0);
        while let Some((own, standing)) = current.get_mut(at) {
            if is_applied(own) {
                if next_shared.is_none_or(|next| next == own) {
                    break;
                }
            } else {
                merged.push(standing.take());
            }
            at += 1;
        }
        let mut whole = without_nulls(item);
        if let Some((_, found)) = current.iter_mut().find(|(own, _)| own.is_some() && own == name) {
            whole = found.take();
            merge(&mut whole, item, shape.item());
        }
        at += usize::from(current.get(at).is_some_and(|(own, _)| own == name || next_shared.is_none()));
        merged.push(whole);
    }
    merged.extend(current.into_iter().skip(at).filter(|(own, _)| !is_applied(own)).map(|(_, item)| item));
    merged
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Takes away what somebody applied the `last` time and nobody owns any more.
pub(super) fn prune(value: &mut Value, shape: Shape<'_>, last: &FieldSet, owned: &FieldSet) {
    let form = shape.form(value);
    match (&form, value) {
        (Form::Map, Value::Object(fields)) => {
            for (element, last) in last.children() {
                let Some(name) = element.strip_prefix("f:") else { continue };
                let inner = shape.field(name).unwrap_or(Shape::Deduced);
                // A struct goes with all that is in it, defaults too; a map only if it is left with nothing.
                let is_whole = last.is_member || (shape.declares(name) && !is_map(inner));
                if fields.get_mut(name).is_some_and(|value| is_gone(value, inner, last, owned.child(element), is_whole))
                {
                    fields.remove(name);
                }
            }
        }
        (Form::Set | Form::Keyed(_), Value::Array(items)) => items.retain_mut(|item| {
            let Some(element) = shape.element(&form, item) else { return true };
            last.child(&element)
                .is_none_or(|last| !is_gone(item, shape.item(), last, owned.child(&element), last.is_member))
        }),
        _ => {}
    }
}

/// Prunes a value, and tells whether it goes as a whole.
fn is_gone(value: &mut Value, shape: Shape<'_>, last: &FieldSet, owned: Option<&FieldSet>, is_whole: bool) -> bool {
    if owned.is_none() && is_whole {
        return true;
    }
    prune(value, shape, last, owned.unwrap_or(&FieldSet::default()));
    let is_empty = match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    is_empty && last.has_children() && owned.is_none_or(|owned| !owned.is_member)
}

fn is_map(shape: Shape<'_>) -> bool {
    match shape {
        Shape::Known(Kind::Map(_), _) | Shape::Deduced => true,
        Shape::Custom(schema) => schema["properties"].as_object().is_none_or(Map::is_empty),
        Shape::Known(..) | Shape::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::types;
    use proptest::prelude::*;
    use serde_json::json;

    fn set() -> Shape<'static> {
        Shape::of(types::find("v1", "ConfigMap"), None).field("metadata").unwrap().field("finalizers").unwrap()
    }

    fn merged(current: &[&str], applied: &[&str]) -> Vec<String> {
        let mut list = json!(current);
        merge(&mut list, &json!(applied), set());
        serde_json::from_value(list).unwrap()
    }

    /// The orders of structured-merge-diff's own tests.
    #[test]
    fn what_is_applied_keeps_its_order_between_what_is_not() {
        for (current, applied, expected) in [
            (&["a", "b", "c"][..], &["d"][..], &["a", "b", "c", "d"][..]),
            (&["a", "b", "c"], &["c", "b"], &["a", "c", "b"]),
            (&["a", "b", "c", "d"], &["d", "b"], &["a", "c", "d", "b"]),
            (&["a", "b"], &["x", "a"], &["x", "a", "b"]),
            (&["a", "b"], &["b", "x"], &["a", "b", "x"]),
            (&[], &["b", "a"], &["b", "a"]),
            (&["a"], &[], &["a"]),
        ] {
            assert_eq!(merged(current, applied), expected, "{current:?} {applied:?}");
        }
    }

    #[test]
    fn fields_come_into_maps_and_elements() {
        let service = Shape::of(types::find("v1", "Service"), None);
        let mut current = json!({"spec": {"type": "ClusterIP", "selector": {"a": "b"}, "ports": [{"port": 80, "protocol": "TCP", "nodePort": 1}]}});
        let applied = json!({"spec": {"type": null, "selector": {"c": "d"}, "ports": [{"port": 80, "name": "http"}, {"port": 81, "name": null}]}});
        merge(&mut current, &applied, service);
        assert_eq!(
            current,
            json!({"spec": {
                "type": "ClusterIP", "selector": {"c": "d"},
                "ports": [{"port": 80, "protocol": "TCP", "nodePort": 1, "name": "http"}, {"port": 81}]
            }})
        );
    }

    #[test]
    fn what_nobody_owns_goes_with_the_defaults_in_it() {
        let pod = Shape::of(types::find("v1", "Pod"), None);
        let mut value = json!({
            "metadata": {"labels": {"a": "1", "theirs": "2"}, "annotations": {"b": "1"}},
            "spec": {
                "containers": [{"name": "a", "image": "a", "imagePullPolicy": "Always"}, {"name": "b", "image": "b"}],
                "securityContext": {"runAsUser": 1}
            }
        });
        let last = FieldSet::parse(&json!({
            "f:metadata": {"f:labels": {"f:a": {}}, "f:annotations": {"f:b": {}}},
            "f:spec": {
                "f:containers": {r#"k:{"name":"a"}"#: {".": {}, "f:name": {}, "f:image": {}}, r#"k:{"name":"b"}"#: {".": {}, "f:image": {}}},
                "f:securityContext": {"f:runAsUser": {}}
            }
        }));
        let owned = FieldSet::parse(
            &json!({"f:metadata": {"f:name": {}}, "f:spec": {"f:containers": {r#"k:{"name":"b"}"#: {".": {}, "f:name": {}}}}}),
        );
        prune(&mut value, pod, &last.unwrap(), &owned.unwrap());
        assert_eq!(value, json!({"metadata": {"labels": {"theirs": "2"}}, "spec": {"containers": [{"name": "b"}]}}));
    }

    proptest! {
        /// Whatever the orders, nothing is lost or doubled, and what is applied comes in its order.
        #[test]
        fn merged_lists_hold_each_element_once(
            current in prop::sample::subsequence(vec!["a", "b", "c", "d", "e"], 0..5).prop_shuffle(),
            applied in prop::sample::subsequence(vec!["a", "b", "c", "d", "e", "f"], 0..6).prop_shuffle()
        ) {
            let merged = merged(&current, &applied);
            let all: std::collections::BTreeSet<&str> = current.iter().chain(&applied).copied().collect();
            prop_assert_eq!(merged.len(), all.len());
            let order: Vec<&str> = merged.iter().map(String::as_str).filter(|item| applied.contains(item)).collect();
            prop_assert_eq!(order, applied);
            prop_assert!(all.iter().all(|item| merged.iter().any(|own| own == item)));
        }
    }
}
