//! The registry and what moves it: a state machine that neither blocks nor reads a clock.

use super::answer::{Answer, HealthView, Refusal, RefusalKind};
use super::command::{Action, Command, Reply};
use super::health::Surroundings;
use super::job::{Job, JobError, JobErrorKind, Outcome};
use super::record::Record;
use super::{ClusterName, State, retry};
use crate::config::Secret;
use crate::engine::{Assignment, Attachment, Event, Tunnel};
use crate::kube::{Baseline, Identity};
use jiff::Timestamp;
use ring::digest;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a fleet is made with.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// Rancher's URL, for people.
    pub rancher_url: String,
    /// This agent's own id: what it creates in Rancher carries it, and every cluster's seed depends on it.
    pub instance_id: String,
    /// The objects every cluster starts with.
    pub baseline: Arc<Baseline>,
    /// How long a request waits for Rancher before it is answered with 202.
    pub create_wait: Duration,
    /// How many clusters are accepted.
    pub max_clusters: usize,
    /// How many workers there are.
    pub workers: usize,
    /// Seed of the jitter.
    pub seed: u64,
}

/// What the fleet wants done.
#[derive(Debug)]
pub enum Effect {
    /// Give a registrar this job.
    Work(Job),
    /// Give this to the worker that owns the cluster.
    Assign(Arc<str>, Assignment),
    /// Tell all workers that the server has these addresses.
    Relocate(Vec<std::net::SocketAddr>),
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Monotonic, for deadlines.
    pub instant: Instant,
    /// Wall clock, for people.
    pub wall: Timestamp,
}

/// All clusters of the agent.
#[derive(Debug)]
pub struct Fleet {
    config: FleetConfig,
    records: BTreeMap<ClusterName, Record>,
    surroundings: Surroundings,
    /// What happens by itself, and when.
    timers: BTreeSet<(Instant, u64, Timer)>,
    timer_number: u64,
    /// Requests for what a cluster holds, by number.
    descriptions: BTreeMap<u64, (ClusterName, Reply)>,
    description_number: u64,
    effects: Vec<Effect>,
    random: fastrand::Rng,
    started: Instant,
    resolved: Option<Instant>,
    stopping: bool,
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
    /// Ask Rancher whether it is there.
    Probe,
}

impl Fleet {
    /// A fleet without clusters.
    pub fn new(config: FleetConfig, now: Now) -> Fleet {
        let mut fleet = Fleet {
            surroundings: Surroundings::new(config.rancher_url.clone(), config.workers),
            random: fastrand::Rng::with_seed(config.seed),
            config,
            records: BTreeMap::new(),
            timers: BTreeSet::new(),
            timer_number: 0,
            descriptions: BTreeMap::new(),
            description_number: 0,
            effects: Vec::new(),
            started: now.instant,
            resolved: None,
            stopping: false,
        };
        fleet.effects.push(Effect::Work(Job::Probe));
        fleet.resolve(now);
        fleet
    }

    /// What is to be done now; the caller carries it out in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// When [`Fleet::on_time`] has something to do next.
    pub fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _, _)| *at)
    }

    /// An operator asks for something.
    pub fn command(&mut self, Command { action, reply }: Command, now: Now) {
        match action {
            Action::Create { .. } | Action::Delete { .. } if self.stopping => {
                let refusal =
                    Refusal::new(RefusalKind::Unavailable, "the agent is stopping", "ask again once it is back");
                reply.send(Answer::Refused(refusal));
            }
            Action::Create { name, wait } => self.create(name, wait, reply, now),
            Action::Delete { name, wait } => self.delete(&name, wait, reply, now),
            Action::Get(name) => self.describe(&name, reply, now),
            Action::List { state, limit, after } => reply.send(self.list(state, limit, after)),
            Action::Health => reply.send(Answer::Health(Box::new(self.health(now)))),
        }
    }

    /// A registrar's job ended.
    pub fn outcome(&mut self, outcome: Outcome, now: Now) {
        match outcome {
            Outcome::Created(name, result) => {
                self.called(&result, now);
                self.created(name, result, now);
            }
            Outcome::Token(name, result) => {
                self.called(&result, now);
                self.token(name, result, now);
            }
            Outcome::Deleted(name, result) => {
                self.called(&result, now);
                self.deleted(name, result, now);
            }
            Outcome::LookedUp(name, result) => {
                self.called(&result, now);
                self.looked_up(name, result, now);
            }
            Outcome::Probed(result) => {
                self.called(&result, now);
                self.set_timer(PROBE_INTERVAL, Timer::Probe, now);
            }
            Outcome::Resolved(Ok(addresses)) => self.effects.push(Effect::Relocate(addresses)),
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
            Event::Detached(name) => self.detached(&name),
            Event::Lag { worker, late_by } => self.surroundings.lagged(worker, late_by),
        }
    }

    /// Does what is due by the clock.
    pub fn on_time(&mut self, now: Now) {
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
                Some((_, _, Timer::Probe)) => self.effects.push(Effect::Work(Job::Probe)),
                None => return,
            }
        }
    }

    /// Refuses new work from now on; whoever waits is answered.
    pub fn stop(&mut self) {
        self.stopping = true;
        for record in self.records.values_mut() {
            let view = record.view(None);
            for (reply, _) in record.waiters.drain(..) {
                reply.send(Answer::Accepted(view.clone()));
            }
        }
    }

    fn create(&mut self, name: ClusterName, wait: bool, reply: Reply, now: Now) {
        let refusal = if let Some(record) = self.records.get(&name) {
            let detail = format!("a cluster named {name} exists already, in state {}", record.state.as_str());
            Some(Refusal::new(RefusalKind::Conflict, detail, format!("GET /clusters/{name} shows it")))
        } else if self.records.len() >= self.config.max_clusters {
            let detail = format!("the agent holds {} clusters, as many as MaxClusters allows", self.records.len());
            Some(Refusal::new(
                RefusalKind::LimitReached,
                detail,
                "delete some, raise MaxClusters, or start another agent",
            ))
        } else if !self.surroundings.token_accepted() {
            let detail = self.surroundings.problems().into_iter().next().unwrap_or_default();
            Some(Refusal::new(
                RefusalKind::RancherRefuses,
                detail,
                "create an API key in Rancher and put it into BearerToken",
            ))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return reply.send(Answer::Refused(refusal));
        }
        let record = self.records.entry(name.clone()).or_insert_with(|| Record::new(name.clone(), now.wall));
        if wait {
            record.waiters.push((reply, now.instant + self.config.create_wait));
            self.set_timer(self.config.create_wait, Timer::Waited(name.clone()), now);
        } else {
            reply.send(Answer::Accepted(record.view(None)));
        }
        self.step(&name, now);
    }

    fn delete(&mut self, name: &str, wait: bool, reply: Reply, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return reply.send(unknown(name)) };
        let name = record.name.clone();
        // Whoever waited for the cluster to come up learns that it will not.
        for (waiter, _) in record.waiters.drain(..) {
            let refusal =
                Refusal::new(RefusalKind::Conflict, format!("{name} is being deleted"), "create it again afterwards");
            waiter.send(Answer::Refused(refusal));
        }
        record.enter(State::Deleting, now.wall);
        record.succeeded();
        if wait {
            record.waiters.push((reply, now.instant + self.config.create_wait));
            self.set_timer(self.config.create_wait, Timer::Waited(name.clone()), now);
        } else {
            reply.send(Answer::Accepted(record.view(None)));
        }
        self.step(&name, now);
    }

    /// Takes a cluster's next step, unless a registrar is at it already.
    fn step(&mut self, name: &ClusterName, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        if record.job_under_way {
            return;
        }
        let name = name.clone();
        let job = match (record.state, record.id.clone()) {
            (State::Pending | State::Registering | State::Failed, None) => {
                record.enter(State::Registering, now.wall);
                Job::Create(name)
            }
            (State::Registered | State::Failed, Some(id)) => {
                let make = record.attempts == ATTEMPTS_BEFORE_MAKING_A_TOKEN;
                Job::FetchToken { name, id, make }
            }
            (State::Deleting, None) => return self.forget(&name),
            (State::Deleting, Some(id)) if record.attempts == 0 => Job::Delete { name, id },
            (State::Deleting, Some(id)) => Job::LookUp { name, id },
            _ => return,
        };
        record.job_under_way = true;
        record.next_attempt = None;
        self.effects.push(Effect::Work(job));
    }

    fn created(&mut self, name: ClusterName, result: Result<(String, Option<Timestamp>), JobError>, now: Now) {
        let Some(record) = self.records.get_mut(&name) else { return };
        record.job_under_way = false;
        match result {
            Ok((id, created_in_rancher)) => {
                record.id = Some(id);
                record.created_in_rancher = created_in_rancher;
                if record.state != State::Deleting {
                    record.succeeded();
                    record.enter(State::Registered, now.wall);
                    let view = record.view(None);
                    for (reply, _) in record.waiters.drain(..) {
                        reply.send(Answer::Created(view.clone()));
                    }
                }
                self.step(&name, now);
            }
            Err(error) => match error.kind {
                _ if record.state == State::Deleting => self.step(&name, now),
                JobErrorKind::Transient(asked) => self.retry(&name, error.message, asked, now),
                // Nothing was created in Rancher, so nothing is kept here: whoever asked knows, or reads it in the log.
                _ => {
                    log::warn!("cluster {name} is not created: {}", error.message);
                    let waiters = std::mem::take(&mut record.waiters);
                    for (reply, _) in waiters {
                        reply.send(Answer::Refused(error.clone().into()));
                    }
                    self.forget(&name);
                }
            },
        }
    }

    fn token(&mut self, name: ClusterName, result: Result<Option<Secret>, JobError>, now: Now) {
        let Some(record) = self.records.get_mut(&name) else { return };
        record.job_under_way = false;
        if record.state == State::Deleting {
            return self.step(&name, now);
        }
        match result {
            Ok(Some(token)) => {
                record.token_read = Some(now.instant);
                record.succeeded();
                let changed = record.token.as_ref() != Some(&token);
                record.token = Some(token.clone());
                let key = name.as_arc().clone();
                if !record.attached {
                    record.attached = true;
                    record.enter(State::Connecting, now.wall);
                    let attachment = Attachment {
                        identity: Identity {
                            name: key.clone(),
                            seed: seed(&self.config.instance_id, &key),
                            created: record.created_in_rancher.unwrap_or(now.wall),
                        },
                        baseline: self.config.baseline.clone(),
                        registration_token: token,
                    };
                    self.effects.push(Effect::Assign(key, Assignment::Attach(Box::new(attachment))));
                } else if changed {
                    log::info!("cluster {name}: Rancher gave it a new registration token");
                    self.effects.push(Effect::Assign(key.clone(), Assignment::UpdateToken(key, token)));
                }
            }
            // A cluster that is attached keeps trying with the token it has.
            Ok(None) | Err(_) if record.attached => record.token_read = Some(now.instant),
            Ok(None) => {
                record.attempts += 1;
                let delay = TOKEN_POLL.mul_f64(0.5 + self.random.f64());
                record.next_attempt = wall_after(now, delay);
                self.set_timer(delay, Timer::Step(name), now);
            }
            Err(error) => match error.kind {
                JobErrorKind::Transient(asked) => self.retry(&name, error.message, asked, now),
                _ => {
                    record.enter(State::Failed, now.wall);
                    self.retry(&name, error.message, Some(FAILED_PAUSE), now);
                }
            },
        }
    }

    fn deleted(&mut self, name: ClusterName, result: Result<(), JobError>, now: Now) {
        let Some(record) = self.records.get_mut(&name) else { return };
        record.job_under_way = false;
        match result {
            Ok(()) => {
                // From here on the step is to look whether it is gone; the tunnels stay, since Rancher cleans up through them.
                record.attempts = 1;
                self.set_timer(DELETE_POLL_MIN, Timer::Step(name), now);
            }
            Err(error) => self.deletion_failed(&name, error, now),
        }
    }

    fn looked_up(&mut self, name: ClusterName, result: Result<bool, JobError>, now: Now) {
        let Some(record) = self.records.get_mut(&name) else { return };
        record.job_under_way = false;
        match result {
            Ok(false) if record.attached => {
                let key = name.as_arc().clone();
                self.effects.push(Effect::Assign(key.clone(), Assignment::Detach(key)));
            }
            Ok(false) => self.forget(&name),
            Ok(true) => {
                record.attempts += 1;
                let delay = (DELETE_POLL_MIN * record.attempts).min(DELETE_POLL_MAX);
                self.set_timer(delay, Timer::Step(name), now);
            }
            Err(error) => self.deletion_failed(&name, error, now),
        }
    }

    /// A deletion that Rancher refuses is called off; one that it cannot answer now goes on later.
    fn deletion_failed(&mut self, name: &ClusterName, error: JobError, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        if let JobErrorKind::Transient(asked) = error.kind {
            record.last_error = Some(error.message);
            let delay = retry::delay(record.attempts.max(1), asked, &mut self.random);
            record.next_attempt = wall_after(now, delay);
            return self.set_timer(delay, Timer::Step(name.clone()), now);
        }
        record.last_error = Some(error.message.clone());
        record.attempts = 0;
        let state = if record.attached { State::Connecting } else { State::Failed };
        record.enter(state, now.wall);
        if record.tunnels_up() == 2 {
            record.enter(State::Connected, now.wall);
        }
        let waiters = std::mem::take(&mut record.waiters);
        for (reply, _) in waiters {
            reply.send(Answer::Refused(error.clone().into()));
        }
    }

    fn detached(&mut self, name: &str) {
        let Some(record) = self.records.get_mut(name) else { return };
        record.attached = false;
        if record.state == State::Deleting {
            let name = record.name.clone();
            self.forget(&name);
        }
    }

    fn forget(&mut self, name: &ClusterName) {
        if let Some(record) = self.records.remove(name) {
            log::info!("cluster {name} is gone");
            record.waiters.into_iter().for_each(|(reply, _)| reply.send(Answer::Gone));
        }
    }

    fn retry(&mut self, name: &ClusterName, message: String, asked: Option<Duration>, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        log::debug!("cluster {name}: {message}");
        record.last_error = Some(message);
        record.attempts += 1;
        let delay = retry::delay(record.attempts, asked, &mut self.random);
        record.next_attempt = wall_after(now, delay);
        self.set_timer(delay, Timer::Step(name.clone()), now);
    }

    fn tunnel_up(&mut self, name: &str, tunnel: Tunnel, now: Now) {
        if let Some(record) = self.records.get_mut(name) {
            record.tunnel_changed(tunnel, None, now.wall);
        }
    }

    fn tunnel_down(&mut self, name: &str, tunnel: Tunnel, cause: String, refused: Option<u16>, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        record.tunnel_changed(tunnel, Some(cause), now.wall);
        // Rancher says so while its cache lags behind, but also when it has rotated the token.
        let token_doubtful =
            matches!(refused, Some(400 | 401)) && record.state != State::Deleting && !record.job_under_way;
        let long_ago = record.token_read.is_none_or(|read| now.instant.duration_since(read) >= TOKEN_AGE);
        match record.id.clone() {
            Some(id) if token_doubtful && long_ago => {
                record.job_under_way = true;
                let name = record.name.clone();
                self.effects.push(Effect::Work(Job::FetchToken { name, id, make: false }));
            }
            _ => {}
        }
        if refused.is_none() && self.resolved.is_none_or(|at| now.instant.duration_since(at) >= RESOLVE_INTERVAL) {
            self.resolve(now);
        }
    }

    fn resolve(&mut self, now: Now) {
        self.resolved = Some(now.instant);
        self.effects.push(Effect::Work(Job::Resolve));
    }

    fn waited(&mut self, name: &ClusterName, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        let view = record.view(None);
        let (over, waiting) =
            std::mem::take(&mut record.waiters).into_iter().partition(|(_, until)| *until <= now.instant);
        record.waiters = waiting;
        let over: Vec<(Reply, Instant)> = over;
        over.into_iter().for_each(|(reply, _)| reply.send(Answer::Accepted(view.clone())));
    }

    fn describe(&mut self, name: &str, reply: Reply, now: Now) {
        let Some(record) = self.records.get(name) else { return reply.send(unknown(name)) };
        let name = record.name.clone();
        if !record.attached || self.descriptions.len() >= DESCRIPTIONS_AT_ONCE {
            return self.answer_with(&name, None, reply);
        }
        self.description_number += 1;
        let number = self.description_number;
        let key = name.as_arc().clone();
        self.effects.push(Effect::Assign(key.clone(), Assignment::Describe(key, number)));
        self.descriptions.insert(number, (name, reply));
        self.set_timer(DESCRIBE_WAIT, Timer::Described(number), now);
    }

    fn answer_with(&self, name: &ClusterName, info: Option<Box<crate::kube::ClusterInfo>>, reply: Reply) {
        match self.records.get(name) {
            Some(record) => reply.send(Answer::Cluster(record.view(info))),
            None => reply.send(unknown(&name.to_string())),
        }
    }

    fn list(&self, state: Option<State>, limit: usize, after: Option<String>) -> Answer {
        let wanted = |record: &&Record| state.is_none_or(|state| record.state == state);
        let total = self.records.values().filter(wanted).count();
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.records.range::<str, _>((from, Bound::Unbounded)).map(|(_, record)| record).filter(wanted);
        let clusters = rest.by_ref().take(limit).map(|record| *record.view(None)).collect();
        Answer::Clusters { clusters, total, more: rest.next().is_some() }
    }

    fn health(&self, now: Now) -> HealthView {
        let mut clusters: BTreeMap<&'static str, usize> =
            State::ALL.into_iter().map(|state| (state.as_str(), 0)).collect();
        for record in self.records.values() {
            *clusters.entry(record.state.as_str()).or_default() += 1;
        }
        let mut problems = self.surroundings.problems();
        if self.stopping {
            problems.push("the agent is stopping".into());
        }
        HealthView {
            status: if problems.is_empty() { "ok" } else { "failing" },
            problems,
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: now.instant.duration_since(self.started).as_secs(),
            clusters,
            tunnels_up: self.records.values().map(Record::tunnels_up).sum(),
            rancher: self.surroundings.rancher(),
            worker_lag_ms: self.surroundings.lag_ms(),
        }
    }

    fn called<T>(&mut self, result: &Result<T, JobError>, now: Now) {
        self.surroundings.called(result.as_ref().err(), now.wall);
    }

    fn set_timer(&mut self, delay: Duration, timer: Timer, now: Now) {
        self.timer_number += 1;
        self.timers.insert((now.instant + delay, self.timer_number, timer));
    }
}

/// A cluster's seed: the same for this agent and name for ever, so that a restart announces the same credentials.
fn seed(instance_id: &str, name: &str) -> u64 {
    let hash = digest::digest(&digest::SHA256, format!("{instance_id}/{name}").as_bytes());
    hash.as_ref().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

fn unknown(name: &str) -> Answer {
    let detail = format!("there is no cluster named {name:?}");
    Answer::Refused(Refusal::new(RefusalKind::UnknownCluster, detail, "GET /clusters lists them"))
}

fn wall_after(now: Now, delay: Duration) -> Option<Timestamp> {
    now.wall.checked_add(delay).ok()
}

/// How often Rancher is asked whether it is there and accepts the token.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);
/// Rancher makes a token a moment after the cluster.
const TOKEN_POLL: Duration = Duration::from_secs(1);
/// After about ten seconds without a token one is asked for.
const ATTEMPTS_BEFORE_MAKING_A_TOKEN: u32 = 10;
/// A token read longer ago than this is read again when a tunnel is refused.
const TOKEN_AGE: Duration = Duration::from_secs(30);
/// A cluster that Rancher refuses a token is asked about once a minute.
const FAILED_PAUSE: Duration = Duration::from_secs(60);
/// Between two looks whether a deleted cluster is gone: the first, and the longest.
const DELETE_POLL_MIN: Duration = Duration::from_millis(500);
const DELETE_POLL_MAX: Duration = Duration::from_secs(5);
/// How often a name is resolved at most.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long a worker may take to describe a cluster before it is shown without its objects.
const DESCRIBE_WAIT: Duration = Duration::from_secs(2);
/// Descriptions under way at once; beyond it clusters are shown without their objects.
const DESCRIPTIONS_AT_ONCE: usize = 64;
