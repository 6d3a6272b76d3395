//! One worker: an epoll loop, a timer wheel and a slab of clusters that no other thread touches.

use super::clock::Clock;
use super::context::Context;
use super::keeping::Keeping;
use super::member::{Member, TUNNELS};
use super::wheel::TimerWheel;
use super::{Assignment, Event, Server, Tunnel, WorkerConfig};
use crate::telemetry::Recorder;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use mio::{Events, Poll, Token};
use slab::Slab;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The state of one worker thread.
pub(super) struct Worker {
    index: usize,
    config: WorkerConfig,
    servers: Vec<Arc<Server>>,
    poll: Poll,
    assignments: Receiver<Assignment>,
    manager: Sender<Event>,
    /// Events the manager's queue had no room for; bounded, since each cluster has few outstanding.
    events: VecDeque<Event>,
    members: Slab<Member>,
    names: HashMap<Arc<str>, usize>,
    wheel: TimerWheel<usize>,
    ready: VecDeque<usize>,
    /// Tunnels whose backoff is over, waiting for a free dial.
    dials: VecDeque<(usize, Tunnel)>,
    dialing: usize,
    random: fastrand::Rng,
    clock: Clock,
    next_count: Instant,
    keeping: Keeping,
    recorder: Recorder,
    late_by: Duration,
    stopping: bool,
}

impl Worker {
    /// A worker without clusters.
    pub(super) fn new(
        index: usize,
        poll: Poll,
        config: WorkerConfig,
        servers: Vec<Arc<Server>>,
        assignments: Receiver<Assignment>,
        manager: Sender<Event>,
    ) -> Worker {
        let clock = Clock::read();
        Worker {
            index,
            servers,
            poll,
            assignments,
            manager,
            events: VecDeque::new(),
            members: Slab::new(),
            names: HashMap::new(),
            wheel: TimerWheel::new(clock.now, TICK),
            ready: VecDeque::new(),
            dials: VecDeque::new(),
            dialing: 0,
            random: fastrand::Rng::new(),
            next_count: clock.now + COUNT_INTERVAL,
            keeping: Keeping::new(config.journal.clone(), config.settings.journal_interval, clock.now),
            recorder: Recorder::default(),
            clock,
            config,
            late_by: Duration::ZERO,
            stopping: false,
        }
    }

    /// Runs until a shutdown is through. Errors are the poll's own and end the worker.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut readiness = Events::with_capacity(READINESS_BATCH);
        let mut fired = Vec::new();
        while !(self.stopping && self.members.is_empty()) {
            match self.poll.poll(&mut readiness, self.sleep()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => outcome?,
            }
            self.clock.update();
            for event in &readiness {
                if event.token() != WAKER {
                    self.note_readiness(event);
                }
            }
            self.take_assignments();
            self.wheel.advance(self.clock.now, &mut fired);
            for (deadline, key) in fired.drain(..) {
                self.on_time(key, deadline);
            }
            self.serve_ready();
            self.start_dials();
            self.count();
            self.keeping.advance(&mut self.members, self.clock.now);
            self.send_events();
        }
        self.send_events();
        Ok(())
    }

    fn sleep(&self) -> Option<Duration> {
        // The waker speaks once for many assignments; those left over are not announced again.
        if !self.ready.is_empty() || !self.assignments.is_empty() {
            return Some(Duration::ZERO);
        }
        let timer =
            self.wheel.next_due().map_or(self.next_count, |due| due.min(self.next_count)).min(self.keeping.next_due());
        let mut sleep = timer.saturating_duration_since(Instant::now());
        if !self.events.is_empty() {
            sleep = sleep.min(EVENT_RETRY);
        }
        Some(sleep)
    }

    fn take_assignments(&mut self) {
        for _ in 0..ASSIGNMENTS_PER_TURN {
            match self.assignments.try_recv() {
                Ok(Assignment::Attach(attachment)) => self.attach(*attachment),
                Ok(Assignment::Detach(name)) => self.detach(&name),
                Ok(Assignment::UpdateToken(name, token)) => {
                    if let Some(member) = self.names.get(&name).and_then(|&key| self.members.get_mut(key)) {
                        member.set_token(token);
                    }
                }
                Ok(Assignment::RotateToken(name, rotation)) => {
                    if let Some(&key) = self.names.get(&name) {
                        self.turn(key, |member, context| member.rotate_token(rotation, context));
                    }
                }
                Ok(Assignment::Hasten(name)) => {
                    if let Some(&key) = self.names.get(&name) {
                        self.turn(key, |member, context| member.hasten(context.clock.now));
                    }
                }
                Ok(Assignment::UpdateServer(index, server)) => {
                    if let Some(known) = self.servers.get_mut(index) {
                        *known = server;
                    }
                }
                Ok(Assignment::Describe(name, number)) => {
                    let member = self.names.get(&name).and_then(|&key| self.members.get(key));
                    let info = member.map(|member| Box::new(member.info()));
                    self.events.push_back(Event::Described(number, info));
                }
                Ok(Assignment::DescribeRequests(name, number)) => {
                    let member = self.names.get(&name).and_then(|&key| self.members.get(key));
                    let requests = member.map(|member| Box::new(self.recorder.describe(member.tally())));
                    self.events.push_back(Event::RequestsDescribed(number, requests));
                }
                Ok(Assignment::Resize(name, number, size)) => {
                    let mut outcome = Err("no worker holds it".to_owned());
                    if let Some(&key) = self.names.get(&name) {
                        self.turn(key, |member, context| outcome = member.resize(size, context));
                    }
                    self.events.push_back(Event::Resized(number, outcome));
                }
                Ok(Assignment::Impose(name, imposition)) => {
                    if let Some(&key) = self.names.get(&name) {
                        self.turn(key, |member, context| member.impose(&imposition, context));
                    }
                }
                Ok(Assignment::Lift(name, id)) => {
                    if let Some(&key) = self.names.get(&name) {
                        self.turn(key, |member, context| member.lift(|active| active.id == id, context));
                    }
                }
                Ok(Assignment::Shutdown) => self.stop(),
                Err(crossbeam_channel::TryRecvError::Empty) => return,
                // The manager is gone: nobody is left to serve for.
                Err(crossbeam_channel::TryRecvError::Disconnected) => return self.stop(),
            }
        }
    }

    fn attach(&mut self, attachment: super::Attachment) {
        if self.stopping || self.names.contains_key(&attachment.identity.name) {
            return;
        }
        let name = attachment.identity.name.clone();
        let member = match Member::new(attachment, &self.config, &self.clock, &mut self.random) {
            Ok(member) => member,
            Err(error) => return self.events.push_back(Event::NotAttached(name, error.to_string())),
        };
        let name = member.name().clone();
        let key = self.members.insert(member);
        self.names.insert(name, key);
        self.arm(key);
    }

    fn detach(&mut self, name: &Arc<str>) {
        match self.names.get(name) {
            Some(&key) => {
                self.turn(key, |member, context| member.detach(context));
            }
            None => self.events.push_back(Event::Detached(name.clone())),
        }
    }

    fn stop(&mut self) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        let keys: Vec<usize> = self.members.iter().map(|(key, _)| key).collect();
        for key in &keys {
            // What they did to nodes and pods would outlive them.
            self.turn(*key, |member, context| member.lift(|_| true, context));
        }
        self.keeping.finish(&mut self.members);
        for key in keys {
            self.turn(key, |member, context| member.detach(context));
        }
    }

    fn on_time(&mut self, key: usize, deadline: Instant) {
        if self.members.get_mut(key).is_some_and(|member| member.disarm(deadline)) {
            self.late_by = self.late_by.max(self.clock.now.saturating_duration_since(deadline));
            self.turn(key, Member::on_time);
        }
    }

    fn serve_ready(&mut self) {
        // Those that become ready meanwhile get their turn after the next poll, together with new events.
        for _ in 0..self.ready.len() {
            let Some(key) = self.ready.pop_front() else { return };
            if let Some(member) = self.members.get_mut(key) {
                member.unmark_queued();
                self.turn(key, Member::on_ready);
            }
        }
    }

    fn start_dials(&mut self) {
        while self.dialing < self.config.settings.dials_in_flight {
            let Some((key, tunnel)) = self.dials.pop_front() else { return };
            let token = Token(key * TUNNELS.len() + tunnel as usize);
            let index = self.members.get(key).map_or(0, Member::server);
            let Some(server) = self.servers.get(index).cloned() else { continue };
            self.turn(key, |member, context| member.dial(tunnel, &server, token, context));
        }
    }

    /// Lets a member work, then brings everything that depends on it up to date.
    fn turn(&mut self, key: usize, work: impl FnOnce(&mut Member, &mut Context<'_>)) {
        let Some(member) = self.members.get_mut(key) else { return };
        let before = TUNNELS.map(|tunnel| member.is_dialing(tunnel));
        let mut context = Context {
            config: &self.config,
            registry: self.poll.registry(),
            clock: &self.clock,
            random: &mut self.random,
            recorder: &mut self.recorder,
            events: &mut self.events,
        };
        work(member, &mut context);
        for (tunnel, was_dialing) in TUNNELS.into_iter().zip(before) {
            match (was_dialing, member.is_dialing(tunnel)) {
                (false, true) => self.dialing += 1,
                (true, false) => self.dialing -= 1,
                _ => {}
            }
            if member.enqueue(tunnel, self.clock.now) {
                self.dials.push_back((key, tunnel));
            }
        }
        if member.is_gone() {
            let member = self.members.remove(key);
            self.names.remove(member.name());
            self.events.push_back(Event::Detached(member.name().clone()));
            return;
        }
        if member.has_more() {
            self.mark_ready(key);
        }
        self.arm(key);
    }

    fn arm(&mut self, key: usize) {
        if let Some(deadline) = self.members.get_mut(key).and_then(|member| member.arm(&self.clock)) {
            self.wheel.insert(deadline, key);
        }
    }

    fn note_readiness(&mut self, event: &mio::event::Event) {
        let Token(token) = event.token();
        let key = token / TUNNELS.len();
        if let Some(member) = self.members.get_mut(key) {
            member.ready(TUNNELS[token % TUNNELS.len()], event.is_read_closed() || event.is_error());
            self.mark_ready(key);
        }
    }

    fn mark_ready(&mut self, key: usize) {
        if self.members.get_mut(key).is_some_and(Member::mark_queued) {
            self.ready.push_back(key);
        }
    }

    fn count(&mut self) {
        if self.next_count > self.clock.now {
            return;
        }
        self.next_count = self.clock.now + COUNT_INTERVAL;
        let counted: Vec<_> = self
            .members
            .iter_mut()
            .filter_map(|(_, member)| Some((member.name().clone(), member.take_changed_counts()?)))
            .collect();
        if !counted.is_empty() {
            self.events.push_back(Event::Counted(counted));
        }
        let mut felt = BTreeMap::new();
        self.members.iter_mut().for_each(|(_, member)| member.take_effects(&mut felt));
        if !felt.is_empty() {
            self.events.push_back(Event::FaultsFelt(felt.into_iter().collect()));
        }
        if let Some(totals) = self.recorder.take_changed() {
            self.events.push_back(Event::Requested { worker: self.index, totals: Box::new(totals) });
        }
        let stats = &self.config.stats;
        stats.clusters.set(self.members.len() as i64);
        stats.waiting_dials.set(self.dials.len() as i64);
        stats.lag_micros.set(self.late_by.as_micros() as i64);
        self.events.push_back(Event::Lag { worker: self.index, late_by: std::mem::take(&mut self.late_by) });
    }

    fn send_events(&mut self) {
        while let Some(event) = self.events.pop_front() {
            match self.manager.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.events.push_front(event);
                    // These repeat by themselves: while the manager is behind, drop them.
                    self.events.retain(|event| !matches!(event, Event::Lag { .. } | Event::Requested { .. }));
                    return;
                }
                Err(TrySendError::Disconnected(_)) => self.events.clear(),
            }
        }
    }
}

/// The token of the waker; no cluster reaches it.
pub(super) const WAKER: Token = Token(usize::MAX);
/// The timers' resolution: coarse enough that an idle worker with thousands of clusters wakes a hundred times a second at most.
const TICK: Duration = Duration::from_millis(10);
/// Readiness reports fetched at once.
const READINESS_BATCH: usize = 1024;
/// New clusters taken on before those that are there get their turn.
const ASSIGNMENTS_PER_TURN: usize = 256;
/// How often counters and lag are told to the manager.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// How soon a full event queue is tried again.
const EVENT_RETRY: Duration = Duration::from_millis(20);
