//! A run for this room's tests.

use super::{Cpu, Hold, Run};
use crate::ramp::{Calls, End, Fate, Milestone, Point, Results, Row, Spec, Timeline};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Four clusters, started a second apart, each Active after a second.
pub(super) fn passed() -> Run {
    let spec = json!({
        "prefix": "edge-", "stages": "4s:1/s,5s:hold", "template": "small", "thresholds": ["time_to_active:p(95)<2s"]
    });
    let spec = Spec::from_json(spec.as_object().unwrap()).unwrap();
    let row = |number: u32| {
        let mut seconds = [None; Milestone::ALL.len()];
        seconds[Milestone::Started as usize] = Some(0.01);
        seconds[Milestone::Created as usize] = Some(0.1);
        seconds[Milestone::Active as usize] = Some(1.0);
        Row {
            name: spec.name(number),
            intended: f64::from(number),
            fate: Fate::Active,
            is_active: true,
            cause: None,
            seconds,
            disconnects: 0,
            lists: BTreeMap::from([("v1/nodes".to_owned(), 0.5)]),
        }
    };
    let point = |second: u32| Point {
        seconds: second.into(),
        due: (second + 1).min(4),
        started: (second + 1).min(4),
        created: (second + 1).min(4),
        active: second.min(4),
        rss_bytes: 10 << 20,
        ..Point::default()
    };
    let results = Results {
        requests: Vec::new(),
        end: End::Done,
        started: "2026-01-01T00:00:00Z".parse().unwrap(),
        finished: "2026-01-01T00:00:09Z".parse().unwrap(),
        elapsed_seconds: 9.0,
        already: 0,
        behind: 0,
        behind_max: 0,
        timeline: Timeline { points: (0..10).map(point).collect(), ..Timeline::default() },
        calls: BTreeMap::from([(
            "POST /v3/clusters".to_owned(),
            Calls { failed: 0, times: [0.05; 4].into_iter().collect() },
        )]),
        agent: json!({"version": "0.1.0", "settings": {"BearerToken": {"value": "********", "origin": "file"}}}),
        clusters: (0..4).map(row).collect(),
        spec: spec.to_json(),
    };
    Run { profile: Some("rancher".into()), ..Run::new("edge-", results, false) }
}

pub(super) fn hold() -> Hold {
    Hold {
        seconds: 30.0,
        cpu: Some(Cpu::new(Duration::from_millis(1_500), Duration::from_secs(30))),
        rss_growth: Some(-4_096),
        watch_events: 12_345,
        heartbeats: 3_000,
        pings: 12_000,
        probes: 4_000,
        tunnels_lost: 0,
        active_at_end: 1_000,
    }
}
