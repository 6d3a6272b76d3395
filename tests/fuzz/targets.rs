//! One function for each parser that reads what comes from outside: any bytes in, no panic, and what each has to keep.
//!
//! `tests/fuzz_corpus.rs` replays the corpus with mutations on every run of the tests; the package beside this file gives the same
//! functions to libFuzzer.

use jiff::{SignedDuration, Timestamp};
use scale_cluster_agent::config::{self, Flags, Inputs};
use scale_cluster_agent::faults::{Injection, Selection};
use scale_cluster_agent::http1::{
    BodyFraming, ClientConnection, Headers, MessageLimits, Method, Request, ResponseHead, ServerConnection,
};
use scale_cluster_agent::kube::{
    Baseline, Body, Cluster, FieldSelector, Identity, LabelSelector, Limits, Progress, Source, catalog,
};
use scale_cluster_agent::ramp::{Rate, Spec, Stages, Threshold, parse_share};
use scale_cluster_agent::rehearsal::Profile;
use scale_cluster_agent::remote::parse_scenario;
use scale_cluster_agent::template::{self, Variables};
use scale_cluster_agent::tunnel::{Event, Message, Outbox, Payload, Role, Session, SessionLimits};
use serde_json::Value;
use std::ffi::OsString;
use std::sync::{Arc, LazyLock};

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

/// Asks and reads the answer, of a watch what there is.
fn ask(cluster: &mut Cluster, request: &Request, now: Timestamp) {
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
    if is_json && whole && !bytes.is_empty() {
        let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes);
        assert!(parsed.is_ok(), "{parsed:?}: {}", String::from_utf8_lossy(&bytes));
    }
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
