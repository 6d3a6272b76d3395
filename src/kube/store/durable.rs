//! What of a store outlives the process: the overlay, and nothing that the baseline or a clock gives again.

use super::{Event, Store, Stored, Version, Write};
use crate::kube::ResourceId;
use crate::kube::object::{ObjectBody, Stamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A place in the overlay: the object there, or `None` where a baseline object was deleted.
pub(in crate::kube) type Place<'a> = (ResourceId, &'a Arc<str>, Option<&'a Arc<Stored>>);

impl Store {
    /// Every place of the overlay.
    pub(in crate::kube) fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.overlay.resources().flat_map(move |resource| {
            let slots = self.overlay.range(resource, "");
            slots.map(move |(path, slot)| (resource, path, slot.object.as_ref()))
        })
    }

    /// Where something but heartbeats was written after `revision`, in no matter how many steps; `None` when that is forgotten.
    pub(in crate::kube) fn touched_since(&self, revision: u64) -> Option<BTreeSet<(ResourceId, Arc<str>)>> {
        let events = self.history.all_after(revision)?;
        let writes = events.filter_map(|event| if let Event::Write(write) = event { Some(write) } else { None });
        let writes = writes.filter(|write| !is_heartbeat(write));
        Some(writes.map(|write| (write.resource, write.object.path.clone())).collect())
    }

    /// What stands at a place of the overlay now; `None` if nothing does.
    pub(in crate::kube) fn place(&self, resource: ResourceId, path: &str) -> Option<Option<&Arc<Stored>>> {
        self.overlay.get(resource, path).map(|slot| slot.object.as_ref())
    }

    /// Puts back what stood at a place, without a change: nobody has seen the store yet.
    pub(in crate::kube) fn restore(&mut self, resource: ResourceId, path: &str, object: Option<(Stamp, ObjectBody)>) {
        let ordinal = self.ordinal_at(resource, path);
        let path: Arc<str> = path.into();
        match object {
            Some((stamp, body)) => {
                let body = Arc::new(body.shared(self.particulars(), &[]));
                let object = Arc::new(Stored { path, stamp, body });
                self.overlay.put(resource, ordinal, object);
            }
            None => self.overlay.remove(resource, &path, ordinal),
        }
    }

    /// The overlay's object at a place as the write that made it.
    pub(in crate::kube) fn as_write(resource: ResourceId, object: &Arc<Stored>) -> Arc<Write> {
        Arc::new(Write { resource, previous: None, object: object.clone(), is_delete: false })
    }
}

/// Whether a write renewed a heartbeat and nothing else.
fn is_heartbeat(write: &Write) -> bool {
    let Some(Version::Written(before)) = &write.previous else { return false };
    let after = &write.object;
    let same = Stamp { revision: after.stamp.revision, heartbeat_s: after.stamp.heartbeat_s, ..before.stamp };
    !write.is_delete && Arc::ptr_eq(&before.body, &after.body) && same == after.stamp
}
