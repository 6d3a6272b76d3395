//! Faults on purpose, as Go's remotedialer and client-go see them.

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::fake_rancher::FakeRancher;
use support::{Agent, Peer, agent_command, eventually, request};

/// Pings that show a silence within seconds.
const QUICK: &str = "PingInterval: 1s\nReconnectMax: 1s\nPollInterval: 1s\n";

struct Stage {
    peer: Peer,
    agent: Agent,
}

impl Stage {
    /// Clusters of these names, Active.
    fn set(names: &[&str]) -> Stage {
        let peer = Peer::start(&["-steps", "none", "--kubectl", "0"]);
        let agent = Agent::start(&peer, QUICK);
        for name in names {
            assert_eq!(agent.create(name).0, 201);
        }
        for name in names {
            agent.await_state(name, "active");
        }
        Stage { peer, agent }
    }

    /// Lets one cluster suffer a fault; its number.
    fn fault(&self, cluster: &str, fault: Value) -> u64 {
        let mut body = fault;
        body["select"] = format!("name={cluster}").into();
        let (status, answer) = request("POST", &format!("{}/faults", self.agent.url), Some(&body.to_string()));
        assert_eq!(status, 201, "{answer:#}");
        answer["id"].as_u64().unwrap()
    }

    fn end(&self, fault: u64) -> Value {
        let (status, answer) = self.agent.call("DELETE", &format!("/faults/{fault}"));
        assert_eq!(status, 200, "{answer:#}");
        answer
    }

    fn felt(&self, fault: u64) -> u64 {
        self.agent.call("GET", &format!("/faults/{fault}")).1["felt"].as_u64().unwrap()
    }

    fn await_felt(&self, fault: u64, least: u64) {
        eventually(&format!("fault {fault} is felt"), || match self.felt(fault) {
            felt if felt >= least => Ok(()),
            felt => Err(format!("{felt} of {least}")),
        });
    }

    /// One request of Go's HTTP client through the API tunnel, and how long it took.
    fn raw(&self, cluster: &str, path: &str) -> (Value, Duration) {
        let began = Instant::now();
        let path = path.replace('?', "%3F").replace('&', "%26");
        (self.peer.get(&format!("/raw/{cluster}?path={path}")), began.elapsed())
    }

    /// The cluster's tunnels of a kind, as the peer recorded them: the latest last.
    fn sessions(&self, cluster: &str, kind: &str) -> Vec<Value> {
        let view = self.peer.get(&format!("/clusters/{cluster}"));
        let all = view["sessions"].as_array().unwrap().iter();
        all.filter(|session| session["session"] == kind).cloned().collect()
    }

    fn await_sessions(&self, cluster: &str, what: &str, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        eventually(what, || match self.sessions(cluster, "api") {
            sessions if is_it(&sessions) => Ok(sessions),
            sessions => Err(format!("{sessions:#?}")),
        })
    }
}

fn is_open(session: &Value) -> bool {
    session["closed"].is_null()
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn tunnels_break_fall_silent_and_stay_away() {
    let stage = Stage::set(&["dropped", "refused", "flapping", "stalled", "slowed", "vanished"]);

    let fault = stage.fault("dropped", json!({"fault": "drop"}));
    let sessions = stage
        .await_sessions("dropped", "it is back after a drop", |sessions| sessions.len() == 2 && is_open(&sessions[1]));
    assert_eq!((is_open(&sessions[0]), &sessions[0]["closeFrames"]), (false, &json!(0)), "no goodbye: {sessions:#?}");
    stage.await_felt(fault, 2);

    let refused = stage.fault("refused", json!({"fault": "refuse", "duration": "1h"}));
    let stalled = stage.fault("stalled", json!({"fault": "stall", "duration": "4s"}));
    let vanished = stage.fault("vanished", json!({"fault": "vanish", "duration": "4s"}));
    let flapping =
        stage.fault("flapping", json!({"fault": "flap", "every": "2s", "down": "1s", "duration": "8s", "seed": 3}));

    let cluster = stage.agent.await_state("refused", "disconnected");
    assert_eq!(cluster["faults"][0]["id"], refused, "{cluster:#}");
    assert!(
        cluster["lastError"].is_null() && cluster["tunnels"]["api"]["lastError"].to_string().contains("refuse"),
        "{cluster:#}"
    );
    let cluster = stage.agent.await_state("vanished", "disconnected");
    assert_eq!(cluster["faults"][0]["id"], vanished);

    // Silence, while the connection stays.
    for name in ["stalled", "vanished"] {
        let sessions = stage.await_sessions(name, "no more pings", |sessions| {
            sessions[0]["sincePingMs"].as_f64().is_some_and(|silence| silence > 2_500.0)
        });
        assert_eq!((sessions.len(), is_open(&sessions[0])), (1, true), "{name}: {sessions:#?}");
    }
    // The one goes on over the same connection, the other comes back over a new one.
    let sessions = stage.await_sessions("stalled", "it pings again", |sessions| {
        sessions[0]["sincePingMs"].as_f64().is_some_and(|silence| silence < 1_500.0)
    });
    assert_eq!(sessions.len(), 1, "{sessions:#?}");
    assert_eq!(stage.raw("stalled", "/version").0["status"], 200);
    stage.await_sessions("vanished", "it is back", |sessions| sessions.len() == 2 && is_open(&sessions[1]));
    assert_eq!(stage.raw("vanished", "/version").0["status"], 200);
    stage.await_felt(stalled, 2);

    let (before, quick) = stage.raw("slowed", "/api/v1/pods?limit=20");
    let bytes = before["body"].as_str().unwrap().len();
    let slowed = stage.fault("slowed", json!({"fault": "slow", "bytes-per-second": bytes / 2, "duration": "1h"}));
    let (after, slow) = stage.raw("slowed", "/api/v1/pods?limit=20");
    assert_eq!(after["body"].as_str().map(str::len), Some(bytes));
    assert!(slow > Duration::from_millis(1_500) && slow > quick, "{bytes} bytes took {quick:?}, then {slow:?}");
    stage.end(slowed);
    assert!(stage.raw("slowed", "/api/v1/pods?limit=20").1 < Duration::from_secs(1));

    // A first break within two seconds, another one each two.
    stage.await_felt(flapping, 6);
    let sessions = stage.await_sessions("flapping", "it flaps", |sessions| sessions.len() >= 3);
    assert!(sessions[..2].iter().all(|session| !is_open(session)), "{sessions:#?}");

    assert!(stage.sessions("refused", "api").iter().all(|session| !is_open(session)), "it stays away");
    assert!(stage.sessions("refused", "api")[0]["closeFrames"] != 0, "it said goodbye");
    assert_eq!(stage.end(refused)["state"], "cancelled");
    for name in ["refused", "vanished", "stalled", "flapping", "slowed", "dropped"] {
        let cluster = stage.agent.await_state(name, "active");
        assert!(cluster["faults"].is_null(), "{cluster:#}");
    }
    let faults = stage.agent.call("GET", "/faults").1;
    assert_eq!(faults["faults"].as_array().map(Vec::len), Some(6), "{faults:#}");
    let log = stage.agent.log();
    assert!(log.contains("fault 1 begins: drop in 1 clusters (name=dropped)"), "{log}");
    assert!(log.contains(&format!("fault {refused} is cancelled")), "{log}");
    assert!(log.contains("fault 1 was felt 2 times"), "{log}");
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn the_api_is_slow_and_fails() {
    let stage = Stage::set(&["edge"]);
    let during = |fault: Value| {
        let id = stage.fault("edge", fault);
        move |stage: &Stage| stage.end(id)
    };
    for status in [429, 500, 503] {
        let end = during(json!({"fault": "errors", "status": status, "share": "100%"}));
        let (answer, _) = stage.raw("edge", "/api/v1/nodes");
        assert_eq!(answer["status"], status, "{answer:#}");
        assert_eq!(answer["headers"]["Retry-After"].is_null(), status == 500, "{answer:#}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!((&body["kind"], &body["code"]), (&json!("Status"), &json!(status)));
        end(&stage);
    }
    let second = Duration::from_secs(1);
    let end = during(json!({"fault": "latency", "p50": "1s", "p99": "1s"}));
    assert!(stage.raw("edge", "/version").1 >= second);
    end(&stage);
    let end = during(json!({"fault": "slow-lists", "p50": "1s", "p99": "1s"}));
    assert!(stage.raw("edge", "/version").1 < second);
    let (list, took) = stage.raw("edge", "/api/v1/nodes");
    assert!(took >= second && list["status"] == 200, "{took:?}");
    end(&stage);
    assert!(stage.raw("edge", "/api/v1/nodes").1 < second);

    let watches = |cluster: &Value, field: &str| -> u64 {
        let kinds = cluster["kinds"].as_object().unwrap().values();
        kinds.map(|kind| kind[field].as_u64().unwrap()).sum()
    };
    let before = stage.peer.get("/clusters/edge");
    assert!(before["kinds"].as_object().is_some_and(|kinds| !kinds.is_empty()), "{before:#}");
    let id = stage.fault("edge", json!({"fault": "close-watches", "every": "1s", "duration": "1h"}));
    let after = stage.peer.await_cluster("edge", "informers watch again where they were", |cluster| {
        watches(cluster, "watches") > watches(&before, "watches") + 2
    });
    assert_eq!(watches(&after, "lists"), watches(&before, "lists"), "no list is needed for it: {after:#}");
    stage.end(id);
    let id = stage.fault("edge", json!({"fault": "expire-watches", "duration": "1h"}));
    let (answer, _) = stage.raw("edge", "/api/v1/nodes?watch=true&timeoutSeconds=1");
    assert_eq!(answer["status"], 410, "{answer:#}");
    stage.peer.await_cluster("edge", "informers list anew", |cluster| {
        watches(cluster, "lists") + watches(cluster, "watchLists")
            > watches(&after, "lists") + watches(&after, "watchLists")
    });
    stage.await_felt(id, 2);
    stage.end(id);
    eventually("every informer holds what a list shows", || {
        let verified = stage.peer.post("/clusters/edge/verify", "");
        if verified["ok"] == true { Ok(()) } else { Err(format!("{verified:#}")) }
    });

    let id = stage.fault("edge", json!({"fault": "api-down", "duration": "1h"}));
    let (answer, _) = stage.raw("edge", "/version");
    // remotedialer tells the reason to who reads; who has yet to write when it arrives finds the pipe closed.
    let refused = |error: &str| error.contains("connection refused") || error.contains("closed pipe");
    assert!(answer["error"].as_str().is_some_and(refused), "{answer:#}");
    assert_eq!(stage.sessions("edge", "api").iter().filter(|session| is_open(session)).count(), 1, "the tunnel is up");
    stage.end(id);
    let id = stage.fault("edge", json!({"fault": "expired-certificate", "duration": "1h"}));
    let (answer, _) = stage.raw("edge", "/version");
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("certificate has expired")), "{answer:#}");
    stage.end(id);
    assert_eq!(stage.raw("edge", "/version").0["status"], 200);
    assert_eq!(stage.sessions("edge", "api").len(), 1, "all of it over one tunnel");
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn nodes_and_pods_come_to_grief() {
    let stage = Stage::set(&["edge"]);
    let kubectl = |args: &[&str]| {
        let output = stage.peer.kubectl("edge", args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let nodes = || kubectl(&["get", "nodes", "--no-headers"]);
    let pods = || kubectl(&["get", "pods", "-A", "--no-headers"]);
    let healthy = nodes();
    assert!(!healthy.contains("NotReady"), "{healthy}");

    let id = stage.fault("edge", json!({"fault": "not-ready", "duration": "1h"}));
    assert_eq!(nodes().matches("NotReady").count(), healthy.lines().count());
    assert!(kubectl(&["describe", "nodes"]).contains("node.kubernetes.io/not-ready:NoExecute"));
    stage.end(id);
    assert!(!nodes().contains("NotReady"));

    let running = pods().matches("Running").count();
    let id = stage.fault("edge", json!({"fault": "crash-loop", "share": "50%", "duration": "1h"}));
    assert_eq!(pods().matches("CrashLoopBackOff").count(), running.div_ceil(2));
    stage.end(id);
    assert_eq!(pods().matches("Running").count(), running);

    let names = || kubectl(&["get", "pods", "-A", "-o", "name"]);
    let before = names();
    let id = stage.fault("edge", json!({"fault": "churn", "every": "100ms", "duration": "1h"}));
    stage.await_felt(id, 5);
    stage.end(id);
    assert_ne!(names(), before);
    assert_eq!(names().lines().count(), before.lines().count());

    let id = stage.fault("edge", json!({"fault": "node-churn", "every": "10m", "duration": "1h"}));
    eventually("a node more", || match nodes() {
        now if now.lines().count() == healthy.lines().count() + 1 => Ok(()),
        now => Err(now),
    });
    stage.end(id);
    assert_eq!(nodes().lines().count(), healthy.lines().count());
}

#[test]
fn the_command_line_starts_lists_and_ends_faults() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let fault = |args: &[&str]| {
        let output =
            agent_command(agent.home.path()).arg("fault").args(args).args(["--agent", &agent.url]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for number in 1..=10 {
        assert_eq!(agent.create(&format!("edge-{number}")).0, 201);
    }
    for number in 1..=10 {
        agent.await_state(&format!("edge-{number}"), "connected");
    }
    assert_eq!(fault(&["list"]), (Some(0), "no faults\n".into(), String::new()));
    let (code, text, problem) =
        fault(&["start", "flapping", "--select", "prefix=edge-,20%", "--duration", "1m", "--seed", "5"]);
    assert_eq!(code, Some(0), "{problem}");
    let (head, row) = text.split_once('\n').unwrap();
    assert!(head.starts_with("ID   STATE    ENDS (UTC)") && row.starts_with(" 1   active   20"), "{text}");
    let row: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((row[4], &row[7..]), ("2", &["5", "prefix=edge-,20%", "flap", "every=30s", "down=5s"][..]), "{text}");
    let (code, text, _) = fault(&["end", "1", "--output", "json"]);
    let ended: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &ended["state"], &ended["preset"]), (Some(0), &json!("cancelled"), &json!("flapping")), "{text}");
    assert!(fault(&["list"]).1.contains("\n 1   cancelled   20"));

    for (args, code, problem) in [
        (&["start", "flap", "evry=3s"][..], 2, "evry: there is no such field here; expected one of every, down"),
        (&["start", "errors", "status=404"], 2, "status: \"404\" is not one of 429, 500, 503"),
        (&["start", "stall", "--select", "name=nobody"], 2, "no cluster that runs is meant by name=nobody"),
        (&["end", "99"], 1, "there is no fault 99"),
    ] {
        let (found, _, text) = fault(args);
        assert!(found == Some(code) && text.contains(problem), "{args:?}: {found:?} {text}");
    }
    let (status, problem) =
        request("POST", &format!("{}/faults", agent.url), Some(r#"{"fault":"errors","share":"120%"}"#));
    assert_eq!((status, &problem["detail"]), (400, &json!("share: \"120%\" is not a share from 0.01% to 100%")));
}
