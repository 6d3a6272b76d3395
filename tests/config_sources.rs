//! What a user sees of the configuration: where values come from, and what wrong ones lead to.

use assert_cmd::Command;
use scale_cluster_agent::config::SETTINGS;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// An empty HOME in which the binary runs.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn with_config(text: &str) -> Home {
        let home = Home::new();
        fs::create_dir(home.agent()).unwrap();
        fs::write(home.agent().join("config"), text).unwrap();
        home
    }

    fn agent(&self) -> PathBuf {
        self.0.path().join(".scale-cluster-agent")
    }

    fn run(&self, args: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let mut command = Command::cargo_bin("scale-cluster-agent").unwrap();
        command.env_clear().env("HOME", self.0.path()).envs(environment.iter().copied()).args(args);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(&self.agent().display().to_string(), "AGENT");
        Outcome { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// Value and origin of a setting as `check-config` prints them.
    fn setting(&self, key: &str) -> (&str, &str) {
        let line = self.stdout.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
        let (value, origin) = line[key.len()..].trim_start().split_once("  ").unwrap();
        (value, origin.trim())
    }
}

#[test]
fn each_value_has_its_origin() {
    let home = Home::with_config("# mine\nRancherURL: https://file.example\nBearerToken: token-abcde:hunter2\n");
    let environment = [("SCALE_AGENT_RANCHER_URL", "https://environment.example"), ("SCALE_AGENT_WORKERS", "3")];
    let outcome = home.run(&["check-config", "--listen-port", "9100"], &environment);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(outcome.setting("RancherURL"), ("https://file.example", "file AGENT/config:2"));
    assert_eq!(outcome.setting("BearerToken"), ("***", "file AGENT/config:3"));
    assert_eq!(outcome.setting("Workers"), ("3", "environment SCALE_AGENT_WORKERS"));
    assert_eq!(outcome.setting("ListenPort"), ("9100", "flag --listen-port"));
    assert_eq!(outcome.setting("ReportInterval"), ("30s", "default"));
    assert!(!(outcome.stdout + &outcome.stderr).contains("hunter2"));
}

#[test]
fn check_config_as_json() {
    let home = Home::with_config("BearerToken: token-abcde:hunter2\n");
    let outcome = home.run(&["check-config", "--output", "json"], &[("SCALE_AGENT_WORKER", "3")]);
    assert_eq!(outcome.code, 1, "there is no Rancher");
    let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(json["settings"]["BearerToken"]["value"], "***");
    assert_eq!(json["settings"]["BearerToken"]["origin"], "file AGENT/config:1");
    assert_eq!(json["settings"]["Template"]["value"], serde_json::Value::Null);
    assert!(json["problem"].as_str().unwrap().starts_with("RancherURL is not set"), "{json:#}");
    let warnings = json["warnings"].as_array().unwrap();
    let meant = "environment variable SCALE_AGENT_WORKER is unknown and ignored; did you mean SCALE_AGENT_WORKERS?";
    assert!(warnings.iter().any(|warning| warning == meant), "{warnings:?}");
}

#[test]
fn errors_are_a_line_and_a_remedy() {
    let home = Home::with_config("RancherURL: https://x\nListenPrt: 1\n");
    for args in [&["check-config"][..], &["render", "edge"], &[], &["rehearse"]] {
        let outcome = home.run(args, &[]);
        assert_eq!(outcome.code, 1, "{args:?}");
        assert_eq!(outcome.stdout, "");
        let expected = "error: file AGENT/config:2: unknown key `ListenPrt`\n  did you mean `ListenPort`?\n";
        assert_eq!(outcome.stderr, expected, "{args:?}");
    }
}

#[test]
fn run_needs_a_rancher_and_says_how_to_name_it_and_so_does_check_config() {
    for command in ["run", "check-config"] {
        let fails = |home: Home, arguments: &[&str], words: &str| {
            let outcome = home.run(&[&[command, "--listen-port", "0"], arguments].concat(), &[]);
            assert_eq!(outcome.code, 1, "{command}");
            assert!(outcome.stderr.contains(&format!("error: {words}")), "{command}: {}", outcome.stderr);
        };
        fails(Home::new(), &[], "RancherURL is not set\n  give --rancher-url URL");
        fails(Home::new(), &["--rancher-url", "https://rancher.invalid"], "BearerToken is not set\n");
        let known = "RancherURL: https://rancher.invalid\nBearerToken: token-abcde:hunter2\n";
        fails(Home::with_config(&format!("{known}Template: none.yaml\n")), &[], "cannot read the template");
        let files = "TLSCertFile: none.pem\nTLSKeyFile: none.key\n";
        fails(Home::with_config(&format!("{known}{files}")), &[], "AGENT/none.pem: ");
        let servers = "Servers:\n- {Name: east, URL: 'https://rancher.invalid'}\n";
        fails(Home::with_config(servers), &[], "server east: BearerToken is not set\n");
    }
}

#[test]
fn certificates_are_skipped_by_flag_only_and_with_a_warning() {
    let variable = [("SCALE_AGENT_INSECURE_SKIP_TLS_VERIFY", "true")];
    let outcome = Home::new().run(&["check-config"], &variable);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.ends_with("  expected the flag --insecure-skip-tls-verify\n"), "{}", outcome.stderr);
    let rancher = [("SCALE_AGENT_RANCHER_URL", "https://r.test"), ("SCALE_AGENT_BEARER_TOKEN", "token-abcde:hunter2")];
    let outcome = Home::new().run(&["check-config", "--insecure-skip-tls-verify"], &rancher);
    assert_eq!(outcome.code, 0);
    assert!(outcome.stderr.starts_with("warning: Rancher's certificate is not verified"), "{}", outcome.stderr);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for args in [
        &["--listen"][..],
        &["conjure"],
        &["render"],
        &["rehearse", "--clusters", "0"],
        &["rehearse", "--hold", "3"],
        &["check-config", "--listen-port", "web"],
    ] {
        let outcome = Home::new().run(args, &[]);
        assert_eq!(outcome.code, 2, "{args:?}");
        assert!(outcome.stderr.starts_with("error: "), "{args:?}: {}", outcome.stderr);
    }
}

#[test]
fn help_lists_every_setting_and_the_exit_codes() {
    let outcome = Home::new().run(&["--help"], &[]);
    assert_eq!(outcome.code, 0);
    assert!(
        outcome.stdout.contains(
            "Exit codes: 0 success, 1 failure, 2 wrong usage, 99 a threshold does not hold, 130 ended by a signal before its work was done."
        )
    );
    for setting in SETTINGS.iter().filter(|setting| !setting.flag_only) {
        assert!(outcome.stdout.contains(&format!("  {} ({})\n", setting.key, setting.variable())), "{}", setting.key);
    }
    let version = Home::new().run(&["--version"], &[]);
    assert_eq!(version.stdout, concat!("scale-cluster-agent ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_sample_documents_every_setting_with_its_default() {
    let sample = fs::read_to_string("config/config.yaml").unwrap();
    let defaults = scale_cluster_agent::config::Settings::default();
    let documented: Vec<String> = SETTINGS
        .iter()
        .filter(|setting| !setting.flag_only)
        .map(|setting| match setting.key {
            "RancherURL" => format!("# {}\nRancherURL: https://rancher.example.com", setting.help),
            "BearerToken" => format!("# {}\nBearerToken: token-xxxxx:secret", setting.help),
            key => format!("# {}\n{}", setting.help, format!("#{key}: {}", setting.text(&defaults)).trim_end()),
        })
        .collect();
    let (_introduction, settings) = sample.split_once("\n\n").unwrap();
    assert_eq!(settings.trim_end(), documented.join("\n\n"));
}

#[test]
fn the_sample_works_with_every_default_switched_on() {
    let sample = fs::read_to_string("config/config.yaml").unwrap();
    let is_setting = |line: &str| line.starts_with('#') && !line.starts_with("# ") && !line.ends_with(':');
    let switched_on: Vec<&str> = sample.lines().map(|line| if is_setting(line) { &line[1..] } else { line }).collect();
    let outcome = Home::with_config(&switched_on.join("\n")).run(&["check-config"], &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.setting("KubernetesVersion").1.starts_with("file AGENT/config:"));
}
