//! What survives: a restart, a kill at any moment, a full disk; and what is refused rather than believed.

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use support::fake_rancher::FakeRancher;
use support::{Agent, Peer, agent_command, eventually, request};

const STATE_FILE: &str = "state.v1.redb";

fn clusters(agent: &Agent) -> BTreeMap<String, Value> {
    let list = agent.call("GET", "/clusters").1;
    let all = list["clusters"].as_array().unwrap_or_else(|| panic!("{list:#}"));
    all.iter().map(|cluster| (cluster["name"].as_str().unwrap().to_owned(), cluster.clone())).collect()
}

#[test]
fn a_restart_is_a_reconnect() {
    let rancher = FakeRancher::lively();
    let agent = Agent::start_for(&rancher, "PollInterval: 1s\n");
    agent.create("edge-0001");
    let before = agent.await_state("edge-0001", "active");
    let agent = agent.restart();
    let after = agent.await_state("edge-0001", "active");
    for field in ["rancherId", "created", "reached"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(rancher.asked("POST", "/v3/clusters").len(), 1);
    let registrations = rancher.asked("GET", "/v3/connect/register");
    let announced: BTreeSet<_> =
        registrations.iter().map(|asked| asked.request.header("X-API-Tunnel-Params").unwrap()).collect();
    assert_eq!((registrations.len(), announced.len()), (2, 1), "a change would restart Rancher's controllers");
    assert_eq!(agent.call("DELETE", "/clusters/edge-0001").0, 204);
    assert_eq!(clusters(&agent.restart()).len(), 0, "what is deleted stays deleted");
    assert_eq!(rancher.clusters().len(), 0);
}

/// Operators create and delete while the agent is killed again and again, each time at another moment.
#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_leaked_however_often_the_agent_is_killed() {
    let kills = std::env::var("SURVIVAL_KILLS").map_or(12, |kills| kills.parse().unwrap());
    let seed = std::env::var("SURVIVAL_SEED").map_or(20_261_123, |seed| seed.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    // Each kill leaves clusters behind, and the Rancher by script holds several descriptors of each.
    rlimit::increase_nofile_limit(1_000 + 40 * kills as u64).unwrap();
    let rancher = FakeRancher::start();
    let mut agent = Agent::start_for(&rancher, "ReconnectMin: 10ms\nReconnectMax: 50ms\nLogLevel: warn\n");
    let mut acknowledged = BTreeMap::new();
    let mut deleted = BTreeSet::new();
    // Kills fall before, between and after the answers only if they keep step with the machine.
    let asked = Instant::now();
    assert_eq!(agent.create("first").0, 201);
    let longest = 8 * asked.elapsed();
    for kill in 0..kills {
        let url = agent.url.clone();
        let doomed: Vec<String> = acknowledged.keys().take(random.usize(0..2)).cloned().collect();
        let operators = thread::spawn({
            let doomed = doomed.clone();
            move || {
                let creates: Vec<_> = (0..4)
                    .map(|number| {
                        let (url, name) = (format!("{url}/clusters"), format!("k{kill}-{number}"));
                        let body = format!("{{\"name\":\"{name}\"}}");
                        thread::spawn(move || (name, try_request("POST", &url, Some(&body))))
                    })
                    .collect();
                let deletes: Vec<_> = doomed
                    .into_iter()
                    .map(|name| {
                        let url = format!("{url}/clusters/{name}");
                        thread::spawn(move || (name, try_request("DELETE", &url, None)))
                    })
                    .collect();
                let join = |threads: Vec<thread::JoinHandle<_>>| -> Vec<_> {
                    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
                };
                (join(creates), join(deletes))
            }
        });
        // The moment is what is tested: nothing waits for it.
        thread::sleep(longest.mul_f64(random.f64()));
        let home = agent.kill();
        let (creates, deletes) = operators.join().unwrap();
        for (name, answer) in creates {
            if let Some((201, cluster)) = answer {
                acknowledged.insert(name, cluster["rancherId"].clone());
            }
        }
        for (name, answer) in deletes {
            // Asked for, it may or may not have come about; acknowledged, it must.
            acknowledged.remove(&name);
            if matches!(answer, Some((202 | 204, _))) {
                deleted.insert(name);
            }
        }
        agent = Agent::start_in(home);
        let known = clusters(&agent);
        for (name, id) in &acknowledged {
            let cluster = known.get(name).unwrap_or_else(|| panic!("seed {seed}, kill {kill}: {name} is lost"));
            assert_eq!(&cluster["rancherId"], id, "seed {seed}, kill {kill}: {cluster:#}");
        }
    }
    eventually("Rancher and the agent agree", || {
        let known = clusters(&agent);
        let in_rancher = rancher.clusters();
        let ids: BTreeMap<_, _> = in_rancher.iter().map(|cluster| (cluster.name.clone(), cluster.id.clone())).collect();
        assert_eq!(ids.len(), in_rancher.len(), "seed {seed}: a name was created twice");
        let settled = known.values().all(|cluster| cluster["state"] == "connected");
        let same = known
            .iter()
            .map(|(name, cluster)| (name.clone(), cluster["rancherId"].as_str().unwrap_or_default().into()));
        if settled && ids == same.collect() { Ok(()) } else { Err(format!("{ids:?}\n{known:#?}")) }
    });
    let known = clusters(&agent);
    assert!(acknowledged.keys().all(|name| known.contains_key(name)));
    assert!(deleted.iter().all(|name| !known.contains_key(name)), "seed {seed}: what was deleted came back");
    assert!(acknowledged.len() >= kills, "too few requests were answered before the kills to prove anything");
}

/// An answer, unless the agent was killed before it gave one.
fn try_request(method: &'static str, url: &str, body: Option<&str>) -> Option<(u16, Value)> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = ureq::http::Request::builder().method(method).uri(url);
    let answer = match body {
        Some(body) => agent.run(request.body(body.to_owned()).unwrap()),
        None => agent.run(request.body(()).unwrap()),
    };
    let mut answer = answer.ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    Some((answer.status().as_u16(), serde_json::from_str(&text).unwrap_or_default()))
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn rancher_sees_a_killed_agent_as_a_reconnect() {
    let peer = Peer::start(&["--kubectl", "1"]);
    let agent =
        Agent::start(&peer, "JournalInterval: 50ms\nReconnectMin: 10ms\nReconnectMax: 100ms\nPollInterval: 1s\n");
    assert_eq!(agent.create("phoenix").0, 201);
    peer.settle(1);
    let objects = |what: &str| -> BTreeMap<String, (String, u64)> {
        let output = peer.kubectl("phoenix", &["get", what, "-A", "-o", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        let item = |item: &Value| {
            let metadata = &item["metadata"];
            let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
            let name = format!("{}/{}", text("namespace"), text("name"));
            (name, (text("uid"), text("resourceVersion").parse().unwrap()))
        };
        list["items"].as_array().unwrap().iter().map(item).collect()
    };
    let kinds = ["namespaces", "nodes", "serviceaccounts", "clusterroles", "clusterrolebindings", "deployments", "crd"];
    // What is older than the interval is on disk: that is the promise, so the test lets it grow older.
    thread::sleep(Duration::from_millis(500));
    let before: Vec<_> = kinds.iter().map(|kind| objects(kind)).collect();
    let agent = agent.kill_and_restart();
    agent.await_state("phoenix", "active");
    for (kind, before) in kinds.iter().zip(before) {
        let after = objects(kind);
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{kind}");
        for (name, (uid, version)) in &after {
            assert_eq!(uid, &before[name].0, "{kind} {name}");
            assert!(*version >= before[name].1, "{kind} {name}: {version} after {}", before[name].1);
        }
    }
    let verified = eventually("the watches follow again", || match peer.post("/clusters/phoenix/verify", "") {
        verified if verified["ok"] == true => Ok(verified),
        other => Err(format!("{other:#}")),
    });
    assert_eq!(verified["ok"], true);
    let cluster = peer.get("/clusters/phoenix");
    assert_eq!(cluster["paramsChanged"].as_array().map_or(0, Vec::len), 0, "{cluster:#}");
    assert_eq!(cluster["controllerRestarts"], 0, "{cluster:#}");
}

#[test]
fn a_file_that_cannot_be_believed_is_refused_and_left_alone() {
    let rancher = FakeRancher::start();
    let mut agent = Agent::start_for(&rancher, "");
    agent.create("edge-0001");
    assert!(agent.stop().0.success());
    let home = agent.home.path();
    let state = home.join(STATE_FILE);
    let good = fs::read(&state).unwrap();
    let refused = |home: &Path| {
        let output = agent_command(home).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let garbage = b"these are no clusters".repeat(1000);
    fs::write(&state, &garbage).unwrap();
    let message = refused(home);
    assert!(
        message.contains("state.v1.redb: it is no state file") && message.contains("restore the file"),
        "{message}"
    );
    assert!(fs::read(&state).unwrap() == garbage);
    fs::write(&state, &good).unwrap();
    let newer = home.join("state.v2.redb");
    fs::write(&newer, "whatever comes next").unwrap();
    let message = refused(home);
    assert!(message.contains("a newer version of this program wrote this file"), "{message}");
    assert_eq!(fs::read(&newer).unwrap(), b"whatever comes next");
    assert!(fs::read(&state).unwrap() == good);
}

#[test]
fn a_full_disk_stops_new_clusters_and_nothing_else() {
    let rancher = FakeRancher::start();
    let mut agent = Agent::start_for(&rancher, "");
    assert_eq!(agent.create("kept").0, 201);
    assert!(agent.stop().0.success());
    let home = std::mem::replace(&mut agent.home, tempfile::tempdir().unwrap());
    let limit_kib = 64 + fs::metadata(home.path().join(STATE_FILE)).unwrap().len().div_ceil(1024);
    // A limit of the file's size that does not kill: to the agent it is a disk that has no more room.
    let mut limited = Command::new("bash");
    let plain = agent_command(home.path());
    let script = format!("trap '' XFSZ; ulimit -f {limit_kib}; exec \"$0\" \"$@\"");
    limited.arg("-c").arg(script).arg(plain.get_program()).args(plain.get_args()).env_clear();
    limited.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    plain.get_envs().for_each(|(name, value)| _ = limited.env(name, value.unwrap_or_default()));
    let agent = Agent::start_as(limited, home);
    agent.await_state("kept", "connected");
    let mut acknowledged = vec!["kept".to_owned()];
    // What is free within the file takes some clusters yet.
    let (status, refusal) = (0..500)
        .find_map(|number| match agent.create(&format!("edge-{number}")) {
            (201, cluster) => {
                acknowledged.push(cluster["name"].as_str().unwrap().to_owned());
                None
            }
            refused => Some(refused),
        })
        .expect("the disk is full some time");
    assert_eq!(status, 503, "{refusal:#}");
    let detail = refusal["detail"].as_str().unwrap();
    assert!(detail.contains(STATE_FILE) || detail.contains("cannot be stored"), "{refusal:#}");
    let (status, health) = agent.call("GET", "/health");
    assert_eq!(status, 503);
    assert!(health["problems"][0].as_str().unwrap().contains("the state cannot be stored"), "{health:#}");
    agent.await_state("kept", "connected");
    let agent = Agent::start_in(agent.kill());
    let known = clusters(&agent);
    assert!(acknowledged.iter().all(|name| known.contains_key(name)), "{acknowledged:?} {known:#?}");
    eventually("there is room again", || match agent.create("after") {
        (201, _) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(request("GET", &format!("{}/health", agent.url), None).0, 200);
}
