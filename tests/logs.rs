//! What the agent logs, and where.

mod support;

use support::fake_rancher::FakeRancher;
use support::{Agent, eventually};

fn read(agent: &Agent, name: &str) -> String {
    std::fs::read_to_string(agent.home.path().join(name)).unwrap_or_default()
}

#[test]
fn a_log_file_that_was_renamed_is_opened_anew_at_sighup() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "LogFile: lines.log\nLogFormat: json\nLogLevel: warn,manager=debug\n");
    assert_eq!(agent.create("edge-0001").0, 201);
    agent.await_state("edge-0001", "connected");
    eventually("a room that is to log more does", || match read(&agent, "lines.log") {
        log if log.contains("cluster edge-0001: connecting -> connected") => Ok(()),
        log => Err(log),
    });
    let path = |name: &str| agent.home.path().join(name);
    std::fs::rename(path("lines.log"), path("lines.log.1")).unwrap();
    agent.signal("HUP");
    eventually("the file is made anew", || path("lines.log").exists().then_some(()).ok_or_else(String::new));
    assert_eq!(agent.create("edge-0002").0, 201);
    agent.await_state("edge-0002", "connected");
    eventually("lines go to the new file", || match read(&agent, "lines.log") {
        log if log.contains("edge-0002") => Ok(()),
        log => Err(log),
    });
    let old = read(&agent, "lines.log.1");
    assert!(!old.contains("edge-0002"), "{old}");
    let mut seen = 0;
    for line in (old + &read(&agent, "lines.log")).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let of_the_manager = line["target"].as_str().unwrap().starts_with("scale_cluster_agent::manager");
        assert!(of_the_manager || line["level"] == "WARN" || line["level"] == "ERROR", "{line}");
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
    assert_eq!(agent.log(), "", "nothing is on standard error");
}

#[test]
fn a_fleet_that_fails_in_one_way_does_not_fill_the_log() {
    let rancher = FakeRancher::start();
    for number in 0..40 {
        rancher.import_foreign(&format!("taken-{number}"));
    }
    let agent = Agent::start_for(&rancher, "");
    for number in 0..40 {
        assert_eq!(agent.create(&format!("taken-{number}")).0, 409);
    }
    let lines = |log: &str| log.matches("is not created: Rancher has a cluster named").count();
    let log = eventually("the rest is summarised", || match agent.log() {
        log if log.contains("more lines like the next were left out") => Ok(log),
        log => Err(log),
    });
    assert!((21..40).contains(&lines(&log)), "{log}");
}

#[test]
fn a_line_now_and_then_says_how_the_agent_fares() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "PerformanceInterval: 500ms\n");
    assert_eq!(agent.create("edge-0001").0, 201);
    agent.await_state("edge-0001", "connected");
    eventually("the line tells of the cluster", || match agent.log() {
        log if log.contains("performance: clusters 1 (1 connected), tunnels 2, requests ") => Ok(()),
        log => Err(log),
    });
}

#[test]
fn a_level_without_the_performance_line_leaves_the_manager_at_rest() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "LogLevel: warn\nPerformanceInterval: 1s\n");
    let cpu_seconds = || {
        let text =
            support::http::send(&agent.url, b"GET /metrics HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").body;
        let line = text.lines().find_map(|line| line.strip_prefix("process_cpu_seconds_total ")).unwrap().to_owned();
        line.parse::<f64>().unwrap()
    };
    let uptime = || agent.call("GET", "/health").1["uptimeSeconds"].as_f64().unwrap();
    let after = |seconds: f64| {
        eventually("time passes", || if uptime() >= seconds { Ok(()) } else { Err(uptime().to_string()) });
        cpu_seconds()
    };
    let (from, to) = (after(2.0), after(6.0));
    assert!(to - from < 1.0, "{} s of processor time in four seconds without anything to do", to - from);
}
