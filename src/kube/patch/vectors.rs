//! The examples of RFC 6902, appendix A, and RFC 7396, appendix A.

use super::{PatchKind, apply};
use crate::kube::catalog::lookup;
use serde_json::{Value, json};

fn patched(kind: PatchKind, document: &Value, patch: &Value) -> Option<Value> {
    let (_, configmaps) = lookup("", "v1", "configmaps").unwrap();
    apply(kind, configmaps, document, patch.to_string().as_bytes()).ok()
}

#[test]
fn json_patches_do_what_the_examples_show() {
    let add = |path: &str, value: Value| json!([{"op": "add", "path": path, "value": value}]);
    let remove = |path: &str| json!([{"op": "remove", "path": path}]);
    let test = |path: &str, value: Value| json!([{"op": "test", "path": path, "value": value}]);
    let moved = |from: &str, path: &str| json!([{"op": "move", "from": from, "path": path}]);
    let (waldo, meadow) = (
        json!({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}),
        json!({"foo": ["all", "grass", "cows", "eat"]}),
    );
    for (example, document, patch, expected) in [
        ("A.1", json!({"foo": "bar"}), add("/baz", json!("qux")), Some(json!({"baz": "qux", "foo": "bar"}))),
        (
            "A.2",
            json!({"foo": ["bar", "baz"]}),
            add("/foo/1", json!("qux")),
            Some(json!({"foo": ["bar", "qux", "baz"]})),
        ),
        ("A.3", json!({"baz": "qux", "foo": "bar"}), remove("/baz"), Some(json!({"foo": "bar"}))),
        ("A.4", json!({"foo": ["bar", "qux", "baz"]}), remove("/foo/1"), Some(json!({"foo": ["bar", "baz"]}))),
        (
            "A.5",
            json!({"baz": "qux", "foo": "bar"}),
            json!([{"op": "replace", "path": "/baz", "value": "boo"}]),
            Some(json!({"baz": "boo", "foo": "bar"})),
        ),
        (
            "A.6",
            waldo,
            moved("/foo/waldo", "/qux/thud"),
            Some(json!({"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}})),
        ),
        ("A.7", meadow, moved("/foo/1", "/foo/3"), Some(json!({"foo": ["all", "cows", "eat", "grass"]}))),
        (
            "A.8",
            json!({"baz": "qux", "foo": ["a", 2, "c"]}),
            json!([{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}]),
            Some(json!({"baz": "qux", "foo": ["a", 2, "c"]})),
        ),
        ("A.9", json!({"baz": "qux"}), test("/baz", json!("bar")), None),
        (
            "A.10",
            json!({"foo": "bar"}),
            add("/child", json!({"grandchild": {}})),
            Some(json!({"foo": "bar", "child": {"grandchild": {}}})),
        ),
        (
            "A.11",
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}]),
            Some(json!({"foo": "bar", "baz": "qux"})),
        ),
        ("A.12", json!({"foo": "bar"}), add("/baz/bat", json!("qux")), None),
        ("A.14", json!({"/": 9, "~1": 10}), test("/~01", json!(10)), Some(json!({"/": 9, "~1": 10}))),
        ("A.15", json!({"/": 9, "~1": 10}), test("/~01", json!("10")), None),
        (
            "A.16",
            json!({"foo": ["bar"]}),
            add("/foo/-", json!(["abc", "def"])),
            Some(json!({"foo": ["bar", ["abc", "def"]]})),
        ),
    ] {
        assert_eq!(patched(PatchKind::Json, &document, &patch), expected, "{example}");
    }
}

/// An object holds what the examples have at the top, which may be anything.
#[test]
fn merge_patches_do_what_the_examples_show() {
    for (document, patch, expected) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a": "b"}), json!(["c"]), json!(["c"])),
        (json!({"a": "foo"}), json!("bar"), json!("bar")),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ] {
        let (held, patch) = (json!({"data": document}), json!({"data": patch}));
        assert_eq!(patched(PatchKind::Merge, &held, &patch), Some(json!({"data": expected})), "{held} {patch}");
    }
}
