//! The agent against peers that we did not write: Go's remotedialer, client-go informers and kubectl.

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};
use support::{Agent, Peer, eventually, request};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn items<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn create(agent: &Agent, name: &str) {
    let (status, answer) = agent.create(name);
    assert_eq!(status, 201, "{answer:#}");
    assert!(answer["rancherId"].as_str().is_some_and(|id| id.starts_with("c-")), "{answer:#}");
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn clusters_become_active_each_with_its_own_nodes() {
    let peer = Peer::start(&["--kubectl", "1", "--conflicts", "1"]);
    let agent = Agent::start(&peer, "PollInterval: 1s\n");
    let names = ["edge-0001", "edge-0002", "edge-0003"];
    names.into_iter().for_each(|name| create(&agent, name));
    let settled = peer.settle(names.len());
    assert_eq!(settled["errorsUndisrupted"], 0, "{settled:#}");
    assert_eq!(items(&settled, "clientGoErrors").len(), 0, "{settled:#}");

    let mut seen = BTreeSet::new();
    for name in names {
        let cluster = peer.get(&format!("/clusters/{name}"));
        assert_eq!(cluster["state"], "active", "{cluster:#}");
        assert_eq!(cluster["allSynced"], true, "{cluster:#}");
        assert_eq!(cluster["unexplainedRelists"], 0, "a relist loop: {cluster:#}");
        assert_eq!(cluster["textFrames"], 0);
        assert_eq!(cluster["duplicateSessions"], 0);
        assert_eq!(items(&cluster, "paramsChanged").len(), 0, "{cluster:#}");
        for node in items(&cluster, "nodes") {
            let node = node.as_str().unwrap().to_owned();
            assert!(node.starts_with(name), "{name} shows the node {node}");
            assert!(seen.insert(node.clone()), "two clusters show the node {node}");
        }
        for check in ["discovery", "impersonation", "reviews", "writes", "crd"] {
            assert_eq!(cluster["checks"][check]["ok"], true, "{check}: {:#}", cluster["checks"]);
        }
        headers_are_those_of_a_real_agent(&cluster);
        let own = agent.await_state(name, "active");
        assert_eq!(own["inRancher"]["state"], "active", "{own:#}");
        for moment in ["registering", "registered", "connecting", "connected", "active"] {
            assert!(own["reached"][moment].is_string(), "{moment}: {own:#}");
        }
        assert_eq!(items(&own["info"], "nodes").len(), items(&cluster, "nodes").len());
        what_was_asked_is_known(&agent, name);
    }
    let (_, totals) = agent.call("GET", "/requests");
    let is_wanted = |row: &&Value| row["resource"] == "v1/namespaces" && row["verb"] == "get" && row["code"] == 200;
    let read = items(&totals, "requests").iter().find(is_wanted).unwrap_or_else(|| panic!("{totals:#}"));
    assert!(read["count"].as_u64() >= Some(3) && read["sentBytes"].as_u64() > Some(1_000), "{read:#}");
    assert!(read["latencyMs"]["p99"].as_f64() > Some(0.0), "{read:#}");
    assert!(seen.len() >= names.len(), "no nodes at all");
}

/// A cluster tells what Rancher asked of it: the checks of its state as well as the informers.
fn what_was_asked_is_known(agent: &Agent, name: &str) {
    let (status, requests) = agent.call("GET", &format!("/clusters/{name}/requests"));
    assert_eq!(status, 200, "{requests:#}");
    let find = |verb: &str, resource: &str| {
        let mut rows = items(&requests, "requests").iter();
        rows.find(|row| row["verb"] == verb && row["resource"] == resource && row["code"] == 200).cloned()
    };
    assert!(find("get", "/ping").is_some() && find("get", "/version").is_some(), "{requests:#}");
    let watch = find("watch", "v1/nodes").unwrap_or_else(|| panic!("{requests:#}"));
    assert!(watch["watchesOpen"].as_u64() >= Some(1), "{watch:#}");
    assert!(!items(&requests, "userAgents").is_empty(), "{requests:#}");
}

fn headers_are_those_of_a_real_agent(cluster: &Value) {
    let connects = items(cluster, "connects");
    let (stv, api): (Vec<_>, Vec<_>) = connects.iter().partition(|connect| connect["kind"] == "stv");
    assert!(api.iter().any(|connect| connect["status"] == 400), "the lagging cache was met: {connects:#?}");
    assert_eq!(api[0]["path"], "/v3/connect/register");
    for connect in &api {
        assert_eq!(connect["headers"]["X-API-Tunnel-Token"], true);
        assert_eq!(connect["headers"]["X-API-Tunnel-Params"], true);
    }
    assert!(!stv.is_empty());
    for connect in stv {
        assert_eq!(connect["path"], "/v3/connect");
        assert_eq!(connect["headers"]["Authorization"], true);
        for name in ["X-API-Tunnel-Token", "X-API-Tunnel-Params", "X-API-Tunnel-ID"] {
            assert_eq!(connect["headers"][name], false, "{name} on the steve tunnel");
        }
    }
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn informers_stay_synced_with_and_without_watch_lists() {
    let peer = Peer::start(&["--kubectl", "0"]);
    let agent = Agent::start(&peer, "ReportInterval: 2s\n");
    create(&agent, "listed");
    create(&agent, "streamed");
    peer.settle(2);
    for (name, watch_list) in [("listed", "false"), ("streamed", "true")] {
        let path = format!("/clusters/{name}/informers?count=20&watchlist={watch_list}&timeout=30");
        let started = peer.post(&path, "");
        assert_eq!(started["ok"], true, "{started:#}");
        // Reports go on meanwhile: what the watches deliver must add up to what a fresh list shows.
        let beat = |kind: &str, cluster: &Value| {
            items(cluster, "heartbeats").iter().filter(|beat| beat["kind"] == kind).count()
        };
        let nodes = items(&peer.get(&format!("/clusters/{name}")), "nodes").len();
        peer.await_cluster(name, "two reports as watch events", |cluster| {
            beat("node", cluster) >= 2 * nodes && beat("lease", cluster) >= 2 * nodes
        });
        eventually("every informer holds what a list shows", || {
            let verified = peer.post(&format!("/clusters/{name}/verify"), "");
            if verified["ok"] == true { Ok(()) } else { Err(format!("{verified:#}")) }
        });
        let cluster = peer.get(&format!("/clusters/{name}"));
        assert_eq!(cluster["unexplainedRelists"], 0, "{cluster:#}");
        assert_eq!(cluster["errorsUndisrupted"], 0, "{:#}", cluster["errors"]);
    }
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn kubectl_works_as_against_any_cluster() {
    let peer = Peer::start(&["--kubectl", "0"]);
    let agent = Agent::start(&peer, "");
    create(&agent, "shell");
    peer.settle(1);
    let run = |args: &[&str]| {
        let output = peer.kubectl("shell", args);
        assert!(output.status.success(), "kubectl {args:?}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let wide = run(&["get", "nodes,pods,deploy,svc,cm,secret,ns", "-A", "-o", "wide"]);
    for expected in
        ["node/shell-", "deployment.apps/coredns", "service/kubernetes", "configmap/kube-root-ca.crt", "Ready"]
    {
        assert!(wide.contains(expected), "{expected} is missing in\n{wide}");
    }

    let manifest = agent.home.path().join("demo.yaml");
    std::fs::write(&manifest, DEMO).unwrap();
    let manifest = manifest.to_str().unwrap();
    assert!(run(&["apply", "-f", manifest]).contains("configmap/demo created"));
    assert!(run(&["apply", "-f", manifest]).contains("configmap/demo unchanged"));
    std::fs::write(manifest, DEMO.replace("colour: red", "colour: blue")).unwrap();
    assert!(run(&["apply", "-f", manifest]).contains("configmap/demo configured"));
    assert_eq!(run(&["get", "cm", "demo", "-n", "demo", "-o", "jsonpath={.data.colour}"]), "blue");

    let mut watch = peer
        .kubectl_command("shell", &["get", "cm", "-n", "demo", "-w", "-o", "name"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "configmap/demo"));
    run(&["create", "configmap", "late", "-n", "demo", "--from-literal=a=b"]);
    assert!(lines.any(|line| line == "configmap/late"), "the watch saw the new object");
    watch.kill().unwrap();
    watch.wait().unwrap();

    run(&["delete", "-f", manifest]);
    let gone = peer.kubectl("shell", &["get", "ns", "demo"]);
    assert!(text(&gone).contains(r#"namespaces "demo" not found"#), "{}", text(&gone));
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn a_session_survives_refused_dials_and_slow_readers() {
    let peer = Peer::start(&["--kubectl", "0"]);
    let agent = Agent::start(&peer, "");
    create(&agent, "busy");
    peer.settle(1);
    let dial = |session: &str, address: &str| {
        let body = format!(r#"{{"session":"{session}","address":"{address}","proto":"tcp"}}"#);
        peer.post("/clusters/busy/dial", &body)
    };
    let refused = dial("api", "1.2.3.4:80");
    assert_eq!((&refused["ok"], &refused["sessionAlive"]), (&false.into(), &true.into()), "{refused:#}");
    for (session, address) in [("api", "10.43.0.1:443"), ("stv", "not-used:80"), ("stv", "127.0.0.1:6080")] {
        let dialled = dial(session, address);
        assert_eq!((&dialled["ok"], &dialled["sessionAlive"]), (&true.into(), &true.into()), "{address}: {dialled:#}");
    }
    let pressed = peer.post("/clusters/busy/backpressure?mib=8", "");
    assert_eq!(pressed["intact"], true, "{pressed:#}");
    assert_eq!(pressed["sessionAlive"], true, "{pressed:#}");
    assert_eq!(pressed["bytesLongAfterPause"], 0, "the agent honours Pause: {pressed:#}");
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn lost_tunnels_come_back_with_the_same_credentials() {
    let peer = Peer::start(&["--kubectl", "0"]);
    let mut agent = Agent::start(&peer, "PingInterval: 1s\nReconnectMax: 2s\n");
    create(&agent, "phoenix");
    peer.settle(1);
    let open =
        |cluster: &Value| items(cluster, "sessions").iter().filter(|session| session["closed"].is_null()).count();
    for mode in ["close", "reset"] {
        peer.post(&format!("/clusters/phoenix/drop?session=both&mode={mode}"), "");
        peer.await_cluster("phoenix", "both tunnels are back", |cluster| {
            open(cluster) == 2 && cluster["state"] == "active"
        });
    }
    let cluster = peer.await_cluster("phoenix", "pings on both tunnels", |cluster| {
        items(cluster, "sessions")
            .iter()
            .filter(|session| session["closed"].is_null())
            .all(|session| session["pings"].as_u64() > Some(1))
    });
    assert_eq!(items(&cluster, "paramsChanged").len(), 0, "{cluster:#}");
    assert_eq!(cluster["controllerRestarts"], 0, "{cluster:#}");
    let unexplained = |error: &&Value| error["disrupted"] == false;
    let unexplained: Vec<&Value> = items(&cluster, "errors").iter().filter(unexplained).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");

    let (status, took) = agent.stop();
    assert!(status.success(), "{status}");
    assert!(took.as_secs() < 10, "an orderly end took {took:?}");
    let cluster = peer.await_cluster("phoenix", "both tunnels are closed", |cluster| open(cluster) == 0);
    let last = items(&cluster, "sessions").iter().rev().take(2);
    assert!(last.into_iter().all(|session| session["closeCode"] == 1000), "closed with a close frame: {cluster:#}");
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn a_deleted_cluster_is_cleaned_up_by_rancher_through_its_tunnels() {
    let peer = Peer::start(&["--kubectl", "0"]);
    let agent = Agent::start(&peer, "");
    create(&agent, "doomed");
    peer.settle(1);
    let id = peer.get("/clusters/doomed")["id"].as_str().unwrap().to_owned();
    let (status, answer) = agent.call("DELETE", "/clusters/doomed");
    assert!(matches!(status, 202 | 204), "{status} {answer:#}");
    eventually("the agent forgets the cluster", || match agent.call("GET", "/clusters/doomed") {
        (404, _) => Ok(()),
        (_, cluster) => Err(format!("{cluster:#}")),
    });
    let removed = peer.get("/clusters?removed=true");
    let cluster =
        removed.as_array().unwrap().iter().find(|cluster| cluster["id"] == id.as_str()).expect("it was there");
    assert_eq!(cluster["checks"]["cleanup"]["ok"], true, "{:#}", cluster["checks"]);
    assert_eq!(cluster["checks"]["cleanup"]["tries"], 1, "{:#}", cluster["checks"]);
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn a_cluster_deleted_in_rancher_is_retired_here() {
    let peer = Peer::start(&["--kubectl", "0"]);
    let agent = Agent::start(&peer, "PollInterval: 1s\n");
    ["kept", "doomed"].iter().for_each(|name| create(&agent, name));
    peer.settle(2);
    peer.delete("/clusters/doomed");
    eventually("the agent retires the cluster", || match agent.call("GET", "/clusters/doomed") {
        (404, _) => Ok(()),
        (_, cluster) => Err(format!("{cluster:#}")),
    });
    agent.await_state("kept", "active");
}

const DEMO: &str = "\
apiVersion: v1
kind: Namespace
metadata:
  name: demo
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: demo
  namespace: demo
data:
  colour: red
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: demo
  namespace: demo
spec:
  replicas: 2
  selector:
    matchLabels:
      app: demo
  template:
    metadata:
      labels:
        app: demo
    spec:
      containers:
        - name: demo
          image: example.com/demo:1
";

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn a_running_cluster_is_scaled_before_the_eyes_of_informers() {
    let peer = Peer::start(&["--steps", "none"]);
    let agent = Agent::start(&peer, "");
    create(&agent, "scaled");
    agent.await_state("scaled", "active");
    let patch = |agent: &Agent, body: &str| request("PATCH", &format!("{}/clusters/scaled", agent.url), Some(body));
    let nodes_seen = |count: usize| {
        peer.await_cluster("scaled", &format!("informers see {count} nodes"), |cluster| {
            cluster["nodes"].as_array().is_some_and(|nodes| nodes.len() == count)
        })
    };
    let pods_listed = || text(&peer.kubectl("scaled", &["get", "pods", "-A", "-o", "name"])).lines().count();
    nodes_seen(3);
    let (status, grown) = patch(&agent, r#"{"nodes": 6, "pods": 40}"#);
    assert_eq!((status, items(&grown["info"], "nodes").len()), (200, 6), "{grown:#}");
    nodes_seen(6);
    assert_eq!(pods_listed(), 40);
    let wide = text(&peer.kubectl("scaled", &["get", "pods", "-A", "-o", "jsonpath={.items[*].status.podIP}"]));
    let addresses: BTreeSet<&str> = wide.split_whitespace().collect();
    assert_eq!(addresses.len(), 40, "every pod has an address of its own: {wide}");

    let agent = agent.restart();
    agent.await_state("scaled", "active");
    nodes_seen(6);
    assert_eq!(pods_listed(), 40);
    let (status, problem) = patch(&agent, r#"{"nodes": 0}"#);
    assert_eq!((status, &problem["type"]), (422, &"urn:scale-cluster-agent:out-of-reach".into()), "{problem:#}");
    assert_eq!(patch(&agent, r#"{"nodes": 2, "pods": 8}"#).0, 200);
    let cluster = nodes_seen(2);
    assert_eq!(pods_listed(), 8);
    assert_eq!(items(&cluster, "paramsChanged").len(), 0, "{cluster:#}");
}

/// An announcement that is overdue when an agent wakes up names the connections that came while it slept: Rancher drops the others.
#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn a_connection_that_waits_to_be_read_is_announced() {
    let peer = Peer::start(&["--kubectl", "0", "--steps", "none"]);
    let agent = Agent::start(&peer, "SyncInterval: 1s\nPingInterval: 1s\n");
    create(&agent, "sleeper");
    agent.await_state("sleeper", "active");
    agent.signal("STOP");
    let list = std::thread::scope(|scope| {
        let asked = scope.spawn(|| peer.post("/clusters/sleeper/lists?seconds=1&path=/version", ""));
        // Not to synchronise: the announcement has to become overdue.
        std::thread::sleep(std::time::Duration::from_millis(2_500));
        agent.signal("CONT");
        asked.join().unwrap()
    });
    assert!(list["lists"].as_u64().is_some_and(|lists| lists > 0), "{list:#}");
}
