//! What a control plane does by itself when something was written.
//!
//! Each controller is told of every write of a request once the request is answered, and answers with writes of its own, until nothing
//! is left to do: a client sees their outcome with its next request at the latest, and in the meantime what the API server itself said.
//! Those that keep workloads look at objects that stand on an agenda, now or at a time that follows from the object itself, so that
//! they go on after a restart where they were.

mod adoption;
mod agenda;
mod aggregation;
mod api_service;
mod cleanup;
mod crd;
mod cron_job;
mod daemon_set;
mod deployment;
mod disruption;
pub(super) mod endpoints;
mod event;
mod garbage;
mod job;
mod kubelet;
pub(super) mod namespace;
pub(super) mod node_taints;
mod notice;
mod owned;
mod placement;
pub(super) mod pod_requests;
mod pods;
mod quota;
mod refusal;
mod replica_set;
mod report;
mod revision;
mod schedule;
mod service_account;
mod set_claims;
mod stateful_set;
mod taints;
#[cfg(test)]
mod tests;
pub(super) mod volumes;

pub(super) use agenda::Agenda;
pub(super) use placement::Load;

use super::object::time;
use super::store::{Version, Write, name_of};
use super::strategy::Part;
use super::verbs::{By, DeleteOptions, Keep};
use super::{Cluster, Status, tree};
use crate::kube::request::served::Served;
use agenda::Work;
use jiff::Timestamp;
use replica_set::{REPLICA_SETS, REPLICATION_CONTROLLERS};
use serde_json::{Value, json};

/// A write as controllers see it.
pub(super) struct Happening<'a> {
    pub served: Served,
    pub write: &'a Write,
    pub now: Timestamp,
}

impl Happening<'_> {
    /// The object's last state.
    fn version(&self) -> Version {
        Version::Written(self.write.object.clone())
    }

    fn is_new(&self) -> bool {
        self.write.previous.is_none()
    }

    fn is_deleting(&self) -> bool {
        !self.write.is_delete && self.write.object.stamp.deleted_s.is_some()
    }
}

impl Cluster {
    /// Lets the controllers catch up, as far as one turn goes.
    pub(super) fn settle(&mut self, now: Timestamp) {
        for _ in 0..LOOKS_AT_ONCE {
            self.hear(now);
            match self.agenda.take(now) {
                Some(work) => self.look(work, now),
                None => return,
            }
        }
        self.hear(now);
    }

    /// Tells the controllers of what was written.
    pub(super) fn hear(&mut self, now: Timestamp) {
        while let Some(write) = self.unsettled.pop_front() {
            let Some(served) = self.stored_as(write.resource) else { continue };
            let happening = Happening { served, write: &write, now };
            self.keep_namespaces(&happening);
            self.keep_definitions(&happening);
            self.keep_accounts(&happening);
            self.aggregate_roles(&happening);
            self.notice(&happening);
            self.note_pods(&happening);
            self.note_cleanup(&happening);
            self.count_quotas(&happening);
            self.collect_garbage(&happening);
        }
    }

    fn look(&mut self, work: Work, now: Timestamp) {
        let refused = self.agenda.is_refused(&work).then(|| work.clone());
        self.take_look(work, now);
        if let Some(work) = refused {
            self.agenda.done(&work, now);
        }
    }

    fn take_look(&mut self, work: Work, now: Timestamp) {
        match work {
            Work::Claim(path) => self.keep_claim(&path, now),
            Work::ReplicaSet(path) => self.keep_replicas(&REPLICA_SETS, &path, now),
            Work::ReplicationController(path) => self.keep_replicas(&REPLICATION_CONTROLLERS, &path, now),
            Work::DaemonSet(path) => self.keep_daemon_set(&path, now),
            Work::StatefulSet(path) => self.keep_stateful_set(&path, now),
            Work::Job(path) => self.keep_job(&path, now),
            Work::Placement => self.place_pods(now),
            Work::Pod(path) => self.keep_pod(&path, now),
            Work::Taints(path) => self.keep_taints(&path, now),
            Work::Eviction(path) => self.keep_eviction(&path, now),
            Work::Deployment(path) => self.keep_deployment(&path, now),
            Work::CronJob(path) => self.keep_cron_job(&path, now),
            Work::Service(path) => self.keep_endpoints(&path, now),
            Work::Budget(path) => self.keep_budget(&path, now),
            Work::Definition(path) => self.keep_definition(&path, now),
            Work::Owned(resource, path) => self.keep_owned(resource, &path, now),
        }
    }

    /// An object of a built-in kind that nobody has deleted.
    fn living(&self, group: &str, plural: &str, path: &str) -> Option<(Served, Version, Value)> {
        let served = Cluster::built_in(group, plural)?;
        let version = self.store.get(served.storage, path)?;
        let is_living = self.store.stamp(&version).deleted_s.is_none();
        is_living.then(|| (served.clone(), version.clone(), self.value(&served, &version)))
    }

    /// Makes an object on behalf of a controller and tells its name.
    fn spawn(&mut self, served: &Served, object: Value, now: Timestamp) -> Result<String, Status> {
        let version = self.make(served, object, Keep::Yes, now)?;
        Ok(name_of(&self.store.path(&version)).to_owned())
    }

    /// Deletes an object on behalf of a controller; whatever refuses that has its reasons.
    fn withdraw(&mut self, served: &Served, version: &Version, now: Timestamp) {
        _ = self.delete_object(served, version, &DeleteOptions::default(), now);
    }

    /// Changes an object, status and all, on behalf of a controller; whether that changed anything.
    fn rewrite(&mut self, served: &Served, path: &str, change: impl FnOnce(&mut Value)) -> bool {
        let Some(before) = self.store.get(served.storage, path) else { return false };
        let old = self.value(served, &before);
        let mut object = old.clone();
        change(&mut object);
        let revision = self.store.revision();
        if object != old {
            // What is too large stays what it was.
            _ = self.store_changed(served, &before, old, object, Keep::Yes);
        }
        self.store.revision() != revision
    }

    /// Changes the status of an object of a built-in kind; the change is given the time as objects show it.
    fn set_status(
        &mut self,
        group: &str,
        plural: &str,
        path: &str,
        now: Timestamp,
        change: impl FnOnce(&mut Value, &str),
    ) {
        let Some(served) = Cluster::built_in(group, plural) else { return };
        let now = time(now.as_second());
        self.rewrite(&served, path, |object| {
            let status = tree::at(object, &["status"]);
            if !status.is_object() {
                *status = json!({});
            }
            change(status, &now);
        });
    }

    /// Makes an object on behalf of a controller; that it is there already, or that its namespace is going, is fine.
    fn ensure(&mut self, served: &Served, object: Value, now: Timestamp) {
        if let Err(status) = self.make(served, object, Keep::Yes, now) {
            debug_assert!(status.code != 400 && status.code != 422, "a controller made a bad object: {status:?}");
        }
    }

    /// Changes an object on behalf of a controller, as it is now.
    pub(super) fn amend(&mut self, served: &Served, path: &str, part: Part, change: impl FnOnce(&mut Value)) {
        let Some(before) = self.store.get(served.storage, path) else { return };
        let mut object = self.value(served, &before);
        change(&mut object);
        // A controller reads the revision it writes, so that nothing but a full store can refuse it.
        _ = self.change(served, &before, object, part, Keep::Yes, By::Settled);
    }
}

/// What controllers do before the worker's other clusters get their turn; the rest follows at once.
const LOOKS_AT_ONCE: usize = 64;
