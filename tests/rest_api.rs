//! The operator's REST API, as curl sees it.

mod support;

use serde_json::{Value, json};
use support::fake_rancher::FakeRancher;
use support::{Agent, request};

/// A Rancher that accepts every cluster, forgets it when told to, and never makes a tunnel possible.
fn willing() -> FakeRancher {
    let deleted = std::sync::atomic::AtomicBool::new(false);
    FakeRancher::start(move |method, path| {
        let json: &[&str] = &["Content-Type: application/json"];
        match (method, path) {
            ("POST", "/v3/clusters") => (201, json, json!({ "id": "c-abcde", "name": "x" }).to_string()),
            ("GET", path) if path.starts_with("/v3/clusterregistrationtokens") => {
                (200, json, json!({ "data": [{ "token": "registration-secret" }] }).to_string())
            }
            ("DELETE", _) => {
                deleted.store(true, std::sync::atomic::Ordering::SeqCst);
                (200, json, "{}".into())
            }
            ("GET", "/v3/clusters/c-abcde") if deleted.load(std::sync::atomic::Ordering::SeqCst) => {
                (404, json, json!({ "type": "error", "status": 404, "code": "NotFound" }).to_string())
            }
            ("GET", path) if path.starts_with("/v3/connect") => (400, json, "cluster not found".into()),
            _ => (200, json, json!({ "data": [] }).to_string()),
        }
    })
}

fn agent(rancher: &FakeRancher) -> Agent {
    let home = tempfile::tempdir().unwrap();
    let text = format!(
        "RancherURL: {}\nBearerToken: token-a:b\nListenPort: 0\nMaxRequestBytes: 2000\nMaxClusters: 2\n",
        rancher.url
    );
    std::fs::write(home.path().join("config"), text).unwrap();
    Agent::start_in(home)
}

fn post(agent: &Agent, body: &str) -> (u16, Value) {
    request("POST", &format!("{}/clusters", agent.url), Some(body))
}

#[test]
fn a_cluster_is_created_shown_listed_and_deleted() {
    let rancher = willing();
    let agent = agent(&rancher);
    let (status, created) = agent.create("edge-1");
    assert_eq!((status, &created["name"], &created["rancherId"]), (201, &"edge-1".into(), &"c-abcde".into()));

    let (status, shown) = agent.call("GET", "/clusters/edge-1");
    assert_eq!((status, &shown["name"]), (200, &"edge-1".into()));
    assert!(["registered", "connecting"].contains(&shown["state"].as_str().unwrap()), "{shown:#}");
    assert!(!shown.to_string().contains("registration-secret"), "{shown:#}");

    let (status, list) = agent.call("GET", "/clusters?limit=1");
    assert_eq!((status, &list["count"], &list["clusters"][0]["name"]), (200, &json!(1), &"edge-1".into()), "{list:#}");
    assert!(list["continue"].is_null());
    let (_, none) = agent.call("GET", "/clusters?state=connected");
    assert_eq!(none["count"], 0);

    let (status, health) = agent.call("GET", "/health");
    assert_eq!((status, &health["status"]), (200, &"ok".into()), "{health:#}");

    let (status, _) = agent.call("DELETE", "/clusters/edge-1");
    assert_eq!(status, 204);
    assert_eq!(rancher.count("DELETE /v3/clusters/c-abcde"), 1);
    let (status, _) = agent.call("GET", "/clusters/edge-1");
    assert_eq!(status, 404);
}

#[test]
fn without_waiting_the_answer_is_where_to_look() {
    let rancher = willing();
    let agent = agent(&rancher);
    let (status, answer) = request("POST", &format!("{}/clusters?wait=false", agent.url), Some(r#"{"name":"edge-1"}"#));
    assert_eq!((status, &answer["name"]), (202, &"edge-1".into()), "{answer:#}");
}

#[test]
fn each_bad_request_gets_its_own_words() {
    let rancher = willing();
    let agent = agent(&rancher);
    assert_eq!(agent.create("taken").0, 201);
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(3000));
    for (body, status, words) in [
        ("", 400, "empty"),
        ("{\"name\":", 400, "line 1"),
        ("[]", 400, "an array"),
        (r#"{"name":1}"#, 400, "a number"),
        ("{}", 400, "missing"),
        (r#"{"name":"a","colour":"red"}"#, 400, "colour"),
        (r#"{"name":"Edge"}"#, 422, "character 1"),
        (r#"{"name":""}"#, 422, "empty"),
        (r#"{"name":"taken"}"#, 409, "exists already"),
        (&long, 413, "2000 bytes"),
    ] {
        let (answered, problem) = post(&agent, body);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert_eq!(answered, status, "{body}: {problem:#}");
        assert!(detail.contains(words), "{body}: {detail}");
        assert!(problem["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{problem:#}");
    }
    for (method, path, status) in [
        ("GET", "/clusters/nobody", 404),
        ("DELETE", "/clusters/nobody", 404),
        ("GET", "/nothing/here", 404),
        ("PUT", "/clusters", 405),
        ("POST", "/health", 405),
        ("GET", "/clusters?state=happy", 400),
        ("GET", "/clusters?limit=0", 400),
        ("GET", "/health?verbose=1", 400),
        ("DELETE", "/clusters/taken?wait=perhaps", 400),
    ] {
        let (answered, problem) = agent.call(method, path);
        assert_eq!(answered, status, "{method} {path}: {problem:#}");
        assert_eq!(problem["status"], status, "{method} {path}");
    }
    assert_eq!(agent.create("second").0, 201);
    let (status, problem) = agent.create("third");
    assert_eq!(status, 503);
    assert!(problem["detail"].as_str().unwrap().contains("MaxClusters"), "{problem:#}");
}

#[test]
fn an_orderly_end_is_quick() {
    let rancher = willing();
    let mut agent = agent(&rancher);
    assert_eq!(agent.create("edge-1").0, 201);
    let (status, took) = agent.stop();
    assert!(status.success(), "{status}");
    assert!(took.as_secs() < 5, "{took:?}");
}
