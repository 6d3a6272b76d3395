//! What goes wrong inside a cluster when it is told to: nodes that are not ready, pods that crash, pods that come and go. All of it
//! is written as kubelets and controllers write it, so that watches see it.

use super::resize::replica_set;
use crate::kube::object::time;
use crate::kube::strategy::Part;
use crate::kube::verbs::DeleteOptions;
use crate::kube::{Cluster, tree};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// The names of all nodes.
    pub fn node_names(&self) -> Vec<String> {
        self.objects("nodes").iter().filter_map(|(_, node)| name(node)).collect()
    }

    /// The `namespace/name` of every pod whose containers run.
    pub fn running_pods(&self) -> Vec<String> {
        let pods = self.objects("pods");
        pods.iter().filter(|(_, pod)| pod["status"]["phase"] == "Running").filter_map(|(_, pod)| path(pod)).collect()
    }

    /// Makes these nodes ready, or not ready as a node whose container runtime is down.
    pub fn set_nodes_ready(&mut self, names: &[String], ready: bool, now: Timestamp) {
        let Some(nodes) = Cluster::built_in("", "nodes") else { return };
        let at = time(now.as_second());
        let (status, reason, message) = match ready {
            true => ("True", "KubeletReady", "kubelet is posting ready status"),
            false => ("False", "KubeletNotReady", "container runtime is down"),
        };
        for name in names {
            self.amend(&nodes, name, Part::Status, |node| {
                let fields = json!({"status": status, "reason": reason, "message": message});
                set_condition(node, "Ready", &fields, &at);
            });
            // As the node lifecycle controller does with pods that are there; it keeps others away by itself.
            self.amend(&nodes, name, Part::Whole, |node| {
                let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
                taints.retain(|taint| taint["key"] != NOT_READY_TAINT);
                if !ready {
                    taints.push(json!({"key": NOT_READY_TAINT, "effect": "NoExecute", "timeAdded": at}));
                }
                match (taints.is_empty(), node["spec"].as_object_mut()) {
                    (true, Some(spec)) => drop(spec.remove("taints")),
                    _ => tree::set(node, &["spec", "taints"], taints),
                }
            });
        }
        self.settle(now);
    }

    /// Has every container of these pods crash once more and wait for its next start.
    pub fn crash_pods(&mut self, paths: &[String], now: Timestamp) {
        self.amend_containers(paths, now, |container, at| {
            let restarts = container["restartCount"].as_u64().unwrap_or(0) + 1;
            let id = container["containerID"].clone();
            container["restartCount"] = restarts.into();
            container["ready"] = false.into();
            container["started"] = false.into();
            container["lastState"] = json!({"terminated": {
                "exitCode": 1, "reason": "Error", "startedAt": at, "finishedAt": at, "containerID": id,
            }});
            container["state"] = json!({"waiting": {
                "reason": "CrashLoopBackOff",
                "message": format!("back-off restarting failed container={}", container["name"].as_str().unwrap_or_default()),
            }});
        });
    }

    /// Has every container of these pods run again.
    pub fn recover_pods(&mut self, paths: &[String], now: Timestamp) {
        self.amend_containers(paths, now, |container, at| {
            container["ready"] = true.into();
            container["started"] = true.into();
            container["state"] = json!({"running": {"startedAt": at}});
        });
    }

    /// Deletes a pod that belongs to a replica set, which makes another one; tells whether there was one.
    pub fn replace_pod(&mut self, random: &mut fastrand::Rng, now: Timestamp) -> bool {
        let Some(served) = Cluster::built_in("", "pods") else { return false };
        let mut pods = self.objects("pods");
        pods.retain(|(_, pod)| replica_set(pod).is_some());
        let Some((version, _)) = random.choice(&pods) else { return false };
        let outcome = self.delete_object(&served, version, &DeleteOptions::default(), now);
        self.settle(now);
        outcome.is_ok()
    }

    fn amend_containers(&mut self, paths: &[String], now: Timestamp, change: impl Fn(&mut Value, &str)) {
        let Some(pods) = Cluster::built_in("", "pods") else { return };
        let at = time(now.as_second());
        for path in paths {
            self.amend(&pods, path, Part::Status, |pod| {
                let containers = pod.pointer_mut("/status/containerStatuses").and_then(Value::as_array_mut);
                let mut all_ready = true;
                for container in containers.into_iter().flatten() {
                    change(container, &at);
                    all_ready &= container["ready"] == true;
                }
                for condition in ["Ready", "ContainersReady"] {
                    let fields = match all_ready {
                        true => json!({"status": "True", "reason": null, "message": null}),
                        false => json!({"status": "False", "reason": "ContainersNotReady"}),
                    };
                    set_condition(pod, condition, &fields, &at);
                }
            });
        }
        self.settle(now);
    }
}

/// Sets fields of a condition that is there, null takes one away; the time of the transition follows its status.
fn set_condition(object: &mut Value, kind: &str, fields: &Value, at: &str) {
    let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    let condition = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    let Some(condition) = condition.and_then(Value::as_object_mut) else { return };
    if condition.get("status") != fields.get("status") {
        condition.insert("lastTransitionTime".into(), at.into());
    }
    for (field, value) in fields.as_object().into_iter().flatten() {
        match value {
            Value::Null => drop(condition.remove(field)),
            value => drop(condition.insert(field.clone(), value.clone())),
        }
    }
}

fn name(object: &Value) -> Option<String> {
    object["metadata"]["name"].as_str().map(str::to_owned)
}

fn path(object: &Value) -> Option<String> {
    Some(format!("{}/{}", object["metadata"]["namespace"].as_str()?, name(object)?))
}

const NOT_READY_TAINT: &str = "node.kubernetes.io/not-ready";

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::json;

    #[test]
    fn nodes_are_not_ready_and_ready_again() {
        let mut bench = Bench::new();
        let watch = bench.watch("/api/v1/nodes?watch=true&resourceVersion=0");
        let before = bench.get("/api/v1/nodes/edge-worker-1").ok();
        bench.pass(30);
        let names = vec!["edge-worker-1".to_owned()];
        bench.cluster.set_nodes_ready(&names, false, bench.now);
        let node = bench.get("/api/v1/nodes/edge-worker-1").ok();
        let ready = &node["status"]["conditions"][0];
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("KubeletNotReady")));
        assert_ne!(ready["lastTransitionTime"], before["status"]["conditions"][0]["lastTransitionTime"]);
        assert_eq!(node["spec"]["taints"].as_array().map(Vec::len), Some(2), "{node:#}");
        bench.cluster.set_nodes_ready(&names, true, bench.now);
        let node = bench.get("/api/v1/nodes/edge-worker-1").ok();
        assert_eq!(node["status"]["conditions"][0]["status"], "True");
        assert!(node["spec"]["taints"].is_null(), "{node:#}");
        drop(watch);
    }

    #[test]
    fn a_pod_of_a_set_is_replaced_and_one_of_none_is_left() {
        let mut bench = Bench::new();
        assert!(!bench.cluster.replace_pod(&mut fastrand::Rng::with_seed(1), bench.now), "none belongs to a set");
        let template =
            json!({"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": "x"}}, "template": template});
        bench.post("/apis/apps/v1/namespaces/web/deployments", json!({"metadata": {"name": "x"}, "spec": spec})).ok();
        let before = bench.get("/api/v1/namespaces/web/pods?labelSelector=app%3Dx").names();
        assert!(bench.cluster.replace_pod(&mut fastrand::Rng::with_seed(1), bench.now));
        let after = bench.get("/api/v1/namespaces/web/pods?labelSelector=app%3Dx").names();
        assert_eq!((before.len(), after.len()), (1, 1));
        assert_ne!(before, after);
    }

    #[test]
    fn containers_crash_and_run_again() {
        let mut bench = Bench::new();
        let status = json!({"status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}],
            "containerStatuses": [{"name": "main", "ready": true, "restartCount": 0, "image": "nginx:1", "imageID": "",
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]
        }});
        bench.merge("/api/v1/namespaces/web/pods/web-1/status", status).ok();
        let paths = vec!["web/web-1".to_owned()];
        assert!(bench.cluster.running_pods().contains(&paths[0]));
        bench.cluster.crash_pods(&paths, bench.now);
        bench.cluster.crash_pods(&paths, bench.now);
        let status = bench.get("/api/v1/namespaces/web/pods/web-1").ok()["status"].clone();
        let container = &status["containerStatuses"][0];
        assert_eq!(container["restartCount"], 2, "{status:#}");
        assert_eq!(container["state"]["waiting"]["reason"], "CrashLoopBackOff");
        assert_eq!(container["lastState"]["terminated"]["exitCode"], 1);
        assert_eq!(status["conditions"][0]["status"], "False");
        bench.cluster.recover_pods(&paths, bench.now);
        let status = bench.get("/api/v1/namespaces/web/pods/web-1").ok()["status"].clone();
        assert!(status["containerStatuses"][0]["state"]["running"].is_object(), "{status:#}");
        assert_eq!(
            (&status["conditions"][0]["status"], &status["conditions"][0]["reason"]),
            (&json!("True"), &json!(null))
        );
    }
}
