//! `scale-cluster-agent rehearse`, as an operator runs it.

use assert_cmd::cargo::cargo_bin;
use scale_cluster_agent::ramp::Spec;
use scale_cluster_agent::rehearsal::{Behaviour, Options, Profile, Rehearsal};
use scale_cluster_agent::remote::Plan;
use scale_cluster_agent::report::{Outcome, Run};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// `rehearse` with an empty HOME and a temporary directory of its own.
fn command(scratch: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin!("scale-cluster-agent"));
    command.arg("rehearse").args(args).env("HOME", scratch.join("home")).env("TMPDIR", scratch);
    command
}

fn rehearse(scratch: &Path, args: &[&str]) -> Output {
    command(scratch, args).output().unwrap()
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}

fn run_of(output: &Output) -> Run {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn ten_clusters_become_active_and_nothing_is_left_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let output = rehearse(scratch.path(), &["--clusters", "10", "--output", "json"]);
    let run = run_of(&output);
    assert_eq!(run.outcome, Outcome::Passed, "{run}");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!((run.figures.requested, run.figures.active), (10, 10));
    assert_eq!((run.figures.failures.as_slice(), run.complaints.as_slice()), ([].as_slice(), [].as_slice()));
    for stage in &run.figures.stages {
        assert_eq!(stage.since_intended.map(|times| times.count), Some(10), "{}", stage.name);
    }
    // The eleven kinds that the profile watches, and the custom one that it lists.
    assert_eq!(run.figures.lists.len(), 12, "{run}");
    assert!(run.figures.lists.iter().all(|list| list.since_intended.is_some_and(|times| times.count == 10)), "{run}");
    assert!(is_empty(scratch.path()), "the agent's home is gone");
}

#[test]
fn informers_of_older_ranchers_are_served_too() {
    let scratch = tempfile::tempdir().unwrap();
    let profile = include_str!("../config/profiles/rancher.yaml").replace("form: watch-list", "form: list-then-watch");
    let file = scratch.path().join("profile.yaml");
    std::fs::write(&file, profile).unwrap();
    let output =
        rehearse(scratch.path(), &["--clusters", "3", "--profile", file.to_str().unwrap(), "--output", "json"]);
    let run = run_of(&output);
    assert_eq!((run.outcome, run.complaints.as_slice()), (Outcome::Passed, [].as_slice()), "{run}");
}

#[test]
fn held_clusters_stay_active_and_report() {
    let scratch = tempfile::tempdir().unwrap();
    let args = ["--clusters", "5", "--hold", "4s", "--set", "ReportInterval=1s", "--output", "json"];
    let output = rehearse(scratch.path(), &args);
    let run = run_of(&output);
    let hold = run.hold.unwrap();
    assert_eq!((hold.active_at_end, hold.tunnels_lost), (5, 0), "{run}");
    // Each of the 5 clusters has a node and reports at least twice in 4 s, wherever its phase falls.
    assert!(hold.heartbeats >= 10, "{run}");
    assert!(hold.watch_events >= hold.heartbeats, "{run}");
}

#[test]
fn a_cluster_that_misses_what_rancher_asks_is_reported_by_cause() {
    let scratch = tempfile::tempdir().unwrap();
    let profile = "
name: impossible
retry_seconds: 1
first: [{method: GET, path: /version, observes: version}, {method: GET, path: /api/v1/nodes, observes: nodes}]
watches: {form: watch-list, timeout_seconds: 300, lists: []}
writes: [{method: GET, path: /apis/no.such.group/v1}]
probes: [{tunnel: steve, path: /ping, every_seconds: 15}, {tunnel: api, path: /readyz, every_seconds: 15}]
";
    let file = scratch.path().join("profile.yaml");
    std::fs::write(&file, profile).unwrap();
    let args = ["--clusters", "2", "--timeout", "3s", "--profile", file.to_str().unwrap(), "--output", "json"];
    let output = rehearse(scratch.path(), &args);
    let run = run_of(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((run.outcome, run.figures.active), (Outcome::Failed, 0));
    let all = || run.figures.failures.iter().chain(&run.complaints);
    let count = |cause: &str| all().find(|failure| failure.cause == cause).map(|failure| failure.count);
    assert_eq!(count("not Active in time, got as far as: Connected"), Some(2), "{run}");
    assert!(count("GET /apis/no.such.group/v1 answered 404").is_some_and(|count| count >= 2), "{run}");
}

#[test]
fn an_interrupted_rehearsal_still_reports_and_cleans_up() {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = command(scratch.path(), &["--clusters", "2", "--hold", "1h", "--output", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Signals are caught before the agent gets its home.
    let deadline = Instant::now() + Duration::from_secs(30);
    while is_empty(scratch.path()) {
        assert!(Instant::now() < deadline, "no agent was started");
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(run_of(&output).outcome, Outcome::Interrupted);
    assert!(is_empty(scratch.path()), "the agent's home is gone");
}

#[test]
fn the_text_for_people_ends_with_what_a_cluster_costs() {
    let scratch = tempfile::tempdir().unwrap();
    let output = rehearse(scratch.path(), &["--clusters", "2", "--profile", "idle"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("passed: 2 of 2 clusters Active in "), "{text}");
    for line in ["time from intended start to ", "Active ", "failures by cause", "memory (RSS) "] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line:?} is missing in:\n{text}");
    }
}

#[test]
fn the_search_for_the_largest_fleet_says_what_came_first() {
    let scratch = tempfile::tempdir().unwrap();
    let search = |args: &[&str]| {
        let args = [&["--find-max", "--profile", "idle", "--clusters", "60", "--output", "json"], args].concat();
        let output = rehearse(scratch.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let enough = search(&[]);
    assert_eq!(
        (&enough["clusters"], &enough["limit"]["what"]),
        (&60.into(), &"the 60 clusters that were asked for".into())
    );
    assert_eq!(enough["atLeast"], true, "{enough:#}");
    assert_eq!(enough["steps"].as_array().map(Vec::len), Some(2), "{enough:#}");
    // Nothing is Active so soon: every step fails, and the steps get smaller.
    let none = search(&["--threshold", "time_to_active:p(50)<1ms"]);
    let what = "the threshold time_to_active:p(50)<1ms";
    assert_eq!(none["atLeast"], false, "{none:#}");
    assert_eq!((&none["clusters"], &none["limit"]["what"]), (&0.into(), &what.into()), "{none:#}");
    assert!(is_empty(scratch.path()), "the agent's home is gone");
}

#[test]
fn the_cluster_agent_that_rancher_deploys_comes_up() {
    let spec = Spec { prefix: "edge-".into(), clusters: 1, width: 0, ..Spec::default() };
    let options = Options {
        agent: cargo_bin!("scale-cluster-agent").into(),
        plan: Plan::of(spec),
        profile: Profile::rancher(),
        behaviour: Behaviour::immediate(),
        threads: 1,
        template: None,
        settings: vec![("PodStartup".into(), "100ms".into())],
    };
    let mut stage = Rehearsal::set(&options).unwrap();
    let run = stage.play(&options.plan, &AtomicBool::new(false), |_| {}).unwrap();
    assert_eq!(run.outcome, Outcome::Passed, "{run}");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let cluster: serde_json::Value = stage.client.call("GET", "/clusters/edge-1", None).unwrap();
        let deployments = cluster["info"]["deployments"].as_array().unwrap();
        let agent = deployments.iter().find(|deployment| deployment["name"] == "cattle-cluster-agent").unwrap();
        if agent["ready"] == 1 && agent["replicas"] == 1 {
            break;
        }
        assert!(Instant::now() < deadline, "{agent:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_wrong_setting_is_a_mistake_of_the_command_line() {
    let scratch = tempfile::tempdir().unwrap();
    for (setting, told) in [
        ("NoSuchKey=1", "error: --set NoSuchKey: there is no such setting\n"),
        ("ReportIntervall=1s", "did you mean `ReportInterval`?"),
        ("ReportInterval=soon", "error: --set ReportInterval: "),
        ("RancherURL=https://rancher.example.com", "error: --set RancherURL: the rehearsal gives it"),
        ("BearerToken=token-a:b", "error: --set BearerToken: the rehearsal gives it"),
        ("CAFile=/etc/ssl/ca.pem", "error: --set CAFile: the rehearsal gives it"),
        ("ListenPort=9090", "error: --set ListenPort: the rehearsal gives it"),
        ("Servers=[]", "error: --set Servers: the rehearsal gives it"),
    ] {
        let output = rehearse(scratch.path(), &["--clusters", "1", "--set", setting]);
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{setting}: {words}");
        assert!(words.contains(told), "{setting}: {words}");
        assert!(!words.contains(scratch.path().to_str().unwrap()), "{setting}: {words}");
    }
    assert!(is_empty(scratch.path()), "what it was checked in is gone");
}

#[test]
fn a_template_may_be_a_built_in_one_by_its_name() {
    let scratch = tempfile::tempdir().unwrap();
    let args = ["--clusters", "1", "--profile", "idle", "--template", "small", "--output", "json"];
    let run = run_of(&rehearse(scratch.path(), &args));
    assert_eq!((run.outcome, &run.results.spec["template"]), (Outcome::Passed, &"small".into()), "{run}");
    // One that is not there is told before anything is started.
    for template in ["tiny", "/nonexistent/tiny.yaml"] {
        let output = rehearse(scratch.path(), &["--clusters", "1", "--template", template]);
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.starts_with(&format!("error: cannot read the template {template}: ")), "{words}");
        assert!(words.contains("may be one of large, small"), "{words}");
    }
    assert!(is_empty(scratch.path()));
}

#[test]
fn bad_flags_are_refused_with_the_reason() {
    let scratch = tempfile::tempdir().unwrap();
    for (args, reason) in [
        (["--clusters", "0"], "not in 1..=100000"),
        (["--timeout", "90"], "90 has no unit"),
        (["--set", "ReportInterval"], "no `=` in it"),
        (["--profile", "/nonexistent"], "neither one of rancher, rancher-2.13, explorer, storm, idle nor a file"),
    ] {
        let output = rehearse(scratch.path(), &args);
        assert_eq!(output.status.code(), Some(2));
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(words.contains(reason), "{words}");
    }
}
