//! What controllers have yet to look at, now or later.

use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A look of one controller at one object. In order: what others are made of comes first, so that they are told of it once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::kube) enum Work {
    /// A persistent volume claim.
    Claim(Arc<str>),
    ReplicaSet(Arc<str>),
    ReplicationController(Arc<str>),
    DaemonSet(Arc<str>),
    StatefulSet(Arc<str>),
    Job(Arc<str>),
    /// All pods that wait for a node.
    Placement,
    /// A pod on a node.
    Pod(Arc<str>),
    Deployment(Arc<str>),
    CronJob(Arc<str>),
    /// The endpoints of a service.
    Service(Arc<str>),
    /// A pod disruption budget.
    Budget(Arc<str>),
}

/// Every look that is due, and those that are due later.
#[derive(Debug, Default)]
pub(in crate::kube) struct Agenda {
    due: BTreeSet<Work>,
    later: BTreeSet<(Timestamp, Work)>,
}

impl Agenda {
    /// A look is due.
    pub(super) fn add(&mut self, work: Work) {
        self.due.insert(work);
    }

    /// A look is due at this time.
    pub(super) fn add_at(&mut self, at: Timestamp, work: Work) {
        self.later.insert((at, work));
    }

    /// What is due next, with all that came due by `now`.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Work> {
        while let Some(first) = self.later.first().filter(|(at, _)| *at <= now).cloned() {
            self.later.remove(&first);
            self.due.insert(first.1);
        }
        self.due.pop_first()
    }

    /// When something is due; a time long ago if it is already.
    pub(in crate::kube) fn next(&self) -> Option<Timestamp> {
        if self.due.is_empty() { self.later.first().map(|(at, _)| *at) } else { Some(Timestamp::UNIX_EPOCH) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_in_order_and_at_their_time() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let pod = |name: &str| Work::Pod(name.into());
        let mut agenda = Agenda::default();
        assert_eq!(agenda.next(), None);
        agenda.add_at(at(20), pod("late"));
        agenda.add_at(at(10), pod("early"));
        agenda.add_at(at(10), pod("early"));
        assert_eq!(agenda.next(), Some(at(10)));
        agenda.add(Work::Deployment("d".into()));
        agenda.add(Work::ReplicaSet("r".into()));
        agenda.add(Work::ReplicaSet("r".into()));
        assert!(agenda.next() < Some(at(1)));
        let taken: Vec<Work> = std::iter::from_fn(|| agenda.take(at(10))).collect();
        assert_eq!(taken, [Work::ReplicaSet("r".into()), pod("early"), Work::Deployment("d".into())]);
        assert_eq!(agenda.next(), Some(at(20)));
    }
}
