//! Which fields a value has, and in which of them two differ.

use super::field_set::FieldSet;
use super::shape::{Form, Shape};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How one value became another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub modified: FieldSet,
    pub added: FieldSet,
    pub removed: FieldSet,
}

impl Changes {
    /// Every field that has another value now.
    pub(super) fn written(&self) -> FieldSet {
        let mut written = self.modified.clone();
        written.add(&self.added);
        written
    }

    /// The same but for `ignored` fields.
    pub(super) fn outside(&self, ignored: &FieldSet) -> Changes {
        Changes {
            modified: self.modified.outside(ignored),
            added: self.added.outside(ignored),
            removed: self.removed.outside(ignored),
        }
    }

    fn insert(&mut self, element: &str, below: Changes) {
        self.modified.insert(element.to_owned(), below.modified);
        self.added.insert(element.to_owned(), below.added);
        self.removed.insert(element.to_owned(), below.removed);
    }
}

/// The fields that whoever applies `value` claims.
pub(super) fn fields_of(value: &Value, shape: Shape<'_>) -> FieldSet {
    let mut set = FieldSet::default();
    let form = shape.form(value);
    match (&form, value) {
        (Form::Map, Value::Object(fields)) => {
            for (name, value) in fields {
                let mut below = fields_of(value, shape.field(name).unwrap_or(Shape::Deduced));
                let is_empty = value.is_null() || value.as_object().is_some_and(|fields| fields.is_empty());
                below.is_member |= is_empty || !shape.declares(name);
                set.insert(format!("f:{name}"), below);
            }
            set
        }
        (Form::Set | Form::Keyed(_), Value::Array(items)) => {
            for item in items {
                let Some(element) = shape.element(&form, item) else { continue };
                let mut below = if form == Form::Set { FieldSet::leaf() } else { fields_of(item, shape.item()) };
                below.is_member = true;
                set.insert(element, below);
            }
            set
        }
        _ => FieldSet::leaf(),
    }
}

/// How `before` became `after`.
pub(super) fn compare<'a>(before: Option<&'a Value>, after: Option<&'a Value>, shape: Shape<'_>) -> Changes {
    let mut changes = Changes::default();
    let Some(either) = after.or(before) else { return changes };
    let form = match (before, after) {
        (Some(before), Some(after)) if std::mem::discriminant(before) != std::mem::discriminant(after) => {
            // A null is as good as nothing of either form.
            let known = [before, after].into_iter().find(|value| !value.is_null());
            if before.is_null() || after.is_null() {
                known.map_or(Form::Leaf, |value| shape.form(value))
            } else {
                Form::Leaf
            }
        }
        _ => shape.form(either),
    };
    let is_empty = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    if form == Form::Leaf || (is_empty(before) && is_empty(after)) {
        match (before, after) {
            (None, _) => changes.added.is_member = true,
            (_, None) => changes.removed.is_member = true,
            (before, after) => changes.modified.is_member = before != after,
        }
        return changes;
    }
    if form == Form::Map {
        let names = |value: Option<&'a Value>| value.and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let names: BTreeSet<&String> = names(before).chain(names(after)).collect();
        let field = |value: Option<&'a Value>, name: &str| value.and_then(|value| value.get(name));
        for name in names {
            let inner = shape.field(name).unwrap_or(Shape::Deduced);
            changes.insert(&format!("f:{name}"), compare(field(before, name), field(after, name), inner));
        }
    } else {
        let (old, new) = (elements(before, &form, shape), elements(after, &form, shape));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let none = Vec::new();
        for name in names {
            let (old, new) = (old.get(name).unwrap_or(&none), new.get(name).unwrap_or(&none));
            changes.insert(name, compare_elements(old, new, shape.item()));
        }
    }
    if before.is_none() {
        changes.added.is_member = true;
    } else if after.is_none() {
        changes.removed.is_member = true;
    }
    changes
}

/// The elements of a list by what tells them apart; a list that was not applied may hold some twice.
fn elements<'a>(list: Option<&'a Value>, form: &Form<'_>, shape: Shape<'_>) -> BTreeMap<String, Vec<&'a Value>> {
    let mut elements: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for item in list.and_then(Value::as_array).into_iter().flatten() {
        if let Some(element) = shape.element(form, item) {
            elements.entry(element).or_default().push(item);
        }
    }
    elements
}

/// How the elements of one identity changed: doubles are one value together.
fn compare_elements(old: &[&Value], new: &[&Value], shape: Shape<'_>) -> Changes {
    let mut changes = match (old.len(), new.len()) {
        (0 | 1, 0 | 1) => return compare(old.first().copied(), new.first().copied(), shape),
        (2.., 2..) => Changes::default(),
        (2.., _) => compare(None, new.first().copied(), shape),
        (_, _) => compare(old.first().copied(), None, shape),
    };
    match (old.len(), new.len()) {
        (2.., 2..) => changes.modified.is_member = old != new,
        (2.., _) => changes.removed.is_member = true,
        (_, _) => changes.added.is_member = true,
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::types;
    use serde_json::json;

    fn service() -> Shape<'static> {
        Shape::of(types::find("v1", "Service"), None)
    }

    fn set(fields: Value) -> FieldSet {
        FieldSet::parse(&fields).unwrap()
    }

    /// As a kube-apiserver records an apply of the same service.
    #[test]
    fn what_is_applied_is_claimed() {
        let applied = json!({
            "metadata": {"labels": {"a": "b"}, "annotations": {}, "finalizers": ["x"]},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "name": "http"}], "type": "ClusterIP"}
        });
        assert_eq!(
            fields_of(&applied, service()),
            set(json!({
                "f:metadata": {"f:annotations": {}, "f:finalizers": {r#"v:"x""#: {}}, "f:labels": {"f:a": {}}},
                "f:spec": {"f:ports": {r#"k:{"port":80,"protocol":"TCP"}"#: {".": {}, "f:name": {}, "f:port": {}}}, "f:selector": {}, "f:type": {}}
            }))
        );
    }

    #[test]
    fn what_is_new_comes_with_the_place_it_stands_in() {
        let before = json!({"metadata": {"name": "a"}, "spec": {"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}, {"port": 81}]}});
        let after = json!({
            "metadata": {"name": "a", "labels": {"x": "y"}},
            "spec": {"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 1}], "selector": {"a": "b"}}
        });
        let changes = compare(Some(&before), Some(&after), service());
        assert_eq!(changes.modified, set(json!({"f:spec": {"f:type": {}}})));
        assert_eq!(
            changes.added,
            set(json!({
                "f:metadata": {"f:labels": {".": {}, "f:x": {}}},
                "f:spec": {"f:ports": {r#"k:{"port":80,"protocol":"TCP"}"#: {"f:nodePort": {}}}, "f:selector": {}}
            }))
        );
        assert_eq!(
            changes.removed,
            set(json!({"f:spec": {"f:ports": {r#"k:{"port":81,"protocol":"TCP"}"#: {".": {}, "f:port": {}}}}}))
        );
        assert_eq!(compare(Some(&after), Some(&after), service()), Changes::default());
    }

    #[test]
    fn doubles_are_one_value() {
        let ports = |ports: Value| json!({"spec": {"ports": ports}});
        let (one, two) = (ports(json!([{"port": 1}])), ports(json!([{"port": 1}, {"port": 1, "name": "x"}])));
        assert_eq!(compare(Some(&two), Some(&two), service()), Changes::default());
        let gone = compare(Some(&two), Some(&one), service());
        let port = r#"k:{"port":1,"protocol":"TCP"}"#;
        assert_eq!(gone.removed, set(json!({"f:spec": {"f:ports": {port: {}}}})));
        assert_eq!(gone.added, set(json!({"f:spec": {"f:ports": {port: {".": {}, "f:port": {}}}}})));
    }
}
