//! Trees that clients shaped: reading and writing them, and how deep they are.

use serde_json::{Map, Value};

/// The items of a list; none of anything else.
pub(super) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A text; empty for anything else.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What is at `path`; whatever on the way is no object becomes one.
pub(super) fn at<'a>(tree: &'a mut Value, path: &[&str]) -> &'a mut Value {
    let mut at = tree;
    for key in path {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        // An object takes any key.
        at = &mut at[*key];
    }
    at
}

/// Puts `value` at `path`.
pub(super) fn set(tree: &mut Value, path: &[&str], value: impl Into<Value>) {
    *at(tree, path) = value.into();
}

/// Adds `item` to the list at `path` unless it is in it; whatever is no list becomes one.
pub(super) fn include(tree: &mut Value, path: &[&str], item: &str) {
    match at(tree, path) {
        Value::Array(items) if items.iter().any(|known| known == item) => {}
        Value::Array(items) => items.push(item.into()),
        other => *other = Value::Array(vec![item.into()]),
    }
}

/// Takes `item` out of the list at `path`, if there is one.
pub(super) fn exclude(tree: &mut Value, path: &[&str], item: &str) {
    if let Value::Array(items) = at(tree, path) {
        items.retain(|known| known != item);
    }
}

/// How deep objects and lists nest; a scalar is 0.
pub(super) fn depth(value: &Value) -> usize {
    let deepest = |items: &mut dyn Iterator<Item = &Value>| 1 + items.map(depth).max().unwrap_or(0);
    match value {
        Value::Array(items) => deepest(&mut items.iter()),
        Value::Object(fields) => deepest(&mut fields.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The deepest tree that is kept: `serde_json` reads no deeper one, so it could not be told again.
pub(super) const DEPTH_LIMIT: usize = 127;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_made_on_the_way() {
        let mut tree = json!({"a": 1, "m": {"k": "v"}});
        set(&mut tree, &["spec", "n"], 3);
        set(&mut tree, &["a", "b"], "c");
        set(&mut tree, &["m", "x/y"], true);
        assert_eq!(tree, json!({"a": {"b": "c"}, "m": {"k": "v", "x/y": true}, "spec": {"n": 3}}));
    }

    #[test]
    fn the_deepest_tree_that_is_kept_can_be_read() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let deepest: Value = serde_json::from_str(&nested(DEPTH_LIMIT)).unwrap();
        assert_eq!(depth(&deepest), DEPTH_LIMIT);
        assert!(serde_json::from_str::<Value>(&nested(DEPTH_LIMIT + 1)).is_err());
        assert_eq!(depth(&json!({"a": [1, {"b": {}}], "c": 1})), 4);
    }

    #[test]
    fn lists_take_and_lose_items() {
        let mut tree = json!({"f": "x"});
        include(&mut tree, &["f"], "a");
        include(&mut tree, &["f"], "a");
        include(&mut tree, &["f"], "b");
        exclude(&mut tree, &["f"], "a");
        exclude(&mut tree, &["g"], "a");
        assert_eq!(tree["f"], json!(["b"]));
    }
}
