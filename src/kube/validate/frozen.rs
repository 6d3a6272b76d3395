//! What of an object may not change once it is there.

use super::special::go_map;
use crate::kube::Cause;
use crate::kube::served::Served;
use serde_json::{Value, json};

/// What an update changes and may not.
pub(in crate::kube) fn changes(served: &Served, old: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let rows = FROZEN.iter().filter(|(group, plural, ..)| served.group == *group && served.plural == *plural);
    for (_, _, pointer, words) in rows {
        let (before, after) = (old.pointer(pointer), object.pointer(pointer));
        if before == after {
            continue;
        }
        let field = pointer.trim_start_matches('/').replace('/', ".");
        causes.push(match words {
            Words::Immutable if *pointer == "/spec/selector" => {
                let labels = go_map(after.map_or(&Value::Null, |selector| &selector["matchLabels"]));
                let shown = format!(
                    "v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}}"
                );
                Cause::invalid_go(field, &shown, "field is immutable")
            }
            Words::Immutable => Cause::invalid(field, after.unwrap_or(&Value::Null), "field is immutable"),
            Words::Forbidden(why) => Cause::forbidden(field, why),
        });
    }
    match (served.group.as_ref(), served.plural.as_ref()) {
        ("rbac.authorization.k8s.io", "clusterrolebindings" | "rolebindings")
            if old["roleRef"] != object["roleRef"] =>
        {
            let role = &object["roleRef"];
            let shown =
                format!("rbac.RoleRef{{APIGroup:{}, Kind:{}, Name:{}}}", role["apiGroup"], role["kind"], role["name"]);
            causes.push(Cause::invalid_go("roleRef", &shown, "cannot change roleRef"));
        }
        ("apps", "statefulsets") if fixed(old, STATEFUL_FREE) != fixed(object, STATEFUL_FREE) => {
            causes.push(Cause::forbidden("spec", STATEFUL));
        }
        ("", "pods") if pod(old) != pod(object) => causes.push(Cause::forbidden("spec", POD)),
        ("", "persistentvolumeclaims") if fixed(old, CLAIM_FREE) != fixed(object, CLAIM_FREE) => {
            causes.push(Cause::forbidden("spec", CLAIM));
        }
        _ => {}
    }
    causes
}

#[derive(Debug)]
enum Words {
    Immutable,
    Forbidden(&'static str),
}

/// A spec without the fields that may change.
fn fixed(object: &Value, free: &[&str]) -> Value {
    let mut spec = object["spec"].clone();
    if let Value::Object(fields) = &mut spec {
        fields.retain(|name, _| !free.contains(&name.as_str()));
    }
    spec
}

/// The spec of a pod without what may change.
fn pod(object: &Value) -> Value {
    let mut spec = fixed(
        object,
        &["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName", "ephemeralContainers"],
    );
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        containers.for_each(|container| container["image"] = json!(""));
    }
    spec
}

const FROZEN: &[(&str, &str, &str, Words)] = &[
    ("apps", "deployments", "/spec/selector", Words::Immutable),
    ("apps", "daemonsets", "/spec/selector", Words::Immutable),
    ("apps", "replicasets", "/spec/selector", Words::Immutable),
    ("batch", "jobs", "/spec/completions", Words::Immutable),
    ("batch", "jobs", "/spec/selector", Words::Immutable),
    ("batch", "jobs", "/spec/completionMode", Words::Immutable),
    ("discovery.k8s.io", "endpointslices", "/addressType", Words::Immutable),
    ("networking.k8s.io", "ingressclasses", "/spec/controller", Words::Immutable),
    ("node.k8s.io", "runtimeclasses", "/handler", Words::Immutable),
    ("", "secrets", "/type", Words::Immutable),
    ("scheduling.k8s.io", "priorityclasses", "/value", Words::Forbidden("may not be changed in an update.")),
    ("scheduling.k8s.io", "priorityclasses", "/preemptionPolicy", Words::Forbidden("may not be changed in an update.")),
    ("storage.k8s.io", "storageclasses", "/parameters", Words::Forbidden("updates to parameters are forbidden.")),
    ("storage.k8s.io", "storageclasses", "/provisioner", Words::Forbidden("updates to provisioner are forbidden.")),
    ("storage.k8s.io", "storageclasses", "/reclaimPolicy", Words::Forbidden("updates to reclaimPolicy are forbidden.")),
    ("storage.k8s.io", "storageclasses", "/volumeBindingMode", Words::Immutable),
    ("apiextensions.k8s.io", "customresourcedefinitions", "/spec/group", Words::Immutable),
    ("apiextensions.k8s.io", "customresourcedefinitions", "/spec/scope", Words::Immutable),
];
const STATEFUL_FREE: &[&str] = &[
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
    "revisionHistoryLimit",
];
const STATEFUL: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
     'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
const CLAIM_FREE: &[&str] = &["resources", "volumeName", "volumeAttributesClassName"];
const CLAIM: &str =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
const POD: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
     `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
