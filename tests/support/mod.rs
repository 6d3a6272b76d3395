//! Real processes for end-to-end tests: the agent, and the Go peer that plays Rancher on rancher/remotedialer and client-go;
//! and a Rancher by script for what goes wrong.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod browser;
pub mod chromium;
pub mod fake_rancher;
pub mod http;
pub mod tools;

use fake_rancher::{API_TOKEN, FakeRancher};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The Go peer, running.
pub struct Peer {
    child: Child,
    /// The peer ends when its standard input does.
    _stdin: ChildStdin,
    pub url: String,
    pub token: String,
    pub ca: String,
    control: String,
}

impl Peer {
    /// Starts the peer with extra flags.
    pub fn start(flags: &[&str]) -> Peer {
        let mut child = Command::new(built("peer", "."))
            .args(flags)
            .env("KUBECTL", kubectl())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).expect("the peer says that it is ready");
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let field = |name: &str| ready[name].as_str().unwrap().to_owned();
        Peer {
            _stdin: child.stdin.take().unwrap(),
            url: field("url"),
            token: field("token"),
            ca: field("ca"),
            control: field("control"),
            child,
        }
    }

    /// Stops or continues the process, as a machine that freezes does.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// GET of the control API.
    pub fn get(&self, path: &str) -> Value {
        request("GET", &format!("{}{path}", self.control), None).1
    }

    /// POST to the control API.
    pub fn post(&self, path: &str, body: &str) -> Value {
        request("POST", &format!("{}{path}", self.control), Some(body)).1
    }

    /// DELETE of the control API: what somebody does in Rancher's UI.
    pub fn delete(&self, path: &str) -> Value {
        request("DELETE", &format!("{}{path}", self.control), None).1
    }

    /// Waits until `clusters` clusters are Active by Rancher's conditions and the peer has done everything it does to a cluster
    /// by itself, or fails with what the peer saw.
    pub fn settle(&self, clusters: usize) -> Value {
        let settled = self.get(&format!("/settled?clusters={clusters}&timeout=120"));
        assert_eq!(settled["settled"], true, "{settled:#}");
        // Active needs the conditions only; the steps that write go on beside them, and the last one is the CRD.
        eventually("every step of the peer is done", || {
            let all = self.get("/clusters");
            let is_done =
                |cluster: &&Value| !cluster["checks"]["crd"].is_null() && !cluster["stages"]["deployed"].is_null();
            let done = all.as_array().map_or(0, |all| all.iter().filter(is_done).count());
            if done >= clusters { Ok(()) } else { Err(format!("{done} of {clusters}: {all:#}")) }
        });
        self.get(&format!("/settled?clusters={clusters}&timeout=1"))
    }

    /// Waits until the cluster's record satisfies `condition`.
    pub fn await_cluster(&self, name: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || {
            let cluster = self.get(&format!("/clusters/{name}"));
            if condition(&cluster) { Ok(cluster) } else { Err(format!("{cluster:#}")) }
        })
    }

    /// Runs kubectl against a cluster through the peer's proxy.
    pub fn kubectl(&self, cluster: &str, args: &[&str]) -> Output {
        self.kubectl_command(cluster, args).output().expect("kubectl runs")
    }

    /// kubectl, ready to be run against a cluster.
    pub fn kubectl_command(&self, cluster: &str, args: &[&str]) -> Command {
        let (server, token) = self.access(cluster);
        let mut command = Command::new(kubectl());
        let cache = server.rsplit('/').next().unwrap_or_default();
        command
            .args(["--server", &server, "--token", &token])
            .args(["--insecure-skip-tls-verify", "--kubeconfig", "/dev/null", "--cache-dir"])
            .arg(target_dir().join(format!("kubectl-cache-{cache}")))
            .args(args);
        command
    }

    /// Where the peer's proxy serves a cluster, and the token for it.
    pub fn access(&self, cluster: &str) -> (String, String) {
        let id = self.get(&format!("/clusters/{cluster}"))["id"].as_str().expect("the cluster is known").to_owned();
        (format!("{}/k8s/clusters/{id}", self.url), self.token.clone())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The agent, running with a home of its own.
pub struct Agent {
    child: Child,
    pub home: tempfile::TempDir,
    pub url: String,
}

impl Agent {
    /// Starts the agent for the peer, with further lines of configuration.
    pub fn start(peer: &Peer, configuration: &str) -> Agent {
        let home = tempfile::tempdir().unwrap();
        let ca = home.path().join("ca.pem");
        std::fs::write(&ca, &peer.ca).unwrap();
        let text = format!(
            "RancherURL: {}\nBearerToken: \"{}\"\nCAFile: {}\nListenPort: 0\n{configuration}",
            peer.url,
            peer.token,
            ca.display()
        );
        std::fs::write(home.path().join("config"), text).unwrap();
        Agent::start_in(home)
    }

    /// Starts the agent for a Rancher by script, with further lines of configuration.
    pub fn start_for(rancher: &FakeRancher, configuration: &str) -> Agent {
        Agent::start_in(home_for(rancher, configuration))
    }

    /// Starts the agent with a home that holds its configuration.
    pub fn start_in(home: tempfile::TempDir) -> Agent {
        let command = agent_command(home.path());
        Agent::start_as(command, home)
    }

    /// Starts the agent by a command of the test's own.
    pub fn start_as(mut command: Command, home: tempfile::TempDir) -> Agent {
        let log = File::options().create(true).append(true).open(home.path().join(LOG)).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the agent starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let agent = Agent { child, home, url: line.trim().trim_start_matches("listening on ").to_owned() };
        assert!(agent.url.starts_with("http"), "no address in {line:?}");
        agent
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join(LOG)).unwrap_or_default()
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    /// POST of a cluster: status and answer.
    pub fn create(&self, name: &str) -> (u16, Value) {
        request("POST", &format!("{}/clusters", self.url), Some(&format!("{{\"name\":\"{name}\"}}")))
    }

    /// Any request: status and answer.
    pub fn call(&self, method: &str, path: &str) -> (u16, Value) {
        request(method, &format!("{}{path}", self.url), None)
    }

    /// Waits until the cluster is in the state.
    pub fn await_state(&self, name: &str, state: &str) -> Value {
        eventually(&format!("{name} is {state}"), || match self.call("GET", &format!("/clusters/{name}")).1 {
            cluster if cluster["state"] == state => Ok(cluster),
            cluster => Err(format!("{cluster:#}")),
        })
    }

    /// Ends in order and starts again with the same home.
    pub fn restart(mut self) -> Agent {
        assert!(self.stop().0.success());
        let home = std::mem::replace(&mut self.home, tempfile::tempdir().unwrap());
        Agent::start_in(home)
    }

    /// Is killed without a moment to prepare, and starts again with the same home.
    pub fn kill_and_restart(self) -> Agent {
        Agent::start_in(self.kill())
    }

    /// Is killed without a moment to prepare, and leaves its home.
    pub fn kill(mut self) -> tempfile::TempDir {
        self.child.kill().unwrap();
        self.wait();
        std::mem::replace(&mut self.home, tempfile::tempdir().unwrap())
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) -> (std::process::ExitStatus, Duration) {
        let began = Instant::now();
        self.signal("TERM");
        (self.wait(), began.elapsed())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A home with the configuration for a Rancher by script, and further lines of it.
pub fn home_for(rancher: &FakeRancher, configuration: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let text = format!("RancherURL: {}\nBearerToken: \"{API_TOKEN}\"\nListenPort: 0\n{configuration}", rancher.url);
    std::fs::write(home.path().join("config"), text).unwrap();
    home
}

/// The agent's binary with its home set and nothing of this process's environment that it would read.
pub fn agent_command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scale-cluster-agent"));
    command.arg("--home").arg(home).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SCALE_AGENT_")) {
        command.env_remove(name);
    }
    command
}

/// One HTTP request: status and JSON answer; null where the answer is no JSON.
pub fn request(method: &str, url: &str, body: Option<&str>) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(180)))
        .build()
        .into();
    let request = ureq::http::Request::builder().method(method).uri(url);
    let mut response = match body {
        Some(body) => agent.run(request.header("Content-Type", "application/json").body(body.to_owned()).unwrap()),
        None => agent.run(request.body(()).unwrap()),
    }
    .unwrap_or_else(|error| panic!("{method} {url}: {error}"));
    let text = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), serde_json::from_str(&text).unwrap_or_default())
}

/// Tries until it succeeds; fails with the last error after a minute.
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(last) if Instant::now() >= deadline => panic!("{what} did not come about within 60 s: {last}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// kubectl: the one named by KUBECTL, else built from the k8s.io/kubectl module beside the peer.
fn kubectl() -> PathBuf {
    std::env::var_os("KUBECTL").map_or_else(|| built("kubectl", "./kubectl"), PathBuf::from)
}

fn built(name: &'static str, package: &str) -> PathBuf {
    go_program(name, "tests/peers", package)
}

/// Builds a Go program of the module in `module` once per test binary; Go's own cache makes it quick after the first time.
pub fn go_program(name: &'static str, module: &str, package: &str) -> PathBuf {
    static BUILT: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let path = target_dir().join(name);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if built.insert(name) {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join(module);
        let build = Command::new("go").current_dir(module).args(["build", "-o"]).arg(&path).arg(package).status();
        assert!(build.expect("go runs").success(), "go build {package} failed");
    }
    path
}

fn target_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Where in its home a test's agent logs.
const LOG: &str = "agent.log";
