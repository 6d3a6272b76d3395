//! A run: what was measured, and what it comes to.

use super::{Cpu, Failure, Figures, Hold, Memory};
use crate::ramp::Results;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A run with everything that reports show; `run.json`, and with its clusters in a file of their own. The raw results come first;
/// [`Run::figures`] follows from them and is made anew by [`Run::refresh`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// [`Run::SCHEMA`]: raised whenever a field changes its meaning or goes away.
    pub schema: u32,
    /// What it is called: the scenario, or the prefix of its clusters.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether a signal ended it early.
    pub interrupted: bool,
    /// The figures that reports show.
    pub figures: Figures,
    /// What the ramp left behind; its clusters are in `clusters.csv`.
    pub results: Results,
    /// The URLs of the running agents that did it; empty where an agent ran for as long as it took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// What was asked of the clusters' APIs meanwhile: rows of verb, resource, code and count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Value>,
    /// What was made to go wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Injected>,
    /// The load profile, where a stand-in played Rancher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What the stand-in complained about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub complaints: Vec<Failure>,
    /// The agent's memory before and after, where it could be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The agent's processor time until the last cluster had its end, where it could be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// What the stand-in saw while the clusters were held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every threshold holds; without thresholds, every cluster became Active and stayed so.
    Passed,
    /// There are no thresholds, and some cluster did not become Active or did not stay so; or a fault could not be injected; or every
    /// cluster was there before, so that nothing was measured.
    Failed,
    /// A threshold does not hold.
    ThresholdsFailed,
    /// It was stopped before its end.
    Interrupted,
}

/// Something that was made to go wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Injected {
    /// Seconds since the begin.
    pub at_seconds: f64,
    /// What, with which clusters, for how long.
    pub fault: String,
    /// Why it could not be, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Run {
    /// The schema this code writes.
    pub const SCHEMA: u32 = 2;

    /// A run of these results.
    pub fn new(name: impl Into<String>, mut results: Results, interrupted: bool) -> Run {
        let requests = std::mem::take(&mut results.requests);
        let mut run = Run {
            schema: Run::SCHEMA,
            name: name.into(),
            outcome: Outcome::Passed,
            interrupted,
            figures: Figures::default(),
            results,
            agents: Vec::new(),
            requests,
            faults: Vec::new(),
            profile: None,
            complaints: Vec::new(),
            memory: None,
            cpu: None,
            hold: None,
        };
        run.refresh();
        run
    }

    /// Makes figures and outcome anew from the raw results.
    pub fn refresh(&mut self) {
        self.figures = Figures::of(&self.results);
        let figures = &self.figures;
        self.outcome = if self.interrupted || self.results.end == crate::ramp::End::Stopped {
            Outcome::Interrupted
        } else if self.results.end == crate::ramp::End::Running
            || self.faults.iter().any(|fault| fault.problem.is_some())
        {
            // What was not brought to its end, or not tried, did not pass.
            Outcome::Failed
        } else if figures.nothing_new() {
            // Whatever a threshold makes of no cluster at all.
            Outcome::Failed
        } else if figures.thresholds.iter().any(|verdict| verdict.ok != Some(true)) {
            Outcome::ThresholdsFailed
        } else if !figures.thresholds.is_empty() || figures.is_complete() {
            Outcome::Passed
        } else {
            Outcome::Failed
        };
    }
}

impl Outcome {
    /// As a report's headline begins.
    pub fn title(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::ThresholdsFailed => "THRESHOLDS FAILED",
            Outcome::Interrupted => "interrupted",
        }
    }

    /// The exit code of a command that ends so.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Passed => 0,
            Outcome::Failed => 1,
            Outcome::ThresholdsFailed => 99,
            Outcome::Interrupted => 130,
        }
    }
}
