//! One virtual cluster: its state and the entry of every request.

pub(in crate::kube) mod durable;
pub(in crate::kube) mod identity;
pub(in crate::kube) mod info;
pub(in crate::kube) mod resize;
pub(in crate::kube) mod token;
mod trouble;

use super::baseline::Baseline;
use super::controllers::{Agenda, Load};
use super::custom::CustomKinds;
use super::object::{Particulars, Uid};
use super::store::{Store, Write};
use super::{ClusterInfo, Identity, ResourceId, Response, Route, Subject, catalog};
use crate::http1::Request;
use crate::kube::request::served::Served;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Bounds of one cluster's state.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many events a cluster keeps for watches that resume; older ones answer 410 `Expired`.
    pub watch_history: usize,
    /// How many objects clients may add to one cluster. Beyond it a create fails as with a full etcd.
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

/// How much a cluster holds, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
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
pub struct Cluster {
    pub(super) identity: Identity,
    pub(super) baseline: Arc<Baseline>,
    pub(super) limits: Limits,
    pub(super) store: Store,
    /// Shared with other clusters until a CustomResourceDefinition is written.
    pub(super) kinds: Arc<CustomKinds>,
    pub(super) random: fastrand::Rng,
    /// How long pods take to become ready, about.
    pub(super) pod_startup: Duration,
    /// Writes that the controllers have not seen; empty between requests.
    pub(super) unsettled: VecDeque<Arc<Write>>,
    /// What the controllers have yet to look at.
    pub(super) agenda: Agenda,
    /// Pods that no kubelet has seen yet.
    pub(super) waiting_pods: BTreeSet<Arc<str>>,
    /// What is on the nodes, while pods are being placed.
    pub(super) load: Option<Box<Load>>,
    /// Nodes whose pods changed since the last report.
    pub(super) stale_nodes: BTreeSet<Box<str>>,
    /// Deleted namespaces, and when the namespace controller gets to each.
    pub(super) terminating: BTreeMap<Arc<str>, Timestamp>,
    /// Whether Rancher had the cluster clean up after itself.
    pub(super) cleanup_asked: bool,
}

impl Cluster {
    /// A cluster that holds the baseline's objects and nothing else.
    pub fn new(identity: Identity, baseline: Arc<Baseline>, limits: Limits) -> Cluster {
        Cluster::in_epoch(identity, baseline, limits, 0)
    }

    /// The same in a later run of the agent: its revisions are higher, and nothing random comes again.
    pub(super) fn in_epoch(identity: Identity, baseline: Arc<Baseline>, limits: Limits, epoch: u32) -> Cluster {
        let particulars = Particulars::new(&identity.name, identity.seed, identity.created.as_second());
        Cluster {
            store: Store::new(particulars, baseline.clone(), limits.watch_history, epoch),
            kinds: baseline.kinds().clone(),
            random: fastrand::Rng::with_seed(identity.seed.wrapping_add(u64::from(epoch))),
            identity,
            baseline,
            limits,
            pod_startup: POD_STARTUP,
            unsettled: VecDeque::new(),
            agenda: Agenda::default(),
            waiting_pods: BTreeSet::new(),
            load: None,
            stale_nodes: BTreeSet::new(),
            terminating: BTreeMap::new(),
            cleanup_asked: false,
        }
    }

    /// Answers one request. Never panics, whatever the request holds.
    pub fn handle(&mut self, request: &Request, now: Timestamp) -> Response {
        self.serve(request, now).0
    }

    /// The same, and what the request was about.
    pub fn serve(&mut self, request: &Request, now: Timestamp) -> (Response, Subject) {
        let mut subject = Subject::of_route(&request.method, &Route::Unknown);
        let mut response = self.dispatch(request, now, &mut subject).unwrap_or_else(Response::from);
        self.settle(now);
        response = self.compressed(request, response);
        if response.headers.get("Cache-Control").is_none() {
            response.headers.push("Cache-Control", "no-cache, private");
        }
        // A client may bring its own.
        let audit_id = request.headers.get("Audit-Id").filter(|id| !id.is_empty()).map(str::to_owned);
        response.headers.push("Audit-Id", audit_id.unwrap_or_else(|| Uid::random(&mut self.random).to_string()));
        (response, subject)
    }

    /// The periodic report: renews node leases, node heartbeats and the pod-requests and pod-limits annotations of nodes whose
    /// pods changed; every change becomes a watch event.
    pub fn report(&mut self, heartbeat: Heartbeat, now: Timestamp) {
        self.load = None;
        self.renew(heartbeat, now);
        self.settle(now);
    }

    /// Forgets the changes that were known the time before. Called every [`COMPACTION_INTERVAL`] by a clock that nobody sets, it lets a
    /// watch resume from, and a list be continued at, a revision of five to ten minutes ago, whatever the interval of reports.
    pub fn compact(&mut self) {
        self.store.compact();
    }

    /// When [`Cluster::wake`] has something to do.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.terminating.values().min().copied().into_iter().chain(self.agenda.next()).min()
    }

    /// Does what controllers do some time after a write rather than at once.
    pub fn wake(&mut self, now: Timestamp) {
        self.end_namespaces(now);
        self.settle(now);
    }

    /// Whether Rancher had the cluster clean up after itself, which it does once it deletes it.
    pub fn is_cleanup_asked(&self) -> bool {
        self.cleanup_asked
    }

    /// The resourceVersion of the latest change; a [`super::Streaming`] body has nothing new while it stands still.
    pub fn revision(&self) -> u64 {
        self.store.revision()
    }

    /// How many objects of the common kinds the cluster holds now.
    pub fn counts(&self) -> Counts {
        let count = |group: &str, plural: &str| {
            let id = catalog::lookup(group, "v1", plural).map(|(id, _)| id);
            id.map_or(0, |id| u32::try_from(self.store.count(id)).unwrap_or(u32::MAX))
        };
        Counts {
            nodes: count("", "nodes"),
            pods: count("", "pods"),
            services: count("", "services"),
            secrets: count("", "secrets"),
            configmaps: count("", "configmaps"),
            deployments: count("apps", "deployments"),
            namespaces: count("", "namespaces"),
        }
    }

    /// What makes it itself.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// From now on its service account token is the one after so many rotations.
    pub fn rotate_token(&mut self, rotation: u32) {
        self.identity.rotation = rotation;
    }

    /// The names and states of the objects of the common kinds.
    pub fn info(&self) -> ClusterInfo {
        ClusterInfo::of(self)
    }

    /// About how many bytes the cluster takes beside what it shares with others.
    pub fn size_bytes(&self) -> usize {
        size_of::<Cluster>() - size_of::<Store>() + self.store.size_bytes()
    }

    /// The resource under a path's group, version and plural.
    pub(super) fn resolve(&self, group: &str, version: &str, plural: &str) -> Option<Served> {
        let built_in = catalog::lookup(group, version, plural).map(|(id, resource)| Served::built_in(id, resource));
        built_in.or_else(|| self.kinds.find(|r| r.group == group && r.version == version && r.plural == plural))
    }

    /// The resource that objects of this `apiVersion` and `kind` are of.
    pub(super) fn resolve_kind(&self, api_version: &str, kind: &str) -> Option<Served> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let built_in = catalog::by_kind(group, version, kind).map(|(id, resource)| Served::built_in(id, resource));
        built_in.or_else(|| self.kinds.find(|r| r.group == group && r.version == version && r.kind == kind))
    }

    /// The resource of a storage id, in the version it is stored in.
    pub(super) fn stored_as(&self, id: ResourceId) -> Option<Served> {
        let built_in = catalog::get(id).map(|resource| Served::built_in(id, resource));
        built_in.or_else(|| self.kinds.stored(id))
    }

    /// Whether a resource is still served.
    pub(super) fn serves(&self, served: &Served) -> bool {
        served.as_custom().is_none() || self.kinds.stored(served.storage).is_some()
    }

    /// A built-in resource of version v1.
    pub(super) fn built_in(group: &str, plural: &str) -> Option<Served> {
        catalog::lookup(group, "v1", plural).map(|(id, resource)| Served::built_in(id, resource))
    }
}

/// What kube-apiserver has etcd do (`--etcd-compaction-interval`).
pub const COMPACTION_INTERVAL: Duration = Duration::from_secs(300);
/// A small image on a fast registry.
const POD_STARTUP: Duration = Duration::from_secs(2);
