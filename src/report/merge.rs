//! Several runs as one: the shards of a fleet that more than one agent drives.

use super::Run;
use crate::ramp::{End, Results};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Why runs cannot be one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is none.
    #[error("there is no run to merge")]
    Nothing,
    /// Two of them hold the same cluster: the shards overlap, or a run was given twice.
    #[error("two of the runs hold the cluster {0}")]
    Overlap(String),
}

/// Adds up the clusters, calls and requests of runs, with their times on one clock; thresholds are judged over all clusters.
pub fn merge(runs: Vec<Run>) -> Result<Run, MergeError> {
    let mut names = BTreeSet::new();
    for row in runs.iter().flat_map(|run| &run.results.clusters) {
        if !names.insert(row.name.clone()) {
            return Err(MergeError::Overlap(row.name.clone()));
        }
    }
    let mut runs = runs;
    runs.sort_by_key(|run| run.results.started);
    let mut rest = runs.into_iter();
    let mut merged = rest.next().ok_or(MergeError::Nothing)?;
    merged.results.agent = json!([merged.results.agent]);
    if let Value::Object(spec) = &mut merged.results.spec {
        spec.remove("shard");
    }
    for run in rest {
        merged.interrupted |= run.interrupted;
        merged.agents.extend(run.agents);
        // One command lets all of them suffer the same.
        let faults: Vec<_> = run.faults.into_iter().filter(|fault| !merged.faults.contains(fault)).collect();
        merged.faults.extend(faults);
        merged.complaints.extend(run.complaints);
        merged.requests = add_requests(merged.requests, run.requests);
        add(&mut merged.results, run.results);
        // What a process took is no sum of anything once there are several.
        (merged.memory, merged.cpu, merged.hold) = (None, None, None);
    }
    merged.refresh();
    Ok(merged)
}

fn add(sum: &mut Results, other: Results) {
    let offset = other.started.duration_since(sum.started).as_secs_f64();
    let end = |results: &Results| results.finished;
    sum.finished = end(sum).max(end(&other));
    sum.elapsed_seconds = sum.elapsed_seconds.max(other.elapsed_seconds + offset);
    sum.end = match (sum.end, other.end) {
        (End::Done, End::Done) => End::Done,
        (End::Aborted, _) | (_, End::Aborted) => End::Aborted,
        (End::Running, _) | (_, End::Running) => End::Running,
        _ => End::Stopped,
    };
    // Strangers may have written them.
    sum.already = sum.already.saturating_add(other.already);
    sum.behind = sum.behind.saturating_add(other.behind);
    sum.behind_max = sum.behind_max.saturating_add(other.behind_max);
    sum.timeline = sum.timeline.merged(&other.timeline, offset);
    for (endpoint, calls) in other.calls {
        let known = sum.calls.entry(endpoint).or_default();
        known.failed = known.failed.saturating_add(calls.failed);
        known.times.add(&calls.times);
    }
    let clusters = |spec: &Value| spec["clusters"].as_u64().unwrap_or_default();
    let all = clusters(&sum.spec).saturating_add(clusters(&other.spec));
    if let Value::Object(spec) = &mut sum.spec {
        spec.insert("clusters".into(), all.into());
    }
    if let Value::Array(agents) = &mut sum.agent {
        agents.push(other.agent);
    }
    let shifted = other.clusters.into_iter().map(|mut row| {
        row.intended += offset;
        row
    });
    sum.clusters.extend(shifted);
}

fn add_requests(one: Vec<Value>, other: Vec<Value>) -> Vec<Value> {
    let mut rows: BTreeMap<(String, String, u64), Value> = BTreeMap::new();
    for row in one.into_iter().chain(other) {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let key = (text("resource"), text("verb"), row["code"].as_u64().unwrap_or_default());
        match rows.get_mut(&key) {
            Some(known) => {
                for field in ["count", "receivedBytes", "sentBytes"] {
                    let [one, other] = [&*known, &row].map(|row| row[field].as_u64().unwrap_or_default());
                    known[field] = one.saturating_add(other).into();
                }
            }
            None if row.is_object() => _ = rows.insert(key, row),
            None => {}
        }
    }
    rows.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::passed;
    use super::*;
    use crate::report::Outcome;

    fn shard(prefix: &str, offset_seconds: i64) -> Run {
        let mut run = passed();
        run.results.started += jiff::SignedDuration::from_secs(offset_seconds);
        run.results.finished += jiff::SignedDuration::from_secs(offset_seconds);
        for row in &mut run.results.clusters {
            row.name = row.name.replace("edge-", prefix);
        }
        run.requests = vec![json!({"verb": "list", "resource": "v1/nodes", "code": 200, "count": 4})];
        run
    }

    #[test]
    fn shards_add_up_on_one_clock() {
        let merged = merge(vec![shard("b-", 2), shard("a-", 0)]).unwrap();
        let figures = &merged.figures;
        assert_eq!((figures.requested, figures.active, figures.started), (8, 8, 8));
        assert_eq!(figures.elapsed_seconds, 6.0, "the last of b starts 5 s after a's begin and takes 1 s");
        assert_eq!((merged.results.elapsed_seconds, merged.outcome), (11.0, Outcome::Passed));
        assert_eq!(merged.requests[0]["count"], 8);
        assert_eq!(figures.calls[0].times.unwrap().count, 8);
        let most_active = merged.results.timeline.points.iter().map(|point| point.active).max();
        assert_eq!(most_active, Some(8));
    }

    #[test]
    fn overlapping_shards_are_refused() {
        let error = merge(vec![shard("a-", 0), shard("a-", 1)]).unwrap_err();
        assert_eq!(error, MergeError::Overlap("a-0001".into()));
        assert_eq!(merge(Vec::new()), Err(MergeError::Nothing));
    }
}
