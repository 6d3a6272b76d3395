//! Where an agent's heap goes: which files of `src` asked for what it holds, per cluster.
//!
//! The agent runs in this very program, under an allocator that notes who asked for every block, so it is slow and its process larger
//! than what is reported: bytes are those that were asked for.
//!
//! `cargo bench --bench heap -- --clusters 50 --load explorer`

use clap::Parser;
use scale_cluster_agent::ramp::{InFlightUntil, Spec};
use scale_cluster_agent::rehearsal::{Behaviour, Options, Profile, Rehearsal};
use scale_cluster_agent::remote::Plan;
use scale_cluster_agent::report::{Column, Outcome, Table, bytes, count};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Brings up N clusters under a load and says what their memory is for.
#[derive(Debug, Parser)]
struct Args {
    /// How many clusters.
    #[arg(long, default_value_t = 50)]
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
    /// Tells lines of files apart.
    #[arg(long)]
    lines: bool,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    // The rehearsal starts this program once more, as the agent: run --home FOLDER.
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if words.first().is_some_and(|word| word == "run") {
        let home = words.iter().skip_while(|word| *word != "--home").nth(1);
        profile_on_demand(home.map_or(PathBuf::from("."), PathBuf::from));
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

/// Notes who asks for memory until the parent asks for the profile.
fn profile_on_demand(home: PathBuf) {
    let builder = dhat::Profiler::builder().file_name(home.join(PROFILE_FILE));
    let profiler = builder.trim_backtraces(Some(FRAMES)).build();
    std::thread::spawn(move || {
        while !home.join(DEMAND_FILE).exists() {
            sleep(POLL_INTERVAL);
        }
        drop(profiler);
    });
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
    let without = held(&Rehearsal::set(&options)?, args.lines)?;
    let mut rehearsal = Rehearsal::set(&options)?;
    let run = rehearsal.play(&options.plan, &AtomicBool::new(false), |_| {})?;
    if run.outcome != Outcome::Passed {
        return Err(run.to_string().into());
    }
    sleep(Duration::from_secs(args.hold_seconds));
    let with = held(&rehearsal, args.lines)?;
    Ok(table(&without, &with, args))
}

/// What the agent holds now: bytes by the file that asked for them.
fn held(rehearsal: &Rehearsal, with_lines: bool) -> Result<BTreeMap<String, i64>, Box<dyn Error>> {
    let home = rehearsal.agent.home();
    std::fs::write(home.join(DEMAND_FILE), "")?;
    let begin = Instant::now();
    let profile: HeapProfile = loop {
        // Half-written JSON is none.
        let written = std::fs::read(home.join(PROFILE_FILE)).map(|text| serde_json::from_slice(&text));
        match written {
            Ok(Ok(profile)) => break profile,
            _ if begin.elapsed() > PATIENCE => return Err("the agent wrote no profile".into()),
            _ => sleep(POLL_INTERVAL),
        }
    };
    let mut held = BTreeMap::new();
    for point in &profile.points {
        let frames = point.frames.iter().filter_map(|&index| profile.frames.get(index));
        let place = frames.filter_map(|frame| place_of_ours(frame, with_lines)).next();
        *held.entry(place.unwrap_or_else(|| "threads and libraries".into())).or_default() += point.bytes;
    }
    Ok(held)
}

/// The path in `src` of a frame such as `0x5581: function (engine/member/suffering.rs:1:2)`, if it is of this program. dhat leaves of
/// every path the last three parts.
fn place_of_ours(frame: &str, with_line: bool) -> Option<String> {
    let (_, place) = frame.rsplit_once('(')?;
    let mut parts = place.split(':');
    let (file, line) = (parts.next()?, parts.next()?);
    let file = file.strip_prefix("src/").unwrap_or(file);
    let is_ours = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).join(file).is_file();
    is_ours.then(|| if with_line { format!("{file}:{line}") } else { file.to_owned() })
}

fn table(without: &BTreeMap<String, i64>, with: &BTreeMap<String, i64>, args: &Args) -> Table {
    let each = |bytes: i64| bytes / i64::from(args.clusters.max(1));
    let mut holders: Vec<(&str, i64, i64)> = with
        .iter()
        .map(|(name, &bytes)| {
            let base = without.get(name).copied().unwrap_or_default();
            (name.as_str(), bytes - base, base)
        })
        .collect();
    holders.sort_by_key(|(_, more, base)| (std::cmp::Reverse(*more), std::cmp::Reverse(*base)));
    let sum = |holders: &[(&str, i64, i64)]| {
        holders.iter().fold((0, 0), |(more, base), holder| (more + holder.1, base + holder.2))
    };
    let all = sum(&holders);
    let mut table = Table::new([
        ("held by", Column::Left),
        ("a cluster", Column::Right),
        ("share", Column::Right),
        ("without any", Column::Right),
    ]);
    let mut row = |name: &str, (more, base): (i64, i64)| {
        let share = format!("{:.1} %", 100.0 * more as f64 / all.0.max(1) as f64);
        table.row([name.to_owned(), bytes(each(more)), share, bytes(base)]);
    };
    let (shown, others) = holders.split_at(args.top.min(holders.len()));
    for (name, more, base) in shown {
        row(name, (*more, *base));
    }
    row("others", sum(others));
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
    /// Of its blocks that are alive.
    #[serde(rename = "eb")]
    bytes: i64,
    /// Innermost first.
    #[serde(rename = "fs")]
    frames: Vec<usize>,
}

const PROFILE_FILE: &str = "heap.json";
/// Its appearance asks for the profile.
const DEMAND_FILE: &str = "heap.now";
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Names for every frame are looked up then.
const PATIENCE: Duration = Duration::from_secs(120);
/// Deep enough for what rustls allocates in a handshake.
const FRAMES: usize = 40;
