//! What a quota counts under its keys (the evaluators of `pkg/quota/v1/evaluator/core`).

use crate::kube::admission::pod_resources::of_pod;
use crate::kube::quantity::Quantity;
use crate::kube::request::served::Served;
use crate::kube::tree::text;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Group and plural of the kind whose objects are counted under `key`.
pub(super) fn kind_of(key: &str) -> (&str, &str) {
    if let Some(name) = key.strip_prefix("count/") {
        let (plural, group) = name.split_once('.').unwrap_or((name, ""));
        return (group, plural);
    }
    match in_class(key).map_or(key, |(_, key)| key) {
        "services.nodeports" | "services.loadbalancers" => ("", "services"),
        "requests.storage" => ("", "persistentvolumeclaims"),
        key if of_containers(key).is_some() => ("", "pods"),
        plural => ("", plural),
    }
}

/// How much of `key` an object of its kind uses.
pub(super) fn use_of(object: &Value, key: &str) -> Quantity {
    let number = |number: usize| Quantity::of(&json!(number)).unwrap_or_default();
    let spec = &object["spec"];
    if key.starts_with("count/") {
        return number(1);
    }
    if let Some((class, key)) = in_class(key) {
        return if spec["storageClassName"] == class { use_of(object, key) } else { Quantity::default() };
    }
    if let Some((field, resource)) = of_containers(key) {
        return if is_over(object) {
            Quantity::default()
        } else {
            of_pod(spec, field).remove(resource).unwrap_or_default()
        };
    }
    let ports = || spec["ports"].as_array().map_or(&[][..], Vec::as_slice);
    match key {
        "requests.storage" => Quantity::of(&spec["resources"]["requests"]["storage"]).unwrap_or_default(),
        "services.loadbalancers" => number(usize::from(spec["type"] == "LoadBalancer")),
        "services.nodeports" => number(match text(&spec["type"]) {
            "LoadBalancer" if spec["allocateLoadBalancerNodePorts"] == false => {
                ports().iter().filter(|port| port["nodePort"].as_u64().is_some_and(|port| port > 0)).count()
            }
            // They are counted before they are given.
            "LoadBalancer" | "NodePort" => ports().len(),
            _ => 0,
        }),
        "pods" => number(usize::from(!is_over(object))),
        _ => number(1),
    }
}

/// The containers of a pod that do not say what one of the keys counts.
pub(super) fn unsaid<'a>(served: &Served, pod: &Value, keys: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut silent: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let keys = keys.filter(|key| served.is("", "pods") && MUST_SAY.contains(key));
    for (key, (field, resource)) in keys.filter_map(|key| Some((key, of_containers(key)?))) {
        let containers = ["containers", "initContainers"].into_iter().flat_map(|list| pod["spec"][list].as_array());
        for container in containers.flatten().filter(|container| container["resources"][field][resource].is_null()) {
            silent.entry(key).or_default().insert(text(&container["name"]));
        }
    }
    let list = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(",");
    silent.into_iter().map(|(key, names)| format!("{key} for: {}", list(names))).collect()
}

/// The field and the resource of containers that are summed under `key`.
fn of_containers(key: &str) -> Option<(&'static str, &str)> {
    if let Some(resource) = key.strip_prefix("limits.") {
        return Some(("limits", resource));
    }
    match key.strip_prefix("requests.") {
        Some("storage") => None,
        Some(resource) => Some(("requests", resource)),
        None if ["cpu", "memory", "ephemeral-storage"].contains(&key) || key.starts_with("hugepages-") => {
            Some(("requests", key))
        }
        None => None,
    }
}

/// The storage class in `key`, and what is counted of its claims.
fn in_class(key: &str) -> Option<(&str, &str)> {
    key.split_once(".storageclass.storage.k8s.io/")
}

/// Whether a pod has ended.
fn is_over(pod: &Value) -> bool {
    ["Succeeded", "Failed"].contains(&text(&pod["status"]["phase"]))
}

/// What every container has to say as soon as it is counted.
const MUST_SAY: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Cluster;

    #[test]
    fn keys_belong_to_kinds() {
        for (key, kind) in [
            ("pods", ("", "pods")),
            ("requests.cpu", ("", "pods")),
            ("requests.example.com/gpu", ("", "pods")),
            ("hugepages-2Mi", ("", "pods")),
            ("secrets", ("", "secrets")),
            ("requests.storage", ("", "persistentvolumeclaims")),
            ("fast.storageclass.storage.k8s.io/requests.storage", ("", "persistentvolumeclaims")),
            ("fast.storageclass.storage.k8s.io/persistentvolumeclaims", ("", "persistentvolumeclaims")),
            ("services.nodeports", ("", "services")),
            ("count/pods", ("", "pods")),
            ("count/deployments.apps", ("apps", "deployments")),
            ("count/things.example.com", ("example.com", "things")),
        ] {
            assert_eq!(kind_of(key), kind, "{key}");
        }
    }

    #[test]
    fn an_init_container_may_need_the_most() {
        let container = |name: &str, cpu: &str| json!({"name": name, "resources": {"requests": {"cpu": cpu}}});
        let pod = json!({"spec": {"containers": [container("a", "1")], "initContainers": [container("i", "2")]}});
        assert_eq!(use_of(&pod, "requests.cpu").to_string_of("cpu"), "2");
        let pods = Cluster::built_in("", "pods").unwrap();
        assert_eq!(unsaid(&pods, &pod, ["requests.cpu", "pods"].into_iter()), [""; 0]);
        assert_eq!(
            unsaid(&pods, &pod, ["limits.memory", "limits.cpu", "requests.example.com/gpu"].into_iter()),
            ["limits.cpu for: a,i", "limits.memory for: a,i"]
        );
    }

    #[test]
    fn the_claims_of_a_class_are_counted_apart() {
        let claim = json!({"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "2Gi"}}}});
        let used = |key: &str| use_of(&claim, key).to_string_of("storage");
        assert_eq!(used("requests.storage"), "2Gi");
        assert_eq!(used("fast.storageclass.storage.k8s.io/requests.storage"), "2Gi");
        assert_eq!(used("fast.storageclass.storage.k8s.io/persistentvolumeclaims"), "1");
        assert_eq!(used("slow.storageclass.storage.k8s.io/requests.storage"), "0");
    }

    #[test]
    fn ports_of_nodes_are_counted_as_asked_for() {
        let service = |kind: &str, gives: bool| {
            json!({"spec": {
                "type": kind, "allocateLoadBalancerNodePorts": gives, "ports": [{"port": 80, "nodePort": 30080}, {"port": 81}]
            }})
        };
        let used = |service: &Value| use_of(service, "services.nodeports").to_string_of("services");
        assert_eq!(used(&service("ClusterIP", true)), "0");
        assert_eq!(used(&service("NodePort", true)), "2");
        assert_eq!(used(&service("LoadBalancer", true)), "2");
        assert_eq!(used(&service("LoadBalancer", false)), "1");
    }
}
