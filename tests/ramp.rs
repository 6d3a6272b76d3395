//! Ramps: clusters brought up by a plan and measured, over REST and by the command line, with results on disk.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use support::fake_rancher::FakeRancher;
use support::{Agent, Peer, agent_command, chromium, eventually, home_for, request};

const OFTEN: &str = "RampPollInterval: 100ms\n";

fn post(agent: &Agent, path: &str, body: &Value) -> (u16, Value) {
    request("POST", &format!("{}{path}", agent.url), Some(&body.to_string()))
}

fn start(agent: &Agent, body: &Value) -> String {
    let (status, view) = post(agent, "/ramps", body);
    assert_eq!(status, 202, "{view:#}");
    format!("/ramps/{}", view["id"])
}

fn await_ramp(agent: &Agent, path: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || match agent.call("GET", path).1 {
        view if condition(&view) => Ok(view),
        view => Err(format!("{view:#}")),
    })
}

/// A command of the agent's with a home for this Rancher.
fn command(rancher: &FakeRancher, home: &tempfile::TempDir, args: &[&str]) -> Command {
    let mut command = agent_command(home.path());
    command.args(args).env("NO_COLOR", "1");
    assert!(home.path().join("config").exists(), "{}", rancher.url);
    command
}

fn text(output: &Output) -> (String, String) {
    (String::from_utf8(output.stdout.clone()).unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn clusters_start_by_the_plan_and_each_is_measured_on_its_way_to_active() {
    let rancher = FakeRancher::lively();
    let agent = Agent::start_for(&rancher, OFTEN);
    let ramp = start(&agent, &json!({"prefix": "edge-", "clusters": 20, "rate": "20/s", "template": "small"}));
    let view = await_ramp(&agent, &ramp, "the ramp is done", |view| view["state"] == "done");
    assert_eq!((&view["active"], &view["failed"], &view["underWay"]), (&json!(20), &json!(0), &json!(0)), "{view:#}");
    let results = agent.call("GET", &format!("{ramp}/results")).1;
    let clusters = results["clusters"].as_array().unwrap();
    let last = &clusters[19];
    assert_eq!((clusters.len(), &last["name"], &last["fate"]), (20, &json!("edge-0020"), &json!("active")));
    // The plan, not the moment at which it was carried out.
    assert!((last["intended"].as_f64().unwrap() - 0.95).abs() < 0.001, "{last:#}");
    for milestone in [0, 1, 2, 3, 4, 8, 9] {
        assert!(last["seconds"][milestone].is_number(), "milestone {milestone}: {last:#}");
    }
    assert!(results["calls"]["POST /v3/clusters"]["times"].is_array(), "{:#}", results["calls"]);
    assert_eq!(agent.call("GET", "/ramps").1["ramps"][0]["id"], view["id"]);
    assert_eq!(agent.call("GET", "/operations/1").1["done"], 20, "a ramp is an operation too");
}

#[test]
fn a_rancher_that_does_not_keep_up_is_told_so_and_its_times_count_from_the_plan() {
    let rancher = FakeRancher::lively();
    let agent = Agent::start_for(&rancher, OFTEN);
    let gate = rancher.hold("POST", "/v3/clusters");
    let ramp = start(&agent, &json!({"prefix": "edge-", "clusters": 30, "rate": "100/s"}));
    // 4 calls are under way; the other 26 wait, and nobody slows down for them.
    let view = await_ramp(&agent, &ramp, "26 are behind", |view| view["behind"] == 26);
    assert_eq!((&view["due"], &view["started"], &view["created"]), (&json!(30), &json!(30), &json!(0)), "{view:#}");
    std::thread::sleep(Duration::from_millis(500));
    drop(gate);
    rancher.behave();
    let view = await_ramp(&agent, &ramp, "the ramp is done", |view| view["state"] == "done");
    assert_eq!((&view["active"], &view["behind"], &view["behindMax"]), (&json!(30), &json!(0), &json!(26)), "{view:#}");
    let created =
        view["milestones"].as_array().unwrap().iter().find(|milestone| milestone["name"] == "created").unwrap();
    assert!(created["p50Seconds"].as_f64().unwrap() > 0.5, "{created:#}");
}

#[test]
fn a_ramp_is_paused_resumed_and_stopped() {
    let rancher = FakeRancher::lively();
    let agent = Agent::start_for(&rancher, OFTEN);
    let ramp = start(&agent, &json!({"prefix": "edge-", "stages": "1s:5/s,1h:1/s"}));
    await_ramp(&agent, &ramp, "some have started", |view| view["started"].as_u64() >= Some(2));
    let paused = post(&agent, &format!("{ramp}/pause"), &json!({})).1;
    assert_eq!(paused["state"], "paused", "{paused:#}");
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(agent.call("GET", &ramp).1["started"], paused["started"]);
    let resumed = agent.call("POST", &format!("{ramp}/resume")).1;
    assert!(resumed["elapsedSeconds"].as_f64() < Some(1.4), "a pause does not count: {resumed:#}");
    await_ramp(&agent, &ramp, "it goes on", |view| view["started"].as_u64() > paused["started"].as_u64());
    let (status, stopped) = agent.call("POST", &format!("{ramp}/stop"));
    assert_eq!((status, &stopped["state"]), (200, &json!("stopped")), "{stopped:#}");
    for (method, path, status, title) in [
        ("POST", format!("{ramp}/pause"), 409, "Its state does not allow this"),
        ("GET", "/ramps/99".to_owned(), 404, "There is no such ramp"),
        ("GET", "/ramps/none".to_owned(), 404, "There is no such ramp"),
    ] {
        let (answered, problem) = agent.call(method, &path);
        assert_eq!((answered, problem["title"].as_str()), (status, Some(title)), "{problem:#}");
    }
}

#[test]
fn a_threshold_that_cannot_hold_any_more_ends_the_ramp() {
    let rancher = FakeRancher::lively();
    rancher.always("POST", "/v3/clusters", support::fake_rancher::Answer::error(422, "InvalidFormat", "no"));
    let agent = Agent::start_for(&rancher, OFTEN);
    let body = json!({
        "prefix": "edge-", "clusters": 200, "rate": "20/s", "thresholds": ["failed:rate<5%"], "abortOnFail": true
    });
    let ramp = start(&agent, &body);
    let view = await_ramp(&agent, &ramp, "it is aborted", |view| view["state"] == "aborted");
    assert!(view["started"].as_u64() < Some(200), "{view:#}");
    assert_eq!(view["thresholds"][0]["ok"], false, "{view:#}");
    let cause = "Rancher answers 422 InvalidFormat to POST /v3/clusters: no";
    assert_eq!(view["failures"][0]["cause"], cause, "{view:#}");
}

#[test]
fn what_is_wrong_with_a_plan_is_pointed_at() {
    let rancher = FakeRancher::lively();
    let agent = Agent::start_for(&rancher, "");
    for (body, status, detail) in [
        (json!({"clusters": 5, "thresholds": ["time_to_actve:p(95)<1s"]}), 400, "did you mean time_to_active?"),
        (json!({"stages": "1m:1/s,10m"}), 400, "character 8: not a stage"),
        (json!({"clusters": 5, "rat": "1/s"}), 400, "did you mean \"rate\"?"),
        (json!({"clusters": 5, "prefix": "Edge-"}), 422, "character 1 of the name is 'E'"),
        (json!({"clusters": 5, "template": "tiny"}), 422, "there is no template named \"tiny\""),
    ] {
        let (answered, problem) = post(&agent, "/ramps", &body);
        assert_eq!(answered, status, "{body}: {problem:#}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{body}: {problem:#}");
    }
    assert_eq!(rancher.clusters().len(), 0);
}

#[test]
fn a_ramp_of_the_command_line_leaves_its_results_and_an_exit_code() {
    let rancher = FakeRancher::lively();
    let home = home_for(&rancher, OFTEN);
    let folder = home.path().join("run");
    let args =
        ["ramp", "--clusters", "8", "--rate", "40/s", "--prefix", "edge-", "--results", folder.to_str().unwrap()];
    let passes = ["--threshold", "time_to_active:p(95)<60s", "--threshold", "failed:rate<1%"];
    let output = command(&rancher, &home, &[&args[..], &passes].concat()).output().unwrap();
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    assert!(out.starts_with("passed: 8 of 8 clusters Active in "), "{out}");
    assert!(out.contains("✓ failed: rate<1%, was 0.00 %"), "{out}");
    assert!(err.contains("the clusters stay in Rancher"), "{err}");
    let summary = read_json(&folder.join("summary.json"));
    assert_eq!(summary["metrics"]["time_to_active"]["thresholds"]["p(95)<60s"]["ok"], true);
    let run = read_json(&folder.join("run.json"));
    assert_eq!((&run["outcome"], &run["figures"]["active"]), (&json!("passed"), &json!(8)));
    assert_eq!(run["results"]["agent"]["settings"]["BearerToken"]["value"], "***", "{:#}", run["results"]["agent"]);
    let csv = std::fs::read_to_string(folder.join("clusters.csv")).unwrap();
    assert_eq!(csv.lines().count(), 9, "{csv}");
    assert!(csv.lines().last().unwrap().starts_with("edge-0008,0.175000,active,true,"), "{csv}");

    // The raw results make all the rest again.
    let names = ["summary.json", "junit.xml", "report.html"];
    let before = names.map(|name| std::fs::read_to_string(folder.join(name)).unwrap());
    names.iter().for_each(|name| std::fs::remove_file(folder.join(name)).unwrap());
    let output = agent_command(home.path()).args(["report", folder.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output).1);
    assert_eq!(names.map(|name| std::fs::read_to_string(folder.join(name)).unwrap()), before);

    // Another run of the same clusters finds them there; its own folder is not taken twice.
    let again = command(&rancher, &home, &args).output().unwrap();
    assert_eq!((again.status.code(), text(&again).1.contains("is not empty")), (Some(2), true));
}

#[test]
fn a_threshold_that_does_not_hold_is_exit_99_and_the_report_is_there() {
    let rancher = FakeRancher::lively();
    let home = home_for(&rancher, OFTEN);
    let args = ["ramp", "--clusters", "3", "--rate", "30/s", "--threshold", "time_to_active:p(50)<1ms", "--clean"];
    let output = command(&rancher, &home, &args).output().unwrap();
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(99), "{out}\n{err}");
    assert!(out.contains("✗ time_to_active: p(50)<1ms, was "), "{out}");
    let runs: Vec<_> = std::fs::read_dir(home.path().join("results")).unwrap().collect();
    assert_eq!(runs.len(), 1);
    let folder = runs[0].as_ref().unwrap().path();
    assert!(err.contains(folder.to_str().unwrap()), "{err}");
    let junit = std::fs::read_to_string(folder.join("junit.xml")).unwrap();
    assert!(junit.contains("<testsuite name=\"thresholds\" tests=\"1\" failures=\"1\""), "{junit}");
    assert_eq!(rancher.clusters().len(), 0, "--clean deletes what the ramp made");
}

#[test]
fn an_interrupted_ramp_is_exit_130_with_its_report() {
    let rancher = FakeRancher::lively();
    let home = home_for(&rancher, OFTEN);
    let folder = home.path().join("run");
    let args = ["ramp", "--clusters", "4", "--rate", "40/s", "--hold", "1h", "--results", folder.to_str().unwrap()];
    let mut command = command(&rancher, &home, &args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the clusters are there", || match rancher.open_tunnels() {
        8 => Ok(()),
        count => Err(count.to_string()),
    });
    std::thread::sleep(Duration::from_secs(1));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(130), "{out}\n{err}");
    assert!(out.starts_with("interrupted: 4 of 4 clusters Active"), "{out}");
    assert_eq!(read_json(&folder.join("run.json"))["outcome"], "interrupted");
    assert!(folder.join("report.html").exists());
}

#[test]
fn a_running_agent_carries_out_a_ramp_for_the_command_line() {
    let rancher = FakeRancher::lively();
    let agent = Agent::start_for(&rancher, OFTEN);
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("run");
    let args =
        ["ramp", "--agent", &agent.url, "--stages", "200ms:20/s,300ms:hold", "--results", folder.to_str().unwrap()];
    let output = agent_command(elsewhere.path()).args(args).output().unwrap();
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    assert!(out.starts_with("passed: 4 of 4 clusters Active in "), "{out}");
    assert_eq!(agent.call("GET", "/clusters").1["count"], 4, "the agent holds them");
    let run = read_json(&folder.join("run.json"))["results"]["spec"]["run"].as_str().unwrap().to_owned();
    let clean = format!("`clean --agent {} --run {run}` deletes its clusters", agent.url);
    assert!(out.contains(&clean), "{out}");

    // All of them are there: whoever repeats it learns that nothing was measured.
    let again = elsewhere.path().join("again");
    let args = ["ramp", "--agent", &agent.url, "--clusters", "4", "--results", again.to_str().unwrap()];
    let output = agent_command(elsewhere.path()).args(args).output().unwrap();
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(1), "{out}\n{err}");
    assert!(out.starts_with("FAILED: 0 of 0 clusters Active in "), "{out}");
    assert!(out.contains("choose another prefix (--prefix), or delete them with `clean` first"), "{out}");
    assert_eq!(read_json(&again.join("run.json"))["outcome"], "failed");

    // Shards: two runs as one, and no cluster twice.
    let more = elsewhere.path().join("more");
    let args =
        ["ramp", "--agent", &agent.url, "--clusters", "3", "--prefix", "more-", "--results", more.to_str().unwrap()];
    assert_eq!(agent_command(elsewhere.path()).args(args).output().unwrap().status.code(), Some(0));
    let both = elsewhere.path().join("both");
    let [folder, more, both_text] = [&folder, &more, &both].map(|path| path.to_str().unwrap());
    let output = agent_command(elsewhere.path())
        .args(["report", "--merge", folder, more, "--results", both_text])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output).1);
    assert_eq!(read_json(&both.join("run.json"))["figures"]["active"], 7);
    let third = elsewhere.path().join("third");
    let args = ["report", "--merge", folder, folder, "--results", third.to_str().unwrap()];
    let output = agent_command(elsewhere.path()).args(args).output().unwrap();
    assert!(text(&output).1.contains("two of the runs hold the cluster ramp-0001"), "{}", text(&output).1);
}

#[test]
fn an_agent_that_dies_leaves_the_report_of_what_it_had_measured() {
    let rancher = FakeRancher::lively();
    let agent = Agent::start_for(&rancher, OFTEN);
    let home = home_for(&rancher, "");
    let results = home.path().join("results");
    let flags =
        ["ramp", "--clusters", "3", "--rate", "100/s", "--hold", "1h", "--prefix", "edge-", "--agent", &agent.url];
    let mut child =
        command(&rancher, &home, &flags).arg("--results").arg(&results).stdout(Stdio::null()).spawn().unwrap();
    // Long enough that its results were looked at with all three Active.
    await_ramp(&agent, "/ramps/1", "they are held", |view| {
        view["state"] == "holding" && view["elapsedSeconds"].as_f64() > Some(6.0)
    });
    drop(agent.kill());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let run = read_json(&results.join("run.json"));
    assert_eq!((&run["outcome"], &run["figures"]["active"]), (&json!("failed"), &json!(3)), "{run:#}");
    assert!(run["complaints"][0]["cause"].as_str().unwrap().contains("does not answer GET /ramps/1"), "{run:#}");
    assert!(results.join("report.html").exists());
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn clusters_of_a_real_peer_are_measured_down_to_what_its_informers_list() {
    let peer = Peer::start(&[]);
    let agent = Agent::start(&peer, "RampPollInterval: 500ms\n");
    let ramp = start(&agent, &json!({"prefix": "edge-", "clusters": 3, "rate": "2/s"}));
    await_ramp(&agent, &ramp, "the ramp is done", |view| view["state"] == "done");
    let results = agent.call("GET", &format!("{ramp}/results")).1;
    for cluster in results["clusters"].as_array().unwrap() {
        assert_eq!(cluster["fate"], "active", "{cluster:#}");
        assert!(cluster["seconds"].as_array().unwrap().iter().all(Value::is_number), "every milestone: {cluster:#}");
        for resource in ["v1/nodes", "v1/namespaces", "rbac.authorization.k8s.io/v1/clusterroles"] {
            assert!(cluster["lists"][resource].is_number(), "{resource}: {cluster:#}");
        }
    }
}

#[test]
fn a_dry_run_shows_the_plan_and_asks_nobody() {
    let rancher = FakeRancher::lively();
    let home = home_for(&rancher, "");
    let args = ["ramp", "--stages", "2m:1/s,10m:10/s,30m:hold", "--max-in-flight", "50", "--dry-run"];
    let output = command(&rancher, &home, &args).output().unwrap();
    let (out, _) = text(&output);
    assert_eq!(output.status.code(), Some(0));
    assert!(out.starts_with("6,120 clusters, ramp-0001 to ramp-6120, template "), "{out}");
    let output = command(&rancher, &home, &[&args[..], &["--output", "json"]].concat()).output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output).0));
    assert_eq!((&plan["first"], &plan["last"]), (&json!("ramp-0001"), &json!("ramp-6120")), "{plan:#}");
    assert_eq!((&plan["ramp"]["clusters"], &plan["ramp"]["maxInFlight"]), (&json!(6120), &json!(50)), "{plan:#}");
    assert!(plan["lastStartSeconds"].as_f64().is_some_and(|seconds| seconds > 719.0 && seconds < 720.0), "{plan:#}");
    assert_eq!(rancher.times_asked(), 0);
    for (args, mark) in [
        (
            ["ramp", "--clusters", "5", "--threshold", "fialed:rate<1%"],
            "\n  fialed:rate<1%\n  ^^^^^^ there is no metric",
        ),
        (["ramp", "--clusters", "5", "--rate", "fast"], "\n  fast\n  ^^^^ not a rate"),
        (["ramp", "--rate", "5/s", "--jitter", "0"], "--clusters: it says how many clusters, and is missing"),
    ] {
        let output = command(&rancher, &home, &args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output).1.contains(mark), "{}", text(&output).1);
    }
}

#[test]
fn the_report_opens_in_a_browser_light_and_dark() {
    let Some(browser) = chromium::find() else { return };
    let rancher = FakeRancher::lively();
    let home = home_for(&rancher, OFTEN);
    let folder = home.path().join("run");
    let args = [
        "ramp",
        "--clusters",
        "12",
        "--rate",
        "20/s",
        "--results",
        folder.to_str().unwrap(),
        "--threshold",
        "failed:rate<1%",
    ];
    assert_eq!(command(&rancher, &home, &args).output().unwrap().status.code(), Some(0));
    let url = format!("file://{}", folder.join("report.html").display());
    for dark in [false, true] {
        let picture = home.path().join("picture.png");
        let (document, complaints) = chromium::load(&browser, &url, &picture, dark);
        assert_eq!(complaints, [""; 0]);
        for part in
            ["<svg", "Planned and Active over time", "From intended start to each stage", "Rancher's own answers"]
        {
            assert!(document.contains(part), "{part:?} is missing in\n{document}");
        }
        assert!(std::fs::metadata(&picture).unwrap().len() > 50_000, "the picture is nearly empty");
    }
}
