//! The life of clusters between an operator, the agent and Rancher: what is deleted, restarted, stopped or lost on the way.

mod support;

use serde_json::Value;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use support::fake_rancher::{API_TOKEN, Answer, FakeRancher};
use support::{Agent, agent_command, eventually, home_for, request};

/// A request whose answer is waited for later.
fn begin(agent: &Agent, method: &'static str, path: &str, body: Option<&str>) -> JoinHandle<(u16, Value)> {
    let (url, body) = (format!("{}{path}", agent.url), body.map(str::to_owned));
    thread::spawn(move || request(method, &url, body.as_deref()))
}

fn begin_create(agent: &Agent, name: &str) -> JoinHandle<(u16, Value)> {
    begin(agent, "POST", "/clusters", Some(&format!(r#"{{"name":"{name}"}}"#)))
}

fn await_gone(agent: &Agent, name: &str) {
    eventually("the agent forgets the cluster", || match agent.call("GET", &format!("/clusters/{name}")) {
        (404, _) => Ok(()),
        (_, cluster) => Err(format!("{cluster:#}")),
    });
}

#[test]
fn tunnels_are_asked_for_as_a_real_agent_does() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    agent.create("edge-0001");
    agent.await_state("edge-0001", "connected");
    let register = &rancher.asked("GET", "/v3/connect/register")[0].request;
    let token = rancher.clusters()[0].registration_token.clone();
    assert_eq!(register.header("X-API-Tunnel-Token"), Some(token.as_str()));
    assert!(register.header("X-API-Tunnel-Params").is_some());
    let steve = &rancher.asked("GET", "/v3/connect")[0].request;
    assert_eq!(steve.header("Authorization"), Some(format!("Bearer stv-cluster-{token}").as_str()));
    assert!(steve.headers.iter().all(|(name, _)| !name.to_lowercase().starts_with("x-api-tunnel")), "{steve:?}");
}

#[test]
fn a_cluster_deleted_while_rancher_creates_it_goes_in_rancher_too() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let gate = rancher.hold("POST", "/v3/clusters");
    let creating = begin_create(&agent, "edge-0001");
    agent.await_state("edge-0001", "registering");
    assert_eq!(agent.call("DELETE", "/clusters/edge-0001?wait=false").0, 202);
    let (status, problem) = creating.join().unwrap();
    assert_eq!((status, &problem["detail"]), (409, &"edge-0001 is being deleted".into()), "{problem:#}");
    drop(gate);
    await_gone(&agent, "edge-0001");
    assert_eq!(rancher.asked("POST", "/v3/clusters").len(), 1);
    assert_eq!(rancher.clusters().len(), 0);
}

#[test]
fn a_cluster_that_rancher_created_without_saying_so_is_not_left_behind() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "CreateWait: 200ms\n");
    rancher.answer("POST", "/v3/clusters", [Answer::Lost]);
    rancher.always("POST", "/v3/clusters", Answer::html(502));
    let (status, cluster) = agent.create("edge-0001");
    assert_eq!((status, rancher.clusters().len()), (202, 1), "{cluster:#}");
    assert_eq!(agent.call("DELETE", "/clusters/edge-0001?wait=false").0, 202);
    await_gone(&agent, "edge-0001");
    assert_eq!(rancher.clusters().len(), 0);
}

#[test]
fn a_cluster_that_rancher_created_without_saying_so_is_taken_over() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    rancher.answer("POST", "/v3/clusters", [Answer::Lost]);
    let (status, cluster) = agent.create("edge-0001");
    assert_eq!((status, &cluster["rancherId"]), (201, &"c-00001".into()), "{cluster:#}");
    agent.await_state("edge-0001", "connected");
    assert_eq!(rancher.clusters().len(), 1);
}

#[test]
fn a_second_request_to_delete_does_not_disturb_the_first() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    agent.create("edge-0001");
    let gate = rancher.hold("DELETE", "/v3/clusters/*");
    let first = begin(&agent, "DELETE", "/clusters/edge-0001", None);
    agent.await_state("edge-0001", "deleting");
    assert_eq!(agent.call("DELETE", "/clusters/edge-0001?wait=false").0, 202);
    drop(gate);
    assert_eq!(first.join().unwrap().0, 204);
    assert_eq!(rancher.asked("DELETE", "/v3/clusters/*").len(), 1);
}

#[test]
fn a_cluster_that_rancher_lost_already_can_be_deleted() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    agent.create("edge-0001");
    agent.await_state("edge-0001", "connected");
    rancher.forget("edge-0001");
    assert_eq!(agent.call("DELETE", "/clusters/edge-0001").0, 204);
}

#[test]
fn rancher_is_asked_by_no_more_threads_than_configured() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "RegistrationParallelism: 3\nCreateWait: 1m\n");
    let gate = rancher.hold("POST", "/v3/clusters");
    let creating: Vec<_> = (0..12).map(|number| begin_create(&agent, &format!("edge-{number}"))).collect();
    eventually("all twelve are asked for", || match agent.call("GET", "/clusters").1["count"].as_u64() {
        Some(12) => Ok(()),
        count => Err(format!("{count:?}")),
    });
    eventually("Rancher is asked", || match rancher.asked("POST", "/v3/clusters").len() {
        3 => Ok(()),
        count => Err(count.to_string()),
    });
    assert_eq!(agent.call("GET", "/health").0, 200, "the API answers while Rancher does not");
    assert_eq!(rancher.asked("POST", "/v3/clusters").len(), 3);
    drop(gate);
    let statuses: Vec<u16> = creating.into_iter().map(|thread| thread.join().unwrap().0).collect();
    assert_eq!(statuses, [201; 12]);
    assert_eq!(rancher.clusters().len(), 12);
}

#[test]
fn clusters_come_back_when_rancher_does() {
    let mut rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "ReconnectMax: 1s\nCreateWait: 200ms\n");
    agent.create("edge-0001");
    agent.await_state("edge-0001", "connected");
    rancher.go_down();
    let lost = agent.await_state("edge-0001", "disconnected");
    assert_eq!(lost["rancherId"], "c-00001", "{lost:#}");
    let (status, waiting) = agent.create("edge-0002");
    assert_eq!((status, &waiting["state"]), (202, &"registering".into()), "{waiting:#}");
    assert!(waiting["lastError"].as_str().is_some_and(|error| error.contains("unreachable")), "{waiting:#}");
    assert!(waiting["nextAttempt"].is_string(), "{waiting:#}");
    let (status, health) = agent.call("GET", "/health");
    assert_eq!((status, &health["ranchers"][0]["reachable"]), (503, &false.into()), "{health:#}");

    rancher.come_back();
    agent.await_state("edge-0001", "connected");
    agent.await_state("edge-0002", "connected");
    let (status, health) = agent.call("GET", "/health");
    assert_eq!((status, &health["tunnelsUp"]), (200, &4.into()), "{health:#}");
}

#[test]
fn a_signal_ends_the_agent_in_order() {
    for signal in ["TERM", "INT"] {
        let rancher = FakeRancher::start();
        let mut agent = Agent::start_for(&rancher, "");
        agent.create("edge-0001");
        agent.await_state("edge-0001", "connected");
        let began = Instant::now();
        agent.signal(signal);
        assert_eq!(agent.wait().code(), Some(0), "{signal}");
        assert!(began.elapsed().as_secs() < 10, "{signal}: {:?}", began.elapsed());
        eventually("both tunnels end with a close frame", || match rancher.close_codes()[..] {
            [Some(1000), Some(1000)] => Ok(()),
            ref codes => Err(format!("{codes:?}")),
        });
        assert_eq!(rancher.clusters().len(), 1, "the cluster stays in Rancher");
    }
}

#[test]
fn who_waits_when_the_agent_is_stopped_is_answered() {
    let rancher = FakeRancher::start();
    let mut agent = Agent::start_for(&rancher, "");
    let _gate = rancher.hold("POST", "/v3/clusters");
    let waiting = begin_create(&agent, "edge-0001");
    agent.await_state("edge-0001", "registering");
    agent.signal("TERM");
    assert_eq!(waiting.join().unwrap().0, 202);
    assert_eq!(agent.wait().code(), Some(0), "a Rancher that does not answer holds up nobody's end");
}

#[test]
fn a_second_signal_ends_the_agent_at_once() {
    let rancher = FakeRancher::start();
    // Nobody answers the close frames, so that the first signal takes a moment.
    rancher.be_deaf();
    let mut agent = Agent::start_for(&rancher, "");
    agent.create("edge-0001");
    agent.await_state("edge-0001", "connected");
    agent.signal("TERM");
    eventually("the agent is stopping", || {
        let log = agent.log();
        if log.contains("stopping: ") { Ok(()) } else { Err(log) }
    });
    agent.signal("TERM");
    assert_eq!(agent.wait().code(), Some(130));
}

#[test]
fn a_rancher_that_says_nothing_does_not_outlast_a_signal() {
    let rancher = FakeRancher::start();
    let _gate = rancher.hold("GET", "/v3/clusters");
    let home = home_for(&rancher, "");
    let mut agent = agent_command(home.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("Rancher is asked", || match rancher.times_asked() {
        0 => Err("nothing".to_owned()),
        _ => Ok(()),
    });
    let began = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &agent.id().to_string()]).status().unwrap().success());
    assert_eq!(agent.wait().unwrap().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn no_secret_is_in_any_line_of_the_log() {
    let rancher = FakeRancher::start();
    let mut agent = Agent::start_for(&rancher, "LogLevel: trace\n");
    rancher.answer("GET", "/v3/connect*", [Answer::text(400, "cluster not found")]);
    agent.create("edge-0001");
    agent.await_state("edge-0001", "connected");
    let shown = agent.call("GET", "/clusters/edge-0001").1.to_string();
    agent.stop();
    let log = agent.log();
    assert!(log.contains("edge-0001") && log.contains("cluster not found"), "{log}");
    let registration_token = rancher.clusters()[0].registration_token.clone();
    let params =
        rancher.asked("GET", "/v3/connect/register")[0].request.header("X-API-Tunnel-Params").unwrap().to_owned();
    for secret in [API_TOKEN, &registration_token, &params] {
        for secret in [secret, secret.rsplit(':').next().unwrap()] {
            assert!(!log.contains(secret) && !shown.contains(secret), "{secret} is in the log or shown");
        }
    }
}
