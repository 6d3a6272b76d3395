//! Several agents that share one fleet: one ramp for all of them, one report, and no cluster twice.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;
use support::fake_rancher::FakeRancher;
use support::{Agent, agent_command, eventually, home_for, request};

fn agent(rancher: &FakeRancher, shard: &str) -> Agent {
    Agent::start_for(rancher, &format!("RampPollInterval: 100ms\nShard: {shard}\n"))
}

/// A ramp by all of these agents.
fn ramp(agents: &[&Agent], args: &[&str]) -> Output {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = agent_command(elsewhere.path());
    command.arg("ramp").args(args).env("NO_COLOR", "1");
    agents.iter().for_each(|agent| _ = command.args(["--agent", &agent.url]));
    command.output().unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Name and intended start of each cluster.
fn starts(folder: &Path) -> Vec<(String, f64)> {
    let csv = std::fs::read_to_string(folder.join("clusters.csv")).unwrap();
    let start = |line: &str| {
        let mut fields = line.split(',');
        (fields.next().unwrap().to_owned(), fields.next().unwrap().parse().unwrap())
    };
    csv.lines().skip(1).map(start).collect()
}

#[test]
fn three_agents_do_one_ramp_with_one_report() {
    let rancher = FakeRancher::lively();
    let second = {
        let home = home_for(&rancher, "RampPollInterval: 100ms\n");
        let mut command = agent_command(home.path());
        command.env("SCALE_AGENT_SHARD", "2/3");
        Agent::start_as(command, home)
    };
    let (first, third) = (agent(&rancher, "1/3"), agent(&rancher, "3/3"));
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("run");
    let args = ["--clusters", "20", "--rate", "20/s", "--prefix", "edge-", "--results", folder.to_str().unwrap()];
    let thresholds = ["--threshold", "failed:rate<1%", "--threshold", "time_to_active:p(95)<60s"];
    let output = ramp(&[&first, &second, &third], &[&args[..], &thresholds].concat());
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{out}\n{}", err(&output));
    assert!(out.starts_with("passed: 20 of 20 clusters Active in "), "{out}");
    assert!(err(&output).contains("20 of 20 Active"), "one line for all: {}", err(&output));

    let run = read_json(&folder.join("run.json"));
    assert_eq!((&run["outcome"], &run["figures"]["requested"]), (&json!("passed"), &json!(20)), "{run:#}");
    assert_eq!(run["results"]["agent"].as_array().map(Vec::len), Some(3));
    assert!(run["results"]["spec"]["shard"].is_null());
    assert_eq!(rancher.clusters().len(), 20);
    let labels: BTreeSet<String> =
        rancher.clusters().iter().map(|cluster| cluster.labels["scale-cluster-agent/run"].to_string()).collect();
    assert_eq!(labels.len(), 1, "all of one run: {labels:?}");
    // The names and the moments of the whole plan, whoever carries it out.
    for (shard, count) in [("1-of-3", 7), ("2-of-3", 7), ("3-of-3", 6)] {
        let own = starts(&folder.join(format!("shard-{shard}")));
        assert_eq!(own.len(), count, "{own:?}");
        for (name, intended) in own {
            let number: u32 = name.trim_start_matches("edge-").parse().unwrap();
            assert_eq!((number - 1) % 3 + 1, shard[..1].parse::<u32>().unwrap(), "{name}");
            assert!((intended - f64::from(number - 1) / 20.0).abs() < 0.001, "{name} at {intended}");
        }
    }
    let mut names: Vec<String> = starts(&folder).into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, (1..=20).map(|number| format!("edge-{number:04}")).collect::<Vec<_>>());
    assert_eq!(second.call("GET", "/clusters").1["clusters"][0]["name"], "edge-0002");
    assert_eq!(third.call("GET", "/health").1["shard"], "3/3");
}

#[test]
fn a_ramp_that_does_not_hold_for_one_shard_fails_for_all() {
    let rancher = FakeRancher::lively();
    let agents = [agent(&rancher, "1/2"), agent(&rancher, "2/2")];
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("run");
    let args = ["--clusters", "4", "--prefix", "edge-", "--threshold", "time_to_active:p(95)<1ms"];
    let output =
        ramp(&[&agents[0], &agents[1]], &[&args[..], &["--clean", "--results", folder.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(99), "{}", err(&output));
    assert_eq!(read_json(&folder.join("run.json"))["outcome"], "thresholds-failed");
    assert_eq!(rancher.clusters().len(), 0, "--clean deletes the clusters of all shards");
}

#[test]
fn shards_that_make_no_whole_are_refused_before_anything_is_created() {
    let rancher = FakeRancher::lively();
    let (first, second, twin) = (agent(&rancher, "1/3"), agent(&rancher, "2/3"), agent(&rancher, "1/3"));
    for (agents, message) in [
        (vec![&first, &second, &twin], "has Shard 1/3 and http"),
        (vec![&first, &second], "no agent is given for Shard 3/3"),
        (vec![&first, &first], "are the same agent"),
    ] {
        let output = ramp(&agents, &["--clusters", "9"]);
        assert_eq!((output.status.code(), err(&output).contains(message)), (Some(2), true), "{}", err(&output));
    }
    assert_eq!(rancher.clusters().len(), 0);
}

#[test]
fn agents_of_the_same_shard_meet_in_rancher_and_say_so() {
    let rancher = FakeRancher::lively();
    let (first, twin) = (agent(&rancher, "1/2"), agent(&rancher, "1/2"));
    let create =
        |agent: &Agent, body: Value| request("POST", &format!("{}/clusters", agent.url), Some(&body.to_string()));
    let many = json!({"prefix": "edge-", "count": 5});
    let end = |agent: &Agent| {
        let (status, operation) = create(agent, many.clone());
        assert_eq!((status, &operation["total"]), (202, &json!(3)), "{operation:#}");
        eventually("the operation is done", || match agent.call("GET", "/operations/1").1 {
            operation if operation["state"] == "done" => Ok(operation),
            operation => Err(format!("{operation:#}")),
        })
    };
    assert_eq!(end(&first)["done"], 3);
    let refused = end(&twin);
    assert_eq!((&refused["done"], &refused["failed"]), (&json!(0), &json!(3)), "{refused:#}");
    let instance = first.call("GET", "/health").1["instance"].as_str().unwrap().to_owned();
    let cause =
        format!("another agent created (scale-cluster-agent/instance={instance}), though it is of this agent's shard");
    assert!(refused["errors"][0].as_str().unwrap().contains(&cause), "{refused:#}");
    assert_eq!(create(&first, json!({"name": "edge-7"})).0, 201);
    let (status, problem) = create(&twin, json!({"name": "edge-7"}));
    assert_eq!(status, 409, "{problem:#}");
    let remedy = "see that no other agent has Shard 1/2, and that all were started with the same number of shards";
    assert_eq!(problem["remedy"], remedy, "{problem:#}");
    // A name of one's own choice is nobody's shard.
    assert_eq!(create(&twin, json!({"name": "edge-2"})).0, 201);
}
