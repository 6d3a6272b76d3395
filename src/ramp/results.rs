//! What a ramp leaves behind: everything that reports are made from.

use super::{Distribution, Fate, Milestone, Sample, Tally, Timeline};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The raw results of a ramp. Whatever a report shows follows from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// The plan, as [`super::Spec::to_json`] writes it.
    pub spec: Value,
    /// How it ended.
    pub end: End,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Since the begin, without pauses.
    pub elapsed_seconds: f64,
    /// How many clusters were there before; nothing is measured of them.
    pub already: u64,
    /// How many starts were overdue at the end.
    pub behind: u64,
    /// And at most.
    pub behind_max: u64,
    /// The course of it.
    pub timeline: Timeline,
    /// Calls to Rancher's REST API, by endpoint.
    pub calls: BTreeMap<String, Calls>,
    /// What was asked of all clusters of the agent from its begin to its end, to a second: rows of verb, resource, code and count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Value>,
    /// What the agent says of itself: version, host, settings without secrets.
    pub agent: Value,
    /// The clusters. They have a file of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<Row>,
}

/// How a ramp ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It has not.
    Running,
    /// Every cluster had its end and was held as long as planned.
    Done,
    /// Somebody stopped it.
    Stopped,
    /// A threshold could not be met any more.
    Aborted,
}

/// Calls to one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// How many failed.
    pub failed: u64,
    /// How long they took, failed or not.
    pub times: Distribution,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its name.
    pub name: String,
    /// When it was to start, in seconds since the ramp's begin.
    pub intended: f64,
    /// What became of it.
    pub fate: Fate,
    /// Whether Rancher called it Active at the end.
    pub is_active: bool,
    /// Why it failed, in the words that equal causes share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Seconds from its intended start to each milestone, in the order of [`Milestone::ALL`].
    pub seconds: [Option<f64>; Milestone::ALL.len()],
    /// How often it lost a tunnel.
    pub disconnects: u32,
    /// Seconds from its intended start to the first list of each resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, f64>,
}

impl Results {
    /// Everything in figures.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally {
            behind: self.behind,
            behind_max: self.behind_max,
            elapsed_seconds: self.elapsed_seconds,
            ..Tally::default()
        };
        for calls in self.calls.values() {
            tally.calls.add(&calls.times);
            tally.call_errors = tally.call_errors.saturating_add(calls.failed);
        }
        self.clusters.iter().for_each(|row| tally.add(&row.sample()));
        tally
    }
}

impl Row {
    /// The row as far as figures go.
    pub fn sample(&self) -> Sample {
        let Row { fate, is_active, seconds, disconnects, .. } = *self;
        Sample { fate, is_active, seconds, disconnects }
    }
}
