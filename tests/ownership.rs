//! Whose a cluster is, and the tokens that prove it.

mod support;

use serde_json::{Value, json};
use support::fake_rancher::{API_TOKEN, FakeRancher};
use support::{Agent, eventually, request};

fn post(agent: &Agent, body: &Value) -> (u16, Value) {
    request("POST", &format!("{}/clusters", agent.url), Some(&body.to_string()))
}

/// The parameters that the agent announced last.
fn announced(rancher: &FakeRancher) -> String {
    let asked = rancher.asked("GET", "/v3/connect*");
    asked.iter().rev().find_map(|asked| asked.request.header("X-API-Tunnel-Params").map(str::to_owned)).unwrap()
}

#[test]
fn somebody_elses_cluster_is_adopted_only_on_request_and_keeps_its_labels() {
    let rancher = FakeRancher::start();
    let id = rancher.import_foreign("edge");
    rancher.label("edge", &json!({"team": "storage"}));
    let agent = Agent::start_for(&rancher, "");
    let (status, problem) = post(&agent, &json!({"name": "edge"}));
    assert_eq!((status, &problem["type"]), (409, &json!("urn:scale-cluster-agent:conflict")), "{problem:#}");
    assert!(problem["remedy"].as_str().unwrap().contains("\"adopt\": true"), "{problem:#}");
    assert_eq!(agent.call("GET", "/clusters").1["count"], 0);
    assert_eq!(rancher.asked("PUT", "*").len(), 0);

    let (status, cluster) = post(&agent, &json!({"name": "edge", "adopt": true}));
    assert_eq!((status, &cluster["rancherId"]), (201, &json!(id)), "{cluster:#}");
    agent.await_state("edge", "connected");
    let labels = rancher.clusters()[0].labels.clone();
    assert_eq!(labels["team"], "storage");
    assert_eq!(labels.as_object().unwrap().len(), 2, "{labels}");
    assert_eq!(agent.call("DELETE", "/clusters/edge").0, 204);
    assert_eq!(rancher.clusters().len(), 0, "it is this agent's now");
}

#[test]
fn a_cluster_that_something_is_connected_for_is_not_adopted() {
    let rancher = FakeRancher::start();
    rancher.import_foreign("production");
    rancher.set_connected("production", true);
    let agent = Agent::start_for(&rancher, "");
    let (status, problem) = post(&agent, &json!({"name": "production", "adopt": true}));
    assert_eq!(status, 409, "{problem:#}");
    assert!(problem["detail"].as_str().unwrap().contains("cannot be adopted: it is connected"), "{problem:#}");
    assert_eq!((rancher.asked("PUT", "*").len(), rancher.asked("DELETE", "*").len()), (0, 0));
    assert_eq!(agent.call("DELETE", "/clusters/production").0, 404, "it is nobody's here");
}

#[test]
fn a_service_account_token_is_rotated_on_purpose_only() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    agent.create("edge");
    agent.await_state("edge", "connected");
    let first = announced(&rancher);
    rancher.cut_connections();
    eventually("the tunnels are open again", || match agent.await_state("edge", "connected") {
        cluster if cluster["tunnels"]["api"]["connects"] == 2 => Ok(()),
        cluster => Err(format!("{cluster:#}")),
    });
    assert_eq!(announced(&rancher), first, "a reconnect announces the same");

    let (status, cluster) = agent.call("POST", "/clusters/edge/rotate-token");
    assert_eq!((status, &cluster["tokenRotations"]), (202, &json!(1)));
    let registered = || rancher.asked("GET", "/v3/connect/register").len();
    eventually("it registers again", || if registered() == 2 { Ok(()) } else { Err(registered().to_string()) });
    let second = announced(&rancher);
    assert_ne!(second, first);
    agent.await_state("edge", "connected");
    let agent = agent.restart();
    agent.await_state("edge", "connected");
    assert_eq!(announced(&rancher), second, "a restart announces the rotated one");
    assert_eq!(agent.call("POST", "/clusters/nope/rotate-token").0, 404);
    assert_eq!(agent.call("GET", "/clusters/edge/rotate-token").0, 405);
}

#[test]
fn a_registration_token_that_rancher_rotated_is_fetched_anew() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "ReconnectMax: 1s\n");
    agent.create("edge");
    agent.await_state("edge", "connected");
    rancher.rotate_registration_tokens();
    rancher.cut_connections();
    let id = agent.await_state("edge", "disconnected")["rancherId"].clone();
    let cluster = agent.await_state("edge", "connected");
    assert_eq!(cluster["rancherId"], id, "the cluster is not lost");
    let last = rancher.asked("GET", "/v3/connect*").pop().unwrap().request;
    let rotated = rancher.clusters()[0].registration_token.clone();
    assert!(rotated.starts_with("rotated-"));
    assert!(format!("{last:?}").contains(&rotated), "{last:?}");
    assert!(!agent.log().contains(&rotated) && !agent.log().contains(API_TOKEN));
}
