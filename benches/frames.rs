//! What remotedialer frames cost, without websocket and masking: bytes per second where bodies are copied, frames per second
//! where only headers are looked at.
//!
//! `cargo bench --bench frames`

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use scale_cluster_agent::tunnel::{Message, Outbox, Payload, Role, Session, SessionLimits};
use std::hint::black_box;

/// One frame on its own. Writing a full one copies its body; reading borrows it, whatever its size.
fn codec(criterion: &mut Criterion) {
    let full = Throughput::Bytes(FULL_FRAME_BYTES as u64);
    for (name, body_bytes, throughput) in
        [("full frame", FULL_FRAME_BYTES, full), ("small frame", SMALL_FRAME_BYTES, Throughput::Elements(1))]
    {
        let body = vec![0x5a; body_bytes];
        let message = Message { id: i64::from(i32::MAX), connection: 20, payload: Payload::Data(&body) };
        let frame = message.encode();
        let mut group = criterion.benchmark_group(name);
        group.throughput(throughput);
        group.bench_function("encode", |bencher| bencher.iter(|| black_box(&message).encode()));
        group.throughput(Throughput::Elements(1));
        group.bench_function("decode", |bencher| bencher.iter(|| Message::decode(black_box(&frame)).is_ok()));
        group.finish();
    }
}

/// A list of 1 MiB through one of a session's twenty connections, and twenty watches of a small event each.
fn session(criterion: &mut Criterion) {
    let mut server = Session::new(Role::Server, 1, SessionLimits::default());
    let mut agent = Session::new(Role::Agent, 1, SessionLimits::default());
    let mut out = Outbox::new();
    let connections: Vec<_> = (0..WATCHES).map(|_| server.connect("tcp", "10.43.0.1:443", &mut out)).collect();
    for connect in out.drain(..) {
        agent.receive(&connect, &mut Outbox::new()).expect("a Connect of our own is well formed");
    }
    let list = vec![0x5a; LIST_BYTES];
    let event = vec![0x5a; SMALL_FRAME_BYTES];

    let mut group = criterion.benchmark_group("session");
    group.throughput(Throughput::Bytes(LIST_BYTES as u64));
    group.bench_function("send a list", |bencher| {
        bencher.iter_batched_ref(
            Outbox::new,
            |out| agent.send(connections[0], black_box(&list), out),
            BatchSize::LargeInput,
        );
    });
    group.throughput(Throughput::Elements(WATCHES));
    group.bench_function("send watch events", |bencher| {
        bencher.iter_batched_ref(
            Outbox::new,
            |out| connections.iter().for_each(|connection| agent.send(*connection, black_box(&event), out)),
            BatchSize::SmallInput,
        );
    });
    let mut frames = Outbox::new();
    connections.iter().for_each(|connection| agent.send(*connection, &event, &mut frames));
    let mut answers = Outbox::new();
    group.bench_function("receive watch events", |bencher| {
        bencher.iter(|| frames.iter().filter(|frame| server.receive(black_box(frame), &mut answers).is_ok()).count());
    });
    group.finish();
    assert!(answers.is_empty(), "every event was for an open connection");
}

criterion_group!(benches, codec, session);
criterion_main!(benches);

/// The largest Data frame that remotedialer sends.
const FULL_FRAME_BYTES: usize = 32 * 1024;
/// A bookmark, or a request without body, with its TLS record around it.
const SMALL_FRAME_BYTES: usize = 256;
/// About 200 pods.
const LIST_BYTES: usize = 1024 * 1024;
/// What Rancher holds open per cluster.
const WATCHES: u64 = 20;
