//! A Rancher that is unreachable, wrong, unwilling or broken: one clear line each, and nothing half-created left behind.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use support::fake_rancher::{API_TOKEN, Answer, FakeRancher};
use support::{Agent, agent_command, eventually, home_for};

/// Runs an agent that is expected to end by itself: the lines it leaves, its home written as HOME.
fn fails(home: &Path, flags: &[&str]) -> Vec<String> {
    let output = run_to_end(home, flags);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{errors}");
    assert!(!errors.contains(secret()), "the token is in: {errors}");
    let errors = errors.replace(home.to_str().unwrap(), "HOME");
    let lines: Vec<String> =
        errors.lines().skip_while(|line| !line.starts_with("error: ")).map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "one line of what happened and one of what to do: {errors}");
    lines
}

fn run_to_end(home: &Path, flags: &[&str]) -> Output {
    let mut command = agent_command(home);
    let mut child = command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // An agent that does start must not hold up the test for ever.
    let deadline = Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("the agent did not end: {:?}", child.wait_with_output().unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

/// The part of the API token that nobody else may know.
fn secret() -> &'static str {
    API_TOKEN.split_once(':').unwrap().1
}

/// Asks for a cluster and expects a refusal that leaves nothing behind: its status, detail and remedy.
fn refused(rancher: &FakeRancher, agent: &Agent) -> (u16, String, String) {
    let before = rancher.clusters().len();
    let (status, problem) = agent.create("edge-0001");
    assert_eq!(problem["status"], status, "{problem:#}");
    assert!(!problem.to_string().contains(secret()), "{problem:#}");
    let text = |member: &str| problem[member].as_str().unwrap_or_else(|| panic!("{member} of {problem:#}")).to_owned();
    let answer = (status, text("detail"), text("remedy"));
    assert_eq!(answer.1.lines().count(), 1, "{problem:#}");
    let (_, clusters) = agent.call("GET", "/clusters");
    assert_eq!(clusters["count"], 0, "half a cluster is left: {clusters:#}");
    assert_eq!(rancher.clusters().len(), before, "half a cluster is left in Rancher");
    answer
}

fn trusting(rancher: &FakeRancher, configuration: &str) -> tempfile::TempDir {
    let home = home_for(rancher, configuration);
    fs::write(home.path().join("ca.pem"), &rancher.ca_pem).unwrap();
    let config = fs::read_to_string(home.path().join("config")).unwrap();
    fs::write(home.path().join("config"), config.replace("HOME", home.path().to_str().unwrap())).unwrap();
    home
}

#[test]
fn a_url_that_is_none_is_refused_at_start() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("config"), format!("BearerToken: {API_TOKEN}\nRancherURL: rancher.example.com\n"))
        .unwrap();
    let lines = fails(home.path(), &[]);
    assert_eq!(lines[0], "error: file HOME/config:2: RancherURL: `rancher.example.com` has no scheme");
}

#[test]
fn what_is_no_rancher_is_named_for_what_it_is() {
    let elsewhere = || Answer::text(302, "").with_header("Location", "https://sso.example.com/login?state=secret");
    for (answer, error, remedy) in [
        (
            Answer::html(200),
            "no JSON of Rancher's API: text/html; charset=utf-8, beginning \"<!DOCTYPE html>",
            "RancherURL",
        ),
        (
            Answer::html(404),
            "GET /v3/clusters is unknown there (404): the URL leads to something that is no Rancher",
            "RancherURL",
        ),
        (Answer::json(404, json!({"detail": "Not Found"})), "something that is no Rancher", "RancherURL"),
        (Answer::json(200, json!({"status": "up"})), "JSON without a list of clusters", "RancherURL"),
        (Answer::text(200, "pong"), "text/plain; charset=utf-8, beginning \"pong\"", "RancherURL"),
        (Answer::json(200, json!(["a"])), "application/json, beginning \"[\"a\"]\"", "RancherURL"),
        (elsewhere(), "Rancher redirects GET /v3/clusters to https://sso.example.com/login", "server-url"),
    ] {
        let rancher = FakeRancher::start();
        rancher.always("GET", "/v3/clusters", answer);
        let lines = fails(home_for(&rancher, "").path(), &[]);
        assert!(lines[0].contains(error) && !lines[0].contains("state="), "{error}: {lines:?}");
        assert!(lines[1].contains(remedy), "{lines:?}");
        assert_eq!(rancher.times_asked(), 1, "a redirect is not followed, since the token would go along");
    }
}

#[test]
fn an_untrusted_certificate_names_the_ways_out() {
    let rancher = FakeRancher::start_tls("127.0.0.1");
    let lines = fails(home_for(&rancher, "").path(), &[]);
    assert!(lines[0].starts_with(&format!("error: the certificate of {} is not trusted: ", rancher.url)), "{lines:?}");
    for way in ["CAFile", "CAChecksum", "/cacerts"] {
        assert!(lines[1].contains(way), "{lines:?}");
    }
    let other = FakeRancher::start_tls("other.example.com");
    let lines = fails(trusting(&other, "CAFile: HOME/ca.pem\n").path(), &[]);
    assert!(lines[0].contains("not valid for name \"127.0.0.1\""), "{lines:?}");
    assert_eq!((rancher.times_asked(), other.times_asked()), (0, 0), "nobody unknown hears the token");
}

#[test]
fn a_file_of_certificates_that_is_none_is_named() {
    let rancher = FakeRancher::start_tls("127.0.0.1");
    for (content, problem) in [
        (None, "error: HOME/mine.pem: No such file or directory"),
        (Some("hello"), "error: HOME/mine.pem: holds no PEM certificate"),
        (
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "error: HOME/mine.pem: holds no certificate: ",
        ),
    ] {
        let home = trusting(&rancher, "CAFile: HOME/mine.pem\n");
        content.into_iter().for_each(|content| fs::write(home.path().join("mine.pem"), content).unwrap());
        let lines = fails(home.path(), &[]);
        assert!(lines[0].starts_with(problem) && lines[1].contains("CAFile"), "{lines:?}");
    }
}

#[test]
fn a_certificate_is_trusted_by_file_by_checksum_and_by_flag() {
    let rancher = FakeRancher::start_tls("127.0.0.1");
    rancher.always("GET", "/v3/settings/cacerts", Answer::json(200, json!({"value": rancher.ca_pem})));
    let agent = Agent::start_in(trusting(&rancher, "CAFile: HOME/ca.pem\n"));
    assert_eq!(agent.create("by-file").0, 201);
    agent.await_state("by-file", "connected");

    let checksum = sha256sum(&rancher.ca_pem);
    let agent = Agent::start_in(home_for(&rancher, &format!("CAChecksum: {checksum}\n")));
    assert_eq!(agent.create("by-checksum").0, 201);
    agent.await_state("by-checksum", "connected");
    let strangers = rancher.asked("GET", "/v3/settings/cacerts");
    assert_eq!(strangers.len(), 1);
    assert_eq!(strangers[0].request.header("Authorization"), None, "the token is for those who are trusted");

    let wrong = "0".repeat(64);
    let lines = fails(home_for(&rancher, &format!("CAChecksum: {wrong}\n")).path(), &[]);
    assert!(lines[0].contains(&wrong) && lines[0].contains(&checksum) && lines[0].contains("CAChecksum"), "{lines:?}");
}

/// The tool that Rancher's own instructions use.
fn sha256sum(text: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{}\n", text.trim_end())).unwrap();
    let output = std::process::Command::new("sha256sum").arg(file.path()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

#[test]
fn a_port_in_use_is_found_before_anything_is_done() {
    let rancher = FakeRancher::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let home = home_for(&rancher, "");
    let lines = fails(home.path(), &["--listen-port", &port]);
    assert!(lines[0].starts_with(&format!("error: cannot listen on 127.0.0.1:{port}: ")), "{lines:?}");
    assert!(lines[1].contains("ListenPort"), "{lines:?}");
    assert_eq!(rancher.times_asked(), 0);
    let files: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["config"], "nothing is left in the agent's directory");
}

#[test]
fn a_template_that_is_none_is_named_by_file_and_line() {
    let rancher = FakeRancher::start();
    for (template, place, word) in [
        ("nodes: [\n", "error: HOME/cluster.yaml:2", ""),
        ("nodes:\n  - name: a\n    stauts: Ready\n", "error: HOME/cluster.yaml:3", "status"),
        ("nodes:\n  - name: a\npods:\n  - name: p\n    node: b\n", "error: HOME/cluster.yaml:5", "b"),
    ] {
        let home = home_for(&rancher, "");
        fs::write(home.path().join("cluster.yaml"), template).unwrap();
        let lines = fails(home.path(), &[]);
        assert!(lines[0].starts_with(place) && lines.concat().contains(word), "{lines:?}");
    }
    assert_eq!(rancher.times_asked(), 0);
}

#[test]
fn an_unreachable_rancher_lets_the_agent_start_and_shows_in_health() {
    let mut rancher = FakeRancher::start();
    rancher.go_down();
    let agent = Agent::start_for(&rancher, "CreateWait: 200ms\n");
    assert!(agent.log().contains(&format!("{} is unreachable: ", rancher.url)), "{}", agent.log());
    let (status, answer) = agent.create("edge-0001");
    assert_eq!(status, 202, "{answer:#}");
    eventually("health tells", || match agent.call("GET", "/health") {
        (503, health) if health["ranchers"][0]["reachable"] == false => Ok(()),
        (_, health) => Err(format!("{health:#}")),
    });
    assert_eq!(agent.call("DELETE", "/clusters/edge-0001").0, 204, "what Rancher never saw is gone at once");
}

#[test]
fn a_rancher_that_may_mend_itself_lets_the_agent_start() {
    for (answer, words) in [
        (Answer::error(401, "Unauthorized", "must authenticate"), "answers 401: the API token is unknown"),
        (Answer::error(403, "Forbidden", "not you"), "answers 403 to GET /v3/clusters"),
        (Answer::text(429, "slow down"), "answers 429 to GET /v3/clusters: it is busy"),
        (Answer::error(500, "ServerError", "etcd is away"), "answers 500 to GET /v3/clusters: etcd is away"),
        (Answer::html(502), "answers 502 to GET /v3/clusters"),
        (Answer::html(503), "answers 503 to GET /v3/clusters: it is busy"),
        (Answer::Lost, "gave no answer to GET /v3/clusters"),
    ] {
        let rancher = FakeRancher::start();
        rancher.always("GET", "/v3/clusters", answer);
        let agent = Agent::start_for(&rancher, "");
        let warns = |line: &&str| line.contains("[WARN]") && line.contains("cli::agent") && line.contains(words);
        eventually("the start warns once", || match agent.log() {
            log if log.lines().filter(warns).count() == 1 => Ok(()),
            log => Err(format!("{words}: {log}")),
        });
        rancher.behave();
        // A refused token is tried again by the next probe only.
        let created = if words.contains("401") { 502 } else { 201 };
        assert_eq!(agent.create("edge-0001").0, created, "{words}");
    }
}

#[test]
fn what_rancher_refuses_is_told_and_leaves_nothing_behind() {
    for (answer, status, detail, remedy) in [
        (Answer::error(401, "Unauthorized", ""), 502, "Rancher answers 401: the API token is unknown", "BearerToken"),
        (
            Answer::error(403, "Forbidden", "clusters is forbidden\nfor user u-1"),
            502,
            "Rancher answers 403 to POST /v3/clusters: the API token lacks the right: clusters is forbidden for user u-1",
            "role",
        ),
        (
            Answer::error(422, "InvalidFormat", "name"),
            502,
            "Rancher answers 422 InvalidFormat to POST /v3/clusters: name",
            "",
        ),
        (Answer::html(404), 502, "no Rancher", "RancherURL"),
        (Answer::html(200), 502, "text/html; charset=utf-8, beginning \"<!DOCTYPE html>", "RancherURL"),
        (Answer::text(201, r#"{"id":"c-1","#), 502, "is no JSON of Rancher's API", "RancherURL"),
        (Answer::json(201, json!({"type": "cluster"})), 502, "missing field `id`", "RancherURL"),
        (
            Answer::text(307, "").with_header("Location", "https://other.example.com/v3/clusters"),
            502,
            "https://other.example.com",
            "",
        ),
    ] {
        let rancher = FakeRancher::start();
        let agent = Agent::start_for(&rancher, "");
        rancher.always("POST", "/v3/clusters", answer);
        let found = refused(&rancher, &agent);
        assert_eq!(found.0, status, "{found:?}");
        assert!(found.1.contains(detail) && found.2.contains(remedy), "{found:?}");
        assert_eq!(rancher.asked("POST", "*").len(), 1, "what is refused is not repeated: {found:?}");
    }
}

#[test]
fn a_refused_api_token_pauses_registration() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    assert_eq!(agent.create("before").0, 201);
    agent.await_state("before", "connected");
    for path in ["/v3/clusters*", "/v3/clusterregistrationtokens"] {
        for method in ["GET", "POST"] {
            rancher.always(method, path, Answer::error(401, "Unauthorized", "must authenticate"));
        }
    }
    for _ in 0..3 {
        let (status, problem) = agent.create("edge-0001");
        assert_eq!(status, 502, "{problem:#}");
        assert!(problem["detail"].as_str().unwrap().contains("401"), "{problem:#}");
        assert!(problem["remedy"].as_str().unwrap().contains("BearerToken"), "{problem:#}");
    }
    assert_eq!(rancher.asked("POST", "/v3/clusters").len(), 2, "one for the cluster before, one that was refused");
    let (status, health) = agent.call("GET", "/health");
    assert_eq!((status, &health["ranchers"][0]["tokenAccepted"]), (503, &Value::Bool(false)), "{health:#}");
    assert!(health["problems"][0].as_str().unwrap().starts_with("registration is paused: "), "{health:#}");
    assert_eq!((&health["tunnelsUp"], rancher.open_tunnels()), (&json!(2), 2), "the tunnels stay");
}

#[test]
fn a_busy_rancher_is_asked_again_after_what_it_asks_for() {
    for answer in [
        Answer::text(429, "").with_header("Retry-After", "1"),
        Answer::html(503).with_header("Retry-After", "1"),
        Answer::error(500, "ServerError", "etcd is away"),
        Answer::error(409, "Conflict", "the object has been modified"),
        Answer::Lost,
    ] {
        let asks_for_a_second = matches!(&answer, Answer::Respond { headers, .. } if !headers.is_empty());
        let rancher = FakeRancher::start();
        let agent = Agent::start_for(&rancher, "");
        rancher.answer("POST", "/v3/clusters", [answer]);
        let began = Instant::now();
        let (status, cluster) = agent.create("edge-0001");
        assert_eq!((status, &cluster["rancherId"]), (201, &"c-00001".into()), "{cluster:#}");
        assert!(!asks_for_a_second || began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!((rancher.asked("POST", "*").len(), rancher.clusters().len()), (2, 1));
    }
}

#[test]
fn what_rancher_refuses_after_202_shows_why() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    rancher.always("POST", "/v3/clusters", Answer::error(403, "Forbidden", "not you"));
    let (status, _) =
        support::request("POST", &format!("{}/clusters?wait=false", agent.url), Some(r#"{"name":"edge-0001"}"#));
    assert_eq!(status, 202);
    let cluster = agent.await_state("edge-0001", "failed");
    assert!(cluster["lastError"].as_str().unwrap().ends_with("lacks the right: not you"), "{cluster:#}");
    assert_eq!(agent.call("DELETE", "/clusters/edge-0001").0, 204);
}

#[test]
fn a_cluster_without_a_registration_token_says_so_and_can_be_deleted() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    rancher.always("GET", "/v3/clusterregistrationtokens", Answer::error(403, "Forbidden", "no tokens for you"));
    assert_eq!(agent.create("edge-0001").0, 201);
    let cluster = agent.await_state("edge-0001", "failed");
    assert!(cluster["lastError"].as_str().unwrap().ends_with("no tokens for you"), "{cluster:#}");
    assert!(cluster["nextAttempt"].is_string(), "{cluster:#}");
    assert_eq!(agent.call("DELETE", "/clusters/edge-0001").0, 204);
    assert_eq!(rancher.clusters().len(), 0);
}

#[test]
fn a_deletion_that_rancher_refuses_leaves_the_cluster_as_it_was() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    agent.create("edge-0001");
    agent.await_state("edge-0001", "connected");
    rancher.always("DELETE", "/v3/clusters/*", Answer::error(403, "Forbidden", "hands off"));
    let (status, problem) = agent.call("DELETE", "/clusters/edge-0001");
    assert_eq!(status, 502, "{problem:#}");
    assert!(problem["detail"].as_str().unwrap().ends_with("hands off"), "{problem:#}");
    let cluster = agent.await_state("edge-0001", "connected");
    assert!(cluster["lastError"].as_str().unwrap().ends_with("hands off"), "{cluster:#}");
    assert_eq!(rancher.open_tunnels(), 2);
}

#[test]
fn tunnels_that_rancher_refuses_at_first_are_opened_later() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "ReconnectMax: 1s\n");
    let conflict = "Operation cannot be fulfilled on clusters: the object has been modified";
    let refusals =
        [Answer::text(400, "cluster not found"), Answer::text(400, conflict), Answer::html(503), Answer::Lost];
    rancher.answer("GET", "/v3/connect*", refusals);
    assert_eq!(agent.create("edge-0001").0, 201);
    let cluster = agent.await_state("edge-0001", "connected");
    assert_eq!(cluster["tunnels"]["api"]["connects"], 1, "{cluster:#}");
    let again: Vec<_> = rancher.asked("GET", "/v3/connect/register");
    let params: Vec<_> = again.iter().map(|asked| asked.request.header("X-API-Tunnel-Params")).collect();
    assert!(params.len() > 1 && params.iter().all(|each| each.is_some() && each == &params[0]), "{params:?}");
}
