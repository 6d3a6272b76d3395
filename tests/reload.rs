//! What changes while the agent runs: tokens in files, and the configuration after a SIGHUP.

mod support;

use std::fs;
use support::fake_rancher::{API_TOKEN, Answer, FakeRancher};
use support::{Agent, eventually};

fn start(rancher: &FakeRancher, lines: &str) -> Agent {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("token"), format!("{API_TOKEN}\n")).unwrap();
    let text = format!("RancherURL: {}\nListenPort: 0\nPollInterval: 1s\n{lines}", rancher.url);
    fs::write(home.path().join("config"), text).unwrap();
    Agent::start_in(home)
}

fn await_log(agent: &Agent, text: &str) {
    eventually(&format!("{text:?} in the log"), || {
        let log = agent.log();
        if log.contains(text) { Ok(()) } else { Err(log) }
    });
}

fn await_token_accepted(agent: &Agent, accepted: bool) {
    eventually(&format!("token accepted: {accepted}"), || match agent.call("GET", "/health").1 {
        health if health["ranchers"][0]["tokenAccepted"] == accepted => Ok(()),
        health => Err(format!("{health:#}")),
    });
}

#[test]
fn a_token_file_is_read_again_when_it_changes() {
    let rancher = FakeRancher::start();
    let agent = start(&rancher, "BearerTokenFile: token\n");
    assert_eq!(agent.create("edge-0001").0, 201);
    agent.await_state("edge-0001", "connected");
    let token = agent.home.path().join("token");
    fs::write(&token, "token-other:wrong").unwrap();
    await_token_accepted(&agent, false);
    assert_eq!(agent.create("edge-0002").0, 502, "registration pauses");
    assert_eq!(agent.call("GET", "/clusters/edge-0001").1["state"], "connected", "existing tunnels stay");
    fs::write(&token, "two words").unwrap();
    await_log(&agent, "the API token stays as it was");
    fs::write(&token, API_TOKEN).unwrap();
    await_token_accepted(&agent, true);
    assert_eq!(agent.create("edge-0002").0, 201);
    assert!(!agent.log().contains("token-other:wrong") && !agent.log().contains(API_TOKEN), "no secret in the log");
}

#[test]
fn sighup_brings_into_force_what_it_can_and_lists_the_rest() {
    let rancher = FakeRancher::start();
    let agent = start(&rancher, "BearerToken: \"token-other:wrong\"\nLogLevel: info\n");
    await_token_accepted(&agent, false);
    let config = agent.home.path().join("config");
    let text = fs::read_to_string(&config).unwrap();
    let better = text.replace("token-other:wrong", API_TOKEN).replace("LogLevel: info", "LogLevel: debug\nWorkers: 3");
    fs::write(&config, better).unwrap();
    agent.signal("HUP");
    await_log(&agent, "configuration read again; in force now: LogLevel, BearerToken");
    await_log(&agent, "these settings changed too and need a restart: Workers");
    await_token_accepted(&agent, true);
    assert_eq!(agent.create("edge-0001").0, 201);
    await_log(&agent, "cluster edge-0001: registering -> registered");
}

#[test]
fn a_configuration_that_cannot_be_used_changes_nothing() {
    let rancher = FakeRancher::start();
    let agent = start(&rancher, "BearerTokenFile: token\n");
    fs::write(agent.home.path().join("config"), "Worker: 3\n").unwrap();
    agent.signal("HUP");
    await_log(&agent, "the configuration stays as it was");
    await_log(&agent, "unknown key `Worker`; did you mean `Workers`?");
    assert_eq!(agent.create("edge-0001").0, 201);
}

#[test]
fn a_rancher_that_asks_for_time_gets_it() {
    let rancher = FakeRancher::start();
    let agent = start(&rancher, "BearerTokenFile: token\nReconnectMin: 10ms\nReconnectMax: 20ms\n");
    rancher.answer("GET", "/v3/connect/register", [Answer::text(503, "later").with_header("Retry-After", "2")]);
    agent.create("edge-0001");
    let asked = |count: usize| {
        eventually("the tunnel is asked for", || match rancher.asked("GET", "/v3/connect/register").len() {
            len if len >= count => Ok(std::time::Instant::now()),
            len => Err(len.to_string()),
        })
    };
    let first = asked(1);
    let second = asked(2);
    assert!(second - first >= std::time::Duration::from_millis(1_800), "{:?}", second - first);
    agent.await_state("edge-0001", "connected");
}
