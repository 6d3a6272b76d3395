//! One state of one object.

use crate::kube::object::{ObjectBody, Stamp};
use std::sync::Arc;

/// An object as it was after one change.
#[derive(Debug, Clone)]
pub(in crate::kube) enum Version {
    /// As the baseline has it: nothing but its heartbeat ever changed.
    Baseline(Touched),
    /// As somebody wrote it.
    Written(Arc<Stored>),
}

/// A baseline object's revision and heartbeat: all that a cluster keeps of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kube) struct Touched {
    /// Which baseline object.
    pub ordinal: u32,
    /// Its last heartbeat, in seconds since 1970.
    pub heartbeat_s: u32,
    /// Its `resourceVersion`.
    pub revision: u64,
}

/// A written object.
#[derive(Debug, Clone)]
pub(in crate::kube) struct Stored {
    /// `namespace/name`, or `name`.
    pub path: Arc<str>,
    /// What the server owns of it.
    pub stamp: Stamp,
    /// What was written.
    pub body: Arc<ObjectBody>,
}
