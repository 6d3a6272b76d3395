//! How many clusters this host can drive: the fleet grows until something gives out.

use super::{Options, Rehearsal, RehearsalError};
use crate::manager::RampView;
use crate::ramp::{InFlightUntil, Milestone, Spec};
use crate::remote::Plan;
use crate::report::{Column, Outcome, Run, Table, bytes, count, duration};
use serde::Serialize;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Maximum {
    /// The largest fleet that was held.
    pub clusters: u32,
    /// Whether it may hold more: nothing gave out before the search ended.
    pub at_least: bool,
    /// What gave out first when there were to be more.
    pub limit: Limit,
    /// The steps to it, those that failed included.
    pub steps: Vec<Growth>,
}

/// What a host is too small in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Limit {
    pub what: String,
    /// What moves it.
    pub remedy: String,
}

/// A step of growth.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Growth {
    /// The fleet with it.
    pub clusters: u32,
    pub held: bool,
    pub p95_seconds_to_active: Option<f64>,
    pub rss_bytes: Option<u64>,
    /// Of the agent while the fleet was held.
    pub percent_of_core: Option<f64>,
    pub worker_lag_ms: u64,
}

/// Grows the fleet of a rehearsal, at most to so many clusters. The thresholds of the plan say what is good enough.
pub fn find_max(
    options: &Options,
    at_most: u32,
    stop: &AtomicBool,
    mut watch: impl FnMut(&RampView),
) -> Result<Maximum, RehearsalError> {
    let mut rehearsal = Rehearsal::set(options)?;
    let mut maximum = Maximum { clusters: 0, at_least: false, limit: limit("nothing", ""), steps: Vec::new() };
    let mut step = FIRST_STEP;
    for number in 1.. {
        let room = room(maximum.clusters, &rehearsal);
        let possible = room.0.min(at_most - maximum.clusters);
        if possible == 0 {
            let asked = limit(
                format!("the {} clusters that were asked for", count(at_most.into())),
                "ask for more: --clusters",
            );
            maximum.at_least = maximum.clusters >= at_most;
            maximum.limit = if maximum.at_least { asked } else { room.1 };
            return Ok(maximum);
        }
        step = step.min(possible);
        let prefix = format!("max-{number}-");
        let plan = Plan { name: "find-max".into(), spec: grow(&options.plan.spec, &prefix, step), faults: Vec::new() };
        let run = rehearsal.play(&plan, stop, &mut watch)?;
        if stop.load(Ordering::Relaxed) {
            maximum.at_least = true;
            maximum.limit = limit("a signal ended the search", "let it run");
            return Ok(maximum);
        }
        let lag_ms = worker_lag_ms(&rehearsal);
        let failed = gave_out(&run, lag_ms);
        maximum.steps.push(Growth {
            clusters: maximum.clusters + step,
            held: failed.is_none(),
            p95_seconds_to_active: run.figures.times_to(Milestone::Active).map(|times| times.p95_seconds),
            rss_bytes: run.memory.map(|memory| memory.rss_after),
            percent_of_core: run.hold.and_then(|hold| hold.cpu).map(|cpu| cpu.percent_of_core),
            worker_lag_ms: lag_ms,
        });
        match failed {
            None => {
                maximum.clusters += step;
                step = (maximum.clusters / 2).max(FIRST_STEP);
            }
            Some(limit) => {
                maximum.limit = limit;
                step /= 2;
                // Closer than this two searches differ anyway.
                if step < (maximum.clusters / 10).max(SMALLEST_STEP) {
                    return Ok(maximum);
                }
                take_back(&rehearsal, &prefix)?;
            }
        }
    }
    Ok(maximum)
}

impl fmt::Display for Maximum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "this host can drive {}{} clusters, with the stand-in for Rancher beside the agent",
            if self.at_least { "at least " } else { "" },
            count(self.clusters.into())
        )?;
        writeln!(f, "what came first: {}", self.limit.what)?;
        writeln!(f, "what moves it: {}\n", self.limit.remedy)?;
        let figure = |title| (title, Column::Right);
        let mut table = Table::new([
            figure("clusters"),
            ("held", Column::Left),
            figure("p95 to Active"),
            figure("memory of the agent"),
            figure("share of one core"),
            figure("lag"),
        ]);
        for step in &self.steps {
            let time = |seconds: f64| duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
            table.row([
                count(step.clusters.into()),
                if step.held { "yes" } else { "no" }.to_owned(),
                step.p95_seconds_to_active.map(time).unwrap_or_default(),
                step.rss_bytes.map(|rss| bytes(rss as i64)).unwrap_or_default(),
                step.percent_of_core.map(|percent| format!("{percent:.1} %")).unwrap_or_default(),
                format!("{} ms", step.worker_lag_ms),
            ]);
        }
        write!(f, "{table}")
    }
}

/// The step of that size.
fn grow(wanted: &Spec, prefix: &str, clusters: u32) -> Spec {
    Spec {
        prefix: prefix.to_owned(),
        clusters,
        stages: None,
        max_in_flight: Some(IN_FLIGHT),
        in_flight_until: InFlightUntil::Created,
        timeout: wanted.timeout.min(STEP_TIMEOUT),
        hold: wanted.hold.max(STEP_HOLD),
        abort_on_fail: false,
        ..wanted.clone()
    }
}

/// What gave out in a step, if anything did.
fn gave_out(run: &Run, lag_ms: u64) -> Option<Limit> {
    let figures = &run.figures;
    if let Some(verdict) = figures.thresholds.iter().find(|verdict| verdict.ok != Some(true)) {
        let what = format!("the threshold {}:{}", verdict.metric, verdict.condition);
        return Some(limit(what, "a faster host, or a looser threshold"));
    }
    if run.outcome == Outcome::Failed {
        let cause = figures.failures.iter().chain(&run.complaints).next().map(|failure| failure.cause.as_str());
        let lost = format!("{} of {} stayed Active", figures.active_at_end, figures.active);
        return Some(limit(cause.map_or(lost, str::to_owned), "see what the agent logs: --set LogLevel=debug"));
    }
    if figures.disconnects > 0 {
        return Some(limit(
            format!("{} tunnels were lost", figures.disconnects),
            "a faster host, or a longer PingInterval",
        ));
    }
    if lag_ms > LAG_LIMIT_MS {
        return Some(limit(
            format!("the agent's workers run {lag_ms} ms late"),
            "more cores, or a longer ReportInterval",
        ));
    }
    None
}

/// How many more clusters fit by what is known beforehand, and what keeps further ones out.
fn room(held: u32, rehearsal: &Rehearsal) -> (u32, Limit) {
    let descriptors = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(u64::MAX, |(_, hard)| hard);
    let descriptors = (descriptors.saturating_sub(DESCRIPTORS_FOR_THE_REST) / SOCKETS_PER_CLUSTER) as u32;
    let by_descriptors = (
        descriptors.saturating_sub(held),
        limit(format!("file descriptors: {} clusters", count(descriptors.into())), "raise the hard limit: ulimit -Hn"),
    );
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = range.split_whitespace().filter_map(|end| end.parse::<u64>().ok());
    let ports = ends.next().zip(ends.next()).map_or(u64::MAX, |(low, high)| high.saturating_sub(low));
    let ports = u32::try_from(ports.saturating_sub(PORTS_FOR_THE_REST) / SOCKETS_PER_CLUSTER).unwrap_or(u32::MAX);
    let by_ports = (
        ports.saturating_sub(held),
        limit(
            format!("ports towards one server address: {} clusters", count(ports.into())),
            "widen net.ipv4.ip_local_port_range, or give Rancher a second address",
        ),
    );
    let available = crate::telemetry::available_memory_bytes().unwrap_or(u64::MAX);
    let used = rehearsal.agent.usage().map_or(0, |usage| usage.rss_bytes);
    // The stand-in takes about as much for each cluster as the agent does.
    let each = (2 * used / u64::from(held.max(1))).max(SMALLEST_CLUSTER_BYTES);
    let by_memory = (
        u32::try_from(available.saturating_sub(RESERVE_BYTES) / each).unwrap_or(u32::MAX),
        limit(format!("memory: {} are left", bytes(available as i64)), "more memory, or a smaller template"),
    );
    [by_descriptors, by_ports, by_memory].into_iter().min_by_key(|(room, _)| *room).unwrap_or((0, limit("", "")))
}

fn worker_lag_ms(rehearsal: &Rehearsal) -> u64 {
    let health = rehearsal.client.health().unwrap_or_default();
    health["workerLagMs"].as_array().into_iter().flatten().filter_map(|lag| lag.as_u64()).max().unwrap_or_default()
}

/// Deletes the clusters of a step that failed, and waits until they are gone.
fn take_back(rehearsal: &Rehearsal, prefix: &str) -> Result<(), RehearsalError> {
    let operation = rehearsal.client.delete_prefix(prefix)?;
    let id = operation["id"].as_u64().unwrap_or_default();
    let deadline = Instant::now() + STEP_TIMEOUT;
    while rehearsal.client.operation(id)?["state"] == "running" && Instant::now() < deadline {
        thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}

fn limit(what: impl Into<String>, remedy: impl Into<String>) -> Limit {
    Limit { what: what.into(), remedy: remedy.into() }
}

const FIRST_STEP: u32 = 50;
const SMALLEST_STEP: u32 = 10;
/// As a rehearsal has it.
const IN_FLIGHT: u32 = 16;
/// A step that takes longer than this has found the limit.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);
/// Long enough for each tunnel's ping.
const STEP_HOLD: Duration = Duration::from_secs(6);
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Timers that are a second late will be later yet with the next clusters.
const LAG_LIMIT_MS: u64 = 1_000;
const SOCKETS_PER_CLUSTER: u64 = 2;
const DESCRIPTORS_FOR_THE_REST: u64 = 100;
/// Calls to the REST APIs, and what else runs on the host.
const PORTS_FOR_THE_REST: u64 = 1_000;
/// What a cluster takes at least, however few are there to measure.
const SMALLEST_CLUSTER_BYTES: u64 = 40 * 1024;
/// Memory that is left to the host.
const RESERVE_BYTES: u64 = 512 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ramp::Threshold;

    #[test]
    fn a_fleet_that_nothing_kept_from_growing_is_no_maximum() {
        let held =
            |at_least| Maximum { clusters: 1_200, at_least, limit: limit("", ""), steps: Vec::new() }.to_string();
        assert!(held(true).starts_with("this host can drive at least 1,200 clusters, "));
        assert!(held(false).starts_with("this host can drive 1,200 clusters, "));
    }

    #[test]
    fn a_step_keeps_what_was_wanted_and_is_bounded() {
        let threshold = Threshold::parse("time_to_active:p(95)<10s").unwrap();
        let wanted = Spec { seed: 7, thresholds: vec![threshold.clone()], ..Spec::default() };
        let step = grow(&wanted, "max-3-", 75);
        assert_eq!((step.prefix.as_str(), step.clusters, step.seed), ("max-3-", 75, 7));
        assert_eq!((step.thresholds, step.hold, step.timeout), (vec![threshold], STEP_HOLD, STEP_TIMEOUT));
    }
}
