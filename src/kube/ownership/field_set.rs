//! Sets of fields, as a tree of path elements (`metav1.FieldsV1`).

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Fields below one place, by path element: `f:name` a field, `k:{…}` an element of a list by its keys, `v:…` a value of a set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    /// Whether the place itself is in the set.
    pub is_member: bool,
    /// None of them is empty.
    children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// The place itself.
    pub(super) fn leaf() -> FieldSet {
        FieldSet { is_member: true, children: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_member && self.children.is_empty()
    }

    pub(super) fn child(&self, element: &str) -> Option<&FieldSet> {
        self.children.get(element)
    }

    pub(super) fn children(&self) -> impl Iterator<Item = (&str, &FieldSet)> {
        self.children.iter().map(|(element, child)| (element.as_str(), child))
    }

    pub(super) fn has_children(&self) -> bool {
        !self.children.is_empty()
    }

    /// Adds what is below an element.
    pub(super) fn insert(&mut self, element: String, below: FieldSet) {
        if below.is_empty() {
            return;
        }
        match self.children.entry(element) {
            Entry::Vacant(place) => _ = place.insert(below),
            Entry::Occupied(mut place) => place.get_mut().add(&below),
        }
    }

    /// Adds another set.
    pub(super) fn add(&mut self, other: &FieldSet) {
        self.is_member |= other.is_member;
        for (element, child) in &other.children {
            self.insert(element.clone(), child.clone());
        }
    }

    /// What is not in `other`.
    pub(super) fn without(&self, other: &FieldSet) -> FieldSet {
        self.kept(other, |own, other| own && !other, true)
    }

    /// What is in both.
    pub(super) fn and(&self, other: &FieldSet) -> FieldSet {
        self.kept(other, |own, other| own && other, false)
    }

    /// What is neither in `other` nor below a place in it.
    pub(super) fn outside(&self, other: &FieldSet) -> FieldSet {
        if other.is_member { FieldSet::default() } else { self.filtered(other, FieldSet::outside, true) }
    }

    fn kept(&self, other: &FieldSet, keep: fn(bool, bool) -> bool, alone: bool) -> FieldSet {
        let mut kept = self.filtered(other, |own, other| own.kept(other, keep, alone), alone);
        kept.is_member = keep(self.is_member, other.is_member);
        kept
    }

    /// The children that `with` makes of those in both, and those that only this set has if they may stay.
    fn filtered(&self, other: &FieldSet, with: impl Fn(&FieldSet, &FieldSet) -> FieldSet, alone: bool) -> FieldSet {
        let mut kept = FieldSet { is_member: self.is_member, children: BTreeMap::new() };
        for (element, child) in &self.children {
            let child = match other.children.get(element) {
                Some(other) => with(child, other),
                None if alone => child.clone(),
                None => continue,
            };
            kept.insert(element.clone(), child);
        }
        kept
    }

    /// The set of these fields, given as names from the top.
    pub(super) fn of(paths: &[&[&str]]) -> FieldSet {
        let mut set = FieldSet::default();
        for path in paths {
            let below = path.iter().rev().fold(FieldSet::leaf(), |below, name| {
                let mut place = FieldSet::default();
                place.insert(format!("f:{name}"), below);
                place
            });
            set.add(&below);
        }
        set
    }

    /// A set as `fieldsV1` has it; `None` if it is none.
    pub(super) fn parse(fields: &Value) -> Option<FieldSet> {
        let mut set = FieldSet::default();
        for (element, below) in fields.as_object()? {
            match element.as_str() {
                "." => set.is_member = true,
                element if element.as_bytes().get(1) == Some(&b':') => {
                    let mut child = FieldSet::parse(below)?;
                    child.is_member |= !child.has_children();
                    set.insert(element.to_owned(), child);
                }
                _ => return None,
            }
        }
        Some(set)
    }

    /// The set as `fieldsV1` has it.
    pub(super) fn to_value(&self) -> Value {
        let mut fields: Map<String, Value> =
            self.children.iter().map(|(element, child)| (element.clone(), child.to_value())).collect();
        if self.is_member && !fields.is_empty() {
            fields.insert(".".into(), json!({}));
        }
        Value::Object(fields)
    }

    /// Every place in it, as errors write paths: `.spec.containers[name="a"].image`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect(String::new(), &mut paths);
        paths
    }

    fn collect(&self, at: String, paths: &mut Vec<String>) {
        let place = |element: &str| format!("{at}{}", shown(element));
        paths.extend(self.children.iter().filter(|(_, child)| child.is_member).map(|(element, _)| place(element)));
        for (element, child) in &self.children {
            child.collect(place(element), paths);
        }
    }
}

/// An element as errors write it.
pub(super) fn shown(element: &str) -> String {
    let (kind, rest) = element.split_at(2.min(element.len()));
    match kind {
        "f:" => format!(".{rest}"),
        "v:" => format!("[={rest}]"),
        "k:" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        _ => format!("[{rest}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(fields: Value) -> FieldSet {
        FieldSet::parse(&fields).unwrap()
    }

    #[test]
    fn sets_come_and_go_as_fields_v1() {
        // As a kube-apiserver writes it.
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {"f:ports": {".": {}, r#"k:{"port":80,"protocol":"TCP"}"#: {".": {}, "f:port": {}}}, "f:list": {r#"v:"x""#: {}}}
        });
        assert_eq!(set(fields.clone()).to_value(), fields);
        assert_eq!(
            set(fields).paths(),
            [
                ".metadata.labels",
                ".metadata.labels.a",
                ".spec.ports",
                ".spec.list[=\"x\"]",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].port"
            ]
        );
        assert_eq!(FieldSet::parse(&json!({"x": {}})), None);
        assert_eq!(FieldSet::parse(&json!({"f:a": 1})), None);
    }

    #[test]
    fn differences_leave_no_empty_places() {
        let both = set(json!({"f:a": {"f:b": {}, "f:c": {}}, "f:d": {}}));
        assert_eq!(both.without(&set(json!({"f:a": {"f:b": {}, "f:c": {}}}))), set(json!({"f:d": {}})));
        assert_eq!(both.without(&set(json!({"f:a": {}}))), both, "the place itself is not in it");
        assert_eq!(both.outside(&set(json!({"f:a": {}}))), set(json!({"f:d": {}})));
        assert_eq!(both.and(&set(json!({"f:a": {"f:c": {}}, "f:e": {}}))), set(json!({"f:a": {"f:c": {}}})));
        assert_eq!(FieldSet::of(&[&["a", "b"], &["d"]]), set(json!({"f:a": {"f:b": {}}, "f:d": {}})));
    }

    fn sets() -> impl Strategy<Value = FieldSet> {
        let leaf = Just(FieldSet::leaf());
        let tree = leaf.prop_recursive(3, 20, 4, |inner| {
            (any::<bool>(), prop::collection::btree_map("f:[a-c]", inner, 1..4))
                .prop_map(|(is_member, children)| FieldSet { is_member, children })
        });
        tree.prop_map(|tree| FieldSet { is_member: false, ..tree })
    }

    proptest! {
        /// The laws of sets, by the paths in them.
        #[test]
        fn they_are_sets(a in sets(), b in sets()) {
            let of = |set: &FieldSet| set.paths().into_iter().collect::<std::collections::BTreeSet<_>>();
            let mut union = a.clone();
            union.add(&b);
            prop_assert_eq!(of(&union), of(&a).union(&of(&b)).cloned().collect());
            prop_assert_eq!(of(&a.without(&b)), of(&a).difference(&of(&b)).cloned().collect());
            prop_assert_eq!(of(&a.and(&b)), of(&a).intersection(&of(&b)).cloned().collect());
            prop_assert_eq!(FieldSet::parse(&a.to_value()), Some(a));
        }
    }
}
