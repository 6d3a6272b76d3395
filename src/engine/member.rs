//! A cluster as its worker holds it: the virtual API, the two tunnels to it and the periodic report.

mod suffering;

use super::clock::Clock;
use super::compaction::Compaction;
use super::context::Context;
use super::dial::Announcement;
use super::imposed::Faults;
use super::link::{Change, Credentials, Link};
use super::stream::{PING, Service, UNKNOWN};
use super::{Attachment, Event, Server, Tunnel, WorkerConfig};
use crate::config::{HeartbeatMode, Secret};
use crate::kube::{
    COMPACTION_INTERVAL, Cluster, ClusterInfo, Counts, DurableError, Heartbeat, Identity, Limits, Size, Verb, Written,
};
use crate::ramp::Milestone;
use crate::telemetry::Tally;
use mio::Token;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One cluster.
#[derive(Debug)]
pub(super) struct Member {
    name: Arc<str>,
    cluster: Cluster,
    /// Which of the servers it connects to.
    server: usize,
    registration_token: Secret,
    api: Link,
    steve: Link,
    /// What was asked of it.
    tally: Tally,
    next_report: Instant,
    next_node_heartbeat: Instant,
    compaction: Compaction,
    /// The revision every watch has seen.
    fed_revision: u64,
    /// The revision up to which what was written is in the journal.
    kept_revision: u64,
    /// What the manager was told last, and of which revision.
    counts: Option<(u64, Counts)>,
    /// Whether the manager knows that Rancher takes its leave.
    farewell_told: bool,
    /// Whether the manager knows that Rancher asked for something.
    request_told: bool,
    /// What is going wrong on purpose; hardly ever anything.
    faults: Option<Box<Faults>>,
    detaching: bool,
    /// The timer that is set for this member; older ones that still fire are ignored.
    armed: Option<Instant>,
    /// Whether the member stands in the worker's ready queue.
    queued: bool,
}

impl Member {
    /// A cluster that wants to be connected at once. Its reports start within one interval, at a moment of its own.
    pub(super) fn new(
        attachment: Attachment,
        config: &WorkerConfig,
        clock: &Clock,
        random: &mut fastrand::Rng,
    ) -> Result<Member, DurableError> {
        let settings = &config.settings;
        let identity = attachment.identity;
        let limits = Limits {
            watch_history: settings.watch_history,
            objects: settings.max_objects,
            object_bytes: MAX_OBJECT_BYTES,
        };
        let name = identity.name.clone();
        let mut cluster = Cluster::restored(identity, attachment.baseline, limits, attachment.past, clock.wall)?;
        cluster.set_pod_startup(settings.pod_startup);
        let phase = random.f64();
        let mut api = Link::new(Tunnel::Api, phase);
        api.want(clock.now);
        let first_compaction = clock.now + COMPACTION_INTERVAL.mul_f64(random.f64());
        let first_report = clock.now + settings.report_interval.mul_f64(random.f64());
        Ok(Member {
            name,
            fed_revision: cluster.revision(),
            kept_revision: cluster.start_revision(),
            cluster,
            server: attachment.server,
            registration_token: attachment.registration_token,
            api,
            steve: Link::new(Tunnel::Steve, phase),
            tally: Tally::default(),
            // Together with a ping.
            next_report: clock.in_phase(first_report, settings.ping_interval, phase),
            next_node_heartbeat: clock.now,
            compaction: Compaction::from(clock.in_phase(first_compaction, settings.ping_interval, phase)),
            counts: None,
            farewell_told: false,
            request_told: false,
            faults: None,
            detaching: false,
            armed: None,
            queued: false,
        })
    }

    /// The cluster's name.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Which of the servers it connects to.
    pub(super) fn server(&self) -> usize {
        self.server
    }

    /// What was asked of it.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What the cluster holds.
    pub(super) fn info(&self) -> ClusterInfo {
        self.cluster.info()
    }

    /// What was written since the journal has it, if anything was.
    pub(super) fn unkept(&mut self) -> Option<Written> {
        if self.kept_revision == self.cluster.revision() {
            return None;
        }
        let written = self.cluster.written_since(self.kept_revision);
        if written.is_nothing() {
            self.kept_revision = written.revision;
            return None;
        }
        Some(written)
    }

    /// The journal has what was written up to `revision`.
    pub(super) fn kept(&mut self, revision: u64) {
        self.kept_revision = self.kept_revision.max(revision);
    }

    /// Uses another registration token from the next connect on.
    pub(super) fn set_token(&mut self, token: Secret) {
        self.registration_token = token;
    }

    /// Announces the service account token after its latest rotation, over new tunnels.
    pub(super) fn rotate_token(&mut self, rotation: u32, context: &mut Context<'_>) {
        self.cluster.rotate_token(rotation);
        for tunnel in TUNNELS {
            let (link, _) = self.link_and_service(tunnel);
            let change = link.reopen("its service account token was rotated", context);
            self.note(tunnel, change, context);
        }
    }

    /// Gives the cluster another size, and its watches the news of it.
    pub(super) fn resize(&mut self, size: Size, context: &mut Context<'_>) -> Result<Box<ClusterInfo>, String> {
        self.cluster.resize(size, context.clock.wall)?;
        self.feed(context);
        Ok(Box::new(self.info()))
    }

    /// The counters, if they changed since the last call.
    pub(super) fn take_changed_counts(&mut self) -> Option<Counts> {
        let (revision, told) = (self.cluster.revision(), self.counts);
        // Counting costs more than all else that a worker does each second for a cluster where nothing happens.
        if told.is_some_and(|(at, _)| at == revision) {
            return None;
        }
        let counts = self.cluster.counts();
        self.counts = Some((revision, counts));
        told.is_none_or(|(_, before)| before != counts).then_some(counts)
    }

    /// The poll has reported the socket of `tunnel`; `is_ended`: the peer sends no more.
    pub(super) fn ready(&mut self, tunnel: Tunnel, is_ended: bool) {
        self.link(tunnel).ready(is_ended);
    }

    /// One of the tunnels' sockets is ready, or work was left over.
    pub(super) fn on_ready(&mut self, context: &mut Context<'_>) {
        for tunnel in TUNNELS {
            let (link, mut service) = self.link_and_service(tunnel);
            if !link.has_more() {
                continue;
            }
            let change = link.advance(&mut service, context);
            self.note(tunnel, change, context);
        }
        self.feed(context);
    }

    /// Does what is due by the clock.
    pub(super) fn on_time(&mut self, context: &mut Context<'_>) {
        if self.faults.is_some() {
            self.advance_faults(context);
        }
        for tunnel in TUNNELS {
            let (link, mut service) = self.link_and_service(tunnel);
            let change = link.on_time(&mut service, context);
            self.note(tunnel, change, context);
        }
        if self.next_report <= context.clock.now && !self.detaching {
            self.report(context.config, context.clock);
        }
        if self.compaction.take(context.clock.now) {
            self.cluster.compact();
        }
        if self.cluster.wake_at().is_some_and(|at| at <= context.clock.wall) {
            self.cluster.wake(context.clock.wall);
        }
        self.feed(context);
    }

    /// Whether the tunnel's backoff is over and a dial is to be queued for it.
    pub(super) fn enqueue(&mut self, tunnel: Tunnel, now: Instant) -> bool {
        self.link(tunnel).enqueue(now)
    }

    /// Whether the tunnel occupies a dial.
    pub(super) fn is_dialing(&mut self, tunnel: Tunnel) -> bool {
        self.link(tunnel).is_dialing()
    }

    /// Starts dialling a queued tunnel.
    pub(super) fn dial(&mut self, tunnel: Tunnel, server: &Arc<Server>, token: Token, context: &mut Context<'_>) {
        let link = match tunnel {
            Tunnel::Api => &mut self.api,
            Tunnel::Steve => &mut self.steve,
        };
        let credentials = Credentials {
            registration_token: &self.registration_token,
            announcement: announcement(self.cluster.identity(), context.config),
        };
        let change = link.dial(server, &credentials, token, context);
        self.note(tunnel, change, context);
    }

    /// Opens what waits for its backoff.
    pub(super) fn hasten(&mut self, now: Instant) {
        self.api.hasten(now);
        self.steve.hasten(now);
    }

    /// Closes both tunnels; the member is gone once [`Member::is_gone`] says so.
    pub(super) fn detach(&mut self, context: &mut Context<'_>) {
        self.detaching = true;
        self.api.close(context.clock);
        self.steve.close(context.clock);
        context.recorder.end_all(&mut self.tally);
    }

    /// Whether a detached member holds nothing any more.
    pub(super) fn is_gone(&self) -> bool {
        self.detaching && self.api.is_idle() && self.steve.is_idle()
    }

    /// Whether there is work left that no readiness report will announce.
    pub(super) fn has_more(&self) -> bool {
        self.api.has_more() || self.steve.has_more()
    }

    /// When a timer has to be set, if the one that is set comes too late: the caller sets it.
    pub(super) fn arm(&mut self, clock: &Clock) -> Option<Instant> {
        let own = (!self.detaching).then_some(self.next_report.min(self.compaction.next_due()));
        let wake = self.cluster.wake_at().map(|at| clock.instant_of(at));
        let fault = self.faults.as_ref().and_then(|faults| faults.next_due());
        let due = [own, wake, fault, self.api.next_due(clock), self.steve.next_due(clock)];
        let due = due.into_iter().flatten().min()?;
        if self.armed.is_some_and(|armed| armed <= due) {
            return None;
        }
        self.armed = Some(due);
        self.armed
    }

    /// Whether the timer that fired is the one that counts.
    pub(super) fn disarm(&mut self, deadline: Instant) -> bool {
        let counts = self.armed == Some(deadline);
        if counts {
            self.armed = None;
        }
        counts
    }

    /// Marks the member as standing in the ready queue; false if it stood there already.
    pub(super) fn mark_queued(&mut self) -> bool {
        !std::mem::replace(&mut self.queued, true)
    }

    /// The member was taken from the ready queue.
    pub(super) fn unmark_queued(&mut self) {
        self.queued = false;
    }

    fn report(&mut self, config: &WorkerConfig, clock: &Clock) {
        let settings = &config.settings;
        let with_nodes = settings.node_heartbeat == HeartbeatMode::Report || self.next_node_heartbeat <= clock.now;
        let heartbeat = if with_nodes { Heartbeat::LeasesAndNodes } else { Heartbeat::Leases };
        if with_nodes {
            self.next_node_heartbeat = clock.now + KUBELET_STATUS_INTERVAL;
        }
        self.cluster.report(heartbeat, clock.wall);
        // Counted from the plan, not from now, so that a busy worker does not let the phases of its clusters drift together.
        while self.next_report <= clock.now {
            self.next_report += settings.report_interval;
        }
    }

    /// Lets watches see what changed, until no answer changes anything more.
    fn feed(&mut self, context: &mut Context<'_>) {
        self.note_farewell(context);
        self.note_firsts(context);
        while self.fed_revision != self.cluster.revision() {
            self.fed_revision = self.cluster.revision();
            for tunnel in TUNNELS {
                let (link, mut service) = self.link_and_service(tunnel);
                let change = link.feed(&mut service, context);
                self.note(tunnel, change, context);
            }
        }
    }

    /// Tells the manager what was asked for the first time.
    fn note_firsts(&mut self, context: &mut Context<'_>) {
        let at = context.clock.now;
        for (verb, resource, code) in context.recorder.take_firsts() {
            let name = self.name.clone();
            if !self.request_told && ![PING, UNKNOWN].contains(&&**resource) {
                self.request_told = true;
                context.events.push_back(Event::Reached { name: name.clone(), milestone: Milestone::FirstRequest, at });
            }
            let is_watch = **verb == *Verb::Watch.as_str();
            if code == 200 && (is_watch || **verb == *Verb::List.as_str()) {
                context.events.push_back(Event::Asked { name, resource: resource.clone(), is_watch, at });
            }
        }
    }

    /// Tells the manager, once, that Rancher takes its leave.
    fn note_farewell(&mut self, context: &mut Context<'_>) {
        if !self.farewell_told && self.cluster.is_cleanup_asked() {
            self.farewell_told = true;
            context.events.push_back(Event::CleanupAsked(self.name.clone()));
        }
    }

    fn note(&mut self, tunnel: Tunnel, change: Option<Change>, context: &mut Context<'_>) {
        let Some(change) = change else { return };
        let name = self.name.clone();
        match change {
            Change::Up => {
                // As the real agent: the second tunnel is opened by what the first one brings up.
                self.steve.want(context.clock.now);
                context.config.stats.of(tunnel).connects.increment();
                context.events.push_back(Event::TunnelUp { name, tunnel });
            }
            Change::Down { cause, refused, retry_in } => {
                if tunnel == Tunnel::Api {
                    context.recorder.end_all(&mut self.tally);
                }
                context.events.push_back(Event::TunnelDown { name, tunnel, cause, refused, retry_in });
            }
        }
    }

    fn link(&mut self, tunnel: Tunnel) -> &mut Link {
        self.link_and_service(tunnel).0
    }

    fn link_and_service(&mut self, tunnel: Tunnel) -> (&mut Link, Service<'_>) {
        match tunnel {
            Tunnel::Api => {
                let faults = self.faults.as_deref_mut();
                (&mut self.api, Service { cluster: Some(&mut self.cluster), faults, tally: &mut self.tally })
            }
            Tunnel::Steve => (&mut self.steve, Service { cluster: None, faults: None, tally: &mut self.tally }),
        }
    }
}

fn announcement(identity: &Identity, config: &WorkerConfig) -> Announcement {
    Announcement::new(&config.settings.api_address, &identity.service_account_token(), &config.ca_pem)
}

/// Both tunnels, in the order in which they are served.
pub(super) const TUNNELS: [Tunnel; 2] = [Tunnel::Api, Tunnel::Steve];
/// How often a kubelet writes an unchanged node status (`nodeStatusReportFrequency`).
const KUBELET_STATUS_INTERVAL: Duration = Duration::from_secs(300);
/// etcd's own request limit, which is what bounds an object in a real cluster.
const MAX_OBJECT_BYTES: usize = 1_572_864;
