//! One agent and several Rancher servers.

mod support;

use serde_json::{Value, json};
use support::fake_rancher::{API_TOKEN, Answer, FakeRancher};
use support::{Agent, agent_command, eventually, request};

fn start(servers: &[(&str, &FakeRancher)], more: &str) -> Agent {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("token"), API_TOKEN).unwrap();
    let mut text = format!("ListenPort: 0\nReconnectMax: 1s\n{more}Servers:\n");
    for (name, rancher) in servers {
        let (name, weight) = name.split_once('=').unwrap_or((name, ""));
        text += &format!("- Name: {name}\n  URL: {}\n  BearerTokenFile: token\n", rancher.url);
        if !weight.is_empty() {
            text += &format!("  Weight: {weight}\n");
        }
    }
    std::fs::write(home.path().join("config"), text).unwrap();
    Agent::start_in(home)
}

fn post(agent: &Agent, body: &Value) -> (u16, Value) {
    request("POST", &format!("{}/clusters", agent.url), Some(&body.to_string()))
}

fn names(rancher: &FakeRancher) -> Vec<String> {
    rancher.clusters().into_iter().map(|cluster| cluster.name).collect()
}

#[test]
fn a_cluster_goes_to_the_server_it_names_and_else_to_the_first() {
    let (east, west) = (FakeRancher::start(), FakeRancher::start());
    let agent = start(&[("east", &east), ("west", &west)], "");
    assert_eq!(post(&agent, &json!({"name": "a"})).1["server"], "east");
    assert_eq!(post(&agent, &json!({"name": "b", "server": "west"})).1["server"], "west");
    for name in ["a", "b"] {
        agent.await_state(name, "connected");
    }
    assert_eq!((names(&east), names(&west)), (vec!["a".into()], vec!["b".into()]));
    let (status, problem) = post(&agent, &json!({"name": "c", "server": "north"}));
    assert_eq!((status, &problem["type"]), (422, &"urn:scale-cluster-agent:unknown-server".into()), "{problem:#}");
    assert_eq!(problem["remedy"], "the configuration has east, west");

    let agent = agent.restart();
    assert_eq!(agent.await_state("b", "connected")["server"], "west");
    assert_eq!(agent.call("DELETE", "/clusters/b").0, 204);
    assert_eq!((names(&east).len(), names(&west).len()), (1, 0));
}

#[test]
fn weights_share_out_what_names_no_server() {
    let (east, west) = (FakeRancher::start(), FakeRancher::start());
    let agent = start(&[("east=3", &east), ("west=1", &west)], "");
    for number in 0..40 {
        assert_eq!(post(&agent, &json!({"name": format!("c-{number}")})).0, 201);
    }
    let (in_east, in_west) = (names(&east).len(), names(&west).len());
    assert_eq!(in_east + in_west, 40);
    assert!((22..=38).contains(&in_east), "about three in four: {in_east} and {in_west}");
}

#[test]
fn a_server_that_is_down_leaves_the_others_alone() {
    let (mut east, west) = (FakeRancher::start(), FakeRancher::start());
    let agent =
        start(&[("east", &east), ("west", &west)], "CreateWait: 200ms\nPollInterval: 1s\nRegistrationParallelism: 1\n");
    post(&agent, &json!({"name": "e"}));
    post(&agent, &json!({"name": "w", "server": "west"}));
    agent.await_state("e", "connected");
    agent.await_state("w", "connected");
    // A server that takes every call and answers none keeps its own registrars only.
    let _gate = west.hold("POST", "/v3/clusters");
    assert_eq!(post(&agent, &json!({"name": "stuck", "server": "west"})).0, 202);
    assert_eq!(post(&agent, &json!({"name": "free", "server": "east"})).0, 201);
    east.go_down();
    agent.await_state("e", "disconnected");
    assert_eq!(agent.call("GET", "/clusters/w").1["state"], "connected");
    let health = eventually("the one that is down is named", || match agent.call("GET", "/health") {
        (503, health) if health["ranchers"][0]["reachable"] == false => Ok(health),
        (_, health) => Err(format!("{health:#}")),
    });
    assert_eq!((&health["ranchers"][0]["name"], &health["ranchers"][1]["name"]), (&json!("east"), &json!("west")));
    assert!(health["problems"][0].as_str().unwrap().starts_with("east: "), "{health:#}");
    east.come_back();
    agent.await_state("e", "connected");
}

#[test]
fn a_token_that_one_server_refuses_pauses_that_server_only() {
    let (east, west) = (FakeRancher::start(), FakeRancher::start());
    let agent = start(&[("east", &east), ("west", &west)], "PollInterval: 1s\n");
    west.always("GET", "/v3/clusters", Answer::error(401, "Unauthorized", "must authenticate"));
    eventually("the token is found to be refused", || match agent.call("GET", "/health").1 {
        health if health["ranchers"][1]["tokenAccepted"] == false => Ok(()),
        health => Err(format!("{health:#}")),
    });
    assert_eq!(post(&agent, &json!({"name": "w", "server": "west"})).0, 502);
    assert_eq!(post(&agent, &json!({"name": "e"})).0, 201);
}

#[test]
fn a_server_that_is_no_longer_configured_keeps_the_agent_from_losing_its_clusters() {
    let (east, west) = (FakeRancher::start(), FakeRancher::start());
    let mut agent = start(&[("east", &east), ("west", &west)], "");
    post(&agent, &json!({"name": "w", "server": "west"}));
    assert!(agent.stop().0.success());
    let config = agent.home.path().join("config");
    let text = std::fs::read_to_string(&config).unwrap().replace("Name: west", "Name: south");
    std::fs::write(&config, text).unwrap();
    let output = agent_command(agent.home.path()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("cluster w") && message.contains("the server west, which is not configured"), "{message}");
}
