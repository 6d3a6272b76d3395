//! Flags and subcommands: parse, load the configuration, hand over to the subcommand, map the outcome to an exit code.

mod about;
mod agent;
mod agent_api;
mod api_key;
mod args;
mod check_config;
mod clean;
mod clean_running;
mod completions;
mod doctor;
mod failure;
mod fault;
mod instance;
mod live;
mod man;
mod output;
mod pace;
mod ramp;
mod rehearse;
mod reload;
mod render;
mod report;
mod results;
mod run;
mod run_scenario;
mod secret;
mod serve;
mod signals;
mod status;
mod template_file;

pub use args::{Args, RehearseArgs, ReportFormat};
pub use failure::Failure;
pub use output::{print_stdout, print_warnings};
use template_file::{Place, find_template, named_templates};
pub use template_file::{TemplateFile, load_template};

use crate::config::{self, Inputs, Loaded};
use args::{RunArgs, Subcommand};
use std::process::ExitCode;

/// Parses the command line, runs the subcommand and maps its outcome to an exit code.
pub fn main() -> ExitCode {
    let args = match Args::parse_from_process() {
        Ok(args) => args,
        Err(error) => return output::print_usage(&error),
    };
    dispatch(args).unwrap_or_else(|failure| {
        failure.print();
        failure.exit_code()
    })
}

fn dispatch(args: Args) -> Result<ExitCode, Failure> {
    match args.subcommand.clone().unwrap_or_else(|| Subcommand::Run(RunArgs::default())) {
        // These need no configuration, and work with a wrong one.
        Subcommand::ApiKey(api_key) => api_key::run(&api_key),
        Subcommand::Secret(secret) => secret::run(&secret),
        Subcommand::Completions(completions) => completions::run(&completions),
        Subcommand::Man(man) => man::run(&man),
        Subcommand::Report(report) => report::run(&report),
        Subcommand::Run(run) => run::run(load(&args)?, &run, move || load(&args)),
        Subcommand::Rehearse(rehearse) => rehearse::run(load(&args)?, rehearse),
        Subcommand::Ramp(ramp) => ramp::run(load(&args)?, &ramp),
        Subcommand::RunScenario(scenario) => run_scenario::run(load(&args)?, &scenario),
        Subcommand::Clean(clean) => clean::run(load(&args)?, &clean),
        Subcommand::Fault(fault) => fault::run(&load(&args)?, fault),
        Subcommand::Status(status) => status::run(&load(&args)?, &status),
        Subcommand::Doctor(doctor) => doctor::run(&load(&args)?, &doctor),
        Subcommand::CheckConfig(check) => check_config::run(&load(&args)?, &check),
        Subcommand::Render(render) => render::run(&load(&args)?, &render),
    }
}

fn load(args: &Args) -> Result<Loaded, Failure> {
    let user_home = std::env::var_os("HOME").map(Into::into);
    Ok(config::load(Inputs { flags: args.config_flags(), user_home, environment: std::env::vars_os() })?)
}
