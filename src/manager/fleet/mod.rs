//! The registry and what moves it: a state machine that neither blocks nor reads a clock.

mod asked;
mod deletion;
mod faults;
mod keeping;
mod operations;
mod overview;
mod poll;
mod queries;
mod ramp;
mod registration;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod tunnels;
mod upstream;

use super::answer::{Answer, Refusal, RefusalKind};
use super::command::{Action, Command, Reply};
use super::health::Host;
use super::job::{Job, Outcome};
use super::record::Record;
use super::stats::Stats;
use super::{ClusterName, State};
use crate::config::Shard;
use crate::engine::{Assignment, Event};
use crate::kube::Baseline;
use crate::ramp::Milestone;
use crate::telemetry::RequestTotals;
use faults::Injections;
use jiff::Timestamp;
use operations::Operations;
use overview::Curve;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use upstream::Upstream;

/// What a fleet is made with.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// The Ranchers that clusters are registered with; at least one.
    pub ranchers: Vec<RancherConfig>,
    /// This agent's own id: what it creates in Rancher carries it, and every cluster's seed depends on it.
    pub instance_id: String,
    /// Which part of every ramp is its own.
    pub shard: Shard,
    /// How many runs of the agent came before this one.
    pub epoch: u32,
    /// The objects a cluster starts with, unless it names a template.
    pub baseline: Arc<Baseline>,
    /// The templates that clusters may name.
    pub templates: BTreeMap<String, Arc<Baseline>>,
    /// How long a request waits for Rancher before it is answered with 202.
    pub create_wait: Duration,
    /// How often Rancher is asked what it thinks of the clusters.
    pub poll_interval: Duration,
    /// The same while a ramp waits for its clusters.
    pub ramp_poll_interval: Duration,
    /// After how long a failed cluster is tried again by itself; zero is never.
    pub failed_retry: Duration,
    /// How many clusters are accepted.
    pub max_clusters: usize,
    /// How many workers there are.
    pub workers: usize,
    /// How many calls to each Rancher may be under way.
    pub registrars: usize,
    /// What results say of this agent: version, host, settings without secrets.
    pub about: serde_json::Value,
    /// Seed of the jitter.
    pub seed: u64,
}

/// One of the Ranchers.
#[derive(Debug, Clone)]
pub struct RancherConfig {
    /// Its name in the configuration and in REST.
    pub name: String,
    /// Its URL, for people.
    pub url: String,
    /// Its share of the clusters that name no server.
    pub weight: u32,
}

/// What the fleet wants done.
#[derive(Debug)]
pub enum Effect {
    /// Give a registrar of this Rancher this job.
    Work(usize, Job),
    /// Give this to the worker that owns the cluster.
    Assign(Arc<str>, Assignment),
    /// Have the journal keep a cluster's record, or forget the cluster; [`Fleet::kept`] wants to know of it.
    Keep {
        /// The cluster.
        name: Arc<str>,
        /// Which state of the record it is.
        version: u64,
        /// The record; `None` for a cluster that is gone.
        record: Option<Vec<u8>>,
    },
    /// Tell all workers that this Rancher has these addresses.
    Relocate(usize, Vec<std::net::SocketAddr>),
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Monotonic, for deadlines.
    pub instant: Instant,
    /// Wall clock, for people.
    pub wall: Timestamp,
}

impl Now {
    /// The wall clock after `delay`; `None` beyond the end of time.
    fn wall_after(&self, delay: Duration) -> Option<Timestamp> {
        self.wall.checked_add(delay).ok()
    }
}

/// All clusters of the agent.
#[derive(Debug)]
pub struct Fleet {
    config: FleetConfig,
    records: BTreeMap<ClusterName, Record>,
    /// Counts what the journal is given, over all clusters: one that is made again is not taken for the one before.
    last_version: u64,
    /// In the order of the configuration.
    upstreams: Vec<Upstream>,
    host: Host,
    operations: Operations,
    injections: Injections,
    curve: Curve,
    /// What happens by itself, and when.
    timers: BTreeSet<(Instant, u64, Timer)>,
    timer_number: u64,
    /// What each worker's clusters were asked in all.
    requests: BTreeMap<usize, Box<RequestTotals>>,
    /// Requests for what a cluster holds, by number.
    descriptions: BTreeMap<u64, (ClusterName, Reply)>,
    description_number: u64,
    effects: Vec<Effect>,
    random: fastrand::Rng,
    started: Instant,
    stopping: bool,
    stats: Arc<Stats>,
}

/// What happens by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Take the cluster's next step.
    Step(ClusterName),
    /// Whoever still waits for the cluster has waited long enough.
    Waited(ClusterName),
    /// The worker has had its time to describe the cluster.
    Described(u64),
    /// Have the journal keep the cluster's record at last.
    Keep(ClusterName),
    /// Ask Rancher whether it knows the cluster still.
    LookUp(ClusterName),
    /// Look after an operation.
    Operation(u64),
    /// The time of a fault is up.
    Fault(u64),
    /// Ask a Rancher what it thinks of its clusters.
    Poll(usize),
}

impl Fleet {
    /// A fleet without clusters; the outcome of a first [`Job::Probe`] starts the regular rounds.
    pub fn new(config: FleetConfig, now: Now) -> Fleet {
        let mut fleet = Fleet {
            upstreams: config.ranchers.iter().map(|rancher| Upstream::new(rancher.clone(), now)).collect(),
            host: Host::new(config.workers, now.instant),
            operations: Operations::default(),
            injections: Injections::default(),
            curve: Curve::new(now),
            random: fastrand::Rng::with_seed(config.seed),
            config,
            records: BTreeMap::new(),
            last_version: 0,
            timers: BTreeSet::new(),
            timer_number: 0,
            requests: BTreeMap::new(),
            descriptions: BTreeMap::new(),
            description_number: 0,
            effects: Vec::new(),
            started: now.instant,
            stopping: false,
            stats: Arc::default(),
        };
        (0..fleet.upstreams.len()).for_each(|server| fleet.resolve(server, now));
        fleet
    }

    /// What is counted.
    pub(super) fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// What is to be done now; the caller carries it out in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// When [`Fleet::on_time`] has something to do next.
    pub fn next_due(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _, _)| *at);
        Some(timer.map_or(self.curve.next_due(), |at| at.min(self.curve.next_due())))
    }

    /// An operator asks for something.
    pub fn command(&mut self, Command { action, reply }: Command, now: Now) {
        match action {
            Action::Create { .. }
            | Action::Delete { .. }
            | Action::Retry(_)
            | Action::RotateToken(_)
            | Action::Resize(..)
            | Action::CreateMany(_)
            | Action::StartRamp(_)
            | Action::DeleteMany(_)
            | Action::Clean { .. }
            | Action::Inject(_)
                if self.stopping =>
            {
                let refusal =
                    Refusal::new(RefusalKind::Unavailable, "the agent is stopping", "ask again once it is back");
                reply.send(Answer::Refused(refusal));
            }
            Action::Create { name, wanted, wait } => self.create(name, wanted, wait, reply, now),
            Action::CreateMany(spec) => self.begin_ramp(*spec, Milestone::Created, reply, now),
            Action::StartRamp(spec) => self.begin_ramp(*spec, Milestone::Active, reply, now),
            Action::Ramp(number) => self.ramp(number, false, reply, now),
            Action::Ramps => self.all_ramps(reply, now),
            Action::SteerRamp(number, steer) => self.steer(number, steer, reply, now),
            Action::RampResults(number) => self.ramp_raw(number, reply, now),
            Action::DeleteMany(which) => self.delete_many(which, reply, now),
            Action::Clean { which, strays } => self.clean(which, strays, reply, now),
            Action::Operation(number) => self.operation(number, reply),
            Action::Operations => self.all_operations(reply),
            Action::Cancel(number) => self.cancel(number, reply, now),
            Action::Inject(injection) => self.inject(*injection, reply, now),
            Action::Fault(id) => self.fault(id, reply),
            Action::Faults => self.all_faults(reply),
            Action::EndFault(id) => self.end_fault(id, reply, now),
            Action::Delete { name, wait } => self.delete(&name, wait, reply, now),
            Action::Retry(name) => self.retry_now(&name, reply, now),
            Action::RotateToken(name) => self.rotate_token(&name, reply, now),
            Action::Resize(name, size) => self.resize(&name, size, reply, now),
            Action::Get(name) => self.describe(&name, reply, now),
            Action::List { state, limit, after } => reply.send(self.list(state, limit, after)),
            Action::ClusterRequests(name) => self.describe_requests(&name, reply, now),
            Action::Requests => reply.send(Answer::Requests(Box::new(self.all_requests()))),
            Action::Metrics => reply.send(Answer::Metrics(Box::new((self.health(now), self.all_requests())))),
            Action::Overview => reply.send(Answer::Overview(Box::new(self.overview(now)))),
            Action::Alive => reply.send(Answer::Alive),
            Action::Health => reply.send(Answer::Health(Box::new(self.health(now)))),
        }
    }

    /// A job of a registrar of this Rancher ended.
    pub fn outcome(&mut self, server: usize, outcome: Outcome, now: Now) {
        match outcome {
            Outcome::Created(name, result) => {
                self.called(server, &result, now);
                let ramp = self.records.get(&name).and_then(|record| record.ramp);
                self.created(name.clone(), result, now);
                let is_open = |record: &Record| record.id.is_none() && record.state != State::Failed;
                if let Some((number, _)) = ramp.filter(|_| !self.records.get(&name).is_some_and(is_open)) {
                    self.make_room(number, now);
                }
            }
            Outcome::Token(name, result) => {
                self.called(server, &result, now);
                self.token(name, result, now);
            }
            Outcome::Deleted(name, result) => {
                self.called(server, &result, now);
                self.deleted(name, result, now);
            }
            Outcome::Found(name, result) => {
                self.called(server, &result, now);
                self.found(name, result, now);
            }
            Outcome::LookedUp(name, result) => {
                self.called(server, &result, now);
                self.looked_up(name, result, now);
            }
            Outcome::Listed(result) => {
                self.called(server, &result, now);
                self.listed(server, result, now);
            }
            Outcome::Probed(result) => {
                self.called(server, &result, now);
                self.await_poll(server, now);
            }
            Outcome::Resolved(Ok(addresses)) => self.effects.push(Effect::Relocate(server, addresses)),
            Outcome::Resolved(Err(error)) => log::warn!("{}", error.message),
        }
    }

    /// A worker tells something.
    pub fn event(&mut self, event: Event, now: Now) {
        match event {
            Event::TunnelUp { name, tunnel } => self.tunnel_up(&name, tunnel, now),
            Event::TunnelDown { name, tunnel, cause, refused, retry_in } => {
                log::debug!("cluster {name}: {tunnel:?} tunnel down: {cause}; next try in {} ms", retry_in.as_millis());
                self.tunnel_down(&name, tunnel, cause, refused, now);
            }
            Event::Counted(counted) => {
                for (name, counts) in counted {
                    if let Some(record) = self.records.get_mut(&*name) {
                        record.counts = Some(counts);
                    }
                }
            }
            Event::Described(number, info) => {
                if let Some((name, reply)) = self.descriptions.remove(&number) {
                    self.answer_with(&name, info, reply);
                }
            }
            Event::RequestsDescribed(number, requests) => self.requests_described(number, requests),
            Event::Requested { worker, totals } => _ = self.requests.insert(worker, totals),
            Event::Resized(number, outcome) => self.resized(number, outcome),
            Event::Detached(name) => self.detached(&name),
            Event::NotAttached(name, problem) => self.not_attached(&name, problem, now),
            Event::Reached { name, milestone, at } => {
                self.records.get_mut(&*name).into_iter().for_each(|record| record.reach(milestone, at));
            }
            Event::Asked { name, resource, is_watch, at } => {
                let journey = self.records.get_mut(&*name).and_then(|record| record.journey.as_deref_mut());
                journey.into_iter().for_each(|journey| journey.ask(&resource, is_watch, at));
            }
            Event::CleanupAsked(name) => self.cleanup_asked(&name, now),
            Event::FaultsFelt(felt) => self.injections.felt(&felt),
            Event::Lag { worker, late_by } => self.host.lagged(worker, late_by, now.instant),
        }
    }

    /// How much memory the process takes.
    pub fn takes(&mut self, rss_bytes: u64) {
        self.host.took(rss_bytes);
    }

    /// Does what is due by the clock.
    pub fn on_time(&mut self, now: Now) {
        self.sample_states(now);
        while let Some((at, _, _)) = self.timers.first() {
            if *at > now.instant {
                return;
            }
            match self.timers.pop_first() {
                Some((_, _, Timer::Step(name))) => self.step(&name, now),
                Some((_, _, Timer::Waited(name))) => self.waited(&name, now),
                Some((_, _, Timer::Described(number))) => {
                    if let Some((name, reply)) = self.descriptions.remove(&number) {
                        self.answer_with(&name, None, reply);
                    }
                }
                Some((_, _, Timer::LookUp(name))) => self.look_up(&name),
                Some((_, _, Timer::Keep(name))) => self.keep_again(&name),
                Some((_, _, Timer::Operation(number))) => self.advance(number, now),
                Some((_, _, Timer::Fault(id))) => self.fault_is_over(id, now),
                Some((_, _, Timer::Poll(server))) => self.poll(server, now),
                None => return,
            }
        }
    }

    /// Refuses new work from now on; whoever waits is answered.
    pub fn stop(&mut self) {
        self.stopping = true;
        for record in self.records.values_mut() {
            let answer = || match record.kept == record.version {
                true => Answer::Accepted(record.view(None)),
                false => Answer::Refused(Refusal::new(
                    RefusalKind::Unavailable,
                    "the agent is stopping and may not have stored this",
                    "look at GET /clusters once it is back",
                )),
            };
            let answers: Vec<Answer> = record.waiters.iter().map(|_| answer()).collect();
            for ((reply, _), answer) in record.waiters.drain(..).zip(answers) {
                reply.send(answer);
            }
        }
    }

    /// Takes a cluster's next step, unless a registrar is at it already.
    fn step(&mut self, name: &ClusterName, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        // What is not on disk yet goes on once it is (a timer of an earlier cluster of the name may come first).
        let is_unkept = record.state == State::Pending && record.kept != record.version;
        if record.job_under_way || is_unkept {
            return;
        }
        let name = name.clone();
        let job = match (record.state, record.id.clone()) {
            (State::Pending | State::Registering | State::Failed, None) => {
                record.enter(State::Registering, now.wall);
                Job::Create { name, adopt: record.adopt, run: record.run.clone() }
            }
            (State::Registered | State::Failed, Some(id)) if record.is_doubtful() => {
                record.looked_up = true;
                Job::LookUp { name, id }
            }
            (State::Registered | State::Failed, Some(id)) => {
                record.looked_up = false;
                let make = record.attempts > 0 && record.attempts.is_multiple_of(ATTEMPTS_BEFORE_MAKING_A_TOKEN);
                Job::FetchToken { name, id, make }
            }
            (State::Deleting, None) if record.may_exist => Job::Find(name),
            (State::Deleting, None) => return self.forget(&name),
            (State::Deleting, Some(id)) if record.deletion_accepted => Job::LookUp { name, id },
            (State::Deleting, Some(id)) => Job::Delete { name, id },
            _ => return,
        };
        record.job_under_way = true;
        record.next_attempt = None;
        let server = record.server;
        self.effects.push(Effect::Work(server, job));
    }

    fn set_timer(&mut self, delay: Duration, timer: Timer, now: Now) {
        self.timer_number += 1;
        self.timers.insert((now.instant + delay, self.timer_number, timer));
    }
}

/// After about ten seconds without a token one is asked for, and again as often.
const ATTEMPTS_BEFORE_MAKING_A_TOKEN: u32 = 10;
