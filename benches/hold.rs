//! What it costs to hold N clusters: the agent in a process of its own, the stand-in for Rancher in this one.
//!
//! `cargo bench --bench hold -- --clusters 100,1000 --hold 30s --output json`

use clap::{Parser, ValueEnum};
use scale_cluster_agent::ramp::{InFlightUntil, Spec};
use scale_cluster_agent::rehearsal::{Behaviour, Options, Profile, rehearse};
use scale_cluster_agent::remote::Plan;
use scale_cluster_agent::report::{Column, Outcome, Run, Table, bytes, count};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Brings up N clusters, holds them, and reports what each cost.
#[derive(Debug, Parser)]
struct Args {
    /// How many clusters; one run for each number.
    #[arg(long, value_delimiter = ',', default_value = "100,1000,3000")]
    clusters: Vec<u32>,
    /// Which loads; one run for each.
    #[arg(long, value_delimiter = ',', default_value = "idle,rancher")]
    profiles: Vec<Load>,
    /// How long the clusters are held, in seconds.
    #[arg(long, default_value_t = 30)]
    hold_seconds: u64,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Load {
    /// Both tunnels and the periodic probes.
    Idle,
    /// What Rancher does to an imported cluster.
    Rancher,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let most = args.clusters.iter().copied().max().unwrap_or_default();
    // Two sockets per cluster on either side; a limit that stays too low shows up as failures.
    let _ = rlimit::increase_nofile_limit(2 * u64::from(most) + 100);
    let mut summaries = Vec::new();
    for &clusters in &args.clusters {
        for &load in &args.profiles {
            match run(clusters, load, Duration::from_secs(args.hold_seconds)) {
                Ok(summary) => summaries.push(summary),
                Err(error) => {
                    eprintln!("error: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    match args.output {
        Output::Text => print!("{}", table(&summaries)),
        Output::Json => println!("{}", serde_json::to_string_pretty(&summaries).unwrap_or_default()),
    }
    for failed in summaries.iter().filter(|summary| summary.outcome != Outcome::Passed) {
        eprintln!("\n{failed}");
    }
    if summaries.iter().all(|summary| summary.outcome == Outcome::Passed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(clusters: u32, load: Load, hold: Duration) -> Result<Run, Box<dyn std::error::Error>> {
    let profile = match load {
        Load::Idle => Profile::idle(),
        Load::Rancher => Profile::rancher(),
    };
    eprintln!("{} clusters, profile {}", count(clusters.into()), profile.name);
    let options = Options {
        agent: PathBuf::from(env!("CARGO_BIN_EXE_scale-cluster-agent")),
        plan: Plan::of(Spec {
            prefix: "hold-".into(),
            width: 5,
            clusters,
            max_in_flight: Some(IN_FLIGHT),
            in_flight_until: InFlightUntil::Created,
            timeout: TIMEOUT,
            hold,
            ..Spec::default()
        }),
        profile,
        // What Rancher takes its time for would hide what the agent does.
        behaviour: Behaviour::immediate(),
        threads: 1,
        template: None,
        settings: vec![("RegistrationParallelism".into(), IN_FLIGHT.to_string())],
    };
    Ok(rehearse(&options, &AtomicBool::new(false), |_| {})?)
}

fn table(summaries: &[Run]) -> Table {
    let mut table = Table::new([
        ("clusters", Column::Right),
        ("profile", Column::Left),
        ("up, clusters/s", Column::Right),
        ("RSS per cluster", Column::Right),
        ("PSS per cluster", Column::Right),
        ("CPU per cluster up", Column::Right),
        ("CPU to hold, % of a core", Column::Right),
        ("watch events/s", Column::Right),
        ("tunnels lost", Column::Right),
    ]);
    for summary in summaries {
        let hold = summary.hold.as_ref();
        let or_unknown = |figure: Option<String>| figure.unwrap_or_else(|| "unknown".to_owned());
        table.row([
            count(summary.figures.active),
            summary.profile.clone().unwrap_or_default(),
            format!("{:.0}", summary.figures.clusters_per_second),
            or_unknown(summary.memory.map(|memory| bytes(memory.rss_per_cluster))),
            or_unknown(summary.memory.map(|memory| bytes(memory.pss_per_cluster))),
            or_unknown(
                summary.cpu.map(|cpu| format!("{:.2} ms", 1e3 * cpu.seconds / summary.figures.active.max(1) as f64)),
            ),
            or_unknown(hold.and_then(|hold| hold.cpu).map(|cpu| format!("{:.1}", cpu.percent_of_core))),
            or_unknown(hold.map(|hold| format!("{:.0}", hold.watch_events as f64 / hold.seconds))),
            or_unknown(hold.map(|hold| count(hold.tunnels_lost))),
        ]);
    }
    table
}

const IN_FLIGHT: u32 = 16;
/// The largest run on two cores takes a tenth of this.
const TIMEOUT: Duration = Duration::from_secs(600);
