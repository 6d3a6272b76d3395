//! Work on many clusters at once: ramps, of which the plain creation of many is one, and deletions.

use super::asked::Asked;
use super::ramp::{Ramp, TICK};
use super::{Fleet, Now, Record, Timer};
use crate::manager::answer::{Answer, OperationState, OperationView, Refusal, RefusalKind};
use crate::manager::command::{Reply, Steer};
use crate::manager::creation::check_names;
use crate::manager::{ClusterName, State, Stray, Wanted, Which};
use crate::ramp::{End, Journey, Milestone, Spec};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The operations of this run of the agent, by number.
#[derive(Debug, Default)]
pub(super) struct Operations {
    known: BTreeMap<u64, Operation>,
    last: u64,
}

#[derive(Debug)]
struct Operation {
    work: Work,
    started: Timestamp,
}

#[derive(Debug)]
enum Work {
    Create(Box<Ramp>),
    Delete(Deletion),
}

/// Deletes the clusters of a prefix.
#[derive(Debug)]
struct Deletion {
    which: Which,
    /// Which clusters these were.
    names: Vec<ClusterName>,
    state: OperationState,
    finished: Option<Timestamp>,
    /// How many were started, or found to need no start.
    taken: u32,
    /// How many were gone already.
    already: u32,
    /// Those that came to nothing, the latest reasons among them.
    failed: u32,
    errors: VecDeque<String>,
    /// Started and not yet settled.
    under_way: Vec<ClusterName>,
}

impl Fleet {
    /// Creates clusters by a plan, each of which has to get as far as `goal`.
    pub(super) fn begin_ramp(&mut self, mut spec: Spec, goal: Milestone, reply: Reply, now: Now) {
        let number = self.operations.last + 1;
        spec.run.get_or_insert_with(|| format!("{}-{number}", now.wall.strftime("%Y%m%dt%H%M%Sz")));
        match self.cannot_ramp(&spec) {
            Some(refusal) => reply.send(Answer::Refused(refusal)),
            None => {
                let asked = (goal == Milestone::Active).then(|| Asked::since(self.all_requests()));
                let ramp = Ramp::new(spec, self.config.shard, goal, asked, now);
                let number = self.begin(Work::Create(Box::new(ramp)), now);
                // It wants to know sooner than usual what Rancher thinks.
                self.hasten_polls(now);
                match goal {
                    Milestone::Active => self.ramp(number, true, reply, now),
                    _ => self.started(number, reply),
                }
            }
        }
    }

    fn cannot_ramp(&self, spec: &Spec) -> Option<Refusal> {
        if let Err(error) = check_names(spec) {
            let remedy = "choose a shorter prefix of a-z, 0-9 and '-', or a smaller width";
            return Some(Refusal::new(RefusalKind::InvalidName, error.to_string(), remedy));
        }
        let shard = self.config.shard;
        let own = shard.share(spec.clusters);
        let name = |at| spec.name(shard.position(at));
        let known = (0..own).filter(|at| self.records.contains_key(name(*at).as_str())).count();
        let new = own as usize - known;
        if self.records.len() + new > self.config.max_clusters {
            let detail = format!("{} clusters and {new} more are over MaxClusters", self.records.len());
            let remedy = "ask for fewer, raise MaxClusters, or start another agent";
            return Some(Refusal::new(RefusalKind::LimitReached, detail, remedy));
        }
        self.cannot_create(&Wanted::by(spec))
    }

    pub(super) fn delete_many(&mut self, which: Which, reply: Reply, now: Now) {
        let picked = |(name, record): &(&ClusterName, &Record)| which.picks(name.as_arc(), record.run.as_deref());
        let deletion = Deletion {
            names: self.records.iter().filter(picked).map(|(name, _)| name.clone()).collect(),
            which,
            state: OperationState::Running,
            finished: None,
            taken: 0,
            already: 0,
            failed: 0,
            errors: VecDeque::new(),
            under_way: Vec::new(),
        };
        let number = self.begin(Work::Delete(deletion), now);
        self.started(number, reply);
    }

    /// Deletes what this agent knows and what it knew once.
    pub(super) fn clean(&mut self, which: Which, strays: Vec<Stray>, reply: Reply, now: Now) {
        for Stray { name, server } in strays {
            if !self.records.contains_key(&name) {
                let wanted = Wanted { server: Some(server), run: which.run.clone(), ..Wanted::default() };
                self.enlist(&name, wanted, now);
                if let Some(record) = self.records.get_mut(&name) {
                    record.may_exist = true;
                }
            }
        }
        self.delete_many(which, reply, now);
    }

    pub(super) fn operation(&self, number: u64, reply: Reply) {
        reply.send(match self.operations.known.get(&number) {
            Some(operation) => Answer::Operation(Box::new(operation.view(number))),
            None => unknown(number),
        });
    }

    pub(super) fn all_operations(&self, reply: Reply) {
        let views = self.operations.known.iter().rev().map(|(number, operation)| operation.view(*number));
        reply.send(Answer::Operations(views.collect()));
    }

    /// Starts no more clusters of an operation; those under way go on.
    pub(super) fn cancel(&mut self, number: u64, reply: Reply, now: Now) {
        let Some(operation) = self.operations.known.get_mut(&number) else { return reply.send(unknown(number)) };
        match &mut operation.work {
            Work::Create(ramp) => ramp.stop(End::Stopped, now),
            Work::Delete(deletion) if deletion.state == OperationState::Running => {
                deletion.state = OperationState::Cancelled;
                deletion.finished = Some(now.wall);
            }
            Work::Delete(_) => {}
        }
        reply.send(Answer::Operation(Box::new(operation.view(number))));
    }

    /// Shows a ramp; the one that has just begun is answered as such.
    pub(super) fn ramp(&self, number: u64, has_begun: bool, reply: Reply, now: Now) {
        let Some(ramp) = self.operations.ramp(number) else { return reply.send(self.no_ramp(number)) };
        let view = Box::new(self.ramp_view(number, ramp, now));
        reply.send(if has_begun { Answer::RampStarted(view) } else { Answer::Ramp(view) });
    }

    pub(super) fn all_ramps(&self, reply: Reply, now: Now) {
        let numbers = self.operations.known.keys().rev();
        let ramps = numbers.filter_map(|number| Some((*number, self.operations.ramp(*number)?)));
        reply.send(Answer::Ramps(ramps.map(|(number, ramp)| self.ramp_view(number, ramp, now)).collect()));
    }

    pub(super) fn ramp_raw(&self, number: u64, reply: Reply, now: Now) {
        reply.send(match self.operations.ramp(number) {
            Some(ramp) => Answer::RampResults(Box::new(self.ramp_results(number, ramp, now))),
            None => self.no_ramp(number),
        });
    }

    /// Pauses, resumes or stops a ramp.
    pub(super) fn steer(&mut self, number: u64, steer: Steer, reply: Reply, now: Now) {
        let Some(ramp) = self.operations.ramp_mut(number) else { return reply.send(self.no_ramp(number)) };
        if ramp.end != End::Running {
            let refusal =
                Refusal::new(RefusalKind::WrongState, format!("ramp {number} has ended"), "start another one");
            return reply.send(Answer::Refused(refusal));
        }
        match steer {
            Steer::Pause => ramp.pace.pause(now.instant),
            Steer::Resume => ramp.pace.resume(now.instant),
            Steer::Stop => ramp.stop(End::Stopped, now),
        }
        // Its next look comes of this one.
        self.timers.retain(|(_, _, timer)| *timer != Timer::Operation(number));
        self.advance(number, now);
        self.ramp(number, false, reply, now);
    }

    fn no_ramp(&self, number: u64) -> Answer {
        let (detail, remedy) = match self.operations.known.contains_key(&number) {
            true => (
                format!("operation {number} is no ramp"),
                format!("GET and DELETE /operations/{number} show and end it"),
            ),
            false => (format!("there is no ramp {number}"), "GET /ramps lists the latest".to_owned()),
        };
        Answer::Refused(Refusal::new(RefusalKind::UnknownRamp, detail, remedy))
    }

    /// A call to Rancher ended, after so long.
    pub fn called_for(&mut self, endpoint: &'static str, took: Duration, failed: bool) {
        for operation in self.operations.known.values_mut() {
            if let Work::Create(ramp) = &mut operation.work
                && ramp.end == End::Running
            {
                ramp.called(endpoint, took, failed);
            }
        }
    }

    /// Whether a ramp waits for Rancher's opinion.
    pub(super) fn wants_news(&self) -> bool {
        let ramps = self.operations.known.keys().filter_map(|number| self.operations.ramp(*number));
        ramps.into_iter().any(Ramp::wants_news)
    }

    /// Keeps what is known of a cluster's way once its record is gone.
    pub(super) fn bury(&mut self, (number, position): (u64, u32), journey: Box<Journey>) {
        if let Some(Operation { work: Work::Create(ramp), .. }) = self.operations.known.get_mut(&number) {
            ramp.bury(position, journey);
        }
    }

    /// Takes note of what has settled, and starts what is due.
    pub(super) fn advance(&mut self, number: u64, now: Now) {
        let wanted_news = self.wants_news();
        let Some(mut operation) = self.operations.known.remove(&number) else { return };
        let patience = match &mut operation.work {
            Work::Create(ramp) => self.advance_ramp(number, ramp, now),
            Work::Delete(deletion) => self.advance_deletion(deletion, now),
        };
        if let Some(patience) = patience {
            self.set_timer(patience, Timer::Operation(number), now);
        }
        self.operations.known.insert(number, operation);
        if !wanted_news && self.wants_news() {
            self.hasten_polls(now);
        }
    }

    fn advance_ramp(&mut self, number: u64, ramp: &mut Ramp, now: Now) -> Option<Duration> {
        self.settle(ramp, now);
        self.start_due(number, ramp, now);
        self.conclude(number, ramp, now);
        self.conclude_requests(ramp, now);
        ramp.is_live().then(|| ramp.patience(now))
    }

    /// A cluster of a ramp has left the registrars: the next one takes its place at once rather than at the next look.
    pub(super) fn make_room(&mut self, number: u64, now: Now) {
        let Some(mut operation) = self.operations.known.remove(&number) else { return };
        if let Work::Create(ramp) = &mut operation.work {
            ramp.make_room();
            self.start_due(number, ramp, now);
        }
        self.operations.known.insert(number, operation);
    }

    fn start_due(&mut self, number: u64, ramp: &mut Ramp, now: Now) {
        while let Some(start) = ramp.next(now) {
            // All names were checked.
            let Ok(name) = ClusterName::parse(&ramp.name(start)) else { continue };
            if self.records.contains_key(&name) {
                ramp.skip(name, start);
                continue;
            }
            let wanted = Wanted::by(&ramp.spec);
            match self.cannot_create(&wanted) {
                Some(refusal) => ramp.refuse(name, start, &refusal.detail),
                None => {
                    self.enlist(&name, wanted, now);
                    if let Some(record) = self.records.get_mut(&name) {
                        record.ramp = Some((number, start.position));
                        record.journey = Some(Box::new(Journey::new(now.instant)));
                    }
                    ramp.join(name, start);
                }
            }
        }
    }

    fn advance_deletion(&mut self, deletion: &mut Deletion, now: Now) -> Option<Duration> {
        deletion.settle(&self.records);
        while deletion.state == OperationState::Running && deletion.under_way.len() < UNDER_WAY {
            let Some(name) = deletion.names.get(deletion.taken as usize).cloned() else { break };
            deletion.taken += 1;
            if self.records.contains_key(&name) {
                self.delete(name.as_arc(), false, Reply::nobody(), now);
                deletion.under_way.push(name);
            } else {
                deletion.already += 1;
            }
        }
        let is_through = deletion.taken as usize == deletion.names.len() && deletion.under_way.is_empty();
        if deletion.state == OperationState::Running && is_through {
            deletion.state = OperationState::Done;
            deletion.finished = Some(now.wall);
        }
        // A cancelled one is looked after until what it started has settled.
        let is_live = deletion.state == OperationState::Running || !deletion.under_way.is_empty();
        is_live.then_some(TICK)
    }

    fn begin(&mut self, work: Work, now: Now) -> u64 {
        self.operations.last += 1;
        let number = self.operations.last;
        self.operations.known.insert(number, Operation { work, started: now.wall });
        self.operations.forget_oldest();
        self.advance(number, now);
        number
    }

    fn started(&self, number: u64, reply: Reply) {
        let Some(operation) = self.operations.known.get(&number) else { return };
        reply.send(Answer::OperationStarted(Box::new(operation.view(number))));
    }
}

impl Operations {
    /// A ramp in the narrower sense: one that is measured.
    fn ramp(&self, number: u64) -> Option<&Ramp> {
        match &self.known.get(&number)?.work {
            Work::Create(ramp) if ramp.is_measured() => Some(ramp),
            _ => None,
        }
    }

    fn ramp_mut(&mut self, number: u64) -> Option<&mut Ramp> {
        match &mut self.known.get_mut(&number)?.work {
            Work::Create(ramp) if ramp.is_measured() => Some(ramp),
            _ => None,
        }
    }

    fn forget_oldest(&mut self) {
        while self.known.len() > OPERATIONS_KEPT
            || self.known.values().map(Operation::clusters).sum::<u64>() > CLUSTERS_KEPT
        {
            let oldest = self.known.iter().find(|(_, operation)| operation.is_over());
            let Some(oldest) = oldest.map(|(number, _)| *number) else { return };
            self.known.remove(&oldest);
        }
    }
}

impl Deletion {
    fn settle(&mut self, records: &BTreeMap<ClusterName, Record>) {
        let mut failed = Vec::new();
        self.under_way.retain(|name| match records.get(name) {
            None => false,
            Some(record) if record.state != State::Deleting => {
                failed.push(format!("{name}: {}", record.last_error.as_deref().unwrap_or("for an unknown reason")));
                false
            }
            // It stays until Rancher has deleted it.
            Some(_) => true,
        });
        self.failed += u32::try_from(failed.len()).unwrap_or(u32::MAX);
        self.errors.extend(failed);
        self.errors.drain(..self.errors.len().saturating_sub(ERRORS_KEPT));
    }
}

impl Operation {
    fn is_over(&self) -> bool {
        match &self.work {
            Work::Create(ramp) => !ramp.is_live(),
            Work::Delete(deletion) => deletion.finished.is_some(),
        }
    }

    fn clusters(&self) -> u64 {
        match &self.work {
            Work::Create(ramp) => ramp.clusters().into(),
            Work::Delete(deletion) => deletion.names.len() as u64,
        }
    }

    fn view(&self, number: u64) -> OperationView {
        let (kind, prefix, total, state, finished, errors, (taken, already, failed, under_way)) = match &self.work {
            Work::Create(ramp) => {
                let state = match ramp.end {
                    End::Running => OperationState::Running,
                    End::Done => OperationState::Done,
                    End::Stopped | End::Aborted => OperationState::Cancelled,
                };
                let (prefix, total) = (&ramp.spec.prefix, ramp.clusters());
                ("create", prefix, total, state, ramp.finished(), &ramp.errors, ramp.counts())
            }
            Work::Delete(deletion) => {
                let total = u32::try_from(deletion.names.len()).unwrap_or(u32::MAX);
                let under_way = u32::try_from(deletion.under_way.len()).unwrap_or(u32::MAX);
                let counts = (deletion.taken, deletion.already, deletion.failed, under_way);
                ("delete", &deletion.which.prefix, total, deletion.state, deletion.finished, &deletion.errors, counts)
            }
        };
        let run = match &self.work {
            Work::Create(ramp) => &ramp.spec.run,
            Work::Delete(deletion) => &deletion.which.run,
        };
        OperationView {
            id: number,
            kind,
            prefix: prefix.clone(),
            run: run.clone(),
            state,
            total,
            done: taken.saturating_sub(under_way + already + failed),
            already,
            under_way,
            failed,
            errors: errors.iter().cloned().collect(),
            started: self.started,
            finished,
        }
    }
}

fn unknown(number: u64) -> Answer {
    let detail = format!("there is no operation {number}");
    Answer::Refused(Refusal::new(RefusalKind::UnknownOperation, detail, "GET /operations lists the latest"))
}

/// Clusters of one deletion that may be between their start and Rancher's answer: enough to keep its registrars busy.
const UNDER_WAY: usize = 64;
/// Operations that are remembered; older ones that have ended are forgotten.
const OPERATIONS_KEPT: usize = 100;
/// Clusters of operations that are remembered, at a few hundred bytes each.
const CLUSTERS_KEPT: u64 = 100_000;
/// Reasons of failures that are remembered of each.
const ERRORS_KEPT: usize = 10;

#[cfg(test)]
mod tests {
    use super::super::tests::{Play, cluster, error};
    use super::*;
    use crate::manager::command::Action;
    use crate::manager::job::{Job, JobErrorKind, Outcome};
    use crate::ramp::{InFlightUntil, Rate};

    fn bulk(clusters: u32) -> Spec {
        let in_flight_until = InFlightUntil::Created;
        Spec { prefix: "edge-".into(), clusters, width: 0, in_flight_until, ..Spec::default() }
    }

    fn paced(clusters: u32, rate: &str) -> Spec {
        let mut spec = bulk(clusters);
        spec.pace(Some(Rate::parse(rate).unwrap())).unwrap();
        spec
    }

    fn create(spec: Spec) -> Action {
        Action::CreateMany(Box::new(spec))
    }

    fn view(play: &mut Play, action: Action) -> OperationView {
        match play.ask(action).try_recv() {
            Ok(Answer::Operation(view) | Answer::OperationStarted(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn asked(play: &mut Play) -> Vec<String> {
        let name = |job| if let Job::Create { name, .. } = job { Some(name.to_string()) } else { None };
        play.jobs().into_iter().filter_map(name).collect()
    }

    #[test]
    fn clusters_are_created_at_the_rate_and_counted() {
        let mut play = Play::new();
        play.fleet.config.max_clusters = 10;
        let begun = view(&mut play, create(paced(3, "0.5/s")));
        assert_eq!((begun.total, begun.under_way, begun.done), (3, 1, 0));
        assert_eq!(asked(&mut play), ["edge-1"]);
        play.created("edge-1", "c-1");
        play.pass(1);
        assert_eq!(asked(&mut play), [""; 0]);
        play.pass(1);
        assert_eq!(asked(&mut play), ["edge-2"]);
        play.outcome(Outcome::Created(cluster("edge-2"), Err(error(JobErrorKind::Permanent))));
        play.pass(2);
        assert_eq!(asked(&mut play), ["edge-3"]);
        play.created("edge-3", "c-3");
        play.pass(1);
        let end = view(&mut play, Action::Operation(begun.id));
        assert_eq!((end.state, end.done, end.failed, end.under_way), (OperationState::Done, 2, 1, 0));
        assert_eq!(end.errors, ["edge-2: Rancher says no"]);
        assert!(end.finished.is_some());
    }

    #[test]
    fn asking_again_creates_what_is_missing() {
        let mut play = Play::new();
        play.fleet.config.max_clusters = 3;
        play.connected("edge-2");
        let begun = view(&mut play, create(bulk(3)));
        assert_eq!((begun.already, begun.under_way), (1, 2));
        assert_eq!(asked(&mut play), ["edge-1", "edge-3"]);
        let answers = play.ask(create(bulk(4)));
        assert!(
            matches!(answers.try_recv(), Ok(Answer::Refused(refusal)) if refusal.kind == RefusalKind::LimitReached)
        );
    }

    #[test]
    fn only_so_many_are_under_way() {
        let mut play = Play::new();
        play.fleet.config.max_clusters = 1_000;
        view(&mut play, create(bulk(500)));
        assert_eq!(asked(&mut play).len(), UNDER_WAY);
        play.created("edge-1", "c-1");
        assert_eq!(asked(&mut play), ["edge-65"], "at once, not at the next look");
        play.outcome(Outcome::Created(cluster("edge-2"), Err(error(JobErrorKind::Permanent))));
        assert_eq!(asked(&mut play), ["edge-66"]);
        play.outcome(Outcome::Created(cluster("edge-3"), Err(error(JobErrorKind::Transient(None)))));
        assert_eq!(asked(&mut play), [""; 0], "it is tried again, and in flight until then");
        play.pass(1);
        assert_eq!(asked(&mut play), ["edge-3"]);
    }

    #[test]
    fn a_cancelled_operation_starts_no_more() {
        let mut play = Play::new();
        play.fleet.config.max_clusters = 10;
        let begun = view(&mut play, create(paced(3, "1/s")));
        let cancelled = view(&mut play, Action::Cancel(begun.id));
        assert_eq!(cancelled.state, OperationState::Cancelled);
        play.jobs();
        play.pass(10);
        assert_eq!(asked(&mut play), [""; 0]);
        play.created("edge-1", "c-1");
        play.pass(1);
        assert_eq!(view(&mut play, Action::Operation(begun.id)).done, 1);
        assert!(matches!(play.ask(Action::Operation(99)).try_recv(), Ok(Answer::Refused(_))));
    }

    #[test]
    fn a_creation_is_not_steered_as_a_ramp() {
        let mut play = Play::new();
        play.fleet.config.max_clusters = 10;
        let begun = view(&mut play, create(paced(3, "1/s")));
        let mut refused = |number| match play.ask(Action::SteerRamp(number, Steer::Pause)).try_recv() {
            Ok(Answer::Refused(refusal)) => (refusal.kind, refusal.detail),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(begun.id), (RefusalKind::UnknownRamp, format!("operation {} is no ramp", begun.id)));
        assert_eq!(refused(99), (RefusalKind::UnknownRamp, "there is no ramp 99".to_owned()));
    }

    #[test]
    fn a_prefix_is_deleted_and_nothing_else() {
        let mut play = Play::new();
        play.fleet.config.max_clusters = 10;
        for name in ["edge-1", "edgy", "other"] {
            play.connected(name);
        }
        let begun = view(&mut play, Action::DeleteMany(Which { prefix: "edge-".into(), run: None }));
        assert_eq!((begun.total, begun.under_way), (1, 1));
        play.outcome(Outcome::Deleted(cluster("edge-1"), Ok(())));
        play.outcome(Outcome::LookedUp(cluster("edge-1"), Ok(None)));
        play.event(crate::engine::Event::Detached("edge-1".into()));
        play.pass(1);
        let end = view(&mut play, Action::Operation(begun.id));
        assert_eq!((end.state, end.done), (OperationState::Done, 1));
        assert_eq!((play.state("edgy"), play.state("other")), ("connected", "connected"));
    }
}
