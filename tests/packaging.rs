//! What is shipped: the static binary where there is nothing else, and the files under `config/` that start it, each judged by the
//! tool of those it is meant for.

mod support;

use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use support::fake_rancher::{API_TOKEN, FakeRancher};
use support::{Agent, agent_command, eventually, go_program, tools};

/// A folder that is to be all there is, with the static binary in it.
struct Root(tempfile::TempDir);

impl Root {
    /// `None`, with a word, where there is no static binary or where this user may not change its root.
    fn with_binary() -> Option<Root> {
        let Some(binary) = std::env::var_os("SCALE_AGENT_STATIC_BINARY") else {
            eprintln!("skipped: SCALE_AGENT_STATIC_BINARY names no binary; config/package/build makes one");
            return None;
        };
        let root = Root(tempfile::tempdir().unwrap());
        std::fs::copy(binary, root.path("scale-cluster-agent")).unwrap();
        if root.run(&["--version"]).status.code() == Some(125) {
            eprintln!("skipped: only root may change its root");
            return None;
        }
        Some(root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("chroot");
        command.arg(self.0.path()).arg("/scale-cluster-agent").args(args).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("chroot runs")
    }

    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "{args:?}: {}", text(&output));
        text(&output)
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}

#[test]
fn the_binary_needs_nothing_but_itself() {
    let Some(root) = Root::with_binary() else { return };
    let bytes = std::fs::metadata(root.path("scale-cluster-agent")).unwrap().len();
    let begin = Instant::now();
    assert!(root.run(&["--version"]).status.success());
    eprintln!("{bytes} bytes; --version takes {:?}", begin.elapsed());
    // A rehearsed agent has a home, and that is all it wants.
    let rehearse = ["--home", "/home", "rehearse", "--clusters", "5"];
    let told = root.fails(&rehearse);
    assert!(told.contains("cannot write the agent's home in /tmp"), "{told}");
    std::fs::create_dir(root.path("tmp")).unwrap();
    let output = root.run(&rehearse);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("5 of 5 clusters Active"), "{}", text(&output));
}

#[test]
fn names_and_certificates_are_those_of_the_host_and_their_absence_is_told() {
    let Some(root) = Root::with_binary() else { return };
    let rancher = FakeRancher::start_tls("rancher.test");
    let port = rancher.url.rsplit(':').next().unwrap();
    let configuration = format!(
        "RancherURL: https://rancher.test:{port}\nBearerToken: \"{API_TOKEN}\"\nListenPort: 0\nConnectTimeout: 2s\n"
    );
    root.write("home/config", &configuration);
    let told = root.fails(&["--home", "/home", "doctor"]);
    assert!(told.contains("rancher.test") && told.contains("resolve"), "{told}");
    root.write("etc/hosts", "127.0.0.1 localhost rancher.test\n");
    let told = root.fails(&["--home", "/home", "doctor"]);
    assert!(told.contains("CAFile"), "{told}");
    root.write("etc/ssl/certs/ca-certificates.crt", &rancher.ca_pem);

    let (command, begin) = (root.command(&["--home", "/home"]), Instant::now());
    let agent = Agent::start_as(command, root.0);
    let (status, _) = agent.call("GET", "/livez");
    eprintln!("the first request is answered {:?} after the start", begin.elapsed());
    assert_eq!(status, 200);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(agent.create("edge-0001").0, 201);
    agent.await_state("edge-0001", "connected");
}

#[test]
fn systemd_takes_the_unit_and_finds_it_closed() {
    let scratch = tempfile::tempdir().unwrap();
    let unit = scratch.path().join("scale-cluster-agent.service");
    let text = read("config/systemd/scale-cluster-agent.service");
    let installed = "/usr/local/bin/scale-cluster-agent";
    assert!(text.contains(installed));
    std::fs::write(&unit, text.replace(installed, env!("CARGO_BIN_EXE_scale-cluster-agent"))).unwrap();
    tools::run("systemd-analyze", &[OsString::from("verify"), unit.clone().into()], scratch.path(), "");
    // A tenth of what a unit without any of it has: 9.6 of 10.
    let arguments = ["security", "--offline=true", "--threshold=15", "--no-pager"].map(OsString::from);
    let said = tools::run("systemd-analyze", &[&arguments[..], &[unit.into()]].concat(), scratch.path(), "");
    said.iter()
        .flat_map(|said| said.lines().filter(|line| line.contains("exposure")))
        .for_each(|line| eprintln!("{line}"));
}

#[test]
fn logrotate_rotates_and_the_agent_goes_on_in_the_new_file() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "LogFile: agent-lines.log\n");
    let log = agent.home.path().join("agent-lines.log");
    eventually("the log has a line", || {
        std::fs::read_to_string(&log).ok().filter(|log| !log.is_empty()).ok_or("none".into())
    });
    let text = read("config/logrotate/scale-cluster-agent");
    let reopen = "systemctl kill --signal=HUP --kill-whom=main scale-cluster-agent.service";
    let logs = "/var/log/scale-cluster-agent/*.log";
    assert!(text.contains(reopen) && text.contains(logs));
    let text = text.replace(reopen, &format!("kill -HUP {}", agent.pid())).replace(logs, log.to_str().unwrap());
    let configuration = agent.home.path().join("logrotate.conf");
    std::fs::write(&configuration, text).unwrap();
    let state = agent.home.path().join("logrotate.state");
    let arguments = [OsString::from("--force"), "--state".into(), state.into(), configuration.into()];
    let Some(_) = tools::run("logrotate", &arguments, agent.home.path(), "") else { return };
    eventually("lines go to the new file", || match std::fs::read_to_string(&log) {
        Ok(log) if log.contains("configuration read again") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert!(log.with_extension("log.1").exists());
}

#[test]
fn hadolint_finds_no_fault_with_the_image() {
    tools::run("hadolint", &["--failure-threshold", "style", "config/package/Dockerfile"], &repository(""), "");
}

/// The chart with these values, as helm renders it.
#[cfg(has_go)]
fn rendered(extra: &[&str]) -> Output {
    let mut command = Command::new(go_program("helm", "tests/peers/clients", "helm.sh/helm/v3/cmd/helm"));
    command.args(["template", "scale-cluster-agent", "config/helm/scale-cluster-agent", "--kube-version", "1.31.0"]);
    command.args(["--namespace", "scale-cluster-agent", "--values", "config/kubernetes/values.yaml"]).args(extra);
    command.current_dir(repository("")).output().unwrap()
}

#[test]
#[cfg(has_go)]
fn the_chart_renders_what_an_api_server_and_the_agent_take() {
    let helm = go_program("helm", "tests/peers/clients", "helm.sh/helm/v3/cmd/helm");
    let lint = ["lint", "config/helm/scale-cluster-agent", "--strict", "--kube-version", "1.31.0"];
    tools::run(
        helm.to_str().unwrap(),
        &[&lint[..], &["--values", "config/kubernetes/values.yaml"]].concat(),
        &repository(""),
        "",
    );
    let strict = go_program("strict", "tests/peers/clients", "./strict");
    let judge = |manifests: &str| tools::run(strict.to_str().unwrap(), &[""; 0], &repository(""), manifests).unwrap();

    let plain = rendered(&[]);
    assert!(plain.status.success(), "{}", text(&plain));
    let plain = String::from_utf8(plain.stdout).unwrap();
    for object in ["StatefulSet", "Service", "ConfigMap", "NetworkPolicy"] {
        assert!(judge(&plain).contains(&format!("{object} scale-cluster-agent\n")), "{}", judge(&plain));
    }
    // What is written for those without helm is what helm makes.
    let manifests = read("config/kubernetes/scale-cluster-agent.yaml");
    let body = |text: &str| text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    assert!(body(&manifests) == body(&plain), "render config/kubernetes/scale-cluster-agent.yaml anew:\n{plain}");

    let full = rendered(&[
        "--set",
        "rancher.existingSecret=,rancher.token=token-abcde:xyz,rancher.ca=PEM,template=nodes: [],templates.tiny=nodes: []",
        "--set",
        "tls.existingSecret=rest-tls,persistence.storageClass=fast,config.ReportInterval=60s",
        "--set-json",
        r#"networkPolicy.from=[{"namespaceSelector":{}}]"#,
    ]);
    assert!(full.status.success(), "{}", text(&full));
    let full = String::from_utf8(full.stdout).unwrap();
    assert!(judge(&full).contains("Secret scale-cluster-agent-rancher\n"), "{}", judge(&full));
    for (text, port) in [(&plain, "HTTP"), (&full, "HTTPS")] {
        assert_eq!(text.matches(&format!("scheme: {port}\n")).count(), 3, "{text}");
    }
    let monitored = ["--set", "serviceMonitor.enabled=true,serviceMonitor.keySecret.name=viewer"];
    assert!(text(&rendered(&monitored)).contains("kind: ServiceMonitor"));

    // The agent takes the configuration that is in it.
    for rendered in [&plain, &full] {
        let maps = rendered.split("\n---\n").filter(|document| document.contains("kind: ConfigMap"));
        let map: Value = serde_yaml::from_str(maps.last().unwrap()).unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config"), map["data"]["config"].as_str().unwrap()).unwrap();
        let output = agent_command(home.path()).arg("check-config").env("SCALE_AGENT_SHARD", "2/3").output().unwrap();
        // Nothing is missing but what the pod mounts.
        let said = text(&output);
        assert!(said.contains("2/3") && said.contains("error: cannot read the token file /"), "{said}");
    }
    assert!(plain.contains("value: auto/3\n"));
}

#[test]
#[cfg(has_go)]
fn a_chart_without_what_it_needs_says_what() {
    for (value, message) in [
        ("rancher.url=", "rancher.url is missing"),
        ("rancher.existingSecret=", "rancher.token is missing, or rancher.existingSecret"),
        ("apiKeys=null", "apiKeys"),
        ("replicas=0", "replicas"),
        ("rancher.usl=x", "usl"),
    ] {
        let output = rendered(&["--set", value]);
        assert!(!output.status.success() && text(&output).contains(message), "{value}: {}", text(&output));
    }
}
