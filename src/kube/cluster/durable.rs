//! What of a cluster outlives the process: the objects that were written over its baseline, as a journal keeps them.
//!
//! Uids, tokens and everything else of the baseline follow from the cluster's identity. Revisions only ever rise because each
//! run of the agent has an epoch of its own, which stands in their upper half.

use crate::kube::object::{ObjectBody, Stamp};
use crate::kube::store::{Store, Stored};
use crate::kube::{Baseline, Cluster, Heartbeat, Identity, Limits, ResourceId, catalog};
use jiff::Timestamp;
use std::sync::Arc;

/// An object that was written, or the absence of a template object that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    /// `group/plural`; `/plural` in the core group.
    pub kind: Box<str>,
    /// `namespace/name`, or `name`.
    pub path: Box<str>,
    /// What is there.
    pub state: DurableState,
}

/// What is at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DurableState {
    /// An object, encoded.
    Object(Box<[u8]>),
    /// Nothing, though the template has an object there.
    Deleted,
    /// Nothing, as the template has it: there is nothing to be kept.
    Forgotten,
}

/// What was written in a cluster since somebody asked last.
#[derive(Debug)]
pub struct Written {
    /// Each place once, as it is now.
    pub places: Vec<Durable>,
    /// Whether these are all there are, so that what was kept of other places is out of date.
    pub is_everything: bool,
    /// Where to go on from.
    pub revision: u64,
}

/// What a cluster goes on from after a restart.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// How many runs of the agent came before this one.
    pub epoch: u32,
    /// What was kept of the cluster.
    pub places: Vec<Durable>,
}

/// What was kept is not what this program keeps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object {kind} {path} in the journal cannot be read")]
pub struct DurableError {
    /// `group/plural`.
    pub kind: Box<str>,
    /// `namespace/name`, or `name`.
    pub path: Box<str>,
}

impl Written {
    /// Whether there is nothing to be kept.
    pub fn is_nothing(&self) -> bool {
        self.places.is_empty() && !self.is_everything
    }

    /// About how many bytes there are to be kept.
    pub fn size_bytes(&self) -> usize {
        let size = |place: &Durable| match &place.state {
            DurableState::Object(bytes) => bytes.len() + place.path.len(),
            DurableState::Deleted | DurableState::Forgotten => place.path.len(),
        };
        self.places.iter().map(size).sum()
    }
}

impl Cluster {
    /// The cluster as it was, under revisions that nobody has seen yet. Objects of kinds that are no more are left out.
    pub fn restored(
        identity: Identity,
        baseline: Arc<Baseline>,
        limits: Limits,
        past: Past,
        now: Timestamp,
    ) -> Result<Cluster, DurableError> {
        let mut cluster = Cluster::in_epoch(identity, baseline, limits, past.epoch);
        // Definitions first: they make the kinds of others.
        let is_definition = |place: &&Durable| &*place.kind == DEFINITIONS;
        for place in past.places.iter().filter(is_definition) {
            cluster.put_back(place)?;
        }
        cluster.resume_definitions();
        cluster.hear(now);
        for place in past.places.iter().filter(|place| !is_definition(place)) {
            cluster.put_back(place)?;
        }
        // What controllers make of it they do in their own time: thousands of clusters come back at once.
        cluster.hear(now);
        cluster.resume_taints();
        if past.epoch > 0 {
            // Baseline objects that beat had later revisions than the ones they would start with again.
            cluster.renew(Heartbeat::LeasesAndNodes, now);
            cluster.hear(now);
        }
        Ok(cluster)
    }

    /// The revision before anything was written in this run.
    pub fn start_revision(&self) -> u64 {
        self.store.start()
    }

    /// What was written after `revision`.
    pub fn written_since(&self, revision: u64) -> Written {
        let durable = |id: ResourceId, path: &str, state| {
            let kind = self.stored_as(id)?;
            Some(Durable { kind: format!("{}/{}", kind.group, kind.plural).into(), path: path.into(), state })
        };
        let state = |object: Option<&Arc<Stored>>| match object {
            Some(object) => DurableState::Object(encode(object)),
            None => DurableState::Deleted,
        };
        let (places, is_everything): (Vec<_>, bool) = match self.store.touched_since(revision) {
            Some(touched) => {
                let now = |(id, path): &(ResourceId, Arc<str>)| {
                    durable(*id, path, self.store.place(*id, path).map_or(DurableState::Forgotten, state))
                };
                (touched.iter().filter_map(now).collect(), false)
            }
            None => {
                (self.store.places().filter_map(|(id, path, object)| durable(id, path, state(object))).collect(), true)
            }
        };
        Written { places, is_everything, revision: self.revision() }
    }

    fn put_back(&mut self, place: &Durable) -> Result<(), DurableError> {
        let Some(id) = self.storage_of(&place.kind) else { return Ok(()) };
        let object = match &place.state {
            DurableState::Object(bytes) => {
                Some(decode(bytes).ok_or_else(|| DurableError { kind: place.kind.clone(), path: place.path.clone() })?)
            }
            DurableState::Deleted => None,
            DurableState::Forgotten => return Ok(()),
        };
        if object.is_none() && &*place.kind == DEFINITIONS {
            // The template has it; nobody is told of its end a second time.
            Arc::make_mut(&mut self.kinds).forget(&place.path);
        }
        self.store.restore(id, &place.path, object);
        // Controllers pick up where they were: to them everything is new.
        if RESUMED.contains(&&*place.kind)
            && let Some(Some(object)) = self.store.place(id, &place.path)
        {
            self.unsettled.push_back(Store::as_write(id, object));
        }
        Ok(())
    }

    /// The storage id of a `group/plural`, if it is known here.
    fn storage_of(&self, kind: &str) -> Option<ResourceId> {
        let (group, plural) = kind.split_once('/')?;
        let same = |id: &ResourceId| self.stored_as(*id).is_some_and(|served| served.storage == *id);
        let built_in = (0..).map(ResourceId).zip(catalog::builtin());
        let mut built_in = built_in.filter(|(_, r)| r.group == group && r.plural == plural).map(|(id, _)| id);
        built_in.find(same).or_else(|| self.kinds.id(&format!("{plural}.{group}")))
    }
}

fn encode(object: &Stored) -> Box<[u8]> {
    let mut bytes = Vec::new();
    object.stamp.encode(&mut bytes);
    object.body.encode(&mut bytes);
    bytes.into()
}

fn decode(mut bytes: &[u8]) -> Option<(Stamp, ObjectBody)> {
    Some((Stamp::decode(&mut bytes)?, ObjectBody::decode(bytes)?))
}

const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions";
/// Kinds whose controllers have work that may not be done.
const RESUMED: [&str; 13] = [
    DEFINITIONS,
    "/namespaces",
    "/persistentvolumeclaims",
    "/pods",
    "/replicationcontrollers",
    "/services",
    "apps/daemonsets",
    "apps/deployments",
    "apps/replicasets",
    "apps/statefulsets",
    "batch/cronjobs",
    "batch/jobs",
    "policy/poddisruptionbudgets",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::testing::Bench;
    use serde_json::json;

    /// What a journal would hold after it was told `written` in order.
    fn kept(written: Vec<Written>) -> Vec<Durable> {
        let mut kept: Vec<Durable> = Vec::new();
        for written in written {
            kept.retain(|old| {
                !written.is_everything
                    && !written.places.iter().any(|new| (&new.kind, &new.path) == (&old.kind, &old.path))
            });
            kept.extend(written.places.into_iter().filter(|place| place.state != DurableState::Forgotten));
        }
        kept
    }

    fn all_objects(bench: &mut Bench) -> Vec<serde_json::Value> {
        let mut objects = Vec::new();
        for list in
            ["/api/v1/configmaps", "/api/v1/secrets", "/api/v1/pods", "/api/v1/namespaces", "/apis/apps/v1/deployments"]
        {
            let answer = bench.get(list).ok();
            objects.extend(answer["items"].as_array().unwrap().iter().cloned());
        }
        objects
    }

    #[test]
    fn what_was_written_is_there_after_a_restart_and_revisions_go_on_rising() {
        let mut bench = Bench::new();
        let start = bench.cluster.revision();
        bench.configmap("kept");
        bench.configmap("gone");
        let first = bench.cluster.written_since(start);
        bench.delete("/api/v1/namespaces/web/configmaps/gone").ok();
        bench.delete("/api/v1/namespaces/web/pods/web-1").ok();
        bench.merge("/api/v1/namespaces/web/configmaps/kept", json!({"data": {"b": "2"}})).ok();
        bench.cluster.report(Heartbeat::LeasesAndNodes, bench.now);
        let second = bench.cluster.written_since(first.revision);
        assert!(!second.is_everything);
        let revision = bench.cluster.revision();
        let before = all_objects(&mut bench);

        let mut after = bench.restarted(1, kept(vec![first, second])).unwrap();
        assert_eq!(all_objects(&mut after), before, "uids, revisions, times and contents are what they were");
        assert!(after.cluster.revision() > revision);
        let node = |bench: &mut Bench| bench.get("/api/v1/nodes/edge-worker-1").revision();
        assert!(node(&mut after) > node(&mut bench), "a heartbeat's revision rises too");
        let (next, other) = (after.configmap("next"), bench.configmap("other"));
        assert_ne!(next["metadata"]["uid"], other["metadata"]["uid"], "no uid is given twice");
    }

    #[test]
    fn an_object_made_and_removed_between_two_looks_leaves_no_trace() {
        let mut bench = Bench::new();
        let start = bench.cluster.revision();
        bench.configmap("brief");
        bench.delete("/api/v1/namespaces/web/configmaps/brief").ok();
        let written = bench.cluster.written_since(start);
        let states: Vec<&DurableState> = written.places.iter().map(|place| &place.state).collect();
        assert_eq!(states, [&DurableState::Forgotten]);
    }

    #[test]
    fn a_history_that_does_not_reach_back_tells_everything() {
        let mut bench = Bench::with_limits(Limits { watch_history: 3, objects: 1_000, object_bytes: 1_500_000 });
        let start = bench.cluster.revision();
        (0..10).for_each(|number| _ = bench.configmap(&format!("c-{number}")));
        let written = bench.cluster.written_since(start);
        assert!(written.is_everything);
        assert_eq!(written.places.len(), 10);
        assert_eq!(
            bench.restarted(1, kept(vec![written])).unwrap().get("/api/v1/namespaces/web/configmaps").names().len(),
            11
        );
    }

    #[test]
    fn heartbeats_are_not_worth_keeping() {
        let mut bench = Bench::new();
        bench.merge("/api/v1/nodes/edge-worker-1", json!({"metadata": {"labels": {"a": "b"}}})).ok();
        let written = bench.cluster.written_since(0);
        bench.pass(30);
        bench.cluster.report(Heartbeat::LeasesAndNodes, bench.now);
        assert_eq!(bench.cluster.written_since(written.revision).places, []);
    }

    #[test]
    fn a_definition_of_the_template_that_was_deleted_stays_so() {
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com", "scope": "Cluster", "names": {"plural": "widgets", "kind": "Widget"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]
            }
        });
        let limits = Limits { watch_history: 100, objects: 100, object_bytes: 100_000 };
        let mut bench = Bench::of(crate::kube::testing::compile(vec![definition]).unwrap(), limits);
        assert_eq!(bench.get("/apis/example.com/v1/widgets").names(), [""; 0]);
        bench.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com").ok();
        let kept = bench.cluster.written_since(bench.cluster.start_revision());
        let mut later = bench.restarted(1, kept.places).unwrap();
        assert_eq!(later.get("/apis/example.com/v1/widgets").code, 404);
    }

    #[test]
    fn custom_kinds_and_their_objects_come_back() {
        let mut bench = Bench::new();
        let start = bench.cluster.revision();
        let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
            "type": "object", "x-kubernetes-preserve-unknown-fields": true
        }}});
        let definition = json!({"metadata": {"name": "plans.example.com"}, "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "plans", "kind": "Plan"}, "versions": [version]
        }});
        bench.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).ok();
        bench
            .post(
                "/apis/example.com/v1/namespaces/web/plans",
                json!({"kind": "Plan", "metadata": {"name": "p"}, "spec": {"a": 1}}),
            )
            .ok();
        let mut after = bench.restarted(1, kept(vec![bench.cluster.written_since(start)])).unwrap();
        let plan = "/apis/example.com/v1/namespaces/web/plans/p";
        assert_eq!(after.get(plan).ok(), bench.get(plan).ok());
    }

    #[test]
    fn a_namespace_that_was_being_deleted_goes_on_going() {
        let mut bench = Bench::new();
        let start = bench.cluster.revision();
        bench.post("/api/v1/namespaces", json!({"metadata": {"name": "brief"}})).ok();
        bench.delete("/api/v1/namespaces/brief");
        let mut after = bench.restarted(1, kept(vec![bench.cluster.written_since(start)])).unwrap();
        assert!(after.cluster.wake_at().is_some());
        after.pass(5);
        after.cluster.wake(after.now);
        assert_eq!(after.get("/api/v1/namespaces/brief").code, 404);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let bench = Bench::new();
        let place = Durable {
            kind: "/configmaps".into(),
            path: "web/bad".into(),
            state: DurableState::Object(b"nonsense".as_slice().into()),
        };
        let error = bench.restarted(1, vec![place]).err().unwrap();
        assert_eq!(error.to_string(), "the object /configmaps web/bad in the journal cannot be read");
    }
}
