//! Pods and replica sets that nobody controls find somebody whose selector matches them, and those that it does not match any more are
//! let go (`controller.PodControllerRefManager`).

use super::agenda::Work;
use super::owned::{Owner, controlled_by, controller};
use super::pods::is_active;
use crate::kube::request::served::Served;
use crate::kube::store::{Version, namespace_of};
use crate::kube::tree::text;
use crate::kube::{Cluster, LabelSelector, tree};
use serde_json::{Value, json};
use std::sync::Arc;

impl Cluster {
    /// Whatever a pod without a controller may belong to is to look at it.
    pub(super) fn notice_orphaned_pod(&mut self, pod: &Value, path: &str) {
        if !is_active(pod) {
            return;
        }
        for (group, plural, look) in KEEPERS {
            for keeper in self.selecting(group, plural, path, |keeper| selects(keeper, pod).then_some(())) {
                self.agenda.add(look(keeper));
            }
        }
    }

    /// The pods that an object controls. Those that its selector does not match any more it lets go, and it takes on those without a
    /// controller that it does match; beside the selector, `is_own` decides.
    pub(super) fn claim_pods(
        &mut self,
        served: &Served,
        version: &Version,
        object: &Value,
        is_own: impl Fn(&Value) -> bool,
    ) -> Vec<(Version, Value)> {
        let Some(pods) = Cluster::built_in("", "pods") else { return Vec::new() };
        let path = self.store.path(version).into_owned();
        let owner = self.as_owner(served, version);
        let controlled = self.controlled(&pods, &path, &owner);
        let mut claimed = self.release(&pods, controlled, object, &owner, &is_own);
        let Some(selector) = selector(object) else { return claimed };
        // Most pods are told by their labels alone.
        let listed = self.store.list(pods.storage, namespace_of(&path)).into_iter();
        let matching = listed.filter(|found| self.has_labels(&found.version, &selector));
        let foreign = matching.filter(|found| !self.mentions(&found.version, &owner));
        let orphaned = foreign.filter(|found| {
            let pod = self.value(&pods, &found.version);
            is_active(&pod) && controller(&pod).is_none() && is_own(&pod)
        });
        let orphans: Vec<String> = orphaned.map(|found| found.path.as_ref().to_owned()).collect();
        for orphan in orphans {
            let reference = controlled_by(text(&object["apiVersion"]), text(&object["kind"]), object);
            self.take_on("", "pods", &orphan, reference);
            claimed.extend(self.store.get(pods.storage, &orphan).map(|pod| (pod.clone(), self.value(&pods, &pod))));
        }
        claimed
    }

    /// Lets go of those that the selector of their controller does not match any more; the others are told.
    pub(super) fn release(
        &mut self,
        kind: &Served,
        controlled: Vec<(Version, Value)>,
        object: &Value,
        owner: &Owner,
        is_own: &impl Fn(&Value) -> bool,
    ) -> Vec<(Version, Value)> {
        let Some(selector) = selector(object) else { return controlled };
        let is_kept = |object: &Value| selector.matches(object["metadata"]["labels"].as_object()) && is_own(object);
        let (kept, strange): (Vec<_>, Vec<_>) = controlled.into_iter().partition(|(_, object)| is_kept(object));
        for (version, _) in strange {
            let path = self.store.path(&version).into_owned();
            self.rewrite(kind, &path, |object| {
                let Some(metadata) = object["metadata"].as_object_mut() else { return };
                let Some(owners) = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut) else { return };
                owners.retain(|by| by["uid"] != *owner.uid);
                if owners.is_empty() {
                    metadata.remove("ownerReferences");
                }
            });
        }
        kept
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

/// What looks at a keeper of pods.
type Look = fn(Arc<str>) -> Work;

/// The kinds that keep pods, and who looks at each.
const KEEPERS: [(&str, &str, Look); 5] = [
    ("apps", "replicasets", Work::ReplicaSet),
    ("", "replicationcontrollers", Work::ReplicationController),
    ("apps", "daemonsets", Work::DaemonSet),
    ("apps", "statefulsets", Work::StatefulSet),
    ("batch", "jobs", Work::Job),
];

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::{Value, json};

    const PODS: &str = "/api/v1/namespaces/web/pods";

    fn live(bench: &mut Bench, seconds: u32) {
        (0..seconds).for_each(|_| bench.pass(1));
    }

    fn pods(bench: &mut Bench, app: &str) -> Vec<String> {
        bench.get(&format!("{PODS}?labelSelector=app%3D{app}")).names()
    }

    fn workload(replicas: Value) -> Value {
        let template =
            json!({"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let selector = json!({"matchLabels": {"app": "api"}});
        let mut spec = json!({"selector": selector, "template": template});
        if replicas.is_number() {
            spec["replicas"] = replicas;
        }
        json!({"metadata": {"name": "api"}, "spec": spec})
    }

    #[test]
    fn a_pod_of_other_labels_is_let_go_and_replaced() {
        for (kind, replicas, count) in
            [("deployments", json!(2), 2), ("replicasets", json!(2), 2), ("daemonsets", json!(null), 3)]
        {
            let mut bench = Bench::new();
            bench.post(&format!("/apis/apps/v1/namespaces/web/{kind}"), workload(replicas)).ok();
            live(&mut bench, 4);
            let stray = pods(&mut bench, "api").remove(0);
            let target = format!("{PODS}/{stray}");
            let uid = bench.get(&target).ok()["metadata"]["uid"].clone();
            bench.merge(&target, json!({"metadata": {"labels": {"app": "stray"}}})).ok();
            live(&mut bench, 4);
            let now = pods(&mut bench, "api");
            assert!(now.len() == count && !now.contains(&stray), "{kind}: {now:?}");
            let free = bench.get(&target).ok();
            assert_eq!((&free["metadata"]["uid"], free["metadata"].get("ownerReferences")), (&uid, None), "{kind}");
            // With its labels it comes back, and one is too many.
            bench.merge(&target, json!({"metadata": {"labels": {"app": "api"}}})).ok();
            live(&mut bench, 4);
            assert_eq!(pods(&mut bench, "api").len(), count, "{kind}");
        }
    }

    #[test]
    fn a_stateful_set_waits_for_the_name_of_a_pod_it_let_go() {
        let mut bench = Bench::new();
        bench.post("/apis/apps/v1/namespaces/web/statefulsets", workload(json!(1))).ok();
        live(&mut bench, 4);
        let target = format!("{PODS}/api-0");
        bench.merge(&target, json!({"metadata": {"labels": {"app": "stray"}}})).ok();
        live(&mut bench, 4);
        assert_eq!(bench.get(&target).ok()["metadata"].get("ownerReferences"), None);
        assert_eq!(pods(&mut bench, "api"), [""; 0]);
        bench.delete(&target).ok();
        live(&mut bench, 30);
        assert_eq!(pods(&mut bench, "api"), ["api-0"]);
    }

    #[test]
    fn every_keeper_takes_on_pods_without_one() {
        for (kind, replicas) in [("daemonsets", json!(null)), ("statefulsets", json!(2)), ("replicasets", json!(2))] {
            let mut bench = Bench::new();
            let collection = format!("/apis/apps/v1/namespaces/web/{kind}");
            bench.post(&collection, workload(replicas.clone())).ok();
            live(&mut bench, 8);
            let uids = |bench: &mut Bench| {
                let list = bench.get(&format!("{PODS}?labelSelector=app%3Dapi")).ok();
                let items = list["items"].as_array().unwrap().clone();
                let of = |field: &'static str| move |pod: &Value| pod["metadata"][field].clone();
                let owner = |pod: &Value| pod["metadata"]["ownerReferences"][0]["uid"].clone();
                (items.iter().map(of("uid")).collect::<Vec<_>>(), items.iter().map(owner).collect::<Vec<_>>())
            };
            let before = uids(&mut bench).0;
            bench.delete(&format!("{collection}/api?propagationPolicy=Orphan")).ok();
            let again = bench.post(&collection, workload(replicas)).ok()["metadata"]["uid"].clone();
            live(&mut bench, 4);
            let (after, owners) = uids(&mut bench);
            assert_eq!(after, before, "{kind}");
            assert!(owners.iter().all(|owner| *owner == again), "{kind}");
        }
    }
}
