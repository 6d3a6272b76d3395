//! The figures that follow from raw results.

use super::{Failure, Percentiles};
use crate::ramp::{Distribution, Fate, Milestone, Results, Row, Threshold, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a ramp comes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// How many clusters were planned.
    pub requested: u64,
    /// How many were there before.
    pub already: u64,
    /// How many were started.
    pub started: u64,
    /// How many became Active in time.
    pub active: u64,
    /// How many failed.
    pub failed: u64,
    /// How many had no end when it ended.
    pub under_way: u64,
    /// How many were Active at the end.
    pub active_at_end: u64,
    /// How many tunnels were lost.
    pub disconnects: u64,
    /// How many starts were overdue, at most.
    pub behind_max: u64,
    /// From the begin until the last cluster became Active; if not all did, until the end.
    pub elapsed_seconds: f64,
    /// `active` over `elapsedSeconds`.
    pub clusters_per_second: f64,
    /// How long after its intended start a cluster reached each milestone, in their order.
    pub stages: Vec<Stage>,
    /// How long until each resource was listed first, in the order of their medians.
    pub lists: Vec<Stage>,
    /// Calls to Rancher's REST API.
    pub calls: Vec<Endpoint>,
    /// Why clusters failed, the most frequent cause first.
    pub failures: Vec<Failure>,
    /// Those that took longest to become Active, the longest first.
    pub slowest: Vec<Slow>,
    /// What became of the thresholds.
    pub thresholds: Vec<Verdict>,
}

/// How long something took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// As reports name it.
    pub name: String,
    /// As thresholds name it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metric: String,
    /// The distribution over the clusters that got there; `None` when none did.
    pub since_intended: Option<Percentiles>,
}

/// Calls to one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Endpoint {
    pub name: String,
    pub failed: u64,
    pub times: Option<Percentiles>,
}

/// A cluster that took long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Slow {
    pub name: String,
    pub seconds: f64,
}

impl Figures {
    /// Those of these results.
    pub fn of(results: &Results) -> Figures {
        let tally = results.tally();
        let rows = &results.clusters;
        let requested = results.spec["clusters"].as_u64().unwrap_or(tally.started);
        let active_after = |row: &Row| Some(row.intended + row.seconds[Milestone::Active as usize]?);
        let last_active = rows.iter().filter_map(active_after).fold(0.0, f64::max);
        let is_complete = tally.active > 0 && tally.active.saturating_add(results.already) >= requested;
        let elapsed_seconds = if is_complete { last_active } else { results.elapsed_seconds };
        let stage = |milestone: Milestone| Stage {
            name: milestone.title().to_owned(),
            metric: milestone.metric().to_owned(),
            since_intended: Percentiles::of(tally.times(milestone)),
        };
        let calls = results.calls.iter().map(|(name, calls)| Endpoint {
            name: name.clone(),
            failed: calls.failed,
            times: Percentiles::of(&calls.times),
        });
        let thresholds = results.spec["thresholds"].as_array().into_iter().flatten();
        let thresholds = thresholds.filter_map(|text| Threshold::parse(text.as_str()?).ok());
        Figures {
            requested,
            already: results.already,
            started: tally.started,
            active: tally.active,
            failed: tally.failed,
            under_way: tally.under_way,
            active_at_end: tally.active_now,
            disconnects: tally.disconnects,
            behind_max: tally.behind_max,
            elapsed_seconds,
            clusters_per_second: tally.active as f64 / elapsed_seconds.max(f64::EPSILON),
            stages: Milestone::ALL.map(stage).into(),
            lists: lists(rows),
            calls: calls.collect(),
            failures: failures(rows),
            slowest: slowest(rows),
            thresholds: thresholds.map(|threshold| threshold.judge(&tally)).collect(),
        }
    }

    /// Whether every planned cluster became Active and was so at the end.
    pub fn is_complete(&self) -> bool {
        self.active.saturating_add(self.already) >= self.requested && self.active_at_end >= self.active
    }

    /// Whether every planned cluster was there before, so that nothing was measured.
    pub fn nothing_new(&self) -> bool {
        self.already > 0 && self.already >= self.requested
    }

    /// How long it took to get to a milestone.
    pub fn times_to(&self, milestone: Milestone) -> Option<&Percentiles> {
        self.stages.get(milestone as usize)?.since_intended.as_ref()
    }
}

fn lists(rows: &[Row]) -> Vec<Stage> {
    let mut times: BTreeMap<&str, Distribution> = BTreeMap::new();
    for (resource, seconds) in rows.iter().flat_map(|row| &row.lists) {
        times.entry(resource).or_default().record(*seconds);
    }
    let mut stages: Vec<Stage> = times
        .into_iter()
        .map(|(resource, times)| Stage {
            name: resource.to_owned(),
            metric: String::new(),
            since_intended: Percentiles::of(&times),
        })
        .collect();
    let median = |stage: &Stage| stage.since_intended.map_or(f64::MAX, |times| times.p50_seconds);
    stages.sort_by(|one, other| median(one).total_cmp(&median(other)));
    stages
}

fn failures(rows: &[Row]) -> Vec<Failure> {
    let mut causes: BTreeMap<&str, Failure> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.fate == Fate::Failed) {
        let cause = row.cause.as_deref().unwrap_or("for an unknown reason");
        let failure = causes.entry(cause).or_insert_with(|| Failure { cause: cause.to_owned(), ..Failure::default() });
        failure.count += 1;
        if failure.examples.len() < EXAMPLES {
            failure.examples.push(row.name.clone());
        }
    }
    let mut failures: Vec<Failure> = causes.into_values().collect();
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    failures
}

fn slowest(rows: &[Row]) -> Vec<Slow> {
    let slow = |row: &Row| Some(Slow { name: row.name.clone(), seconds: row.seconds[Milestone::Active as usize]? });
    let mut slowest: Vec<Slow> = rows.iter().filter_map(slow).collect();
    slowest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    slowest.truncate(SLOWEST);
    slowest
}

/// Clusters named beside each cause.
const EXAMPLES: usize = 3;
/// Slow clusters worth a look.
const SLOWEST: usize = 10;
