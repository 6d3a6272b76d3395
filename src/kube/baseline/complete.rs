//! What a control plane and its kubelets add to the objects they are given, and what cannot be.

use super::draft::{Draft, title};
use super::{BaselineError, Source};
use crate::kube::controllers::pod_requests::Totals;
use crate::kube::controllers::{endpoints, namespace};
use crate::kube::object::{HEARTBEAT, RENEWAL};
use crate::kube::store::namespace_of;
use crate::kube::tree;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Completes namespaces and nodes, and checks what objects need of each other.
pub(super) fn complete(draft: &mut Draft, source: &Source<'_>) -> Result<(), BaselineError> {
    let namespaces: BTreeSet<String> = draft.of("", "namespaces").map(|(path, _)| path.to_owned()).collect();
    for name in &namespaces {
        for object in namespace::first_objects(name, source.ca_pem) {
            draft.add_unless_given(object);
        }
    }
    for (_, object) in draft.of_mut("", "namespaces") {
        namespace::complete(object);
        protect_from_rancher(object);
    }
    check_namespaces(draft, &namespaces)?;
    check_nodes_of_pods(draft)?;
    complete_nodes(draft, source);
    add_endpoints(draft);
    Ok(())
}

/// The endpoints of the services that select pods.
fn add_endpoints(draft: &mut Draft) {
    let mut made = Vec::new();
    for (path, service) in draft.of("", "services") {
        let Some(selector) = endpoints::selector(service) else { continue };
        let inside =
            draft.of("", "pods").filter(|(pod, _)| namespace_of(pod) == namespace_of(path)).map(|(_, pod)| pod);
        let picked =
            inside.filter(|pod| selector.matches(pod["metadata"]["labels"].as_object()) && endpoints::is_behind(pod));
        let pods: Vec<&Value> = picked.collect();
        let mut slice = endpoints::slice(service, &pods, false);
        let prefix = slice["metadata"]["generateName"].as_str().unwrap_or_default().to_owned();
        tree::set(&mut slice, &["metadata", "name"], format!("{prefix}{SLICE_SUFFIX}"));
        made.extend([endpoints::endpoints(service, &pods, false), slice]);
    }
    made.into_iter().for_each(|object| draft.add_unless_given(object));
}

/// Rancher dereferences the annotations of namespaces that it takes for Fleet's without asking whether there are any.
fn protect_from_rancher(namespace: &mut Value) {
    let metadata = &namespace["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let is_fleets = ["fleet-", "cattle-fleet-"].iter().any(|prefix| name.starts_with(prefix))
        || metadata["labels"]["fleet.cattle.io/managed"] == "true";
    if is_fleets && metadata["annotations"].as_object().is_none_or(|annotations| annotations.is_empty()) {
        tree::set(namespace, &["metadata", "annotations", "kubernetes.io/description"], "Used by Fleet.");
    }
}

fn check_namespaces(draft: &Draft, namespaces: &BTreeSet<String>) -> Result<(), BaselineError> {
    for object in draft.objects.values() {
        let namespace = object["metadata"]["namespace"].as_str();
        if let Some(missing) = namespace.filter(|namespace| !namespaces.contains(*namespace)) {
            let problem = format!("metadata.namespace: there is no namespace {missing}; add one to the template");
            return Err(BaselineError::new(title(object, 0), problem));
        }
    }
    Ok(())
}

fn check_nodes_of_pods(draft: &Draft) -> Result<(), BaselineError> {
    let nodes: BTreeSet<&str> = draft.of("", "nodes").map(|(path, _)| path).collect();
    for (_, pod) in draft.of("", "pods") {
        let node = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty());
        if let Some(missing) = node.filter(|node| !nodes.contains(node)) {
            let known = nodes.iter().copied().collect::<Vec<_>>().join(", ");
            let problem = format!("spec.nodeName: there is no node {missing}; expected one of {known}");
            return Err(BaselineError::new(title(pod, 0), problem));
        }
    }
    Ok(())
}

fn complete_nodes(draft: &mut Draft, source: &Source<'_>) {
    let mut totals: BTreeMap<String, Totals> = BTreeMap::new();
    for (_, pod) in draft.of("", "pods") {
        if let Some(node) = pod["spec"]["nodeName"].as_str() {
            totals.entry(node.to_owned()).or_default().add(pod);
        }
    }
    let mut alive = Vec::new();
    for (name, node) in draft.of_mut("", "nodes") {
        for field in ["kubeletVersion", "kubeProxyVersion"] {
            if node["status"]["nodeInfo"][field].as_str().is_none_or(str::is_empty) {
                tree::set(node, &["status", "nodeInfo", field], source.kubernetes_version);
            }
        }
        for (annotation, value) in totals.remove(name).unwrap_or_default().annotations() {
            tree::set(node, &["metadata", "annotations", annotation], value);
        }
        // The network plugin sets its condition once, kubelets theirs with every heartbeat.
        let conditions = node.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
        let conditions = conditions.into_iter().flatten().filter(|condition| condition["type"] != "NetworkUnavailable");
        for condition in conditions.filter(|condition| condition["status"] != "Unknown") {
            tree::set(condition, &["lastHeartbeatTime"], HEARTBEAT);
        }
        if is_alive(node) {
            alive.push(name.to_owned());
        }
    }
    let names: Vec<String> = draft.of("", "nodes").map(|(name, _)| name.to_owned()).collect();
    for name in names {
        draft.add_unless_given(lease(&name, alive.contains(&name)));
    }
}

/// A kubelet that reports anything of itself is alive, whether its node is ready or not.
fn is_alive(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] != "Unknown")
}

/// The lease that a kubelet renews; one that is silent never did.
fn lease(node: &str, is_alive: bool) -> Value {
    let mut lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "name": node, "namespace": "kube-node-lease",
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": node}]
        },
        "spec": {"holderIdentity": node, "leaseDurationSeconds": 40}
    });
    if is_alive {
        tree::set(&mut lease, &["spec", "renewTime"], RENEWAL);
    }
    lease
}

/// Five letters as a control plane would have drawn them, the same in every cluster.
const SLICE_SUFFIX: &str = "x7k2p";
