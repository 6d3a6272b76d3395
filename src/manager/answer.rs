//! What the manager answers, in the shape in which the REST API shows it.

use super::job::JobErrorKind;
use super::{JobError, OverviewView, RampView, State};
use crate::kube::{ClusterInfo, Counts};
use crate::ramp::Results;
use crate::telemetry::{ClusterRequests, RequestTotals};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// An answer to an [`super::Action`].
#[derive(Debug)]
pub enum Answer {
    /// The cluster exists in Rancher now.
    Created(Box<ClusterView>),
    /// What was asked is under way; the cluster shows how far.
    Accepted(Box<ClusterView>),
    /// The cluster asked for.
    Cluster(Box<ClusterView>),
    /// The clusters asked for, and whether more follow.
    Clusters {
        /// In the order of their names.
        clusters: Vec<ClusterView>,
        /// How many match in all.
        total: usize,
        /// Whether more follow after the last.
        more: bool,
    },
    /// The operation has begun.
    OperationStarted(Box<OperationView>),
    /// The operation asked for.
    Operation(Box<OperationView>),
    /// The latest operations, the latest first.
    Operations(Vec<OperationView>),
    /// The ramp has begun.
    RampStarted(Box<RampView>),
    /// The ramp asked for.
    Ramp(Box<RampView>),
    /// The latest ramps, the latest first.
    Ramps(Vec<RampView>),
    /// The raw results of a ramp.
    RampResults(Box<Results>),
    /// The faults have begun.
    FaultStarted(Box<FaultView>),
    /// The fault asked for.
    Fault(Box<FaultView>),
    /// The latest faults, the latest first.
    Faults(Vec<FaultView>),
    /// What was asked of the cluster.
    ClusterRequests(Box<ClusterRequests>),
    /// What was asked of all clusters.
    Requests(Box<RequestTotals>),
    /// The cluster is gone.
    Gone,
    /// The whole fleet.
    Overview(Box<OverviewView>),
    /// The manager is there.
    Alive,
    /// How the agent fares.
    Health(Box<HealthView>),
    /// How the agent fares, and what was asked of all clusters.
    Metrics(Box<(HealthView, RequestTotals)>),
    /// What was asked cannot be done.
    Refused(Refusal),
}

/// Why something cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of reason.
    pub kind: RefusalKind,
    /// What happened, to what.
    pub detail: String,
    /// What to do next.
    pub remedy: String,
}

/// What kind of reason a [`Refusal`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// No such cluster.
    UnknownCluster,
    /// No such operation, or one of long ago.
    UnknownOperation,
    /// No such ramp, or one of long ago.
    UnknownRamp,
    /// No such template.
    UnknownTemplate,
    /// No such fault, or one of long ago.
    UnknownFault,
    /// No cluster is selected.
    NothingSelected,
    /// The name cannot be a cluster's.
    InvalidName,
    /// No such Rancher in the configuration.
    UnknownServer,
    /// The name is in use, here or in Rancher.
    Conflict,
    /// The cluster or ramp is in a state in which that cannot be done.
    WrongState,
    /// The cluster cannot have that size.
    OutOfReach,
    /// A limit of the agent is reached.
    LimitReached,
    /// Rancher refuses.
    RancherRefuses,
    /// Not now: the agent is stopping, or Rancher does not accept the API token.
    Unavailable,
}

impl Refusal {
    /// A refusal in words.
    pub fn new(kind: RefusalKind, detail: impl Into<String>, remedy: impl Into<String>) -> Refusal {
        Refusal { kind, detail: detail.into(), remedy: remedy.into() }
    }
}

impl From<JobError> for Refusal {
    fn from(error: JobError) -> Refusal {
        let kind = match error.kind {
            JobErrorKind::NameTaken => RefusalKind::Conflict,
            JobErrorKind::TokenRefused | JobErrorKind::Permanent | JobErrorKind::Misconfigured => {
                RefusalKind::RancherRefuses
            }
            JobErrorKind::Transient(_) => RefusalKind::Unavailable,
        };
        Refusal { kind, detail: error.message, remedy: error.remedy }
    }
}

/// A cluster as the REST API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct ClusterView {
    pub name: String,
    /// The template it was made from; absent for the configured one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The run that it belongs to, if it was made in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The Rancher it is registered with, as the configuration calls it.
    pub server: String,
    /// How often its service account token was rotated.
    pub token_rotations: u32,
    pub state: State,
    /// When it entered that state.
    pub since: Timestamp,
    /// When it was asked for here.
    pub created: Timestamp,
    /// When it entered each state first.
    pub reached: BTreeMap<&'static str, Timestamp>,
    /// Rancher's own name of it, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rancher_id: Option<String>,
    /// What Rancher thinks of it, once Rancher has seen it and as long as its tunnels are up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_rancher: Option<StandingView>,
    pub tunnels: BTreeMap<&'static str, TunnelView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// What is going wrong with it on purpose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<SufferedView>,
    /// What the cluster holds; only where one cluster is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<Box<ClusterInfo>>,
}

/// A cluster as Rancher shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct StandingView {
    /// `pending`, `provisioning`, `waiting`, `active`, `unavailable`, …
    pub state: String,
    pub active: bool,
    /// What Rancher waits for or complains about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when its condition `Connected` is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected_since: Option<Timestamp>,
    /// Since when its condition `Ready` is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_since: Option<Timestamp>,
    /// When Rancher was asked.
    pub seen: Timestamp,
}

/// Work on many clusters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct OperationView {
    pub id: u64,
    /// `create` or `delete`.
    pub kind: &'static str,
    pub prefix: String,
    /// The run whose clusters it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    pub state: OperationState,
    /// How many clusters it is about.
    pub total: u32,
    /// Created in Rancher, or gone from it.
    pub done: u32,
    /// There, or gone, before they were looked at.
    pub already: u32,
    pub under_way: u32,
    pub failed: u32,
    /// Why the latest of them failed.
    pub errors: Vec<String>,
    pub started: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// More clusters will be started, or are under way.
    Running,
    /// Every cluster was dealt with.
    Done,
    /// An operator wanted no more.
    Cancelled,
}

/// A fault, or those of a preset together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct FaultView {
    pub id: u64,
    /// What goes wrong, as on a command line.
    pub faults: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<&'static str>,
    /// Which clusters were chosen, as on a command line.
    pub select: String,
    /// The seed: with the same clusters it repeats the fault.
    pub seed: u64,
    pub state: FaultState,
    /// How many clusters it was begun in.
    pub clusters: usize,
    /// The first of them.
    pub names: Vec<String>,
    pub started: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How often it made itself felt: tunnels broken or held, requests delayed or refused, watches ended, objects changed.
    pub felt: u64,
}

/// Whether a fault is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FaultState {
    /// It is.
    Active,
    /// Its time is up.
    Ended,
    /// An operator ended it.
    Cancelled,
}

/// A fault as the cluster shows that suffers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct SufferedView {
    pub id: u64,
    pub faults: Vec<String>,
    pub until: Timestamp,
}

/// One of a cluster's tunnels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct TunnelView {
    pub up: bool,
    /// When it went up or down last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How often it went up.
    pub connects: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// How the agent fares.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct HealthView {
    /// `ok`, or `failing` when the agent cannot do its job.
    pub status: &'static str,
    /// What keeps it from doing so.
    pub problems: Vec<String>,
    pub version: &'static str,
    /// What its clusters carry in Rancher as the label `scale-cluster-agent/instance`.
    pub instance: String,
    /// Which part of every ramp it takes; `1/1` is all of it.
    pub shard: String,
    pub uptime_seconds: u64,
    /// How many clusters there are in each state.
    pub clusters: BTreeMap<&'static str, usize>,
    pub tunnels_up: usize,
    pub ranchers: Vec<RancherView>,
    /// How late the workers' loops ran lately, the latest of each, in milliseconds.
    pub worker_lag_ms: Vec<u64>,
}

/// What is known of Rancher.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct RancherView {
    /// As the configuration calls it.
    pub name: String,
    pub url: String,
    /// Whether the last call was answered.
    pub reachable: bool,
    /// Whether Rancher accepts the API token; registration is paused while it does not.
    pub token_accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_answer: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}
