//! The order of a list's elements after a strategic merge.

use serde_json::Value;

/// The `merged` elements in order: those that `wanted` names come in its order, the others keep theirs of the `original` list, and each of
/// these stands before the first wanted element that it stood before (apimachinery `normalizeElementOrder`).
pub(super) fn arrange(merged: Vec<Value>, wanted: &[Value], original: &[Value], key: Option<&str>) -> Vec<Value> {
    let identity = |value: &Value| match key {
        Some(key) => value.get(key).cloned().unwrap_or_default(),
        None => value.clone(),
    };
    let identities = |values: &[Value]| values.iter().map(identity).collect::<Vec<_>>();
    let (wanted, original) = (identities(wanted), identities(original));
    let place = |order: &[Value], value: &Value| {
        let identity = identity(value);
        order.iter().position(|other| *other == identity)
    };
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|value| place(&wanted, value).is_some());
    named.sort_by_key(|value| place(&wanted, value));
    others.sort_by_key(|value| place(&original, value));

    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for value in named {
        let before = place(&original, &value);
        while let Some(other) =
            others.next_if(|other| place(&original, other).is_some_and(|at| before.is_some_and(|b| at < b)))
        {
            arranged.push(other);
        }
        arranged.push(value);
    }
    arranged.extend(others);
    arranged
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn arranged(merged: &str, wanted: &str, original: &str) -> String {
        let list = |letters: &str| letters.chars().map(|c| json!(c.to_string())).collect::<Vec<_>>();
        let arranged = arrange(list(merged), &list(wanted), &list(original), None);
        arranged.iter().map(|value| value.as_str().unwrap()).collect()
    }

    #[test]
    fn the_wanted_order_holds_and_the_rest_stays_in_place() {
        // Cases of apimachinery's strategicpatch/patch_test.go, TestMergeSortedSlice (left: server-only, right: wanted).
        assert_eq!(arranged("abc", "abc", "cba"), "abc");
        assert_eq!(arranged("abc", "bc", "abc"), "abc");
        assert_eq!(arranged("abc", "ac", "abc"), "abc");
        assert_eq!(arranged("abcd", "cb", "abcd"), "acbd");
        assert_eq!(arranged("abc", "c", "ab"), "cab");
    }

    #[test]
    fn maps_are_known_by_their_key() {
        let arranged = arrange(
            vec![json!({"name": "a", "x": 1}), json!({"name": "b"})],
            &[json!({"name": "b"}), json!({"name": "a"})],
            &[json!({"name": "a"})],
            Some("name"),
        );
        assert_eq!(arranged, [json!({"name": "b"}), json!({"name": "a", "x": 1})]);
    }
}
