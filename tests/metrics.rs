//! `/metrics` as Prometheus reads it.

mod support;

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use support::fake_rancher::FakeRancher;
use support::{Agent, eventually, http, tools};

/// The value of every sample, by name and labels as they are written.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').expect(line))
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

fn scrape(agent: &Agent) -> String {
    let answer = http::send(&agent.url, b"GET /metrics HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    answer.body
}

fn create(agent: &Agent, name: &str) -> http::Response {
    let body = json!({ "name": name }).to_string();
    let head = format!(
        "POST /clusters HTTP/1.1\r\nHost: agent\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    http::send(&agent.url, format!("{head}{body}").as_bytes())
}

fn monitoring(file: &str) -> String {
    format!("{}/config/monitoring/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn promtool(arguments: &[&str], input: &str) {
    tools::run("promtool", arguments, ".".as_ref(), input);
}

#[test]
fn what_happens_is_counted_and_promtool_finds_no_fault() {
    let rancher = FakeRancher::start();
    rancher.import_foreign("taken");
    let agent = Agent::start_for(&rancher, "Workers: 2\nPingInterval: 100ms\nPingTimeout: 10s\n");
    for name in ["edge-0001", "edge-0002", "edge-0003"] {
        assert_eq!(create(&agent, name).status, 201);
        agent.await_state(name, "connected");
    }
    assert_eq!(create(&agent, "taken").status, 409);
    assert_eq!(create(&agent, "No Name").status, 422);
    http::send(&agent.url, b"DELETE /clusters/edge-0003 HTTP/1.1\r\nHost: agent\r\n\r\n");

    let text = eventually("workers tell of their clusters, and pongs come", || {
        let text = scrape(&agent);
        let samples = samples(&text);
        let workers =
            samples["scale_agent_worker_clusters{worker=\"0\"}"] + samples["scale_agent_worker_clusters{worker=\"1\"}"];
        let pongs = samples["scale_agent_ping_round_trip_seconds_count"];
        if workers == 2.0 && pongs >= 4.0 { Ok(text) } else { Err(format!("{workers} clusters, {pongs} pongs")) }
    });
    let samples = samples(&text);
    for (name, value) in [
        ("scale_agent_clusters{state=\"connected\"}", 2.0),
        ("scale_agent_clusters{state=\"failed\"}", 0.0),
        ("scale_agent_clusters_created_total", 3.0),
        ("scale_agent_clusters_deleted_total", 1.0),
        ("scale_agent_cluster_stage_seconds_count{stage=\"registered\"}", 3.0),
        ("scale_agent_cluster_stage_seconds_count{stage=\"connected\"}", 3.0),
        ("scale_agent_rancher_call_failures_total{call=\"create\",cause=\"name_taken\"}", 1.0),
        ("scale_agent_rancher_call_failures_total{call=\"create\",cause=\"unreachable\"}", 0.0),
        ("scale_agent_rancher_call_seconds_count{call=\"create\"}", 4.0),
        ("scale_agent_rancher_reachable{server=\"default\"}", 1.0),
        ("scale_agent_tunnels_open{tunnel=\"api\"}", 2.0),
        ("scale_agent_tunnels_open{tunnel=\"steve\"}", 2.0),
        ("scale_agent_tunnel_connects_total{tunnel=\"api\"}", 3.0),
        ("scale_agent_tunnel_disconnects_total{tunnel=\"api\",cause=\"silent\"}", 0.0),
        ("scale_agent_api_requests_total{method=\"POST\",path=\"/clusters\",code=\"201\"}", 3.0),
        ("scale_agent_api_requests_total{method=\"POST\",path=\"/clusters\",code=\"409\"}", 1.0),
        ("scale_agent_api_requests_total{method=\"POST\",path=\"/clusters\",code=\"422\"}", 1.0),
        ("scale_agent_api_request_seconds_count{method=\"POST\",path=\"/clusters\"}", 5.0),
        ("scale_agent_jobs_waiting", 0.0),
        ("scale_agent_healthy", 1.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name}\n{text}");
    }
    for name in [
        "process_resident_memory_bytes",
        "process_open_fds",
        "scale_agent_journal_commit_seconds_count",
        "scale_agent_pings_total",
    ] {
        assert!(samples[name] > 0.0, "{name} = {}", samples[name]);
    }
    let queues: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("scale_agent_queue_capacity{queue=\"")?.split('"').next())
        .collect();
    let known = ["audit", "commands", "events", "journal", "log", "outcomes", "requests", "worker-0", "worker-1"];
    assert_eq!(queues, BTreeSet::from(known));
    for queue in known {
        let of = |family: &str| samples[&format!("scale_agent_queue_{family}{{queue=\"{queue}\"}}")];
        assert!(of("capacity") > 0.0 && of("length") <= of("capacity") / 2.0, "{queue}: {} waits", of("length"));
    }
    assert!(samples["scale_agent_queue_length{queue=\"requests\"}"] >= 1.0, "the one that asks is under way");
    assert!(!text.contains("edge-0"), "nothing is kept per cluster");
    promtool(&["check", "metrics"], &text);
    for file in ["alerts.yaml", "dashboard.json"] {
        let file = std::fs::read_to_string(monitoring(file)).unwrap();
        let words = file.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: BTreeSet<&str> =
            words.filter(|word| word.starts_with("scale_agent_") || word.starts_with("process_")).collect();
        assert!(named.len() > 5, "{named:?}");
        for name in named {
            let family = name.trim_end_matches("_bucket");
            assert!(text.contains(&format!("# TYPE {family} ")), "there is no {family}");
        }
    }
}

#[test]
fn every_expression_of_the_dashboard_is_one() {
    let text = std::fs::read_to_string(monitoring("dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions = targets.map(|target| target["expr"].as_str().unwrap().replace("$instance", ".*"));
    let rules: Vec<_> = expressions
        .enumerate()
        .map(|(number, expr)| json!({ "record": format!("panel:{number}"), "expr": expr }))
        .collect();
    assert!(rules.len() > 20, "{}", rules.len());
    // JSON is YAML.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string()).unwrap();
    promtool(&["check", "rules", &file.path().display().to_string()], "");
}

#[test]
fn each_alert_is_raised_by_what_it_is_for() {
    promtool(&["check", "rules", &monitoring("alerts.yaml")], "");
    promtool(&["test", "rules", &monitoring("alerts_test.yaml")], "");
    let names = |file: &str, key: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(monitoring(file)).unwrap();
        let after = text.split(key).skip(1).filter_map(|rest| rest.split([',', '\n']).next());
        after.map(|name| name.trim().to_owned()).collect()
    };
    assert_eq!(names("alerts.yaml", "- alert:"), names("alerts_test.yaml", "alertname:"), "one test for each");
}

#[test]
fn lost_tunnels_are_counted_by_cause() {
    let mut rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "ReconnectMin: 10ms\nReconnectMax: 20ms\n");
    assert_eq!(create(&agent, "edge-0001").status, 201);
    agent.await_state("edge-0001", "connected");
    rancher.go_down();
    eventually("the loss and the attempts to mend it are counted", || {
        let samples = samples(&scrape(&agent));
        let lost: f64 = ["closed", "broken"]
            .iter()
            .map(|cause| samples[&format!("scale_agent_tunnel_disconnects_total{{tunnel=\"api\",cause=\"{cause}\"}}")])
            .sum();
        let failed = samples["scale_agent_tunnel_connect_failures_total{tunnel=\"api\",cause=\"unreachable\"}"];
        if lost == 1.0 && failed >= 1.0 { Ok(()) } else { Err(format!("{lost} lost, {failed} failed")) }
    });
}
