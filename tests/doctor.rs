//! `doctor` against a Rancher by script: each thing that can be wrong is found and comes with its remedy.

mod support;

use serde_json::{Value, json};
use std::process::{Command, Output};
use support::agent_command;
use support::fake_rancher::{API_TOKEN, Answer, Authority, FakeRancher};

struct Doctor {
    home: tempfile::TempDir,
}

impl Doctor {
    fn with(configuration: &str) -> Doctor {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config"), configuration).unwrap();
        Doctor { home }
    }

    /// For one Rancher, whose authority is trusted.
    fn of(rancher: &FakeRancher) -> Doctor {
        let doctor = Doctor::with(&format!(
            "RancherURL: {}\nBearerToken: \"{API_TOKEN}\"\nCAFile: ca.pem\nConnectTimeout: 3s\nRequestTimeout: 5s\n",
            rancher.url
        ));
        std::fs::write(doctor.home.path().join("ca.pem"), &rancher.ca_pem).unwrap();
        doctor
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = agent_command(self.home.path());
        command.arg("doctor").args(args);
        command
    }

    /// The exit code, and every finding: subject, check, verdict, detail and remedy.
    fn findings(&self, args: &[&str]) -> (i32, Vec<[String; 5]>) {
        let output = self.command(args).args(["--output", "json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let mut findings = Vec::new();
        for examination in report["examinations"].as_array().unwrap() {
            for finding in examination["findings"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let field = |name: &str| text(&finding[name]);
                findings.push([
                    text(&examination["subject"]),
                    field("check"),
                    field("verdict"),
                    field("detail"),
                    field("remedy"),
                ]);
            }
        }
        (output.status.code().unwrap(), findings)
    }

    /// The one failure there is: its check, and its detail and remedy together. Nothing about that server follows it.
    fn failure(&self) -> (String, String) {
        let (code, findings) = self.findings(&["--clusters", "10"]);
        let failures: Vec<&[String; 5]> = findings.iter().filter(|finding| finding[2] == "fail").collect();
        let [failure] = failures.as_slice() else { panic!("{findings:#?}") };
        assert_eq!(code, 1);
        assert!(!failure[4].is_empty(), "{failure:?}");
        (failure[1].clone(), format!("{}; {}", failure[3], failure[4]))
    }
}

fn verdicts(findings: &[[String; 5]]) -> Vec<(&str, &str)> {
    findings.iter().map(|finding| (finding[1].as_str(), finding[2].as_str())).collect()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_rancher_that_is_well_gets_no_remedies() {
    let rancher = FakeRancher::start_tls("127.0.0.1");
    let doctor = Doctor::of(&rancher);
    let (code, findings) = doctor.findings(&["--clusters", "10"]);
    assert_eq!(code, 0, "{findings:#?}");
    let of_rancher: Vec<[String; 5]> =
        findings.into_iter().filter(|finding| finding[0].starts_with("server ")).collect();
    let checks = [
        "URL",
        "DNS",
        "connection",
        "TLS",
        "version",
        "clock",
        "token",
        "rights",
        "server-url",
        "Rancher's size",
        "RoleBindings",
    ];
    assert_eq!(verdicts(&of_rancher), checks.map(|check| (check, "ok")), "{of_rancher:#?}");
    assert!(of_rancher[4][3].contains("v2.11.2"), "{of_rancher:#?}");

    let output = doctor.command(&["--clusters", "2000"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let text = text(&output);
    assert!(text.contains("warn  RoleBindings") && text.contains("96,000"), "{text}");
    assert!(text.contains("2000 clusters will work; "), "{text}");
    assert!(!text.contains("correct-horse"), "{text}");
    assert_eq!(rancher.asked("POST", "*").len(), 0, "it changes nothing");
}

#[test]
fn without_a_rancher_it_looks_at_the_host_alone() {
    let doctor = Doctor::with("");
    let (code, findings) = doctor.findings(&["--clusters", "10"]);
    assert_eq!(code, 1, "{findings:#?}");
    let (last, host) = findings.split_last().unwrap();
    assert_eq!(last[..4], ["Rancher", "RancherURL", "fail", "not set"], "{findings:#?}");
    assert!(last[4].contains("--rancher-url"), "{last:?}");
    assert!(!host.is_empty() && host.iter().all(|finding| finding[0] == "this host"), "{findings:#?}");
}

#[test]
fn what_keeps_it_from_rancher_is_named() {
    let rancher = FakeRancher::start_tls("127.0.0.1");
    let with_url =
        |url: &str| Doctor::with(&format!("RancherURL: {url}\nBearerToken: \"{API_TOKEN}\"\nConnectTimeout: 3s\n"));

    let (check, words) = with_url("https://rancher.invalid").failure();
    assert!(check == "DNS" && words.contains("rancher.invalid") && words.contains("resolver"), "{check}: {words}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (check, words) = with_url(&format!("https://{closed}")).failure();
    assert!(check == "connection" && words.contains("refused"), "{check}: {words}");
    let (check, words) = with_url(&rancher.url.replace("https", "http")).failure();
    assert!(check == "Rancher" || check == "version", "{check}: {words}");

    let plain = FakeRancher::start();
    let (check, words) = with_url(&plain.url.replace("http", "https")).failure();
    assert!(check == "TLS" && words.contains("handshake"), "{check}: {words}");
    let (check, words) = with_url(&rancher.url).failure();
    assert!(check == "TLS" && words.contains("not trusted") && words.contains("CAFile"), "{check}: {words}");

    let elsewhere = Doctor::of(&rancher);
    std::fs::write(
        elsewhere.home.path().join("config"),
        format!("RancherURL: {}/nothing\nBearerToken: \"{API_TOKEN}\"\nCAFile: ca.pem\n", rancher.url),
    )
    .unwrap();
    let (check, words) = elsewhere.failure();
    assert!(check == "Rancher" && words.contains("no Rancher"), "{check}: {words}");
}

#[test]
fn certificates_that_have_expired_or_are_for_others_are_named() {
    let authority = Authority::new();
    let expired = FakeRancher::start_tls_until(&authority, "127.0.0.1", (2021, 1, 1));
    let (check, words) = Doctor::of(&expired).failure();
    assert!(check == "TLS" && words.contains("has expired") && words.contains("renew"), "{check}: {words}");
    let other = FakeRancher::start_tls_by(&authority, "127.0.0.1", "rancher.example.com");
    let (check, words) = Doctor::of(&other).failure();
    assert!(check == "TLS" && words.contains("not trusted") && words.contains("name"), "{check}: {words}");
}

#[test]
fn what_is_wrong_with_the_token_is_named() {
    let rancher = FakeRancher::start_tls("127.0.0.1");
    let doctor = Doctor::of(&rancher);
    let path = "/v3/tokens/token-abcde";
    let expires = |time: jiff::Timestamp| Answer::json(200, json!({"userId": "u-1", "expiresAt": time.to_string()}));
    let day = jiff::SignedDuration::from_hours(24);

    rancher.answer("GET", path, [expires(jiff::Timestamp::now() + day)]);
    let (code, findings) = doctor.findings(&[]);
    let token = findings.iter().find(|finding| finding[1] == "token").unwrap();
    assert_eq!((code, token[2].as_str()), (0, "warn"), "{token:?}");

    rancher.answer("GET", path, [expires(jiff::Timestamp::now() - day)]);
    let (check, words) = doctor.failure();
    assert!(check == "token" && words.contains("it expired at") && words.contains("API key"), "{check}: {words}");

    rancher.answer(
        "GET",
        "/v3/schemas/cluster",
        [Answer::json(200, json!({"id": "cluster", "collectionMethods": ["GET"]}))],
    );
    let (check, words) = doctor.failure();
    assert!(check == "rights" && words.contains("may not create clusters"), "{check}: {words}");

    rancher.always("GET", "/v3/clusters", Answer::error(401, "Unauthorized", "must authenticate"));
    let (check, words) = doctor.failure();
    assert!(check == "token" && words.contains("401") && words.contains("API key"), "{check}: {words}");
}

#[test]
fn ranchers_own_shortcomings_are_named() {
    let rancher = FakeRancher::start_tls("127.0.0.1");
    let doctor = Doctor::of(&rancher);
    rancher.set_clock_ahead(jiff::SignedDuration::from_hours(2));
    let (check, words) = doctor.failure();
    assert!(check == "clock" && words.contains("ahead of this host's") && words.contains("NTP"), "{check}: {words}");
    rancher.set_clock_ahead(jiff::SignedDuration::ZERO);

    rancher.always("GET", "/rancherversion", Answer::json(200, json!({"Version": "v2.13.1"})));
    let (check, words) = doctor.failure();
    assert!(check == "Cluster API" && words.contains("turtles"), "{check}: {words}");
    rancher.always(
        "GET",
        "/v1/schemas/cluster.x-k8s.io.cluster",
        Answer::json(200, json!({"id": "cluster.x-k8s.io.cluster"})),
    );
    let (code, findings) = doctor.findings(&[]);
    assert_eq!(code, 0, "{findings:#?}");
    assert!(verdicts(&findings).contains(&("Cluster API", "ok")), "{findings:#?}");

    rancher.always(
        "GET",
        "/v3/settings/server-url",
        Answer::json(200, json!({"value": "https://rancher.example.com"})),
    );
    let (_, findings) = doctor.findings(&[]);
    let url = findings.iter().find(|finding| finding[1] == "server-url").unwrap();
    assert!(url[2] == "warn" && url[3].contains("https://rancher.example.com"), "{url:?}");
}

#[test]
fn a_low_limit_of_open_files_is_named() {
    let rancher = FakeRancher::start_tls("127.0.0.1");
    let doctor = Doctor::of(&rancher);
    let inner = doctor.command(&["--clusters", "200"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 300 && exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    let output = command.output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("fail  open files") && text.contains("300 may be open; 528 are needed"), "{text}");
    assert!(text.contains("LimitNOFILE=528"), "{text}");
}

#[test]
fn each_of_several_ranchers_is_examined() {
    let (east, west) = (FakeRancher::start(), FakeRancher::start());
    west.always("GET", "/v3/clusters", Answer::error(401, "Unauthorized", "must authenticate"));
    let server = |name: &str, url: &str, weight| {
        format!("  - {{Name: {name}, URL: \"{url}\", BearerToken: \"{API_TOKEN}\", Weight: {weight}}}\n")
    };
    let doctor = Doctor::with(&format!("Servers:\n{}{}", server("east", &east.url, 3), server("west", &west.url, 1)));
    let (code, findings) = doctor.findings(&["--clusters", "400"]);
    assert_eq!(code, 1);
    let failures: Vec<&[String; 5]> = findings.iter().filter(|finding| finding[2] == "fail").collect();
    assert!(matches!(failures.as_slice(), [one] if one[0].starts_with("server west")), "{findings:#?}");
    let size = findings.iter().find(|finding| finding[1] == "Rancher's size").unwrap();
    assert!(size[0].starts_with("server east") && size[3].contains("300 more"), "its share: {size:?}");
}

#[test]
fn without_a_rancher_it_says_what_to_configure() {
    let output = Doctor::with("").command(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("RancherURL"), "{}", text(&output));
}
