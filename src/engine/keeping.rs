//! A worker's way to the journal: one batch of what was written in its clusters at a time.

use super::member::Member;
use crate::journal::{JournalHandle, Overlay};
use crossbeam_channel::{Receiver, Sender, bounded};
use slab::Slab;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What of a worker's clusters is on its way to the journal.
pub(super) struct Keeping {
    journal: JournalHandle,
    interval: Duration,
    next: Instant,
    /// Which clusters are in the batch that is under way, and up to which revision.
    under_way: Option<Vec<(usize, Arc<str>, u64)>>,
    told: (Sender<bool>, Receiver<bool>),
    /// Where the next batch begins, so that every cluster gets its turn.
    from: usize,
}

impl Keeping {
    /// Batches at `interval`, the first one interval from `now`.
    pub(super) fn new(journal: JournalHandle, interval: Duration, now: Instant) -> Keeping {
        Keeping { journal, interval, next: now + interval, under_way: None, told: bounded(1), from: 0 }
    }

    /// When there may be something to do.
    pub(super) fn next_due(&self) -> Instant {
        self.next
    }

    /// Takes note of a batch that is on disk, or is not, and sends the next one when it is due.
    pub(super) fn advance(&mut self, members: &mut Slab<Member>, now: Instant) {
        if let Ok(stored) = self.told.1.try_recv() {
            for (key, name, revision) in self.under_way.take().into_iter().flatten().filter(|_| stored) {
                if let Some(member) = members.get_mut(key).filter(|member| *member.name() == name) {
                    member.kept(revision);
                }
            }
        }
        if now < self.next {
            return;
        }
        self.next = now + self.interval;
        if self.under_way.is_some() {
            return;
        }
        let (overlay, under_way) = self.collect(members, BATCH_BYTES);
        if overlay.clusters.is_empty() {
            return;
        }
        let sender = self.told.0.clone();
        let tell = move |outcome: Result<(), _>| {
            // Nobody is left to be told once the worker has ended.
            _ = sender.try_send(outcome.is_ok());
        };
        if self.journal.keep_overlay(overlay, tell) {
            self.under_way = Some(under_way);
        }
    }

    /// Hands over everything that is left, before the worker ends.
    pub(super) fn finish(&mut self, members: &mut Slab<Member>) {
        let (overlay, _) = self.collect(members, usize::MAX);
        if !overlay.clusters.is_empty() && !self.journal.keep_last_overlay(overlay, LAST_WAIT) {
            log::error!("what was written in the clusters since {} s ago is not stored", self.interval.as_secs_f64());
        }
    }

    fn collect(&mut self, members: &mut Slab<Member>, limit: usize) -> (Overlay, Vec<(usize, Arc<str>, u64)>) {
        let mut overlay = Overlay::default();
        let mut under_way = Vec::new();
        let mut bytes = 0;
        let capacity = members.capacity();
        for step in 0..capacity {
            let key = (self.from + step) % capacity;
            let Some(member) = members.get_mut(key) else { continue };
            if let Some(written) = member.unkept() {
                bytes += written.size_bytes();
                under_way.push((key, member.name().clone(), written.revision));
                overlay.clusters.push((member.name().clone(), written));
            }
            if bytes >= limit {
                self.from = key + 1;
                break;
            }
        }
        (overlay, under_way)
    }
}

/// What one batch holds at most, give or take a cluster: memory of the worker's and a few milliseconds of the disk's.
const BATCH_BYTES: usize = 4 << 20;
/// How long the end of a worker waits for the journal.
const LAST_WAIT: Duration = Duration::from_secs(2);
