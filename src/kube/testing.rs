//! What the tests of this room share: a small cluster and a client without a wire.

use super::{
    Baseline, BaselineError, Body, Cluster, Durable, DurableError, Identity, Limits, Past, Progress, Response, Source,
    Streaming,
};
use crate::http1::{Method, Request};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// Three nodes, a workload namespace with four pods on two of them, and a deployment.
pub(super) fn objects() -> Vec<Value> {
    let node = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": format!("{{{{cluster-name}}}}-{name}"), "labels": {"kubernetes.io/os": "linux"}},
            "spec": {"podCIDR": "10.42.0.0/24"},
            "status": {
                "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                "addresses": [{"type": "InternalIP", "address": "172.16.0.10"}],
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "KubeletReady",
                    "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "{{created}}"
                }]
            }
        })
    };
    let pod = |name: &str, node: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "web", "labels": {"app": "web", "cluster": "{{cluster-name}}"}},
            "spec": {
                "nodeName": format!("{{{{cluster-name}}}}-{node}"),
                "containers": [{"name": "main", "image": "nginx:1", "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}]
            },
            "status": {"phase": "Running"}
        })
    };
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}),
        node("control-1"),
        node("worker-1"),
        node("worker-2"),
        pod("web-1", "worker-1"),
        pod("web-2", "worker-1"),
        pod("web-3", "worker-2"),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "web", "labels": {"app": "web"}},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "nginx:1"}]}}},
            "status": {"replicas": 3, "readyReplicas": 3}
        }),
    ]
}

pub(super) fn compile(objects: Vec<Value>) -> Result<Baseline, BaselineError> {
    Baseline::compile(Source { objects, ca_pem: "PEM", kubernetes_version: "v1.31.4" })
}

/// A cluster called `edge`, and a clock.
pub(super) struct Bench {
    pub cluster: Cluster,
    pub now: Timestamp,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub code: u16,
    pub body: Value,
}

impl Answer {
    /// The names in a list, or the message of a refusal.
    pub(super) fn names(&self) -> Vec<String> {
        assert_eq!(self.code, 200, "{}", self.body);
        let items = self.body["items"].as_array().unwrap();
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn message(&self) -> &str {
        assert_eq!(self.body["kind"], "Status", "{}", self.body);
        self.body["message"].as_str().unwrap_or_default()
    }

    pub(super) fn revision(&self) -> u64 {
        self.body["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
    }

    /// The object, if the request was granted.
    pub(super) fn ok(self) -> Value {
        assert!((200..300).contains(&self.code), "{} {}", self.code, self.body);
        self.body
    }
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::with_limits(Limits { watch_history: 1_000, objects: 1_000, object_bytes: 1_500_000 })
    }

    pub(super) fn with_limits(limits: Limits) -> Bench {
        static SHARED: LazyLock<Arc<Baseline>> = LazyLock::new(|| Arc::new(compile(objects()).unwrap()));
        Bench::sharing(SHARED.clone(), limits)
    }

    pub(super) fn of(baseline: Baseline, limits: Limits) -> Bench {
        Bench::sharing(Arc::new(baseline), limits)
    }

    fn sharing(baseline: Arc<Baseline>, limits: Limits) -> Bench {
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        let identity = Identity { name: "edge".into(), seed: 7, rotation: 0, created: now };
        Bench { cluster: Cluster::new(identity, baseline, limits), now }
    }

    /// The cluster as a later run of the agent goes on with it.
    pub(super) fn restarted(&self, epoch: u32, places: Vec<Durable>) -> Result<Bench, DurableError> {
        let Cluster { identity, baseline, limits, .. } = &self.cluster;
        let past = Past { epoch, places };
        let cluster = Cluster::restored(identity.clone(), baseline.clone(), limits.clone(), past, self.now)?;
        Ok(Bench { cluster, now: self.now })
    }

    /// Starts over as a cluster of another name.
    pub(super) fn rename(&mut self, name: &str) {
        let identity = Identity { name: name.into(), ..self.cluster.identity.clone() };
        self.cluster = Cluster::new(identity, self.cluster.baseline.clone(), self.cluster.limits.clone());
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.now = self.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
        self.cluster.wake(self.now);
    }

    pub(super) fn send(&mut self, request: &Request) -> Response {
        self.cluster.handle(request, self.now)
    }

    /// Sends a request and reads its answer to the end.
    pub(super) fn call(&mut self, method: Method, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = Request::new(method, target);
        request.headers = headers.iter().copied().collect();
        request.body = body.to_vec();
        let response = self.send(&request);
        let bytes = match response.body {
            Body::Bytes(bytes) => bytes,
            Body::Shared(bytes) => bytes.to_vec(),
            Body::Streaming(mut streaming) => {
                let mut bytes = Vec::new();
                while streaming.poll(&self.cluster, self.now, &mut bytes, 100) == Progress::More {}
                bytes
            }
        };
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Answer { code: response.status, body }
    }

    pub(super) fn get(&mut self, target: &str) -> Answer {
        self.call(Method::Get, target, &[], b"")
    }

    pub(super) fn post(&mut self, target: &str, object: Value) -> Answer {
        self.call(Method::Post, target, &[("Content-Type", "application/json")], object.to_string().as_bytes())
    }

    pub(super) fn put(&mut self, target: &str, object: &Value) -> Answer {
        self.call(Method::Put, target, &[("Content-Type", "application/json")], object.to_string().as_bytes())
    }

    pub(super) fn merge(&mut self, target: &str, patch: Value) -> Answer {
        let headers = [("Content-Type", "application/merge-patch+json")];
        self.call(Method::Patch, target, &headers, patch.to_string().as_bytes())
    }

    pub(super) fn delete(&mut self, target: &str) -> Answer {
        self.call(Method::Delete, target, &[], b"")
    }

    pub(super) fn watch(&mut self, target: &str) -> Watch {
        let response = self.send(&Request::new(Method::Get, target));
        match response.body {
            Body::Streaming(streaming) => Watch { streaming, is_over: false },
            other => panic!("{target}: {} {other:?}", response.status),
        }
    }

    pub(super) fn configmap(&mut self, name: &str) -> Value {
        let object = json!({"metadata": {"name": name}, "data": {"a": "1"}});
        self.post("/api/v1/namespaces/web/configmaps", object).ok()
    }
}

/// A watch, read by hand.
pub(super) struct Watch {
    pub streaming: Streaming,
    pub is_over: bool,
}

impl Watch {
    /// Every event that is due.
    pub(super) fn events(&mut self, bench: &Bench) -> Vec<Value> {
        let mut bytes = Vec::new();
        while !self.is_over {
            match self.streaming.poll(&bench.cluster, bench.now, &mut bytes, 1) {
                Progress::More => {}
                Progress::Idle => break,
                Progress::Done => self.is_over = true,
            }
        }
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The same, in short: `ADDED name`.
    pub(super) fn told(&mut self, bench: &Bench) -> Vec<String> {
        let events = self.events(bench);
        let name = |event: &Value| event["object"]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        events.iter().map(|event| format!("{} {}", event["type"].as_str().unwrap(), name(event))).collect()
    }
}
