//! Work on many clusters at once, a few at a time.

use super::{Fleet, Now, Timer};
use crate::manager::answer::{Answer, OperationState, OperationView, Refusal, RefusalKind};
use crate::manager::command::Reply;
use crate::manager::{BulkCreate, ClusterName, State, Stray, Wanted};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// The operations of this run of the agent, by number.
#[derive(Debug, Default)]
pub(super) struct Operations {
    known: BTreeMap<u64, Operation>,
    last: u64,
}

#[derive(Debug)]
struct Operation {
    work: Work,
    state: OperationState,
    total: u32,
    /// How many were started, or found to need no start.
    taken: u32,
    /// How many were there already, or gone already.
    already: u32,
    /// Those that came to nothing, the latest reasons among them.
    failed: u32,
    errors: VecDeque<String>,
    /// Started and not yet settled.
    under_way: Vec<ClusterName>,
    started: Timestamp,
    finished: Option<Timestamp>,
    /// When the next one is to be started, for an operation with a rate.
    next: Instant,
}

#[derive(Debug)]
enum Work {
    Create(BulkCreate),
    /// The prefix, and which clusters had it.
    Delete(String, Vec<ClusterName>),
}

impl Fleet {
    pub(super) fn create_many(&mut self, bulk: BulkCreate, reply: Reply, now: Now) {
        let known = (0..bulk.count).filter(|at| bulk.name(*at).is_ok_and(|name| self.records.contains_key(&name)));
        let new = bulk.count as usize - known.count();
        let refusal = if let Err(error) = bulk.check_names() {
            let remedy = "choose a shorter prefix of a-z, 0-9 and '-', or a smaller width";
            Some(Refusal::new(RefusalKind::InvalidName, error.to_string(), remedy))
        } else if self.records.len() + new > self.config.max_clusters {
            let detail = format!("{} clusters and {new} more are over MaxClusters", self.records.len());
            Some(Refusal::new(
                RefusalKind::LimitReached,
                detail,
                "ask for fewer, raise MaxClusters, or start another agent",
            ))
        } else {
            self.cannot_create(&bulk.wanted)
        };
        match refusal {
            Some(refusal) => reply.send(Answer::Refused(refusal)),
            None => {
                let total = bulk.count;
                self.begin(Work::Create(bulk), total, reply, now);
            }
        }
    }

    pub(super) fn delete_many(&mut self, prefix: String, reply: Reply, now: Now) {
        let from = (std::ops::Bound::Included(prefix.as_str()), std::ops::Bound::Unbounded);
        let matching = self.records.range::<str, _>(from).map(|(name, _)| name);
        let names: Vec<ClusterName> = matching.take_while(|name| name.as_arc().starts_with(&prefix)).cloned().collect();
        let total = u32::try_from(names.len()).unwrap_or(u32::MAX);
        self.begin(Work::Delete(prefix, names), total, reply, now);
    }

    /// Deletes what this agent knows and what it knew once, as far as the names begin so.
    pub(super) fn clean(&mut self, prefix: String, strays: Vec<Stray>, reply: Reply, now: Now) {
        for Stray { name, server } in strays {
            if !self.records.contains_key(&name) {
                self.enlist(&name, Wanted { server: Some(server), ..Wanted::default() }, now);
                if let Some(record) = self.records.get_mut(&name) {
                    record.may_exist = true;
                }
            }
        }
        self.delete_many(prefix, reply, now);
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
        if operation.state == OperationState::Running {
            operation.state = OperationState::Cancelled;
            operation.finished = Some(now.wall);
        }
        reply.send(Answer::Operation(Box::new(operation.view(number))));
    }

    /// Takes note of what has settled, and starts what is due.
    pub(super) fn advance(&mut self, number: u64, now: Now) {
        let Some(mut operation) = self.operations.known.remove(&number) else { return };
        operation.settle(&self.records);
        while operation.state == OperationState::Running
            && operation.taken < operation.total
            && operation.under_way.len() < UNDER_WAY
            && operation.next <= now.instant
        {
            self.start_next(&mut operation, now);
        }
        if operation.state == OperationState::Running
            && operation.taken == operation.total
            && operation.under_way.is_empty()
        {
            operation.state = OperationState::Done;
            operation.finished = Some(now.wall);
        }
        // A cancelled one is looked after until what it started has settled.
        if operation.state == OperationState::Running || !operation.under_way.is_empty() {
            let patience = operation.next.saturating_duration_since(now.instant).min(TICK);
            self.set_timer(if patience.is_zero() { TICK } else { patience }, Timer::Operation(number), now);
        }
        self.operations.known.insert(number, operation);
    }

    fn begin(&mut self, work: Work, total: u32, reply: Reply, now: Now) {
        self.operations.last += 1;
        let number = self.operations.last;
        let operation = Operation {
            work,
            state: OperationState::Running,
            total,
            taken: 0,
            already: 0,
            failed: 0,
            errors: VecDeque::new(),
            under_way: Vec::new(),
            started: now.wall,
            finished: None,
            next: now.instant,
        };
        self.operations.known.insert(number, operation);
        while self.operations.known.len() > OPERATIONS_KEPT {
            let oldest = self.operations.known.iter().find(|(_, operation)| operation.finished.is_some());
            let Some(oldest) = oldest.map(|(number, _)| *number) else { break };
            self.operations.known.remove(&oldest);
        }
        self.advance(number, now);
        let Some(operation) = self.operations.known.get(&number) else { return };
        reply.send(Answer::OperationStarted(Box::new(operation.view(number))));
    }

    fn start_next(&mut self, operation: &mut Operation, now: Now) {
        let position = operation.taken;
        operation.taken += 1;
        match &operation.work {
            Work::Create(bulk) => {
                // All names were checked.
                let Ok(name) = bulk.name(position) else { return };
                // The next start follows from the plan, not from when this one was possible.
                operation.next = bulk.interval.map_or(now.instant, |interval| operation.next + interval);
                if self.records.contains_key(&name) {
                    operation.already += 1;
                    return;
                }
                let wanted = bulk.wanted.clone();
                match self.cannot_create(&wanted) {
                    Some(refusal) => operation.fail(format!("{name}: {}", refusal.detail)),
                    None => {
                        self.enlist(&name, wanted, now);
                        operation.under_way.push(name);
                    }
                }
            }
            Work::Delete(_, names) => {
                let Some(name) = names.get(position as usize).cloned() else { return };
                if self.records.contains_key(&name) {
                    self.delete(name.as_arc(), false, Reply::nobody(), now);
                    operation.under_way.push(name);
                } else {
                    operation.already += 1;
                }
            }
        }
    }
}

impl Operation {
    fn settle(&mut self, records: &BTreeMap<ClusterName, super::Record>) {
        let is_create = matches!(self.work, Work::Create(_));
        let mut failed = Vec::new();
        self.under_way.retain(|name| match records.get(name) {
            None if is_create => {
                failed.push(format!("{name}: it was deleted, or could not be stored"));
                false
            }
            None => false,
            Some(record) if record.state == State::Failed || (!is_create && record.state != State::Deleting) => {
                failed.push(format!("{name}: {}", record.last_error.as_deref().unwrap_or("for an unknown reason")));
                false
            }
            // It stays until Rancher has accepted it, or has deleted it.
            Some(record) => !is_create || record.id.is_none(),
        });
        failed.into_iter().for_each(|error| self.fail(error));
    }

    fn fail(&mut self, error: String) {
        self.failed += 1;
        self.errors.push_back(error);
        if self.errors.len() > ERRORS_KEPT {
            self.errors.pop_front();
        }
    }

    fn view(&self, number: u64) -> OperationView {
        let under_way = u32::try_from(self.under_way.len()).unwrap_or(u32::MAX);
        let (kind, prefix) = match &self.work {
            Work::Create(bulk) => ("create", &bulk.prefix),
            Work::Delete(prefix, _) => ("delete", prefix),
        };
        OperationView {
            id: number,
            kind,
            prefix: prefix.clone(),
            state: self.state,
            total: self.total,
            done: self.taken.saturating_sub(under_way + self.already + self.failed),
            already: self.already,
            under_way,
            failed: self.failed,
            errors: self.errors.iter().cloned().collect(),
            started: self.started,
            finished: self.finished,
        }
    }
}

fn unknown(number: u64) -> Answer {
    let detail = format!("there is no operation {number}");
    Answer::Refused(Refusal::new(RefusalKind::UnknownOperation, detail, "GET /operations lists the latest"))
}

/// Clusters of one operation that may be between their start and Rancher's answer: enough to keep its registrars busy.
const UNDER_WAY: usize = 64;
/// How often an operation looks after what it started.
const TICK: Duration = Duration::from_millis(100);
/// Operations that are remembered; older ones that have ended are forgotten.
const OPERATIONS_KEPT: usize = 100;
/// Reasons of failures that are remembered of each.
const ERRORS_KEPT: usize = 10;

#[cfg(test)]
mod tests {
    use super::super::tests::{Play, cluster, error};
    use super::*;
    use crate::manager::command::Action;
    use crate::manager::job::{Job, JobErrorKind, Outcome};

    fn bulk(count: u32) -> BulkCreate {
        BulkCreate { prefix: "edge-".into(), count, start: 1, width: 0, wanted: Wanted::default(), interval: None }
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
        let interval = Some(Duration::from_secs(2));
        let begun = view(&mut play, Action::CreateMany(BulkCreate { interval, ..bulk(3) }));
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
        let begun = view(&mut play, Action::CreateMany(bulk(3)));
        assert_eq!((begun.already, begun.under_way), (1, 2));
        assert_eq!(asked(&mut play), ["edge-1", "edge-3"]);
        let answers = play.ask(Action::CreateMany(bulk(4)));
        assert!(
            matches!(answers.try_recv(), Ok(Answer::Refused(refusal)) if refusal.kind == RefusalKind::LimitReached)
        );
    }

    #[test]
    fn only_so_many_are_under_way() {
        let mut play = Play::new();
        play.fleet.config.max_clusters = 1_000;
        view(&mut play, Action::CreateMany(bulk(500)));
        assert_eq!(asked(&mut play).len(), UNDER_WAY);
        play.created("edge-1", "c-1");
        play.pass(1);
        assert_eq!(asked(&mut play), ["edge-65"]);
    }

    #[test]
    fn a_cancelled_operation_starts_no_more() {
        let mut play = Play::new();
        play.fleet.config.max_clusters = 10;
        let interval = Some(Duration::from_secs(1));
        let begun = view(&mut play, Action::CreateMany(BulkCreate { interval, ..bulk(3) }));
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
    fn a_prefix_is_deleted_and_nothing_else() {
        let mut play = Play::new();
        play.fleet.config.max_clusters = 10;
        for name in ["edge-1", "edgy", "other"] {
            play.connected(name);
        }
        let begun = view(&mut play, Action::DeleteMany("edge-".into()));
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
