//! `rehearse`: the whole path against the embedded stand-in for a Rancher server.

use super::live::Live;
use super::signals::{INTERRUPTED, stop_on_signals};
use super::{Failure, Place, RehearseArgs, ReportFormat, find_template, load_template, print_stdout, results};
use crate::config::{self, ConfigError, Flags, Inputs, Loaded, Origin};
use crate::ramp::{InFlightUntil, Spec};
use crate::rehearsal::{Behaviour, Options, Profile, TIMEOUT, find_max, rehearse, setting_value};
use crate::remote::Plan;
use crate::report::{self, count};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// Runs a rehearsal and prints its results; succeeds only if all clusters became Active, or the thresholds hold. Of the user's
/// configuration only the template counts: the rehearsed agent has a home of its own.
pub fn run(loaded: Loaded, args: RehearseArgs) -> Result<ExitCode, Failure> {
    refuse_flags(&loaded)?;
    let is_paced = args.pace.rate.is_some() || args.pace.stages.is_some();
    let clusters = Spec {
        prefix: "rehearsal-".into(),
        width: 5,
        clusters: if args.find_max { MOST_CLUSTERS } else { CLUSTERS },
        max_in_flight: (!is_paced).then_some(args.in_flight.into()),
        in_flight_until: match args.pace.max_in_flight {
            Some(_) => InFlightUntil::Active,
            None => InFlightUntil::Created,
        },
        timeout: TIMEOUT,
        ..Spec::default()
    };
    let spec = args.pace.paced(clusters)?;
    check_settings(&args.settings)?;
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

/// Refuses flags of the configuration, which is not that of the rehearsed agent.
pub(super) fn refuse_flags(loaded: &Loaded) -> Result<(), Failure> {
    let flags = loaded.origins.iter().filter_map(|resolved| match resolved.origin {
        Origin::Flag(flag) => Some((flag, resolved.key)),
        _ => None,
    });
    let Some((flag, key)) = flags.into_iter().next() else { return Ok(()) };
    let remedy = match FIXED.contains(&key) || key == "InsecureSkipTLSVerify" || key == "AgentCAFile" {
        true => "leave it out; `ramp` is for a real Rancher".to_owned(),
        false => format!("leave it out, or write --set {key}=VALUE"),
    };
    let what = format!("{flag} says nothing to a rehearsal: its agent has a configuration of its own");
    Err(Failure::new(what).remedy(remedy).usage())
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

/// Reads the settings as the rehearsed agent will, so that a mistake is told as one of the command line.
fn check_settings(settings: &[(String, String)]) -> Result<(), Failure> {
    if let Some((key, _)) = settings.iter().find(|(key, _)| FIXED.contains(&key.as_str())) {
        let what = format!("--set {key}: the rehearsal gives it, so that its agent and the stand-in for Rancher meet");
        return Err(Failure::new(what).remedy("leave it out; `ramp` is for a real Rancher").usage());
    }
    if settings.is_empty() {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| Failure::new("the settings cannot be checked").cause(error);
    let home = tempfile::tempdir().map_err(|error| failed(&error))?;
    let mapping: serde_yaml::Mapping =
        settings.iter().map(|(key, value)| (key.as_str().into(), setting_value(value))).collect();
    let text = serde_yaml::to_string(&mapping).map_err(|error| failed(&error))?;
    std::fs::write(home.path().join("config"), text).map_err(|error| failed(&error))?;
    let flags = Flags { home: Some(home.path().to_owned()), ..Flags::default() };
    let nothing = std::iter::empty::<(OsString, OsString)>();
    let Err(error) = config::load(Inputs { flags, user_home: None, environment: nothing }) else { return Ok(()) };
    let what = match &error {
        ConfigError::UnknownKey { key, .. } => format!("--set {key}: there is no such setting"),
        ConfigError::BadValue { key, problem, .. } => format!("--set {key}: {problem}"),
        error => format!("--set: {error}"),
    };
    Err(Failure::new(what).remedy(error.remedy()).usage())
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

/// What another value of would part agent, stand-in and whoever drives them.
const FIXED: [&str; 9] = [
    "RancherURL",
    "BearerToken",
    "BearerTokenFile",
    "CAFile",
    "ListenPort",
    "Servers",
    "APIKeys",
    "TLSCertFile",
    "TLSKeyFile",
];
/// As many as show something and take seconds.
const CLUSTERS: u32 = 100;
/// What the search for the largest fleet ends at, unless more is asked for.
const MOST_CLUSTERS: u32 = 20_000;
/// One worker drives thousands of clusters; the second keeps accepting while the first computes handshakes.
const STAND_IN_THREADS: usize = 2;
const DESCRIPTORS_PER_CLUSTER: u64 = 2;
/// Standard streams, listener, polls, posting connections, files.
const DESCRIPTORS_FOR_THE_REST: u64 = 100;
