//! What is measured, by its name in thresholds and reports.

use super::Milestone;

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name, as k6 would write it.
    pub name: &'static str,
    /// What can be asked of it.
    pub kind: MetricKind,
    /// What it measures, in a few words.
    pub help: &'static str,
    pub(super) source: Source,
}

/// What can be asked of a metric; the kinds of k6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Times: `avg`, `min`, `med`, `max`, `p(N)`.
    Trend,
    /// A share: `rate`.
    Rate,
    /// A number that grows: `count`, `rate` (a second).
    Counter,
    /// A number now: `value`, and the highest so far: `max`.
    Gauge,
}

/// Where the figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Time(Milestone),
    Calls,
    CallErrors,
    Failed,
    Active,
    Disconnects,
    Behind,
}

impl Metric {
    /// The metric of this name.
    pub fn by_name(name: &str) -> Option<&'static Metric> {
        METRICS.iter().find(|metric| metric.name == name)
    }
}

impl MetricKind {
    /// As k6 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            MetricKind::Trend => "trend",
            MetricKind::Rate => "rate",
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        }
    }

    /// What can be asked of it.
    pub(super) fn aggregations(self) -> &'static str {
        match self {
            MetricKind::Trend => "avg, min, med, max or p(N)",
            MetricKind::Rate => "rate",
            MetricKind::Counter => "count or rate",
            MetricKind::Gauge => "value or max",
        }
    }
}

const fn time(milestone: Milestone, name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Trend, help, source: Source::Time(milestone) }
}

const fn other(name: &'static str, kind: MetricKind, source: Source, help: &'static str) -> Metric {
    Metric { name, kind, help, source }
}

/// All metrics. Times count from the intended start.
pub static METRICS: &[Metric] = &[
    time(Milestone::Started, "time_to_started", "until the agent took the cluster on"),
    time(Milestone::Created, "time_to_created", "until Rancher had created it"),
    time(Milestone::Token, "time_to_token", "until its registration token was read"),
    time(Milestone::ApiTunnel, "time_to_api_tunnel", "until the tunnel of its Kubernetes API was up"),
    time(Milestone::SteveTunnel, "time_to_steve_tunnel", "until the tunnel of steve was up"),
    time(Milestone::FirstRequest, "time_to_first_request", "until Rancher asked its API for something"),
    time(Milestone::FirstList, "time_to_first_list", "until Rancher asked for a list"),
    time(Milestone::Watches, "time_to_watches", "until the last of its first watches was opened"),
    time(Milestone::Connected, "time_to_connected", "until Rancher said Connected"),
    time(Milestone::Active, "time_to_active", "until Rancher said Active"),
    other("failed", MetricKind::Rate, Source::Failed, "share of the started clusters that failed"),
    other("active", MetricKind::Rate, Source::Active, "share of the started clusters that are Active now"),
    other("disconnects", MetricKind::Counter, Source::Disconnects, "tunnels lost"),
    other("behind", MetricKind::Gauge, Source::Behind, "clusters whose start is overdue"),
    other("rancher_request_duration", MetricKind::Trend, Source::Calls, "calls to Rancher's REST API"),
    other("rancher_request_failed", MetricKind::Rate, Source::CallErrors, "share of those calls that failed"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_milestone_has_its_metric() {
        for milestone in Milestone::ALL {
            let metric = Metric::by_name(milestone.metric()).unwrap();
            assert_eq!(metric.source, Source::Time(milestone));
        }
    }
}
