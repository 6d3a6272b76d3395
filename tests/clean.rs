//! `clean`: exactly what the agent created goes.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::fake_rancher::{Answer, FakeRancher};
use support::{Agent, agent_command, eventually};

fn clean(home: &Path, flags: &[&str]) -> Output {
    let mut command = agent_command(home);
    command.arg("clean").args(flags).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn names(rancher: &FakeRancher) -> Vec<String> {
    rancher.clusters().into_iter().map(|cluster| cluster.name).collect()
}

/// A Rancher with two clusters of an agent that has ended, one that its state file lost, and one of somebody else.
fn left_behind() -> (FakeRancher, Agent) {
    let rancher = FakeRancher::start();
    rancher.import_foreign("theirs");
    let mut agent = Agent::start_for(&rancher, "");
    for name in ["one", "two", "lost"] {
        assert_eq!(agent.create(name).0, 201);
    }
    let label = rancher.clusters().into_iter().find(|cluster| cluster.name == "lost").unwrap().labels;
    assert_eq!(agent.call("DELETE", "/clusters/lost").0, 204);
    rancher.import_foreign("lost");
    rancher.label("lost", &label);
    assert!(agent.stop().0.success());
    (rancher, agent)
}

#[test]
fn what_the_agent_created_goes_and_nothing_else() {
    let (rancher, agent) = left_behind();
    let home = agent.home.path();
    let (code, shown, _) = text(&clean(home, &["--dry-run"]));
    assert_eq!(code, Some(0));
    assert_eq!(
        shown,
        "3 clusters of this agent, 1 of them only in Rancher: they carry its label, but the state file lost them\n  \
         one\n  two\n  lost (only in Rancher)\n"
    );
    let (code, _, error) = text(&clean(home, &[]));
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("add --yes to delete"), "{error}");
    assert_eq!(names(&rancher), ["theirs", "one", "two", "lost"]);

    let (code, shown, error) = text(&clean(home, &["--yes"]));
    assert_eq!(code, Some(0), "{shown}{error}");
    assert!(shown.ends_with("3 of 3 clusters deleted\n"), "{shown}");
    assert_eq!(names(&rancher), ["theirs"]);
    let (code, shown, _) = text(&clean(home, &["--yes", "--output", "json"]));
    let report: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, report), (Some(0), json!({"clusters": [], "deleted": 0, "failed": 0, "errors": []})));
}

#[test]
fn tunnels_are_up_while_rancher_cleans_up() {
    let (rancher, agent) = left_behind();
    rancher.linger(3);
    let (code, shown, error) = text(&clean(agent.home.path(), &["--yes"]));
    assert_eq!(code, Some(0), "{shown}{error}");
    let looks: Vec<usize> = rancher.asked("GET", "/v3/clusters/*").iter().map(|asked| asked.open_tunnels).collect();
    assert!(looks.iter().any(|open| *open > 0), "{looks:?}");
}

#[test]
fn what_rancher_refuses_to_delete_is_told() {
    let (rancher, agent) = left_behind();
    rancher.always("DELETE", "/v3/clusters/c-00002", Answer::error(403, "Forbidden", "hands off"));
    let (code, shown, error) = text(&clean(agent.home.path(), &["--yes"]));
    assert_eq!(code, Some(1), "{shown}{error}");
    assert!(
        shown.contains("2 of 3 clusters deleted, 1 could not be\n  one: ") && shown.contains("hands off"),
        "{shown}"
    );
    assert_eq!(names(&rancher), ["theirs", "one"]);
}

#[test]
fn a_running_agent_is_not_disturbed() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    assert_eq!(agent.create("one").0, 201);
    let (code, _, error) = text(&clean(agent.home.path(), &["--yes"]));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("another agent uses this file"), "{error}");
    assert!(error.contains("let the agent that runs delete them: --agent http://127.0.0.1:"), "{error}");
    assert_eq!(names(&rancher), ["one"]);
}

#[test]
fn a_running_agent_deletes_what_it_is_told_to() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    assert_eq!(agent.create("by-hand").0, 201);
    let ramp = json!({"prefix": "edge-", "clusters": 3, "width": 0, "run": "monday", "inFlightUntil": "created"});
    assert_eq!(support::request("POST", &format!("{}/ramps", agent.url), Some(&ramp.to_string())).0, 202);
    eventually("all are in Rancher", || match names(&rancher).len() {
        4 => Ok(()),
        known => Err(known.to_string()),
    });
    let elsewhere = tempfile::tempdir().unwrap();
    // As `localhost:9090` is written without a scheme.
    let url = agent.url.strip_prefix("http://").unwrap();
    let run = |flags: &[&str]| text(&clean(elsewhere.path(), &[&["--agent", url], flags].concat()));
    let (code, _, error) = run(&["--yes"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("add --run ID or --prefix"), "{error}");
    let (code, shown, _) = run(&["--run", "monday", "--dry-run"]);
    assert_eq!((code, shown.as_str()), (Some(0), "3 clusters\n  edge-1\n  edge-2\n  edge-3\n"));
    let (code, _, error) = run(&["--run", "monday"]);
    assert_eq!(code, Some(2), "{error}");
    let (code, shown, error) = run(&["--run", "monday", "--prefix", "edge-3", "--yes"]);
    assert_eq!((code, shown.as_str()), (Some(0), "1 clusters\n1 of 1 clusters deleted\n"), "{error}");
    let (code, shown, error) = run(&["--run", "monday", "--yes", "--output", "json"]);
    let report: Value = serde_json::from_str(&shown).unwrap_or_else(|_| panic!("{shown}{error}"));
    assert_eq!((code, &report["deleted"], &report["clusters"]), (Some(0), &json!(2), &json!(["edge-1", "edge-2"])));
    assert_eq!(names(&rancher), ["by-hand"]);
    let (code, _, error) = run(&["--run", "monday", "--yes"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("has no such cluster of the run monday"), "{error}");
    let (code, _, error) = run(&["--prefix", "by-", "--yes"]);
    assert_eq!((code, names(&rancher).len()), (Some(0), 0), "{error}");
}

#[test]
fn a_prefix_keeps_the_others() {
    let (rancher, agent) = left_behind();
    let home = agent.home.path();
    let (code, shown, _) = text(&clean(home, &["--prefix", "t", "--dry-run"]));
    assert_eq!((code, shown.as_str()), (Some(0), "1 clusters of this agent\n  two\n"));
    let (code, shown, error) = text(&clean(home, &["--prefix", "l", "--yes"]));
    assert_eq!(code, Some(0), "{error}");
    assert!(shown.ends_with("1 of 1 clusters deleted\n"), "{shown}");
    assert_eq!(names(&rancher), ["theirs", "one", "two"]);
}

#[test]
fn on_a_terminal_it_asks() {
    let (rancher, agent) = left_behind();
    let command = format!("{} --home {} clean", env!("CARGO_BIN_EXE_scale-cluster-agent"), agent.home.path().display());
    let answered = |answer: &str| {
        // `script` is the terminal.
        let mut terminal = Command::new("script");
        terminal.args(["-qec", &command, "/dev/null"]);
        let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(answer.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, shown) = answered("n\n");
    assert!(shown.contains("Delete these 3 clusters here and in Rancher? [y/N]"), "{shown}");
    assert_eq!((code, names(&rancher).len()), (Some(1), 4), "{shown}");
    let (code, shown) = answered("y\n");
    assert!(shown.contains("3 of 3 clusters deleted"), "{shown}");
    assert_eq!((code, names(&rancher)), (Some(0), vec!["theirs".to_owned()]), "{shown}");
}

#[test]
fn one_run_goes_with_what_the_state_file_lost_of_it() {
    let rancher = FakeRancher::start();
    let mut agent = Agent::start_for(&rancher, "");
    assert_eq!(agent.create("by-hand").0, 201);
    for (prefix, run) in [("first-", "monday"), ("second-", "tuesday")] {
        let ramp = json!({"prefix": prefix, "clusters": 2, "width": 0, "run": run, "inFlightUntil": "created"});
        assert_eq!(support::request("POST", &format!("{}/ramps", agent.url), Some(&ramp.to_string())).0, 202);
        eventually("both are in Rancher", || {
            let known = names(&rancher).into_iter().filter(|name| name.starts_with(prefix)).count();
            if known == 2 { Ok(()) } else { Err(format!("{known}")) }
        });
    }
    assert_eq!(agent.call("GET", "/clusters/first-1").1["run"], "monday");
    let labels = rancher.clusters().into_iter().find(|cluster| cluster.name == "first-2").unwrap().labels;
    assert_eq!(labels["scale-cluster-agent/run"], "monday");
    assert!(agent.stop().0.success());
    std::fs::remove_file(agent.home.path().join("state.v1.redb")).unwrap();
    let home = agent.home.path();
    let (code, _, error) = text(&clean(home, &["--run", "no run"]));
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("no id of a run"), "{error}");
    let (code, _, error) = text(&clean(home, &["--run", "sunday", "--yes"]));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("has no such cluster of the run sunday"), "{error}");
    let (code, shown, error) = text(&clean(home, &["--run", "monday", "--yes"]));
    assert_eq!(code, Some(0), "{shown}{error}");
    // Two are created at once, in either order.
    assert_eq!(BTreeSet::from_iter(names(&rancher)), ["by-hand", "second-1", "second-2"].map(String::from).into());
}
