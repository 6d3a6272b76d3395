//! Where an agent's heap goes: what holds it at its fullest moment, per cluster.
//!
//! The agent runs in this very program, under an allocator that notes who asked for every block, so it is slow and its process larger
//! than what is reported: bytes are those that were asked for.
//!
//! `cargo bench --bench heap -- --clusters 300 --load explorer`

use clap::Parser;
use scale_cluster_agent::ramp::{InFlightUntil, Spec};
use scale_cluster_agent::rehearsal::{Behaviour, Options, Profile, Rehearsal};
use scale_cluster_agent::remote::Plan;
use scale_cluster_agent::report::{Column, Outcome, Table, bytes, count};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Brings up N clusters under a load and says what their memory is for.
#[derive(Debug, Parser)]
struct Args {
    /// How many clusters.
    #[arg(long, default_value_t = 300)]
    clusters: u32,
    /// Which load, by the name of its profile.
    #[arg(long, default_value = "explorer")]
    load: String,
    /// How long they are held under it, in seconds.
    #[arg(long, default_value_t = 20)]
    hold_seconds: u64,
    /// How many holders are shown.
    #[arg(long, default_value_t = 25)]
    top: usize,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    // The rehearsal starts this program once more, as the agent: run --home FOLDER.
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if words.first().is_some_and(|word| word == "run") {
        let home = words.iter().skip_while(|word| *word != "--home").nth(1);
        let file = home.map_or(PROFILE_FILE.into(), |home| Path::new(home).join(PROFILE_FILE));
        let _profiler = dhat::Profiler::builder().file_name(file).trim_backtraces(Some(FRAMES)).build();
        return scale_cluster_agent::cli::main();
    }
    match measure(&Args::parse()) {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<Table, Box<dyn Error>> {
    // Two sockets per cluster on either side; a limit that stays too low shows up as failures.
    let _ = rlimit::increase_nofile_limit(2 * u64::from(args.clusters) + 200);
    let options = Options {
        agent: std::env::current_exe()?,
        plan: Plan::of(Spec {
            prefix: "heap-".into(),
            clusters: args.clusters,
            max_in_flight: Some(8),
            in_flight_until: InFlightUntil::Created,
            timeout: Duration::from_secs(600),
            ..Spec::default()
        }),
        profile: Profile::named(&args.load).ok_or_else(|| format!("--load: there is no profile {:?}", args.load))?,
        behaviour: Behaviour::immediate(),
        threads: 1,
        template: None,
        settings: vec![("MaxClusters".into(), args.clusters.to_string())],
    };
    // What it holds without clusters is not theirs.
    let without = held(Rehearsal::set(&options)?)?;
    let mut rehearsal = Rehearsal::set(&options)?;
    let run = rehearsal.play(&options.plan, &AtomicBool::new(false), |_| {})?;
    if run.outcome != Outcome::Passed {
        return Err(run.to_string().into());
    }
    sleep(Duration::from_secs(args.hold_seconds));
    let with = held(rehearsal)?;
    Ok(table(&without, &with, args))
}

/// Stops the agent, which makes it write its profile; bytes by holder.
fn held(mut rehearsal: Rehearsal) -> Result<BTreeMap<String, i64>, Box<dyn Error>> {
    rehearsal.agent.stop();
    let text = std::fs::read(rehearsal.agent.home().join(PROFILE_FILE))?;
    let profile: HeapProfile = serde_json::from_slice(&text)?;
    let mut held = BTreeMap::new();
    for point in &profile.points {
        let frames = point.frames.iter().filter_map(|&index| profile.frames.get(index)).map(|frame| function(frame));
        *held.entry(holder(frames)).or_default() += point.bytes_at_fullest;
    }
    Ok(held)
}

/// `0x5581: crate::module::Type::function (file.rs:1:2)` without its address, its place and what generics add.
fn function(frame: &str) -> &str {
    let name = frame.split_once(": ").map_or(frame, |(_, name)| name);
    let name = name.split(" (").next().unwrap_or(name);
    name.trim_start_matches(['<', '&'])
}

/// The module of ours that asked, and the library that it asked through.
fn holder<'a>(frames: impl Iterator<Item = &'a str>) -> String {
    let mut library = None;
    for name in frames {
        let mut path = name.split("::");
        match path.next() {
            Some("scale_cluster_agent") => {
                let is_module = |part: &&str| part.starts_with(|first: char| first.is_ascii_lowercase());
                let module: Vec<&str> = path.take_while(|part| is_module(&part)).take(2).collect();
                let module = module.join("::");
                return library.map_or(module.clone(), |library| format!("{module}, by {library}"));
            }
            Some(root) if library.is_none() && LIBRARIES.contains(&root) => library = Some(root.to_owned()),
            _ => {}
        }
    }
    library.unwrap_or_else(|| "threads and the standard library".into())
}

fn table(without: &BTreeMap<String, i64>, with: &BTreeMap<String, i64>, args: &Args) -> Table {
    let each = |bytes: i64| bytes / i64::from(args.clusters.max(1));
    let mut holders: Vec<(&str, i64)> =
        with.iter().map(|(name, bytes)| (name.as_str(), bytes - without.get(name).unwrap_or(&0))).collect();
    holders.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let all: i64 = holders.iter().map(|(_, bytes)| bytes).sum();
    let mut table =
        Table::new([("held by", Column::Left), ("bytes a cluster", Column::Right), ("share", Column::Right)]);
    let mut row = |name: &str, held: i64| {
        table.row([name.to_owned(), bytes(each(held)), format!("{:.1} %", 100.0 * held as f64 / all.max(1) as f64)]);
    };
    for (name, held) in holders.iter().take(args.top) {
        row(name, *held);
    }
    row("others", holders.iter().skip(args.top).map(|(_, held)| held).sum());
    row(&format!("all, of {} clusters under {}", count(args.clusters.into()), args.load), all);
    table
}

/// What dhat writes, as far as it matters here.
#[derive(Deserialize)]
struct HeapProfile {
    #[serde(rename = "pps")]
    points: Vec<Point>,
    #[serde(rename = "ftbl")]
    frames: Vec<String>,
}

/// A place that asks for memory.
#[derive(Deserialize)]
struct Point {
    /// Of its blocks that were alive when the heap was at its fullest.
    #[serde(rename = "gb")]
    bytes_at_fullest: i64,
    /// Innermost first.
    #[serde(rename = "fs")]
    frames: Vec<usize>,
}

const PROFILE_FILE: &str = "heap.json";
/// Deep enough for a handshake in rustls that a socket's readiness brought about.
const FRAMES: usize = 60;
/// Those whose memory is worth telling from that of the module that uses them.
const LIBRARIES: [&str; 6] = ["rustls", "tungstenite", "mio", "redb", "httparse", "serde_json"];
