//! When a cluster's history is compacted.

use crate::kube::COMPACTION_INTERVAL;
use std::time::Instant;

/// By the monotonic clock: whatever becomes of the wall clock and however seldom a cluster reports, what happened is known for one to
/// two intervals.
#[derive(Debug)]
pub(super) struct Compaction {
    next: Instant,
}

impl Compaction {
    /// The first one is due at `first`, the others follow in its phase.
    pub(super) fn from(first: Instant) -> Compaction {
        Compaction { next: first }
    }

    /// When it is due.
    pub(super) fn next_due(&self) -> Instant {
        self.next
    }

    /// Whether it is due. Never twice at once, however late a worker is: the second would forget what has just been.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let is_due = self.next <= now;
        while self.next <= now {
            self.next += COMPACTION_INTERVAL;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_keeps_its_phase_and_is_never_made_up_for() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut compaction = Compaction::from(at(307));
        let mut taken = |seconds| compaction.take(at(seconds)).then(|| compaction.next_due() - start);
        assert_eq!(taken(306), None);
        assert_eq!(taken(307), Some(Duration::from_secs(607)));
        assert_eq!(taken(308), None);
        // A worker that was stopped for an hour.
        assert_eq!(taken(4_000), Some(Duration::from_secs(4_207)));
        assert_eq!(taken(4_001), None);
    }
}
