//! ReplicaSets and ReplicationControllers: as many pods as they want (`kube-controller-manager` replicaset controller, for both).

use super::agenda::Work;
use super::owned::controlled_by;
use super::pods::{
    is_active, is_available, is_ready, number, of_template, rank, remove_condition, set_condition, set_counts,
};
use super::refusal::{FAILED_CREATE, is_final};
use crate::kube::tree::text;
use crate::kube::{Cluster, LabelSelector, tree};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// A kind that wants so many pods.
#[derive(Debug)]
pub(super) struct Replicas {
    group: &'static str,
    plural: &'static str,
    pub api_version: &'static str,
    pub kind: &'static str,
    controller: &'static str,
    look: fn(Arc<str>) -> Work,
}

pub(super) static REPLICA_SETS: Replicas = Replicas {
    group: "apps",
    plural: "replicasets",
    api_version: "apps/v1",
    kind: "ReplicaSet",
    controller: "replicaset-controller",
    look: Work::ReplicaSet,
};
pub(super) static REPLICATION_CONTROLLERS: Replicas = Replicas {
    group: "",
    plural: "replicationcontrollers",
    api_version: "v1",
    kind: "ReplicationController",
    controller: "replication-controller",
    look: Work::ReplicationController,
};

impl Cluster {
    /// Brings the pods of a set to their number, or else its status up to date.
    pub(super) fn keep_replicas(&mut self, of: &Replicas, path: &str, now: Timestamp) {
        let Some((sets, version, set)) = self.living(of.group, of.plural, path) else { return };
        let Some(pods) = Cluster::built_in("", "pods") else { return };
        let mut active = self.claim_pods(&sets, &version, &set, |_| true);
        active.retain(|(_, pod)| is_active(pod));
        let wanted = number(&set["spec"]["replicas"]);
        let missing = wanted - active.len() as i64;
        let mut problem = None;
        if missing > 0 {
            let mut pod = of_template(
                &set["spec"]["template"],
                &set["metadata"]["namespace"],
                controlled_by(of.api_version, of.kind, &set),
            );
            tree::set(&mut pod, &["metadata", "generateName"], format!("{}-", text(&set["metadata"]["name"])));
            for _ in 0..missing.min(BURST) {
                match self.spawn(&pods, pod.clone(), now) {
                    Ok(name) => self.tell(
                        &set,
                        "Normal",
                        "SuccessfulCreate",
                        &format!("Created pod: {name}"),
                        of.controller,
                        now,
                    ),
                    Err(status) => {
                        self.refused((of.look)(path.into()), &set, &status, FAILED_CREATE, of.controller, now);
                        problem = (!is_final(&status)).then_some(status.message);
                        break;
                    }
                }
            }
        } else {
            active.sort_by_cached_key(|(_, pod)| rank(pod));
            for (version, pod) in active.iter().take(usize::try_from(-missing).unwrap_or_default()) {
                self.withdraw(&pods, version, now);
                let message = format!("Deleted pod: {}", text(&pod["metadata"]["name"]));
                self.tell(&set, "Normal", "SuccessfulDelete", &message, of.controller, now);
            }
        }
        if missing == 0 || problem.is_some() {
            let active: Vec<&Value> = active.iter().map(|(_, pod)| pod).collect();
            self.report_replicas(of, path, &set, &active, problem, now);
        }
    }

    fn report_replicas(
        &mut self,
        of: &Replicas,
        path: &str,
        set: &Value,
        active: &[&Value],
        problem: Option<String>,
        now: Timestamp,
    ) {
        let labels = &set["spec"]["template"]["metadata"]["labels"];
        let full = LabelSelector::from_object(&json!({"matchLabels": labels})).unwrap_or_default();
        let count = |is: &dyn Fn(&Value) -> bool| active.iter().filter(|pod| is(pod)).count() as i64;
        let mut available = 0;
        for pod in active {
            match is_available(pod, number(&set["spec"]["minReadySeconds"]), now) {
                Ok(is_available) => available += i64::from(is_available),
                Err(at) => self.agenda.add_at(at, (of.look)(path.into())),
            }
        }
        let counts = [
            ("fullyLabeledReplicas", count(&|pod| full.matches(pod["metadata"]["labels"].as_object()))),
            ("readyReplicas", count(&is_ready)),
            ("availableReplicas", available),
        ];
        self.set_status(of.group, of.plural, path, now, |status, now| {
            tree::set(status, &["replicas"], active.len());
            tree::set(status, &["observedGeneration"], set["metadata"]["generation"].clone());
            set_counts(status, &counts);
            match problem {
                Some(message) => {
                    let conditions = tree::at(status, &["conditions"]);
                    let is_known = |list: &Vec<Value>| list.iter().any(|known| known["type"] == REPLICA_FAILURE);
                    // The first message stays: that of every try names another pod.
                    if !conditions.as_array().is_some_and(is_known) {
                        let condition = json!({"type": REPLICA_FAILURE, "status": "True", "reason": "FailedCreate", "message": message});
                        set_condition(conditions, condition, now);
                    }
                }
                None => remove_condition(status, REPLICA_FAILURE),
            }
        });
    }
}

/// The condition that says why pods are missing.
pub(super) const REPLICA_FAILURE: &str = "ReplicaFailure";
/// Pods made in one turn, so that a large set does not keep the worker from its other clusters.
pub(super) const BURST: i64 = 20;
