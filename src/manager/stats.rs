//! What the manager and its registrars count.

use super::State;
use super::job::{JobError, JobErrorKind};
use crate::telemetry::{Counter, Exposition, Gauge, Histogram, Source};
use std::time::Duration;

/// What is counted of the fleet.
#[derive(Debug)]
pub struct Stats {
    /// Clusters that Rancher accepted.
    pub(super) created: Counter,
    /// Clusters that are gone.
    pub(super) deleted: Counter,
    /// Calls to Rancher that no registrar is free for.
    pub(super) jobs_waiting: Gauge,
    /// Time from the wish for a cluster until it got to each of [`STAGES`].
    stages: [Histogram; STAGES.len()],
    /// Calls to Rancher that were answered, by [`CALLS`].
    calls: [Histogram; CALLS.len()],
    /// Calls that failed, by [`CALLS`] and [`FAILURES`].
    failures: [[Counter; FAILURES.len()]; CALLS.len()],
}

/// A kind of call to the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Create,
    Token,
    Delete,
    Find,
    LookUp,
    List,
    Probe,
    Resolve,
}

impl Call {
    /// The endpoint of Rancher's that it goes to.
    pub(super) fn endpoint(self) -> Option<&'static str> {
        Some(match self {
            Call::Create => "POST /v3/clusters",
            Call::Token => "GET /v3/clusterregistrationtokens",
            Call::Delete => "DELETE /v3/clusters/ID",
            Call::Find => "GET /v3/clusters?name=NAME",
            Call::LookUp => "GET /v3/clusters/ID",
            Call::List => "GET /v3/clusters",
            Call::Probe => "GET /v3/clusters?limit=1",
            Call::Resolve => return None,
        })
    }
}

impl Default for Stats {
    fn default() -> Stats {
        Stats {
            created: Counter::default(),
            deleted: Counter::default(),
            jobs_waiting: Gauge::default(),
            stages: [const { STAGE_BOUNDS_SECONDS }; STAGES.len()].map(Histogram::new),
            calls: [const { CALL_BOUNDS_SECONDS }; CALLS.len()].map(Histogram::new),
            failures: Default::default(),
        }
    }
}

impl Stats {
    /// A cluster got to a state for the first time, so long after it was wished for.
    pub(super) fn reached(&self, state: State, took: Duration) {
        if let Some(stage) = STAGES.iter().position(|stage| *stage == state) {
            self.stages[stage].observe(took);
        }
    }

    /// A call ended.
    pub(super) fn called(&self, call: Call, took: Duration, error: Option<&JobError>) {
        self.calls[call as usize].observe(took);
        if let Some(error) = error {
            let failure = match error.kind {
                JobErrorKind::NameTaken => 0,
                JobErrorKind::TokenRefused => 1,
                JobErrorKind::Permanent => 2,
                JobErrorKind::Misconfigured => 3,
                JobErrorKind::Transient(_) if error.reached => 4,
                JobErrorKind::Transient(_) => 5,
            };
            self.failures[call as usize][failure].increment();
        }
    }
}

impl Source for Stats {
    fn expose(&self, out: &mut Exposition) {
        let help = "Clusters that Rancher accepted.";
        out.counter("scale_agent_clusters_created_total", help, &[(&[], self.created.get())]);
        let help = "Clusters that are gone, here and from Rancher.";
        out.counter("scale_agent_clusters_deleted_total", help, &[(&[], self.deleted.get())]);
        let help = "Calls to Rancher that no registrar is free for.";
        out.gauge("scale_agent_jobs_waiting", help, &[(&[], self.jobs_waiting.get() as f64)]);
        let labels = STAGES.map(|state| [("stage", state.as_str())]);
        let samples: Vec<_> = labels.iter().zip(&self.stages).map(|(labels, stage)| (&labels[..], [stage])).collect();
        let samples: Vec<_> = samples.iter().map(|(labels, stage)| (*labels, &stage[..])).collect();
        let help = "Time from the wish for a cluster until it got to a stage for the first time.";
        out.histogram("scale_agent_cluster_stage_seconds", help, &samples);

        let labels = CALLS.map(|(_, name)| [("call", name)]);
        let samples: Vec<_> = labels.iter().zip(&self.calls).map(|(labels, call)| (&labels[..], [call])).collect();
        let samples: Vec<_> = samples.iter().map(|(labels, call)| (*labels, &call[..])).collect();
        let help = "Time that calls to Rancher took.";
        out.histogram("scale_agent_rancher_call_seconds", help, &samples);
        let labels = CALLS.iter().zip(&self.failures).flat_map(|((_, call), failures)| {
            FAILURES.iter().zip(failures).map(|(cause, count)| ([("call", *call), ("cause", *cause)], count.get()))
        });
        let labels: Vec<_> = labels.collect();
        let samples: Vec<_> = labels.iter().map(|(labels, count)| (&labels[..], *count)).collect();
        out.counter("scale_agent_rancher_call_failures_total", "Calls to Rancher that failed, by cause.", &samples);
    }
}

/// The states whose first moment is measured.
const STAGES: [State; 3] = [State::Registered, State::Connected, State::Active];
/// Kinds of calls, by position, with their labels.
const CALLS: [(Call, &str); 8] = [
    (Call::Create, "create"),
    (Call::Token, "token"),
    (Call::Delete, "delete"),
    (Call::Find, "find"),
    (Call::LookUp, "look_up"),
    (Call::List, "list"),
    (Call::Probe, "probe"),
    (Call::Resolve, "resolve"),
];
/// Why calls fail.
const FAILURES: [&str; 6] = ["name_taken", "token_refused", "refused", "misconfigured", "overloaded", "unreachable"];
/// From a stand-in's milliseconds to the hour after which a tester gives up.
const STAGE_BOUNDS_SECONDS: &[f64] =
    &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];
/// From a round trip to RequestTimeout.
const CALL_BOUNDS_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_stand_where_their_number_says() {
        for (position, (call, _)) in CALLS.into_iter().enumerate() {
            assert_eq!(call as usize, position);
        }
    }
}
