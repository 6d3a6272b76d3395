//! What an object costs that somebody wrote in a cluster, beside its body, which all clusters share: counted in the allocator, over many
//! clusters, while the history still has the writes and after it has forgotten them.
//!
//! `cargo bench --bench overlay`

use jiff::{SignedDuration, Timestamp};
use scale_cluster_agent::config::Settings;
use scale_cluster_agent::http1::{Method, Request};
use scale_cluster_agent::kube::{Baseline, Cluster, Identity, Limits, Source};
use scale_cluster_agent::report::{Column, Table};
use scale_cluster_agent::template;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// The requests that write the n-th object.
type Writer = fn(usize) -> Vec<(Method, String, Value)>;

fn main() -> ExitCode {
    let _profiler = dhat::Profiler::builder().testing().build();
    let baseline = baseline();
    let mut table = Table::new([
        ("an object, beside its body", Column::Left),
        ("blocks", Column::Right),
        ("bytes", Column::Right),
        ("with malloc's own", Column::Right),
        ("once forgotten", Column::Right),
        ("with malloc's own", Column::Right),
    ]);
    let mut most = 0;
    for (name, writer) in KINDS {
        let [known, forgotten] = measure(&baseline, writer);
        most = most.max(forgotten.bytes);
        let known = [known.blocks, known.bytes, known.gross()];
        let row = known.into_iter().chain([forgotten.bytes, forgotten.gross()]).map(|number| number.to_string());
        table.row(std::iter::once(name.to_owned()).chain(row));
    }
    print!("{table}");
    if most > GOAL_BYTES {
        eprintln!("more than {GOAL_BYTES} bytes");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Of one object.
struct Held {
    blocks: usize,
    bytes: usize,
}

impl Held {
    /// What is held now beyond what was held before.
    fn since(before: &dhat::HeapStats) -> Held {
        let now = dhat::HeapStats::get();
        let each = |now: usize, before: usize| now.saturating_sub(before) / (CLUSTERS * OBJECTS);
        Held { blocks: each(now.curr_blocks, before.curr_blocks), bytes: each(now.curr_bytes, before.curr_bytes) }
    }

    fn gross(&self) -> usize {
        self.bytes + self.blocks * BLOCK_BYTES
    }
}

/// What an object holds, before and after the history has forgotten how it came about.
fn measure(baseline: &Arc<Baseline>, writer: Writer) -> [Held; 2] {
    let settings = Settings::default();
    let created: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let cluster = |seed: usize| {
        let identity = Identity { name: format!("edge-{seed:04}").into(), seed: seed as u64, rotation: 0, created };
        let limits =
            Limits { watch_history: settings.watch_history, objects: settings.max_objects, object_bytes: 1 << 20 };
        Cluster::new(identity, baseline.clone(), limits)
    };
    let mut clusters: Vec<Cluster> = (0..CLUSTERS).map(cluster).collect();
    // One that has the bodies already.
    let mut other = [cluster(CLUSTERS)];
    write(&mut other, writer, created);
    let before = dhat::HeapStats::get();
    write(&mut clusters, writer, created);
    let known = Held::since(&before);
    for _ in 0..2 {
        clusters.iter_mut().for_each(Cluster::compact);
    }
    [known, Held::since(&before)]
}

/// Has every object written in every cluster, a second between two requests.
fn write(clusters: &mut [Cluster], writer: Writer, mut now: Timestamp) {
    for (method, target, body) in (0..OBJECTS).flat_map(writer) {
        now += SignedDuration::from_secs(1);
        let mut request = Request::new(method, target);
        request.headers.push("Content-Type", if request.method == Method::Patch { MERGE } else { "application/json" });
        request.body = body.to_string().into_bytes();
        for cluster in &mut *clusters {
            let status = cluster.handle(&request, now).status;
            assert!((200..300).contains(&status), "{status}: {}", request.target);
        }
    }
}

fn config_map(n: usize) -> Vec<(Method, String, Value)> {
    let object = json!({"metadata": {"name": format!("config-{n}"), "labels": {"app": "a"}}, "data": {"key": "value".repeat(20)}});
    vec![(Method::Post, format!("{DEMO}/configmaps"), object)]
}

fn secret(n: usize) -> Vec<(Method, String, Value)> {
    let object = json!({"metadata": {"name": format!("secret-{n}")}, "data": {"token": "dG9rZW5h".repeat(20)}});
    vec![(Method::Post, format!("{DEMO}/secrets"), object)]
}

fn pod_status(n: usize) -> Vec<(Method, String, Value)> {
    let status = json!({"status": {"phase": "Running", "message": "seen", "startTime": "2026-01-01T00:00:00Z"}});
    vec![(Method::Patch, format!("{DEMO}/pods/web-{}/status", n + 1), status)]
}

fn lease(n: usize) -> Vec<(Method, String, Value)> {
    let name = format!("lease-{n}");
    let renewed = |times: usize| {
        let spec = json!({"holderIdentity": "one", "leaseDurationSeconds": 45, "renewTime": format!("2026-01-01T00:{times:02}:00.000000Z")});
        json!({"metadata": {"name": name}, "spec": spec})
    };
    let collection = "/apis/coordination.k8s.io/v1/namespaces/demo/leases";
    let made = (Method::Post, collection.to_owned(), renewed(0));
    let renewals = (1..5).map(|times| (Method::Patch, format!("{collection}/{name}"), renewed(times)));
    std::iter::once(made).chain(renewals).collect()
}

fn event(n: usize) -> Vec<(Method, String, Value)> {
    let object = json!({
        "metadata": {"name": format!("web-{n}.17c0ffee{n:08x}"), "namespace": "demo"},
        "involvedObject": {"kind": "Pod", "namespace": "demo", "name": format!("web-{n}"), "apiVersion": "v1"},
        "reason": "Pulled", "message": "Container image already present on machine", "type": "Normal", "count": 1,
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z", "source": {"component": "kubelet"}
    });
    vec![(Method::Post, format!("{DEMO}/events"), object)]
}

fn baseline() -> Arc<Baseline> {
    let template = template::parse("cluster.yaml", TEMPLATE).expect("a template");
    let variables = template::Variables { kubernetes_version: "v1.31.4", created: "2026-01-01T00:00:00Z" };
    let objects = template.objects(&variables);
    Arc::new(Baseline::compile(Source { objects, ca_pem: "PEM", kubernetes_version: "v1.31.4" }).expect("a baseline"))
}

const KINDS: [(&str, Writer); 5] = [
    ("ConfigMap, created", config_map),
    ("Secret, created", secret),
    ("Pod of the template, status patched", pod_status),
    ("Lease, created and renewed four times", lease),
    ("Event, created", event),
];
const CLUSTERS: usize = 50;
/// Of one kind in each.
const OBJECTS: usize = 20;
/// What an object may ask for once it is no news any more.
const GOAL_BYTES: usize = 400;
/// glibc's malloc: a header of eight, and rounding to sixteen.
const BLOCK_BYTES: usize = 16;
const MERGE: &str = "application/merge-patch+json";
const DEMO: &str = "/api/v1/namespaces/demo";
const TEMPLATE: &str = r#"
nodes:
  - name: node-1
    capacity: {cpu: 64, memory: 256Gi, pods: 250}
pods:
  - name: web-{{index}}
    count: 20
    namespace: demo
    node: node-1
    image: docker.io/library/nginx:1.27
    labels: {app: web}
"#;
