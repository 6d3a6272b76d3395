//! Counters of what the stand-in saw on the tunnels.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was seen since the start, counted by all threads.
#[derive(Debug, Default)]
pub struct Seen {
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
}

/// [`Seen`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub watch_events: u64,
    pub heartbeats: u64,
    pub pings: u64,
    pub probes: u64,
    pub tunnels_lost: u64,
}

impl Seen {
    /// The counters now.
    pub fn counts(&self) -> Counts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            watch_events: load(&self.watch_events),
            heartbeats: load(&self.heartbeats),
            pings: load(&self.pings),
            probes: load(&self.probes),
            tunnels_lost: load(&self.tunnels_lost),
        }
    }
}
