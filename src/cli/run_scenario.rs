//! `run-scenario`: a ramp, faults at times and thresholds, read from a file.

use super::args::RunScenarioArgs;
use super::live::Live;
use super::rehearse::{check_descriptors, options, refuse_flags};
use super::signals::stop_on_signals;
use super::{Failure, ReportFormat, print_stdout, ramp, results};
use crate::config::{Loaded, read_text_file};
use crate::ramp::parse_share;
use crate::rehearsal::{Profile, rehearse};
use crate::remote::{Plan, ScenarioError, parse_scenario};
use crate::report;
use std::path::Path;
use std::process::ExitCode;

/// Runs a scenario, or only checks it.
pub(super) fn run(loaded: Loaded, args: &RunScenarioArgs) -> Result<ExitCode, Failure> {
    let mut plan = read(&args.file)?;
    if let Some(factor) = args.scale {
        plan = plan.scaled(factor);
    }
    if args.check {
        print_stdout(&match args.target.output {
            ReportFormat::Text => format!("{}\n{}{}", plan.name, report::plan(&plan.spec), plan.fault_lines()),
            ReportFormat::Json => format!("{:#}\n", plan.to_json()),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.rehearse { play(&loaded, args, plan) } else { ramp::perform(loaded, &plan, &args.target) }
}

/// Plays it against the embedded stand-in for a Rancher server.
fn play(loaded: &Loaded, args: &RunScenarioArgs, plan: Plan) -> Result<ExitCode, Failure> {
    refuse_flags(loaded)?;
    check_descriptors(plan.spec.clusters.into())?;
    let folder = results::folder(args.target.results.as_deref(), loaded.home.path(), &plan.name)?;
    let stop = stop_on_signals()?;
    let mut live = Live::new(plan.spec.clusters);
    let options = options(loaded, plan, Profile::rancher(), None, &[])?;
    let outcome = rehearse(&options, &stop.flag, |view| live.show(view));
    live.finish();
    let run = outcome.map_err(|error| Failure::new("the scenario cannot go on").cause(error))?;
    results::finish(&run, Some(&folder), args.target.output)
}

fn read(file: &Path) -> Result<Plan, Failure> {
    let text = read_text_file("the scenario", file, LARGEST_BYTES);
    let text =
        text.map_err(|error| Failure::new(error.to_string()).remedy("name a scenario file that this user may read"))?;
    parse_scenario(&file.display().to_string(), &text).map_err(|error: ScenarioError| {
        Failure::new(error.to_string())
            .remedy("the fields of ramp are those of POST /ramps, the fields of a fault those of POST /faults")
            .usage()
    })
}

/// Reads a share above zero.
pub(super) fn parse_scale(text: &str) -> Result<f64, String> {
    let share = parse_share(text)?;
    if share > 0.0 { Ok(share) } else { Err("a share of nothing".into()) }
}

/// A hundred times what anybody writes.
const LARGEST_BYTES: u64 = 1 << 20;
