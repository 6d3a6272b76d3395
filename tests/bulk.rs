//! Many clusters at once: operations, prefixes, templates.

mod support;

use serde_json::{Value, json};
use support::fake_rancher::FakeRancher;
use support::{Agent, agent_command, eventually, home_for, request};

fn post(agent: &Agent, body: &Value) -> (u16, Value) {
    request("POST", &format!("{}/clusters", agent.url), Some(&body.to_string()))
}

fn done(agent: &Agent, operation: &Value) -> Value {
    let id = operation["id"].as_u64().unwrap_or_else(|| panic!("no operation: {operation:#}"));
    eventually("the operation ends", || match agent.call("GET", &format!("/operations/{id}")).1 {
        operation if operation["state"] == "done" => Ok(operation),
        operation => Err(format!("{operation:#}")),
    })
}

fn names(rancher: &FakeRancher) -> Vec<String> {
    rancher.clusters().into_iter().map(|cluster| cluster.name).collect()
}

#[test]
fn a_prefix_and_a_count_make_clusters_and_asking_again_makes_what_is_missing() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    assert_eq!(agent.create("edge-0009").0, 201);
    let body = json!({"prefix": "edge-", "count": 12, "start": 5, "width": 4, "template": "small", "rate": "200/s"});
    let (status, operation) = post(&agent, &body);
    assert_eq!((status, &operation["kind"], &operation["total"]), (202, &json!("create"), &json!(12)));
    let operation = done(&agent, &operation);
    assert_eq!((&operation["done"], &operation["already"], &operation["failed"]), (&json!(11), &json!(1), &json!(0)));
    let mut made = names(&rancher);
    made.sort();
    let expected: Vec<String> = (5..17).map(|number| format!("edge-{number:04}")).collect();
    assert_eq!(made, expected);
    assert_eq!(agent.await_state("edge-0016", "connected")["template"], "small");

    let again = done(&agent, &post(&agent, &body).1);
    assert_eq!((&again["done"], &again["already"]), (&json!(0), &json!(12)));
    assert_eq!(names(&rancher).len(), 12);
    let operations = agent.call("GET", "/operations").1;
    assert_eq!(operations["operations"][0]["id"], again["id"], "the latest comes first: {operations:#}");
}

#[test]
fn a_prefix_is_deleted_here_and_in_rancher_and_nothing_else_is() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    assert_eq!(agent.create("edgy").0, 201);
    done(&agent, &post(&agent, &json!({"prefix": "edge-", "count": 5})).1);
    let (status, problem) = agent.call("DELETE", "/clusters");
    assert_eq!((status, problem["detail"].as_str()), (400, Some("neither \"prefix\" nor \"run\" says which clusters")));
    assert_eq!(agent.call("DELETE", "/clusters?prefix=").0, 400);
    let (status, operation) = agent.call("DELETE", "/clusters?prefix=edge-");
    assert_eq!((status, &operation["kind"], &operation["total"]), (202, &json!("delete"), &json!(5)));
    assert_eq!(done(&agent, &operation)["done"], 5);
    assert_eq!(names(&rancher), ["edgy"]);
    assert_eq!(agent.call("GET", "/clusters").1["count"], 1);
}

#[test]
fn a_cancelled_operation_leaves_what_it_has_made() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let (_, operation) = post(&agent, &json!({"prefix": "edge-", "count": 50, "rate": "1/m"}));
    let path = format!("/operations/{}", operation["id"]);
    agent.await_state("edge-1", "connected");
    assert_eq!(agent.call("DELETE", &path), (200, agent.call("GET", &path).1));
    let operation = agent.call("GET", &path).1;
    assert_eq!((&operation["state"], &operation["done"]), (&json!("cancelled"), &json!(1)), "{operation:#}");
    assert_eq!(names(&rancher), ["edge-1"]);
    assert_eq!(agent.call("GET", "/operations/99").0, 404);
}

#[test]
fn what_cannot_be_is_refused_whole() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "MaxClusters: 20\n");
    for (body, status, kind, detail) in [
        (json!({"prefix": "edge-"}), 400, "bad-request", "the field \"count\" is missing"),
        (
            json!({"prefix": "edge-", "count": 0}),
            400,
            "bad-request",
            "the field \"count\" is 0, expected a whole number from 1 to 100000",
        ),
        (json!({"prefix": "Edge-", "count": 2}), 422, "invalid-name", "character 1 of the name is 'E'"),
        (json!({"prefix": "edge-", "count": 21}), 409, "limit-reached", "21 more are over MaxClusters"),
        (
            json!({"prefix": "edge-", "count": 2, "rate": "fast"}),
            400,
            "bad-request",
            "\"fast\", character 1: not a rate",
        ),
        (
            json!({"prefix": "edge-", "count": 2, "template": "tiny"}),
            422,
            "unknown-template",
            "there is no template named \"tiny\"",
        ),
        (json!({"name": "edge", "count": 2}), 400, "bad-request", "the field \"count\" goes with \"prefix\""),
        (json!({"name": "edge", "prefix": "e"}), 400, "bad-request", "both \"name\" and \"prefix\" are given"),
    ] {
        let (answered, problem) = post(&agent, &body);
        assert_eq!(problem["type"], format!("urn:scale-cluster-agent:{kind}"), "{body}: {problem:#}");
        assert_eq!(answered, status, "{body}: {problem:#}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{body}: {problem:#}");
    }
    assert_eq!(agent.call("GET", "/clusters").1["count"], 0);
}

#[test]
fn a_template_of_the_users_own_goes_with_the_cluster_over_a_restart() {
    let rancher = FakeRancher::start();
    let home = home_for(&rancher, "");
    std::fs::create_dir(home.path().join("templates")).unwrap();
    let text = "nodes:\n- name: only\nnamespaces:\n- name: mine\n";
    std::fs::write(home.path().join("templates/mine.yaml"), text).unwrap();
    let agent = Agent::start_in(home);
    assert_eq!(post(&agent, &json!({"name": "own", "template": "mine"})).0, 201);
    agent.await_state("own", "connected");
    let mut agent = agent.restart();
    agent.await_state("own", "connected");
    let cluster = agent.call("GET", "/clusters/own").1;
    assert_eq!((&cluster["template"], &cluster["info"]["nodes"][0]["name"]), (&json!("mine"), &json!("only")));

    assert!(agent.stop().0.success());
    std::fs::remove_file(agent.home.path().join("templates/mine.yaml")).unwrap();
    let output = agent_command(agent.home.path()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("cluster own is made from the template mine, which is not there"), "{message}");
}
