//! One virtual cluster: its state and the entry of every request.

use super::{Baseline, ClusterInfo, Response};
use crate::http1::Request;
use jiff::Timestamp;
use std::sync::Arc;

/// What makes a cluster itself; stays the same over reconnects and restarts.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The cluster's name, which fills `{{cluster-name}}`.
    pub name: Arc<str>,
    /// Seed of every uid, generated name and token in this cluster.
    pub seed: u64,
    /// When the cluster was made: the `creationTimestamp` of its baseline objects.
    pub created: Timestamp,
}

impl Identity {
    /// The service account token announced to Rancher in the tunnel parameters: opaque, derived from the seed alone.
    pub fn service_account_token(&self) -> String {
        todo!()
    }
}

/// Bounds of one cluster's state.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many events a cluster keeps for watches that resume; older ones answer 410 `Expired`.
    pub watch_history: usize,
    /// How many objects clients may add to one cluster.
    pub objects: usize,
    /// The largest serialised object accepted, in bytes (etcd's own limit is 1.5 MiB).
    pub object_bytes: usize,
}

/// Which heartbeat a report carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// Leases only, as a kubelet does between its five-minute status writes.
    Leases,
    /// Leases and the heartbeat of each node's conditions.
    LeasesAndNodes,
}

/// How much a cluster holds, by kind, and how much it was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs)]
pub struct Counts {
    pub nodes: u32,
    pub pods: u32,
    pub services: u32,
    pub secrets: u32,
    pub configmaps: u32,
    pub deployments: u32,
    pub namespaces: u32,
}

/// The virtual Kubernetes API of one cluster.
#[derive(Debug)]
pub struct Cluster {}

impl Cluster {
    /// A cluster that holds the baseline's objects and nothing else.
    pub fn new(_identity: Identity, _baseline: Arc<Baseline>, _limits: Limits) -> Cluster {
        todo!()
    }

    /// Answers one request. Never panics, whatever the request holds.
    pub fn handle(&mut self, _request: &Request, _now: Timestamp) -> Response {
        todo!()
    }

    /// The periodic report: renews node leases, node heartbeats and the pod-requests and pod-limits annotations of nodes whose
    /// pods changed; every change becomes a watch event.
    pub fn report(&mut self, _heartbeat: Heartbeat, _now: Timestamp) {
        todo!()
    }

    /// The resourceVersion of the latest change; a [`super::Streaming`] body has nothing new while it stands still.
    pub fn revision(&self) -> u64 {
        todo!()
    }

    /// How many objects of the common kinds the cluster holds now.
    pub fn counts(&self) -> Counts {
        todo!()
    }

    /// The names and states of the objects of the common kinds.
    pub fn info(&self) -> ClusterInfo {
        todo!()
    }
}
