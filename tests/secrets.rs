//! Secrets: sealed in the configuration, shown nowhere.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use support::fake_rancher::{API_TOKEN, Answer, FakeRancher};
use support::{Agent, agent_command, eventually, http};

/// Runs a subcommand of the agent in a home of its own.
fn run(home: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = agent_command(home);
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What a subcommand printed, which has to succeed.
fn printed(home: &Path, arguments: &[&str], input: &str) -> String {
    let output = run(home, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A home with a seal key, and the API token sealed with it.
fn sealed_home() -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("seal.key").display().to_string();
    printed(home.path(), &["secret", "new-key", &key], "");
    let sealed = printed(home.path(), &["secret", "seal", "--key-file", &key], &format!("{API_TOKEN}\n"));
    (home, sealed.trim().to_owned())
}

fn write_config(home: &Path, rancher: &FakeRancher, lines: &str) {
    let text = format!("RancherURL: {}\nListenPort: 0\n{lines}", rancher.url);
    std::fs::write(home.join("config"), text).unwrap();
}

fn call(agent: &Agent, method: &str, path: &str, key: &str, body: &str) -> String {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: agent\r\nX-API-Key: {key}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    let answer = http::send(&agent.url, format!("{head}{body}").as_bytes());
    format!("{} {:?}\n{}", answer.status, answer.headers, answer.body)
}

/// The token of each service account that was announced to Rancher.
fn announced_tokens(rancher: &FakeRancher) -> BTreeSet<String> {
    let announced = rancher.asked("GET", "*").into_iter();
    let parameters = announced.filter_map(|asked| asked.request.header("X-API-Tunnel-Params").map(str::to_owned));
    parameters
        .map(|text| serde_json::from_slice::<Value>(&STANDARD.decode(text).unwrap()).unwrap())
        .map(|value| value["cluster"]["token"].as_str().unwrap().to_owned())
        .collect()
}

/// Every text in a folder and below it.
fn read_folder(folder: &Path) -> String {
    let mut texts = String::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => texts += &read_folder(&path),
            path => texts += &String::from_utf8_lossy(&std::fs::read(path).unwrap()),
        }
    }
    texts
}

/// What everything that can be asked of a running agent from a command line says, in both forms.
fn said_of(agent: &Agent, key: &str) -> String {
    let home = agent.home.path();
    let mut shown = String::new();
    let mut see = |arguments: &[&str], expected: i32| {
        for form in ["text", "json"] {
            let mut command = agent_command(home);
            // A folder of results is for one run.
            let own = arguments.iter().map(|argument| argument.replace("FORM", form));
            command.args(own).args(["--output", form]).env("SCALE_AGENT_API_KEY", key);
            if arguments[0] != "rehearse" {
                command.args(["--log-level", "debug"]);
            }
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {said}");
            shown += &said;
        }
    };
    let results = |name: &str| home.join("seen").join(name).display().to_string();
    let ramp = ["ramp", "--clusters", "2", "--rate", "10/s", "--prefix"];
    see(&[&ramp[..], &["plan-", "--dry-run", "--agent", &agent.url]].concat(), 0);
    let folder = results("ramp-FORM");
    see(&[&ramp[..], &["seen-", "--clean", "--results", &folder, "--agent", &agent.url]].concat(), 0);
    see(&["report", &folder], 0);
    see(&["report", "--merge", &folder, "--results", &results("merged-FORM")], 0);
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/config/scenarios/storm.yaml");
    see(&["run-scenario", scenario, "--check", "--agent", &agent.url], 0);
    see(&["fault", "start", "latency", "--select", "all", "--duration", "1s", "--agent", &agent.url], 0);
    see(&["fault", "list", "--agent", &agent.url], 0);
    see(&["fault", "end", "99", "--agent", &agent.url], 1);
    see(&["status", "--agent", &agent.url], 0);
    see(&["clean", "--prefix", "edge-", "--dry-run", "--agent", &agent.url], 0);
    let with_key = agent.url.replace("://", &format!("://{key}@"));
    see(&["status", "--agent", &with_key], 2);
    see(&["doctor", "--clusters", "10"], 0);
    // A program and a home of its own, of which nothing is left but what it says.
    see(&["rehearse", "--clusters", "2", "--results", &results("rehearsal-FORM")], 0);
    let folders = read_folder(&home.join("seen"));
    for folder in ["ramp-text", "merged-json", "rehearsal-text"] {
        for file in ["report.html", "summary.json", "junit.xml", "run.json", "clusters.csv"] {
            assert!(home.join("seen").join(folder).join(file).exists(), "{folder} {file}");
        }
    }
    shown + &folders
}

#[test]
fn no_log_record_error_page_or_report_shows_a_secret() {
    let rancher = FakeRancher::lively();
    let (home, sealed) = sealed_home();
    let made = printed(home.path(), &["api-key", "create", "--role", "admin", "--name", "boss"], "");
    let key = made.lines().find(|line| line.starts_with("sca_")).unwrap().to_owned();
    let line = made.lines().find(|line| line.contains("{Name:")).unwrap();
    let lines = format!(
        "BearerToken: {sealed}\nSealKeyFile: seal.key\nLogLevel: debug\nReconnectMin: 10ms\nReconnectMax: 50ms\n\
         RampPollInterval: 100ms\nAPIKeys:\n{line}\n"
    );
    write_config(home.path(), &rancher, &lines);
    let mut shown = printed(home.path(), &["check-config"], "");
    shown += &printed(home.path(), &["check-config", "--output", "json"], "");

    let agent = Agent::start_in(home);
    let mut see = |method: &str, path: &str, key: &str, body: &str| shown += &call(&agent, method, path, key, body);
    for name in ["edge-0001", "edge-0002"] {
        see("POST", "/clusters", &key, &format!("{{\"name\":\"{name}\"}}"));
    }
    eventually("both tunnels of both are up", || match rancher.open_tunnels() {
        4 => Ok(()),
        other => Err(other.to_string()),
    });
    see("POST", "/clusters", "sca_wrong", "{}");
    see("POST", "/clusters", &key, &format!("{{\"name\":\"{API_TOKEN}"));
    see("POST", "/clusters/edge-0001/rotate-token", &key, "");
    // Rancher forgets the registration tokens, refuses the API token, answers with nonsense.
    rancher.rotate_registration_tokens();
    rancher.cut_connections();
    eventually("the tunnels are up again", || match rancher.open_tunnels() {
        4 => Ok(()),
        other => Err(other.to_string()),
    });
    see("PATCH", "/clusters/edge-0001", &key, r#"{"pods":3}"#);
    see("POST", "/faults", &key, r#"{"fault":"latency","duration":"1s","select":"all"}"#);
    let said = said_of(&agent, &key);
    rancher.always("POST", "/v3/clusters", Answer::error(401, "Unauthorized", "must authenticate"));
    see("POST", "/clusters", &key, r#"{"name":"edge-0003"}"#);
    rancher.behave();
    rancher.always("POST", "/v3/clusters", Answer::html(500));
    see("POST", "/clusters?wait=false", &key, r#"{"name":"edge-0004"}"#);
    rancher.behave();
    for path in [
        "/",
        "/livez",
        "/health",
        "/metrics",
        "/openapi.json",
        "/overview",
        "/clusters",
        "/clusters/edge-0001",
        "/clusters/edge-0001/requests",
        "/operations",
        "/operations/1",
        "/ramps",
        "/ramps/1",
        "/ramps/1/results",
        "/faults",
        "/faults/1",
        "/requests",
        "/nowhere",
    ] {
        see("GET", path, &key, "");
    }
    agent.signal("HUP");
    // What has to outlive the process is on disk, as long as there are clusters.
    let journal = std::fs::read(agent.home.path().join("state.v1.redb")).unwrap();
    assert!(journal.windows(20).any(|window| window == b"registration-secret-"), "the search finds what is there");
    see("DELETE", "/clusters?prefix=edge-", &key, "");
    shown += &said;

    let home = agent.home.path().to_owned();
    let clean = run(&home, &["clean", "--dry-run", "--log-level", "debug"], "");
    let other = home.join("other.key").display().to_string();
    printed(&home, &["secret", "new-key", &other], "");
    let wrong_key = run(
        &home,
        &["check-config", "--config", &{
            let text = std::fs::read_to_string(home.join("config")).unwrap().replace("seal.key", "other.key");
            std::fs::write(home.join("wrong"), text).unwrap();
            home.join("wrong").display().to_string()
        }],
        "",
    );
    assert!(!wrong_key.status.success());
    for output in [clean, wrong_key] {
        shown += &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
    }
    let tokens = announced_tokens(&rancher);
    assert!(tokens.len() >= 5, "two clusters, one of them rotated, and two of a ramp: {}", tokens.len());
    let mut agent = agent;
    assert!(agent.stop().0.success());
    let log = agent.log();
    assert!(log.matches("[DEBUG]").count() > 10, "it is the log of a whole run: {log}");
    shown += &log;
    shown += &std::fs::read_to_string(home.join("audit.log")).unwrap();
    // An agent for as long as a ramp takes makes a key of its own.
    let folder = home.join("own").display().to_string();
    let own = ["ramp", "--clusters", "2", "--prefix", "own-", "--clean", "--results", &folder, "--log-level", "debug"];
    shown += &printed(&home, &own, "");
    shown += &read_folder(Path::new(&folder));
    shown += &std::fs::read_to_string(home.join("audit.log")).unwrap();

    let read = |name: &str| std::fs::read_to_string(home.join(name)).unwrap();
    let mut secrets: Vec<(String, String)> = vec![
        ("API token".into(), API_TOKEN.split_once(':').unwrap().1.into()),
        ("registration token".into(), "registration-secret-".into()),
        ("API key".into(), key),
        ("seal key".into(), read("seal.key").trim().into()),
    ];
    secrets.extend(tokens.into_iter().map(|token| ("service account token".to_owned(), token)));
    for entry in std::fs::read_dir(&home).unwrap().flatten() {
        let text =
            std::fs::read(entry.path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        if let Some((_, body)) = text.split_once("PRIVATE KEY-----\n") {
            secrets.push((format!("{:?}", entry.file_name()), body.lines().next().unwrap().to_owned()));
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
        }
    }
    for (what, secret) in secrets {
        assert!(secret.len() > 10 && !shown.contains(&secret), "the {what} is shown");
    }
    assert!(!shown.contains("PRIVATE KEY"), "a key of nobody knows which");
    let is_of_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_key = |text: &str| text.bytes().take_while(is_of_key).count() >= 20;
    assert!(!shown.split("sca_").skip(1).any(is_key), "an API key of nobody knows which");
    assert_eq!(std::fs::metadata(home.join("state.v1.redb")).unwrap().permissions().mode() & 0o077, 0);
}

/// What a cluster holds is Rancher's to read, down to its secrets: of the agent's own there is nothing in it.
#[test]
#[cfg(has_go)]
fn no_cluster_holds_a_secret_of_the_agent() {
    let peer = support::Peer::start(&[]);
    let home = tempfile::tempdir().unwrap();
    let made = printed(home.path(), &["api-key", "create", "--role", "admin", "--name", "boss"], "");
    let key = made.lines().find(|line| line.starts_with("sca_")).unwrap().to_owned();
    let line = made.lines().find(|line| line.contains("{Name:")).unwrap().to_owned();
    drop(home);
    let agent = Agent::start(&peer, &format!("APIKeys:\n{line}\n"));
    call(&agent, "POST", "/clusters", &key, r#"{"name":"edge-0001"}"#);
    peer.settle(1);
    let kubectl = |arguments: &[&str]| {
        let output = peer.kubectl("edge-0001", arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let kinds = kubectl(&["api-resources", "--verbs=list", "-o", "name"]).trim().replace('\n', ",");
    let dump: Value = serde_json::from_str(&kubectl(&["get", &kinds, "-A", "-o", "json"])).unwrap();
    let objects = dump["items"].as_array().unwrap();
    let mut shown = dump.to_string();
    let values = objects.iter().filter(|object| object["kind"] == "Secret");
    for value in values.flat_map(|secret| secret["data"].as_object().into_iter().flatten()) {
        shown += &String::from_utf8_lossy(&STANDARD.decode(value.1.as_str().unwrap()).unwrap());
    }
    assert!(objects.len() > 50 && shown.contains("kube-root-ca.crt"), "{} objects", objects.len());
    let secret = peer.token.split_once(':').map_or(peer.token.as_str(), |(_, secret)| secret);
    for (what, secret) in [("API token", secret), ("API key", &key), ("private key", "PRIVATE KEY")] {
        assert!(secret.len() > 10 && !shown.contains(secret), "the {what} is in the cluster");
    }
}

#[test]
fn a_sealed_token_is_opened_by_a_key_of_the_environment_too_and_sealed_anew() {
    let rancher = FakeRancher::start();
    let (home, sealed) = sealed_home();
    write_config(home.path(), &rancher, &format!("BearerToken: {sealed}\n"));
    let without = run(home.path(), &["check-config"], "");
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(!without.status.success() && said.contains("there is no key: set SealKeyFile"), "{said}");

    let path = |name: &str| home.path().join(name).display().to_string();
    printed(home.path(), &["secret", "new-key", &path("new.key")], "");
    printed(
        home.path(),
        &["secret", "reseal", "--key-file", &path("seal.key"), "--new-key-file", &path("new.key"), &path("config")],
        "",
    );
    assert!(!std::fs::read_to_string(path("config")).unwrap().contains(&sealed));
    let mut command = agent_command(home.path());
    command.env("SCALE_AGENT_SEAL_KEY", std::fs::read_to_string(path("new.key")).unwrap().trim());
    let agent = Agent::start_as(command, home);
    assert_eq!(agent.create("edge-0001").0, 201);
}

#[test]
fn keys_that_everybody_may_read_are_refused_and_tokens_that_everybody_may_read_are_told() {
    let rancher = FakeRancher::start();
    let (home, sealed) = sealed_home();
    let set_mode = |name: &str, mode| {
        std::fs::set_permissions(home.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write_config(home.path(), &rancher, &format!("BearerToken: {sealed}\nSealKeyFile: seal.key\n"));
    set_mode("seal.key", 0o644);
    set_mode("config", 0o644);
    let refused = run(home.path(), &["check-config"], "");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("chmod 600"), "{said}");
    set_mode("seal.key", 0o600);
    let checked = run(home.path(), &["check-config"], "");
    assert!(checked.status.success() && checked.stderr.is_empty(), "what is sealed may be read: {checked:?}");

    std::fs::write(home.path().join("token"), API_TOKEN).unwrap();
    set_mode("token", 0o644);
    write_config(home.path(), &rancher, "BearerTokenFile: token\n");
    let checked = run(home.path(), &["check-config"], "");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && said.contains("token holds a token and other users may read it"), "{said}");
    write_config(home.path(), &rancher, "SealKey: x\n");
    let said = String::from_utf8_lossy(&run(home.path(), &["check-config"], "").stderr).into_owned();
    assert!(said.contains("SealKey: beside what it seals, it protects nothing"), "{said}");
}
