//! The baseline and the overlay as one.

use super::history::History;
use super::overlay::{Overlay, Slot};
use super::{Event, Resumption, Stored, Touched, Version, Write};
use crate::kube::ResourceId;
use crate::kube::baseline::Baseline;
use crate::kube::object::{ObjectBody, Particulars, Stamp};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The objects of one cluster and their history.
#[derive(Debug)]
pub(in crate::kube) struct Store {
    particulars: Particulars,
    baseline: Arc<Baseline>,
    /// The baseline's ordinals in the order of their paths, where the cluster's name changes that order.
    order: Option<Box<[u32]>>,
    pub(super) overlay: Overlay,
    /// Baseline objects that changed in nothing but their heartbeat.
    touched: BTreeMap<u32, Touched>,
    pub(super) history: History,
}

/// An object that a listing found.
#[derive(Debug)]
pub(in crate::kube) struct Found<'a> {
    /// `namespace/name`, or `name`.
    pub path: Cow<'a, str>,
    /// Its state.
    pub version: Version,
}

impl Store {
    /// A store that holds the baseline's objects; each has a revision of its own, smaller than the store's, which starts in `epoch`.
    pub(in crate::kube) fn new(particulars: Particulars, baseline: Arc<Baseline>, history: usize, epoch: u32) -> Store {
        let revision = (u64::from(epoch) << EPOCH_SHIFT) + FIRST_REVISION + u64::from(baseline.len());
        let order = baseline.order_under(&particulars.name);
        Store {
            particulars,
            baseline,
            order,
            overlay: Overlay::default(),
            touched: BTreeMap::new(),
            history: History::new(revision, history),
        }
    }

    /// What the cluster fills into objects.
    pub(in crate::kube) fn particulars(&self) -> &Particulars {
        &self.particulars
    }

    /// The revision of the latest change.
    pub(in crate::kube) fn revision(&self) -> u64 {
        self.history.revision()
    }

    /// The revision it started with.
    pub(in crate::kube) fn start(&self) -> u64 {
        self.history.start()
    }

    /// The object at a path.
    pub(in crate::kube) fn get(&self, resource: ResourceId, path: &str) -> Option<Version> {
        match self.overlay.get(resource, path) {
            Some(slot) => slot.object.clone().map(Version::Written),
            None => self.find_baseline(resource, path).map(|ordinal| Version::Baseline(self.touched(ordinal))),
        }
    }

    /// The objects of a resource in the order of their paths, all or those of one namespace.
    pub(in crate::kube) fn list(&self, resource: ResourceId, namespace: Option<&str>) -> Vec<Found<'_>> {
        let prefix = namespace.map_or_else(String::new, |namespace| format!("{namespace}/"));
        let mut written = self.overlay.range(resource, &prefix).peekable();
        let mut found = Vec::new();
        let object = |(path, slot): (&Arc<str>, &Slot)| {
            let version = Version::Written(slot.object.clone()?);
            Some(Found { path: Cow::Owned(path.to_string()), version })
        };
        for ordinal in self.baseline_from(resource, &prefix) {
            let path = self.baseline_path(ordinal);
            if !path.starts_with(&prefix) {
                break;
            }
            while let Some(earlier) = written.next_if(|(written, _)| ***written < *path) {
                found.extend(object(earlier));
            }
            match written.next_if(|(written, _)| ***written == *path) {
                Some(instead) => found.extend(object(instead)),
                None => found.push(Found { path, version: Version::Baseline(self.touched(ordinal)) }),
            }
        }
        found.extend(written.filter_map(object));
        found
    }

    /// The same as it was at an earlier revision; `Err` with the oldest revision that can still be told.
    pub(in crate::kube) fn list_at(
        &self,
        resource: ResourceId,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Found<'_>>, u64> {
        if let Resumption::Expired { oldest } = self.resumption(resource, revision) {
            return Err(oldest);
        }
        // The first change since tells what was there before.
        let mut changed: BTreeMap<Cow<'_, str>, Option<Version>> = BTreeMap::new();
        for (at, event) in self.history.after(resource, revision) {
            let (before, after, _) = event.versions(at);
            let path = self.path(&after).into_owned();
            changed.entry(Cow::Owned(path)).or_insert(before);
        }
        let mut merged: BTreeMap<Cow<'_, str>, Version> =
            self.list(resource, namespace).into_iter().map(|found| (found.path, found.version)).collect();
        let prefix = namespace.map_or_else(String::new, |namespace| format!("{namespace}/"));
        for (path, before) in changed.into_iter().filter(|(path, _)| path.starts_with(&prefix)) {
            match before {
                Some(version) => _ = merged.insert(path, version),
                None => _ = merged.remove(&path),
            }
        }
        Ok(merged.into_iter().map(|(path, version)| Found { path, version }).collect())
    }

    /// How many objects of a resource there are.
    pub(in crate::kube) fn count(&self, resource: ResourceId) -> usize {
        let in_baseline = self.baseline_ordinals(resource).count();
        let slots = || self.overlay.range(resource, "").map(|(_, slot)| slot);
        let added = slots().filter(|slot| slot.ordinal.is_none()).count();
        let deleted = slots().filter(|slot| slot.object.is_none()).count();
        in_baseline + added - deleted
    }

    /// Every resource that has or had an object.
    pub(in crate::kube) fn resources(&self) -> Vec<ResourceId> {
        let mut resources: Vec<ResourceId> = self.baseline.resources().chain(self.overlay.resources()).collect();
        resources.sort_unstable();
        resources.dedup();
        resources
    }

    /// How many objects are held beside the baseline.
    pub(in crate::kube) fn written(&self) -> usize {
        self.overlay.len()
    }

    /// Creates or replaces an object; `stamp.revision` is the store's to set.
    pub(in crate::kube) fn put(
        &mut self,
        resource: ResourceId,
        path: &str,
        mut stamp: Stamp,
        body: Arc<ObjectBody>,
    ) -> Arc<Write> {
        let previous = self.get(resource, path);
        let ordinal = self.ordinal_at(resource, path);
        stamp.revision = self.revision() + 1;
        let path = match &previous {
            Some(Version::Written(stored)) => stored.path.clone(),
            _ => Arc::from(path),
        };
        let object = Arc::new(Stored { path, stamp, body });
        self.overlay.put(resource, ordinal, object.clone());
        if let Some(ordinal) = ordinal {
            self.touched.remove(&ordinal);
        }
        self.record(Write { resource, previous, object, is_delete: false })
    }

    /// Deletes an object; `None` if there is none.
    pub(in crate::kube) fn remove(&mut self, resource: ResourceId, path: &str) -> Option<Arc<Write>> {
        let previous = self.get(resource, path)?;
        let ordinal = self.ordinal_at(resource, path);
        let stamp = Stamp { revision: self.revision() + 1, ..self.stamp(&previous) };
        let object = match &previous {
            Version::Written(stored) => Arc::new(Stored { stamp, ..Stored::clone(stored) }),
            Version::Baseline(touched) => {
                let body = self.baseline.body(touched.ordinal).clone();
                Arc::new(Stored { path: Arc::from(path), stamp, body })
            }
        };
        self.overlay.remove(resource, &object.path, ordinal);
        if let Some(ordinal) = ordinal {
            self.touched.remove(&ordinal);
        }
        Some(self.record(Write { resource, previous: Some(previous), object, is_delete: true }))
    }

    /// Renews the heartbeat of the baseline object `ordinal`, written over or not, if it still shows one.
    pub(in crate::kube) fn beat(&mut self, ordinal: u32, now_s: i64) {
        let resource = self.baseline.resource(ordinal);
        let path = self.baseline_path(ordinal).into_owned();
        let revision = self.revision() + 1;
        match self.overlay.get(resource, &path) {
            Some(_) => self.beat_written(resource, &path, now_s),
            None => {
                let before = self.touched(ordinal);
                let heartbeat_s = u32::try_from(now_s).unwrap_or(u32::MAX);
                self.touched.insert(ordinal, Touched { ordinal, heartbeat_s, revision });
                let event = Event::Beat {
                    resource,
                    ordinal,
                    heartbeat_s,
                    previous_heartbeat_s: before.heartbeat_s,
                    previous_age: u32::try_from(revision - before.revision).unwrap_or(u32::MAX),
                };
                self.history.push(event);
            }
        }
    }

    /// Renews the heartbeat of an object that was written, if it shows one.
    pub(in crate::kube) fn beat_written(&mut self, resource: ResourceId, path: &str, now_s: i64) {
        let Some(Slot { object: Some(stored), .. }) = self.overlay.get(resource, path) else { return };
        if stored.body.beats() {
            let stamp = Stamp { heartbeat_s: now_s, ..stored.stamp };
            let body = stored.body.clone();
            self.put(resource, path, stamp, body);
        }
    }

    /// The objects of a resource that beat and that the baseline does not have.
    pub(in crate::kube) fn beating_beside_baseline(&self, resource: ResourceId) -> Vec<Arc<str>> {
        let beside = self.overlay.range(resource, "").filter(|(_, slot)| slot.ordinal.is_none());
        let beats = |slot: &Slot| slot.object.as_ref().is_some_and(|stored| stored.body.beats());
        beside.filter(|(_, slot)| beats(slot)).map(|(path, _)| path.clone()).collect()
    }

    /// Forgets the events that were there the time before.
    pub(in crate::kube) fn compact(&mut self) {
        self.history.compact();
    }

    /// Whether everything that happened to `resource` after `revision` is still known.
    pub(in crate::kube) fn resumption(&self, resource: ResourceId, revision: u64) -> Resumption {
        self.history.resumption(resource, revision)
    }

    /// The known events of `resource` after `revision`.
    pub(in crate::kube) fn events_after(
        &self,
        resource: ResourceId,
        revision: u64,
    ) -> impl Iterator<Item = (u64, &Event)> {
        self.history.after(resource, revision)
    }

    /// The path of an object.
    pub(in crate::kube) fn path<'a>(&'a self, version: &'a Version) -> Cow<'a, str> {
        match version {
            Version::Baseline(touched) => self.baseline_path(touched.ordinal),
            Version::Written(stored) => Cow::Borrowed(&stored.path),
        }
    }

    /// What the server owns of an object.
    pub(in crate::kube) fn stamp(&self, version: &Version) -> Stamp {
        match version {
            Version::Baseline(touched) => Stamp {
                uid: self.particulars.uid(touched.ordinal),
                revision: touched.revision,
                created_s: self.particulars.created_s,
                heartbeat_s: i64::from(touched.heartbeat_s),
                deleted_s: None,
                generation: self.baseline.generation(touched.ordinal),
            },
            Version::Written(stored) => stored.stamp,
        }
    }

    /// What was written of an object.
    pub(in crate::kube) fn body<'a>(&'a self, version: &'a Version) -> &'a Arc<ObjectBody> {
        match version {
            Version::Baseline(touched) => self.baseline.body(touched.ordinal),
            Version::Written(stored) => &stored.body,
        }
    }

    /// The baseline object at a path, whether or not it is written over or deleted.
    pub(in crate::kube) fn ordinal_at(&self, resource: ResourceId, path: &str) -> Option<u32> {
        match self.overlay.get(resource, path) {
            Some(slot) => slot.ordinal,
            None => self.find_baseline(resource, path),
        }
    }

    /// About how many bytes the cluster takes beside what it shares with others.
    pub(in crate::kube) fn size_bytes(&self) -> usize {
        let slots = self.overlay.resources().flat_map(|resource| self.overlay.range(resource, ""));
        let stored = slots.filter_map(|(_, slot)| slot.object.as_ref());
        let entry = size_of::<(Arc<str>, Slot)>() + size_of::<Stored>();
        let stored: usize = stored.map(|stored| entry + stored.path.len() + stored.body.size_bytes()).sum();
        let order = self.order.as_ref().map_or(0, |order| size_of_val(&**order));
        size_of::<Store>() + stored + order + self.touched.len() * size_of::<Touched>() + self.history.size_bytes()
    }

    fn record(&mut self, write: Write) -> Arc<Write> {
        let write = Arc::new(write);
        self.history.push(Event::Write(write.clone()));
        write
    }

    fn touched(&self, ordinal: u32) -> Touched {
        let untouched = || Touched {
            ordinal,
            heartbeat_s: u32::try_from(self.particulars.created_s).unwrap_or(u32::MAX),
            revision: FIRST_REVISION + u64::from(ordinal),
        };
        self.touched.get(&ordinal).copied().unwrap_or_else(untouched)
    }

    fn baseline_path(&self, ordinal: u32) -> Cow<'_, str> {
        self.baseline.path(ordinal, &self.particulars.name)
    }

    /// The baseline objects of a resource in the order of their paths.
    fn baseline_ordinals(&self, resource: ResourceId) -> impl Iterator<Item = u32> {
        self.baseline_from(resource, "")
    }

    /// The same, from the first path that is not before `from`.
    fn baseline_from(&self, resource: ResourceId, from: &str) -> impl Iterator<Item = u32> {
        let range = self.baseline.range(resource);
        let at = |position: u32| self.order.as_ref().map_or(position, |order| order[position as usize]);
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if *self.baseline_path(at(middle)) < *from { low = middle + 1 } else { high = middle }
        }
        (low..range.end).map(at)
    }

    fn find_baseline(&self, resource: ResourceId, path: &str) -> Option<u32> {
        let first = self.baseline_from(resource, path).next()?;
        (*self.baseline_path(first) == *path).then_some(first)
    }
}

/// Revisions of one epoch: more changes than a cluster sees in the life of a process.
const EPOCH_SHIFT: u32 = 32;
/// The revision of the first baseline object. An API server's are never as small as 0, which means "any" to clients.
const FIRST_REVISION: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::object::{Holes, Uid};
    use crate::kube::testing::{compile, objects};
    use crate::kube::{Cluster, store};
    use proptest::prelude::*;
    use serde_json::json;
    use std::sync::LazyLock;

    #[derive(Debug, Clone)]
    enum Step {
        Put(usize),
        Remove(usize),
        Beat(usize),
        Compact,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..PATHS.len()).prop_map(Step::Put),
            (0..PATHS.len()).prop_map(Step::Remove),
            (0..6_usize).prop_map(Step::Beat),
            Just(Step::Compact),
        ];
        proptest::collection::vec(step, 0..40)
    }

    /// Nodes: the first two are of the baseline.
    const PATHS: [&str; 4] = ["edge-worker-1", "edge-worker-2", "a-new-one", "z-another"];
    const HISTORY: usize = 8;
    static BASELINE: LazyLock<Arc<Baseline>> = LazyLock::new(|| Arc::new(compile(objects()).unwrap()));

    fn new_store() -> Store {
        Store::new(Particulars::new("edge", 1, 1_767_225_600), BASELINE.clone(), HISTORY, 0)
    }

    /// Paths and revisions, which is all that a naive model keeps.
    fn state(found: Vec<Found<'_>>, store: &Store) -> Vec<(String, u64)> {
        found.iter().map(|found| (found.path.to_string(), store.stamp(&found.version).revision)).collect()
    }

    fn put(store: &mut Store, resource: ResourceId, path: &str) {
        let object = json!({"metadata": {"name": store::name_of(path)}});
        let stamp = Stamp {
            uid: Uid::of_baseline(9, 9),
            revision: 0,
            created_s: 0,
            heartbeat_s: 0,
            deleted_s: None,
            generation: 0,
        };
        store.put(resource, path, stamp, Arc::new(ObjectBody::compile(&object, Holes::Stamp)));
    }

    proptest! {
        #[test]
        fn the_past_is_told_as_it_was_or_not_at_all(steps in steps()) {
            let nodes = Cluster::built_in("", "nodes").unwrap().storage;
            let mut store = new_store();
            let start = store.revision();
            // The naive model: the whole state after every revision, and what each revision was about.
            let mut states = vec![state(store.list(nodes, None), &store)];
            let mut changed: Vec<ResourceId> = Vec::new();
            // How many changes there were at each compaction; one forgets what was there at the one before.
            let mut compactions = vec![0, 0];
            for step in steps {
                let before = store.revision();
                match step {
                    Step::Put(at) => put(&mut store, nodes, PATHS[at]),
                    Step::Remove(at) => _ = store.remove(nodes, PATHS[at]),
                    Step::Beat(at) => store.beat(BASELINE.beating()[at], 1_767_225_700),
                    Step::Compact => {
                        store.compact();
                        compactions.push(changed.len());
                    }
                }
                prop_assert!(store.revision() <= before + 1, "one change, one revision");
                if store.revision() > before {
                    let beat = match step {
                        Step::Beat(at) => BASELINE.resource(BASELINE.beating()[at]),
                        Step::Put(_) | Step::Remove(_) | Step::Compact => nodes,
                    };
                    changed.push(beat);
                    states.push(state(store.list(nodes, None), &store));
                }
                let objects = states.last().unwrap();
                prop_assert!(objects.is_sorted());
                prop_assert_eq!(store.count(nodes), objects.len());
            }
            let compacted = compactions[compactions.len() - 2];
            let forgotten = changed.len().saturating_sub(HISTORY).max(compacted);
            let last_forgotten = changed[..forgotten].iter().rposition(|resource| *resource == nodes);
            let oldest = last_forgotten.map_or(start, |at| start + at as u64 + 1);
            for (revision, expected) in (start..).zip(&states) {
                match store.list_at(nodes, None, revision) {
                    Ok(found) => {
                        prop_assert!(revision >= oldest);
                        prop_assert_eq!(&state(found, &store), expected);
                    }
                    Err(told) => {
                        prop_assert!(revision < oldest);
                        prop_assert_eq!(told, oldest);
                    }
                }
            }
        }
    }

    #[test]
    fn a_cluster_is_small() {
        let mut store = new_store();
        assert!(store.size_bytes() < 1_000, "{}", store.size_bytes());
        for _ in 0..100 {
            for ordinal in BASELINE.beating() {
                store.beat(*ordinal, 1_767_225_700);
            }
        }
        assert!(store.size_bytes() < 2_000, "{}", store.size_bytes());
    }
}
