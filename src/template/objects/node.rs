//! Nodes.

use super::super::summary::{Node, NodeStatus};
use super::Variables;
use super::digest::{hex, uuid};
use super::metadata::{labels, metadata, resources};
use serde_json::{Map, Value, json};

/// The node at `position` among the template's nodes, which decides its addresses.
pub(super) fn node(entry: &Node, position: usize, variables: &Variables<'_>) -> Value {
    let name = entry.name.0.as_str();
    let architecture = entry.architecture.as_ref().map_or("amd64", |architecture| &architecture.0);
    let mut all_labels = labels(&entry.labels);
    for (key, value) in [
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", architecture),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", architecture),
    ] {
        all_labels.entry(key.into()).or_insert_with(|| value.into());
    }
    for role in &entry.roles {
        all_labels.entry(format!("node-role.kubernetes.io/{}", role.0)).or_insert_with(|| "true".into());
    }
    let mut metadata = metadata(name, "", &all_labels, &entry.annotations);
    if let Some(fields) = metadata.as_object_mut() {
        let annotations = fields.entry("annotations").or_insert_with(|| json!({}));
        annotations["node.alpha.kubernetes.io/ttl"] = json!("0");
        annotations["volumes.kubernetes.io/controller-managed-attach-detach"] = json!("true");
    }

    let pod_cidr = pod_cidr(position);
    let mut spec = json!({"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]});
    if let Some((key, effects)) = taint(entry.status) {
        let taints = effects.iter().map(|effect| json!({"key": key, "effect": effect, "timeAdded": variables.created}));
        spec["taints"] = taints.collect();
    }

    let capacity = with_defaults(resources(&entry.capacity), &default_capacity());
    let allocatable = with_defaults(resources(&entry.allocatable), &capacity);
    let internal = entry.internal_ip.as_ref().map(|ip| ip.list()).unwrap_or_default();
    let default_internal = internal_ip(position);
    let internal = if internal.is_empty() { vec![default_internal.as_str()] } else { internal };
    let external = entry.external_ip.as_ref().map(|ip| ip.list()).unwrap_or_default();
    let addresses: Vec<Value> = [("InternalIP", internal), ("Hostname", vec![name]), ("ExternalIP", external)]
        .into_iter()
        .flat_map(|(kind, addresses)| {
            addresses.into_iter().map(move |address| json!({"type": kind, "address": address}))
        })
        .collect();
    let version = entry.version.as_ref().map_or(variables.kubernetes_version, |version| &version.0);
    let text = |given: &Option<super::super::values::Text>, default: &str| {
        given.as_ref().map_or_else(|| default.to_string(), |text| text.0.clone())
    };
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": spec,
        "status": {
            "capacity": capacity,
            "allocatable": allocatable,
            "conditions": conditions(entry.status, variables.created),
            "addresses": addresses,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": hex(name).get(..32),
                "systemUUID": uuid(&format!("system {name}")),
                "bootID": uuid(&format!("boot {name}")),
                "kernelVersion": text(&entry.kernel_version, "6.8.0-51-generic"),
                "osImage": text(&entry.os_image, "Ubuntu 24.04.1 LTS"),
                "containerRuntimeVersion": text(&entry.container_runtime, "containerd://1.7.24"),
                "kubeletVersion": version,
                // Kept empty by kubelets since 1.33, but Rancher shows it.
                "kubeProxyVersion": version,
                "operatingSystem": "linux",
                "architecture": architecture,
            },
            "images": [{"names": ["pause:3.10"], "sizeBytes": 320_368}],
        },
    })
}

fn default_capacity() -> Map<String, Value> {
    let amounts = [("cpu", "4"), ("memory", "8Gi"), ("pods", "110"), ("ephemeral-storage", "50Gi")];
    amounts.into_iter().map(|(name, amount)| (name.to_string(), json!(amount))).collect()
}

fn with_defaults(mut given: Map<String, Value>, defaults: &Map<String, Value>) -> Map<String, Value> {
    for (name, amount) in defaults {
        given.entry(name.clone()).or_insert_with(|| amount.clone());
    }
    given
}

/// The conditions that a kubelet reports, and NetworkUnavailable that a network plugin does.
fn conditions(status: NodeStatus, created: &str) -> Vec<Value> {
    let condition = |kind: &str, ready: &str, reason: &str, message: &str| {
        let unknown = status == NodeStatus::Unknown && kind != "NetworkUnavailable";
        json!({
            "type": kind,
            "status": if unknown { "Unknown" } else { ready },
            "reason": if unknown { "NodeStatusUnknown" } else { reason },
            "message": if unknown { "Kubelet stopped posting node status." } else { message },
            "lastHeartbeatTime": created,
            "lastTransitionTime": created,
        })
    };
    let ready = match status {
        NodeStatus::Ready | NodeStatus::Unknown => {
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status")
        }
        NodeStatus::NotReady => condition("Ready", "False", "KubeletNotReady", "container runtime is down"),
    };
    vec![
        condition("NetworkUnavailable", "False", "RouteCreated", "RouteController created a route"),
        condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ready,
    ]
}

/// What the node lifecycle controller taints such a node with.
fn taint(status: NodeStatus) -> Option<(&'static str, [&'static str; 2])> {
    let effects = ["NoSchedule", "NoExecute"];
    match status {
        NodeStatus::Ready => None,
        NodeStatus::NotReady => Some(("node.kubernetes.io/not-ready", effects)),
        NodeStatus::Unknown => Some(("node.kubernetes.io/unreachable", effects)),
    }
}

/// One /24 a node: 10.42.0.0/16, and from the 257th node 10.44.0.0/16 and up, since 10.43.0.0/16 holds the services.
fn pod_cidr(position: usize) -> String {
    let block = position / 256;
    let second = if block == 0 { 42 } else { 43 + block % 200 };
    format!("10.{second}.{}.0/24", position % 256)
}

/// From 172.16.0.10 on, in the private range that no pod or service uses.
fn internal_ip(position: usize) -> String {
    format!("172.{}.{}.{}", 16 + position / 60_000 % 16, position / 240 % 250, 10 + position % 240)
}
