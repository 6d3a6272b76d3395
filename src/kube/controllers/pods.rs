//! Pods as controllers see them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// Whether a pod has neither ended nor is on its way out.
pub(super) fn is_active(pod: &Value) -> bool {
    !has_ended(pod) && pod["metadata"]["deletionTimestamp"].is_null()
}

/// Whether a pod ran to its end.
pub(super) fn has_ended(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
}

/// Whether a pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True")
}

/// Whether a pod has been ready for so many seconds; if it will be, the time at which.
pub(super) fn is_available(pod: &Value, min_ready_s: i64, now: Timestamp) -> Result<bool, Timestamp> {
    let Some(ready) = condition(pod, "Ready").filter(|ready| ready["status"] == "True") else { return Ok(false) };
    let since = moment(&ready["lastTransitionTime"]).unwrap_or(Timestamp::UNIX_EPOCH);
    let at = after(since, min_ready_s);
    if min_ready_s <= 0 || at <= now { Ok(true) } else { Err(at) }
}

/// A condition of an object.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Puts a condition into a list of them; its transition is `now`, if it is one.
pub(super) fn set_condition(conditions: &mut Value, mut condition: Value, now: &str) {
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(list) = conditions.as_array_mut() else { return };
    let known = list.iter_mut().find(|known| known["type"] == condition["type"]);
    let same = known.as_ref().filter(|known| known["status"] == condition["status"]);
    condition["lastTransitionTime"] = same.map_or_else(|| json!(now), |known| known["lastTransitionTime"].clone());
    match known {
        Some(known) => *known = condition,
        None => list.push(condition),
    }
}

/// Takes the condition of a kind out of a status.
pub(super) fn remove_condition(status: &mut Value, kind: &str) {
    let Some(fields) = status.as_object_mut() else { return };
    let Some(conditions) = fields.get_mut("conditions").and_then(Value::as_array_mut) else { return };
    conditions.retain(|condition| condition["type"] != kind);
    if conditions.is_empty() {
        fields.remove("conditions");
    }
}

/// A pod after a template, without a name.
pub(super) fn of_template(template: &Value, namespace: &Value, owner: Value) -> Value {
    let mut metadata = Map::new();
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template["metadata"].get(field) {
            metadata.insert(field.into(), value.clone());
        }
    }
    metadata.insert("namespace".into(), namespace.clone());
    metadata.insert("ownerReferences".into(), owner);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

/// The worst first: what a controller deletes when there are too many (`controller.ActivePodsWithRanks`).
pub(super) fn rank(pod: &Value) -> (bool, u8, bool, std::cmp::Reverse<String>) {
    let phase = match pod["status"]["phase"].as_str() {
        Some("Pending") => 0,
        Some("Running") => 2,
        _ => 1,
    };
    let is_placed = pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    let created = pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
    (is_placed, phase, is_ready(pod), std::cmp::Reverse(created))
}

/// A number of an object, which fits 32 bits there; 0 where there is none.
pub(super) fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default().clamp(i32::MIN.into(), i32::MAX.into())
}

/// A `metav1.Time`.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// So many seconds later.
pub(super) fn after(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// A number or a percentage of `total` (apimachinery `intstr`).
pub(super) fn scaled(value: &Value, total: i64, round_up: bool) -> i64 {
    match value {
        Value::String(text) => {
            let percent = text.trim_end_matches('%').parse().unwrap_or(0).clamp(0, 1_000);
            let product = total * percent;
            if round_up { product.saturating_add(99).div_euclid(100) } else { product.div_euclid(100) }
        }
        other => number(other),
    }
}

/// Sets counts of a status; those that are zero are left out, as an API server does.
pub(super) fn set_counts(status: &mut Value, counts: &[(&str, i64)]) {
    let Some(fields) = status.as_object_mut() else { return };
    for (field, count) in counts {
        if *count == 0 {
            fields.remove(*field);
        } else {
            fields.insert((*field).into(), json!(count));
        }
    }
}

/// A short hash of a template, of letters that spell no words (`controller.ComputeHash`).
pub(super) fn hash_of(template: &Value) -> String {
    // FNV-1a of 32 bits.
    let hash = template
        .to_string()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.to_string().bytes().map(|digit| char::from(HASH_ALPHABET[usize::from(digit) % HASH_ALPHABET.len()])).collect()
}

/// `k8s.io/apimachinery/pkg/util/rand`.
const HASH_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_rounded_as_asked() {
        for (value, total, up, down) in
            [(json!("25%"), 3, 1, 0), (json!("25%"), 4, 1, 1), (json!(2), 1, 2, 2), (json!(null), 5, 0, 0)]
        {
            assert_eq!((scaled(&value, total, true), scaled(&value, total, false)), (up, down), "{value} of {total}");
        }
    }

    #[test]
    fn a_transition_is_a_change_of_status() {
        let mut conditions = Value::Null;
        let condition = |status: &str, reason: &str| json!({"type": "Available", "status": status, "reason": reason});
        set_condition(&mut conditions, condition("False", "a"), "t1");
        set_condition(&mut conditions, condition("False", "b"), "t2");
        assert_eq!(
            conditions,
            json!([{"type": "Available", "status": "False", "reason": "b", "lastTransitionTime": "t1"}])
        );
        set_condition(&mut conditions, condition("True", "c"), "t3");
        assert_eq!(conditions[0]["lastTransitionTime"], "t3");
    }

    #[test]
    fn hashes_are_names() {
        let hash = hash_of(&json!({"a": 1}));
        assert!(hash.len() <= 10 && crate::kube::names::check_label(&hash).is_empty(), "{hash}");
        assert_ne!(hash, hash_of(&json!({"a": 2})));
    }
}
