//! What one cluster costs its worker: GET by name, LIST of 1,000 pods, an event to 20 watches, PATCH.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use scale_cluster_agent::http1::{Method, Request};
use scale_cluster_agent::kube::{Baseline, Body, Cluster, Heartbeat, Identity, Limits, Progress, Source, Streaming};
use scale_cluster_agent::telemetry::{self, Recorder, Tally};
use scale_cluster_agent::template;
use std::hint::black_box;
use std::sync::{Arc, LazyLock};

fn get(criterion: &mut Criterion) {
    let mut cluster = cluster();
    let request = Request::new(Method::Get, "/api/v1/namespaces/demo/pods/web-500");
    assert_eq!(answer(&mut cluster, &request).0, 200);
    criterion.bench_function("get one of 1,000 pods", |b| b.iter(|| answer(&mut cluster, black_box(&request)).1));
}

fn list(criterion: &mut Criterion) {
    let mut cluster = cluster();
    let mut group = criterion.benchmark_group("list 1,000 pods");
    for (name, query) in [
        ("whole", ""),
        ("by label", "?labelSelector=app%3Dweb"),
        ("by field", "?fieldSelector=spec.nodeName%3Dbench-0000-1"),
    ] {
        let request = Request::new(Method::Get, format!("/api/v1/pods{query}"));
        let (status, bytes) = answer(&mut cluster, &request);
        assert_eq!(status, 200);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |b| b.iter(|| answer(&mut cluster, black_box(&request)).1));
    }
    // As Go's clients ask: the bytes of the whole list, and the time to pack them.
    let mut request = Request::new(Method::Get, "/api/v1/pods");
    let (_, bytes) = answer(&mut cluster, &request);
    request.headers.push("Accept-Encoding", "gzip");
    let (status, packed) = answer(&mut cluster, &request);
    assert_eq!(status, 200);
    println!("a list of {bytes} bytes is packed into {packed}");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("packed", |b| b.iter(|| answer(&mut cluster, black_box(&request)).1));
    group.finish();
}

fn watch(criterion: &mut Criterion) {
    let mut cluster = cluster();
    let target = format!("/api/v1/configmaps?watch=true&resourceVersion={}", cluster.revision());
    let mut watches: Vec<Streaming> = (0..20).map(|_| open(&mut cluster, &target)).collect();
    let mut n = 0_u64;
    criterion.bench_function("one event to 20 watches", |b| {
        b.iter(|| {
            n += 1;
            let patch = patch_request("/api/v1/namespaces/demo/configmaps/greeting", n);
            assert_eq!(answer(&mut cluster, &patch).0, 200);
            let mut out = Vec::new();
            for watch in &mut watches {
                while watch.poll(&cluster, now(), &mut out, PIECE_BYTES) == Progress::More {}
            }
            assert!(out.len() > watches.len() * 100);
            out.len()
        });
    });
}

fn patch(criterion: &mut Criterion) {
    let mut n = 0_u64;
    let mut cluster = cluster();
    criterion.bench_function("merge-patch a pod", |b| {
        b.iter_batched(
            || {
                n += 1;
                patch_request("/api/v1/namespaces/demo/pods/web-500", n)
            },
            |request| assert_eq!(answer(&mut cluster, &request).0, 200),
            BatchSize::SmallInput,
        );
    });
}

/// What counting a request adds to answering it.
fn record(criterion: &mut Criterion) {
    let mut cluster = cluster();
    let request = Request::new(Method::Get, "/api/v1/namespaces/demo/pods/web-500");
    let (response, subject) = cluster.serve(&request, now());
    let (mut recorder, mut tally) = (Recorder::default(), Tally::default());
    criterion.bench_function("count a request", |b| {
        b.iter(|| {
            let counted = telemetry::Request {
                verb: subject.verb(),
                resource: black_box(&subject),
                code: response.status,
                is_watch: false,
                user_agent: "rancher/v2.12.1 (linux/amd64) kubernetes/$Format cluster c-m-abcdefgh",
                received_bytes: 0,
            };
            let recorded = recorder.begin(&mut tally, &counted, now());
            recorder.sent(&mut tally, recorded, 1_000);
            recorder.end(&mut tally, recorded, 20);
        });
    });
}

/// No time, but bytes: what a cluster holds beside what it shares with the others.
fn memory(_: &mut Criterion) {
    let mut one = cluster();
    println!("bytes of a fresh cluster: {}", one.size_bytes());
    for _ in 0..1000 {
        one.report(Heartbeat::LeasesAndNodes, now());
    }
    println!("bytes after 1,000 reports of 10 nodes: {}", one.size_bytes());

    // Rancher writes nearly the same into every cluster.
    let mut fleet: Vec<Cluster> = (0..FLEET).map(named).collect();
    let (fresh, before) = (fleet[0].size_bytes(), resident_bytes());
    for cluster in &mut fleet {
        for n in 0..WRITES {
            let target = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/u-{n}");
            let mut request = Request::new(Method::Put, target);
            request.body = format!(
                r#"{{"metadata":{{"name":"u-{n}"}},"rules":[{{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}}]}}"#
            )
            .into_bytes();
            assert_eq!(answer(cluster, &request).0, 201);
        }
    }
    let each = (fleet[0].size_bytes() - fresh) / WRITES;
    let resident = resident_bytes().saturating_sub(before) / (FLEET * WRITES);
    println!(
        "bytes of a written object beside its shared body: {each}; resident, with its event in the history: {resident}"
    );
    assert!(each <= 400, "the goal is 400 bytes");

    // The same, applied: with the owners of every field.
    let fresh = fleet[0].size_bytes();
    for cluster in &mut fleet {
        for n in 0..WRITES {
            let target = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/a-{n}?fieldManager=fleet");
            let mut request = Request::new(Method::Patch, target);
            request.headers.push("Content-Type", "application/apply-patch+yaml");
            request.body = format!(
                r#"{{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{{"name":"a-{n}"}},"rules":[{{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}}]}}"#
            )
            .into_bytes();
            assert_eq!(answer(cluster, &request).0, 201);
        }
    }
    let each = (fleet[0].size_bytes() - fresh) / WRITES;
    println!("bytes of an applied object beside its shared body: {each}");
    assert!(each <= 400, "the goal is 400 bytes");

    // What an agent's own import brings: a deployment that comes up, with its set, its pod, its service and what is told of them.
    let (fresh, before) = (fleet[0].size_bytes(), resident_bytes());
    for cluster in &mut fleet {
        for (target, body) in
            [("/apis/apps/v1/namespaces/demo/deployments", DEPLOYMENT), ("/api/v1/namespaces/demo/services", SERVICE)]
        {
            let mut request = Request::new(Method::Post, target);
            request.body = body.as_bytes().to_vec();
            assert_eq!(answer(cluster, &request).0, 201);
        }
        (1..10).for_each(|second| cluster.wake(now() + SignedDuration::from_secs(second)));
    }
    let each = fleet[0].size_bytes() - fresh;
    let resident = resident_bytes().saturating_sub(before) / FLEET;
    println!(
        "bytes of a deployment of one pod that came up: {each}; resident, with what the history holds of it: {resident}"
    );
}

/// What the process has in memory.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// Status and length of the answer to a request, read to its end.
fn answer(cluster: &mut Cluster, request: &Request) -> (u16, usize) {
    let response = cluster.handle(request, now());
    let length = match response.body {
        Body::Bytes(bytes) => bytes.len(),
        Body::Shared(bytes) => bytes.len(),
        Body::Streaming(mut streaming) => {
            let mut length = 0;
            loop {
                // A piece at a time, as the engine does.
                let mut out = Vec::new();
                let progress = streaming.poll(cluster, now(), &mut out, PIECE_BYTES);
                length += black_box(out).len();
                if progress == Progress::Done {
                    break length;
                }
            }
        }
    };
    (response.status, length)
}

fn open(cluster: &mut Cluster, target: &str) -> Streaming {
    match cluster.handle(&Request::new(Method::Get, target), now()).body {
        Body::Streaming(streaming) => streaming,
        other => panic!("{target} is no watch: {other:?}"),
    }
}

fn patch_request(target: &str, n: u64) -> Request {
    let mut request = Request::new(Method::Patch, target);
    request.headers.push("Content-Type", "application/merge-patch+json");
    request.body = format!(r#"{{"metadata":{{"annotations":{{"n":"{n}"}}}}}}"#).into_bytes();
    request
}

fn cluster() -> Cluster {
    named(0)
}

/// One of many clusters of one template.
fn named(number: usize) -> Cluster {
    let identity =
        Identity { name: format!("bench-{number:04}").into(), seed: number as u64, rotation: 0, created: now() };
    let limits = Limits { watch_history: 512, objects: 1000, object_bytes: 1 << 20 };
    Cluster::new(identity, BASELINE.clone(), limits)
}

static BASELINE: LazyLock<Arc<Baseline>> = LazyLock::new(|| {
    let template = template::parse("bench.yaml", TEMPLATE).expect("the template below is valid");
    let variables = template::Variables { kubernetes_version: "v1.31.4", created: "2026-01-02T03:04:05Z" };
    let source = Source { objects: template.objects(&variables), ca_pem: "", kubernetes_version: "v1.31.4" };
    Arc::new(Baseline::compile(source).expect("the template below is consistent"))
});

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// Clusters that are measured together.
const FLEET: usize = 100;
/// Objects that each of them is given.
const WRITES: usize = 30;
const DEPLOYMENT: &str = r#"{"metadata":{"name":"agent"},"spec":{"selector":{"matchLabels":{"app":"agent"}},"template":{"metadata":{"labels":{"app":"agent"}},"spec":{"containers":[{"name":"agent","image":"rancher/rancher-agent:v2.12.1","env":[{"name":"CATTLE_SERVER","value":"https://rancher.example.com"}]}]}}}}"#;
const SERVICE: &str = r#"{"metadata":{"name":"agent"},"spec":{"selector":{"app":"agent"},"ports":[{"port":80}]}}"#;
/// What the engine polls with: one TLS record.
const PIECE_BYTES: usize = 16 * 1024;
const TEMPLATE: &str = r#"
nodes:
  - name: "{{cluster-name}}-{{index}}"
    count: 10
    capacity: {cpu: 64, memory: 256Gi, pods: 250}
pods:
  - name: web-{{index}}
    count: 1000
    namespace: demo
    image: docker.io/library/nginx:1.27
    labels: {app: web}
    requests: {cpu: 100m, memory: 64Mi}
configmaps:
  - name: greeting
    namespace: demo
    data: {greeting: "Hello from {{cluster-name}}"}
"#;

// Memory first: later it would be that of the others, freed and used again.
criterion_group!(benches, memory, get, list, watch, patch, record);
criterion_main!(benches);
