//! What a fleet costs: the agent in a process of its own, the stand-in for Rancher in this one, and the same clusters held by a
//! client on the real remotedialer library beside it, so that ratios are of one machine and one moment.
//!
//! `cargo bench --bench fleet -- --clusters 1000,3000 --loads idle,rancher --output json`

use clap::{Parser, ValueEnum};
use scale_cluster_agent::ramp::{InFlightUntil, Spec};
use scale_cluster_agent::rehearsal::{
    Behaviour, Fleet, Options, Profile, Rehearsal, RehearsalError, StandIn, StandInOptions,
};
use scale_cluster_agent::remote::{Client, Plan};
use scale_cluster_agent::report::{Column, Outcome, Table, bytes, count, duration};
use scale_cluster_agent::telemetry::{Latency, Usage};
use serde::Serialize;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Brings up N clusters, holds them, lets the server and the agent restart, and reports what each of it cost.
#[derive(Debug, Parser)]
struct Args {
    /// How many clusters; one run for each number.
    #[arg(long, value_delimiter = ',', default_value = "1000,3000,10000")]
    clusters: Vec<u32>,
    /// Which loads, by the name of their profile or its file; one run for each.
    #[arg(long, value_delimiter = ',', default_value = "idle,explorer,storm")]
    loads: Vec<String>,
    /// How long the clusters are held, in seconds.
    #[arg(long, default_value_t = 30)]
    hold_seconds: u64,
    /// Into how many windows that time is divided, to tell growth and drift; the first one is the baseline.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    windows: u32,
    /// How long the server is away, in seconds; 0 leaves out both restarts.
    #[arg(long, default_value_t = 10)]
    outage_seconds: u64,
    /// Who holds them; the reference needs Go.
    #[arg(long, value_delimiter = ',', default_value = "agent,reference")]
    holders: Vec<Holder>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Holder {
    Agent,
    Reference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// One run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    clusters: u32,
    load: String,
    holder: Holder,
    active: usize,
    clusters_per_second: f64,
    cpu_ms_per_cluster_up: f64,
    #[serde(flatten)]
    memory: Memory,
    hold: Hold,
    after_outage: Option<Return>,
    restart: Option<Restart>,
}

/// What a holder took before its first cluster, and for each of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    base_rss_bytes: u64,
    rss_bytes_per_cluster: i64,
    pss_bytes_per_cluster: i64,
    /// Kernel memory of the sockets of both ends.
    socket_bytes_per_cluster: i64,
}

/// Time with nothing new.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Hold {
    #[serde(flatten)]
    whole: Window,
    windows: Vec<Window>,
}

/// A stretch of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Window {
    seconds: f64,
    cpu_percent_of_core: f64,
    /// Through the loopback device, whatever else uses it included.
    wire_bytes_per_second: f64,
    /// At its end.
    rss_bytes: u64,
    tunnels_lost: u64,
    /// Of the requests that the load repeats through the Kubernetes tunnel, in milliseconds.
    answers: Latency,
}

/// The server was killed and came back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Return {
    /// From its return until every cluster is Active.
    seconds: Option<f64>,
    most_accepted_per_second: f64,
    accepted: u64,
}

/// The agent was stopped and started again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Restart {
    drain_seconds: f64,
    /// From the start of the process until its REST API listens, its records loaded.
    load_seconds: f64,
    /// From then until every cluster is Active.
    active_seconds: Option<f64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let most = args.clusters.iter().copied().max().unwrap_or_default();
    // Two sockets per cluster on either side; a limit that stays too low shows up as failures.
    let _ = rlimit::increase_nofile_limit(2 * u64::from(most) + 200);
    let mut rows = Vec::new();
    let reference = args.holders.contains(&Holder::Reference).then(build_reference).transpose();
    let reference = reference.unwrap_or_else(|error| {
        eprintln!("without the reference: {error}");
        None
    });
    for &clusters in &args.clusters {
        for load in &args.loads {
            for &holder in &args.holders {
                let profile = match Profile::read(load) {
                    Ok(profile) => profile,
                    Err(error) => {
                        eprintln!("error: --loads: {error}");
                        return ExitCode::from(2);
                    }
                };
                eprintln!("{} clusters, load {load}, {holder:?}", count(clusters.into()));
                let row = match (holder, &reference) {
                    (Holder::Agent, _) => with_agent(&args, clusters, profile),
                    (Holder::Reference, Some(program)) => with_reference(&args, clusters, profile, program.path()),
                    (Holder::Reference, None) => continue,
                };
                match row {
                    Ok(row) => rows.push(row),
                    Err(error) => {
                        eprintln!("error: {error}");
                        return ExitCode::FAILURE;
                    }
                }
            }
        }
    }
    match args.output {
        Output::Text => {
            print!("{}\n{}\n{}", costs(&rows), survival(&rows), ratios(&rows));
            if args.windows > 1 {
                print!("\n{}", drift(&rows));
            }
        }
        Output::Json => println!("{}", serde_json::to_string_pretty(&rows).unwrap_or_default()),
    }
    if rows.iter().all(|row| row.active == row.clusters as usize) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn with_agent(args: &Args, clusters: u32, profile: Profile) -> Result<Row, Box<dyn Error>> {
    let load = profile.name.clone();
    let options = Options {
        agent: PathBuf::from(env!("CARGO_BIN_EXE_scale-cluster-agent")),
        plan: Plan::of(Spec {
            prefix: "fleet-".into(),
            width: 5,
            clusters,
            max_in_flight: Some(IN_FLIGHT),
            in_flight_until: InFlightUntil::Created,
            timeout: patience(clusters),
            ..Spec::default()
        }),
        profile,
        // What Rancher takes its time for would hide what the agent does.
        behaviour: Behaviour::immediate(),
        threads: 1,
        template: None,
        settings: vec![
            ("RegistrationParallelism".into(), IN_FLIGHT.to_string()),
            ("MaxClusters".into(), clusters.to_string()),
            ("SourceAddresses".into(), sources(clusters)),
        ],
    };
    let mut rehearsal = Rehearsal::set(&options)?;
    let before = Moment::now(rehearsal.agent.usage());
    let run = rehearsal.play(&options.plan, &AtomicBool::new(false), |_| {})?;
    for failed in [&run].into_iter().filter(|run| run.outcome != Outcome::Passed) {
        eprintln!("\n{failed}");
    }
    let up = Moment::now(rehearsal.agent.usage());
    let fleet = rehearsal.stand_in.fleet.clone();
    let hold = hold(&fleet, args, || rehearsal.agent.usage());
    let mut row = Row {
        clusters,
        load,
        holder: Holder::Agent,
        active: fleet.progress().active,
        clusters_per_second: run.figures.clusters_per_second,
        cpu_ms_per_cluster_up: 1e3 * run.cpu.map_or(0.0, |cpu| cpu.seconds) / f64::from(clusters),
        memory: Memory::between(&before, &up, clusters),
        hold,
        after_outage: None,
        restart: None,
    };
    if args.outage_seconds > 0 {
        row.after_outage = Some(outage(&mut rehearsal.stand_in, args.outage_seconds, clusters)?);
        row.restart = Some(restart(&mut rehearsal, clusters)?);
    }
    Ok(row)
}

fn with_reference(args: &Args, clusters: u32, profile: Profile, program: &Path) -> Result<Row, Box<dyn Error>> {
    let load = profile.name.clone();
    let options = StandInOptions { profile, behaviour: Behaviour::immediate(), threads: 1, seed: 1 };
    let mut stand_in = StandIn::start(options)?;
    let mut reference = Reference::start(program, &stand_in, clusters)?;
    // It holds its prepared bodies from the beginning; nobody can tell when exactly it has read them.
    sleep(START_UP);
    let before = Moment::now(reference.usage());
    reference.begin()?;
    let begin = Instant::now();
    let came = await_active(&stand_in.fleet, clusters);
    let up = Moment::now(reference.usage());
    let cpu = up.usage.zip(before.usage).map_or(Duration::ZERO, |(up, before)| up.cpu.saturating_sub(before.cpu));
    let fleet = stand_in.fleet.clone();
    let hold = hold(&fleet, args, || reference.usage());
    let active = fleet.progress().active;
    let mut row = Row {
        clusters,
        load,
        holder: Holder::Reference,
        active,
        clusters_per_second: active as f64 / came.unwrap_or(begin.elapsed()).as_secs_f64(),
        cpu_ms_per_cluster_up: 1e3 * cpu.as_secs_f64() / f64::from(clusters),
        memory: Memory::between(&before, &up, clusters),
        hold,
        after_outage: None,
        restart: None,
    };
    if args.outage_seconds > 0 {
        row.after_outage = Some(outage(&mut stand_in, args.outage_seconds, clusters)?);
    }
    Ok(row)
}

impl Row {
    /// What every table begins a row with.
    fn title(&self, clusters: u64) -> [String; 3] {
        [count(clusters), self.load.clone(), format!("{:?}", self.holder).to_lowercase()]
    }
}

impl Memory {
    fn between(before: &Moment, up: &Moment, clusters: u32) -> Memory {
        let usage = |of: &Moment| of.usage.unwrap_or(Usage { rss_bytes: 0, pss_bytes: 0, cpu: Duration::ZERO });
        let (from, to) = (usage(before), usage(up));
        let each = |from: u64, to: u64| (to as i64 - from as i64) / i64::from(clusters.max(1));
        Memory {
            base_rss_bytes: from.rss_bytes,
            rss_bytes_per_cluster: each(from.rss_bytes, to.rss_bytes),
            pss_bytes_per_cluster: each(from.pss_bytes, to.pss_bytes),
            socket_bytes_per_cluster: each(before.socket_bytes, up.socket_bytes),
        }
    }
}

/// Lets time pass.
fn hold(fleet: &Fleet, args: &Args, usage: impl Fn() -> Option<Usage>) -> Hold {
    let each = Duration::from_secs(args.hold_seconds) / args.windows;
    fleet.seen.take_answers();
    let first = Moment::now(usage());
    let lost_before = fleet.seen.counts().tunnels_lost;
    let (mut last, mut lost, mut answers) = (first, lost_before, Latency::default());
    let mut windows = Vec::new();
    for _ in 0..args.windows {
        sleep(each);
        let (now, taken, seen) = (Moment::now(usage()), fleet.seen.take_answers(), fleet.seen.counts().tunnels_lost);
        answers.merge(&taken);
        windows.push(Window::between(&last, &now, seen - lost, taken));
        (last, lost) = (now, seen);
        if args.windows > 1 {
            eprint!("\x1b[2K\r  window {} of {}", windows.len(), args.windows);
        }
    }
    if args.windows > 1 {
        eprintln!();
    }
    Hold { whole: Window::between(&first, &last, lost - lost_before, answers), windows }
}

impl Window {
    fn between(begin: &Moment, end: &Moment, tunnels_lost: u64, answers: Latency) -> Window {
        let seconds = end.at.duration_since(begin.at).as_secs_f64();
        let cpu = begin.usage.zip(end.usage).map_or(Duration::ZERO, |(begin, end)| end.cpu.saturating_sub(begin.cpu));
        Window {
            seconds,
            cpu_percent_of_core: 100.0 * cpu.as_secs_f64() / seconds,
            wire_bytes_per_second: (end.wire_bytes - begin.wire_bytes) as f64 / seconds,
            rss_bytes: end.usage.map_or(0, |usage| usage.rss_bytes),
            tunnels_lost,
            answers,
        }
    }
}

/// Kills the server, brings it back, and waits for the fleet.
fn outage(stand_in: &mut StandIn, seconds: u64, clusters: u32) -> Result<Return, Box<dyn Error>> {
    stand_in.go_down();
    sleep(Duration::from_secs(seconds));
    let accepted_before = stand_in.fleet.seen.counts().accepted;
    stand_in.come_back()?;
    let (begin, mut at, mut accepted, mut most) = (Instant::now(), Instant::now(), accepted_before, 0.0_f64);
    let mut came = None;
    while came.is_none() && begin.elapsed() < patience(clusters) {
        sleep(WINDOW);
        let (now, seen) = (Instant::now(), stand_in.fleet.seen.counts().accepted);
        most = most.max((seen - accepted) as f64 / now.duration_since(at).as_secs_f64());
        (at, accepted) = (now, seen);
        came = (stand_in.fleet.progress().active >= clusters as usize).then(|| begin.elapsed().as_secs_f64());
    }
    Ok(Return { seconds: came, most_accepted_per_second: most, accepted: accepted - accepted_before })
}

fn restart(rehearsal: &mut Rehearsal, clusters: u32) -> Result<Restart, RehearsalError> {
    let drained = rehearsal.agent.stop();
    let begin = Instant::now();
    rehearsal.agent.start_again()?;
    let loaded = begin.elapsed();
    rehearsal.client = Client::new(&rehearsal.agent.url);
    Ok(Restart {
        drain_seconds: drained.as_secs_f64(),
        load_seconds: loaded.as_secs_f64(),
        active_seconds: await_active(&rehearsal.stand_in.fleet, clusters).map(|came| came.as_secs_f64()),
    })
}

/// How long it takes until all are Active; none, and a word why, if that takes too long.
fn await_active(fleet: &Fleet, clusters: u32) -> Option<Duration> {
    let begin = Instant::now();
    while begin.elapsed() < patience(clusters) {
        if fleet.progress().active >= clusters as usize {
            return Some(begin.elapsed());
        }
        sleep(WINDOW);
    }
    let mut problems: Vec<_> = fleet.problems().into_iter().collect();
    problems.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    eprintln!("{} of {clusters} are Active; the stand-in complains of:", fleet.progress().active);
    problems.iter().take(PROBLEMS_SHOWN).for_each(|(problem, count)| eprintln!("  {count} x {problem}"));
    None
}

/// As many loopback addresses as the tunnels need ports.
fn sources(clusters: u32) -> String {
    let addresses: Vec<String> =
        (0..=clusters / CLUSTERS_PER_SOURCE).map(|number| format!("127.0.0.{}", 1 + number)).collect();
    addresses.join(", ")
}

/// A fleet that has made no end by then never will.
fn patience(clusters: u32) -> Duration {
    Duration::from_secs(60) + Duration::from_millis(50) * clusters
}

/// The process on the real library. Dropping it ends it.
struct Reference {
    child: Child,
    _files: tempfile::TempDir,
}

/// Compiles it into a folder that goes with the value.
fn build_reference() -> Result<tempfile::TempDir, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("reference");
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg("./reference")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers"))
        .status()?;
    if status.success() { Ok(folder) } else { Err("go build failed".into()) }
}

impl Reference {
    fn start(built: &Path, stand_in: &StandIn, clusters: u32) -> Result<Reference, Box<dyn Error>> {
        let files = tempfile::tempdir()?;
        let (ca, objects) = (files.path().join("ca.pem"), files.path().join("objects.json"));
        fs::write(&ca, &stand_in.ca_pem)?;
        // The very objects that the agent's clusters start with.
        let rendered = Command::new(env!("CARGO_BIN_EXE_scale-cluster-agent"))
            .args(["render", "reference", "--output", "json", "--home"])
            .arg(files.path())
            .output()?;
        fs::write(&objects, rendered.stdout)?;
        let child = Command::new(built.join("reference"))
            .args(["--url", &stand_in.url, "--clusters", &clusters.to_string()])
            .args(["--in-flight", &IN_FLIGHT.to_string()])
            .arg("--ca")
            .arg(&ca)
            .arg("--objects")
            .arg(&objects)
            .env("BEARER", &stand_in.fleet.bearer)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Reference { child, _files: files })
    }

    /// Lets it import its clusters.
    fn begin(&mut self) -> std::io::Result<()> {
        use std::io::Write;
        let stdin = self.child.stdin.as_mut();
        stdin.map_or(Ok(()), |stdin| stdin.write_all(b"\n"))
    }

    fn usage(&self) -> Option<Usage> {
        Usage::of(self.child.id())
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // Both fail only if the process is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was known at one moment.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    usage: Option<Usage>,
    socket_bytes: u64,
    wire_bytes: u64,
}

impl Moment {
    fn now(usage: Option<Usage>) -> Moment {
        let sockets = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
        let tcp = sockets.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
        let pages = tcp.rsplit_once(" mem ").and_then(|(_, pages)| pages.trim().parse::<u64>().ok());
        let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
        let loopback = devices.lines().find_map(|line| line.trim().strip_prefix("lo:")).unwrap_or_default();
        let received = loopback.split_whitespace().next().and_then(|bytes| bytes.parse().ok());
        Moment {
            at: Instant::now(),
            usage,
            socket_bytes: pages.unwrap_or_default() * PAGE_BYTES,
            wire_bytes: received.unwrap_or_default(),
        }
    }
}

fn costs(rows: &[Row]) -> Table {
    let figure = |title| (title, Column::Right);
    let mut table = Table::new([
        figure("clusters"),
        ("load", Column::Left),
        ("held by", Column::Left),
        figure("up/s"),
        figure("CPU each up"),
        figure("RSS each"),
        figure("PSS each"),
        figure("sockets each"),
        figure("without any"),
        figure("CPU to hold"),
        figure("wire"),
        figure("GET p50"),
        figure("p99"),
        figure("lost"),
    ]);
    for row in rows {
        let cells = [
            format!("{:.0}", row.clusters_per_second),
            format!("{:.2} ms", row.cpu_ms_per_cluster_up),
            bytes(row.memory.rss_bytes_per_cluster),
            bytes(row.memory.pss_bytes_per_cluster),
            bytes(row.memory.socket_bytes_per_cluster),
            bytes(row.memory.base_rss_bytes as i64),
            format!("{:.1} %", row.hold.whole.cpu_percent_of_core),
            format!("{}/s", bytes(row.hold.whole.wire_bytes_per_second as i64)),
            micros(row.hold.whole.answers.quantile_us(0.5)),
            micros(row.hold.whole.answers.quantile_us(0.99)),
            count(row.hold.whole.tunnels_lost),
        ];
        table.row(row.title(row.active as u64).into_iter().chain(cells));
    }
    table
}

/// What changed while nothing happened.
fn drift(rows: &[Row]) -> Table {
    let figure = |title| (title, Column::Right);
    let mut table = Table::new([
        figure("clusters"),
        ("load", Column::Left),
        ("held by", Column::Left),
        figure("window"),
        figure("RSS"),
        figure("growth"),
        figure("CPU"),
        figure("GET p50"),
        figure("p99"),
        figure("lost"),
    ]);
    for row in rows.iter().filter(|row| row.hold.windows.len() > 1) {
        let baseline = row.hold.windows[0].rss_bytes as f64;
        for (index, window) in row.hold.windows.iter().enumerate() {
            let cells = [
                format!("{} of {}", index + 1, duration(Duration::from_secs_f64(window.seconds))),
                bytes(window.rss_bytes as i64),
                format!("{:+.2} %", 100.0 * (window.rss_bytes as f64 / baseline - 1.0)),
                format!("{:.1} %", window.cpu_percent_of_core),
                micros(window.answers.quantile_us(0.5)),
                micros(window.answers.quantile_us(0.99)),
                count(window.tunnels_lost),
            ];
            table.row(row.title(row.clusters.into()).into_iter().chain(cells));
        }
    }
    table
}

fn micros(us: u64) -> String {
    duration(Duration::from_micros(us))
}

fn survival(rows: &[Row]) -> Table {
    let figure = |title| (title, Column::Right);
    let mut table = Table::new([
        figure("clusters"),
        ("load", Column::Left),
        ("held by", Column::Left),
        figure("all back after the server's return"),
        figure("most accepted"),
        figure("accepted in all"),
        figure("agent drained"),
        figure("loaded"),
        figure("all Active"),
    ]);
    let time = |seconds: Option<f64>| seconds.map_or("never".to_owned(), |s| duration(Duration::from_secs_f64(s)));
    for row in rows {
        let Some(back) = &row.after_outage else { continue };
        let restart = row.restart.as_ref();
        let cells = [
            time(back.seconds),
            format!("{:.0}/s", back.most_accepted_per_second),
            count(back.accepted),
            restart.map_or(String::new(), |restart| time(Some(restart.drain_seconds))),
            restart.map_or(String::new(), |restart| time(Some(restart.load_seconds))),
            restart.map_or(String::new(), |restart| time(restart.active_seconds)),
        ];
        table.row(row.title(row.clusters.into()).into_iter().chain(cells));
    }
    table
}

/// The reference's cost over the agent's.
fn ratios(rows: &[Row]) -> Table {
    let figure = |title| (title, Column::Right);
    let mut table = Table::new([
        figure("clusters"),
        ("load", Column::Left),
        figure("reference / agent: RSS each"),
        figure("CPU each up"),
        figure("CPU to hold"),
    ]);
    let agents = rows.iter().filter(|row| row.holder == Holder::Agent);
    for agent in agents {
        let same = |row: &&Row| row.clusters == agent.clusters && row.load == agent.load;
        let Some(reference) = rows.iter().filter(same).find(|row| row.holder == Holder::Reference) else { continue };
        let ratio = |reference: f64, agent: f64| format!("{:.1}", reference / agent);
        table.row([
            count(agent.clusters.into()),
            agent.load.clone(),
            ratio(reference.memory.rss_bytes_per_cluster as f64, agent.memory.rss_bytes_per_cluster as f64),
            ratio(reference.cpu_ms_per_cluster_up, agent.cpu_ms_per_cluster_up),
            ratio(reference.hold.whole.cpu_percent_of_core, agent.hold.whole.cpu_percent_of_core),
        ]);
    }
    table
}

const IN_FLIGHT: u32 = 16;
/// An address has 28,232 ports to one destination (`net.ipv4.ip_local_port_range`), and a cluster two tunnels.
const CLUSTERS_PER_SOURCE: u32 = 13_000;
/// The most frequent say enough.
const PROBLEMS_SHOWN: usize = 5;
/// Over which a rate of accepts is taken.
const WINDOW: Duration = Duration::from_millis(200);
/// A Go program has read its files long before.
const START_UP: Duration = Duration::from_secs(1);
/// What `/proc/net/sockstat` counts in.
const PAGE_BYTES: u64 = 4096;
