//! What kubelets do with the pods on their nodes: they come up after a while, and those that end do so a while later.

use super::agenda::Work;
use super::pods::{condition, moment, set_condition};
use crate::kube::object::time;
use crate::kube::store::Version;
use crate::kube::tree::text;
use crate::kube::{Cluster, tree};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

impl Cluster {
    /// How long pods take to become ready: each between a half and one and a half of this.
    pub fn set_pod_startup(&mut self, startup: Duration) {
        self.pod_startup = startup;
    }

    /// Lets a pod on a node come up, or end, when its time has come.
    pub(super) fn keep_pod(&mut self, path: &str, now: Timestamp) {
        let Some((pods, version, pod)) = self.living("", "pods", path) else { return };
        let moments = self.moments(&version);
        let (at, is_end) = match text(&pod["status"]["phase"]) {
            "Pending" if !pod["status"]["startTime"].is_null() => {
                let placed = condition(&pod, "PodScheduled").and_then(|placed| moment(&placed["lastTransitionTime"]));
                (placed.map(|at| later(at, moments.0)), false)
            }
            "Running" if ends(&pod) => {
                let ready = condition(&pod, "Ready").and_then(|ready| moment(&ready["lastTransitionTime"]));
                (ready.map(|at| later(at, moments.1)), true)
            }
            _ => return,
        };
        let Some(at) = at else { return };
        if at > now {
            return self.agenda.add_at(at, Work::Pod(path.into()));
        }
        let stamp = time(now.as_second());
        let changed = self.rewrite(&pods, path, |pod| if is_end { end(pod, &stamp) } else { run(pod, &stamp) });
        if changed && !is_end {
            for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
                let message = format!("Started container {}", text(&container["name"]));
                self.tell(&pod, "Normal", "Started", &message, "kubelet", now);
            }
        }
    }

    /// How long a pod takes to come up, and then to end: its own, whenever it is asked.
    fn moments(&self, version: &Version) -> (SignedDuration, SignedDuration) {
        let spread = self.store.stamp(version).uid.spread();
        let startup_ms = u64::try_from(self.pod_startup.as_millis()).unwrap_or(u64::MAX).min(LONGEST_MS);
        let within = |bits: u64| SignedDuration::from_millis((startup_ms / 2 + bits % (startup_ms + 1)) as i64);
        (within(spread & 0xffff_ffff), within(spread >> 32))
    }
}

/// Whether a pod is one that ends by itself.
fn ends(pod: &Value) -> bool {
    ["Never", "OnFailure"].contains(&text(&pod["spec"]["restartPolicy"]))
}

/// A pod's status once its kubelet has seen it: the images are being pulled.
pub(super) fn begin(pod: &mut Value, node: &Value, address: &str, now: &str) {
    let host = internal_address(node).unwrap_or_default().to_owned();
    let names = container_names(pod);
    let message = format!("containers with unready status: [{}]", names.join(" "));
    let statuses = containers(pod, "containers", |container| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": "", "ready": false, "started": false,
            "restartCount": 0, "lastState": {}, "state": {"waiting": {"reason": "ContainerCreating"}}
        })
    });
    let conditions = tree::at(pod, &["status", "conditions"]);
    for (kind, holds) in STARTING {
        let mut condition =
            json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastProbeTime": null});
        if !holds {
            condition["reason"] = json!("ContainersNotReady");
            condition["message"] = json!(message);
        }
        set_condition(conditions, condition, now);
    }
    tree::set(pod, &["status", "phase"], "Pending");
    tree::set(pod, &["status", "startTime"], now);
    tree::set(pod, &["status", "hostIP"], host.as_str());
    tree::set(pod, &["status", "hostIPs"], json!([{"ip": host}]));
    tree::set(pod, &["status", "podIP"], address);
    tree::set(pod, &["status", "podIPs"], json!([{"ip": address}]));
    tree::set(pod, &["status", "containerStatuses"], statuses);
}

/// A pod's status once all its containers run.
fn run(pod: &mut Value, now: &str) {
    let image_id =
        |container: &Value| format!("{}@sha256:{}", text(&container["image"]), digest(text(&container["image"])));
    // An address is a pod's own within a cluster; like it, ids may be the same in another cluster and its body be shared.
    let address = text(&pod["status"]["podIP"]).to_owned();
    let container_id =
        |container: &Value| format!("containerd://{}", digest(&format!("{address}/{}", text(&container["name"]))));
    let running = containers(pod, "containers", |container| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": image_id(container), "containerID": container_id(container),
            "ready": true, "started": true, "restartCount": 0, "lastState": {}, "state": {"running": {"startedAt": now}}
        })
    });
    let initial = containers(pod, "initContainers", |container| {
        let ended = json!({
            "exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now, "containerID": container_id(container)
        });
        json!({
            "name": container["name"], "image": container["image"], "imageID": image_id(container), "containerID": container_id(container),
            "ready": true, "started": false, "restartCount": 0, "lastState": {}, "state": {"terminated": ended}
        })
    });
    if initial.as_array().is_some_and(|initial| !initial.is_empty()) {
        tree::set(pod, &["status", "initContainerStatuses"], initial);
    }
    let conditions = tree::at(pod, &["status", "conditions"]);
    for kind in ["Ready", "ContainersReady"] {
        set_condition(conditions, json!({"type": kind, "status": "True", "lastProbeTime": null}), now);
    }
    tree::set(pod, &["status", "phase"], "Running");
    tree::set(pod, &["status", "containerStatuses"], running);
}

/// A pod's status once its containers have ended well.
fn end(pod: &mut Value, now: &str) {
    let conditions = tree::at(pod, &["status", "conditions"]);
    for (kind, holds) in [
        ("PodReadyToStartContainers", "False"),
        ("Initialized", "True"),
        ("Ready", "False"),
        ("ContainersReady", "False"),
    ] {
        let mut condition = json!({"type": kind, "status": holds, "lastProbeTime": null});
        if kind != "PodReadyToStartContainers" {
            condition["reason"] = json!("PodCompleted");
        }
        set_condition(conditions, condition, now);
    }
    tree::set(pod, &["status", "phase"], "Succeeded");
    let statuses = tree::at(pod, &["status", "containerStatuses"]).as_array_mut();
    for status in statuses.into_iter().flatten() {
        let ended = json!({
            "exitCode": 0, "reason": "Completed", "startedAt": status["state"]["running"]["startedAt"], "finishedAt": now,
            "containerID": status["containerID"]
        });
        tree::set(status, &["state"], json!({"terminated": ended}));
        tree::set(status, &["ready"], false);
        tree::set(status, &["started"], false);
    }
}

/// The address of a node inside its cluster.
pub(super) fn internal_address(node: &Value) -> Option<&str> {
    let addresses = node["status"]["addresses"].as_array()?;
    addresses.iter().find(|address| address["type"] == "InternalIP")?["address"].as_str()
}

fn containers(pod: &Value, list: &str, status: impl Fn(&Value) -> Value) -> Value {
    pod["spec"][list].as_array().into_iter().flatten().map(status).collect()
}

fn container_names(pod: &Value) -> Vec<String> {
    pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| text(&container["name"]).to_owned())
        .collect()
}

fn later(at: Timestamp, delay: SignedDuration) -> Timestamp {
    at.saturating_add(delay).unwrap_or(Timestamp::MAX)
}

/// 64 hexadecimal digits that look like a digest of `text`: FNV-1a, continued.
fn digest(text: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    (0..4)
        .map(|_| {
            hash = text.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            format!("{hash:016x}")
        })
        .collect()
}

/// The conditions of a pod whose images are being pulled.
const STARTING: [(&str, bool); 5] = [
    ("PodReadyToStartContainers", true),
    ("Initialized", true),
    ("Ready", false),
    ("ContainersReady", false),
    ("PodScheduled", true),
];
/// Longer than anybody waits for a pod.
const LONGEST_MS: u64 = 86_400_000;
