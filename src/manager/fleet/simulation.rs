//! The registry against a world that delays, repeats, reorders and loses what happens, by a seed; the agent is killed in between.
//!
//! After every step what must always hold is checked; once the world calms down, agent, Rancher and workers have to agree.
//! `SIMULATION_SEED=N cargo test --lib simulation` plays one seed again, `SIMULATION_SEEDS=N` plays more of them.

use super::tests::{Play, cluster};
use super::*;
use crate::config::Secret;
use crate::engine::{Refused, Tunnel};
use crate::journal::KeptCluster;
use crate::manager::Wanted;
use crate::manager::answer::RefusalKind;
use crate::manager::job::{JobError, JobErrorKind};
use crate::ramp::Spec;
use crate::rancher::{Cluster, ClusterPage};
use crossbeam_channel::{Receiver, TryRecvError, unbounded};
use std::collections::VecDeque;

/// A Rancher, a disk, workers and an operator.
struct World {
    play: Play,
    random: fastrand::Rng,
    rancher: BTreeMap<String, Imported>,
    created: u64,
    calls: Vec<Call>,
    disk: BTreeMap<String, Vec<u8>>,
    /// What the journal was handed and has not stored yet, in order.
    journal: VecDeque<(Arc<str>, u64, Option<Vec<u8>>)>,
    assignments: VecDeque<Assignment>,
    /// What the worker has to tell, in order.
    events: VecDeque<Event>,
    attached: BTreeMap<Arc<str>, Member>,
    asked: Vec<Asked>,
    /// Clusters that somebody was told exist, and nobody wanted gone since.
    promised: BTreeSet<String>,
    /// Clusters that somebody else deleted in Rancher, and that nobody created since.
    struck: BTreeSet<String>,
    /// Whether anything may go wrong.
    calm: bool,
}

/// A cluster in Rancher.
struct Imported {
    name: String,
    number: u64,
    token: Option<u64>,
    /// How many more times it is shown.
    leaving: Option<u32>,
    age: u32,
}

/// A registrar's call: under way, or done in Rancher and on its way back.
struct Call {
    job: Option<Job>,
    outcome: Option<Outcome>,
}

/// A cluster as its worker holds it.
struct Member {
    token: Secret,
    up: [bool; 2],
}

/// A request whose answer is awaited.
struct Asked {
    name: Option<String>,
    answers: Receiver<Answer>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut play = Play::new();
        play.fleet.config.max_clusters = NAMES.len();
        play.fleet.random = fastrand::Rng::with_seed(seed);
        let probed = Call { job: None, outcome: Some(Outcome::Probed(Ok(()))) };
        World {
            play,
            random: fastrand::Rng::with_seed(seed),
            rancher: BTreeMap::new(),
            created: 0,
            calls: vec![probed],
            disk: BTreeMap::new(),
            journal: VecDeque::new(),
            assignments: VecDeque::new(),
            events: VecDeque::new(),
            attached: BTreeMap::new(),
            asked: Vec::new(),
            promised: BTreeSet::new(),
            struck: BTreeSet::new(),
            calm: false,
        }
    }

    fn step(&mut self) {
        match self.random.u32(0..100) {
            0..=9 if !self.calm => self.operate(),
            10..=11 if !self.calm => self.somebody_else(),
            12 if !self.calm => self.kill(),
            13..=17 => self.tunnels(),
            18..=37 => self.answer_call(),
            38..=52 => self.store(),
            53..=67 => self.work(),
            68..=82 => self.tell(),
            _ => self.pass(),
        }
        self.collect();
        self.check();
    }

    /// The operator wants something.
    fn operate(&mut self) {
        let name = NAMES[self.random.usize(..NAMES.len())];
        let wait = self.random.bool();
        let action = match self.random.u32(0..10) {
            0..=4 => Action::Create { name: cluster(name), wanted: Wanted::default(), wait },
            5..=6 => Action::Delete { name: name.into(), wait },
            7 => Action::Retry(name.into()),
            8 => Action::RotateToken(name.into()),
            _ => {
                Action::CreateMany(Box::new(Spec { prefix: "edge-".into(), clusters: 3, width: 0, ..Spec::default() }))
            }
        };
        if matches!(action, Action::Delete { .. }) {
            self.promised.remove(name);
        }
        let name = matches!(action, Action::Create { .. }).then(|| name.to_owned());
        let (sender, answers) = unbounded();
        let reply = Reply::new(move |answer| sender.send(answer).unwrap());
        self.play.fleet.command(Command { action, reply }, self.play.now);
        self.asked.push(Asked { name, answers });
    }

    /// Somebody deletes a cluster in Rancher, or Rancher rotates its registration token.
    fn somebody_else(&mut self) {
        let Some(id) = self.any_of_rancher() else { return };
        let imported = self.rancher.get_mut(&id).unwrap();
        if self.random.bool() {
            imported.token = imported.token.map(|token| token + 1);
            return;
        }
        imported.leaving.get_or_insert(2);
        self.struck.insert(imported.name.clone());
        let name = Arc::from(imported.name.as_str());
        if self.attached.contains_key(&name) {
            self.events.push_back(Event::CleanupAsked(name));
        }
    }

    /// The agent is killed: what is on disk remains, and what Rancher did.
    fn kill(&mut self) {
        let pending: Vec<Job> = self.calls.drain(..).filter_map(|call| call.job).collect();
        for job in pending {
            if self.random.bool() {
                self.execute(job);
            }
        }
        self.journal.clear();
        self.assignments.clear();
        self.events.clear();
        self.attached.clear();
        self.asked.clear();
        let config = self.play.fleet.config.clone();
        let now = self.play.now;
        self.play.fleet = Fleet::new(config, now);
        let records = self.disk.iter().map(|(name, record)| (name.clone(), record.clone())).collect();
        self.play.fleet.restore(records, now).unwrap();
        let names: Vec<String> = self.disk.keys().cloned().collect();
        for name in names {
            self.play.fleet.resume(KeptCluster { name, places: Vec::new() }, now);
        }
        self.calls.push(Call { job: None, outcome: Some(Outcome::Probed(Ok(()))) });
    }

    /// A tunnel of some cluster goes up, down or is refused.
    fn tunnels(&mut self) {
        let names: Vec<Arc<str>> = self.attached.keys().cloned().collect();
        if names.is_empty() {
            return;
        }
        let name = names[self.random.usize(..names.len())].clone();
        let index = self.random.usize(..2);
        let tunnel = [Tunnel::Api, Tunnel::Steve][index];
        let member = self.attached.get_mut(&name).unwrap();
        let known = self.rancher.values().any(|imported| {
            let token = imported.token.map(|token| token.to_string());
            imported.leaving != Some(0) && token.as_deref() == Some(member.token.expose())
        });
        let lost = !self.calm && self.random.u32(0..4) == 0;
        let refused = (!known).then_some(Refused { status: 400, cluster_unknown: true, retry_after: None });
        if known && !lost {
            if !member.up[index] {
                member.up[index] = true;
                self.events.push_back(Event::TunnelUp { name, tunnel });
            }
            return;
        }
        member.up[index] = false;
        let (cause, retry_in) = ("lost".into(), Duration::from_secs(1));
        self.events.push_back(Event::TunnelDown { name, tunnel, cause, refused, retry_in });
    }

    /// Some call reaches Rancher, fails on its way, or its outcome comes back: in any order.
    fn answer_call(&mut self) {
        if self.calls.is_empty() {
            return;
        }
        let mut call = self.calls.swap_remove(self.random.usize(..self.calls.len()));
        let Some(job) = call.job.take() else {
            if let Some(outcome) = call.outcome {
                self.play.fleet.outcome(0, outcome, self.play.now);
            }
            return;
        };
        let fails = !self.calm && self.random.u32(0..5) == 0;
        let outcome = match fails {
            // The call is lost, or its answer is.
            true => {
                let failure = failure(&job);
                if self.random.bool() {
                    self.execute(job);
                }
                failure
            }
            false => self.execute(job),
        };
        self.calls.push(Call { job: None, outcome: Some(outcome) });
    }

    /// What Rancher does, and answers.
    fn execute(&mut self, job: Job) -> Outcome {
        self.rancher.retain(|_, imported| imported.leaving != Some(0));
        let age = |imported: &mut Imported| {
            imported.age += 1;
            if imported.age == 2 {
                imported.token = Some(imported.number * ROTATIONS);
            }
            imported.leaving = imported.leaving.map(|looks| looks.saturating_sub(1));
        };
        let shown = |(id, imported): (&String, &Imported)| -> Cluster {
            let state = if imported.leaving.is_some() { "removing" } else { "active" };
            serde_json::from_value(serde_json::json!({"id": id, "name": imported.name, "state": state})).unwrap()
        };
        match job {
            Job::Create { name, .. } => {
                let text = name.to_string();
                let found = self.rancher.iter().find(|(_, imported)| imported.name == text).map(|(id, _)| id.clone());
                let id = found.unwrap_or_else(|| {
                    self.created += 1;
                    self.struck.remove(&text);
                    let id = format!("c-{}", self.created);
                    let imported = Imported { name: text, number: self.created, token: None, leaving: None, age: 0 };
                    self.rancher.insert(id.clone(), imported);
                    id
                });
                Outcome::Created(name, Ok((id, None)))
            }
            Job::FetchToken { name, id, .. } => {
                let token = self.rancher.get_mut(&id).and_then(|imported| {
                    age(imported);
                    imported.token
                });
                Outcome::Token(name, Ok(token.map(|token| Secret::new(token.to_string()))))
            }
            Job::Delete { name, id } => {
                if let Some(imported) = self.rancher.get_mut(&id) {
                    imported.leaving.get_or_insert(3);
                }
                Outcome::Deleted(name, Ok(()))
            }
            Job::Find(name) => {
                let text = name.to_string();
                let found = self.rancher.iter().find(|(_, imported)| imported.name == text);
                Outcome::Found(name, Ok(found.map(|(id, _)| id.clone())))
            }
            Job::LookUp { name, id } => {
                self.rancher.get_mut(&id).into_iter().for_each(age);
                self.rancher.retain(|_, imported| imported.leaving != Some(0));
                Outcome::LookedUp(name, Ok(self.rancher.get_key_value(&id).map(shown)))
            }
            Job::List(_) => {
                let clusters = self.rancher.iter().map(shown);
                // A cache that lags leaves some out.
                let clusters = clusters.filter(|_| self.calm || self.random.u32(0..8) > 0).collect();
                Outcome::Listed(Ok(ClusterPage { clusters, next: None }))
            }
            Job::Probe => Outcome::Probed(Ok(())),
            Job::Resolve => Outcome::Resolved(Ok(Vec::new())),
        }
    }

    /// The journal commits some of what it has, or cannot.
    fn store(&mut self) {
        let count = self.random.usize(..=self.journal.len());
        let full = !self.calm && self.random.u32(0..20) == 0;
        for (name, version, record) in self.journal.drain(..count).collect::<Vec<_>>() {
            if full {
                self.play.fleet.kept(&name, version, Err("no space left".into()), self.play.now);
                continue;
            }
            match record {
                Some(record) => drop(self.disk.insert(name.to_string(), record)),
                None => drop(self.disk.remove(&*name)),
            }
            self.play.fleet.kept(&name, version, Ok(()), self.play.now);
            self.collect();
        }
    }

    /// The worker takes what it was given.
    fn work(&mut self) {
        let Some(assignment) = self.assignments.pop_front() else { return };
        match assignment {
            Assignment::Attach(attachment) => {
                let name = attachment.identity.name.clone();
                let member = Member { token: attachment.registration_token, up: [false; 2] };
                assert!(self.attached.insert(name.clone(), member).is_none(), "{name} is attached twice");
            }
            Assignment::Detach(name) => {
                self.attached.remove(&name);
                self.events.push_back(Event::Detached(name));
            }
            Assignment::UpdateToken(name, token) => {
                self.attached.get_mut(&name).into_iter().for_each(|member| member.token = token.clone());
            }
            Assignment::Describe(_, number) => self.events.push_back(Event::Described(number, None)),
            _ => {}
        }
    }

    /// The worker's next event arrives.
    fn tell(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.play.fleet.event(event, self.play.now);
        }
    }

    fn pass(&mut self) {
        let delay = Duration::from_millis(self.random.u64(1..20_000));
        self.play.now.instant += delay;
        self.play.now.wall += delay;
        // Rancher's own controllers get on with what they are at.
        let random = &mut self.random;
        let mut progress = |looks: u32| if random.u32(0..4) == 0 { looks.saturating_sub(1) } else { looks };
        self.rancher.values_mut().for_each(|imported| imported.leaving = imported.leaving.map(&mut progress));
        self.rancher.retain(|_, imported| imported.leaving != Some(0));
        self.play.fleet.on_time(self.play.now);
    }

    /// Takes what the fleet wants done, and the answers to what it was asked.
    fn collect(&mut self) {
        for effect in self.play.fleet.take_effects() {
            match effect {
                Effect::Work(_, job) => self.calls.push(Call { job: Some(job), outcome: None }),
                Effect::Assign(_, assignment) => self.assignments.push_back(assignment),
                Effect::Keep { name, version, record } => self.journal.push_back((name, version, record)),
                Effect::Relocate(..) => {}
            }
        }
        let mut promised = Vec::new();
        self.asked.retain(|asked| match asked.answers.try_recv() {
            Ok(Answer::Created(view) | Answer::Accepted(view)) => {
                if asked.name.is_some() && view.state != State::Deleting {
                    assert!(self.disk.contains_key(&view.name), "{} was promised before it was on disk", view.name);
                    promised.push(view.name.clone());
                }
                false
            }
            Ok(Answer::Refused(refusal)) => {
                let taken = asked.name.as_ref().filter(|_| refusal.kind == RefusalKind::LimitReached);
                assert!(taken.is_none() || self.play.fleet.records.len() == NAMES.len());
                false
            }
            Ok(_) => false,
            Err(TryRecvError::Empty) => true,
            Err(TryRecvError::Disconnected) => panic!("a request was never answered"),
        });
        self.promised.extend(promised);
    }

    /// What must hold at every moment.
    fn check(&self) {
        let fleet = &self.play.fleet;
        for name in self.promised.difference(&self.struck) {
            let record = fleet.records.get(name.as_str());
            assert!(record.is_some(), "{name} was promised and is lost");
            assert!(self.disk.contains_key(name), "{name} was promised and is not on disk");
        }
        let mut names = BTreeSet::new();
        for imported in self.rancher.values().filter(|imported| imported.leaving.is_none()) {
            assert!(names.insert(&imported.name), "{} is in Rancher twice", imported.name);
        }
        let mut busy = BTreeMap::new();
        let of_calls = self.calls.iter().filter_map(|call| match (&call.job, &call.outcome) {
            (Some(job), _) => name_of_job(job),
            (None, Some(outcome)) => name_of_outcome(outcome),
            _ => None,
        });
        for name in of_calls {
            *busy.entry(name).or_insert(0) += 1;
        }
        assert!(busy.values().all(|calls| *calls <= 1), "two registrars work for one cluster: {busy:?}");
        let bound = 64 + 32 * (NAMES.len() + self.asked.len());
        assert!(fleet.timers.len() <= bound, "{} timers", fleet.timers.len());
        assert!(fleet.descriptions.len() <= self.asked.len() + NAMES.len());
    }

    /// Nothing goes wrong any more, for as long as everything should take to settle.
    fn calm_down(&mut self) {
        self.calm = true;
        for _ in 0..CALM_STEPS {
            self.step();
            self.heed_advice();
            let settled = self.calls.iter().all(|call| !matches!(call.job, Some(Job::Create { .. })))
                && self.asked.is_empty()
                && self.journal.is_empty()
                && self.assignments.is_empty()
                && self.events.is_empty()
                && self.play.fleet.records.values().all(|record| record.state == State::Active)
                && self.agreement().is_ok();
            if settled {
                return;
            }
        }
        let states: Vec<String> =
            self.play.fleet.records.values().map(|r| format!("{} {:?} {:?}", r.name, r.state, r.last_error)).collect();
        panic!("it does not settle: {states:?}; {:?}; {} requests wait", self.agreement(), self.asked.len());
    }

    /// Deletes what the agent asks its operator to delete, since it cannot know.
    fn heed_advice(&mut self) {
        let records = self.play.fleet.records.values().filter(|record| record.state != State::Deleting);
        let advised = records.filter(|r| r.last_error.as_ref().is_some_and(|e| e.contains("delete the cluster here")));
        let names: Vec<String> = advised.map(|record| record.name.to_string()).collect();
        for name in names {
            let reply = Reply::nobody();
            self.play.fleet.command(Command { action: Action::Delete { name, wait: false }, reply }, self.play.now);
        }
    }

    /// Whether agent, Rancher, disk and workers have the same clusters.
    fn agreement(&self) -> Result<(), String> {
        let agent: BTreeSet<String> = self.play.fleet.records.keys().map(ToString::to_string).collect();
        let leaving = |imported: &&Imported| imported.leaving.is_none();
        let rancher = self.rancher.values().filter(leaving).map(|imported| imported.name.clone()).collect();
        let disk = self.disk.keys().cloned().collect();
        let attached = self.attached.keys().map(ToString::to_string).collect();
        let others: [&BTreeSet<String>; 3] = [&rancher, &disk, &attached];
        if others.iter().any(|other| **other != agent) {
            return Err(format!("agent {agent:?}, Rancher {rancher:?}, disk {disk:?}, worker {attached:?}"));
        }
        match self.promised.difference(&self.struck).find(|name| !agent.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(format!("{name} was promised")),
        }
    }

    fn any_of_rancher(&mut self) -> Option<String> {
        let ids: Vec<String> = self.rancher.keys().cloned().collect();
        (!ids.is_empty()).then(|| ids[self.random.usize(..ids.len())].clone())
    }
}

/// The call was not answered.
fn failure(job: &Job) -> Outcome {
    let error = JobError {
        message: "no answer".into(),
        remedy: "wait".into(),
        kind: JobErrorKind::Transient(None),
        reached: true,
    };
    match job.clone() {
        Job::Create { name, .. } => Outcome::Created(name, Err(error)),
        Job::FetchToken { name, .. } => Outcome::Token(name, Err(error)),
        Job::Delete { name, .. } => Outcome::Deleted(name, Err(error)),
        Job::Find(name) => Outcome::Found(name, Err(error)),
        Job::LookUp { name, .. } => Outcome::LookedUp(name, Err(error)),
        Job::List(_) => Outcome::Listed(Err(error)),
        Job::Probe => Outcome::Probed(Err(error)),
        Job::Resolve => Outcome::Resolved(Err(error)),
    }
}

fn name_of_job(job: &Job) -> Option<String> {
    match job {
        Job::Create { name, .. }
        | Job::FetchToken { name, .. }
        | Job::Delete { name, .. }
        | Job::Find(name)
        | Job::LookUp { name, .. } => Some(name.to_string()),
        Job::List(_) | Job::Probe | Job::Resolve => None,
    }
}

fn name_of_outcome(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Created(name, _)
        | Outcome::Token(name, _)
        | Outcome::Deleted(name, _)
        | Outcome::Found(name, _)
        | Outcome::LookedUp(name, _) => Some(name.to_string()),
        Outcome::Listed(_) | Outcome::Probed(_) | Outcome::Resolved(_) => None,
    }
}

fn play(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..WILD_STEPS {
        world.step();
    }
    world.calm_down();
}

#[test]
fn whatever_happens_no_cluster_is_lost_and_none_is_there_twice() {
    let number = |variable| std::env::var(variable).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| play(seed)) {
            eprintln!("play it again with: SIMULATION_SEED={seed} cargo test --lib simulation");
            std::panic::resume_unwind(panic);
        }
    }
}

const NAMES: [&str; 6] = ["edge-1", "edge-2", "edge-3", "core-1", "core-2", "far"];
/// More than there are rotations of a registration token, so that no two clusters have the same.
const ROTATIONS: u64 = 1_000_000;
const WILD_STEPS: u32 = 2_000;
/// Ten hours of the world's time or so.
const CALM_STEPS: u32 = 20_000;
/// Played with every run of the tests.
const SEEDS: u64 = 40;
