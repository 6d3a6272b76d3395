//! One function for each parser that reads what comes from outside: any bytes in, no panic, and what each has to keep.
//!
//! `tests/fuzz_corpus.rs` replays the corpus with mutations on every run of the tests; the package beside this file gives the same
//! functions to libFuzzer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use scale_cluster_agent::config::{self, Flags, Inputs, SealKey, Shard, find_sealed, is_sealed};
use scale_cluster_agent::faults::{Injection, Selection};
use scale_cluster_agent::http1::{
    BodyFraming, ClientConnection, Headers, MessageLimits, Method, Request, ResponseHead, ServerConnection,
};
use scale_cluster_agent::journal::KeptCluster;
use scale_cluster_agent::kube::{
    Baseline, Body, Cluster, Durable, DurableState, FieldSelector, Identity, LabelSelector, Limits, Past, Progress,
    Source, catalog,
};
use scale_cluster_agent::manager::{Fleet, FleetConfig, Now, RancherConfig};
use scale_cluster_agent::ramp::{Rate, Spec, Stages, Threshold, parse_share};
use scale_cluster_agent::rancher::{self, Answer, ClusterPage};
use scale_cluster_agent::rehearsal::Profile;
use scale_cluster_agent::remote::parse_scenario;
use scale_cluster_agent::report;
use scale_cluster_agent::template::{self, Variables};
use scale_cluster_agent::tunnel::{Event, Message, Outbox, Payload, Role, Session, SessionLimits};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// A frame of remotedialer; what can be read is written so that it reads the same.
pub fn tunnel_message(data: &[u8]) {
    if let Ok(message) = Message::decode(data) {
        let unknown = matches!(message.payload, Payload::Unknown(_));
        assert!(unknown || Message::decode(&message.encode()) == Ok(message));
    }
}

/// A session of either side: frames, each after a byte with its length. Connections stay within the limit.
pub fn tunnel_session(data: &[u8]) {
    for role in [Role::Agent, Role::Server] {
        let limits = SessionLimits { connections: 4, pause_above: 64, resume_below: 16 };
        let (mut session, mut rest) = (Session::new(role, 1, limits), data);
        while let [length, more @ ..] = rest {
            let (frame, after) = more.split_at(usize::from(*length).min(more.len()));
            let mut out = Outbox::new();
            match session.receive(frame, &mut out) {
                Ok(Event::Data { connection, payload }) => {
                    session.buffered(connection, payload.len(), &mut out);
                    session.send(connection, payload, &mut out);
                }
                Ok(Event::Connect { connection, .. }) if frame.len() % 3 == 0 => {
                    session.close(connection, "no", &mut out);
                }
                Ok(_) => session.sync(&mut out),
                Err(_) => break,
            }
            assert!(session.connections() <= 4);
            assert!(out.iter().all(|frame| Message::decode(frame).is_ok()));
            rest = after;
        }
    }
}

/// Requests in pieces, as a cluster's server and the REST API's gate read them.
pub fn http1_requests(data: &[u8]) {
    let limits = MessageLimits { head_bytes: 1024, headers: 16, body_bytes: 1024 };
    let mut server = ServerConnection::new(limits);
    let mut out = Vec::new();
    for piece in data.chunks(17) {
        server.receive(piece);
        loop {
            match server.next_request(&mut out) {
                Ok(Some(request)) => {
                    assert!(request.body.len() <= 1024 && request.headers.iter().count() <= 16);
                    let head = ResponseHead { status: 200, headers: Headers::default() };
                    server.respond(&head, BodyFraming::Chunked, "Thu, 01 Jan 1970 00:00:00 GMT", &mut out);
                    server.data(&request.body, &mut out);
                    server.finish(&mut out);
                }
                Ok(None) => break,
                Err(refusal) => {
                    assert!((400..=599).contains(&refusal.status), "{refusal:?}");
                    return;
                }
            }
        }
    }
}

/// A response, as the rehearsal reads it.
pub fn http1_responses(data: &[u8]) {
    let mut client = ClientConnection::new(MessageLimits { head_bytes: 1024, headers: 16, body_bytes: 1024 });
    client.request(&Request::new(Method::Get, "/"), &mut Vec::new());
    client.request(&Request::new(Method::Head, "/"), &mut Vec::new());
    for piece in data.chunks(17) {
        client.receive(piece);
        while let Ok(Some(_)) = client.next_event() {}
    }
    client.eof();
    let _ = client.next_event();
}

/// Requests to one virtual cluster, one after the other, with lines of `===` between them. The first line of each has method, target
/// and, if need be, the media types of its body and of the answer; the rest is its body. Every answer that is JSON is JSON.
pub fn kube(data: &[u8]) {
    let mut cluster = Cluster::new(identity(), BASELINE.clone(), LIMITS);
    let mut now = created();
    let text = String::from_utf8_lossy(data);
    for block in text.split("\n===\n").take(8) {
        let (line, body) = block.split_once('\n').unwrap_or((block, ""));
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let mut request = Request::new(Method::parse(word()), word());
        for name in ["Content-Type", "Accept"] {
            let value = word();
            if !value.is_empty() {
                request.headers.push(name, value);
            }
        }
        request.body = body.as_bytes().to_vec();
        ask(&mut cluster, &request, now);
        now += SignedDuration::from_secs(2);
        cluster.wake(now);
    }
}

/// A JSON patch (RFC 6902) of a deployment.
pub fn patch_json(data: &[u8]) {
    write(Method::Patch, DEPLOYMENT, "application/json-patch+json", data);
}

/// A merge patch (RFC 7396) of a deployment.
pub fn patch_merge(data: &[u8]) {
    write(Method::Patch, DEPLOYMENT, "application/merge-patch+json", data);
}

/// A strategic merge patch of a deployment.
pub fn patch_strategic(data: &[u8]) {
    write(Method::Patch, DEPLOYMENT, "application/strategic-merge-patch+json", data);
}

/// What somebody applies on the server's side to a deployment.
pub fn patch_apply(data: &[u8]) {
    let target = format!("{DEPLOYMENT}?fieldManager=fuzz&force=true");
    write(Method::Patch, &target, "application/apply-patch+yaml", data);
}

/// An object in Kubernetes' protobuf.
pub fn protobuf(data: &[u8]) {
    for collection in ["/apis/apps/v1/namespaces/demo/deployments", "/api/v1/namespaces/demo/pods", "/api/v1/nodes"] {
        write(Method::Post, collection, "application/vnd.kubernetes.protobuf", data);
    }
}

/// Label and field selectors.
pub fn selectors(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = LabelSelector::parse(&text);
    for resource in catalog::builtin().iter().take(8) {
        let _ = FieldSelector::parse(&text, resource);
    }
    if let Ok(object) = serde_json::from_str::<Value>(&text) {
        let _ = LabelSelector::from_object(&object);
    }
}

/// A cluster template, up to the clusters that are made of it.
pub fn cluster_template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(template) = template::parse("fuzz.yaml", &text) else { return };
    let objects = template.objects(&VARIABLES);
    // What `count` multiplies is bounded, but not small.
    if objects.len() > 2_000 {
        return;
    }
    let source = Source { objects, ca_pem: CA_PEM, kubernetes_version: VARIABLES.kubernetes_version };
    if let Ok(baseline) = Baseline::compile(source) {
        let mut cluster = Cluster::new(identity(), Arc::new(baseline), LIMITS);
        for target in ["/api/v1/nodes", "/api/v1/pods", "/apis/apps/v1/deployments"] {
            ask(&mut cluster, &Request::new(Method::Get, target), created());
        }
    }
}

/// A configuration file.
pub fn configuration(data: &[u8]) {
    thread_local! {
        static HOME: tempfile::TempDir = tempfile::tempdir().expect("there is room for a folder");
    }
    HOME.with(|home| {
        let file = home.path().join("config");
        std::fs::write(&file, data).expect("there is room for a file");
        let flags = Flags { config: Some(file), home: Some(home.path().to_owned()), values: Vec::new() };
        let environment = Vec::<(OsString, OsString)>::new();
        let _ = config::load(Inputs { flags, user_home: None, environment });
    });
}

/// A scenario, whole and scaled.
pub fn scenario(data: &[u8]) {
    if let Ok(plan) = parse_scenario("fuzz.yaml", &String::from_utf8_lossy(data)) {
        schedule(&plan.spec);
        let _ = plan.scaled(0.1).fault_lines();
    }
}

/// A load profile of the rehearsal.
pub fn profile(data: &[u8]) {
    let _ = Profile::from_yaml(&String::from_utf8_lossy(data));
}

/// Thresholds, stages, rates and shares; what is read is written so that it reads the same.
pub fn expressions(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.lines().take(16) {
        if let Ok(threshold) = Threshold::parse(line) {
            assert_eq!(Threshold::parse(&threshold.to_string()).as_ref(), Ok(&threshold), "{line:?}");
        }
        if let Ok(stages) = Stages::parse(line) {
            let again = Stages::parse(&stages.to_string());
            assert_eq!(again.map(|again| again.clusters()), Ok(stages.clusters()), "{line:?}");
        }
        if let Ok(rate) = Rate::parse(line) {
            let _ = (rate.to_string(), rate.interval());
        }
        let _ = (parse_share(line), line.parse::<Selection>(), line.parse::<Injection>());
    }
}

/// The body of `POST /ramps` and `POST /faults`.
pub fn rest_bodies(data: &[u8]) {
    let Ok(Value::Object(object)) = serde_json::from_slice(data) else { return };
    let _ = Injection::from_json(&object);
    if let Ok(spec) = Spec::from_json(&object) {
        schedule(&spec);
        let written = spec.to_json();
        let again = written.as_object().map(Spec::from_json);
        assert!(matches!(again, Some(Ok(again)) if again.to_json() == written), "{written}");
    }
}

/// The folders of runs: `run.json` and, behind a line of `===`, `clusters.csv`, and so on with the next. What can be read is merged,
/// and every report is made of it.
pub fn reports(data: &[u8]) {
    thread_local! {
        static FOLDERS: tempfile::TempDir = tempfile::tempdir().expect("there is room for a folder");
    }
    let text = String::from_utf8_lossy(data);
    let parts: Vec<&str> = text.split("\n===\n").take(6).collect();
    FOLDERS.with(|folders| {
        let folder = folders.path();
        let read = |pair: &[&str]| {
            std::fs::write(folder.join("run.json"), pair[0]).expect("there is room for a file");
            std::fs::write(folder.join("clusters.csv"), pair.get(1).unwrap_or(&"")).expect("there is room for a file");
            report::read(folder).map_err(|error| error.to_string()).ok()
        };
        let runs: Vec<_> = parts.chunks(2).filter_map(read).collect();
        let Ok(run) = report::merge(runs) else { return };
        assert!(!run.to_string().is_empty());
        report::write(folder, &run).expect("there is room for files");
        assert!(report::read(folder).is_ok(), "what is written can be read");
    });
}

/// An answer of Rancher's REST API: a line with its status, redirection and type, then its body. What is said of it is a line.
pub fn rancher_answers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (head, body) = text.split_once('\n').unwrap_or((&text, ""));
    let mut words = head.split(' ');
    let status = words.next().and_then(|word| word.parse().ok()).unwrap_or(200);
    let mut word = || words.next().map(str::to_owned);
    let (location, content_type) = (word(), word().unwrap_or_default());
    let answer = Answer { status, location, content_type, retry_after: None, text: body.to_owned() };
    let read = answer.json("GET /v3/clusters".into()).and_then(|json| {
        let _ = rancher::registration_token_in(&json);
        ClusterPage::read(json)
    });
    match read {
        Ok(page) => page.clusters.iter().for_each(|cluster| {
            let _ = (cluster.is_active(), cluster.is_true("Connected"), cluster.true_since("Ready"));
            assert!(cluster.state.chars().count() + cluster.message.chars().count() <= 2_000);
        }),
        Err(error) => {
            let said = error.to_string();
            assert!(said.chars().count() < 1_000 && !said.contains(|c: char| c.is_control()), "{said:?}");
        }
    }
}

/// A key and sealed values, a line each.
pub fn sealed_values(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for range in find_sealed(&text) {
        assert!(is_sealed(&text[range]));
    }
    let (key, values) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(key) = SealKey::parse(key) else { return };
    for value in values.lines() {
        if let Ok(secret) = key.unseal(value) {
            assert_eq!(key.seal(&secret).map(|sealed| key.unseal(&sealed)), Ok(Ok(secret)));
        }
    }
}

/// What the journal holds of a cluster: its record, and behind each line of `===` a place with its kind, its path and its object in
/// Base64. Checksums keep anything but the agent's own objects away; what gets past them does no more harm than being shown.
pub fn journal(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split("\n===\n").take(8);
    let now = Now { instant: Instant::now(), wall: created() };
    let mut fleet = Fleet::new(fleet_config(), now);
    let records = vec![("edge".to_owned(), parts.next().unwrap_or_default().as_bytes().to_vec())];
    if fleet.restore(records, now).is_ok() {
        fleet.resume(KeptCluster { name: "edge".into(), places: Vec::new() }, now);
        let _ = fleet.take_effects();
    }
    let place = |part: &str| {
        let mut words = part.split_whitespace();
        let (kind, path) = (words.next()?.into(), words.next()?.into());
        let state = match words.next().map(|object| STANDARD.decode(object)) {
            Some(object) => DurableState::Object(object.ok()?.into()),
            None => DurableState::Deleted,
        };
        Some(Durable { kind, path, state })
    };
    let past = Past { epoch: 1, places: parts.filter_map(place).collect() };
    if let Ok(mut cluster) = Cluster::restored(identity(), BASELINE.clone(), LIMITS, past, created()) {
        cluster.wake(created() + SignedDuration::from_secs(2));
        for target in ["/api/v1/configmaps", "/api/v1/pods", "/apis/apps/v1/deployments"] {
            let _ = answer(&mut cluster, &Request::new(Method::Get, target), created());
        }
    }
}

fn fleet_config() -> FleetConfig {
    FleetConfig {
        ranchers: vec![RancherConfig { name: "default".into(), url: "https://rancher.test".into(), weight: 1 }],
        instance_id: "0123456789abcdef".into(),
        shard: Shard::default(),
        epoch: 1,
        baseline: BASELINE.clone(),
        templates: BTreeMap::new(),
        create_wait: Duration::from_secs(1),
        poll_interval: Duration::from_secs(1),
        ramp_poll_interval: Duration::from_secs(1),
        failed_retry: Duration::ZERO,
        max_clusters: 2,
        workers: 1,
        registrars: 1,
        about: Value::Null,
        seed: 1,
    }
}

/// Starts are where the plan says and never go back.
fn schedule(spec: &Spec) {
    let schedule = spec.schedule();
    let starts: Vec<_> = (0..spec.clusters.min(200)).map(|position| schedule.start(position)).collect();
    assert!(starts.is_sorted(), "{starts:?}");
    let _ = (spec.name(0), spec.name(spec.clusters), schedule.due(SignedDuration::from_secs(60).unsigned_abs()));
}

fn write(method: Method, target: &str, media_type: &str, body: &[u8]) {
    let mut cluster = Cluster::new(identity(), BASELINE.clone(), LIMITS);
    let mut request = Request::new(method, target);
    request.headers.push("Content-Type", media_type);
    request.body = body.to_vec();
    ask(&mut cluster, &request, created());
    for seconds in 1..4 {
        cluster.wake(created() + SignedDuration::from_secs(seconds));
    }
    let path = target.split('?').next().unwrap_or_default();
    ask(&mut cluster, &Request::new(Method::Get, path), created());
}

/// Asks; what is said to be JSON is JSON.
fn ask(cluster: &mut Cluster, request: &Request, now: Timestamp) {
    let (is_json, bytes) = answer(cluster, request, now);
    if is_json && !bytes.is_empty() {
        let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes);
        assert!(parsed.is_ok(), "{parsed:?}: {}", String::from_utf8_lossy(&bytes));
    }
}

/// Reads the answer, of a watch what there is, and whether it is JSON by its own account, and whole.
fn answer(cluster: &mut Cluster, request: &Request, now: Timestamp) -> (bool, Vec<u8>) {
    let response = cluster.handle(request, now);
    assert!((100..600).contains(&response.status), "{}", response.status);
    let is_json = response.headers.get("Content-Type").is_some_and(|kind| kind.starts_with("application/json"));
    let (bytes, whole) = match response.body {
        Body::Bytes(bytes) => (bytes, true),
        Body::Shared(bytes) => (bytes.to_vec(), true),
        Body::Streaming(mut streaming) => {
            let mut bytes = Vec::new();
            let mut progress = Progress::More;
            while progress == Progress::More && bytes.len() < MOST_BYTES {
                progress = streaming.poll(cluster, now, &mut bytes, 4096);
            }
            // A watch is a line of JSON for each event.
            let is_list = progress == Progress::Done && !bytes.contains(&b'\n');
            (bytes, is_list)
        }
    };
    (is_json && whole, bytes)
}

fn identity() -> Identity {
    Identity { name: "edge".into(), seed: 1, rotation: 0, created: created() }
}

fn created() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(490_000)
}

static BASELINE: LazyLock<Arc<Baseline>> = LazyLock::new(|| {
    let objects = template::parse("demo.yaml", DEMO).expect("it is a template").objects(&VARIABLES);
    let source = Source { objects, ca_pem: CA_PEM, kubernetes_version: VARIABLES.kubernetes_version };
    Arc::new(Baseline::compile(source).expect("and of known kinds"))
});

const VARIABLES: Variables<'static> = Variables { kubernetes_version: "v1.31.4", created: "{{created}}" };
const CA_PEM: &str = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n";
const LIMITS: Limits = Limits { watch_history: 50, objects: 500, object_bytes: 65_536 };
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/demo/deployments/web";
const DEMO: &str = "
nodes: [{name: '{{cluster-name}}-1', roles: [worker], capacity: {cpu: 4, memory: 8Gi, pods: 110}}]
pods: [{name: web, namespace: demo, image: 'web:1', labels: {app: web}, requests: {cpu: 100m}}]
services: [{name: web, namespace: demo, ports: 80/TCP}]
configmaps: [{name: web, namespace: demo, data: {a: b}}]
secrets: [{name: web, namespace: demo, data: {a: b}}]
deployments: [{name: web, namespace: demo, replicas: 2, image: 'web:1'}]
";
/// More than any list of these clusters has.
const MOST_BYTES: usize = 8 << 20;
