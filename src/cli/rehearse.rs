//! `rehearse`: the whole path against the embedded stand-in for a Rancher server.

use super::live::Live;
use super::signals::{INTERRUPTED, stop_on_signals};
use super::{Failure, Place, RehearseArgs, ReportFormat, find_template, load_template, print_stdout, results};
use crate::config::Loaded;
use crate::ramp::{InFlightUntil, Spec};
use crate::rehearsal::{Behaviour, Options, Profile, TIMEOUT, find_max, rehearse};
use crate::remote::Plan;
use crate::report::{self, count};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// Runs a rehearsal and prints its results; succeeds only if all clusters became Active, or the thresholds hold. Of the user's
/// configuration only the template counts: the rehearsed agent has a home of its own.
pub fn run(loaded: Loaded, args: RehearseArgs) -> Result<ExitCode, Failure> {
    let clusters = Spec {
        prefix: "rehearsal-".into(),
        width: 5,
        clusters: if args.find_max { MOST_CLUSTERS } else { CLUSTERS },
        max_in_flight: args.pace.rate.is_none().then_some(args.in_flight.into()),
        in_flight_until: InFlightUntil::Created,
        timeout: TIMEOUT,
        ..Spec::default()
    };
    let spec = args.pace.paced(clusters)?;
    let plan = Plan { name: "rehearsal".into(), spec, faults: Vec::new() };
    let clusters = plan.spec.clusters;
    let options = options(&loaded, plan, args.profile, args.template, &args.settings)?;
    if args.find_max {
        return search(options, clusters, args.output);
    }
    check_descriptors(clusters.into())?;
    if let Some(folder) = &args.results {
        report::prepare(folder)?;
    }
    let stop = stop_on_signals()?;
    let mut live = Live::new(clusters);
    let outcome = rehearse(&options, &stop.flag, |view| live.show(view));
    live.finish();
    let run = outcome.map_err(|error| Failure::new("the rehearsal cannot go on").cause(error))?;
    results::finish(&run, args.results.as_deref(), args.output)
}

/// Looks for the largest fleet.
fn search(options: Options, at_most: u32, format: ReportFormat) -> Result<ExitCode, Failure> {
    // What cannot be raised shows up as the limit that it is.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let stop = stop_on_signals()?;
    let mut live = Live::new(0);
    let outcome = find_max(&options, at_most, &stop.flag, |view| live.show(view));
    live.finish();
    let maximum = outcome.map_err(|error| Failure::new("the search cannot go on").cause(error))?;
    match format {
        ReportFormat::Text => print_stdout(&maximum.to_string())?,
        ReportFormat::Json => {
            let json = serde_json::to_string_pretty(&maximum)
                .map_err(|error| Failure::new("cannot write the result as JSON").cause(error))?;
            print_stdout(&format!("{json}\n"))?;
        }
    }
    Ok(if stop.flag.load(Ordering::Relaxed) { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// What a rehearsal of a plan is made with.
pub(super) fn options(
    loaded: &Loaded,
    plan: Plan,
    profile: Profile,
    template: Option<PathBuf>,
    settings: &[(String, String)],
) -> Result<Options, Failure> {
    let mut plan = plan;
    let agent = own_program()?;
    // What is wrong with it is told here rather than by the agent, which has another idea of where it is.
    load_template(template.as_deref(), loaded)?;
    let template = match template.map(|template| find_template(&template, loaded)) {
        Some(Place::BuiltIn(name)) => {
            plan.spec.template = Some(name.to_owned());
            None
        }
        Some(Place::File(file)) => Some(file),
        None => loaded.template_file(),
    };
    // It holds whatever it is asked to.
    let room = ("MaxClusters".to_owned(), plan.spec.clusters.max(MOST_CLUSTERS).to_string());
    Ok(Options {
        agent,
        plan,
        profile,
        behaviour: Behaviour::default(),
        threads: STAND_IN_THREADS,
        template,
        settings: [room].into_iter().chain(settings.iter().cloned()).collect(),
    })
}

/// This program's file. Where there is no /proc to tell it, the name it was called by will do, if it is a whole path.
fn own_program() -> Result<PathBuf, Failure> {
    let called = || std::env::args_os().next().map(PathBuf::from).filter(|path| path.is_absolute());
    std::env::current_exe().or_else(|error| called().ok_or(error)).map_err(|error| {
        Failure::new("cannot find this program's own file")
            .cause(error)
            .remedy("call it by its whole path, such as /usr/local/bin/scale-cluster-agent")
    })
}

/// Splits `KEY=VALUE`.
pub(super) fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("no `=` in it; write for example ReportInterval=10s")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Each side holds two sockets per cluster: the agent, and the stand-in in this process.
pub(super) fn check_descriptors(clusters: u64) -> Result<(), Failure> {
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

/// As many as show something and take seconds.
const CLUSTERS: u32 = 100;
/// What the search for the largest fleet ends at, unless more is asked for.
const MOST_CLUSTERS: u32 = 20_000;
/// One worker drives thousands of clusters; the second keeps accepting while the first computes handshakes.
const STAND_IN_THREADS: usize = 2;
const DESCRIPTORS_PER_CLUSTER: u64 = 2;
/// Standard streams, listener, polls, posting connections, files.
const DESCRIPTORS_FOR_THE_REST: u64 = 100;
