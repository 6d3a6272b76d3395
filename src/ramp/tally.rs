//! A ramp in figures, at one moment.

use super::metric::Source;
use super::{Distribution, Milestone};
use serde::{Deserialize, Serialize};

/// What became of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Rancher called it Active in time.
    Active,
    /// Rancher refused it, or it was not Active in time.
    Failed,
    /// Neither yet.
    UnderWay,
}

/// One cluster, as far as figures go.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// What became of it.
    pub fate: Fate,
    /// Whether Rancher calls it Active now.
    pub is_active: bool,
    /// Seconds from its intended start to each milestone.
    pub seconds: [Option<f64>; Milestone::ALL.len()],
    /// How often it lost a tunnel.
    pub disconnects: u32,
}

/// The figures of all clusters together.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many clusters were started.
    pub started: u64,
    /// How many became Active in time.
    pub active: u64,
    /// How many failed.
    pub failed: u64,
    /// How many are on their way.
    pub under_way: u64,
    /// How many are Active now.
    pub active_now: u64,
    /// How many tunnels were lost.
    pub disconnects: u64,
    /// How many starts are overdue.
    pub behind: u64,
    /// How many were at most.
    pub behind_max: u64,
    /// Since the begin, without pauses.
    pub elapsed_seconds: f64,
    /// How long calls to Rancher took.
    pub calls: Distribution,
    /// How many of them failed.
    pub call_errors: u64,
    /// How long it took to get to each milestone, for those that did.
    pub times: [Distribution; Milestone::ALL.len()],
}

impl Tally {
    /// Counts a cluster.
    pub fn add(&mut self, sample: &Sample) {
        self.started += 1;
        match sample.fate {
            Fate::Active => self.active += 1,
            Fate::Failed => self.failed += 1,
            Fate::UnderWay => self.under_way += 1,
        }
        self.active_now += u64::from(sample.is_active);
        self.disconnects += u64::from(sample.disconnects);
        for (times, seconds) in self.times.iter_mut().zip(sample.seconds) {
            seconds.into_iter().for_each(|seconds| times.record(seconds));
        }
    }

    /// How long it took to get to a milestone, for those that did.
    pub fn times(&self, milestone: Milestone) -> &Distribution {
        &self.times[milestone as usize]
    }

    /// How many clusters have an end.
    pub fn settled(&self) -> u64 {
        self.active + self.failed
    }

    pub(super) fn trend(&self, source: Source) -> Option<&Distribution> {
        match source {
            Source::Time(milestone) => Some(self.times(milestone)),
            Source::Calls => Some(&self.calls),
            _ => None,
        }
    }

    /// Part and whole.
    pub(super) fn share(&self, source: Source) -> Option<(u64, u64)> {
        match source {
            Source::Failed => Some((self.failed, self.started)),
            Source::Active => Some((self.active_now, self.started)),
            Source::CallErrors => Some((self.call_errors, self.calls.count())),
            _ => None,
        }
    }

    /// A number now, and at most.
    pub(super) fn number(&self, source: Source) -> Option<(u64, u64)> {
        match source {
            Source::Disconnects => Some((self.disconnects, self.disconnects)),
            Source::Behind => Some((self.behind, self.behind_max)),
            _ => None,
        }
    }
}
