//! What the manager asks of a worker, and what a worker tells the manager.

use super::Imposition;
use crate::config::Secret;
use crate::kube;
use crate::ramp::Milestone;
use crate::telemetry::{ClusterRequests, RequestTotals};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A Rancher server as a worker needs it: where to dial and whom to trust.
#[derive(Debug, Clone)]
pub struct Server {
    /// Host as it stands in the URL: TLS server name and `Host` header.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path prefix of the URL without a trailing slash; empty for a Rancher at the root.
    pub path_prefix: String,
    /// Trust settings; `None` speaks plain TCP (tests and rehearsals only).
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The proxy that leads there, if one does.
    pub via: Option<Via>,
    /// The addresses to connect to, those of the proxy if there is one; tried in turn.
    pub addresses: Vec<SocketAddr>,
}

/// A proxy on the way to a server.
#[derive(Debug, Clone)]
pub struct Via {
    /// Its `HOST:PORT`, for people.
    pub authority: String,
    /// Host and port to resolve.
    pub location: (String, u16),
    /// `HOST:PORT` of the server it is to connect to.
    pub target: String,
    /// The value of `Proxy-Authorization`, if it wants one.
    pub authorization: Option<Secret>,
}

impl Server {
    /// Host and port of what is connected to: the proxy, if there is one.
    pub fn next_hop(&self) -> (String, u16) {
        match &self.via {
            Some(via) => via.location.clone(),
            None => (self.host.trim_matches(['[', ']']).to_owned(), self.port),
        }
    }
}

impl Via {
    /// What asks the proxy for the connection.
    pub(super) fn request(&self) -> Vec<u8> {
        let authorization = self.authorization.as_ref();
        let authorization = authorization.map(|value| format!("Proxy-Authorization: {}\r\n", value.expose()));
        let (target, authorization) = (&self.target, authorization.unwrap_or_default());
        format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n").into_bytes()
    }
}

/// One cluster, ready to be connected.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Name, seed and age of the cluster.
    pub identity: kube::Identity,
    /// The objects it starts with.
    pub baseline: Arc<kube::Baseline>,
    /// Which of the servers it connects to.
    pub server: usize,
    /// What was kept of it from earlier runs.
    pub past: kube::Past,
    /// The registration token of the cluster in Rancher.
    pub registration_token: Secret,
}

/// From the manager to a worker.
#[derive(Debug)]
pub enum Assignment {
    /// Connect a cluster and keep it connected.
    Attach(Box<Attachment>),
    /// Close a cluster's tunnels with a close frame and forget it; answered by [`Event::Detached`].
    Detach(Arc<str>),
    /// Rancher gave the cluster a new registration token; used from the next connect on.
    UpdateToken(Arc<str>, Secret),
    /// The cluster's service account token was rotated this often by now: announce it over new tunnels.
    RotateToken(Arc<str>, u32),
    /// Open a cluster's tunnels now rather than when their backoff is over.
    Hasten(Arc<str>),
    /// A server's addresses changed; used from the next connect on.
    UpdateServer(usize, Arc<Server>),
    /// Report what the cluster holds; answered by [`Event::Described`] with the same number.
    Describe(Arc<str>, u64),
    /// Tell what was asked of a cluster; answered by [`Event::RequestsDescribed`] with the same number.
    DescribeRequests(Arc<str>, u64),
    /// Give a cluster another size; answered by [`Event::Resized`] with the same number.
    Resize(Arc<str>, u64, kube::Size),
    /// Have a cluster suffer faults until they end by themselves or are lifted; counted in [`Event::FaultsFelt`].
    Impose(Arc<str>, Arc<Imposition>),
    /// End a cluster's faults of this number now.
    Lift(Arc<str>, u64),
    /// Close every tunnel with a close frame, then end the worker.
    Shutdown,
}

/// Which of a cluster's two tunnels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tunnel {
    /// Carries the Kubernetes API (session key `<cluster id>`).
    Api,
    /// Carries steve (session key `stv-cluster-<cluster id>`).
    Steve,
}

impl Tunnel {
    /// Its name as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Tunnel::Api => "api",
            Tunnel::Steve => "steve",
        }
    }
}

/// How Rancher refused to open a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status of its answer.
    pub status: u16,
    /// Whether it knows no cluster with that registration token: its cache lags behind, the token was rotated, or the cluster is gone.
    pub cluster_unknown: bool,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// From a worker to the manager.
#[derive(Debug)]
pub enum Event {
    /// The websocket upgrade of a tunnel succeeded.
    TunnelUp {
        /// The cluster's name.
        name: Arc<str>,
        /// Which tunnel.
        tunnel: Tunnel,
    },
    /// A tunnel could not be opened or was lost; the worker tries again by itself.
    TunnelDown {
        /// The cluster's name.
        name: Arc<str>,
        /// Which tunnel.
        tunnel: Tunnel,
        /// What happened, for people.
        cause: String,
        /// How Rancher refused the upgrade, if it did.
        refused: Option<Refused>,
        /// When the worker tries again.
        retry_in: Duration,
    },
    /// Counters of clusters whose counters changed, at most once a second.
    Counted(Vec<(Arc<str>, kube::Counts)>),
    /// Answer to [`Assignment::Describe`]; `None` if the worker does not hold the cluster.
    Described(u64, Option<Box<kube::ClusterInfo>>),
    /// Answer to [`Assignment::DescribeRequests`]; `None` if the worker does not hold the cluster.
    RequestsDescribed(u64, Option<Box<ClusterRequests>>),
    /// What a worker's clusters were asked in all, at most once a second and if it changed.
    Requested {
        /// The worker's index.
        worker: usize,
        /// Since the worker began.
        totals: Box<RequestTotals>,
    },
    /// Answer to [`Assignment::Resize`]: what the cluster holds then, or why it cannot have that size.
    Resized(u64, Result<Box<kube::ClusterInfo>, String>),
    /// Answer to [`Assignment::Detach`].
    Detached(Arc<str>),
    /// A cluster could not be taken on as it was, for this reason.
    NotAttached(Arc<str>, String),
    /// A cluster got as far as this.
    Reached {
        /// The cluster's name.
        name: Arc<str>,
        /// How far.
        milestone: Milestone,
        /// When.
        at: Instant,
    },
    /// A resource of a cluster was listed or watched for the first time.
    Asked {
        /// The cluster's name.
        name: Arc<str>,
        /// `v1/nodes`, `apps/v1/deployments`.
        resource: Arc<str>,
        /// Whether it was watched.
        is_watch: bool,
        /// When.
        at: Instant,
    },
    /// Rancher had the cluster clean up after itself, which it does once it deletes it.
    CleanupAsked(Arc<str>),
    /// How often faults made themselves felt since that was told last, by their number; at most once a second.
    FaultsFelt(Vec<(u64, u64)>),
    /// How late the worker's loop ran its timers in the last second, at most.
    Lag {
        /// The worker's index.
        worker: usize,
        /// The largest delay.
        late_by: Duration,
    },
}
