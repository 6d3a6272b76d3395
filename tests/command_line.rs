//! What the command line tells of itself and of a running agent.

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::fake_rancher::{Authority, FakeRancher};
use support::{Agent, agent_command, home_for};

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn status_prints_the_fleet() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let status = |args: &[&str]| {
        let mut command = agent_command(agent.home.path());
        command.arg("status").args(args).args(["--agent", &agent.url]).output().unwrap()
    };
    assert_eq!(text(&status(&[])), "no clusters; 0 tunnels up\n");
    for name in ["edge-1", "edge-2"] {
        assert_eq!(agent.create(name).0, 201);
        agent.await_state(name, "connected");
    }
    let shown = text(&status(&[]));
    assert!(shown.starts_with("2 connected; 4 tunnels up\n\nNAME     STATE"), "{shown}");
    assert!(shown.contains("\nedge-1   connected   20"), "{shown}");
    assert!(text(&status(&["--limit", "1"])).ends_with("and 1 more; --limit shows them\n"));
    let shown: Value = serde_json::from_str(&text(&status(&["--state", "failed", "--output", "json"]))).unwrap();
    assert_eq!((&shown["count"], &shown["overview"]["clusters"]["connected"]), (&0.into(), &2.into()), "{shown:#}");
    let refused = status(&["--state", "nowhere"]);
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && words.contains("one of pending"), "{words}");

    let mut nobody = agent_command(agent.home.path());
    let nobody = nobody.args(["status", "--agent", "http://127.0.0.1:1"]).output().unwrap();
    let words = String::from_utf8_lossy(&nobody.stderr);
    assert!(nobody.status.code() == Some(1) && words.contains("--agent"), "{words}");
}

#[test]
fn shells_complete_it_and_man_shows_it() {
    let home = tempfile::tempdir().unwrap();
    // Not even a broken configuration keeps it from that.
    std::fs::write(home.path().join("config"), "Nonsense: true\n").unwrap();
    let run = |args: &[&str]| text(&agent_command(home.path()).args(args).output().unwrap());
    let script = home.path().join("completions.bash");
    std::fs::write(&script, run(&["completions", "bash"])).unwrap();
    // What bash offers behind a subcommand.
    let ask = "source \"$0\"; COMP_WORDS=(scale-cluster-agent doctor --cl); COMP_CWORD=2; \
               _scale__cluster__agent scale-cluster-agent --cl doctor; echo \"${COMPREPLY[*]}\"";
    let offered = Command::new("bash").args(["-c", ask]).arg(&script).output().unwrap();
    assert_eq!(text(&offered).trim(), "--clusters");
    for shell in ["zsh", "fish"] {
        assert!(run(&["completions", shell]).contains("rehearse"), "{shell}");
    }
    let page = run(&["man"]);
    assert!(page.contains(".TH scale-cluster-agent 1") && page.contains("RancherURL"), "{page}");
    let directory = home.path().join("man/pages");
    run(&["man", directory.to_str().unwrap()]);
    for page in ["scale-cluster-agent.1", "scale-cluster-agent-doctor.1", "scale-cluster-agent-fault-start.1"] {
        assert!(directory.join(page).exists(), "{page}");
    }
}

#[test]
fn a_status_that_is_watched_waits_for_an_agent_that_goes_away() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let home = tempfile::tempdir().unwrap();
    let mut command = agent_command(home.path());
    command.args(["status", "--watch", "--agent", &agent.url]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut shown = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(shown.next().unwrap(), "no clusters; 0 tunnels up");
    drop(agent.kill());
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told = told.next().unwrap();
    assert!(told.contains("does not answer") && told.contains("asked again until it does"), "{told}");
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

/// An agent with this certificate and key.
fn agent_with_tls(rancher: &FakeRancher, certificate: &str, key: &rcgen::KeyPair) -> Agent {
    let home = home_for(rancher, "TLSCertFile: cert.pem\nTLSKeyFile: key.pem\nRampPollInterval: 100ms\n");
    std::fs::write(home.path().join("cert.pem"), certificate).unwrap();
    std::fs::write(home.path().join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::set_permissions(home.path().join("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    Agent::start_in(home)
}

/// What `status` comes to in a home: empty, or its error.
fn status(home: &Path, url: &str, ca_file: Option<&Path>) -> String {
    let mut command = agent_command(home);
    command.args(["status", "--agent", url]);
    if let Some(file) = ca_file {
        command.arg("--agent-ca").arg(file);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.success(), output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn an_agent_with_a_certificate_of_its_own_making_is_known_by_it() {
    let rancher = FakeRancher::lively();
    let key = rcgen::KeyPair::generate().unwrap();
    // As `openssl req -x509` makes them: for another name, and fit to sign others.
    let mut params = rcgen::CertificateParams::new(vec!["agent.test".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let agent = agent_with_tls(&rancher, &params.self_signed(&key).unwrap().pem(), &key);
    let own = agent.home.path();
    let port = agent.url.rsplit(':').next().unwrap();
    for url in [agent.url.clone(), format!("https://localhost:{port}"), format!("localhost:{port}")] {
        assert_eq!(status(own, &url, None), "", "{url}");
    }
    let run = |args: &[&str]| agent_command(own).args(args).args(["--agent", &agent.url]).output().unwrap();
    text(&run(&["ramp", "--clusters", "2", "--clean"]));
    text(&run(&["clean", "--prefix", "edge-", "--dry-run"]));
    text(&run(&["fault", "list"]));

    let elsewhere = tempfile::tempdir().unwrap();
    let said = status(elsewhere.path(), &agent.url, None);
    assert!(
        said.contains("is not trusted: nobody who is known here") && said.contains("with --agent-ca FILE"),
        "{said}"
    );
    let of_another = elsewhere.path().join("other.pem");
    std::fs::write(&of_another, params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()).unwrap();
    assert!(status(elsewhere.path(), &agent.url, Some(&of_another)).contains("is not trusted"));
    assert_eq!(status(elsewhere.path(), &agent.url, Some(&own.join("cert.pem"))), "");
    let said = status(elsewhere.path(), &agent.url, Some(&own.join("key.pem")));
    assert!(said.contains("holds no PEM certificate") && said.contains("--agent-ca"), "{said}");
    let said = status(elsewhere.path(), &agent.url.replace("https", "http"), None);
    assert!(said.contains("https with a TLSCertFile"), "{said}");
    let mut command = agent_command(elsewhere.path());
    command.env("SCALE_AGENT_AGENT_CA_FILE", own.join("cert.pem"));
    text(&command.args(["status", "--agent", &agent.url]).output().unwrap());
}

#[test]
fn an_agent_with_a_certificate_of_a_private_authority_is_known_by_name() {
    let rancher = FakeRancher::start();
    let authority = Authority::new();
    let (certificate, key) = authority.issue("127.0.0.1", (2049, 12, 31));
    let agent = agent_with_tls(&rancher, &certificate.pem(), &key);
    let elsewhere = tempfile::tempdir().unwrap();
    let ca_file = elsewhere.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).unwrap();
    assert!(status(elsewhere.path(), &agent.url, None).contains("--agent-ca"));
    assert_eq!(status(elsewhere.path(), &agent.url, Some(&ca_file)), "");
    let by_name = agent.url.replace("127.0.0.1", "localhost");
    let said = status(elsewhere.path(), &by_name, Some(&ca_file));
    assert!(
        said.contains("not valid for name \"localhost\"") && said.contains("a name that the certificate is for"),
        "{said}"
    );
    assert_eq!(status(agent.home.path(), &by_name, None), "", "it is the very one of this configuration");
}

#[test]
fn an_agent_whose_certificate_has_expired_is_told_so_even_at_home() {
    let rancher = FakeRancher::start();
    let (certificate, key) = Authority::new().issue("127.0.0.1", (2021, 1, 1));
    let agent = agent_with_tls(&rancher, &certificate.pem(), &key);
    let said = status(agent.home.path(), &agent.url, None);
    assert!(said.contains("expired") && said.contains("renew the certificate"), "{said}");
}

#[test]
fn a_ramp_of_its_own_agent_runs_over_tls_too() {
    let rancher = FakeRancher::lively();
    let (certificate, key) = Authority::new().issue("agent.test", (2049, 12, 31));
    let mut agent = agent_with_tls(&rancher, &certificate.pem(), &key);
    assert!(agent.stop().0.success());
    let output = agent_command(agent.home.path()).args(["ramp", "--clusters", "2", "--clean"]).output().unwrap();
    assert!(text(&output).contains("passed: 2 of 2 clusters Active"), "{output:?}");
}

#[test]
fn what_would_say_nothing_is_refused_as_wrong_usage() {
    let home = tempfile::tempdir().unwrap();
    let find_max = |flag: &'static str, value: &'static str| vec!["rehearse", "--find-max", flag, value];
    for (arguments, words) in [
        (vec!["rehearse", "--rate", "5/s", "--in-flight", "3"], "--in-flight"),
        (vec!["rehearse", "--stages", "1s:1/s", "--in-flight", "3"], "--in-flight"),
        (vec!["rehearse", "--max-in-flight", "2", "--in-flight", "3"], "--in-flight"),
        (find_max("--in-flight", "3"), "--in-flight"),
        (find_max("--max-in-flight", "3"), "--max-in-flight"),
        (find_max("--jitter", "3%"), "--jitter"),
        (vec!["rehearse", "--find-max", "--threshold", "failed:rate<1%", "--abort-on-fail"], "--abort-on-fail"),
        (vec!["rehearse", "--abort-on-fail"], "--threshold"),
        (vec!["rehearse", "--jitter", "10%"], "--jitter: there is no time between starts"),
        (vec!["ramp", "--clusters", "3", "--jitter", "10%", "--dry-run"], "--jitter: there is no time between starts"),
        (vec!["rehearse", "--rancher-url", "https://r.test"], "--rancher-url says nothing to a rehearsal"),
        (vec!["rehearse", "--log-level", "debug"], "--set LogLevel=VALUE"),
        (
            vec!["run-scenario", "config/scenarios/storm.yaml", "--rehearse", "--listen-port", "1"],
            "--listen-port says nothing",
        ),
        (vec!["api-key", "create", "--role", "admin", "--name", "a b"], "choose a short name"),
    ] {
        let output = agent_command(home.path()).args(&arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words), "{arguments:?}: {said}");
    }
    let output = agent_command(home.path()).args(["ramp", "--clusters", "3"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("RancherURL is not set"), "{output:?}");
    assert!(!home.path().join("results").exists(), "what cannot begin leaves nothing behind");
}

#[test]
fn each_flag_stands_under_its_heading() {
    let home = tempfile::tempdir().unwrap();
    for (command, flag) in [("rehearse", "--results"), ("ramp", "--agent <URL>"), ("ramp", "--dry-run")] {
        let help = text(&agent_command(home.path()).args([command, "-h"]).output().unwrap());
        let at = |words: &str| help.find(words).unwrap_or_else(|| panic!("{words}: {help}"));
        assert!(at("Options:") < at(flag) && at(flag) < at("Plan:") && at("Plan:") < at("--stages"), "{help}");
        assert!(at("--stages") < at("Configuration:") && at("Configuration:") < at("--agent-ca"), "{help}");
    }
}

#[test]
fn clusters_that_are_in_flight_until_active_are_as_many_as_were_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["rehearse", "--clusters", "6", "--max-in-flight", "1", "--output", "json"];
    let run: Value =
        serde_json::from_str(&text(&agent_command(home.path()).args(arguments).output().unwrap())).unwrap();
    let most = run["results"]["timeline"]["points"].as_array().unwrap().iter();
    let on_their_way = |point: &Value| point["started"].as_u64().unwrap() - point["active"].as_u64().unwrap();
    assert_eq!((&run["figures"]["active"], most.map(on_their_way).max()), (&6.into(), Some(1)), "{run:#}");
    assert!(!run["requests"].as_array().unwrap().is_empty(), "what was asked is told, however short the ramp");
}
