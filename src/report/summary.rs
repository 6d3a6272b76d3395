//! The outcome of a run.

use super::Percentiles;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a run came to. Serialises to the JSON that `--output json` prints; `Display` renders the same for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`Summary::SCHEMA`]: raised whenever a field changes its meaning or goes away.
    pub schema: u32,
    /// The load profile that was run.
    pub profile: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How many clusters were asked for.
    pub requested: u64,
    /// How many became Active.
    pub active: u64,
    /// From the first request to the last cluster becoming Active, or to giving up.
    pub elapsed_seconds: f64,
    /// `active` over `elapsed_seconds`.
    pub clusters_per_second: f64,
    /// How long after its request a cluster reached each stage; in the order in which stages are reached.
    pub stages: Vec<Stage>,
    /// What went wrong, most frequent first. A cluster that recovered counts here too.
    pub failures: Vec<Failure>,
    /// The agent's memory, where the system tells it.
    pub memory: Option<Memory>,
    /// The agent's processor time until the last cluster was Active, where the system tells it.
    pub cpu: Option<Cpu>,
    /// The time after that, if the clusters were held.
    pub hold: Option<Hold>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every cluster became Active, and stayed so if the clusters were held.
    Passed,
    /// At least one did not.
    Failed,
    /// The operator stopped it.
    Interrupted,
}

/// How long after its request a cluster reached a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The stage's name.
    pub name: String,
    /// The distribution over the clusters that reached it; `None` when none did.
    pub since_request: Option<Percentiles>,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it was.
    pub cause: String,
    /// How often it happened.
    pub count: u64,
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

impl Summary {
    /// The schema this code writes.
    pub const SCHEMA: u32 = 1;
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
    fn json_names_its_schema_and_reads_back() {
        let active = Percentiles { count: 2, p50_seconds: 0.4, p95_seconds: 0.8, p99_seconds: 0.9, max_seconds: 0.9 };
        let summary = Summary {
            schema: Summary::SCHEMA,
            profile: "idle".into(),
            outcome: Outcome::Interrupted,
            requested: 3,
            active: 2,
            elapsed_seconds: 0.5,
            clusters_per_second: 4.0,
            stages: vec![Stage { name: "Active".into(), since_request: Some(active) }],
            failures: vec![Failure { cause: "GET /version: 500".into(), count: 12 }],
            memory: Some(Memory::new((1_000, 5_000), (900, 900), 2)),
            cpu: None,
            hold: None,
        };
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["schema"], 1);
        assert_eq!(json["outcome"], "interrupted");
        assert_eq!(json["stages"][0]["since_request"]["p99_seconds"], 0.9);
        assert_eq!(json["memory"]["rss_per_cluster"], 2_000);
        assert_eq!(json["hold"], serde_json::Value::Null);
        assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary);
    }

    #[test]
    fn no_cluster_and_no_time_divide_nothing() {
        assert_eq!(Memory::new((10, 4), (10, 10), 0).rss_per_cluster, -6);
        assert_eq!(Cpu::new(Duration::ZERO, Duration::ZERO).percent_of_core, 0.0);
    }
}
