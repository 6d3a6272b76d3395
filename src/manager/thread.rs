//! The `manager` thread: feeds the fleet from its queues and carries out what it wants done.

use super::command::Command;
use super::fleet::{Effect, Fleet, FleetConfig, Now};
use super::job::{Called, Job, JobError, Outcome};
use super::performance::Performance;
use super::registrar::Registrar;
use crate::engine::{Assignment, Engine, Event, Server};
use crate::journal::{JournalHandle, KeptCluster, RecordChange};
use crate::rancher::{Client, RancherError};
use crate::telemetry::{Metrics, Process, rss_bytes};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, never, select, unbounded};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the manager is started with.
pub struct ManagerConfig {
    /// The registry's own.
    pub fleet: FleetConfig,
    /// The Ranchers, in the order of [`FleetConfig::ranchers`].
    pub ranchers: Vec<Rancher>,
    /// How many calls to each of them may be under way.
    pub registrars: usize,
    /// The workers.
    pub engine: Engine,
    /// What the workers tell.
    pub events: Receiver<Event>,
    /// Keeps the records.
    pub journal: JournalHandle,
    /// The records of earlier runs.
    pub records: Vec<(String, Vec<u8>)>,
    /// What was written in their clusters, one after the other.
    pub past: Receiver<KeptCluster>,
    /// How often the log has a line on how the agent fares; zero is never.
    pub performance_interval: Duration,
}

/// Which records were handed to the journal, in which versions, and whether they are on disk.
type KeepOutcome = (Vec<(Arc<str>, u64)>, Result<(), String>);

/// One Rancher, as the manager talks to it.
pub struct Rancher {
    /// Its REST API.
    pub client: Client,
    /// What it answered when it was asked first.
    pub probed: Result<(), RancherError>,
    /// Where its tunnels lead; its addresses are kept up to date.
    pub server: Server,
}

/// A Rancher's registrars and what waits for them.
struct Desk {
    server: Server,
    /// Whether the workers still have to be told of new addresses.
    relocated: bool,
    jobs: Sender<Job>,
    /// Jobs no registrar is free for: one at most for each cluster, and the two of the agent.
    waiting: VecDeque<Job>,
}

/// The running manager.
pub struct ManagerHandle {
    commands: Sender<Command>,
    stop: Sender<Duration>,
    metrics: Metrics,
    thread: JoinHandle<usize>,
}

/// The thread's state.
pub struct Manager {
    fleet: Fleet,
    engine: Engine,
    desks: Vec<Desk>,
    commands: Receiver<Command>,
    events: Receiver<Event>,
    outcomes: Receiver<(usize, Outcome, Called)>,
    stop: Receiver<Duration>,
    past: Receiver<KeptCluster>,
    journal: JournalHandle,
    kept: (Sender<KeepOutcome>, Receiver<KeepOutcome>),
    /// Changes of records the journal had no room for, with the versions they are of.
    waiting_keeps: (Vec<RecordChange>, Vec<(Arc<str>, u64)>),
    /// Assignments a worker's queue had no room for, in order.
    waiting_assignments: VecDeque<(Arc<str>, Assignment)>,
    performance: Performance,
    /// When the process's memory is looked at next.
    next_usage: Instant,
}

impl Manager {
    /// Starts the manager and its registrars.
    pub fn start(config: ManagerConfig) -> std::io::Result<ManagerHandle> {
        let registrars = config.registrars.max(1);
        let (commands, command_queue) = bounded(COMMAND_QUEUE_LENGTH);
        let (stop, stop_queue) = bounded(1);
        let (outcomes, outcome_queue) = bounded(registrars * config.ranchers.len().max(1));
        let label = (INSTANCE_LABEL, config.fleet.instance_id.clone());
        let shard = config.fleet.shard;
        let mut fleet = Fleet::new(config.fleet, now());
        fleet.restore(config.records, now()).map_err(std::io::Error::other)?;
        let mut desks = Vec::new();
        for (index, rancher) in config.ranchers.into_iter().enumerate() {
            fleet.outcome(index, Outcome::Probed(rancher.probed.map_err(JobError::from)), now());
            let (jobs, job_queue) = bounded(registrars);
            let registrar = Registrar {
                client: rancher.client,
                label: label.clone(),
                shard,
                rancher: index,
                server: rancher.server.next_hop(),
                stats: fleet.stats().clone(),
            };
            for number in 0..registrars {
                let (registrar, job_queue, outcomes) = (registrar.clone(), job_queue.clone(), outcomes.clone());
                std::thread::Builder::new()
                    .name(format!("registrar-{}", index * registrars + number))
                    .spawn(move || registrar.run(job_queue, outcomes))?;
            }
            desks.push(Desk { server: rancher.server, relocated: false, jobs, waiting: VecDeque::new() });
        }
        let mut metrics = Metrics::default();
        metrics.add(fleet.stats().clone());
        config.engine.add_to(&mut metrics);
        // Registrars and workers go by whether the other end of their queues is still there, so it is never the one that is looked at.
        let waiting = commands.clone();
        metrics.add_queue("commands", COMMAND_QUEUE_LENGTH, move || waiting.len());
        metrics.add_queue("outcomes", outcomes.capacity().unwrap_or(0), move || outcomes.len());
        let manager = Manager {
            fleet,
            engine: config.engine,
            desks,
            commands: command_queue,
            events: config.events,
            outcomes: outcome_queue,
            stop: stop_queue,
            past: config.past,
            journal: config.journal,
            kept: unbounded(),
            waiting_keeps: (Vec::new(), Vec::new()),
            waiting_assignments: VecDeque::new(),
            performance: Performance::new(config.performance_interval, Process::usage(), Instant::now()),
            next_usage: Instant::now(),
        };
        let thread = std::thread::Builder::new().name("manager".into()).spawn(move || manager.run())?;
        Ok(ManagerHandle { commands, stop, metrics, thread })
    }

    fn run(mut self) -> usize {
        loop {
            self.carry_out();
            // What was written in clusters stays on disk until a worker has room for it.
            let past = if self.waiting_assignments.is_empty() { self.past.clone() } else { never() };
            select! {
                recv(self.stop) -> within => return self.shut_down(within.unwrap_or_default()),
                recv(self.commands) -> command => match command {
                    Ok(command) => self.fleet.command(command, now()),
                    Err(_) => self.commands = never(),
                },
                // A registrar that is done is free for the next job.
                recv(self.outcomes) -> outcome => if let Ok((rancher, outcome, called)) = outcome {
                    if let Some(endpoint) = called.endpoint {
                        self.fleet.called_for(endpoint, called.took, called.failed);
                    }
                    self.fleet.outcome(rancher, outcome, now());
                },
                recv(past) -> kept => match kept {
                    Ok(kept) => self.fleet.resume(kept, now()),
                    Err(_) => self.past = never(),
                },
                recv(self.kept.1) -> outcome => if let Ok((versions, outcome)) = outcome {
                    for (name, version) in versions {
                        self.fleet.kept(&name, version, outcome.clone(), now());
                    }
                },
                recv(self.events) -> event => match event {
                    Ok(event) => self.take_events(event),
                    Err(_) => self.events = never(),
                },
                default(self.patience()) => {}
            }
            if self.next_usage <= Instant::now() {
                self.next_usage = Instant::now() + USAGE_INTERVAL;
                self.fleet.takes(rss_bytes().unwrap_or_default());
            }
            self.fleet.on_time(now());
            self.tell_performance();
        }
    }

    /// Events come in bursts: thousands of tunnels go down in one moment.
    fn take_events(&mut self, first: Event) {
        let now = now();
        self.fleet.event(first, now);
        for event in self.events.try_iter().take(EVENTS_AT_ONCE) {
            self.fleet.event(event, now);
        }
    }

    fn tell_performance(&mut self) {
        let now = now();
        if self.performance.next_due().is_some_and(|due| due <= now.instant) {
            let (health, requests) = (self.fleet.health(now), self.fleet.all_requests());
            // Made whether it is logged or not: it is what makes the next one due later.
            let line = self.performance.line(&health, &requests, Process::usage(), now.instant);
            log::info!("{line}");
        }
    }

    fn patience(&self) -> Duration {
        let due = [self.fleet.next_due(), self.performance.next_due()].into_iter().flatten().min();
        let due = due.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
        let relocated = self.desks.iter().any(|desk| desk.relocated);
        let waiting = relocated || !self.waiting_assignments.is_empty() || !self.waiting_keeps.0.is_empty();
        if waiting { due.min(QUEUE_RETRY) } else { due }
    }

    fn carry_out(&mut self) {
        for effect in self.fleet.take_effects() {
            match effect {
                Effect::Work(rancher, job) => {
                    self.desks.get_mut(rancher).into_iter().for_each(|desk| desk.waiting.push_back(job.clone()));
                }
                Effect::Keep { name, version, record } => {
                    self.waiting_keeps.1.push((name.clone(), version));
                    self.waiting_keeps.0.push(RecordChange { name, record });
                }
                Effect::Assign(name, assignment) => self.waiting_assignments.push_back((name, assignment)),
                Effect::Relocate(rancher, addresses) => {
                    let desk = self.desks.get_mut(rancher).filter(|desk| desk.server.addresses != addresses);
                    if let Some(desk) = desk {
                        desk.server.addresses = addresses;
                        desk.relocated = true;
                    }
                }
            }
        }
        for (index, desk) in self.desks.iter_mut().enumerate() {
            desk.hand_out();
            if desk.relocated {
                let server = Arc::new(desk.server.clone());
                // Telling a worker twice does no harm.
                desk.relocated = self.engine.broadcast(|| Assignment::UpdateServer(index, server.clone())).is_err();
            }
        }
        let waiting: usize = self.desks.iter().map(|desk| desk.waiting.len() + desk.jobs.len()).sum();
        self.fleet.stats().jobs_waiting.set(waiting as i64);
        self.keep_records();
        while let Some((name, assignment)) = self.waiting_assignments.pop_front() {
            if let Err(crate::engine::Full(assignment)) = self.engine.assign(&name, assignment) {
                self.waiting_assignments.push_front((name, *assignment));
                return;
            }
        }
    }

    fn keep_records(&mut self) {
        if self.waiting_keeps.0.is_empty() {
            return;
        }
        let (changes, versions) = std::mem::take(&mut self.waiting_keeps);
        let (told, told_of) = (self.kept.0.clone(), versions.clone());
        let tell = move |outcome: Result<(), Arc<crate::journal::JournalError>>| {
            // Nobody is left to be told once the manager has ended.
            drop(told.send((told_of, outcome.map_err(|error| error.to_string()))));
        };
        if let Err(changes) = self.journal.keep_records(changes, tell) {
            self.waiting_keeps = (changes, versions);
        }
    }

    fn shut_down(mut self, within: Duration) -> usize {
        let deadline = Instant::now() + within;
        self.fleet.stop();
        for command in self.commands.try_iter() {
            self.fleet.command(command, now());
        }
        self.carry_out();
        while self.engine.broadcast(|| Assignment::Shutdown).is_err() && Instant::now() < deadline {
            std::thread::sleep(QUEUE_RETRY);
        }
        // Workers tell of every tunnel they close; a queue nobody empties would not stop them, but there is no need to try.
        drop(self.events);
        self.engine.join(deadline)
    }
}

impl Desk {
    /// Gives waiting jobs to registrars that are free.
    fn hand_out(&mut self) {
        while let Some(job) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = self.jobs.try_send(job) {
                self.waiting.push_front(job);
                return;
            }
        }
    }
}

impl ManagerHandle {
    /// A way to queue commands from other threads.
    pub fn sender(&self) -> Sender<Command> {
        self.commands.clone()
    }

    /// What the fleet, the registrars and the workers count.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Closes every tunnel and ends the workers within the given time; returns how many workers did not end in time.
    pub fn stop(self, within: Duration) -> usize {
        // A manager that has ended already has nothing left to stop.
        let _ = self.stop.send(within);
        self.thread.join().unwrap_or(1)
    }
}

fn now() -> Now {
    Now { instant: Instant::now(), wall: Timestamp::now() }
}

/// Marks in Rancher what this agent created; the value is the agent's instance id.
pub const INSTANCE_LABEL: &str = "scale-cluster-agent/instance";
/// Marks the clusters of one run; the value is its id.
pub const RUN_LABEL: &str = "scale-cluster-agent/run";
/// Commands that may wait; beyond it the API answers 503.
const COMMAND_QUEUE_LENGTH: usize = 1024;
/// Events taken before commands get their turn.
const EVENTS_AT_ONCE: usize = 4096;
/// How often the process's memory is looked at.
const USAGE_INTERVAL: Duration = Duration::from_secs(1);
/// How soon a full worker queue is tried again.
const QUEUE_RETRY: Duration = Duration::from_millis(5);
/// Nothing is due: any event ends the wait.
const IDLE: Duration = Duration::from_secs(60);
