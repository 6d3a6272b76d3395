//! A watch under way: a cursor into the history.

use super::render::{Asked, Filter, columns};
use crate::kube::object::Stamp;
use crate::kube::request::negotiate::Form;
use crate::kube::request::served::Served;
use crate::kube::store::{Resumption, Version};
use crate::kube::table::{self, Columns};
use crate::kube::verbs::too_old;
use crate::kube::{Cluster, Progress, Status};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::io::Write;
use std::vec::IntoIter;

/// A watch. While nothing happens it costs this struct and no more.
#[derive(Debug)]
pub(in crate::kube) struct Watching {
    served: Served,
    asked: Asked,
    filter: Filter,
    /// Everything up to this revision is told.
    cursor: u64,
    /// Objects that were there at the beginning and are not told yet.
    initial: IntoIter<Version>,
    /// The bookmark that follows the initial objects is due.
    ends_initial: bool,
    bookmarks: Option<Timestamp>,
    deadline: Timestamp,
    failure: Option<Status>,
    /// The columns of a table watch; the first event carries their definitions.
    columns: Option<Columns>,
    is_first: bool,
}

/// What follows the objects that were there at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kube) enum Initial {
    /// Nothing.
    Silent,
    /// A bookmark that says so, where the client takes bookmarks.
    EndsWithBookmark,
}

impl Watching {
    /// A watch from `revision` on.
    pub(in crate::kube) fn new(served: Served, asked: Asked, filter: Filter, revision: u64) -> Watching {
        Watching {
            columns: matches!(asked.form, Form::Table(_)).then(|| columns(&served)),
            served,
            asked,
            filter,
            cursor: revision,
            initial: Vec::new().into_iter(),
            ends_initial: false,
            bookmarks: None,
            deadline: Timestamp::MAX,
            failure: None,
            is_first: true,
        }
    }

    /// Tells of the objects that are there, first.
    pub(in crate::kube) fn begin_with(&mut self, cluster: &Cluster, end: Initial) {
        let found = cluster.store.list(self.served.storage, self.filter.namespace.as_deref());
        let matching = found.into_iter().filter(|found| self.filter.matches(cluster, &self.served, &found.version));
        self.initial = matching.map(|found| found.version).collect::<Vec<_>>().into_iter();
        self.ends_initial = end == Initial::EndsWithBookmark;
    }

    /// Begins after an earlier revision.
    pub(in crate::kube) fn resume_after(&mut self, revision: u64) {
        self.cursor = revision;
    }

    /// Tells of nothing but a failure.
    pub(in crate::kube) fn fail(&mut self, status: Status) {
        self.failure = Some(status);
    }

    /// Ends at this time.
    pub(in crate::kube) fn set_deadline(&mut self, deadline: Timestamp) {
        self.deadline = deadline;
    }

    /// Tells from time to time how far it has come.
    pub(in crate::kube) fn send_bookmarks(&mut self, now: Timestamp) {
        self.bookmarks = Some(later(now, BOOKMARK_INTERVAL_S));
    }

    /// When it wants to be polled though nothing changed.
    pub(in crate::kube) fn wake_at(&self) -> Timestamp {
        self.bookmarks.map_or(self.deadline, |bookmark| bookmark.min(self.deadline))
    }

    /// Appends about `budget` bytes of events.
    pub(in crate::kube) fn poll(
        &mut self,
        cluster: &Cluster,
        now: Timestamp,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> Progress {
        let start = out.len();
        let is_full = |out: &Vec<u8>| out.len() - start >= budget.max(1);
        if let Some(status) = self.failure.take() {
            write_error(&status, out);
            return Progress::Done;
        }
        while let Some(version) = self.initial.next() {
            let stamp = cluster.store.stamp(&version);
            self.event(cluster, "ADDED", &version, &stamp, out);
            if is_full(out) {
                return Progress::More;
            }
        }
        // The memory they were in goes with them: nearly all watches of a fleet are past this point.
        self.initial = IntoIter::default();
        if std::mem::take(&mut self.ends_initial) && self.bookmarks.is_some() {
            self.bookmark(true, out);
        }
        if let Resumption::Expired { oldest } = cluster.store.resumption(self.served.storage, self.cursor) {
            write_error(&too_old(self.cursor, oldest), out);
            return Progress::Done;
        }
        for (revision, event) in cluster.store.events_after(self.served.storage, self.cursor) {
            if is_full(out) {
                return Progress::More;
            }
            self.cursor = revision;
            let (before, after, is_delete) = event.versions(revision);
            let before = before.filter(|before| self.filter.matches(cluster, &self.served, before));
            let passes = !is_delete && self.filter.matches(cluster, &self.served, &after);
            let stamp = cluster.store.stamp(&after);
            match (&before, passes) {
                (None, true) => self.event(cluster, "ADDED", &after, &stamp, out),
                (Some(_), true) => self.event(cluster, "MODIFIED", &after, &stamp, out),
                // What it last was, at the revision at which it was gone for this watch.
                (Some(before), false) => {
                    let stamp = Stamp { revision, ..cluster.store.stamp(before) };
                    self.event(cluster, "DELETED", before, &stamp, out);
                }
                (None, false) => {}
            }
        }
        self.cursor = self.cursor.max(cluster.revision());
        let is_over = now >= self.deadline || !cluster.serves(&self.served);
        if let Some(due) = self.bookmarks
            && (now >= due || is_over)
        {
            self.bookmark(false, out);
            self.bookmarks = Some(later(now, BOOKMARK_INTERVAL_S));
        }
        if is_over { Progress::Done } else { Progress::Idle }
    }

    fn event(&mut self, cluster: &Cluster, kind: &str, version: &Version, stamp: &Stamp, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        _ = write!(out, "{{\"type\":\"{kind}\",\"object\":");
        if self.asked.form == Form::Object {
            cluster.render_as(&self.served, version, stamp, out);
        } else {
            let mut bytes = Vec::new();
            cluster.render_as(&self.served, version, stamp, &mut bytes);
            let object: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            out.extend_from_slice(self.transformed(&object).to_string().as_bytes());
        }
        out.extend_from_slice(b"}\n");
    }

    /// The table or the metadata of an object.
    fn transformed(&mut self, object: &Value) -> Value {
        match (self.asked.form, &self.columns) {
            (Form::Table(version), Some(columns)) => {
                let is_first = std::mem::take(&mut self.is_first);
                let definitions = if is_first { columns.definitions() } else { Value::Null };
                json!({
                    "kind": "Table", "apiVersion": format!("meta.k8s.io/{version}"),
                    "metadata": {"resourceVersion": object["metadata"]["resourceVersion"]},
                    "columnDefinitions": definitions,
                    "rows": [columns.row(object, version, self.asked.include, self.asked.now)]
                })
            }
            (Form::Metadata(version), _) => table::partial_metadata(object, version),
            _ => object.clone(),
        }
    }

    fn bookmark(&mut self, ends_initial: bool, out: &mut Vec<u8>) {
        let mut metadata = json!({"resourceVersion": self.cursor.to_string(), "creationTimestamp": null});
        if ends_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (version, kind) = match self.asked.form {
            Form::Metadata(version) => (format!("meta.k8s.io/{version}"), "PartialObjectMetadata"),
            Form::Object | Form::Yaml | Form::Table(_) => (self.served.api_version(), self.served.kind.as_ref()),
        };
        let mut object = json!({"apiVersion": version, "kind": kind, "metadata": metadata});
        if matches!(self.asked.form, Form::Table(_)) {
            object = self.transformed(&object);
        }
        _ = writeln!(out, "{{\"type\":\"BOOKMARK\",\"object\":{object}}}");
    }
}

fn write_error(status: &Status, out: &mut Vec<u8>) {
    _ = writeln!(out, "{{\"type\":\"ERROR\",\"object\":{}}}", status.to_json());
}

fn later(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// As often as kube-apiserver's watch cache sends them.
const BOOKMARK_INTERVAL_S: i64 = 60;

#[cfg(test)]
mod tests {
    use crate::kube::testing::{Bench, Watch};
    use crate::kube::{Heartbeat, Limits, Progress};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    /// One step of a history that many watch.
    #[derive(Debug, Clone)]
    enum Step {
        Write {
            namespace: usize,
            name: usize,
            label: usize,
            value: u8,
        },
        Delete {
            namespace: usize,
            name: usize,
        },
        Report,
        /// What was there the time before is forgotten.
        Compact,
        /// A watcher reads at most so many bytes.
        Read {
            watcher: usize,
            bytes: usize,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..2_usize, 0..4_usize, 0..2_usize, 0..3_u8)
                .prop_map(|(namespace, name, label, value)| Step::Write { namespace, name, label, value }),
            2 => (0..2_usize, 0..4_usize).prop_map(|(namespace, name)| Step::Delete { namespace, name }),
            1 => Just(Step::Report),
            3 => (0..SELECTIONS.len(), 0..3_000_usize).prop_map(|(watcher, bytes)| Step::Read { watcher, bytes }),
        ]
    }

    /// What is written, on behalf of whoever.
    fn write(bench: &mut Bench, step: &Step) {
        match step {
            Step::Write { namespace, name, label, value } => {
                let target = format!("/api/v1/namespaces/{}/configmaps", NAMESPACES[*namespace]);
                let object = json!({
                    "metadata": {"name": format!("c{name}"), "labels": {"l": label.to_string()}}, "data": {"v": value.to_string()}
                });
                if bench.post(&target, object.clone()).code == 409 {
                    bench.put(&format!("{target}/c{name}"), &object).ok();
                }
            }
            Step::Delete { namespace, name } => {
                bench.delete(&format!("/api/v1/namespaces/{}/configmaps/c{name}", NAMESPACES[*namespace]));
            }
            Step::Report => bench.cluster.report(Heartbeat::LeasesAndNodes, bench.now),
            Step::Compact | Step::Read { .. } => {}
        }
    }

    const NAMESPACES: [&str; 2] = ["web", "default"];
    const SELECTIONS: [(&str, &str); 4] = [
        ("/api/v1/configmaps", ""),
        ("/api/v1/namespaces/web/configmaps", ""),
        ("/api/v1/configmaps", "labelSelector=l%3D1"),
        ("/api/v1/configmaps", "fieldSelector=metadata.name%3Dc2"),
    ];

    /// What a client that follows a watch believes, and checks on the way.
    #[derive(Default)]
    struct Follower {
        objects: BTreeMap<(String, String), Value>,
        last: u64,
    }

    impl Follower {
        fn take(&mut self, event: &Value) {
            let object = &event["object"];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let revision: u64 = text(&object["metadata"]["resourceVersion"]).parse().unwrap();
            assert!(revision > self.last, "{revision} after {}: out of order or twice", self.last);
            self.last = revision;
            let key = (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
            match event["type"].as_str().unwrap() {
                "ADDED" => assert!(self.objects.insert(key, object.clone()).is_none(), "added twice: {event}"),
                "MODIFIED" => assert!(self.objects.insert(key, object.clone()).is_some(), "a gap before {event}"),
                "DELETED" => assert!(self.objects.remove(&key).is_some(), "a gap before {event}"),
                other => panic!("{other}: {event}"),
            }
        }
    }

    fn list(bench: &mut Bench, selection: (&str, &str)) -> BTreeMap<(String, String), Value> {
        let list = bench.get(&format!("{}?{}", selection.0, selection.1)).ok();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let items = list["items"].as_array().unwrap().iter().map(|item| {
            let mut item = item.clone();
            item["apiVersion"] = json!("v1");
            item["kind"] = json!("ConfigMap");
            ((text(&item["metadata"]["namespace"]), text(&item["metadata"]["name"])), item)
        });
        items.collect()
    }

    proptest! {
        #[test]
        fn every_watcher_sees_exactly_the_history(steps in proptest::collection::vec(step(), 1..60)) {
            let mut bench = Bench::with_limits(Limits { watch_history: 1_000, objects: 1_000, object_bytes: 10_000 });
            let mut watchers: Vec<(Watch, Follower)> = Vec::new();
            for selection in SELECTIONS {
                let revision = bench.cluster.revision();
                let objects = list(&mut bench, selection);
                let target = format!("{}?watch=1&resourceVersion={revision}&{}", selection.0, selection.1);
                watchers.push((bench.watch(&target), Follower { objects, last: revision }));
            }
            for step in steps {
                write(&mut bench, &step);
                if let Step::Read { watcher, bytes } = step {
                    let (watch, follower) = &mut watchers[watcher];
                    let mut out = Vec::new();
                    watch.streaming.poll(&bench.cluster, bench.now, &mut out, bytes);
                    for line in String::from_utf8(out).unwrap().lines() {
                        follower.take(&serde_json::from_str(line).unwrap());
                    }
                }
            }
            for ((watch, follower), selection) in watchers.iter_mut().zip(SELECTIONS) {
                for event in watch.events(&bench) {
                    follower.take(&event);
                }
                prop_assert_eq!(&follower.objects, &list(&mut bench, selection));
            }
        }
    }

    /// A client that watches, and begins anew where it is told that it has missed something.
    struct Listener {
        selection: (&'static str, &'static str),
        watch: Watch,
        /// What it was told since `begin`, and that up to `end` this was all.
        begin: u64,
        end: u64,
        told: Vec<Value>,
    }

    /// What a listener was told between two revisions.
    type Stretch = (u64, u64, Vec<Value>);

    impl Listener {
        fn new(bench: &mut Bench, selection: (&'static str, &'static str)) -> Listener {
            let begin = bench.cluster.revision();
            let target = format!("{}?watch=1&resourceVersion={begin}&{}", selection.0, selection.1);
            Listener { selection, watch: bench.watch(&target), begin, end: begin, told: Vec::new() }
        }

        /// Reads at most so many bytes; where there is a gap, what was told before it.
        fn read(&mut self, bench: &mut Bench, bytes: usize) -> Option<Stretch> {
            let mut out = Vec::new();
            let progress = self.watch.streaming.poll(&bench.cluster, bench.now, &mut out, bytes);
            for line in String::from_utf8(out).unwrap().lines() {
                let mut event: Value = serde_json::from_str(line).unwrap();
                if event["type"] == "ERROR" {
                    assert_eq!((&event["object"]["code"], progress), (&json!(410), Progress::Done));
                    let new = Listener::new(bench, self.selection);
                    let old = std::mem::replace(self, new);
                    return Some((old.begin, old.end, old.told));
                }
                self.end = revision(&event);
                // Random, and not the same in another cluster.
                event["object"]["metadata"].as_object_mut().unwrap().remove("uid");
                self.told.push(event);
            }
            if progress == Progress::Idle {
                self.end = bench.cluster.revision();
            }
            None
        }
    }

    fn revision(event: &Value) -> u64 {
        event["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
    }

    const KEPT: u64 = 10;

    proptest! {
        // Each plays a history in two clusters.
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_watcher_sees_all_of_a_stretch_of_history_or_is_told_of_the_gap(
            steps in proptest::collection::vec(prop_oneof![10 => step(), 1 => Just(Step::Compact)], 1..120)
        ) {
            let limits = |watch_history| Limits { watch_history, objects: 1_000, object_bytes: 10_000 };
            let mut bench = Bench::with_limits(limits(KEPT as usize));
            // One that forgets nothing, with the same revisions.
            let mut twin = Bench::with_limits(limits(10_000));
            let mut all = SELECTIONS.map(|selection| Listener::new(&mut twin, selection));
            let mut listeners = SELECTIONS.map(|selection| Listener::new(&mut bench, selection));
            let mut stretches: Vec<(usize, Stretch)> = Vec::new();
            let mut compactions = vec![bench.cluster.revision(); 2];
            let read_all = (0..SELECTIONS.len()).map(|watcher| Step::Read { watcher, bytes: usize::MAX });
            for step in steps.into_iter().chain(read_all) {
                write(&mut bench, &step);
                write(&mut twin, &step);
                prop_assert_eq!(bench.cluster.revision(), twin.cluster.revision());
                match step {
                    Step::Compact => {
                        bench.cluster.compact();
                        compactions.push(bench.cluster.revision());
                    }
                    Step::Read { watcher, bytes } => {
                        let Some(stretch) = listeners[watcher].read(&mut bench, bytes) else { continue };
                        // A gap is told only where there is one: something of the kind was forgotten.
                        all[0].read(&mut twin, usize::MAX);
                        let by_number = bench.cluster.revision().saturating_sub(KEPT);
                        let forgotten = compactions[compactions.len() - 2].max(by_number);
                        let missed = |event: &Value| (stretch.1 + 1..=forgotten).contains(&revision(event));
                        prop_assert!(all[0].told.iter().any(missed), "{watcher} was told of a gap from {}", stretch.1);
                        stretches.push((watcher, stretch));
                    }
                    _ => {}
                }
            }
            for (watcher, listener) in listeners.into_iter().enumerate() {
                stretches.push((watcher, (listener.begin, listener.end, listener.told)));
            }
            for (watcher, (begin, end, told)) in stretches {
                all[watcher].read(&mut twin, usize::MAX);
                let within = all[watcher].told.iter().filter(|event| (begin + 1..=end).contains(&revision(event)));
                prop_assert!(told.iter().eq(within), "{watcher} from {begin} to {end}: {told:?}");
            }
        }
    }

    #[test]
    fn a_watch_keeps_to_its_budget() {
        let mut bench = Bench::new();
        let mut watch = bench.watch("/api/v1/namespaces?watch=1");
        let mut out = Vec::new();
        assert_eq!(watch.streaming.poll(&bench.cluster, bench.now, &mut out, 1), Progress::More);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1, "one whole event");
    }
}
