//! Counters of what the stand-in saw on the tunnels.

use crate::telemetry::Latency;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What was seen since the start, counted by all threads.
#[derive(Debug, Default)]
pub struct Seen {
    /// Sockets that were accepted, for tunnels and for REST calls.
    pub accepted: AtomicU64,
    /// Watch events after the initial lists, bookmarks included.
    pub watch_events: AtomicU64,
    /// MODIFIED events on nodes.
    pub heartbeats: AtomicU64,
    /// Websocket pings.
    pub pings: AtomicU64,
    /// Probes answered with a 2xx.
    pub probes: AtomicU64,
    /// Tunnels that ended for whatever reason.
    pub tunnels_lost: AtomicU64,
    /// How long the answers to probes of the Kubernetes API took, since they were looked at last.
    answers: Mutex<Latency>,
}

/// [`Seen`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub accepted: u64,
    pub watch_events: u64,
    pub heartbeats: u64,
    pub pings: u64,
    pub probes: u64,
    pub tunnels_lost: u64,
}

impl Seen {
    /// A probe of the Kubernetes API was answered.
    pub fn answered_after(&self, took: Duration) {
        self.answers.lock().record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// How long the answers took since the last call.
    pub fn take_answers(&self) -> Latency {
        std::mem::take(&mut self.answers.lock())
    }

    /// The counters now.
    pub fn counts(&self) -> Counts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            accepted: load(&self.accepted),
            watch_events: load(&self.watch_events),
            heartbeats: load(&self.heartbeats),
            pings: load(&self.pings),
            probes: load(&self.probes),
            tunnels_lost: load(&self.tunnels_lost),
        }
    }
}
