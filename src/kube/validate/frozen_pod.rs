//! What of a pod may not change once it is there (core `ValidatePodUpdate`).

use super::frozen::bare;
use crate::kube::Cause;
use crate::kube::tree::items;
use serde_json::{Value, json};

/// What the update of a pod's spec changes and may not.
pub(super) fn changes(old: &Value, spec: &Value, causes: &mut Vec<Cause>) {
    let deadline = &spec["activeDeadlineSeconds"];
    match (old["activeDeadlineSeconds"].as_i64(), deadline.as_i64()) {
        (Some(_), None) => {
            let problem = "must not update from a positive integer to nil value";
            causes.push(Cause::invalid("spec.activeDeadlineSeconds", deadline, problem));
        }
        (Some(before), Some(after)) if before < after => {
            let problem = "must be less than or equal to previous value";
            causes.push(Cause::invalid("spec.activeDeadlineSeconds", deadline, problem));
        }
        _ => {}
    }
    if !tolerates_all(&spec["tolerations"], &old["tolerations"]) {
        let problem = "existing toleration can not be modified except its tolerationSeconds";
        causes.push(Cause::forbidden("spec.tolerations", problem));
    }
    let is_known = |gate: &Value| items(&old["schedulingGates"]).any(|own| own["name"] == gate["name"]);
    for (index, gate) in items(&spec["schedulingGates"]).enumerate().filter(|(_, gate)| !is_known(gate)) {
        let name = gate["name"].as_str().unwrap_or_default();
        let problem = format!("only deletion is allowed, but found new scheduling gate '{name}'");
        causes.push(Cause::forbidden(format!("spec.schedulingGates[{index}].name"), &problem));
    }
    let is_held = items(&old["schedulingGates"]).next().is_some();
    if rest(old, is_held) != rest(spec, is_held) {
        causes.push(Cause::forbidden("spec", OTHERS));
    }
}

/// Whether each of the `old` tolerations is still there, be it for another time.
fn tolerates_all(tolerations: &Value, old: &Value) -> bool {
    let timeless = |toleration: &Value| {
        let mut toleration = toleration.clone();
        _ = toleration.as_object_mut().and_then(|fields| fields.remove("tolerationSeconds"));
        bare(&toleration)
    };
    items(old).all(|own| items(tolerations).any(|toleration| timeless(toleration) == timeless(own)))
}

/// A spec without what may change; a pod that gates hold can still be sent elsewhere. Nodes are given by bindings alone.
fn rest(spec: &Value, is_held: bool) -> Value {
    let mut spec = bare(spec);
    if let Value::Object(fields) = &mut spec {
        let is_free = |name: &str| FREE.contains(&name) || (is_held && ["nodeSelector", "affinity"].contains(&name));
        fields.retain(|name, _| !is_free(name));
    }
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        containers.for_each(|container| container["image"] = json!(""));
    }
    spec
}

const FREE: [&str; 4] = ["activeDeadlineSeconds", "ephemeralContainers", "schedulingGates", "tolerations"];
/// The diff that a server puts after the words is left out.
const OTHERS: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
     `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: Value, spec: Value) -> Vec<String> {
        let mut causes = Vec::new();
        changes(&old, &spec, &mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn a_pod_stays_on_its_node() {
        let moved = told(json!({"nodeName": "a"}), json!({"nodeName": "b"}));
        assert!(moved.len() == 1 && moved[0].starts_with("spec: Forbidden: pod updates may not change"), "{moved:?}");
        assert_eq!(told(json!({}), json!({"nodeName": "a"})).len(), 1);
        assert_eq!(told(json!({"nodeName": "a"}), json!({"nodeName": "a", "nodeSelector": {}})), [""; 0]);
    }

    #[test]
    fn a_deadline_comes_nearer_only() {
        let within = |seconds: i64| json!({"activeDeadlineSeconds": seconds});
        assert_eq!(told(json!({}), within(9)), [""; 0]);
        assert_eq!(told(within(9), within(8)), [""; 0]);
        assert_eq!(
            told(within(9), within(10)),
            ["spec.activeDeadlineSeconds: Invalid value: 10: must be less than or equal to previous value"]
        );
        assert_eq!(
            told(within(9), json!({})),
            ["spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"]
        );
    }

    #[test]
    fn tolerations_are_added_and_gates_are_lifted() {
        let old = json!({"key": "a", "operator": "Exists", "tolerationSeconds": 300});
        let longer = json!({"key": "a", "operator": "Exists", "tolerationSeconds": 900});
        let other = json!({"key": "b", "operator": "Exists"});
        let tolerating = |list: &[&Value]| json!({"tolerations": list});
        assert_eq!(told(tolerating(&[&old]), tolerating(&[&other, &longer])), [""; 0]);
        let refused =
            ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"];
        assert_eq!(told(tolerating(&[&old]), tolerating(&[&other])), refused);
        assert_eq!(told(tolerating(&[&old]), json!({})), refused);

        let gated = |names: &[&str]| {
            let gates: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
            json!({"schedulingGates": gates})
        };
        assert_eq!(told(gated(&["a", "b"]), gated(&["b"])), [""; 0]);
        assert_eq!(
            told(gated(&["a"]), gated(&["a", "b"])),
            ["spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'b'"]
        );
        // As long as it is held, the pod may be sent elsewhere.
        let mut sent = gated(&["a"]);
        sent["nodeSelector"] = json!({"zone": "z"});
        assert_eq!(told(gated(&["a"]), sent), [""; 0]);
        assert_eq!(told(json!({}), json!({"nodeSelector": {"zone": "z"}})).len(), 1);
    }
}
