//! The agent's REST API as an operator meets it with curl; Rancher is a script.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use support::fake_rancher::FakeRancher;
use support::http::{self, Response};
use support::{Agent, eventually};

/// One request with the header fields and body that curl would send.
fn call(agent: &Agent, method: &str, path: &str, body: Option<&str>) -> Response {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n");
    if let Some(body) = body {
        request.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    http::send(&agent.url, format!("{request}{}", body.unwrap_or_default()).as_bytes())
}

fn create(agent: &Agent, name: &str) -> Response {
    call(agent, "POST", "/clusters", Some(&json!({ "name": name }).to_string()))
}

fn names(list: &Value) -> Vec<&str> {
    list["clusters"].as_array().unwrap().iter().map(|cluster| cluster["name"].as_str().unwrap()).collect()
}

/// Asserts that the answer is a problem of RFC 9457 with a next step, and returns its detail.
fn problem(answer: &Response, status: u16) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("Content-Type"), Some("application/problem+json"));
    assert!(answer.body.ends_with('\n'));
    let body = answer.json();
    assert_eq!(body["status"], status);
    for member in ["type", "title", "detail", "instance", "remedy"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member} of {body:#}");
    }
    body["detail"].as_str().unwrap().to_owned()
}

#[test]
fn a_cluster_is_created_shown_listed_and_deleted() {
    let rancher = FakeRancher::start();
    rancher.linger(1);
    let agent = Agent::start_for(&rancher, "");
    let created = create(&agent, "edge-0001");
    assert_eq!((created.status, created.header("Location")), (201, Some("/clusters/edge-0001")), "{created:?}");
    assert_eq!(created.header("Content-Type"), Some("application/json"));
    assert_eq!(created.json()["rancherId"], rancher.clusters()[0].id.as_str());
    assert_eq!(rancher.clusters()[0].name, "edge-0001");

    let cluster = agent.await_state("edge-0001", "connected");
    assert_eq!(cluster["tunnels"]["api"]["up"], true, "{cluster:#}");
    assert_eq!(cluster["tunnels"]["steve"]["up"], true, "{cluster:#}");
    assert_eq!(cluster["info"]["name"], "edge-0001", "{cluster:#}");
    assert!(cluster["info"]["nodes"].as_array().is_some_and(|nodes| !nodes.is_empty()), "{cluster:#}");
    assert!(cluster.get("lastError").is_none(), "{cluster:#}");
    let list = call(&agent, "GET", "/clusters", None).json();
    assert_eq!((names(&list), &list["count"]), (vec!["edge-0001"], &json!(1)));

    let deleted = call(&agent, "DELETE", "/clusters/edge-0001", None);
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""), "{deleted:?}");
    assert_eq!(rancher.clusters().len(), 0);
    let asked = rancher.asked("GET", "/v3/clusters/c-00001");
    let tunnels: Vec<usize> = asked.iter().map(|asked| asked.open_tunnels).collect();
    assert_eq!(tunnels, [2, 2], "Rancher cleans up through the tunnels until it has forgotten the cluster");
    problem(&call(&agent, "GET", "/clusters/edge-0001", None), 404);
    eventually("both tunnels end with a close frame", || match rancher.close_codes()[..] {
        [Some(1000), Some(1000)] => Ok(()),
        ref codes => Err(format!("{codes:?}")),
    });
}

#[test]
fn a_name_in_use_is_a_conflict_here_and_in_rancher() {
    let rancher = FakeRancher::start();
    let foreign = rancher.import_foreign("production");
    let agent = Agent::start_for(&rancher, "");
    assert_eq!(create(&agent, "edge-0001").status, 201);
    let detail = problem(&create(&agent, "edge-0001"), 409);
    assert!(detail.starts_with("a cluster named edge-0001 exists already, in state "), "{detail}");

    let detail = problem(&create(&agent, "production"), 409);
    assert!(detail.contains(&foreign) && detail.contains("did not create"), "{detail}");
    problem(&call(&agent, "GET", "/clusters/production", None), 404);
    problem(&call(&agent, "DELETE", "/clusters/production", None), 404);
    assert_eq!(rancher.clusters().len(), 2);
    assert!(rancher.asked("DELETE", "*").is_empty(), "what the agent did not create it does not delete");
}

#[test]
fn without_wait_the_answer_comes_before_ranchers() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let gate = rancher.hold("POST", "/v3/clusters");
    let accepted = call(&agent, "POST", "/clusters?wait=false", Some(r#"{"name":"edge-0001"}"#));
    assert_eq!((accepted.status, accepted.header("Location")), (202, Some("/clusters/edge-0001")));
    assert!(accepted.json().get("rancherId").is_none());
    drop(gate);
    agent.await_state("edge-0001", "connected");
    let deleting = call(&agent, "DELETE", "/clusters/edge-0001?wait=false", None);
    assert_eq!((deleting.status, &deleting.json()["state"]), (202, &json!("deleting")));
    eventually("Rancher forgets it", || match rancher.clusters().len() {
        0 => Ok(()),
        many => Err(many.to_string()),
    });
}

#[test]
fn a_rancher_that_takes_longer_than_create_wait_leads_to_202() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "CreateWait: 200ms\n");
    let gate = rancher.hold("POST", "/v3/clusters");
    let accepted = create(&agent, "edge-0001");
    assert_eq!((accepted.status, accepted.header("Location")), (202, Some("/clusters/edge-0001")), "{accepted:?}");
    assert_eq!(accepted.json()["state"], "registering");
    drop(gate);
    agent.await_state("edge-0001", "connected");
    assert_eq!(rancher.asked("POST", "/v3/clusters").len(), 1);
}

#[test]
fn each_mistake_in_a_body_is_named() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    for (body, status, detail) in [
        ("", 400, "the body is empty"),
        ("{\"name\":\n edge}", 400, "the body is no JSON: expected value at line 2 column 2"),
        (r#"{"name":"edge-0001""#, 400, "the body is no JSON: EOF while parsing an object at line 1 column 19"),
        (r#"["edge-0001"]"#, 400, "the body is an array, not an object"),
        ("{}", 400, r#"the field "name" is missing"#),
        (r#"{"name":7}"#, 400, r#"the field "name" is a number, expected a string"#),
        (r#"{"name":null}"#, 400, r#"the field "name" is null, expected a string"#),
        (r#"{"name":"a","nmae":"b"}"#, 400, r#"the field "nmae" is unknown; did you mean "name"?"#),
        (r#"{"name":""}"#, 422, "the name is empty"),
        (r#"{"name":"Edge"}"#, 422, "character 1 of the name is 'E'; only a-z, 0-9 and '-' are allowed"),
        (r#"{"name":"edge_1"}"#, 422, "character 5 of the name is '_'; only a-z, 0-9 and '-' are allowed"),
        (r#"{"name":"a.b"}"#, 422, "character 2 of the name is '.'; only a-z, 0-9 and '-' are allowed"),
        (r#"{"name":"-edge"}"#, 422, "the name begins with '-'; it must begin and end with a letter or digit"),
        (r#"{"name":"edge-"}"#, 422, "the name ends with '-'; it must begin and end with a letter or digit"),
    ] {
        assert_eq!(problem(&call(&agent, "POST", "/clusters", Some(body)), status), detail, "{body}");
    }
    let long = "x".repeat(64);
    assert!(problem(&create(&agent, &long), 422).contains("has 64 characters, at most 63"));
    assert_eq!(call(&agent, "GET", "/clusters", None).json()["count"], 0);
    assert_eq!(rancher.asked("POST", "*").len(), 0, "Rancher is not bothered");
    assert_eq!(create(&agent, &long[1..]).status, 201, "63 characters are allowed");
}

#[test]
fn a_body_that_is_too_large_is_refused_unread() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "MaxRequestBytes: 1024\n");
    let head = "POST /clusters HTTP/1.1\r\nHost: agent\r\n";
    // Announced, and none of it sent.
    let answer = http::send(&agent.url, format!("{head}Content-Length: 1025\r\n\r\n").as_bytes());
    assert_eq!(problem(&answer, 413), "the body is larger than 1024 bytes (MaxRequestBytes)");
    // Not announced: chunks.
    let chunk = "x".repeat(1025);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n401\r\n{chunk}\r\n0\r\n\r\n");
    assert_eq!(problem(&http::send(&agent.url, chunked.as_bytes()), 413), problem(&answer, 413));
    let padded = format!("{}{}", r#"{"name":"edge-0001"}"#, " ".repeat(1004));
    assert_eq!(call(&agent, "POST", "/clusters", Some(&padded)).status, 201, "1024 bytes are allowed");
}

#[test]
fn a_body_of_another_type_is_refused() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let post = |kind: &str, name: &str| {
        let body = json!({ "name": name }).to_string();
        let head = format!("POST /clusters HTTP/1.1\r\nHost: agent\r\nContent-Length: {}\r\n", body.len());
        http::send(&agent.url, format!("{head}{kind}\r\n{body}").as_bytes())
    };
    for kind in ["text/plain", "application/yaml", "multipart/form-data; boundary=x"] {
        let answer = post(&format!("Content-Type: {kind}\r\n"), "edge-0001");
        assert_eq!(problem(&answer, 415), format!("the body is {kind}"));
    }
    // What `curl -d` sends by itself, what people send, and nothing at all.
    let kinds = ["application/x-www-form-urlencoded", "Application/JSON; charset=utf-8"];
    assert_eq!(post("", "plain").status, 201);
    assert_eq!(post(&format!("Content-Type: {}\r\n", kinds[0]), "form").status, 201);
    assert_eq!(post(&format!("Content-Type: {}\r\n", kinds[1]), "json").status, 201);
}

#[test]
fn paths_methods_and_parameters_that_are_unknown_are_refused() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    for path in ["/cluster", "/clusters/a/b", "/clusters/a%2Fb", "/Clusters", "/health/x"] {
        let answer = call(&agent, "GET", path, None);
        problem(&answer, 404);
        assert_eq!(answer.json()["instance"], path);
    }
    for (method, path, allow) in [
        ("POST", "/health", "GET, HEAD"),
        ("PUT", "/clusters", "GET, HEAD, POST, DELETE"),
        ("PUT", "/operations/1", "GET, HEAD, DELETE"),
        ("POST", "/clusters/edge-0001", "GET, HEAD, PATCH, DELETE"),
    ] {
        let answer = call(&agent, method, path, None);
        problem(&answer, 405);
        assert_eq!(answer.header("Allow"), Some(allow), "{method} {path}");
    }
    for (method, path, detail) in [
        ("GET", "/clusters?limit=0", r#"the query parameter "limit" is "0""#),
        ("GET", "/clusters?limit=many", r#"the query parameter "limit" is "many""#),
        ("GET", "/clusters?state=sleepy", r#"the query parameter "state" is "sleepy""#),
        ("GET", "/clusters?sate=connected", r#"the query parameter "sate" is unknown"#),
        ("GET", "/health?verbose", r#"the query parameter "verbose" is unknown"#),
        ("POST", "/clusters?wait=maybe", r#"the query parameter "wait" is "maybe""#),
        ("DELETE", "/clusters/edge-0001?force=true", r#"the query parameter "force" is unknown"#),
    ] {
        assert_eq!(problem(&call(&agent, method, path, Some("{}")), 400), detail);
    }
    for name in ["edge-0001", "%20", "..%00"] {
        problem(&call(&agent, "GET", &format!("/clusters/{name}"), None), 404);
        problem(&call(&agent, "DELETE", &format!("/clusters/{name}"), None), 404);
    }
}

#[test]
fn lists_are_filtered_and_paged() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let all = ["edge-0001", "edge-0002", "edge-0003", "edge-0004", "edge-0005"];
    for name in all.iter().rev() {
        assert_eq!(create(&agent, name).status, 201);
        agent.await_state(name, "connected");
    }
    let list = |query: &str| call(&agent, "GET", &format!("/clusters{query}"), None).json();
    for (query, found, next) in [
        ("", &all[..], Value::Null),
        ("?limit=2", &all[..2], json!("edge-0002")),
        ("?limit=2&continue=edge-0002", &all[2..4], json!("edge-0004")),
        ("?limit=2&continue=edge-0004", &all[4..], Value::Null),
        ("?limit=5&state=connected", &all[..], Value::Null),
        ("?continue=edge-0003x", &all[3..], Value::Null),
    ] {
        let page = list(query);
        assert_eq!((names(&page).as_slice(), &page["continue"], &page["count"]), (found, &next, &json!(5)), "{query}");
    }
    let failed = list("?state=failed");
    assert_eq!((names(&failed).len(), &failed["count"]), (0, &json!(0)));
}

#[test]
fn head_is_get_without_a_body() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    create(&agent, "edge-0001");
    agent.await_state("edge-0001", "connected");
    for (path, status) in [("/health", 200), ("/clusters", 200), ("/clusters/edge-0001", 200), ("/clusters/x", 404)] {
        let mut socket = http::connect(&agent.url);
        write!(socket, "HEAD {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").unwrap();
        let answer = http::read_response(&mut socket, true);
        assert_eq!(answer.status, status, "{path}");
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"", "{path}");
    }
}

#[test]
fn health_counts_clusters_and_tunnels() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "Workers: 2\n");
    for name in ["edge-0001", "edge-0002"] {
        create(&agent, name);
        agent.await_state(name, "connected");
    }
    let answer = call(&agent, "GET", "/health", None);
    let health = answer.json();
    assert_eq!((answer.status, &health["status"], &health["problems"]), (200, &json!("ok"), &json!([])));
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(health["tunnelsUp"], 4);
    assert_eq!(health["ranchers"][0]["url"], rancher.url.as_str());
    assert_eq!(health["ranchers"][0]["reachable"], true);
    assert_eq!(health["ranchers"][0]["tokenAccepted"], true);
    assert_eq!(health["workerLagMs"].as_array().unwrap().len(), 2);
    assert!(health["uptimeSeconds"].is_u64());
    let states: BTreeSet<&str> = health["clusters"].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "pending",
        "registering",
        "registered",
        "connecting",
        "connected",
        "active",
        "disconnected",
        "deleting",
        "failed",
    ];
    assert_eq!(states, expected.into());
    assert_eq!((&health["clusters"]["connected"], &health["clusters"]["failed"]), (&json!(2), &json!(0)));
}

#[test]
fn the_agent_holds_no_more_clusters_than_it_may() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "MaxClusters: 1\n");
    assert_eq!(create(&agent, "edge-0001").status, 201);
    let refusal = create(&agent, "edge-0002");
    assert!(problem(&refusal, 409).contains("MaxClusters"), "{refusal:?}");
    assert_eq!(call(&agent, "DELETE", "/clusters/edge-0001", None).status, 204);
    assert_eq!(create(&agent, "edge-0002").status, 201);
}

#[test]
fn clients_that_stop_halfway_hold_up_nobody() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let begin = |request: &str| {
        let mut socket = http::connect(&agent.url);
        socket.write_all(request.as_bytes()).unwrap();
        socket
    };
    let post = "POST /clusters HTTP/1.1\r\nHost: agent\r\n";
    let mut stalled: Vec<_> = (0..20)
        .flat_map(|_| {
            [
                begin(&format!("{post}Content-Length: 20\r\n\r\n{{\"name\"")),
                begin(&format!("{post}Content-Length: 2000\r\n\r\n{{")),
                begin(&format!("{post}Transfer-Encoding: chunked\r\n\r\n5\r\n{{")),
                begin("GET /health HT"),
            ]
        })
        .collect();
    assert_eq!(call(&agent, "GET", "/health", None).status, 200);
    assert_eq!(create(&agent, "edge-0001").status, 201);
    stalled[0].write_all(br#":"edge-0004"}"#).unwrap();
    assert_eq!(http::read_response(&mut stalled[0], false).status, 201, "and who goes on is served");
}

#[test]
fn clients_that_keep_their_connections_hold_up_nobody() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let mut kept: Vec<_> = (0..64).map(|_| http::connect(&agent.url)).collect();
    for socket in &mut kept {
        socket.write_all(b"GET /health HTTP/1.1\r\nHost: agent\r\n\r\n").unwrap();
    }
    for socket in &mut kept {
        assert_eq!(http::read_response(socket, false).status, 200);
    }
}
