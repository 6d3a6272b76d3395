//! A ramp under way: its clusters, how each fares, and whether it goes on.

mod figures;

use super::asked::Asked;
use super::{Fleet, Now};
use crate::config::Shard;
use crate::manager::record::Record;
use crate::manager::{ClusterName, State};
use crate::ramp::{
    Calls, End, Fate, InFlightUntil, Journey, Milestone, Pace, Point, Spec, Start, Timeline, Verdict, cause,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Clusters that are created by a plan, and measured.
#[derive(Debug)]
pub(super) struct Ramp {
    /// The whole plan.
    pub(super) spec: Spec,
    /// Which part of it is this agent's.
    shard: Shard,
    /// What a cluster has to reach.
    goal: Milestone,
    pub(super) pace: Pace,
    began: Now,
    members: Vec<Member>,
    /// The positions of those without an end.
    open: Vec<u32>,
    in_flight: u32,
    /// How many of them Rancher has not been asked for yet, beyond what its registrars are busy with.
    queued: u32,
    /// Whether some that were Active are not at present.
    misses: bool,
    already: u32,
    failed: u32,
    /// The latest reasons.
    pub(super) errors: VecDeque<String>,
    behind: u32,
    behind_max: u32,
    timeline: Timeline,
    calls: BTreeMap<&'static str, Calls>,
    verdicts: Vec<Verdict>,
    judged: Option<Instant>,
    holding: Option<Instant>,
    pub(super) end: End,
    pub(super) finished: Option<Now>,
    /// None of a ramp that nobody measures.
    pub(super) asked: Option<Asked>,
}

/// One of its clusters.
#[derive(Debug)]
struct Member {
    name: ClusterName,
    intended: Instant,
    /// `None` for one that was there before.
    fate: Option<Fate>,
    cause: Option<String>,
    /// How it fared, once its record is gone.
    journey: Option<Box<Journey>>,
}

impl Ramp {
    /// Begins now. A cluster is done once it has reached `goal`.
    pub(super) fn new(spec: Spec, shard: Shard, goal: Milestone, asked: Option<Asked>, now: Now) -> Ramp {
        Ramp {
            pace: Pace::new(spec.schedule(), shard, spec.limit(), now.instant),
            shard,
            goal,
            began: now,
            members: Vec::new(),
            open: Vec::new(),
            in_flight: 0,
            queued: 0,
            misses: false,
            already: 0,
            failed: 0,
            errors: VecDeque::new(),
            behind: 0,
            behind_max: 0,
            timeline: Timeline::default(),
            calls: BTreeMap::new(),
            verdicts: Vec::new(),
            judged: None,
            holding: None,
            end: End::Running,
            finished: None,
            asked,
            spec,
        }
    }

    /// How many clusters of the plan are this agent's.
    pub(super) fn clusters(&self) -> u32 {
        self.shard.share(self.spec.clusters)
    }

    /// What the cluster that starts is called.
    pub(super) fn name(&self, start: Start) -> String {
        self.spec.name(self.shard.position(start.position))
    }

    /// Whether anything is left to look after.
    pub(super) fn is_live(&self) -> bool {
        self.end == End::Running
            || if self.is_measured() { self.asked.as_ref().is_some_and(Asked::is_open) } else { !self.open.is_empty() }
    }

    /// Whether it waits for Rancher's opinion of its clusters.
    pub(super) fn wants_news(&self) -> bool {
        let waits = self.misses || !self.open.is_empty() || !self.pace.is_through();
        self.end == End::Running && self.is_measured() && waits
    }

    /// Whether its clusters are measured beyond their creation.
    pub(super) fn is_measured(&self) -> bool {
        self.goal == Milestone::Active
    }

    /// How many were started, were there already, failed, and have no end.
    pub(super) fn counts(&self) -> (u32, u32, u32, u32) {
        (self.pace.taken(), self.already, self.failed, self.open.len() as u32)
    }

    /// The next cluster that is to start.
    pub(super) fn next(&mut self, now: Now) -> Option<Start> {
        self.pace.next(now.instant, self.in_flight)
    }

    /// When to look after it again.
    pub(super) fn patience(&self, now: Now) -> Duration {
        let due = self.pace.next_due().map(|due| due.saturating_duration_since(now.instant));
        match due {
            Some(due) if !due.is_zero() => due.min(TICK),
            _ => TICK,
        }
    }

    /// A cluster was there before.
    pub(super) fn skip(&mut self, name: ClusterName, start: Start) {
        self.already += 1;
        self.members.push(Member { name, intended: start.intended, fate: None, cause: None, journey: None });
    }

    /// A cluster was taken on.
    pub(super) fn join(&mut self, name: ClusterName, start: Start) {
        self.open.push(start.position);
        self.in_flight += 1;
        let fate = Some(Fate::UnderWay);
        self.members.push(Member { name, intended: start.intended, fate, cause: None, journey: None });
    }

    /// A cluster could not even be taken on.
    pub(super) fn refuse(&mut self, name: ClusterName, start: Start, problem: &str) {
        let error = format!("{name}: {problem}");
        let cause = Some(cause(problem, &name.to_string(), None));
        self.members.push(Member { name, intended: start.intended, fate: Some(Fate::Failed), cause, journey: None });
        self.fail(error);
    }

    /// One is in flight no more, if it is creation that counts; [`Fleet::settle`] counts them all anew.
    pub(super) fn make_room(&mut self) {
        if self.spec.in_flight_until == InFlightUntil::Created {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }

    /// A cluster's record is gone; what is known of its way stays here.
    pub(super) fn bury(&mut self, position: u32, journey: Box<Journey>) {
        if let Some(member) = self.members.get_mut(position as usize) {
            member.journey = Some(journey);
        }
    }

    /// A call to Rancher ended.
    pub(super) fn called(&mut self, endpoint: &'static str, took: Duration, failed: bool) {
        let calls = self.calls.entry(endpoint).or_default();
        calls.times.record(took.as_secs_f64());
        calls.failed += u64::from(failed);
    }

    /// Starts no more and ends.
    pub(super) fn stop(&mut self, end: End, now: Now) {
        if self.end == End::Running {
            self.pace.resume(now.instant);
            self.pace.stop();
            self.end = end;
            self.finished = Some(now);
        }
    }

    pub(super) fn finished(&self) -> Option<Timestamp> {
        self.finished.map(|now| now.wall)
    }

    fn fail(&mut self, error: String) {
        self.failed += 1;
        self.errors.push_back(error);
        if self.errors.len() > ERRORS_KEPT {
            self.errors.pop_front();
        }
    }
}

impl Fleet {
    /// Takes note of what became of the clusters that were started.
    pub(super) fn settle(&self, ramp: &mut Ramp, now: Now) {
        let (mut in_flight, mut uncreated) = (0, 0);
        let mut failures = Vec::new();
        let (spec, goal, members) = (&ramp.spec, ramp.goal, &mut ramp.members);
        ramp.open.retain(|position| {
            let Some(member) = members.get_mut(*position as usize) else { return false };
            let record = self.records.get(&member.name);
            let (fate, problem) = fate(record, member, goal, spec.timeout, now);
            if fate == Fate::UnderWay {
                let is_created = record.is_some_and(|record| record.id.is_some());
                in_flight += u32::from(!is_created || spec.in_flight_until == InFlightUntil::Active);
                let waits = |record: &Record| record.job_under_way || record.state == State::Pending;
                uncreated += u32::from(!is_created && record.is_some_and(waits));
                return true;
            }
            member.fate = Some(fate);
            if let Some(problem) = problem {
                let id = record.and_then(|record| record.id.as_deref());
                member.cause = Some(cause(&problem, &member.name.to_string(), id));
                failures.push(format!("{}: {problem}", member.name));
            }
            false
        });
        failures.into_iter().for_each(|failure| ramp.fail(failure));
        ramp.in_flight = in_flight;
        // What more than one call each of the registrars is busy with waits for its turn: Rancher does not keep up.
        let registrars = u32::try_from(self.config.registrars * self.upstreams.len()).unwrap_or(u32::MAX);
        ramp.queued = if ramp.spec.stages.is_some() { uncreated.saturating_sub(registrars) } else { 0 };
    }

    /// Looks whether the ramp is over, and how it stands.
    pub(super) fn conclude(&self, number: u64, ramp: &mut Ramp, now: Now) {
        if ramp.end != End::Running {
            return;
        }
        ramp.behind = ramp.pace.behind(now.instant) + ramp.queued;
        ramp.behind_max = ramp.behind_max.max(ramp.behind);
        if ramp.pace.is_over(now.instant) && ramp.open.is_empty() && !ramp.pace.is_paused() {
            let since = *ramp.holding.get_or_insert(now.instant);
            if now.instant.saturating_duration_since(since) >= ramp.spec.hold {
                ramp.stop(End::Done, now);
            }
        }
        if !ramp.is_measured() {
            return;
        }
        let over = ramp.end != End::Running;
        let seconds = now.instant.saturating_duration_since(ramp.began.instant).as_secs_f64();
        if ramp.timeline.is_due(seconds) || over {
            let census = self.census(number, ramp);
            let (taken, already, failed, open) = ramp.counts();
            ramp.misses = census.active < u64::from(taken - already - failed - open);
            ramp.timeline.push(Point {
                seconds,
                due: ramp.pace.due(now.instant),
                started: ramp.pace.taken(),
                created: census.created as u32,
                active: census.active as u32,
                failed: ramp.failed,
                in_flight: ramp.in_flight,
                behind: ramp.behind,
                disconnects: census.disconnects,
                rss_bytes: self.host.rss_bytes(),
            });
        }
        let is_due = ramp.judged.is_none_or(|at| now.instant.saturating_duration_since(at) >= JUDGE_INTERVAL);
        if !ramp.spec.thresholds.is_empty() && (is_due || over) {
            ramp.judged = Some(now.instant);
            let tally = self.tally(number, ramp, now);
            ramp.verdicts = ramp.spec.thresholds.iter().map(|threshold| threshold.judge(&tally)).collect();
            let says_something = tally.settled() >= SETTLED_TO_ABORT.min(ramp.clusters().into());
            let failed = ramp.verdicts.iter().find(|verdict| verdict.ok == Some(false));
            if let Some(verdict) = failed.filter(|_| ramp.spec.abort_on_fail && says_something) {
                log::warn!("ramp {number} ends: {}:{} does not hold", verdict.metric, verdict.condition);
                ramp.stop(End::Aborted, now);
            }
        }
    }
}

/// What became of a member, and why it failed if it did.
fn fate(
    record: Option<&Record>,
    member: &Member,
    goal: Milestone,
    timeout: Duration,
    now: Now,
) -> (Fate, Option<String>) {
    let Some(record) = record else {
        return (Fate::Failed, Some("it was deleted, or could not be stored".to_owned()));
    };
    let reached = |milestone| record.journey.as_ref().is_some_and(|journey| journey.has_reached(milestone));
    if reached(goal) {
        return (Fate::Active, None);
    }
    let last_error = record.last_error.as_deref();
    if record.state == State::Failed {
        return (Fate::Failed, Some(last_error.unwrap_or("for an unknown reason").to_owned()));
    }
    let waited = now.instant.saturating_duration_since(member.intended);
    if goal == Milestone::Active && waited >= timeout {
        let furthest = record.journey.as_ref().map_or("nothing", |journey| journey.furthest().title());
        let last_error = last_error.map(|error| format!("; {error}")).unwrap_or_default();
        return (Fate::Failed, Some(format!("not Active in time, got as far as: {furthest}{last_error}")));
    }
    (Fate::UnderWay, None)
}

/// How often a ramp is looked after at least.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// How often thresholds are judged.
const JUDGE_INTERVAL: Duration = Duration::from_secs(1);
/// Fewer clusters than this with an end say nothing about a share of all.
const SETTLED_TO_ABORT: u64 = 20;
/// Reasons of failures that are remembered.
const ERRORS_KEPT: usize = 10;

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::{Play, cluster, shown};
    use super::*;
    use crate::engine::{Event, Tunnel};
    use crate::manager::answer::Answer;
    use crate::manager::command::Action;
    use crate::manager::job::Outcome;
    use crate::manager::{RampState, RampView};
    use crate::ramp::Results;
    use crate::rancher::ClusterPage;
    use serde_json::{Value, json};

    pub fn begin(play: &mut Play, spec: &Value) -> u64 {
        let spec = Spec::from_json(spec.as_object().unwrap()).unwrap();
        match play.ask(Action::StartRamp(Box::new(spec))).try_recv() {
            Ok(Answer::RampStarted(view)) => view.id,
            other => panic!("{other:?}"),
        }
    }

    pub fn view(play: &mut Play, number: u64) -> RampView {
        match play.ask(Action::Ramp(number)).try_recv() {
            Ok(Answer::Ramp(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    pub fn results(play: &mut Play, number: u64) -> Results {
        match play.ask(Action::RampResults(number)).try_recv() {
            Ok(Answer::RampResults(results)) => *results,
            other => panic!("{other:?}"),
        }
    }

    fn connect(play: &mut Play, name: &str, id: &str) {
        play.created(name, id);
        play.token(name, Some("token"));
        play.tunnel(name, Tunnel::Api, None, true);
        play.tunnel(name, Tunnel::Steve, None, true);
    }

    #[test]
    fn a_cluster_that_is_not_active_in_time_has_failed_with_how_far_it_got() {
        let mut play = Play::new();
        let number = begin(&mut play, &json!({"prefix": "edge-", "clusters": 2, "width": 0, "timeout": "30s"}));
        connect(&mut play, "edge-1", "c-1");
        play.created("edge-2", "c-2");
        play.pass(29);
        assert_eq!((view(&mut play, number).under_way, view(&mut play, number).state), (2, RampState::Settling));
        play.pass(1);
        let end = view(&mut play, number);
        assert_eq!((end.state, end.failed, end.active), (RampState::Done, 2, 0));
        let mut causes: Vec<&str> = end.failures.iter().map(|failure| failure.cause.as_str()).collect();
        causes.sort_unstable();
        let cause = |furthest: &str| format!("not Active in time, got as far as: {furthest}");
        assert_eq!(causes, [cause("created"), cause("steve tunnel")]);
    }

    #[test]
    fn held_clusters_count_what_they_lose_and_are_remembered_when_they_are_gone() {
        let mut play = Play::new();
        play.outcome(Outcome::Probed(Ok(())));
        let number = begin(&mut play, &json!({"prefix": "edge-", "clusters": 1, "width": 0, "hold": "20s"}));
        connect(&mut play, "edge-1", "c-1");
        play.event(Event::Asked {
            name: "edge-1".into(),
            resource: "v1/nodes".into(),
            is_watch: true,
            at: play.now.instant,
        });
        play.pass(3);
        let clusters = vec![shown("edge-1", "c-1", "active")];
        play.outcome(Outcome::Listed(Ok(ClusterPage { clusters, next: None })));
        play.pass(1);
        let held = view(&mut play, number);
        assert_eq!((held.state, held.active, held.active_now), (RampState::Holding, 1, 1));
        play.tunnel("edge-1", Tunnel::Api, None, false);
        let lost = view(&mut play, number);
        assert_eq!((lost.active, lost.active_now, lost.disconnects), (1, 0, 1));
        play.ask(Action::Delete { name: "edge-1".into(), wait: false });
        play.outcome(Outcome::Deleted(cluster("edge-1"), Ok(())));
        play.outcome(Outcome::LookedUp(cluster("edge-1"), Ok(None)));
        play.event(Event::Detached("edge-1".into()));
        assert_eq!(play.state("edge-1"), "gone");
        play.pass(20);
        let end = results(&mut play, number);
        let row = &end.clusters[0];
        assert_eq!((end.end, row.fate, row.is_active, row.disconnects), (End::Done, Fate::Active, false, 1));
        assert_eq!(row.seconds[Milestone::Active as usize], Some(3.0));
        assert_eq!(row.seconds[Milestone::Watches as usize], Some(0.0));
        assert_eq!(row.lists["v1/nodes"], 0.0);
    }

    #[test]
    fn clusters_that_were_there_before_are_not_measured() {
        let mut play = Play::new();
        play.connected("edge-1");
        let number = begin(&mut play, &json!({"prefix": "edge-", "clusters": 2, "width": 0}));
        let begun = view(&mut play, number);
        assert_eq!((begun.already, begun.started, begun.under_way), (1, 2, 1));
        let names: Vec<String> = results(&mut play, number).clusters.into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["edge-2"]);
    }
}
