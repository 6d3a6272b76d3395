//! What a run costs the host, and what was seen while its clusters were held.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something that went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it was.
    pub cause: String,
    /// How often it happened.
    pub count: u64,
    /// Some of the clusters that it happened to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Resident set size before the first cluster.
    pub rss_before: u64,
    /// Resident set size with every cluster.
    pub rss_after: u64,
    /// The difference, divided by the number of Active clusters.
    pub rss_per_cluster: i64,
    /// Proportional set size before the first cluster: shared pages count in part.
    pub pss_before: u64,
    /// Proportional set size with every cluster.
    pub pss_after: u64,
    /// The difference, divided by the number of Active clusters.
    pub pss_per_cluster: i64,
}

/// Processor time of a process, user and system together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// The time used.
    pub seconds: f64,
    /// Over the time that passed; 100 is one core.
    pub percent_of_core: f64,
}

/// What was seen while all clusters were held Active.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// How long.
    pub seconds: f64,
    /// The agent's processor time, where the system tells it.
    pub cpu: Option<Cpu>,
    /// Growth of the agent's resident set in bytes, where the system tells it.
    pub rss_growth: Option<i64>,
    /// Watch events received after the initial lists, bookmarks included.
    pub watch_events: u64,
    /// Those among them that renew a node's heartbeat.
    pub heartbeats: u64,
    /// Websocket pings received.
    pub pings: u64,
    /// Probes that were answered as they should be.
    pub probes: u64,
    /// Tunnels lost.
    pub tunnels_lost: u64,
    /// Clusters still Active at the end.
    pub active_at_end: u64,
}

impl Memory {
    /// From measurements before and after `clusters` were added (at least one is assumed, so that there is a quotient).
    pub fn new(rss: (u64, u64), pss: (u64, u64), clusters: u64) -> Memory {
        let per_cluster = |(before, after): (u64, u64)| (after as i64 - before as i64) / clusters.max(1) as i64;
        Memory {
            rss_before: rss.0,
            rss_after: rss.1,
            rss_per_cluster: per_cluster(rss),
            pss_before: pss.0,
            pss_after: pss.1,
            pss_per_cluster: per_cluster(pss),
        }
    }
}

impl Cpu {
    /// `used` within `elapsed`.
    pub fn new(used: Duration, elapsed: Duration) -> Cpu {
        let seconds = used.as_secs_f64();
        Cpu { seconds, percent_of_core: 100.0 * seconds / elapsed.as_secs_f64().max(f64::EPSILON) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cluster_and_no_time_divide_nothing() {
        assert_eq!(Memory::new((10, 4), (10, 10), 0).rss_per_cluster, -6);
        assert_eq!(Cpu::new(Duration::ZERO, Duration::ZERO).percent_of_core, 0.0);
    }
}
