//! A Rancher that is unreachable, wrong, unwilling or broken: one clear line each, and nothing half-created left behind.

mod support;

use serde_json::{Value, json};
use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::fake_rancher::{FakeRancher, Scripted};
use support::{Agent, agent_command};
use tempfile::TempDir;

const SECRET: &str = "token-abcde:kept-to-ourselves";
const JSON: &[&str] = &["Content-Type: application/json"];

fn home(url: &str, create_wait: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let text = format!("RancherURL: {url}\nBearerToken: \"{SECRET}\"\nListenPort: 0\nCreateWait: {create_wait}\n");
    std::fs::write(home.path().join("config"), text).unwrap();
    home
}

/// Runs an agent that is expected to end by itself.
fn fails(home: &TempDir) -> String {
    let output = run_to_end(agent_command(home.path()));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.lines().any(|line| line.starts_with("error: ")), "{errors}");
    assert!(!errors.contains("kept-to-ourselves"), "the token is in: {errors}");
    errors
}

fn run_to_end(mut command: Command) -> Output {
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // An agent that does start must not hold up the test for ever.
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() {
        if std::time::Instant::now() > deadline {
            child.kill().unwrap();
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("the agent did not end: {said}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn norman_error(status: u16, code: &str, message: &str) -> Scripted {
    let body = json!({ "type": "error", "status": status, "code": code, "message": message });
    (status, JSON, body.to_string())
}

fn empty_list() -> Scripted {
    (200, JSON, json!({ "type": "collection", "data": [] }).to_string())
}

/// A Rancher that is well until a cluster is to be created.
fn unwilling(answer: impl Fn() -> Scripted + Send + Sync + 'static) -> FakeRancher {
    FakeRancher::start(move |method, _| if method == "POST" { answer() } else { empty_list() })
}

fn refused(rancher: &FakeRancher) -> (u16, Value) {
    let agent = Agent::start_in(home(&rancher.url, "1s"));
    let (status, problem) = agent.create("edge-1");
    for field in ["type", "title", "detail", "remedy", "instance"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} is missing: {problem:#}");
    }
    assert_eq!(problem["status"], status);
    assert!(!problem.to_string().contains("kept-to-ourselves"), "{problem:#}");
    let (_, clusters) = agent.call("GET", "/clusters");
    assert_eq!(clusters["count"], 0, "half a cluster is left: {clusters:#}");
    (status, problem)
}

fn detail(problem: &Value) -> &str {
    problem["detail"].as_str().unwrap()
}

#[test]
fn a_url_that_is_none_is_refused_at_start() {
    let errors = fails(&home("rancher.example.com", "1s"));
    assert!(errors.contains("RancherURL") && errors.contains("config:1"), "{errors}");
}

#[test]
fn an_untrusted_certificate_names_the_ways_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()).into(),
        )
        .unwrap();
    let config = std::sync::Arc::new(config);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
            while connection.is_handshaking() && connection.complete_io(&mut stream).is_ok() {}
        }
    });
    let errors = fails(&home(&url, "1s"));
    assert!(errors.contains("not trusted") && errors.contains("CAFile") && errors.contains("CAChecksum"), "{errors}");
}

#[test]
fn what_is_no_rancher_is_named_for_what_it_is() {
    let html =
        FakeRancher::start(|_, _| (200, &["Content-Type: text/html"], "<html><title>Sign in</title></html>".into()));
    let errors = fails(&home(&html.url, "1s"));
    assert!(errors.contains("text/html") && errors.contains("Sign in"), "{errors}");

    let nothing = FakeRancher::start(|_, _| (404, &["Content-Type: text/plain"], "404 page not found".into()));
    let errors = fails(&home(&nothing.url, "1s"));
    assert!(errors.contains("no Rancher") && errors.contains("RancherURL"), "{errors}");

    let elsewhere =
        FakeRancher::start(|_, _| (302, &["Location: https://sso.example.com/login?state=x"], String::new()));
    let errors = fails(&home(&elsewhere.url, "1s"));
    assert!(errors.contains("redirects") && errors.contains("https://sso.example.com/login"), "{errors}");
}

#[test]
fn an_unreachable_rancher_lets_the_agent_start_and_shows_in_health() {
    // A port that was just free: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let agent = Agent::start_in(home(&format!("http://127.0.0.1:{port}"), "1s"));
    let (status, answer) = agent.create("edge-1");
    assert_eq!(status, 202, "{answer:#}");
    assert!(answer["lastError"].as_str().is_some_and(|error| error.contains("unreachable")), "{answer:#}");
    let (status, health) = agent.call("GET", "/health");
    assert_eq!((status, &health["rancher"]["reachable"]), (503, &false.into()), "{health:#}");
    let (status, _) = agent.call("DELETE", "/clusters/edge-1");
    assert_eq!(status, 204, "what Rancher never saw is gone at once");
}

#[test]
fn a_refused_api_token_pauses_registration() {
    let rancher = FakeRancher::start(|_, _| norman_error(401, "Unauthorized", "must authenticate"));
    let (status, problem) = refused(&rancher);
    assert_eq!(status, 502);
    assert!(detail(&problem).contains("401"), "{problem:#}");
    assert!(problem["remedy"].as_str().unwrap().contains("BearerToken"), "{problem:#}");
    assert_eq!(rancher.count("POST"), 0, "no cluster is asked for while the token is refused");
}

#[test]
fn a_token_without_rights_is_told_apart() {
    let (status, problem) =
        refused(&unwilling(|| norman_error(403, "Forbidden", "clusters is forbidden for user u-1")));
    assert_eq!(status, 502);
    assert!(detail(&problem).contains("403") && detail(&problem).contains("forbidden for user u-1"), "{problem:#}");
}

#[test]
fn a_name_that_somebody_else_uses_is_a_conflict() {
    let rancher = FakeRancher::start(|method, path| match (method, path) {
        ("POST", _) => norman_error(422, "NotUnique", ""),
        (_, "/v3/clusters?name=edge-1") => {
            let theirs = json!({ "id": "c-other", "name": "edge-1", "labels": { "owner": "somebody" } });
            (200, JSON, json!({ "data": [theirs] }).to_string())
        }
        _ => empty_list(),
    });
    let (status, problem) = refused(&rancher);
    assert_eq!(status, 409);
    assert!(detail(&problem).contains("c-other"), "{problem:#}");
    assert_eq!(rancher.count("DELETE"), 0);
}

#[test]
fn a_page_instead_of_json_is_quoted() {
    let (status, problem) =
        refused(&unwilling(|| (200, &["Content-Type: text/html"], "<h1>Maintenance</h1> back soon".into())));
    assert_eq!(status, 502);
    assert!(detail(&problem).contains("text/html") && detail(&problem).contains("Maintenance"), "{problem:#}");
}

#[test]
fn a_busy_rancher_is_asked_again_after_what_it_asks_for() {
    for (status, fields) in [(429, &["Retry-After: 1"][..]), (503, &["Retry-After: 1"]), (500, &[])] {
        let tries = std::sync::Arc::new(AtomicUsize::new(0));
        let counter = tries.clone();
        let rancher = unwilling(move || match counter.fetch_add(1, Ordering::SeqCst) {
            0 => (status, fields, String::new()),
            _ => (201, JSON, json!({ "id": "c-abcde", "name": "edge-1", "type": "cluster" }).to_string()),
        });
        let agent = Agent::start_in(home(&rancher.url, "10s"));
        let (answered, cluster) = agent.create("edge-1");
        assert_eq!((answered, &cluster["rancherId"]), (201, &"c-abcde".into()), "{status}: {cluster:#}");
        assert_eq!(tries.load(Ordering::SeqCst), 2, "{status}");
    }
}

#[test]
fn a_port_in_use_is_found_before_rancher_is_asked() {
    let rancher = FakeRancher::start(|_, _| empty_list());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let home = tempfile::tempdir().unwrap();
    let text = format!("RancherURL: {}\nBearerToken: \"{SECRET}\"\nListenPort: {port}\n", rancher.url);
    std::fs::write(home.path().join("config"), text).unwrap();
    let errors = fails(&home);
    assert!(errors.contains(&port.to_string()) && errors.contains("ListenPort"), "{errors}");
    assert_eq!(rancher.count(""), 0);
}

#[test]
fn a_template_that_is_none_is_named_by_file_and_line() {
    let rancher = FakeRancher::start(|_, _| empty_list());
    for (template, expected) in [
        ("nodes: [", "cluster.yaml:2"),
        ("nodes:\n  - name: a\n    stauts: Ready\n", "status"),
        ("nodes:\n  - name: a\npods:\n  - name: p\n    node: b\n", "cluster.yaml:5"),
    ] {
        let home = home(&rancher.url, "1s");
        std::fs::write(home.path().join("cluster.yaml"), template).unwrap();
        let errors = fails(&home);
        assert!(errors.contains(expected), "{template:?}: {errors}");
    }
    assert_eq!(rancher.count("POST"), 0);
}
