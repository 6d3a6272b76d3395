//! Workloads that clients create report themselves as running; no pods are made of them.

use super::Happening;
use crate::kube::object::time;
use crate::kube::strategy::Part;
use crate::kube::{Cluster, tree};
use serde_json::{Value, json};

impl Cluster {
    /// Gives a workload the status of one whose pods run, for each generation.
    pub(super) fn run_workloads(&mut self, happening: &Happening<'_>) {
        if happening.write.is_delete || happening.is_deleting() {
            return;
        }
        let served = &happening.served;
        let kind = match (served.group.as_ref(), served.plural.as_ref()) {
            ("apps", kind @ ("deployments" | "daemonsets" | "statefulsets" | "replicasets")) => kind.to_owned(),
            ("batch", "jobs") => "jobs".to_owned(),
            _ => return,
        };
        let object = self.value(served, &happening.version());
        let is_seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        if is_seen || (kind == "jobs" && !object["status"]["startTime"].is_null()) {
            return;
        }
        let nodes = Cluster::built_in("", "nodes").map_or(0, |nodes| self.store.count(nodes.storage));
        let status = status(&kind, &object, nodes, &time(happening.now.as_second()));
        let path = happening.write.object.path.clone();
        self.amend(served, &path, Part::Status, |object| {
            if kind == "deployments" && object["metadata"]["annotations"][REVISION].is_null() {
                tree::set(object, &["metadata", "annotations", REVISION], "1");
            }
            tree::set(object, &["status"], status);
        });
    }
}

fn status(kind: &str, object: &Value, nodes: usize, now: &str) -> Value {
    let generation = &object["metadata"]["generation"];
    let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
    match kind {
        "deployments" => with_replicas(
            json!({
                "observedGeneration": generation,
                "conditions": [
                    {
                        "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
                        "message": "Deployment has minimum availability.", "lastUpdateTime": now, "lastTransitionTime": now
                    },
                    {
                        "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
                        "message": "ReplicaSet has successfully progressed.", "lastUpdateTime": now, "lastTransitionTime": now
                    }
                ]
            }),
            replicas,
            &["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"],
        ),
        "daemonsets" => json!({
            "observedGeneration": generation, "currentNumberScheduled": nodes, "desiredNumberScheduled": nodes,
            "numberAvailable": nodes, "numberMisscheduled": 0, "numberReady": nodes, "updatedNumberScheduled": nodes
        }),
        "statefulsets" => with_replicas(
            json!({"observedGeneration": generation, "collisionCount": 0}),
            replicas,
            &["replicas", "currentReplicas", "updatedReplicas", "readyReplicas", "availableReplicas"],
        ),
        "replicasets" => with_replicas(
            json!({"observedGeneration": generation, "replicas": replicas}),
            replicas,
            &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        ),
        _ => json!({
            "startTime": now, "completionTime": now, "succeeded": object["spec"]["completions"].as_u64().unwrap_or(1), "ready": 0,
            "terminating": 0, "uncountedTerminatedPods": {},
            "conditions": [
                {"type": "SuccessCriteriaMet", "status": "True", "reason": "CompletionsReached",
                 "message": "Reached expected number of succeeded pods", "lastProbeTime": now, "lastTransitionTime": now},
                {"type": "Complete", "status": "True", "reason": "CompletionsReached",
                 "message": "Reached expected number of succeeded pods", "lastProbeTime": now, "lastTransitionTime": now}
            ]
        }),
    }
}

/// Sets counts; what is zero is left out, as an API server does.
fn with_replicas(mut status: Value, replicas: u64, fields: &[&str]) -> Value {
    if replicas > 0 {
        for field in fields {
            status[field] = json!(replicas);
        }
    }
    status
}

/// The deployment controller counts rollouts here.
const REVISION: &str = "deployment.kubernetes.io/revision";
