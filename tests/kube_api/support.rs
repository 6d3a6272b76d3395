//! A client of one virtual cluster.

use jiff::{SignedDuration, Timestamp};
use scale_cluster_agent::http1::{Method, Request};
use scale_cluster_agent::kube::{
    Baseline, BaselineError, Body, Cluster, Heartbeat, Identity, Limits, Progress, Source, Streaming,
};
use scale_cluster_agent::template;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// A cluster and the clock it is told.
pub struct Api {
    pub cluster: Cluster,
    pub now: Timestamp,
}

/// A whole answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A watch under way.
pub struct Watch {
    streaming: Streaming,
    unread: Vec<u8>,
}

/// One line of a watch: its type and its object.
pub type Event = (String, Value);

impl Api {
    /// The cluster `edge` of [`TEMPLATE`].
    pub fn new() -> Api {
        Api::with_limits(Limits { watch_history: 1000, objects: 1000, object_bytes: 1_572_864 })
    }

    pub fn with_limits(limits: Limits) -> Api {
        // Compiled once: that is what takes the time.
        static BASELINE: LazyLock<Arc<Baseline>> = LazyLock::new(|| baseline(TEMPLATE).unwrap());
        Api { cluster: Cluster::new(identity("edge", 1), BASELINE.clone(), limits), now: created() }
    }

    /// The cluster `edge` of another template.
    pub fn of_template(yaml: &str) -> Api {
        Api { cluster: Cluster::new(identity("edge", 1), baseline(yaml).unwrap(), limits()), now: created() }
    }

    pub fn get(&mut self, target: &str) -> Answer {
        self.send(Method::Get, target, &[], b"")
    }

    /// A GET with an `Accept` header.
    pub fn get_as(&mut self, target: &str, accept: &str) -> Answer {
        self.send(Method::Get, target, &[("Accept", accept)], b"")
    }

    pub fn post(&mut self, target: &str, body: &Value) -> Answer {
        self.send(Method::Post, target, JSON, body.to_string().as_bytes())
    }

    pub fn put(&mut self, target: &str, body: &Value) -> Answer {
        self.send(Method::Put, target, JSON, body.to_string().as_bytes())
    }

    pub fn delete(&mut self, target: &str) -> Answer {
        self.send(Method::Delete, target, &[], b"")
    }

    /// A DELETE with DeleteOptions.
    pub fn delete_with(&mut self, target: &str, options: &Value) -> Answer {
        self.send(Method::Delete, target, JSON, options.to_string().as_bytes())
    }

    /// A PATCH; `format` is what stands before `-patch+` in its media type.
    pub fn patch(&mut self, target: &str, format: &str, patch: &Value) -> Answer {
        let suffix = if format == "apply" { "yaml" } else { "json" };
        let media_type = format!("application/{format}-patch+{suffix}");
        self.send(Method::Patch, target, &[("Content-Type", &media_type)], patch.to_string().as_bytes())
    }

    pub fn send(&mut self, method: Method, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = Request::new(method, target);
        for (name, value) in headers {
            request.headers.push(*name, *value);
        }
        request.body = body.to_vec();
        let response = self.cluster.handle(&request, self.now);
        let body = match response.body {
            Body::Bytes(bytes) => bytes,
            Body::Shared(bytes) => bytes.to_vec(),
            Body::Streaming(streaming) => self.read_to_end(streaming),
        };
        let headers = response.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Answer { status: response.status, headers, body }
    }

    /// Opens a watch that must be granted.
    pub fn watch(&mut self, target: &str) -> Watch {
        self.watch_as(target, "application/json")
    }

    pub fn watch_as(&mut self, target: &str, accept: &str) -> Watch {
        let mut request = Request::new(Method::Get, target);
        request.headers.push("Accept", accept);
        let response = self.cluster.handle(&request, self.now);
        assert_eq!(response.status, 200, "{target}: {response:?}");
        match response.body {
            Body::Streaming(streaming) => Watch { streaming, unread: Vec::new() },
            other => panic!("{target} is no watch: {other:?}"),
        }
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.cluster.wake(self.now);
    }

    /// So many seconds pass, in which the cluster does what is due.
    pub fn live(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += SignedDuration::from_secs(1);
            self.cluster.wake(self.now);
        }
    }

    pub fn report(&mut self, heartbeat: Heartbeat) {
        self.cluster.report(heartbeat, self.now);
    }

    /// Creates an object that must be accepted.
    pub fn create(&mut self, target: &str, body: &Value) -> Value {
        self.post(target, body).expect(201)
    }

    /// Reads an object that must be there.
    pub fn read(&mut self, target: &str) -> Value {
        self.get(target).expect(200)
    }

    /// The names of a list's items.
    pub fn names(&mut self, target: &str) -> Vec<String> {
        names(&self.read(target))
    }

    fn read_to_end(&mut self, mut streaming: Streaming) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let before = body.len();
            match streaming.poll(&self.cluster, self.now, &mut body, PIECE_BYTES) {
                Progress::Done => return body,
                Progress::More => assert!(body.len() > before, "a poll that promises more makes progress"),
                Progress::Idle => panic!("a body that ends never idles: {}", String::from_utf8_lossy(&body)),
            }
        }
    }
}

impl Answer {
    /// The body, of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// The body.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Checks that it is a `Status` of failure with this code, reason and message.
    #[track_caller]
    pub fn refuses(&self, code: u16, reason: &str, message: &str) -> Value {
        let status = self.expect(code);
        let parts = (status["kind"].as_str(), status["apiVersion"].as_str(), status["status"].as_str());
        assert_eq!(parts, (Some("Status"), Some("v1"), Some("Failure")), "{status}");
        assert_eq!(status["code"], code, "{status}");
        assert_eq!(status["reason"], reason, "{status}");
        assert_eq!(status["message"], message);
        status
    }
}

impl Watch {
    /// Every event there is now; the watch must go on.
    #[track_caller]
    pub fn events(&mut self, api: &Api) -> Vec<Event> {
        let (events, progress) = self.poll(api);
        assert_eq!(progress, Progress::Idle, "the watch ended: {events:?}");
        events
    }

    /// Every event there is now; the watch must end with them.
    #[track_caller]
    pub fn last_events(&mut self, api: &Api) -> Vec<Event> {
        let (events, progress) = self.poll(api);
        assert_eq!(progress, Progress::Done, "the watch goes on: {events:?}");
        events
    }

    pub fn poll(&mut self, api: &Api) -> (Vec<Event>, Progress) {
        let progress = loop {
            match self.streaming.poll(&api.cluster, api.now, &mut self.unread, PIECE_BYTES) {
                Progress::More => {}
                progress => break progress,
            }
        };
        let text = String::from_utf8(std::mem::take(&mut self.unread)).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "events are lines: {text:?}");
        let events = text.lines().map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            (event["type"].as_str().unwrap().to_owned(), event["object"].clone())
        });
        (events.collect(), progress)
    }

    pub fn wake_at(&self) -> Option<Timestamp> {
        self.streaming.wake_at()
    }
}

/// Type and name of each event.
pub fn outline(events: &[Event]) -> Vec<(&str, &str)> {
    events
        .iter()
        .map(|(kind, object)| (kind.as_str(), object["metadata"]["name"].as_str().unwrap_or_default()))
        .collect()
}

/// The names of a list's items.
pub fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// A resourceVersion as the number that it is.
#[track_caller]
pub fn resource_version(object: &Value) -> u64 {
    let text = object["metadata"]["resourceVersion"].as_str().unwrap_or_else(|| panic!("no resourceVersion: {object}"));
    text.parse().unwrap()
}

pub fn baseline(yaml: &str) -> Result<Arc<Baseline>, BaselineError> {
    let template = template::parse("cluster.yaml", yaml).unwrap();
    let variables = template::Variables { kubernetes_version: VERSION, created: "2026-01-02T03:04:05Z" };
    baseline_of(template.objects(&variables))
}

pub fn baseline_of(objects: Vec<Value>) -> Result<Arc<Baseline>, BaselineError> {
    Baseline::compile(Source { objects, ca_pem: CA_PEM, kubernetes_version: VERSION }).map(Arc::new)
}

pub fn identity(name: &str, seed: u64) -> Identity {
    Identity { name: name.into(), seed, rotation: 0, created: created() }
}

pub fn limits() -> Limits {
    Limits { watch_history: 1000, objects: 1000, object_bytes: 1_572_864 }
}

/// When the clusters of these tests were made.
pub fn created() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// A ConfigMap to write.
pub fn config_map(name: &str, value: &str) -> Value {
    serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

/// What the cluster reports as its version.
pub const VERSION: &str = "v1.31.4";
pub const CA_PEM: &str = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n";
/// Small, so that every body is made in several pieces.
const PIECE_BYTES: usize = 512;
const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

/// Two nodes, three pods in two namespaces, and one object of each other kind of the summary.
pub const TEMPLATE: &str = r#"
nodes:
  - name: {{cluster-name}}-control-plane-1
    roles: [control-plane, etcd]
    capacity: {cpu: 4, memory: 8Gi, pods: 110}
  - name: {{cluster-name}}-worker-1
    roles: [worker]
    capacity: {cpu: 8, memory: 32Gi, pods: 110}
pods:
  - name: etcd-{{cluster-name}}
    namespace: kube-system
    node: {{cluster-name}}-control-plane-1
    image: etcd:3.5.16-0
    labels: {tier: control-plane}
    requests: {cpu: 100m, memory: 100Mi}
  - name: web-1
    namespace: demo
    node: {{cluster-name}}-worker-1
    image: nginx:1.27
    labels: {app: web, tier: front}
    requests: {cpu: 250m, memory: 64Mi}
    limits: {memory: 128Mi}
  - name: web-2
    namespace: demo
    node: {{cluster-name}}-worker-1
    image: nginx:1.27
    labels: {app: web, tier: back}
    requests: {cpu: 50m, memory: 64Mi}
services:
  - name: web
    namespace: demo
    ports: 80/TCP
configmaps:
  - name: greeting
    namespace: demo
    data: {greeting: "Hello from {{cluster-name}}"}
secrets:
  - name: password
    namespace: demo
    data: {password: not-a-real-one}
deployments:
  - name: api
    namespace: demo
    replicas: 1
    image: nginx:1.27
"#;
