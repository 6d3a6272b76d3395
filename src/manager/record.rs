//! What the registry keeps of one cluster.

use super::answer::{ClusterView, StandingView, SufferedView, TunnelView};
use super::command::Reply;
use super::fleet::Now;
use super::stats::Stats;
use super::{ClusterName, State};
use crate::config::Secret;
use crate::engine::Tunnel;
use crate::kube::{ClusterInfo, Counts, Durable};
use crate::ramp::{Journey, Milestone};
use crate::rancher::Cluster;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// One cluster's record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) name: ClusterName,
    pub(super) state: State,
    since: Timestamp,
    pub(super) created: Timestamp,
    /// Which of the Ranchers it is registered with, and what the configuration calls that one.
    pub(super) server: usize,
    server_name: Arc<str>,
    /// The template it is made from; `None` is the configured one.
    pub(super) template: Option<String>,
    /// Whether a cluster of its name in Rancher may become ours.
    pub(super) adopt: bool,
    /// The run that it belongs to.
    pub(super) run: Option<Arc<str>>,
    /// How often its service account token was rotated.
    pub(super) rotation: u32,
    /// The rotation that the worker announces.
    pub(super) announced_rotation: u32,
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
    /// What was written in it in earlier runs, until a worker holds it.
    pub(super) past: Vec<Durable>,
    /// The number of its latest state that outlives the process; 0 is what an earlier run left.
    pub(super) version: u64,
    /// Up to which version it is on disk.
    pub(super) kept: u64,
    /// Whether a worker holds the cluster.
    pub(super) attached: bool,
    /// Whether a registrar works for it: there is never more than one.
    pub(super) job_under_way: bool,
    /// Failed attempts at the present step.
    pub(super) attempts: u32,
    pub(super) last_error: Option<String>,
    pub(super) next_attempt: Option<Timestamp>,
    /// The last round of the poller that found it in Rancher's list.
    pub(super) seen_in_round: u64,
    /// Whether its tunnel was refused last as that of a cluster nobody knows.
    pub(super) unknown_to_tunnel: bool,
    /// Whether its present step began with a look whether Rancher still knows it.
    pub(super) looked_up: bool,
    /// Whether Rancher had it clean up after itself.
    pub(super) cleanup_asked: bool,
    pub(super) counts: Option<Counts>,
    /// The faults it suffers.
    pub(super) faults: Vec<SufferedView>,
    /// Who waits for the present step, until when.
    pub(super) waiters: Vec<(Reply, Instant)>,
    /// The ramp that it belongs to, and its position there.
    pub(super) ramp: Option<(u64, u32)>,
    /// Its way so far, if it belongs to a ramp.
    pub(super) journey: Option<Box<Journey>>,
    api: TunnelView,
    steve: TunnelView,
    standing: Option<StandingView>,
    /// Whether an earlier run had tunnels for it, or may have: what it got to by them then is on record, or unknown for good.
    had_tunnels: bool,
    /// Whether it is Active for the first time and nobody has put that on record yet.
    is_news: bool,
    /// When it entered each state first, in the order of [`State::ALL`].
    reached: [Option<Timestamp>; State::ALL.len()],
    /// Where its progress is counted.
    pub(super) stats: Option<Arc<Stats>>,
}

impl Record {
    /// A cluster that was asked for at `now`, with the place and the name of its Rancher.
    pub(super) fn new(name: ClusterName, (server, server_name): (usize, Arc<str>), now: Timestamp) -> Record {
        Record {
            name,
            state: State::Pending,
            since: now,
            created: now,
            server,
            server_name,
            template: None,
            adopt: false,
            run: None,
            rotation: 0,
            announced_rotation: 0,
            id: None,
            may_exist: false,
            deletion_accepted: false,
            created_in_rancher: None,
            token: None,
            token_read: None,
            past: Vec::new(),
            version: 0,
            kept: 0,
            attached: false,
            job_under_way: false,
            attempts: 0,
            last_error: None,
            next_attempt: None,
            seen_in_round: 0,
            unknown_to_tunnel: false,
            looked_up: false,
            cleanup_asked: false,
            counts: None,
            faults: Vec::new(),
            waiters: Vec::new(),
            ramp: None,
            journey: None,
            api: TunnelView::default(),
            steve: TunnelView::default(),
            standing: None,
            had_tunnels: false,
            is_news: false,
            reached: [None; State::ALL.len()],
            stats: None,
        }
    }

    /// The record as it outlives the process: JSON.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let reached =
            State::ALL.into_iter().filter_map(|state| Some((state.as_str().to_owned(), self.reached(state)?)));
        let lasting = Lasting {
            created: self.created,
            server: self.server_name.to_string(),
            template: self.template.clone(),
            adopt: self.adopt,
            run: self.run.as_deref().map(str::to_owned),
            rotation: self.rotation,
            id: self.id.clone(),
            // A call that creates it goes on in Rancher, whatever becomes of this process.
            may_exist: self.may_exist || self.id.is_none() && (self.job_under_way || self.state == State::Pending),
            deleting: self.state == State::Deleting,
            deletion_accepted: self.deletion_accepted,
            created_in_rancher: self.created_in_rancher,
            token: self.token.as_ref().map(|token| token.expose().to_owned()),
            reached: reached.collect(),
        };
        // Strings, times and switches always serialise.
        serde_json::to_vec(&lasting).unwrap_or_default()
    }

    /// The record of an earlier run, of a cluster of one of these Ranchers.
    pub(super) fn from_bytes(name: &str, bytes: &[u8], servers: &[Arc<str>], now: Timestamp) -> Result<Record, String> {
        let lasting: Lasting = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let name = ClusterName::parse(name).map_err(|error| error.to_string())?;
        let server = servers.iter().position(|server| **server == *lasting.server);
        let server = server
            .ok_or_else(|| format!("it is registered with the server {}, which is not configured", lasting.server))?;
        let mut record = Record::new(name, (server, servers[server].clone()), lasting.created);
        for state in State::ALL {
            record.reached[state as usize] = lasting.reached.get(state.as_str()).copied();
        }
        record.state = match &lasting.id {
            _ if lasting.deleting => State::Deleting,
            Some(_) => State::Registered,
            None => State::Pending,
        };
        record.since = now;
        record.template = lasting.template;
        record.adopt = lasting.adopt;
        record.run = lasting.run.map(Arc::from);
        record.rotation = lasting.rotation;
        record.id = lasting.id;
        record.may_exist = lasting.may_exist;
        record.deletion_accepted = lasting.deletion_accepted;
        record.created_in_rancher = lasting.created_in_rancher;
        record.token = lasting.token.map(Secret::new);
        record.had_tunnels = record.token.is_some();
        Ok(record)
    }

    /// Enters a state.
    pub(super) fn enter(&mut self, state: State, now: Timestamp) {
        if self.state != state {
            log::debug!("cluster {}: {} -> {}", self.name, self.state.as_str(), state.as_str());
            self.state = state;
            self.since = now;
            if self.reached(state).is_none() && !(self.had_tunnels && state.is_by_tunnels()) {
                self.reached[state as usize] = Some(now);
                self.is_news |= state == State::Active;
                if let Some(stats) = &self.stats {
                    stats.reached(state, now.duration_since(self.created).unsigned_abs());
                }
            }
        }
    }

    /// When it entered a state first; not known of all that an earlier run saw.
    pub(super) fn reached(&self, state: State) -> Option<Timestamp> {
        self.reached[state as usize]
    }

    /// Whether its record has to be kept anew for what it got to; asked once.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.is_news)
    }

    /// Rancher showed what it thinks of the cluster.
    pub(super) fn judged(&mut self, cluster: &Cluster, now: Now) {
        if cluster.is_true("Connected") {
            self.reach(Milestone::Connected, now.instant);
        }
        self.standing = Some(StandingView {
            state: cluster.state.clone(),
            active: cluster.is_active(),
            message: Some(cluster.message.clone()).filter(|message| !message.is_empty()),
            connected_since: cluster.true_since("Connected"),
            ready_since: cluster.true_since("Ready"),
            seen: now.wall,
        });
        self.observe(now);
    }

    /// Rancher answers 404 for the cluster, though nothing else says that it is gone.
    pub(super) fn not_shown(&mut self, now: Now) {
        self.standing = None;
        self.last_error = Some(if self.unknown_to_tunnel { ANOTHER_RANCHER } else { NOT_SHOWN }.into());
        self.observe(now);
    }

    /// The present step succeeded.
    pub(super) fn succeeded(&mut self) {
        self.attempts = 0;
        self.last_error = None;
        self.next_attempt = None;
    }

    /// A tunnel went up, or down for a reason.
    pub(super) fn tunnel_changed(&mut self, tunnel: Tunnel, down: Option<String>, now: Now) {
        let view = match tunnel {
            Tunnel::Api => &mut self.api,
            Tunnel::Steve => &mut self.steve,
        };
        let was_up = view.up;
        if was_up != down.is_none() {
            view.since = Some(now.wall);
        }
        view.up = down.is_none();
        view.connects += u64::from(view.up);
        view.last_error = down;
        let is_up = view.up;
        match tunnel {
            _ if !is_up && was_up => self.journey.iter_mut().for_each(|journey| journey.lose()),
            _ if !is_up => {}
            Tunnel::Api => self.reach(Milestone::ApiTunnel, now.instant),
            Tunnel::Steve => self.reach(Milestone::SteveTunnel, now.instant),
        }
        if !is_up {
            // What Rancher thought of it was of the cluster that it could reach.
            self.standing = None;
        }
        self.observe(now);
    }

    /// Enters the state that tunnels and Rancher's opinion make.
    pub(super) fn observe(&mut self, now: Now) {
        let active = self.standing.as_ref().is_some_and(|standing| standing.active);
        self.enter(self.state.observed(self.tunnels_up() == 2, active), now.wall);
        if self.state == State::Active {
            self.reach(Milestone::Active, now.instant);
        }
    }

    /// Takes note of a milestone, if the cluster belongs to a ramp.
    pub(super) fn reach(&mut self, milestone: Milestone, at: Instant) {
        self.journey.iter_mut().for_each(|journey| journey.reach(milestone, at));
    }

    /// Whether Rancher owes it a registration token for so long that it may not know it any more.
    pub(super) fn is_doubtful(&self) -> bool {
        let is_overdue = self.attempts > 0 && self.attempts.is_multiple_of(ATTEMPTS_BEFORE_A_LOOK);
        !self.attached && !self.looked_up && (self.state == State::Failed || is_overdue)
    }

    /// What the configuration calls its Rancher.
    pub(super) fn server_name(&self) -> &str {
        &self.server_name
    }

    /// What keeps it from being well, as far as anybody said.
    pub(super) fn problem(&self) -> Option<&str> {
        let errors = [&self.last_error, &self.api.last_error, &self.steve.last_error];
        errors.into_iter().flatten().map(String::as_str).next()
    }

    /// How many tunnels are up.
    pub(super) fn tunnels_up(&self) -> usize {
        usize::from(self.api.up) + usize::from(self.steve.up)
    }

    /// The record as the REST API shows it.
    pub(super) fn view(&self, info: Option<Box<ClusterInfo>>) -> Box<ClusterView> {
        Box::new(ClusterView {
            name: self.name.to_string(),
            server: self.server_name.to_string(),
            template: self.template.clone(),
            run: self.run.as_deref().map(str::to_owned),
            token_rotations: self.rotation,
            state: self.state,
            since: self.since,
            created: self.created,
            reached: State::ALL.into_iter().filter_map(|s| Some((s.as_str(), self.reached(s)?))).collect(),
            rancher_id: self.id.clone(),
            in_rancher: self.standing.clone(),
            tunnels: BTreeMap::from([("api", self.api.clone()), ("steve", self.steve.clone())]),
            last_error: self.last_error.clone(),
            next_attempt: self.next_attempt,
            counts: self.counts.map(|counts| info.as_deref().map_or(counts, |info| counted(info, counts))),
            faults: self.faults.clone(),
            info,
        })
    }
}

/// What is counted in a description, which is newer than what the worker told last. It lists no namespaces.
fn counted(info: &ClusterInfo, last: Counts) -> Counts {
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    Counts {
        nodes: count(info.nodes.len()),
        pods: count(info.pods.len()),
        services: count(info.services.len()),
        secrets: count(info.secrets.len()),
        configmaps: count(info.configmaps.len()),
        deployments: count(info.deployments.len()),
        namespaces: last.namespaces,
    }
}

/// What of a record outlives the process.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lasting {
    created: Timestamp,
    server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    #[serde(default)]
    adopt: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(default)]
    rotation: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    may_exist: bool,
    deleting: bool,
    deletion_accepted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_in_rancher: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    reached: BTreeMap<String, Timestamp>,
}

/// After most of a minute without a token, and as often again.
const ATTEMPTS_BEFORE_A_LOOK: u32 = 20;
/// A token that lost its rights sees a 404 where there is a cluster.
const NOT_SHOWN: &str =
    "Rancher does not show the cluster to this API token, though it accepts its tunnels: check the token's rights";
/// The agent may have been pointed at another server; giving up its clusters would lose them in theirs.
const ANOTHER_RANCHER: &str = "Rancher knows neither the cluster nor its registration token, but it showed no cluster of this agent \
     since the start: if it is the right Rancher, delete the cluster here";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::PodInfo;

    #[test]
    fn a_view_counts_what_it_shows() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut record = Record::new(ClusterName::parse("edge").unwrap(), (0, "default".into()), now);
        record.counts = Some(Counts { nodes: 1, pods: 9, namespaces: 4, ..Counts::default() });
        assert_eq!(record.view(None).counts, record.counts);
        let pod = PodInfo { namespace: "web".into(), name: "web-1".into(), node: "n".into(), phase: "Running".into() };
        let info = ClusterInfo { pods: vec![pod], ..ClusterInfo::default() };
        let view = record.view(Some(Box::new(info)));
        assert_eq!(view.counts, Some(Counts { pods: 1, namespaces: 4, ..Counts::default() }));
    }
}
