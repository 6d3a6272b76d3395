//! A ramp in the shape in which the REST API shows it.

use crate::ramp::{Milestone, Tally, Verdict};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A ramp at one moment. Times in seconds count from the intended start of each cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct RampView {
    /// Its number among the operations.
    pub id: u64,
    pub state: RampState,
    pub prefix: String,
    /// How many clusters it is about.
    pub clusters: u32,
    /// Without pauses.
    pub elapsed_seconds: f64,
    /// How many were to have started by now.
    pub due: u32,
    pub started: u32,
    pub created: u64,
    /// How many became Active in time.
    pub active: u64,
    pub active_now: u64,
    pub failed: u64,
    pub under_way: u64,
    /// There before; nothing is measured of them.
    pub already: u64,
    /// How many count against the limit.
    pub in_flight: u32,
    /// How many starts are overdue: Rancher, or the limit, does not keep up with the plan.
    pub behind: u32,
    pub behind_max: u32,
    pub disconnects: u64,
    pub starts_per_second: f64,
    pub disconnects_per_second: f64,
    /// Memory of the agent.
    pub rss_bytes: u64,
    pub milestones: Vec<MilestoneView>,
    /// By cause, the most frequent first.
    pub failures: Vec<FailureView>,
    pub thresholds: Vec<Verdict>,
    /// The plan.
    pub spec: Value,
    pub started_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// What a ramp is at, in the order in which it gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RampState {
    /// More clusters are to start.
    Starting,
    /// All were started; some have no end yet, or the last stage lasts.
    Settling,
    /// Every cluster has its end, and they are held.
    Holding,
    /// Somebody paused it.
    Paused,
    /// It ran as planned.
    Done,
    /// Somebody stopped it.
    Stopped,
    /// A threshold could not be met any more.
    Aborted,
}

impl RampState {
    /// Whether it has ended.
    pub fn is_over(self) -> bool {
        matches!(self, RampState::Done | RampState::Stopped | RampState::Aborted)
    }

    /// The state as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            RampState::Starting => "starting",
            RampState::Settling => "settling",
            RampState::Holding => "holding",
            RampState::Paused => "paused",
            RampState::Done => "done",
            RampState::Stopped => "stopped",
            RampState::Aborted => "aborted",
        }
    }
}

/// How long clusters took to get to a milestone, those that did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct MilestoneView {
    pub name: String,
    pub count: u64,
    pub p50_seconds: f64,
    pub p95_seconds: f64,
    pub p99_seconds: f64,
    pub max_seconds: f64,
}

/// Clusters that failed for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub struct FailureView {
    pub cause: String,
    pub count: u64,
}

impl MilestoneView {
    /// All milestones that any cluster reached.
    pub fn all(tally: &Tally) -> Vec<MilestoneView> {
        let view = |milestone: Milestone| {
            let times = tally.times(milestone);
            Some(MilestoneView {
                name: milestone.title().to_owned(),
                count: times.count(),
                p50_seconds: times.quantile(0.5)?,
                p95_seconds: times.quantile(0.95)?,
                p99_seconds: times.quantile(0.99)?,
                max_seconds: times.max()?,
            })
        };
        Milestone::ALL.into_iter().filter_map(view).collect()
    }
}
