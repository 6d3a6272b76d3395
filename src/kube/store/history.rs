//! The latest changes of a cluster, in order: those of five to ten minutes, and no more than a number.

use super::{Stored, Touched, Version};
use crate::kube::ResourceId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One change of one object.
#[derive(Debug, Clone)]
pub(in crate::kube) enum Event {
    /// A baseline object gave a sign of life. Most events are of this kind, so it is kept small.
    Beat {
        /// What kind of object.
        resource: ResourceId,
        /// Which object.
        ordinal: u32,
        /// Its heartbeat since.
        heartbeat_s: u32,
        /// Its heartbeat before.
        previous_heartbeat_s: u32,
        /// How many revisions ago it changed before.
        previous_age: u32,
    },
    /// An object was created, changed or deleted.
    Write(Arc<Write>),
}

/// A change that somebody made.
#[derive(Debug)]
pub(in crate::kube) struct Write {
    /// What kind of object.
    pub resource: ResourceId,
    /// The object before; `None` for a create.
    pub previous: Option<Version>,
    /// The object after; for a delete its last state, with the delete's revision.
    pub object: Arc<Stored>,
    /// Whether this was a delete.
    pub is_delete: bool,
}

/// Whether a watch can go on where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kube) enum Resumption {
    /// Everything after is still here.
    Possible,
    /// Changes after it are forgotten; those after `oldest` are not.
    Expired { oldest: u64 },
}

/// A bounded ring of events. The event at position `i` has the revision `first + i`.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Event>,
    first: u64,
    capacity: usize,
    /// What was known before the first event.
    start: u64,
    /// The latest forgotten revision of each resource that has one.
    forgotten: BTreeMap<ResourceId, u64>,
    /// The revision that the next compaction goes up to.
    compacted_next: u64,
}

impl History {
    /// An empty history after `revision`.
    pub(super) fn new(revision: u64, capacity: usize) -> History {
        History {
            events: VecDeque::new(),
            first: revision + 1,
            capacity: capacity.max(1),
            start: revision,
            forgotten: BTreeMap::new(),
            compacted_next: revision,
        }
    }

    /// The revision of the latest event.
    pub(super) fn revision(&self) -> u64 {
        self.first + self.events.len() as u64 - 1
    }

    /// The revision before the first event there ever was.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Adds the event of the next revision.
    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() == self.capacity {
            self.forget_oldest();
        }
        self.events.push_back(event);
    }

    /// Forgets what was already there the time before, and gives back the room that a burst took.
    pub(super) fn compact(&mut self) {
        while self.first <= self.compacted_next && !self.events.is_empty() {
            self.forget_oldest();
        }
        if self.events.capacity() > 4 * self.events.len() {
            self.events.shrink_to(2 * self.events.len());
        }
        self.compacted_next = self.revision();
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.events.pop_front() {
            self.forgotten.insert(oldest.resource(), self.first);
            self.first += 1;
        }
    }

    /// Whether everything that happened to `resource` after `revision` is still known.
    pub(super) fn resumption(&self, resource: ResourceId, revision: u64) -> Resumption {
        let oldest = self.forgotten.get(&resource).copied().unwrap_or(self.start);
        if revision >= oldest { Resumption::Possible } else { Resumption::Expired { oldest } }
    }

    /// The events of `resource` after `revision` that are still known, with their revisions.
    pub(super) fn after(&self, resource: ResourceId, revision: u64) -> impl Iterator<Item = (u64, &Event)> {
        let skipped = revision.saturating_add(1).saturating_sub(self.first);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.events.len());
        let numbered = self.events.range(skipped..).zip(self.first + skipped as u64..);
        numbered.filter(move |(event, _)| event.resource() == resource).map(|(event, revision)| (revision, event))
    }

    /// All events after `revision`; `None` if some of them are forgotten.
    pub(super) fn all_after(&self, revision: u64) -> Option<impl Iterator<Item = &Event>> {
        let skipped = revision.checked_add(1)?.checked_sub(self.first)?;
        Some(self.events.range(usize::try_from(skipped).unwrap_or(usize::MAX).min(self.events.len())..))
    }

    /// About how many bytes it takes, without the objects.
    pub(super) fn size_bytes(&self) -> usize {
        self.events.capacity() * size_of::<Event>()
    }
}

impl Event {
    /// What kind of object it is about.
    fn resource(&self) -> ResourceId {
        match self {
            Event::Beat { resource, .. } => *resource,
            Event::Write(write) => write.resource,
        }
    }

    /// The object before and after the event of `revision`, and whether it is gone.
    pub(in crate::kube) fn versions(&self, revision: u64) -> (Option<Version>, Version, bool) {
        match self {
            Event::Beat { ordinal, heartbeat_s, previous_heartbeat_s, previous_age, .. } => {
                let before = Touched {
                    ordinal: *ordinal,
                    heartbeat_s: *previous_heartbeat_s,
                    revision: revision - u64::from(*previous_age),
                };
                let after = Touched { ordinal: *ordinal, heartbeat_s: *heartbeat_s, revision };
                (Some(Version::Baseline(before)), Version::Baseline(after), false)
            }
            Event::Write(write) => (write.previous.clone(), Version::Written(write.object.clone()), write.is_delete),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PODS: ResourceId = ResourceId(1);
    const LEASES: ResourceId = ResourceId(2);

    fn beat(resource: ResourceId) -> Event {
        Event::Beat { resource, ordinal: 0, heartbeat_s: 1, previous_heartbeat_s: 0, previous_age: 1 }
    }

    fn revisions(history: &History, resource: ResourceId, after: u64) -> Vec<u64> {
        history.after(resource, after).map(|(revision, _)| revision).collect()
    }

    #[test]
    fn an_event_is_small() {
        assert_eq!(size_of::<Event>(), 24);
    }

    #[test]
    fn events_come_in_order_from_any_revision() {
        let mut history = History::new(100, 10);
        assert_eq!(history.revision(), 100);
        for resource in [PODS, LEASES, PODS] {
            history.push(beat(resource));
        }
        assert_eq!(history.revision(), 103);
        assert_eq!(revisions(&history, PODS, 0), [101, 103]);
        assert_eq!(revisions(&history, PODS, 101), [103]);
        assert_eq!(revisions(&history, PODS, 103), [0; 0]);
        assert_eq!(revisions(&history, PODS, u64::MAX), [0; 0]);
    }

    #[test]
    fn an_event_is_known_for_one_to_two_compactions() {
        let mut history = History::new(100, 1_000);
        let mut oldest_known = Vec::new();
        for report in 0..60 {
            // A report every half minute, a compaction every five.
            if report % 10 == 3 {
                history.compact();
            }
            history.push(beat(LEASES));
            let oldest = history.after(LEASES, 0).next().map(|(revision, _)| revision - 101);
            oldest_known.push(oldest.map(|oldest| 30 * (report - oldest as i64)));
        }
        // Seconds since the oldest event that is left: five minutes after a compaction, almost ten before the next.
        let steady = &oldest_known[20..];
        assert_eq!(steady.iter().flatten().min(), Some(&300));
        assert_eq!(steady.iter().flatten().max(), Some(&570));
        assert!(history.size_bytes() <= 32 * size_of::<Event>(), "{} bytes", history.size_bytes());
    }

    #[test]
    fn the_room_of_a_burst_is_given_back() {
        let mut history = History::new(100, 1_000);
        history.compact();
        for _ in 0..900 {
            history.push(beat(PODS));
        }
        history.compact();
        assert_eq!(history.resumption(PODS, 100), Resumption::Possible, "it came after the compaction before");
        history.compact();
        assert_eq!(history.resumption(PODS, 999), Resumption::Expired { oldest: 1_000 });
        assert_eq!(history.resumption(PODS, 1_000), Resumption::Possible);
        assert_eq!((history.revision(), history.size_bytes()), (1_000, 0));
        history.push(beat(PODS));
        assert_eq!(revisions(&history, PODS, 1_000), [1_001]);
    }

    #[test]
    fn a_quiet_kind_does_not_expire_because_leases_beat() {
        let mut history = History::new(100, 3);
        history.push(beat(PODS));
        for _ in 0..3 {
            history.push(beat(LEASES));
        }
        // The pod's event, 101, is forgotten: a watch from 101 missed nothing, one from 100 did.
        assert_eq!(history.resumption(PODS, 101), Resumption::Possible);
        assert_eq!(history.resumption(PODS, 100), Resumption::Expired { oldest: 101 });
        history.push(beat(LEASES));
        assert_eq!(history.resumption(PODS, 101), Resumption::Possible);
        assert_eq!(history.resumption(LEASES, 101), Resumption::Expired { oldest: 102 });
        assert_eq!(history.resumption(LEASES, 102), Resumption::Possible);
        assert_eq!(history.resumption(ResourceId(3), 99), Resumption::Expired { oldest: 100 });
    }
}
