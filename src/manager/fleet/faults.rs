//! Faults under way: which clusters suffer them, until when, and how often they made themselves felt.

use super::{Effect, Fleet, Now, Timer};
use crate::engine::{Assignment, Imposition};
use crate::faults::{Fault, Injection};
use crate::manager::answer::{Answer, FaultState, FaultView, Refusal, RefusalKind, SufferedView};
use crate::manager::command::Reply;
use crate::manager::{ClusterName, State};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The faults of this run of the agent, by number.
#[derive(Debug, Default)]
pub(super) struct Injections {
    known: BTreeMap<u64, Run>,
    last: u64,
}

#[derive(Debug)]
struct Run {
    injection: Injection,
    seed: u64,
    clusters: Vec<ClusterName>,
    state: FaultState,
    started: Timestamp,
    until: Timestamp,
    ended: Option<Timestamp>,
    felt: u64,
}

impl Injections {
    /// Workers tell how often faults made themselves felt.
    pub(super) fn felt(&mut self, felt: &[(u64, u64)]) {
        for (id, times) in felt {
            if let Some(run) = self.known.get_mut(id) {
                run.felt += times;
            }
        }
    }
}

impl Fleet {
    pub(super) fn inject(&mut self, injection: Injection, reply: Reply, now: Now) {
        // Chosen by the agent it is short enough to be typed again.
        let seed = injection.seed.unwrap_or_else(|| self.random.u64(..1_000_000));
        let running = self.records.iter().filter(|(_, record)| record.attached && record.state != State::Deleting);
        let candidates = running.map(|(name, record)| (name, record.server_name()));
        let clusters = injection.selection.resolve(candidates, seed);
        let active = self.injections.known.values().filter(|run| run.state == FaultState::Active).count();
        let refusal = if clusters.is_empty() {
            let detail = format!("no cluster that runs is meant by {}", injection.selection);
            Some(Refusal::new(RefusalKind::NothingSelected, detail, "GET /clusters lists them with their states"))
        } else if active >= AT_ONCE {
            let detail = format!("{active} faults are under way, as many as may be at once");
            Some(Refusal::new(RefusalKind::LimitReached, detail, "wait for some to end, or DELETE /faults/ID"))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return reply.send(Answer::Refused(refusal));
        }
        self.injections.last += 1;
        let id = self.injections.last;
        let until = now.wall_after(injection.duration).unwrap_or(Timestamp::MAX);
        let faults: Vec<String> = injection.faults.iter().map(Fault::to_string).collect();
        let imposition = Arc::new(Imposition {
            id,
            faults: injection.faults.clone(),
            seed,
            until: now.instant + injection.duration,
        });
        let is_lasting = !injection.duration.is_zero();
        for name in &clusters {
            let key = name.as_arc().clone();
            self.effects.push(Effect::Assign(key.clone(), Assignment::Impose(key, imposition.clone())));
            if let Some(record) = self.records.get_mut(name).filter(|_| is_lasting) {
                record.faults.push(SufferedView { id, faults: faults.clone(), until });
            }
        }
        let run = Run {
            seed,
            clusters,
            state: FaultState::Active,
            started: now.wall,
            until,
            ended: None,
            felt: 0,
            injection,
        };
        log::warn!(
            "fault {id} begins: {} in {} clusters ({}), for {} s, seed {seed}",
            faults.join(" + "),
            run.clusters.len(),
            run.injection.selection,
            run.injection.duration.as_secs()
        );
        let duration = run.injection.duration;
        self.injections.known.insert(id, run);
        match is_lasting {
            true => self.set_timer(duration, Timer::Fault(id), now),
            false => self.fault_is_over(id, now),
        }
        while self.injections.known.len() > KEPT {
            let oldest = self.injections.known.iter().find(|(_, run)| run.ended.is_some());
            let Some(oldest) = oldest.map(|(id, _)| *id) else { break };
            self.injections.known.remove(&oldest);
        }
        if let Some(run) = self.injections.known.get(&id) {
            reply.send(Answer::FaultStarted(Box::new(run.view(id))));
        }
    }

    pub(super) fn fault(&self, id: u64, reply: Reply) {
        reply.send(match self.injections.known.get(&id) {
            Some(run) => Answer::Fault(Box::new(run.view(id))),
            None => unknown(id),
        });
    }

    pub(super) fn all_faults(&self, reply: Reply) {
        reply.send(Answer::Faults(self.fault_views().collect()));
    }

    /// The latest faults, the latest first.
    pub(super) fn fault_views(&self) -> impl Iterator<Item = FaultView> {
        self.injections.known.iter().rev().map(|(id, run)| run.view(*id))
    }

    /// Ends a fault before its time.
    pub(super) fn end_fault(&mut self, id: u64, reply: Reply, now: Now) {
        let Some(run) = self.injections.known.get(&id) else { return reply.send(unknown(id)) };
        if run.state == FaultState::Active {
            for name in &run.clusters {
                let key = name.as_arc().clone();
                self.effects.push(Effect::Assign(key.clone(), Assignment::Lift(key, id)));
            }
            self.fault_has_ended(id, FaultState::Cancelled, now);
        }
        self.fault(id, reply);
    }

    /// Its time is up: the workers have ended it by themselves; or the last of them have told what came of it.
    pub(super) fn fault_is_over(&mut self, id: u64, now: Now) {
        match self.injections.known.get(&id) {
            Some(run) if run.state != FaultState::Active => log::info!("fault {id} was felt {} times", run.felt),
            _ => self.fault_has_ended(id, FaultState::Ended, now),
        }
    }

    fn fault_has_ended(&mut self, id: u64, state: FaultState, now: Now) {
        let Some(run) = self.injections.known.get_mut(&id).filter(|run| run.state == FaultState::Active) else {
            return;
        };
        run.state = state;
        run.ended = Some(now.wall);
        for name in &run.clusters {
            if let Some(record) = self.records.get_mut(name) {
                record.faults.retain(|suffered| suffered.id != id);
            }
        }
        log::warn!("fault {id} {}", if state == FaultState::Cancelled { "is cancelled" } else { "ends" });
        self.set_timer(TOLD_WITHIN, Timer::Fault(id), now);
    }
}

impl Run {
    fn view(&self, id: u64) -> FaultView {
        FaultView {
            id,
            faults: self.injection.faults.iter().map(Fault::to_string).collect(),
            preset: self.injection.preset,
            select: self.injection.selection.to_string(),
            seed: self.seed,
            state: self.state,
            clusters: self.clusters.len(),
            names: self.clusters.iter().take(NAMES_SHOWN).map(ClusterName::to_string).collect(),
            started: self.started,
            until: self.until,
            ended: self.ended,
            felt: self.felt,
        }
    }
}

fn unknown(id: u64) -> Answer {
    let detail = format!("there is no fault {id}");
    Answer::Refused(Refusal::new(RefusalKind::UnknownFault, detail, "GET /faults lists the latest"))
}

/// Faults that may be under way at once: each costs every cluster that suffers it a look with every request.
const AT_ONCE: usize = 32;
/// Faults that are remembered; older ones that have ended are forgotten.
const KEPT: usize = 100;
/// Workers tell once a second what they counted.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// Names that are shown; GET /clusters shows who suffers what.
const NAMES_SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::super::tests::Play;
    use super::*;
    use crate::engine::Event;
    use crate::manager::command::Action;

    fn inject(text: &str) -> Action {
        Action::Inject(Box::new(text.parse().unwrap()))
    }

    fn view(play: &mut Play, action: Action) -> FaultView {
        match play.ask(action).try_recv() {
            Ok(Answer::Fault(view) | Answer::FaultStarted(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn imposed(play: &mut Play) -> (Vec<String>, Vec<String>) {
        let (mut imposed, mut lifted) = (Vec::new(), Vec::new());
        for effect in play.take_effects() {
            match effect {
                Effect::Assign(_, Assignment::Impose(name, _)) => imposed.push(name.to_string()),
                Effect::Assign(_, Assignment::Lift(name, _)) => lifted.push(name.to_string()),
                _ => {}
            }
        }
        (imposed, lifted)
    }

    fn suffered(play: &mut Play, name: &str) -> Vec<u64> {
        let Ok(Answer::Clusters { clusters, .. }) =
            play.ask(Action::List { state: None, limit: 10, after: None }).try_recv()
        else {
            panic!("no list")
        };
        let cluster = clusters.into_iter().find(|cluster| cluster.name == name).unwrap();
        cluster.faults.into_iter().map(|fault| fault.id).collect()
    }

    #[test]
    fn a_fault_is_imposed_counted_and_ends_by_itself() {
        let mut play = Play::new();
        play.connected("edge-1");
        play.connected("far-1");
        let begun = view(&mut play, inject("errors select=prefix=edge- duration=30s seed=9"));
        assert_eq!((begun.id, begun.seed, begun.clusters, begun.state), (1, 9, 1, FaultState::Active));
        assert_eq!(begun.names, ["edge-1"]);
        assert_eq!(imposed(&mut play).0, ["edge-1"]);
        assert_eq!((suffered(&mut play, "edge-1"), suffered(&mut play, "far-1")), (vec![1], vec![]));
        play.event(Event::FaultsFelt(vec![(1, 5)]));
        play.event(Event::FaultsFelt(vec![(1, 2), (99, 1)]));
        play.pass(30);
        let end = view(&mut play, Action::Fault(1));
        assert_eq!((end.state, end.felt, end.ended.is_some()), (FaultState::Ended, 7, true));
        assert_eq!(suffered(&mut play, "edge-1"), [0; 0]);
        assert_eq!(imposed(&mut play).1, [""; 0], "the workers know when it ends");
    }

    #[test]
    fn a_cancelled_fault_is_lifted() {
        let mut play = Play::new();
        play.connected("edge-1");
        view(&mut play, inject("vanish duration=1h"));
        imposed(&mut play);
        let end = view(&mut play, Action::EndFault(1));
        assert_eq!(end.state, FaultState::Cancelled);
        assert_eq!(imposed(&mut play).1, ["edge-1"]);
        assert_eq!(view(&mut play, Action::EndFault(1)).state, FaultState::Cancelled);
        assert!(matches!(play.ask(Action::EndFault(7)).try_recv(), Ok(Answer::Refused(_))));
    }

    #[test]
    fn what_happens_once_is_over_at_once() {
        let mut play = Play::new();
        play.connected("edge-1");
        let begun = view(&mut play, inject("drop"));
        assert_eq!((begun.state, begun.until), (FaultState::Ended, begun.started));
        assert_eq!(suffered(&mut play, "edge-1"), [0; 0]);
    }

    #[test]
    fn clusters_that_do_not_run_are_not_meant() {
        let mut play = Play::new();
        play.create("edge-1");
        let answers = play.ask(inject("drop"));
        assert!(
            matches!(answers.try_recv(), Ok(Answer::Refused(refusal)) if refusal.kind == RefusalKind::NothingSelected)
        );
    }
}
