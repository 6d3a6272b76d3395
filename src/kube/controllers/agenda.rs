//! What controllers have yet to look at, now or later.

use super::pods::after;
use crate::kube::ResourceId;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
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
    /// The pods on a node whose taints changed.
    Taints(Arc<str>),
    /// A pod that its node drives off.
    Eviction(Arc<str>),
    Deployment(Arc<str>),
    CronJob(Arc<str>),
    /// The endpoints of a service.
    Service(Arc<str>),
    /// A pod disruption budget.
    Budget(Arc<str>),
    /// A definition that waits for names, or was deleted.
    Definition(Arc<str>),
    /// An object of any kind whose owners may be gone.
    Owned(ResourceId, Arc<str>),
}

/// Every look that is due, and those that are due later.
#[derive(Debug, Default)]
pub(in crate::kube) struct Agenda {
    due: BTreeSet<Work>,
    later: BTreeSet<(Timestamp, Work)>,
    /// Looks at which something was refused: when each is repeated, and how often it has been.
    refused: BTreeMap<Work, (Timestamp, u32)>,
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

    /// Whether a look is due later.
    pub(super) fn is_planned(&self, work: &Work) -> bool {
        self.later.iter().any(|(_, planned)| planned == work)
    }

    /// A look that is due later is not to be taken.
    pub(super) fn cancel(&mut self, work: &Work) {
        self.later.retain(|(_, planned)| planned != work);
    }

    /// A look at which something was refused is due again, the later the more often it was in a row; whether it is the first time.
    pub(super) fn retry(&mut self, work: Work, now: Timestamp) -> bool {
        let tries = match self.refused.get(&work) {
            // Something else had it looked at in the meantime.
            Some((at, _)) if *at > now => return false,
            Some((_, tries)) => *tries,
            None => 0,
        };
        let delay_s = FIRST_RETRY_S.saturating_mul(1 << tries.min(MOST_DOUBLINGS)).min(LATEST_RETRY_S);
        let at = after(now, delay_s);
        self.refused.insert(work.clone(), (at, tries.saturating_add(1)));
        self.add_at(at, work);
        tries == 0
    }

    /// Whether something was refused at such a look.
    pub(super) fn is_refused(&self, work: &Work) -> bool {
        self.refused.contains_key(work)
    }

    /// A look was taken; one at which nothing was refused again begins anew.
    pub(super) fn done(&mut self, work: &Work, now: Timestamp) {
        if self.refused.get(work).is_some_and(|(at, _)| *at <= now) {
            self.refused.remove(work);
        }
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

/// A cause that goes at once costs no more than this.
const FIRST_RETRY_S: i64 = 1;
/// Once the cause is gone nobody waits longer; `kube-controller-manager` doubles up to 1,000 s.
const LATEST_RETRY_S: i64 = 60;
/// Beyond it the latest time is passed.
const MOST_DOUBLINGS: u32 = 6;

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

    #[test]
    fn what_is_refused_comes_again_ever_later_until_it_is_granted() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let work = Work::Job("j".into());
        let mut agenda = Agenda::default();
        let mut now = 0;
        let mut waits = Vec::new();
        for turn in 0..9 {
            assert_eq!(agenda.retry(work.clone(), at(now)), turn == 0);
            assert!(!agenda.retry(work.clone(), at(now)), "a look in between plans no other");
            agenda.done(&work, at(now));
            let next = agenda.next().unwrap().as_second();
            waits.push(next - now);
            now = next;
            assert_eq!(agenda.take(at(now)), Some(work.clone()));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        agenda.done(&work, at(now));
        assert!(!agenda.is_refused(&work));
        assert!(agenda.retry(work, at(now)));
        assert_eq!(agenda.next(), Some(at(now + 1)));
    }
}
