//! `rehearse`: the whole path against the embedded stand-in for a Rancher server.

use crate::rehearsal::{Behaviour, Options, Profile, Status, rehearse};
use crate::report::{Outcome, Summary, count};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Rehearse on this machine: start a stand-in for a Rancher server, register clusters with it, and report how long each
/// stage took, what failed and what each cluster costs. Needs no configuration and leaves nothing behind.
///
/// Exit codes: 0 all clusters became Active, 1 not all did, 2 it could not start, 130 it was interrupted.
#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// How many clusters.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=99_999))]
    clusters: u64,
    /// The load that the stand-in puts on each cluster: `rancher`, `idle`, or a YAML file.
    #[arg(long, default_value = "rancher", value_parser = read_profile)]
    profile: Arc<Profile>,
    /// The cluster template; the built-in one if not given.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// How long the clusters have to become Active.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    timeout: Duration,
    /// Keep the clusters for this long after all are Active, and report what happens meanwhile.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    hold: Option<Duration>,
    /// How many clusters are asked for at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    in_flight: u16,
    /// A setting of the agent, as in its configuration file; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_setting)]
    settings: Vec<(String, String)>,
    /// What is written to standard output.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Tables for people.
    Text,
    /// One JSON object.
    Json,
}

/// Runs the rehearsal and prints its summary.
pub fn run(args: RehearseArgs) -> ExitCode {
    match rehearse_and_print(args) {
        Ok(Outcome::Passed) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(EXIT_NOT_ALL_ACTIVE),
        Ok(Outcome::Interrupted) => ExitCode::from(EXIT_INTERRUPTED),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(EXIT_CANNOT_START)
        }
    }
}

fn rehearse_and_print(args: RehearseArgs) -> Result<Outcome, Box<dyn std::error::Error>> {
    check_descriptors(args.clusters)?;
    let stop = stop_on_signals()?;
    let options = Options {
        agent: std::env::current_exe()?,
        clusters: args.clusters,
        in_flight: args.in_flight.into(),
        profile: Profile::clone(&args.profile),
        behaviour: Behaviour::default(),
        threads: STAND_IN_THREADS,
        template: args.template,
        settings: args.settings,
        timeout: args.timeout,
        hold: args.hold,
    };
    let mut display = Display::new(args.clusters, args.hold);
    let summary = rehearse(&options, &stop, |status| display.show(status))?;
    display.finish();
    print(&summary, args.output)?;
    Ok(summary.outcome)
}

fn print(summary: &Summary, output: Output) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match output {
        Output::Text => write!(stdout, "{summary}"),
        Output::Json => writeln!(stdout, "{}", serde_json::to_string_pretty(summary)?),
    }
}

/// Each side holds two sockets per cluster: the agent, and the stand-in in this process.
fn check_descriptors(clusters: u64) -> Result<(), String> {
    let needed = clusters * DESCRIPTORS_PER_CLUSTER + DESCRIPTORS_FOR_THE_REST;
    // Where there is no such limit there is nothing to raise.
    let limit = rlimit::increase_nofile_limit(needed).unwrap_or(u64::MAX);
    if limit >= needed {
        return Ok(());
    }
    let possible = limit.saturating_sub(DESCRIPTORS_FOR_THE_REST) / DESCRIPTORS_PER_CLUSTER;
    Err(format!(
        "{} clusters need {} file descriptors, but the limit is {}: raise it with `ulimit -Hn`, or rehearse with at most \
         --clusters {possible}",
        count(clusters),
        count(needed),
        count(limit),
    ))
}

/// The first SIGINT or SIGTERM ends the rehearsal with a summary, the second at once.
fn stop_on_signals() -> Result<Arc<AtomicBool>, ctrlc::Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(EXIT_INTERRUPTED.into());
        }
    })?;
    Ok(stop)
}

/// Progress on standard error: a line that changes on a terminal, a line now and then otherwise.
struct Display {
    clusters: u64,
    hold: Option<Duration>,
    bar: Option<ProgressBar>,
    next_line: Instant,
}

impl Display {
    fn new(clusters: u64, hold: Option<Duration>) -> Display {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(BAR).expect("the template is a constant that a test renders");
            ProgressBar::new(clusters).with_style(style)
        });
        Display { clusters, hold, bar, next_line: Instant::now() + LINE_INTERVAL }
    }

    fn show(&mut self, status: &Status) {
        let text = describe(status, self.clusters, self.hold);
        match &self.bar {
            Some(bar) => {
                bar.set_position(status.progress.active as u64);
                bar.set_message(text);
            }
            None if Instant::now() >= self.next_line => {
                eprintln!("{text}");
                self.next_line += LINE_INTERVAL;
            }
            None => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn describe(status: &Status, clusters: u64, hold: Option<Duration>) -> String {
    let progress = status.progress;
    let seconds = status.elapsed.as_secs();
    let mut text = format!(
        "{seconds} s: {} created, {} connected, {} of {} Active",
        count(progress.created as u64),
        count(progress.connected as u64),
        count(progress.active as u64),
        count(clusters),
    );
    if let (Some(held), Some(hold)) = (status.held, hold) {
        text.push_str(&format!(", held for {} of {} s", held.as_secs(), hold.as_secs()));
    }
    text
}

fn read_profile(name: &str) -> Result<Arc<Profile>, String> {
    match name {
        "rancher" => Ok(Arc::new(Profile::rancher())),
        "idle" => Ok(Arc::new(Profile::idle())),
        file => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("is neither `rancher` nor `idle` nor a file that can be read: {error}"))?;
            Profile::from_yaml(&text).map(Arc::new).map_err(|error| error.to_string())
        }
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| "is no duration; write for example 30s, 5m or 1h30m".to_owned())?;
    Duration::try_from(duration).map_err(|_| "is negative".to_owned())
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("has no `=`; write for example ReportInterval=10s")?;
    Ok((key.to_owned(), value.to_owned()))
}

const BAR: &str = "{bar:30} {msg}";
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// One worker drives thousands of clusters; the second keeps accepting while the first computes handshakes.
const STAND_IN_THREADS: usize = 2;
const DESCRIPTORS_PER_CLUSTER: u64 = 2;
/// Standard streams, listener, polls, posting connections, files.
const DESCRIPTORS_FOR_THE_REST: u64 = 100;
const EXIT_NOT_ALL_ACTIVE: u8 = 1;
const EXIT_CANNOT_START: u8 = 2;
const EXIT_INTERRUPTED: u8 = 130;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::Progress;

    #[test]
    fn durations_are_written_as_people_do() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert!(parse_duration("90").is_err());
        assert!(parse_duration("-3s").is_err());
    }

    #[test]
    fn a_status_in_one_line() {
        let progress = Progress { created: 1_200, connected: 1_100, active: 1_000 };
        let status = Status { elapsed: Duration::from_millis(12_900), held: None, progress };
        assert_eq!(describe(&status, 2_000, None), "12 s: 1,200 created, 1,100 connected, 1,000 of 2,000 Active");
        let status = Status { held: Some(Duration::from_secs(3)), ..status };
        let text = describe(&status, 2_000, Some(Duration::from_secs(30)));
        assert!(text.ends_with("Active, held for 3 of 30 s"), "{text}");
    }

    #[test]
    fn the_bar_is_a_template() {
        ProgressStyle::with_template(BAR).unwrap();
    }

    #[test]
    fn a_profile_that_cannot_be_read_is_named() {
        assert!(read_profile("/nonexistent/profile.yaml").unwrap_err().contains("neither"));
        assert_eq!(read_profile("idle").unwrap().name, "idle");
    }
}
