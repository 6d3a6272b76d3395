//! Pods.

use super::super::ports::Port;
use super::super::summary::{Pod, PodStatus};
use super::super::values::Resources;
use super::Variables;
use super::container::container;
use super::digest::hex;
use super::metadata::{labels, metadata};
use super::scheduler::{Placement, Scheduler};
use serde_json::{Value, json};

/// What pods of entries and of deployments have in common.
pub(super) struct PodParts<'a> {
    pub(super) metadata: Value,
    pub(super) name: &'a str,
    pub(super) image: &'a str,
    pub(super) ports: &'a [Port],
    pub(super) requests: &'a Resources,
    pub(super) limits: &'a Resources,
    pub(super) node: Option<&'a str>,
    pub(super) pod_ip: Option<&'a str>,
    pub(super) status: PodStatus,
    pub(super) restarts: u32,
    /// Containers that are ready, of how many.
    pub(super) containers: (usize, usize),
}

/// The pod of an entry.
pub(super) fn pod(entry: &Pod, scheduler: &mut Scheduler, variables: &Variables<'_>) -> Value {
    let ready = entry.ready.map_or((1, 1), |ready| (ready.ready, ready.total.max(1)));
    let addresses = entry.ip.as_ref().map(|ip| ip.list()).unwrap_or_default();
    let parts = PodParts {
        metadata: metadata(&entry.name.0, &entry.namespace.0, &labels(&entry.labels), &entry.annotations),
        name: &entry.name.0,
        image: entry.image.as_ref().map_or(DEFAULT_IMAGE, |image| &image.0),
        ports: &[],
        requests: &entry.requests,
        limits: &entry.limits,
        node: entry.node.as_ref().map(|node| node.0.as_str()),
        pod_ip: addresses.first().copied(),
        status: entry.status,
        restarts: entry.restarts,
        containers: ready,
    };
    build(parts, scheduler, variables)
}

/// A pod of its parts; it is placed unless it is pending without a node.
pub(super) fn build(parts: PodParts<'_>, scheduler: &mut Scheduler, variables: &Variables<'_>) -> Value {
    let placed = parts.status != PodStatus::Pending || parts.node.is_some();
    let placement = if placed { scheduler.place(parts.node, parts.pod_ip) } else { None };
    let containers: Vec<Value> = (0..parts.containers.1)
        .map(|position| {
            let ports = if position == 0 { parts.ports } else { &[] };
            container(&container_name(position), parts.image, parts.requests, parts.limits, ports)
        })
        .collect();
    let mut spec = json!({
        "containers": containers,
        "restartPolicy": if parts.status.is_finished() { "Never" } else { "Always" },
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": true,
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
        ],
    });
    if let Some(placement) = &placement {
        spec["nodeName"] = json!(placement.node);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "status": status(&parts, placement.as_ref(), variables),
        "metadata": parts.metadata,
        "spec": spec,
    })
}

fn status(parts: &PodParts<'_>, placement: Option<&Placement>, variables: &Variables<'_>) -> Value {
    let created = variables.created;
    let condition = |kind: &str, holds: bool, reason: Option<&str>| {
        let mut condition = json!({
            "type": kind,
            "status": if holds { "True" } else { "False" },
            "lastProbeTime": null,
            "lastTransitionTime": created,
        });
        if let Some(reason) = reason.filter(|_| !holds || kind == "Initialized") {
            condition["reason"] = json!(reason);
        }
        condition
    };
    let qos = qos_class(parts.requests, parts.limits);
    let Some(placement) = placement else {
        let mut unscheduled = condition("PodScheduled", false, Some("Unschedulable"));
        unscheduled["message"] = json!("0 nodes are available");
        return json!({"phase": "Pending", "conditions": [unscheduled], "qosClass": qos});
    };
    let phase = match parts.status {
        PodStatus::Running | PodStatus::CrashLoopBackOff => "Running",
        PodStatus::Pending | PodStatus::ContainerCreating | PodStatus::ImagePullBackOff => "Pending",
        PodStatus::Succeeded => "Succeeded",
        PodStatus::Failed => "Failed",
    };
    let ready = parts.status == PodStatus::Running && parts.containers.0 == parts.containers.1;
    let finished = parts.status.is_finished();
    let unready = match parts.status {
        PodStatus::Succeeded => "PodCompleted",
        PodStatus::Failed => "PodFailed",
        _ => "ContainersNotReady",
    };
    let has_network = !matches!(parts.status, PodStatus::Pending | PodStatus::ContainerCreating);
    let mut status = json!({
        "phase": phase,
        "conditions": [
            condition("PodReadyToStartContainers", has_network && !finished, None),
            condition("Initialized", true, finished.then_some("PodCompleted")),
            condition("Ready", ready, Some(unready)),
            condition("ContainersReady", ready, Some(unready)),
            condition("PodScheduled", true, None),
        ],
        "containerStatuses": (0..parts.containers.1).map(|n| container_status(parts, n, created)).collect::<Vec<_>>(),
        "hostIP": placement.host_ip,
        "hostIPs": [{"ip": placement.host_ip}],
        "startTime": created,
        "qosClass": qos,
    });
    if has_network {
        status["podIP"] = json!(placement.pod_ip);
        status["podIPs"] = json!([{"ip": placement.pod_ip}]);
    }
    status
}

fn container_status(parts: &PodParts<'_>, position: usize, created: &str) -> Value {
    let ready = parts.status == PodStatus::Running && position < parts.containers.0;
    let name = container_name(position);
    let id = format!("containerd://{}", hex(&format!("{} {name}", parts.name)));
    let ended = |code: u32, reason: &str| {
        json!({"terminated": {
            "exitCode": code, "reason": reason, "startedAt": created, "finishedAt": created, "containerID": id,
        }})
    };
    let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
    let state = match parts.status {
        PodStatus::Running => json!({"running": {"startedAt": created}}),
        PodStatus::Pending | PodStatus::ContainerCreating => waiting("ContainerCreating"),
        PodStatus::ImagePullBackOff => waiting("ImagePullBackOff"),
        PodStatus::CrashLoopBackOff => waiting("CrashLoopBackOff"),
        PodStatus::Succeeded => ended(0, "Completed"),
        PodStatus::Failed => ended(1, "Error"),
    };
    let crashed = parts.status == PodStatus::CrashLoopBackOff || parts.restarts > 0;
    let pulled =
        !matches!(parts.status, PodStatus::Pending | PodStatus::ContainerCreating | PodStatus::ImagePullBackOff);
    json!({
        "name": name,
        "image": parts.image,
        "imageID": if pulled { format!("{}@sha256:{}", repository(parts.image), hex(parts.image)) } else { String::new() },
        "containerID": if pulled { id.clone() } else { String::new() },
        "ready": ready,
        "started": parts.status == PodStatus::Running,
        "restartCount": parts.restarts,
        "state": state,
        "lastState": if crashed && pulled { ended(1, "Error") } else { json!({}) },
    })
}

fn container_name(position: usize) -> String {
    if position == 0 { MAIN_CONTAINER.into() } else { format!("sidecar-{position}") }
}

/// An image name without tag or digest.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    }
}

/// The class a kubelet derives from requests and limits (Kubernetes docs, "Pod Quality of Service Classes").
fn qos_class(requests: &Resources, limits: &Resources) -> &'static str {
    let amount = |list: &Resources, name: &str| {
        list.iter().find(|(resource, _)| resource.0 == name).map(|(_, quantity)| quantity.0.clone())
    };
    let guaranteed = ["cpu", "memory"].into_iter().all(|name| {
        let limit = amount(limits, name);
        limit.is_some() && (amount(requests, name).is_none() || amount(requests, name) == limit)
    });
    match (requests.is_empty() && limits.is_empty(), guaranteed) {
        (true, _) => "BestEffort",
        (_, true) => "Guaranteed",
        (_, false) => "Burstable",
    }
}

/// The first container's name.
pub(super) const MAIN_CONTAINER: &str = "main";

/// What runs in a pod that names no image.
pub(super) const DEFAULT_IMAGE: &str = "pause:3.10";
