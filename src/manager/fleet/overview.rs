//! The fleet as a whole: how it was over time, and what stands out now.

use super::{Fleet, Now};
use crate::manager::State;
use crate::manager::answer::FaultState;
use crate::manager::overview::{AskedView, OverviewView, Sample, SlowView, TroubleView};
use crate::manager::record::Record;
use crate::telemetry::RequestTotals;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How many clusters there were in each state since the start, at intervals that grow so that the memory does not.
#[derive(Debug)]
pub(super) struct Curve {
    samples: Vec<Sample>,
    interval: Duration,
    next: Instant,
}

impl Curve {
    pub(super) fn new(now: Now) -> Curve {
        Curve { samples: Vec::new(), interval: FIRST_INTERVAL, next: now.instant }
    }

    /// When the next sample is taken.
    pub(super) fn next_due(&self) -> Instant {
        self.next
    }

    fn add(&mut self, sample: Sample, now: Now) {
        self.samples.push(sample);
        if self.samples.len() >= SAMPLES {
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.interval *= 2;
        }
        self.next = now.instant + self.interval;
    }
}

impl Fleet {
    /// Counts the clusters by state if it is time to.
    pub(super) fn sample_states(&mut self, now: Now) {
        if self.curve.next <= now.instant {
            let sample = self.count_states(now.wall);
            self.curve.add(sample, now);
        }
    }

    pub(super) fn overview(&self, now: Now) -> OverviewView {
        let earlier = self.curve.samples.iter().filter(|sample| sample.at < now.wall);
        let mut samples: Vec<Sample> = earlier.cloned().collect();
        samples.push(self.count_states(now.wall));
        let totals = RequestTotals::sum(self.requests.values().map(|totals| &**totals));
        let mut asked: Vec<_> = totals.requests.iter().collect();
        asked.sort_by_key(|row| std::cmp::Reverse(row.count));
        OverviewView {
            health: self.health(now),
            samples,
            slowest: self.slowest(now.wall),
            trouble: self.trouble(),
            faults: self.fault_views().filter(|fault| fault.state == FaultState::Active).collect(),
            requests: asked.into_iter().take(SHOWN).map(AskedView::from).collect(),
        }
    }

    fn count_states(&self, at: Timestamp) -> Sample {
        let mut sample = Sample::at(at);
        self.records.values().for_each(|record| sample.count(record.state));
        sample
    }

    fn slowest(&self, now: Timestamp) -> Vec<SlowView> {
        let taken = |record: &Record| match record.reached(State::Active) {
            Some(reached) => Some((reached.duration_since(record.created).as_secs_f64(), true)),
            // What has failed is in trouble, not slow.
            None if matches!(record.state, State::Failed | State::Deleting) => None,
            None => Some((now.duration_since(record.created).as_secs_f64(), false)),
        };
        let mut all: Vec<(f64, bool, &Record)> = self
            .records
            .values()
            .filter_map(|record| taken(record).map(|(seconds, active)| (seconds, active, record)))
            .collect();
        let by_time = |one: &(f64, bool, &Record), other: &(f64, bool, &Record)| other.0.total_cmp(&one.0);
        if all.len() > SHOWN {
            all.select_nth_unstable_by(SHOWN, by_time);
            all.truncate(SHOWN);
        }
        all.sort_by(by_time);
        let view = |(seconds, active, record): (f64, bool, &Record)| SlowView {
            name: record.name.to_string(),
            state: record.state,
            active,
            seconds,
        };
        all.into_iter().map(view).collect()
    }

    fn trouble(&self) -> Vec<TroubleView> {
        let of = |state| self.records.values().filter(move |record| record.state == state).take(SHOWN);
        let view = |record: &Record| TroubleView {
            name: record.name.to_string(),
            state: record.state,
            last_error: record.problem().map(str::to_owned),
        };
        of(State::Failed).chain(of(State::Disconnected)).take(SHOWN).map(view).collect()
    }
}

/// Lines of each list: what fits beside the others on one screen.
const SHOWN: usize = 10;
/// A ramp is seen to move.
const FIRST_INTERVAL: Duration = Duration::from_secs(2);
/// Samples that are kept at most; a screen has few more columns that can be told apart.
const SAMPLES: usize = 400;

#[cfg(test)]
mod tests {
    use super::super::tests::Play;
    use super::*;
    use crate::engine::Tunnel;
    use crate::manager::Answer;
    use crate::manager::command::Action;

    fn overview(play: &mut Play) -> OverviewView {
        match play.ask(Action::Overview).try_recv() {
            Ok(Answer::Overview(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_stands_out_is_shown() {
        let mut play = Play::new();
        play.fleet.config.max_clusters = 5;
        play.connected("edge-1");
        play.create("edge-2");
        play.pass(7);
        play.tunnel("edge-1", Tunnel::Api, None, false);
        let view = overview(&mut play);
        assert_eq!((view.health.clusters["disconnected"], view.health.clusters["registering"]), (1, 1));
        let slowest: Vec<(&str, bool)> = view.slowest.iter().map(|slow| (slow.name.as_str(), slow.active)).collect();
        assert_eq!(slowest, [("edge-1", false), ("edge-2", false)]);
        assert!(view.slowest[0].seconds >= 7.0, "{:?}", view.slowest);
        let trouble: Vec<(&str, Option<&str>)> =
            view.trouble.iter().map(|one| (one.name.as_str(), one.last_error.as_deref())).collect();
        assert_eq!(trouble, [("edge-1", Some("lost"))]);
        let last = view.samples.last().unwrap();
        assert_eq!((last.lost, last.waiting, last.active), (1, 1, 0));
    }

    #[test]
    fn the_curve_grows_coarser_rather_than_longer() {
        let mut play = Play::new();
        for _ in 0..3_000 {
            play.pass(2);
        }
        let samples = overview(&mut play).samples;
        assert!((SAMPLES / 2 - 1..=SAMPLES).contains(&samples.len()), "{}", samples.len());
        let first = samples[0].at;
        let last = samples[samples.len() - 1].at;
        assert!(last.duration_since(first).as_secs() >= 5_900, "from the first to the last");
        assert!(samples.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}
