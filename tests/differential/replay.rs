//! Plays a recorded scene to a virtual cluster.

use crate::compare::{Difference, compare, compare_headers, compare_revisions};
use crate::recording::Step;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use scale_cluster_agent::http1::{Method, Request};
use scale_cluster_agent::kube::{
    Baseline, Body, COMPACTION_INTERVAL, Cluster, Identity, Limits, Progress, Response, Source, Streaming,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// A cluster with what a control plane makes by itself, and nothing else.
struct Player {
    cluster: Cluster,
    now: Timestamp,
    variables: BTreeMap<String, Value>,
    watches: BTreeMap<String, Streaming>,
}

/// Answers every step; what comes back is each step with what differed.
pub fn play(steps: &[Step]) -> Vec<(&Step, Vec<Difference>)> {
    static BASELINE: LazyLock<Arc<Baseline>> = LazyLock::new(|| {
        let source = Source { objects: Vec::new(), ca_pem: "PEM", kubernetes_version: "v1.31.4" };
        Arc::new(Baseline::compile(source).unwrap())
    });
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let identity = Identity { name: "edge".into(), seed: 1, rotation: 0, created: now };
    let limits = Limits { watch_history: 1_000, objects: 10_000, object_bytes: 1_572_864 };
    let mut player = Player {
        cluster: Cluster::new(identity, BASELINE.clone(), limits),
        now,
        variables: BTreeMap::new(),
        watches: BTreeMap::new(),
    };
    steps.iter().map(|step| (step, player.step(step))).collect()
}

impl Player {
    fn step(&mut self, step: &Step) -> Vec<Difference> {
        if !step.events.is_empty() {
            return self.events(step);
        }
        if step.managers {
            self.pass(1);
        }
        if step.forget {
            self.forget();
        }
        let mut waited_s = 0;
        loop {
            let response = self.cluster.handle(&self.request(step), self.now);
            let (status, headers) = (response.status, response.headers.clone());
            let content = self.read(step, response);
            if waited_s < PATIENCE_S && !holds(step, status, &content) {
                self.pass(1);
                waited_s += 1;
                continue;
            }
            for (variable, pointer) in &step.save {
                let value = content.pointer(pointer).cloned();
                // Where the answer is another one, so that what follows still is a request.
                self.variables.insert(variable.clone(), value.unwrap_or_else(|| json!("1")));
            }
            let mut differences = Vec::new();
            if status != step.status {
                differences.push(Difference::new("status", &json!(step.status), &json!(status)));
            }
            compare_headers(&step.answer, &headers, &mut differences);
            compare_revisions(&content, &mut differences);
            compare("", &sorted(step, step.content.clone()), &sorted(step, trimmed(step, content)), &mut differences);
            if step.settles {
                self.settle();
            }
            return differences;
        }
    }

    /// Passes the time after which nothing of what was is known.
    fn forget(&mut self) {
        for _ in 0..2 {
            self.pass(i64::try_from(COMPACTION_INTERVAL.as_secs()).unwrap());
            self.cluster.compact();
        }
    }

    /// Passes the time that the controllers take over what is to be done.
    fn settle(&mut self) {
        let end = self.now + SignedDuration::from_secs(PATIENCE_S);
        while let Some(at) = self.cluster.wake_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.cluster.wake(self.now);
        }
    }

    fn request(&self, step: &Step) -> Request {
        let line = self.fill_text(&step.request);
        let (method, target) = line.split_once(' ').unwrap();
        let method = match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            other => panic!("{other} is no method of the corpus"),
        };
        let mut request = Request::new(method, target);
        let mut content_type = "application/json";
        if !step.base64.is_empty() {
            content_type = "application/vnd.kubernetes.protobuf";
            request.body = STANDARD.decode(&step.base64).unwrap();
        } else if !step.text.is_empty() {
            request.body = self.fill_text(&step.text).into_bytes();
        } else if let Some(body) = &step.body {
            request.body = self.fill(body).to_string().into_bytes();
        }
        let own_type = step.headers.get("Content-Type").map(String::as_str);
        if !request.body.is_empty() || own_type.is_some() {
            request.headers.push("Content-Type", own_type.unwrap_or(content_type));
        }
        for (name, value) in step.headers.iter().filter(|(name, _)| *name != "Content-Type") {
            request.headers.push(name.as_str(), value.as_str());
        }
        request.headers.push("User-Agent", "recorder");
        request
    }

    /// Reads an answer to its end; a watch with a name is kept open instead.
    fn read(&mut self, step: &Step, response: Response) -> Value {
        let content_type = response.headers.get("Content-Type").unwrap_or_default().to_owned();
        let bytes = match response.body {
            Body::Bytes(bytes) => bytes,
            Body::Shared(bytes) => bytes.to_vec(),
            Body::Streaming(streaming) if !step.watch.is_empty() => {
                self.watches.insert(step.watch.clone(), streaming);
                return Value::Null;
            }
            Body::Streaming(mut streaming) => {
                let mut bytes = Vec::new();
                loop {
                    match streaming.poll(&self.cluster, self.now, &mut bytes, PIECE_BYTES) {
                        Progress::Done => break bytes,
                        Progress::More => {}
                        Progress::Idle => self.pass(1),
                    }
                }
            }
        };
        parse(&step.request, &content_type, &bytes)
    }

    fn events(&mut self, step: &Step) -> Vec<Difference> {
        let mut bytes = Vec::new();
        let streaming = self.watches.get_mut(&step.events).unwrap();
        while streaming.poll(&self.cluster, self.now, &mut bytes, PIECE_BYTES) == Progress::More {}
        let mut differences = Vec::new();
        let events = Value::from(values(&bytes));
        compare_revisions(&events, &mut differences);
        compare("", &step.content, &trimmed(step, events), &mut differences);
        differences
    }

    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.cluster.wake(self.now);
    }

    fn fill(&self, tree: &Value) -> Value {
        match tree {
            Value::String(text) => {
                let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
                let known = whole.and_then(|name| self.variables.get(name));
                known.cloned().unwrap_or_else(|| Value::from(self.fill_text(text)))
            }
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(fields) => {
                let filled = fields.iter().map(|(name, value)| (self.fill_text(name), self.fill(value)));
                Value::Object(filled.collect())
            }
            other => other.clone(),
        }
    }

    fn fill_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.variables {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text = text.replace(&format!("${{{name}}}"), &value);
        }
        text
    }
}

fn holds(step: &Step, status: u16, content: &Value) -> bool {
    let Some(until) = &step.until else { return true };
    (until.status == 0 || status == until.status)
        && until.has.iter().all(|(pointer, wanted)| content.pointer(pointer) == Some(wanted))
}

fn parse(request: &str, content_type: &str, bytes: &[u8]) -> Value {
    match content_type.split(';').next().unwrap_or_default() {
        "application/json" if request.starts_with("HEAD") => json!([]),
        "application/json" => {
            let mut values = values(bytes);
            let is_event = |value: &Value| value.get("type").is_some() && value.get("object").is_some();
            if values.len() == 1 && !is_event(&values[0]) { values.remove(0) } else { Value::from(values) }
        }
        "application/yaml" => serde_yaml::from_slice(bytes).unwrap(),
        "text/plain" | "" => Value::from(String::from_utf8_lossy(bytes)),
        other => json!({ "opaque": other }),
    }
}

fn values(bytes: &[u8]) -> Vec<Value> {
    serde_json::Deserializer::from_slice(bytes).into_iter().map(Result::unwrap).collect()
}

/// What a step compares of an answer.
fn trimmed(step: &Step, mut content: Value) -> Value {
    if let Some(pointers) = &step.pick {
        let picked = pointers.iter().filter_map(|pointer| Some((pointer.clone(), content.pointer(pointer)?.clone())));
        content = Value::Object(picked.collect());
    }
    if !step.managers {
        without_managers(&mut content);
    }
    for pointer in &step.without {
        let names: Vec<String> =
            pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~")).collect();
        without(&mut content, &names);
    }
    content
}

fn sorted(step: &Step, mut content: Value) -> Value {
    for pointer in &step.unordered {
        if let Some(items) = content.pointer_mut(pointer).and_then(Value::as_array_mut) {
            items.sort_by_key(Value::to_string);
        }
    }
    content
}

fn without_managers(tree: &mut Value) {
    if let Some(metadata) = tree.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    match tree {
        Value::Object(fields) => fields.values_mut().for_each(without_managers),
        Value::Array(items) => items.iter_mut().for_each(without_managers),
        _ => {}
    }
}

fn without(tree: &mut Value, names: &[String]) {
    let Some((first, rest)) = names.split_first() else { return };
    match tree {
        Value::Object(fields) if rest.is_empty() => _ = fields.remove(first),
        Value::Object(fields) => {
            let chosen = fields.iter_mut().filter(|(name, _)| first == "*" || *name == first);
            chosen.for_each(|(_, value)| without(value, rest));
        }
        Value::Array(items) if !rest.is_empty() => {
            let chosen = items.iter_mut().enumerate().filter(|(index, _)| first == "*" || index.to_string() == *first);
            chosen.for_each(|(_, value)| without(value, rest));
        }
        _ => {}
    }
}

/// How long a controller may take.
const PATIENCE_S: i64 = 60;
const PIECE_BYTES: usize = 1 << 16;
