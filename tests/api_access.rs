//! Who may use the REST API, and what is written of it.

mod support;

use crossbeam_channel::Sender;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use support::fake_rancher::FakeRancher;
use support::{Agent, agent_command, eventually, home_for, http};

/// A key and its line for the configuration, as the command makes them.
fn make_key(role: &str, name: &str) -> (String, String) {
    let output = agent_command("/nonexistent".as_ref())
        .args(["api-key", "create", "--role", role, "--name", name])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let key = text.lines().find(|line| line.starts_with("sca_")).unwrap().to_owned();
    let line = text.lines().find(|line| line.trim_start().starts_with("- {Name:")).unwrap().to_owned();
    assert!(!line.contains(&key));
    (key, line)
}

/// A request with a key, if one is given.
fn call(agent: &Agent, method: &str, path: &str, key: Option<&str>, body: &str) -> http::Response {
    let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: agent\r\n{key}Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    http::send(&agent.url, format!("{head}{body}").as_bytes())
}

fn audit(agent: &Agent) -> Vec<Value> {
    audit_in(agent.home.path())
}

fn audit_in(home: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(home.join("audit.log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The fields of a record, those that are not there as a dash.
fn fields<const N: usize>(record: &Value, names: [&str; N]) -> String {
    let text = |name: &str| record[name].as_str().map_or_else(|| record[name].to_string(), str::to_owned);
    names.map(|name| text(name).replace("null", "-")).join(" ")
}

#[test]
fn each_role_reaches_as_far_as_it_should_and_everything_is_on_record() {
    let rancher = FakeRancher::start();
    let (viewer, viewer_line) = make_key("viewer", "watcher");
    let (operator, operator_line) = make_key("operator", "ci");
    let (admin, admin_line) = make_key("admin", "boss");
    let agent = Agent::start_for(&rancher, &format!("APIKeys:\n{viewer_line}\n{operator_line}\n{admin_line}\n"));
    let body = r#"{"name":"edge-0001"}"#;
    for (key, method, path, body, status) in [
        (None, "GET", "/health", "", 401),
        (Some("sca_guess"), "GET", "/health", "", 401),
        (Some(&*viewer), "GET", "/health", "", 200),
        (Some(&*viewer), "GET", "/metrics", "", 200),
        (None, "GET", "/openapi.json", "", 200),
        (None, "POST", "/clusters", body, 401),
        (Some(&*viewer), "POST", "/clusters", body, 403),
        (Some(&*operator), "POST", "/clusters", body, 201),
        (Some(&*operator), "DELETE", "/clusters?prefix=edge-", "", 403),
        (Some(&*operator), "POST", "/clusters/edge-0001/rotate-token", "", 403),
        (Some(&*viewer), "DELETE", "/clusters/edge-0001", "", 403),
        (Some(&*admin), "DELETE", "/clusters?prefix=edge-", "", 202),
    ] {
        let answer = call(&agent, method, path, key, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        if status == 401 {
            assert!(answer.header("WWW-Authenticate").is_some_and(|value| value.starts_with("Bearer")), "{answer:?}");
        }
    }
    let records = audit(&agent);
    let told: Vec<String> = records
        .iter()
        .map(|record| {
            assert_eq!(record["source"], "127.0.0.1", "{record}");
            fields(record, ["caller", "method", "path", "cluster", "outcome"])
        })
        .collect();
    let expected = [
        "- GET /health - refused",
        "- GET /health - refused",
        "- POST /clusters - refused",
        "watcher POST /clusters - refused",
        "ci POST /clusters edge-0001 begun",
        "ci POST /clusters edge-0001 done",
        "ci DELETE /clusters - refused",
        "ci POST /clusters/edge-0001/rotate-token - refused",
        "watcher DELETE /clusters/edge-0001 - refused",
        "boss DELETE /clusters edge-* begun",
        "boss DELETE /clusters edge-* accepted",
    ];
    assert_eq!(told, expected);
    let ids: BTreeSet<&str> = records.iter().map(|record| record["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), &records[4]["id"], &records[9]["id"]), (9, &records[5]["id"], &records[10]["id"]));
    let metrics = call(&agent, "GET", "/metrics", Some(&viewer), "").body;
    for line in [
        "scale_agent_api_denied_total{reason=\"missing\"} 2",
        "scale_agent_api_denied_total{reason=\"wrong\"} 1",
        "scale_agent_api_denied_total{reason=\"role\"} 4",
        "scale_agent_audit_records_total 11",
    ] {
        assert!(metrics.contains(&format!("{line}\n")), "{line}");
    }
    for secret in [&viewer, &operator, &admin] {
        assert!(
            !agent.log().contains(secret.as_str())
                && !records.iter().any(|record| record.to_string().contains(secret.as_str()))
        );
    }
}

/// Creates a cluster that Rancher takes its time for; the agent, and the end of the wait.
fn begin_to_create(rancher: &FakeRancher) -> (Agent, std::net::TcpStream, Sender<()>) {
    let held = rancher.hold("POST", "/v3/clusters");
    let agent = Agent::start_for(rancher, "CreateWait: 1m\n");
    let mut socket = http::connect(&agent.url);
    let request = "POST /clusters HTTP/1.1\r\nHost: agent\r\nContent-Length: 20\r\n\r\n{\"name\":\"edge-0001\"}";
    socket.write_all(request.as_bytes()).unwrap();
    eventually("Rancher is asked", || match rancher.asked("POST", "/v3/clusters").len() {
        1 => Ok(()),
        asked => Err(asked.to_string()),
    });
    (agent, socket, held)
}

#[test]
fn a_kill_leaves_what_was_begun_on_record() {
    let rancher = FakeRancher::start();
    let (agent, _socket, _held) = begin_to_create(&rancher);
    let home = agent.kill();
    let records = audit_in(home.path());
    let told: Vec<String> =
        records.iter().map(|record| fields(record, ["caller", "method", "path", "cluster", "outcome"])).collect();
    assert_eq!(told, ["anyone POST /clusters edge-0001 begun"]);
    // The next run's numbers are others.
    let agent = Agent::start_in(home);
    assert_eq!(call(&agent, "POST", "/nowhere", None, "").status, 404);
    let records = audit(&agent);
    assert_ne!(records[0]["id"], records[1]["id"]);
}

#[test]
fn an_end_in_order_leaves_no_deed_without_one() {
    let rancher = FakeRancher::start();
    let (mut agent, mut socket, held) = begin_to_create(&rancher);
    agent.signal("TERM");
    let answer = http::read_response(&mut socket, false);
    assert_eq!(answer.status, 202, "{answer:?}");
    drop(held);
    assert!(agent.wait().success());
    let records = audit(&agent);
    let told: Vec<String> = records.iter().map(|record| fields(record, ["cluster", "outcome"])).collect();
    assert_eq!(told, ["edge-0001 begun", "edge-0001 accepted"]);
    assert_eq!(records[0]["id"], records[1]["id"]);
}

#[test]
fn what_the_gate_refuses_is_on_record_and_a_flood_is_summed_up() {
    let rancher = FakeRancher::start();
    let mut agent = Agent::start_for(&rancher, "APIHeaderTimeout: 1s\nAPIReadTimeout: 1s\nMaxRequestBytes: 2000\n");
    let long = "x".repeat(20_000);
    let refused = [
        ("POST /clusters?a=b HTTP/1.1\r\nHost: a\r\nContent-Length: 2001\r\n\r\n", "POST /clusters 413"),
        ("POST /clusters HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "POST /clusters 400"),
        ("DELETE /clusters/x HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", "DELETE /clusters/x 400"),
        ("PATCH /clusters/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{", "PATCH /clusters/x 408"),
        ("GET /health HT", "- - 408"),
        ("GET\r\n\r\n", "- - 400"),
        (&long, "- - 431"),
    ];
    for (request, _) in refused {
        let mut socket = http::connect(&agent.url);
        socket.write_all(request.as_bytes()).unwrap();
        http::read_response(&mut socket, false);
    }
    let records = eventually("each is on record", || match audit(&agent) {
        records if records.len() == refused.len() => Ok(records),
        records => Err(format!("{records:?}")),
    });
    let told: Vec<String> = records
        .iter()
        .map(|record| {
            assert_eq!(fields(record, ["source", "caller", "outcome"]), "127.0.0.1 - refused");
            assert!(record["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{record}");
            fields(record, ["method", "path", "status"])
        })
        .collect();
    assert_eq!(told, refused.map(|(_, expected)| expected));
    for _ in 0..30 {
        http::send(&agent.url, b"GET\r\n\r\n");
    }
    assert!(agent.stop().0.success());
    let records = audit(&agent);
    let (sum, single) = records.split_last().unwrap();
    assert_eq!((single.len(), &sum["refusals"], &sum["source"]), (11, &26.into(), &"127.0.0.1".into()));
}

#[test]
fn attempts_to_change_what_is_nowhere_are_on_record_and_looks_are_not() {
    let rancher = FakeRancher::start();
    let (viewer, line) = make_key("viewer", "watcher");
    let agent = Agent::start_for(&rancher, &format!("APIKeys:\n{line}\n"));
    for (method, path, key, status) in [
        ("GET", "/nowhere", None, 404),
        ("OPTIONS", "/clusters", None, 405),
        ("POST", "/nowhere?x=y", None, 404),
        ("PUT", "/health", Some(&*viewer), 405),
        ("WIPE", "/clusters", Some("sca_guess"), 405),
    ] {
        assert_eq!(call(&agent, method, path, key, "").status, status, "{method} {path}");
    }
    let told: Vec<String> =
        audit(&agent).iter().map(|record| fields(record, ["caller", "method", "path", "status", "outcome"])).collect();
    let expected = ["- POST /nowhere 404 refused", "watcher PUT /health 405 refused", "- WIPE /clusters 405 refused"];
    assert_eq!(told, expected);
}

#[test]
fn what_is_done_to_many_says_to_which() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let post = |path: &str, body: &str| call(&agent, "POST", path, None, body).json()["id"].to_string();
    let operation = post("/clusters", r#"{"prefix":"edge-","count":2,"width":1}"#);
    let run = agent.call("GET", &format!("/operations/{operation}")).1["run"].as_str().unwrap().to_owned();
    agent.await_state("edge-1", "connected");
    agent.await_state("edge-2", "connected");
    let ramp = post("/ramps", r#"{"clusters":1,"rate":"1/h"}"#);
    let fault =
        post("/faults", r#"{"fault":"slow","bytes-per-second":1000000,"select":"prefix=edge-,50%","duration":"1h"}"#);
    let fault_path = format!("/faults/{fault}");
    call(&agent, "POST", &format!("/ramps/{ramp}/stop"), None, "");
    call(&agent, "DELETE", &format!("/operations/{operation}"), None, "");
    call(&agent, "DELETE", &fault_path, None, "");
    call(&agent, "DELETE", "/clusters?run=r1", None, "");
    let ends = audit(&agent).into_iter().filter(|record| record["outcome"] != "begun");
    let told: Vec<String> = ends.map(|record| fields(&record, ["method", "path", "cluster", "outcome"])).collect();
    let expected = [
        "POST /clusters edge-* accepted".to_owned(),
        "POST /ramps ramp-* accepted".to_owned(),
        "POST /faults prefix=edge-,50% done".to_owned(),
        format!("POST /ramps/{ramp}/stop ramp-* done"),
        format!("DELETE /operations/{operation} edge-*,run={run} done"),
        format!("DELETE /faults/{fault} prefix=edge-,50% done"),
        "DELETE /clusters *,run=r1 accepted".to_owned(),
    ];
    assert_eq!(told, expected);
}

#[test]
fn guesses_are_limited_and_the_holder_of_a_key_is_not() {
    let rancher = FakeRancher::start();
    let (viewer, line) = make_key("viewer", "watcher");
    let agent = Agent::start_for(&rancher, &format!("APIKeys:\n{line}\n"));
    let statuses: Vec<u16> = (0..15).map(|_| call(&agent, "GET", "/health", Some("sca_guess"), "").status).collect();
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 5]].concat());
    assert!(call(&agent, "GET", "/health", Some("sca_guess"), "").header("Retry-After").is_some());
    assert_eq!(call(&agent, "GET", "/health", Some(&viewer), "").status, 200);
    assert_eq!(audit(&agent).len(), 11, "the first that is told to wait is on record, those after it are summed up");
    agent.signal("TERM");
    eventually("the sum is on record", || match audit(&agent).pop() {
        Some(record) if record["refusals"] == 5 && record["source"] == "127.0.0.1" => Ok(()),
        record => Err(format!("{record:?}")),
    });
}

#[test]
fn keys_change_at_sighup() {
    let rancher = FakeRancher::start();
    let (old, old_line) = make_key("viewer", "watcher");
    let (new, new_line) = make_key("viewer", "watcher");
    let agent = Agent::start_for(&rancher, &format!("APIKeys:\n{old_line}\n"));
    let path = agent.home.path().join("config");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&old_line, &new_line)).unwrap();
    agent.signal("HUP");
    eventually("the new key is taken", || match call(&agent, "GET", "/health", Some(&new), "").status {
        200 => Ok(()),
        status => Err(status.to_string()),
    });
    assert_eq!(call(&agent, "GET", "/health", Some(&old), "").status, 401);
    eventually("the log says so", || match agent.log() {
        log if log.contains("in force now: APIKeys") => Ok(()),
        log => Err(log),
    });
}

#[test]
fn without_keys_other_machines_are_kept_out() {
    let rancher = FakeRancher::start();
    let home = home_for(&rancher, "ListenAddress: 0.0.0.0\n");
    let output = agent_command(home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no APIKeys") && said.contains("api-key create"), "{said}");
    let (key, line) = make_key("viewer", "watcher");
    let agent = Agent::start_for(&rancher, &format!("ListenAddress: 0.0.0.0\nAPIKeys:\n{line}\n"));
    assert!(agent.log().contains("anyone on the way can read the keys"), "{}", agent.log());
    let agent_url = agent.url.replace("0.0.0.0", "127.0.0.1");
    let request = format!("GET /health HTTP/1.1\r\nHost: agent\r\nX-API-Key: {key}\r\n\r\n");
    assert_eq!(http::send(&agent_url, request.as_bytes()).status, 200);
    // A configuration without keys does not open the door that is open to others.
    let path = agent.home.path().join("config");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("0.0.0.0", "127.0.0.1").split("APIKeys").next().unwrap()).unwrap();
    agent.signal("HUP");
    eventually("the agent says so", || match agent.log() {
        log if log.contains("the APIKeys stay as they were") => Ok(()),
        log => Err(log),
    });
    assert_eq!(http::send(&agent_url, b"GET /health HTTP/1.1\r\nHost: agent\r\n\r\n").status, 401);
}

#[test]
fn a_configuration_that_is_gone_opens_no_door() {
    let rancher = FakeRancher::start();
    let (_, line) = make_key("viewer", "watcher");
    let agent = Agent::start_for(&rancher, &format!("APIKeys:\n{line}\n"));
    std::fs::remove_file(agent.home.path().join("config")).unwrap();
    agent.signal("HUP");
    eventually("the agent says so", || match agent.log() {
        log if log.contains("the APIKeys stay as they were") => Ok(()),
        log => Err(log),
    });
    assert_eq!(http::send(&agent.url, b"GET /health HTTP/1.1\r\nHost: agent\r\n\r\n").status, 401);
}

#[test]
fn an_audit_log_that_cannot_be_written_is_told_in_health() {
    // A device that is always full.
    if !std::path::Path::new("/dev/full").exists() {
        return eprintln!("skipped: there is no /dev/full");
    }
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "AuditLog: /dev/full\n");
    assert_eq!(call(&agent, "GET", "/health", None, "").status, 200, "nothing is lost yet");
    assert_eq!(agent.create("edge-0001").0, 201);
    let health = call(&agent, "GET", "/health", None, "");
    assert_eq!(health.status, 503, "{health:?}");
    assert!(
        health.json()["problems"][0].as_str().unwrap().contains("2 records are lost: /dev/full: No space left"),
        "{health:?}"
    );
    let metrics = call(&agent, "GET", "/metrics", None, "").body;
    assert!(
        metrics.contains("scale_agent_audit_records_lost_total 2\n") && metrics.contains("scale_agent_healthy 0\n")
    );
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let body = r#"{"name":"edge-0001"}"#;
    let post = |fields: &str| {
        let head =
            format!("POST /clusters HTTP/1.1\r\n{fields}Connection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        http::send(&agent.url, format!("{head}{body}").as_bytes()).status
    };
    assert_eq!(post("Host: localhost\r\nOrigin: https://evil.test\r\n"), 403);
    assert_eq!(post("Host: rebound.evil.test\r\nOrigin: http://rebound.evil.test\r\n"), 403);
    assert!(rancher.clusters().is_empty());
    assert_eq!(post("Host: localhost\r\nOrigin: http://localhost\r\n"), 201);
}

#[test]
fn over_tls_a_renewed_certificate_is_shown_without_a_restart() {
    let rancher = FakeRancher::start();
    let home = home_for(&rancher, "TLSCertFile: cert.pem\nTLSKeyFile: key.pem\n");
    let renew = |home: &std::path::Path| {
        let made = rcgen::generate_simple_self_signed(["agent.test".to_owned()]).unwrap();
        std::fs::write(home.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(home.join("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(home.join("cert.pem"), made.cert.pem()).unwrap();
        made.cert.der().to_vec()
    };
    let first = renew(home.path());
    let agent = Agent::start_in(home);
    assert!(agent.url.starts_with("https://"), "{}", agent.url);
    let health = |trusted: &[u8]| -> Result<String, String> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls::pki_types::CertificateDer::from(trusted.to_vec())).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let tls = rustls::ClientConnection::new(config.into(), "agent.test".try_into().unwrap()).unwrap();
        let mut socket = rustls::StreamOwned::new(tls, http::connect(&agent.url));
        socket.write_all(b"GET /health HTTP/1.1\r\nHost: agent\r\n\r\n").map_err(|error| error.to_string())?;
        Ok(http::read_response(&mut socket, false).json()["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(health(&first).as_deref(), Ok("ok"));
    let second = renew(agent.home.path());
    eventually("the renewed certificate is shown", || health(&second));
    assert!(health(&first).is_err(), "the old one is not shown any more");
    // Plain HTTP on that port is no way in.
    let mut plain = http::connect(&agent.url);
    plain.write_all(b"GET /health HTTP/1.1\r\nHost: agent\r\n\r\n").unwrap();
    let mut got = Vec::new();
    let _ = plain.read_to_end(&mut got);
    assert!(!got.starts_with(b"HTTP/"), "{got:?}");
    assert_eq!(health(&second).as_deref(), Ok("ok"), "and harms nobody else");
}

#[test]
fn the_socket_between_gate_and_server_is_this_users_only() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let mode = std::fs::metadata(agent.home.path().join("api.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for file in ["audit.log", "state.v1.redb"] {
        let mode = std::fs::metadata(agent.home.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
    let refused = Command::new(env!("CARGO_BIN_EXE_scale-cluster-agent"))
        .args(["api-key", "create", "--role", "god", "--name", "x"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
}
