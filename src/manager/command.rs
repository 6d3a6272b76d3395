//! What an operator asks of the manager.

use super::{Answer, ClusterName, State, Stray, Wanted, Which};
use crate::faults::Injection;
use crate::kube::Size;
use crate::ramp::Spec;
use std::fmt;

/// An operator's request with the way back to whoever asked.
#[derive(Debug)]
pub struct Command {
    /// What is asked.
    pub action: Action,
    /// Takes the answer, exactly once.
    pub reply: Reply,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create a cluster; answered once Rancher has accepted it, or at once without `wait`.
    Create {
        /// Its name.
        name: ClusterName,
        /// What it is to be.
        wanted: Wanted,
        /// Whether to wait for Rancher.
        wait: bool,
    },
    /// List clusters in the order of their names.
    List {
        /// Only those in this state.
        state: Option<State>,
        /// At most this many.
        limit: usize,
        /// Only those whose names come after this one.
        after: Option<String>,
    },
    /// Show one cluster and what it holds.
    Get(String),
    /// Delete a cluster here and in Rancher; answered once it is gone, or at once without `wait`.
    Delete {
        /// Its name.
        name: String,
        /// Whether to wait for Rancher.
        wait: bool,
    },
    /// Take a cluster's next attempt now rather than when it is due.
    Retry(String),
    /// Give a cluster another service account token and announce it to Rancher.
    RotateToken(String),
    /// Give a running cluster another size.
    Resize(String, Size),
    /// Create many clusters; answered at once with an operation.
    CreateMany(Box<Spec>),
    /// Create many clusters and measure them on their way to Active; answered at once with a ramp.
    StartRamp(Box<Spec>),
    /// Show a ramp.
    Ramp(u64),
    /// Show the latest ramps.
    Ramps,
    /// Pause, resume or stop a ramp.
    SteerRamp(u64, Steer),
    /// Give the raw results of a ramp, as far as it is.
    RampResults(u64),
    /// Delete all of these clusters; answered at once with an operation.
    DeleteMany(Which),
    /// The same, and of these in Rancher that are this agent's too.
    Clean {
        /// Which.
        which: Which,
        /// Such that only Rancher knows.
        strays: Vec<Stray>,
    },
    /// Show an operation.
    Operation(u64),
    /// Show the latest operations.
    Operations,
    /// Start no more clusters of an operation.
    Cancel(u64),
    /// Let clusters suffer faults; answered at once.
    Inject(Box<Injection>),
    /// Show a fault.
    Fault(u64),
    /// Show the latest faults.
    Faults,
    /// End a fault before its time.
    EndFault(u64),
    /// Tell what was asked of one cluster.
    ClusterRequests(String),
    /// Tell what was asked of all clusters.
    Requests,
    /// Show the whole fleet in one small answer.
    Overview,
    /// Say that the manager is there.
    Alive,
    /// Say how the agent fares.
    Health,
    /// Say how the agent fares and what was asked of the clusters.
    Metrics,
}

/// What an operator does to a running ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    /// Start nothing until it is resumed.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Start nothing any more and end; the clusters stay.
    Stop,
}

/// The way back to whoever asked.
pub struct Reply(Box<dyn FnOnce(Answer) + Send>);

impl Reply {
    /// A reply that hands the answer to `deliver`, which must not block.
    pub fn new(deliver: impl FnOnce(Answer) + Send + 'static) -> Reply {
        Reply(Box::new(deliver))
    }

    /// A reply to nobody: whoever asked looks elsewhere.
    pub fn nobody() -> Reply {
        Reply::new(drop)
    }

    /// Delivers the answer.
    pub fn send(self, answer: Answer) {
        (self.0)(answer);
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}
