//! What a cluster that lists 50 MB again and again does to its neighbours on the same worker.
//!
//! `cargo bench --bench fairness -- --bytes-per-turn 32768`

use clap::Parser;
use scale_cluster_agent::ramp::{InFlightUntil, Spec};
use scale_cluster_agent::rehearsal::{Behaviour, Options, Profile, Rehearsal};
use scale_cluster_agent::remote::{Client, ClientError, Plan};
use scale_cluster_agent::report::{Column, Table, duration};
use scale_cluster_agent::telemetry::Latency;
use serde_json::{Value, json};
use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Every cluster is asked for one object, and for all its pods, each second.
const PROFILE: &str = "
name: fairness
extends: idle
probes:
  - {tunnel: api, path: /api/v1/namespaces/kube-system, every_seconds: 1}
  - {tunnel: api, path: /api/v1/pods, every_seconds: 1}
";

/// 25,000 pods: about 50 MB of list.
const HUGE: &str = "
nodes: [{name: \"{{cluster-name}}-{{index}}\", count: 250, roles: [worker], capacity: {cpu: 64, memory: 256Gi, pods: 110}}]
deployments: [{name: \"service-{{index}}\", count: 250, replicas: 100, namespace: default, image: registry.example.com/service:1}]
";

/// Measures GETs of 200 clusters without and with one more that lists without end.
#[derive(Debug, Parser)]
struct Args {
    /// The setting BytesPerTurn; the agent's own default if not given.
    #[arg(long)]
    bytes_per_turn: Option<u32>,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let _ = rlimit::increase_nofile_limit(2 * u64::from(CLUSTERS) + 200);
    let options = Options {
        agent: PathBuf::from(env!("CARGO_BIN_EXE_scale-cluster-agent")),
        plan: Plan::of(Spec {
            prefix: "fair-".into(),
            clusters: CLUSTERS,
            max_in_flight: Some(16),
            in_flight_until: InFlightUntil::Created,
            ..Spec::default()
        }),
        profile: Profile::from_yaml(PROFILE)?,
        behaviour: Behaviour::immediate(),
        // The stand-in shares the host and has to be fair itself: the large cluster keeps one of these busy.
        threads: 4,
        template: None,
        settings: std::iter::once(("Workers".into(), "1".into()))
            .chain(args.bytes_per_turn.map(|bytes| ("BytesPerTurn".into(), bytes.to_string())))
            .collect(),
    };
    let mut rehearsal = Rehearsal::set(&options)?;
    rehearsal.agent.stop();
    let templates = rehearsal.agent.home().join("templates");
    std::fs::create_dir_all(&templates)?;
    std::fs::write(templates.join("huge.yaml"), HUGE)?;
    rehearsal.agent.start_again()?;
    rehearsal.client = Client::new(&rehearsal.agent.url);
    rehearsal.play(&options.plan, &AtomicBool::new(false), |_| {})?;
    let mut table = Table::new([
        ("neighbours", Column::Left),
        ("GETs", Column::Right),
        ("p50", Column::Right),
        ("p99", Column::Right),
    ]);
    let mut row = |title: String, answers: &Latency| {
        let time = |quantile| duration(Duration::from_micros(answers.quantile_us(quantile)));
        table.row([title, answers.count().to_string(), time(0.5), time(0.99)]);
        answers.quantile_us(0.99) as f64
    };
    let alone = measure(&rehearsal);
    let before = row("all alike".into(), &alone);
    let huge = json!({ "name": "huge", "template": "huge" });
    let _: Value = rehearsal.client.call("POST", "/clusters", Some(&huge))?;
    await_first_list(&rehearsal)?;
    let (sent, began) = (sent_bytes(&rehearsal)?, Instant::now());
    let beside = measure(&rehearsal);
    let rate = (sent_bytes(&rehearsal)? - sent) as f64 / began.elapsed().as_secs_f64();
    let after = row(format!("one more is sent {:.0} MB/s of lists", rate / 1e6), &beside);
    print!("{table}");
    println!("p99 beside it over p99 without: {:.2}", after / before);
    Ok(())
}

fn measure(rehearsal: &Rehearsal) -> Latency {
    rehearsal.stand_in.fleet.seen.take_answers();
    sleep(WINDOW);
    rehearsal.stand_in.fleet.seen.take_answers()
}

fn await_first_list(rehearsal: &Rehearsal) -> Result<(), ClientError> {
    let begin = Instant::now();
    while sent_bytes(rehearsal)? < LIST_BYTES && begin.elapsed() < WINDOW {
        sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn sent_bytes(rehearsal: &Rehearsal) -> Result<u64, ClientError> {
    let requests: Value = rehearsal.client.call("GET", "/clusters/huge/requests", None)?;
    Ok(requests["sentBytes"].as_u64().unwrap_or_default())
}

const CLUSTERS: u32 = 200;
/// At least so long is the list of its pods.
const LIST_BYTES: u64 = 30_000_000;
const WINDOW: Duration = Duration::from_secs(30);
