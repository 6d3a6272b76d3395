//! The registry of clusters and their lifecycle: one thread, one command queue; nobody else changes a record.
//!
//! [`Fleet`] is the registry as a state machine without I/O: commands, outcomes of jobs, engine events and the time go in,
//! [`Effect`]s come out. The `manager` thread feeds it and carries the effects out; the `registrar-N` threads make the calls
//! to Rancher, one call a job. This room must not know HTTP, TLS or Kubernetes.

mod answer;
mod command;
mod creation;
mod fleet;
mod health;
mod job;
mod lifecycle;
mod name;
mod overview;
mod performance;
mod ramp_view;
mod record;
mod registrar;
mod retry;
mod stats;
mod thread;

pub use answer::{
    Answer, ClusterView, FaultState, FaultView, HealthView, OperationState, OperationView, RancherView, Refusal,
    RefusalKind, StandingView, SufferedView, TunnelView,
};
pub use command::{Action, Command, Reply, Steer};
pub use creation::{Stray, Wanted, Which, check_names};
pub use fleet::{Effect, Fleet, FleetConfig, Now, RancherConfig};
pub use job::{Job, JobError, Outcome};
pub use lifecycle::State;
pub use name::{ClusterName, NameError};
pub use overview::{AskedView, OverviewView, Sample, SlowView, TroubleView};
pub use ramp_view::{FailureView, MilestoneView, RampState, RampView};
pub use thread::{INSTANCE_LABEL, Manager, ManagerConfig, ManagerHandle, RUN_LABEL, Rancher};
