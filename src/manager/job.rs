//! What the registrars do: one call to the outside each, so that none waits on another's behalf.

use super::ClusterName;
use super::stats::Call;
use crate::config::Secret;
use crate::rancher::{Cluster, ClusterPage};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A call to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Create the cluster in Rancher, or find it there as ours; with `adopt`, make it ours if nothing is connected for it.
    Create {
        /// The cluster.
        name: ClusterName,
        /// Whether somebody else's may become ours.
        adopt: bool,
        /// The run that it is labelled with.
        run: Option<Arc<str>>,
    },
    /// Read its registration token; with `make`, ask for one first.
    FetchToken {
        /// The cluster.
        name: ClusterName,
        /// Rancher's id.
        id: String,
        /// Whether Rancher has had its time and is to be asked for one.
        make: bool,
    },
    /// Delete the cluster in Rancher.
    Delete {
        /// The cluster.
        name: ClusterName,
        /// Rancher's id.
        id: String,
    },
    /// Look whether Rancher created it after all, though it never said so.
    Find(ClusterName),
    /// Look whether Rancher still knows it.
    LookUp {
        /// The cluster.
        name: ClusterName,
        /// Rancher's id.
        id: String,
    },
    /// Read a page of all clusters: the first, or the one at this place.
    List(Option<String>),
    /// Look whether Rancher answers and accepts the token.
    Probe,
    /// Resolve the server's name.
    Resolve,
}

/// How a job's call fared.
#[derive(Debug, Clone, Copy)]
pub struct Called {
    /// What was called; none for what is no call to Rancher.
    pub endpoint: Option<&'static str>,
    /// How long it took.
    pub took: Duration,
    /// Whether it failed.
    pub failed: bool,
}

impl Job {
    /// The kind of call it is.
    pub(super) fn call(&self) -> Call {
        match self {
            Job::Create { .. } => Call::Create,
            Job::FetchToken { .. } => Call::Token,
            Job::Delete { .. } => Call::Delete,
            Job::Find(_) => Call::Find,
            Job::LookUp { .. } => Call::LookUp,
            Job::List(_) => Call::List,
            Job::Probe => Call::Probe,
            Job::Resolve => Call::Resolve,
        }
    }
}

impl Outcome {
    /// Why it failed, if it did.
    pub(super) fn error(&self) -> Option<&JobError> {
        match self {
            Outcome::Created(_, result) => result.as_ref().err(),
            Outcome::Token(_, result) => result.as_ref().err(),
            Outcome::Deleted(_, result) => result.as_ref().err(),
            Outcome::Found(_, result) => result.as_ref().err(),
            Outcome::LookedUp(_, result) => result.as_ref().err(),
            Outcome::Listed(result) => result.as_ref().err(),
            Outcome::Probed(result) => result.as_ref().err(),
            Outcome::Resolved(result) => result.as_ref().err(),
        }
    }
}

/// What a call came to.
#[derive(Debug)]
pub enum Outcome {
    /// Of [`Job::Create`]: Rancher's id and when it was created there.
    Created(ClusterName, Result<(String, Option<Timestamp>), JobError>),
    /// Of [`Job::FetchToken`]: the token, if there is one yet.
    Token(ClusterName, Result<Option<Secret>, JobError>),
    /// Of [`Job::Delete`].
    Deleted(ClusterName, Result<(), JobError>),
    /// Of [`Job::Find`]: Rancher's id of it, if it is there and ours.
    Found(ClusterName, Result<Option<String>, JobError>),
    /// Of [`Job::LookUp`]: the cluster, if Rancher still knows it.
    LookedUp(ClusterName, Result<Option<Cluster>, JobError>),
    /// Of [`Job::List`].
    Listed(Result<ClusterPage, JobError>),
    /// Of [`Job::Probe`].
    Probed(Result<(), JobError>),
    /// Of [`Job::Resolve`].
    Resolved(Result<Vec<SocketAddr>, JobError>),
}

/// Why a call failed, as far as the lifecycle has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    /// What happened, in one line.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// What follows from it.
    pub kind: JobErrorKind,
    /// Whether Rancher was reached: then it may have done what was asked, whatever it says.
    pub reached: bool,
}

/// What follows from a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobErrorKind {
    /// Try again, not before the given time if there is one.
    Transient(Option<Duration>),
    /// The API token is refused: no call will succeed until somebody changes it.
    TokenRefused,
    /// Somebody else's cluster has the name.
    NameTaken,
    /// Rancher says no to this call.
    Permanent,
    /// What answers is no Rancher, or not one that is trusted: no call will succeed until somebody mends the configuration.
    Misconfigured,
}
