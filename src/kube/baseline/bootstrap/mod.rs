//! What a Kubernetes control plane creates by itself, before anybody uses it.

mod network;
mod rbac;

use super::Source;
use crate::kube::catalog;
use crate::kube::object::CREATED;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// All of it; a template's own objects take precedence.
pub(super) fn objects(source: &Source<'_>) -> Vec<Value> {
    let mut objects: Vec<Value> = NAMESPACES.into_iter().map(namespace).collect();
    objects.extend(network::objects(source));
    objects.extend(rbac::objects());
    objects.extend(api_services());
    objects.extend(PRIORITY_CLASSES.map(|(name, value, description)| {
        json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
            "value": value, "description": description, "preemptionPolicy": "PreemptLowerPriority"
        })
    }));
    objects.push(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": {"client-ca-file": source.ca_pem}
    }));
    objects
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// One APIService for each built-in group version (kube-apiserver `controlplane/apiserver/aggregator.go`).
fn api_services() -> Vec<Value> {
    let mut known = BTreeSet::new();
    let resources = catalog::builtin().iter().filter(|resource| known.insert((&resource.group, &resource.version)));
    resources.map(|resource| api_service(&resource.group, &resource.version, true)).collect()
}

/// The APIService of a group version that the API server serves itself.
pub(in crate::kube) fn api_service(group: &str, version: &str, is_built_in: bool) -> Value {
    let (managed, minimum, priority) = match (is_built_in, group) {
        (false, _) => ("true", 1_000, 100),
        (true, "") => ("onstart", 18_000, 1),
        (true, group) => {
            let row = PRIORITIES.iter().find(|(own, ..)| *own == group);
            let minimum = row.map_or(15_000, |(_, minimum)| *minimum);
            let priority = match (group, version) {
                ("autoscaling", "v2") => 30,
                ("flowcontrol.apiserver.k8s.io", "v1") => 21,
                ("flowcontrol.apiserver.k8s.io", _) => 18,
                _ => 15,
            };
            ("onstart", minimum, priority)
        }
    };
    let mut spec = json!({"version": version, "groupPriorityMinimum": minimum, "versionPriority": priority});
    if !group.is_empty() {
        spec["group"] = json!(group);
    }
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {
            "name": format!("{version}.{group}"),
            "labels": {"kube-aggregator.kubernetes.io/automanaged": managed}
        },
        "spec": spec,
        "status": {"conditions": [{
            "type": "Available", "status": "True", "lastTransitionTime": CREATED,
            "reason": "Local", "message": "Local APIServices are always available"
        }]}
    })
}

/// The first four are Kubernetes'; the last one is where Rancher's agent lives.
const NAMESPACES: [&str; 5] = ["default", "kube-system", "kube-public", "kube-node-lease", "cattle-system"];

/// `groupPriorityMinimum` of the built-in groups (kube-apiserver `apiVersionPriorities`).
const PRIORITIES: [(&str, i32); 18] = [
    ("apps", 17_800),
    ("events.k8s.io", 17_750),
    ("authentication.k8s.io", 17_700),
    ("authorization.k8s.io", 17_600),
    ("autoscaling", 17_500),
    ("batch", 17_400),
    ("certificates.k8s.io", 17_300),
    ("networking.k8s.io", 17_200),
    ("policy", 17_100),
    ("rbac.authorization.k8s.io", 17_000),
    ("storage.k8s.io", 16_800),
    ("apiextensions.k8s.io", 16_700),
    ("admissionregistration.k8s.io", 16_700),
    ("scheduling.k8s.io", 16_600),
    ("coordination.k8s.io", 16_500),
    ("node.k8s.io", 16_300),
    ("discovery.k8s.io", 16_200),
    ("flowcontrol.apiserver.k8s.io", 16_100),
];

const PRIORITY_CLASSES: [(&str, i64, &str); 2] = [
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
];
