//! `rehearse`: the whole path against the embedded stand-in for a Rancher server.

use super::signals::on_signals;
use super::{Failure, RehearseArgs, ReportFormat, print_stdout};
use crate::config::Loaded;
use crate::rehearsal::{Behaviour, Options, Profile, Status, rehearse};
use crate::report::{Outcome, count};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Runs a rehearsal and prints its summary; succeeds only if all clusters became Active. Of the user's configuration only the
/// template counts: the rehearsed agent has a home of its own.
pub fn run(loaded: Loaded, args: RehearseArgs) -> Result<ExitCode, Failure> {
    let clusters = u64::from(args.clusters);
    check_descriptors(clusters)?;
    let stop = stop_on_signals()?;
    let agent =
        std::env::current_exe().map_err(|error| Failure::new("cannot find this program's own file").cause(error))?;
    let hold = Some(args.hold).filter(|hold| !hold.is_zero());
    let options = Options {
        agent,
        clusters,
        in_flight: args.in_flight.into(),
        profile: args.profile,
        behaviour: Behaviour::default(),
        threads: STAND_IN_THREADS,
        seed: args.seed,
        template: args.template.or_else(|| loaded.template_file()),
        settings: args.settings,
        timeout: args.timeout,
        hold,
    };
    let mut display = Display::new(clusters, hold);
    let summary = rehearse(&options, &stop, |status| display.show(status));
    display.finish();
    let summary = summary.map_err(|error| Failure::new("the rehearsal cannot start").cause(error))?;
    match args.output {
        ReportFormat::Text => print_stdout(&summary.to_string())?,
        ReportFormat::Json => {
            let json = serde_json::to_string_pretty(&summary)
                .map_err(|error| Failure::new("cannot write the summary as JSON").cause(error))?;
            print_stdout(&format!("{json}\n"))?;
        }
    }
    Ok(match summary.outcome {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Failed => ExitCode::FAILURE,
        Outcome::Interrupted => ExitCode::from(EXIT_INTERRUPTED),
    })
}

/// Reads the profile that a flag names.
pub(super) fn read_profile(name: &str) -> Result<Profile, String> {
    match name {
        "rancher" => Ok(Profile::rancher()),
        "idle" => Ok(Profile::idle()),
        file => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("neither `rancher` nor `idle` nor a file that can be read: {error}"))?;
            Profile::from_yaml(&text).map_err(|error| error.to_string())
        }
    }
}

/// Splits `KEY=VALUE`.
pub(super) fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("no `=` in it; write for example ReportInterval=10s")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Each side holds two sockets per cluster: the agent, and the stand-in in this process.
fn check_descriptors(clusters: u64) -> Result<(), Failure> {
    let needed = clusters * DESCRIPTORS_PER_CLUSTER + DESCRIPTORS_FOR_THE_REST;
    // Where there is no such limit there is nothing to raise.
    let limit = rlimit::increase_nofile_limit(needed).unwrap_or(u64::MAX);
    if limit >= needed {
        return Ok(());
    }
    let possible = limit.saturating_sub(DESCRIPTORS_FOR_THE_REST) / DESCRIPTORS_PER_CLUSTER;
    let what = format!(
        "{} clusters need {} file descriptors, but the limit is {}",
        count(clusters),
        count(needed),
        count(limit)
    );
    Err(Failure::new(what).remedy(format!("raise the hard limit (`ulimit -Hn`), or try --clusters {possible}")))
}

/// The first SIGINT or SIGTERM ends the rehearsal with a summary, the second at once.
fn stop_on_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    on_signals(move |_| {
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

const BAR: &str = "{bar:30} {msg}";
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// One worker drives thousands of clusters; the second keeps accepting while the first computes handshakes.
const STAND_IN_THREADS: usize = 2;
const DESCRIPTORS_PER_CLUSTER: u64 = 2;
/// Standard streams, listener, polls, posting connections, files.
const DESCRIPTORS_FOR_THE_REST: u64 = 100;
/// 128 and the number of SIGINT, as shells have it.
const EXIT_INTERRUPTED: u8 = 130;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::Progress;

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
