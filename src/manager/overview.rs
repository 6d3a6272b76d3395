//! The whole fleet in one small answer, for the status page.

use super::{FaultView, HealthView, State};
use crate::telemetry::RequestRow;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// The whole fleet.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct OverviewView {
    #[serde(flatten)]
    pub health: HealthView,
    /// Clusters by state since the start, the oldest first; the longer the agent runs, the further apart.
    pub samples: Vec<Sample>,
    /// The clusters that took longest to get Active, or have waited longest for it.
    pub slowest: Vec<SlowView>,
    /// Some of the clusters that have failed or lost a tunnel.
    pub trouble: Vec<TroubleView>,
    /// Faults under way, the latest first.
    pub faults: Vec<FaultView>,
    /// What Rancher asked most often.
    pub requests: Vec<AskedView>,
}

/// How many clusters there were of each kind at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Sample {
    pub at: Timestamp,
    pub active: u32,
    /// Connecting, or connected and not yet Active.
    pub coming: u32,
    /// Waiting for Rancher.
    pub waiting: u32,
    pub lost: u32,
    pub failed: u32,
    pub leaving: u32,
}

/// A cluster that takes long.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct SlowView {
    pub name: String,
    pub state: State,
    /// Whether it got Active at all.
    pub active: bool,
    /// From the request to Active, or to now.
    pub seconds: f64,
}

/// A cluster that is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct TroubleView {
    pub name: String,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// Requests of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct AskedView {
    pub verb: Arc<str>,
    pub resource: Arc<str>,
    pub code: u16,
    pub count: u64,
}

impl Sample {
    /// Nothing yet.
    pub(super) fn at(at: Timestamp) -> Sample {
        Sample { at, active: 0, coming: 0, waiting: 0, lost: 0, failed: 0, leaving: 0 }
    }

    /// One more in this state.
    pub(super) fn count(&mut self, state: State) {
        *match state {
            State::Active => &mut self.active,
            State::Connecting | State::Connected => &mut self.coming,
            State::Pending | State::Registering | State::Registered => &mut self.waiting,
            State::Disconnected => &mut self.lost,
            State::Failed => &mut self.failed,
            State::Deleting => &mut self.leaving,
        } += 1;
    }
}

impl From<&RequestRow> for AskedView {
    fn from(row: &RequestRow) -> AskedView {
        AskedView { verb: row.verb.clone(), resource: row.resource.clone(), code: row.code, count: row.count }
    }
}
