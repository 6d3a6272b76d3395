//! What a control plane does by itself when something was written.
//!
//! Each controller is told of every write of a request once the request is answered, and answers with writes of its own, until nothing
//! is left to do: a client sees their outcome with its next request at the latest, and in the meantime what the API server itself said.

mod aggregation;
mod cleanup;
pub(super) mod crd;
mod garbage;
pub(super) mod namespace;
pub(super) mod pod_requests;
mod quota;
mod report;
mod service_account;
mod workload;

use super::Cluster;
use super::served::Served;
use super::store::{Version, Write};
use super::strategy::Part;
use super::verbs::Keep;
use jiff::Timestamp;
use serde_json::Value;

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
    /// Lets the controllers catch up.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some(write) = self.unsettled.pop_front() {
            let Some(served) = self.stored_as(write.resource) else { continue };
            let happening = Happening { served, write: &write, now };
            self.keep_namespaces(&happening);
            self.keep_definitions(&happening);
            self.keep_accounts(&happening);
            self.aggregate_roles(&happening);
            self.run_workloads(&happening);
            self.note_pods(&happening);
            self.note_cleanup(&happening);
            self.count_quotas(&happening);
            self.collect_garbage(&happening);
        }
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
        _ = self.change(served, &before, object, part, Keep::Yes);
    }
}
