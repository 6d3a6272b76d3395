//! What the registry keeps of one cluster.

use super::answer::{ClusterView, TunnelView};
use super::command::Reply;
use super::{ClusterName, State};
use crate::config::Secret;
use crate::engine::Tunnel;
use crate::kube::{ClusterInfo, Counts};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Instant;

/// One cluster's record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) name: ClusterName,
    pub(super) state: State,
    since: Timestamp,
    created: Timestamp,
    /// Rancher's id, once it has created the cluster.
    pub(super) id: Option<String>,
    /// Whether Rancher may have created it without our knowing.
    pub(super) may_exist: bool,
    /// Whether Rancher has accepted its deletion.
    pub(super) deletion_accepted: bool,
    /// When Rancher created it.
    pub(super) created_in_rancher: Option<Timestamp>,
    pub(super) token: Option<Secret>,
    /// When the token was read last.
    pub(super) token_read: Option<Instant>,
    /// Whether a worker holds the cluster.
    pub(super) attached: bool,
    /// Whether a registrar works for it: there is never more than one.
    pub(super) job_under_way: bool,
    /// Failed attempts at the present step.
    pub(super) attempts: u32,
    pub(super) last_error: Option<String>,
    pub(super) next_attempt: Option<Timestamp>,
    pub(super) counts: Option<Counts>,
    /// Who waits for the present step, until when.
    pub(super) waiters: Vec<(Reply, Instant)>,
    api: TunnelView,
    steve: TunnelView,
}

impl Record {
    /// A cluster that was asked for at `now`.
    pub(super) fn new(name: ClusterName, now: Timestamp) -> Record {
        Record {
            name,
            state: State::Pending,
            since: now,
            created: now,
            id: None,
            may_exist: false,
            deletion_accepted: false,
            created_in_rancher: None,
            token: None,
            token_read: None,
            attached: false,
            job_under_way: false,
            attempts: 0,
            last_error: None,
            next_attempt: None,
            counts: None,
            waiters: Vec::new(),
            api: TunnelView::default(),
            steve: TunnelView::default(),
        }
    }

    /// Enters a state.
    pub(super) fn enter(&mut self, state: State, now: Timestamp) {
        if self.state != state {
            log::debug!("cluster {}: {} -> {}", self.name, self.state.as_str(), state.as_str());
            self.state = state;
            self.since = now;
        }
    }

    /// The present step succeeded.
    pub(super) fn succeeded(&mut self) {
        self.attempts = 0;
        self.last_error = None;
        self.next_attempt = None;
    }

    /// A tunnel went up, or down for a reason.
    pub(super) fn tunnel_changed(&mut self, tunnel: Tunnel, down: Option<String>, now: Timestamp) {
        let view = match tunnel {
            Tunnel::Api => &mut self.api,
            Tunnel::Steve => &mut self.steve,
        };
        if view.up != down.is_none() {
            view.since = Some(now);
        }
        view.up = down.is_none();
        view.connects += u64::from(view.up);
        view.last_error = down;
        let both_up = self.api.up && self.steve.up;
        self.enter(self.state.with_tunnels(both_up), now);
    }

    /// How many tunnels are up.
    pub(super) fn tunnels_up(&self) -> usize {
        usize::from(self.api.up) + usize::from(self.steve.up)
    }

    /// The record as the REST API shows it.
    pub(super) fn view(&self, info: Option<Box<ClusterInfo>>) -> Box<ClusterView> {
        Box::new(ClusterView {
            name: self.name.to_string(),
            state: self.state,
            since: self.since,
            created: self.created,
            rancher_id: self.id.clone(),
            tunnels: BTreeMap::from([("api", self.api.clone()), ("steve", self.steve.clone())]),
            last_error: self.last_error.clone(),
            next_attempt: self.next_attempt,
            counts: self.counts,
            info,
        })
    }
}
