//! Pods and replica sets that nobody controls find somebody whose selector matches them (`controller.PodControllerRefManager`).

use super::agenda::Work;
use super::owned::{controlled_by, controller};
use super::pods::is_active;
use super::replica_set::{REPLICA_SETS, REPLICATION_CONTROLLERS, Replicas};
use crate::kube::store::namespace_of;
use crate::kube::{Cluster, LabelSelector, tree};
use serde_json::{Value, json};
use std::sync::Arc;

impl Cluster {
    /// Looks for a set that a pod without a controller belongs to.
    pub(super) fn adopt_pod(&mut self, pod: &Value, path: &str) {
        if !is_active(pod) {
            return;
        }
        for (of, group, plural, look) in [
            (&REPLICA_SETS, "apps", "replicasets", Work::ReplicaSet as fn(Arc<str>) -> Work),
            (&REPLICATION_CONTROLLERS, "", "replicationcontrollers", Work::ReplicationController),
        ] {
            let matching = self.selecting(group, plural, path, |set| selects(set, pod).then_some(()));
            if let Some(set) = matching.first() {
                let Some((_, _, owner)) = self.living(group, plural, set) else { continue };
                self.take_on("", "pods", path, controlled_by(of.api_version, of.kind, &owner));
                return self.agenda.add(look(set.clone()));
            }
        }
    }

    /// Takes on the pods that a set lacks, as far as there are some without a controller; tells how many.
    pub(super) fn adopt_pods(&mut self, of: &Replicas, path: &str, set: &Value) -> i64 {
        let Some(pods) = Cluster::built_in("", "pods") else { return 0 };
        let Some(selector) = selector(set) else { return 0 };
        let labels =
            |version: &_| self.store.body(version).labels(&self.store.stamp(version), self.store.particulars());
        // Most pods are told by their labels alone.
        let listed = self.store.list(pods.storage, namespace_of(path)).into_iter();
        let matching = listed.filter(|found| selector.matches(labels(&found.version).as_ref()));
        let orphaned = matching.filter(|found| {
            let pod = self.value(&pods, &found.version);
            is_active(&pod) && controller(&pod).is_none()
        });
        let orphans: Vec<String> = orphaned.map(|found| found.path.as_ref().to_owned()).collect();
        for orphan in &orphans {
            self.take_on("", "pods", orphan, controlled_by(of.api_version, of.kind, set));
        }
        orphans.len() as i64
    }

    /// The deployments that a replica set without a controller belongs to are to look at it.
    pub(super) fn notice_orphaned_set(&mut self, set: &Value, path: &str) {
        for deployment in self.selecting("apps", "deployments", path, |owner| selects(owner, set).then_some(())) {
            self.agenda.add(Work::Deployment(deployment));
        }
    }

    /// Takes on the replica sets without a controller that a deployment's selector matches; whether there were any.
    pub(super) fn adopt_sets(&mut self, path: &str, deployment: &Value) -> bool {
        let is_orphan = |set: &Value| {
            let is_free = controller(set).is_none() && set["metadata"]["deletionTimestamp"].is_null();
            (is_free && selects(deployment, set)).then_some(())
        };
        let orphans = self.selecting("apps", "replicasets", path, is_orphan);
        for orphan in &orphans {
            self.take_on("apps", "replicasets", orphan, controlled_by("apps/v1", "Deployment", deployment));
        }
        !orphans.is_empty()
    }

    fn take_on(&mut self, group: &str, plural: &str, path: &str, owner: Value) {
        let Some(kind) = Cluster::built_in(group, plural) else { return };
        self.rewrite(&kind, path, |object| match tree::at(object, &["metadata", "ownerReferences"]) {
            Value::Array(owners) => owners.extend(owner.as_array().into_iter().flatten().cloned()),
            other => *other = owner,
        });
    }
}

/// Whether a controller's selector matches an object's labels.
fn selects(owner: &Value, object: &Value) -> bool {
    owner["metadata"]["deletionTimestamp"].is_null()
        && selector(owner).is_some_and(|selector| selector.matches(object["metadata"]["labels"].as_object()))
}

/// A selector that picks something: that of a ReplicationController is a bare map.
fn selector(owner: &Value) -> Option<LabelSelector> {
    let selector = &owner["spec"]["selector"];
    let is_map = owner["kind"] == "ReplicationController";
    let selector = if is_map { json!({"matchLabels": selector}) } else { selector.clone() };
    LabelSelector::from_object(&selector).ok().filter(|selector| !selector.is_empty())
}
