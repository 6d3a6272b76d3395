//! How fast a list of 1,000 pods comes through a tunnel: from the agent, and from a real kube-apiserver behind remotedialer's own Go
//! client, one after the other on this machine, both read by Go's HTTP client over inner TLS.
//!
//! `cargo bench --bench kube_api` needs Go, and builds Kubernetes the first time. The reader fills a core while the agent has time to
//! spare, much of it with collecting garbage: with `GOGC=400` in the environment, for all programs in Go, it limits less.

#[path = "../tests/support/mod.rs"]
mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::{Agent, Peer, eventually, go_program};

fn main() {
    let peer = Peer::start(&["--kubectl", "0", "--steps", "none"]);
    let folder = tempfile::tempdir().expect("a folder for a moment");
    let template = folder.path().join("pods.yaml");
    std::fs::write(&template, TEMPLATE).expect("the folder takes a file");
    let mut table = vec![format!("{:<28}{:>10}{:>12}{:>12}{:>12}", "", "bytes", "lists/s", "MB/s", "ms a list")];
    {
        let agent = Agent::start(&peer, &format!("Template: {}\n", template.display()));
        assert_eq!(agent.create("agent").0, 201);
        agent.await_state("agent", "active");
        measure(&peer, "agent", &mut table);
    }
    let (mut control_plane, address, token, ca) = control_plane();
    let mut reference = reference(&peer, folder.path(), (&address, &token, &ca));
    // It never gets active: nothing runs what is deployed in it.
    eventually("the kube-apiserver's cluster answers", || {
        let answer = peer.post("/clusters/reference-00001/lists?seconds=1&path=/version", "");
        if answer["lists"].is_number() { Ok(()) } else { Err(format!("{answer:#}")) }
    });
    measure(&peer, "reference-00001", &mut table);
    println!("{}", table.join("\n"));
    for child in [&mut reference, &mut control_plane] {
        // Both end with their standard input.
        drop(child.stdin.take());
        child.wait().expect("a child ends");
    }
}

/// Reads lists packed and plain, and adds a row for each.
fn measure(peer: &Peer, cluster: &str, table: &mut Vec<String>) {
    for (compress, name) in [("false", "plain"), ("true", "packed")] {
        let target = format!(
            "/clusters/{cluster}/lists?seconds={SECONDS}&compress={compress}&path=/api/v1/namespaces/demo/pods"
        );
        let answer = peer.post(&target, "");
        let number = |field: &str| answer[field].as_f64().unwrap_or_else(|| panic!("{target}: {answer:#}"));
        let (lists, bytes, seconds) = (number("lists"), number("bytes"), number("seconds"));
        table.push(format!(
            "{:<28}{:>10.0}{:>12.1}{:>12.1}{:>12.2}",
            format!("{cluster}, {name}"),
            bytes / lists,
            lists / seconds,
            bytes / seconds / 1e6,
            seconds / lists * 1e3
        ));
    }
}

/// etcd and a kube-apiserver with the pods; its address, a token, and the file with its certificate.
fn control_plane() -> (Child, String, String, String) {
    let mut child = Command::new(go_program("recorder", "tests/peers/recorder", "."))
        .args(["serve", "1000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the control plane starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("the control plane says that it is ready");
    let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
    let field = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
    (child, field("address"), field("token"), field("ca"))
}

/// A client of remotedialer that has the kube-apiserver answer.
fn reference(peer: &Peer, folder: &Path, (address, token, ca): (&str, &str, &str)) -> Child {
    let trusted = folder.join("ca.pem");
    std::fs::write(&trusted, &peer.ca).expect("the folder takes a file");
    let mut child = Command::new(go_program("reference", "tests/peers", "./reference"))
        .args(["--url", &peer.url, "--clusters", "1", "--behind", address, "--behind-ca", ca, "--ca"])
        .arg(trusted)
        .env("BEARER", &peer.token)
        .env("BEHIND_TOKEN", token)
        .stdin(Stdio::piped())
        .spawn()
        .expect("the reference starts");
    // The word to begin.
    child.stdin.as_mut().expect("it is piped").write_all(b"\n").expect("it reads");
    child
}

/// How long each kind of list is read.
const SECONDS: u32 = 10;
const TEMPLATE: &str = r#"
nodes:
  - name: "n-{{index}}"
    count: 10
    capacity: {cpu: 64, memory: 256Gi, pods: 250}
pods:
  - name: web-{{index}}
    count: 1000
    namespace: demo
    image: docker.io/library/nginx:1.27
    labels: {app: web}
    requests: {cpu: 100m, memory: 64Mi}
"#;
