//! `summary.json`: the run in the shape of k6's end-of-test summary, which other people's reporters read.
//!
//! The shape is what k6 hands to `handleSummary`: `metrics.NAME.{type,contains,values,thresholds.CONDITION.ok}`,
//! `root_group.checks[].{name,passes,fails}`, `state.testRunDurationMs`. Times are in milliseconds, as k6 has them.

use super::{Figures, Percentiles, Run};
use crate::ramp::{METRICS, MetricKind};
use serde_json::{Map, Value, json};

/// The summary.
pub(super) fn summary(run: &Run) -> Value {
    let mut metrics: Map<String, Value> = METRICS
        .iter()
        .filter_map(|metric| {
            let contains = if metric.kind == MetricKind::Trend { "time" } else { "default" };
            let values = values(run, metric.name)?;
            let mut entry = json!({ "type": metric.kind.as_str(), "contains": contains, "values": values });
            let thresholds = run.figures.thresholds.iter().filter(|verdict| verdict.metric == metric.name);
            let thresholds: Map<String, Value> = thresholds
                .map(|verdict| (verdict.condition.clone(), json!({"ok": verdict.ok == Some(true)})))
                .collect();
            if !thresholds.is_empty() {
                entry["thresholds"] = thresholds.into();
            }
            Some((metric.name.to_owned(), entry))
        })
        .collect();
    let checks = checks(run);
    let count = |field: &str| checks.iter().filter_map(|check| check[field].as_u64()).sum::<u64>();
    let (passes, fails) = (count("passes"), count("fails"));
    let rate = passes as f64 / (passes + fails).max(1) as f64;
    let values = json!({"rate": rate, "passes": passes, "fails": fails});
    metrics.insert("checks".into(), json!({"type": "rate", "contains": "default", "values": values}));
    json!({
        "root_group": {"name": "", "path": "", "id": ROOT_ID, "groups": [], "checks": checks},
        "options": {
            "summaryTrendStats": ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)", "p(99.9)"],
            "summaryTimeUnit": "",
            "noColor": true,
        },
        "state": {"isStdOutTTY": false, "isStdErrTTY": false, "testRunDurationMs": run.results.elapsed_seconds * 1e3},
        "metrics": metrics,
    })
}

/// A cluster that fails fails a check, unless a threshold says how many may.
fn checks(run: &Run) -> Vec<Value> {
    let figures = &run.figures;
    let check = |name: &str, passes: u64, fails: u64| json!({"name": name, "path": format!("::{name}"), "id": id_of(name), "passes": passes, "fails": fails});
    let mut checks = vec![check("the run came to its end", 1, 0)];
    if run.outcome == super::Outcome::Interrupted {
        checks[0] = check("the run came to its end", 0, 1);
    }
    if figures.nothing_new() {
        checks.push(check("some cluster was new", 0, 1));
    }
    if !figures.thresholds.iter().any(|verdict| matches!(verdict.metric.as_str(), "failed" | "active")) {
        let lost = figures.active.saturating_sub(figures.active_at_end);
        checks.push(check("the cluster became Active", figures.active, figures.failed + figures.under_way));
        checks.push(check("the cluster was Active at the end", figures.active - lost, lost));
    }
    checks
}

fn values(run: &Run, metric: &str) -> Option<Value> {
    let figures: &Figures = &run.figures;
    let share = |part: u64, whole: u64| json!({"rate": part as f64 / whole.max(1) as f64, "passes": part, "fails": whole.saturating_sub(part)});
    let tally = run.results.tally();
    Some(match metric {
        "failed" => share(figures.failed, figures.started),
        "active" => share(figures.active_at_end, figures.started),
        "rancher_request_failed" => share(tally.call_errors, tally.calls.count()),
        "rancher_request_duration" => trend(&Percentiles::of(&tally.calls)?),
        "disconnects" => {
            let rate = figures.disconnects as f64 / run.results.elapsed_seconds.max(f64::EPSILON);
            json!({"count": figures.disconnects, "rate": rate})
        }
        "behind" => json!({"value": run.results.behind, "min": 0, "max": figures.behind_max}),
        _ => trend(figures.stages.iter().find(|stage| stage.metric == metric)?.since_intended.as_ref()?),
    })
}

fn trend(times: &Percentiles) -> Value {
    let ms = |seconds: f64| seconds * 1e3;
    json!({
        "avg": ms(times.mean_seconds), "min": ms(times.min_seconds), "med": ms(times.p50_seconds), "max": ms(times.max_seconds),
        "p(90)": ms(times.p90_seconds), "p(95)": ms(times.p95_seconds), "p(99)": ms(times.p99_seconds),
        "p(99.9)": ms(times.p999_seconds),
    })
}

/// k6 derives ids from paths; any 32 hex digits do, as long as they stay.
fn id_of(name: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The id that k6 gives the root group: the MD5 of an empty path.
const ROOT_ID: &str = "d41d8cd98f00b204e9800998ecf8427e";
