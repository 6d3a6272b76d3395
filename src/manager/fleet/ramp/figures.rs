//! What a ramp comes to, in figures.

use super::{Member, Ramp};
use crate::manager::fleet::{Fleet, Now};
use crate::manager::record::Record;
use crate::manager::{FailureView, MilestoneView, RampState, RampView, State};
use crate::ramp::{End, Journey, Milestone, Results, Row, Sample, Tally};
use serde_json::Value;
use std::collections::BTreeMap;

/// Counts over all clusters of a ramp.
#[derive(Default)]
pub(super) struct Census {
    pub(super) created: u64,
    pub(super) active: u64,
    pub(super) disconnects: u64,
}

impl Fleet {
    /// The ramp as REST shows it.
    pub(in crate::manager::fleet) fn ramp_view(&self, number: u64, ramp: &Ramp, now: Now) -> RampView {
        let now = ramp.finished.unwrap_or(now);
        let tally = self.tally(number, ramp, now);
        let mut causes: BTreeMap<&str, u64> = BTreeMap::new();
        for cause in ramp.members.iter().filter_map(|member| member.cause.as_deref()) {
            *causes.entry(cause).or_default() += 1;
        }
        let mut failures: Vec<FailureView> =
            causes.into_iter().map(|(cause, count)| FailureView { cause: cause.to_owned(), count }).collect();
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
        failures.truncate(FAILURES_SHOWN);
        RampView {
            id: number,
            state: ramp.state(),
            prefix: ramp.spec.prefix.clone(),
            clusters: ramp.clusters(),
            elapsed_seconds: ramp.pace.elapsed(now.instant).as_secs_f64(),
            due: ramp.pace.due(now.instant),
            started: ramp.pace.taken(),
            created: tally.times(Milestone::Created).count(),
            active: tally.active,
            active_now: tally.active_now,
            failed: tally.failed,
            under_way: tally.under_way,
            already: ramp.already.into(),
            in_flight: ramp.in_flight,
            behind: ramp.behind,
            behind_max: ramp.behind_max,
            disconnects: tally.disconnects,
            starts_per_second: ramp.timeline.start_rate(RATE_WINDOW_S),
            disconnects_per_second: ramp.timeline.disconnect_rate(RATE_WINDOW_S),
            rss_bytes: self.host.rss_bytes(),
            milestones: MilestoneView::all(&tally),
            failures,
            thresholds: ramp.verdicts.clone(),
            spec: ramp.own_spec(),
            started_at: ramp.began.wall,
            finished_at: ramp.finished(),
        }
    }

    /// Everything that reports are made from.
    pub(in crate::manager::fleet) fn ramp_results(&self, number: u64, ramp: &Ramp, now: Now) -> Results {
        let end = ramp.finished.unwrap_or(now);
        Results {
            spec: ramp.own_spec(),
            end: ramp.end,
            started: ramp.began.wall,
            finished: end.wall,
            elapsed_seconds: ramp.pace.elapsed(end.instant).as_secs_f64(),
            already: ramp.already.into(),
            behind: ramp.behind.into(),
            behind_max: ramp.behind_max.into(),
            timeline: ramp.timeline.clone(),
            calls: ramp.calls.iter().map(|(endpoint, calls)| ((*endpoint).to_owned(), calls.clone())).collect(),
            requests: ramp.asked.as_ref().map(|asked| asked.rows(|| self.all_requests())).unwrap_or_default(),
            agent: self.config.about.clone(),
            clusters: self.rows(number, ramp),
        }
    }

    fn rows(&self, number: u64, ramp: &Ramp) -> Vec<Row> {
        let row = |(position, member): (usize, &Member)| {
            let sample = self.sample(number, position, member)?;
            let journey = self.journey(number, position, member);
            let lists = journey.map(|journey| journey.lists_since(member.intended)).into_iter().flatten();
            Some(Row {
                name: member.name.to_string(),
                intended: member.intended.saturating_duration_since(ramp.began.instant).as_secs_f64(),
                fate: sample.fate,
                is_active: sample.is_active,
                cause: member.cause.clone(),
                seconds: sample.seconds,
                disconnects: sample.disconnects,
                lists: lists.map(|(resource, seconds)| (resource.to_string(), seconds)).collect(),
            })
        };
        ramp.members.iter().enumerate().filter_map(row).collect()
    }

    pub(super) fn tally(&self, number: u64, ramp: &Ramp, now: Now) -> Tally {
        let mut tally = Tally {
            behind: ramp.behind.into(),
            behind_max: ramp.behind_max.into(),
            elapsed_seconds: ramp.pace.elapsed(now.instant).as_secs_f64(),
            ..Tally::default()
        };
        for calls in ramp.calls.values() {
            tally.calls.add(&calls.times);
            tally.call_errors += calls.failed;
        }
        for (position, member) in ramp.members.iter().enumerate() {
            self.sample(number, position, member).into_iter().for_each(|sample| tally.add(&sample));
        }
        tally
    }

    /// A member in figures; none for one that was there before.
    fn sample(&self, number: u64, position: usize, member: &Member) -> Option<Sample> {
        let fate = member.fate?;
        let record = self.record_of(number, position, member);
        let journey = self.journey(number, position, member);
        Some(Sample {
            fate,
            is_active: record.is_some_and(|record| record.state == State::Active),
            seconds: journey.map(|journey| journey.seconds_since(member.intended)).unwrap_or_default(),
            disconnects: journey.map_or(0, Journey::disconnects),
        })
    }

    fn journey<'a>(&'a self, number: u64, position: usize, member: &'a Member) -> Option<&'a Journey> {
        let living = || self.record_of(number, position, member)?.journey.as_deref();
        member.journey.as_deref().or_else(living)
    }

    fn record_of(&self, number: u64, position: usize, member: &Member) -> Option<&Record> {
        self.records.get(&member.name).filter(|record| record.ramp == Some((number, position as u32)))
    }

    /// One walk over all records rather than a search for each member: it is made several times a second.
    pub(super) fn census(&self, number: u64, ramp: &Ramp) -> Census {
        let mut census = Census::default();
        let mut count = |journey: &Journey| {
            census.created += u64::from(journey.has_reached(Milestone::Created));
            census.disconnects += u64::from(journey.disconnects());
        };
        ramp.members.iter().filter_map(|member| member.journey.as_deref()).for_each(&mut count);
        let of_it = self.records.values().filter(|record| record.ramp.is_some_and(|(ramp, _)| ramp == number));
        let mut active = 0;
        for record in of_it {
            record.journey.as_deref().into_iter().for_each(&mut count);
            active += u64::from(record.state == State::Active);
        }
        census.active = active;
        census
    }
}

impl Ramp {
    fn state(&self) -> RampState {
        match self.end {
            End::Done => RampState::Done,
            End::Stopped => RampState::Stopped,
            End::Aborted => RampState::Aborted,
            End::Running if self.pace.is_paused() => RampState::Paused,
            End::Running if self.holding.is_some() => RampState::Holding,
            End::Running if self.pace.is_through() => RampState::Settling,
            End::Running => RampState::Starting,
        }
    }

    /// The plan as far as it is this agent's.
    fn own_spec(&self) -> Value {
        let mut spec = self.spec.to_json();
        if !self.shard.is_whole() {
            spec["clusters"] = self.clusters().into();
            spec["shard"] = self.shard.to_string().into();
        }
        spec
    }
}

/// Causes that a view shows; results have all.
const FAILURES_SHOWN: usize = 20;
/// What "now" means for a rate.
const RATE_WINDOW_S: f64 = 10.0;
