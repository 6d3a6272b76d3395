//! `/openapi.json`: valid, and true of every answer that a fuzzer gets.

mod support;

use serde_json::Value;
use support::fake_rancher::FakeRancher;
use support::{Agent, agent_command, http, tools};

fn make_key(role: &str) -> (String, String) {
    let output =
        agent_command("/nonexistent".as_ref()).args(["api-key", "create", "--role", role, "--name", role]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let line = |start: &str| text.lines().find(|line| line.trim_start().starts_with(start)).unwrap().to_owned();
    (line("sca_"), line("- {Name:"))
}

fn call(agent: &Agent, method: &str, path: &str, key: &str) -> http::Response {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: agent\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n");
    http::send(&agent.url, request.as_bytes())
}

#[test]
fn every_route_asks_for_the_role_that_it_documents() {
    let rancher = FakeRancher::start();
    let keys = ["viewer", "operator", "admin"].map(make_key);
    let lines: Vec<&str> = keys.iter().map(|(_, line)| line.as_str()).collect();
    let agent = Agent::start_for(&rancher, &format!("APIKeys:\n{}\n", lines.join("\n")));
    let document = call(&agent, "GET", "/openapi.json", "").json();
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.replace(['{', '}'], "");
        for (method, operation) in operations.as_object().unwrap() {
            let method = method.to_uppercase();
            let Some(role) = operation["x-role"].as_str() else {
                assert_eq!(call(&agent, &method, &path, "").status, 200, "{method} {path} is anybody's");
                continue;
            };
            let documented = |status: u16| operation["responses"].get(status.to_string()).is_some();
            let needed = ["viewer", "operator", "admin"].iter().position(|known| *known == role).unwrap();
            for (rank, (key, _)) in keys.iter().enumerate() {
                let status = call(&agent, &method, &path, key).status;
                assert_eq!(status == 403, rank < needed, "{method} {path} by rank {rank}: {status}");
                assert!(documented(status), "{method} {path}: {status} is not documented");
                tried += 1;
            }
            let status = call(&agent, &method, &path, "sca_wrong").status;
            assert!(matches!(status, 401 | 429) && documented(401) && documented(429), "{method} {path}: {status}");
        }
    }
    assert!(tried >= 40, "{tried}");
}

#[test]
fn the_document_is_valid_and_holds_against_a_fuzzer() {
    let rancher = FakeRancher::start();
    let (key, line) = make_key("admin");
    // Few clusters, each with two tunnels in this very process.
    let configuration = format!("MaxClusters: 30\nCreateWait: 100ms\nRegistrationParallelism: 8\nAPIKeys:\n{line}\n");
    let agent = Agent::start_for(&rancher, &configuration);
    let document = call(&agent, "GET", "/openapi.json", "").body;
    assert!(serde_json::from_str::<Value>(&document).is_ok());
    let file = agent.home.path().join("openapi.json");
    std::fs::write(&file, document).unwrap();
    tools::run("openapi-spec-validator", &[&file], agent.home.path(), "");
    let settings = format!("{}/tests/support/schemathesis.toml", env!("CARGO_MANIFEST_DIR"));
    let header = format!("X-API-Key:{key}");
    let url = format!("{}/openapi.json", agent.url);
    tools::run(
        "st",
        &[
            "--config-file",
            &settings,
            "run",
            &url,
            "--header",
            &header,
            "--seed",
            "1",
            "--generation-deterministic",
            "--max-examples",
            "20",
            "--workers",
            "2",
            "--max-time",
            "40",
            "--continue-on-failure",
            "--no-color",
            "--warnings",
            "off",
        ],
        agent.home.path(),
        "",
    );
    assert_ne!(call(&agent, "GET", "/clusters", &key).status, 503, "and the agent goes on");
}
