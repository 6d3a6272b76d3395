//! `ramp`: brings up clusters by a plan and measures them, by an agent of its own or one that runs already.

use super::agent::Agent;
use super::agent_api::{client, here};
use super::args::RampArgs;
use super::live::Live;
use super::signals::{INTERRUPTED, Stop, stop_on_signals};
use super::{Failure, ReportFormat, api_key, print_stdout, results, serve};
use crate::config::{Loaded, Role};
use crate::rancher::Trust;
use crate::remote::{Client, Plan, ShardsError, check_shards, drive, drive_all};
use crate::report;
use crate::telemetry::{self, LogConfig};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// Runs a ramp of the flags.
pub(super) fn run(loaded: Loaded, args: &RampArgs) -> Result<ExitCode, Failure> {
    let spec = args.pace.spec(&args.shape)?;
    if args.dry_run {
        print_stdout(&match args.target.output {
            ReportFormat::Text => report::plan(&spec),
            ReportFormat::Json => format!("{:#}\n", Plan::of(spec).to_json()),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let plan = Plan::of(spec);
    perform(loaded, &plan, &args.target)
}

/// Where a ramp runs and where its results go.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// The running agent that is to do it, such as http://127.0.0.1:9090; may be repeated for agents that share a fleet, each with
    /// a Shard of its own. Without it an agent of its own, for as long as it takes.
    #[arg(long = "agent", value_name = "URL")]
    agents: Vec<String>,

    /// Folder for the results, made if it is not there; by default one for each run in the agent's directory.
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,

    /// Delete the clusters afterwards, here and in Rancher.
    #[arg(long)]
    clean: bool,

    /// How the run is printed.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(super) output: ReportFormat,
}

/// Runs a plan and writes its results.
pub(super) fn perform(loaded: Loaded, plan: &Plan, target: &Target) -> Result<ExitCode, Failure> {
    if target.agents.is_empty() {
        loaded.settings.require_rancher()?;
    }
    let folder = results::folder(target.results.as_deref(), loaded.home.path(), &plan.name)?;
    let stop = stop_on_signals()?;
    let outcome = match target.agents.is_empty() {
        false => with_running_agents(&loaded, plan, target, &folder, &stop).map(Some),
        true => with_own_agent(loaded, plan, target, &stop),
    };
    match outcome {
        Ok(Some(run)) => results::finish(&run, Some(&folder), target.output),
        nothing => {
            // An empty folder says nothing to anybody.
            let _ = std::fs::remove_dir(&folder);
            nothing.map(|_| ExitCode::from(INTERRUPTED))
        }
    }
}

/// The raw results of each of several agents go beside the results of all.
fn with_running_agents(
    loaded: &Loaded,
    plan: &Plan,
    target: &Target,
    folder: &Path,
    stop: &Stop,
) -> Result<report::Run, Failure> {
    let agents = target.agents.iter().map(|url| client(Some(url), &loaded.settings)).collect::<Result<Vec<_>, _>>()?;
    if let [agent] = agents.as_slice() {
        let run = with(agent, plan, target, stop)?;
        return Ok(report::Run { agents: vec![agent.url().to_owned()], ..run });
    }
    check_shards(&agents)?;
    let mut live = Live::new(plan.spec.clusters);
    let outcome = drive_all(&agents, plan, &stop.flag, |view| live.show(view));
    live.finish();
    let mut runs = outcome?;
    for (agent, run) in agents.iter().zip(&mut runs) {
        run.agents.push(agent.url().to_owned());
    }
    for (number, run) in (1..).zip(&runs) {
        let shard = run.results.spec["shard"].as_str().map(|shard| shard.replace('/', "-of-"));
        let name = format!("shard-{}", shard.unwrap_or_else(|| number.to_string()));
        report::write(&folder.join(name), run)?;
    }
    if target.clean {
        agents.iter().zip(&runs).try_for_each(|(agent, run)| clean(agent, run))?;
    }
    report::merge(runs).map_err(|error| Failure::new(error.to_string()).remedy("give each agent a Shard of its own"))
}

/// Nothing if a signal comes before the agent runs.
fn with_own_agent(loaded: Loaded, plan: &Plan, target: &Target, stop: &Stop) -> Result<Option<report::Run>, Failure> {
    let settings = loaded.settings.clone();
    let levels = settings.log_level.clone().at_most(log::LevelFilter::Warn);
    let log = LogConfig { levels, format: settings.log_format, file: settings.log_file.clone() };
    let _log = telemetry::init(&log).map_err(|error| Failure::new("logging cannot start").cause(error))?;
    let in_use =
        format!("let the agent that runs do it: --agent {}; or choose another directory with --home", here(&settings));
    let listener = serve::listen(&settings)?;
    let certificate = serve::certificate(&settings)?;
    let Some(agent) = Agent::start(&loaded, &stop.receiver, &in_use)? else { return Ok(None) };
    let (key, mut keys) = (api_key::make()?, settings.api_keys.clone());
    if !keys.is_empty() {
        // For as long as the ramp takes, and known to this process only.
        keys.push(api_key::entry("ramp", Role::Admin, &key));
    }
    let api = serve::start(&loaded, &agent, listener, certificate, keys)?;
    // The other end is this process, whatever its certificate is made out to.
    let myself = Trust::load(None, true).and_then(|anybody| anybody.for_tunnels());
    let tls = myself.map_err(|error| Failure::new(error.to_string()))?;
    let client = Client::new(&api.url()).with_tls(tls).with_key(key);
    let outcome = with(&client, plan, target, stop);
    api.stop();
    let stopped = agent.stop();
    api.close();
    stopped?;
    let run = outcome?;
    if !target.clean && run.figures.active > 0 {
        // Nothing is left to be told if standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "the clusters stay in Rancher, disconnected: start the agent to connect them, or delete them with `clean`"
        );
    }
    Ok(Some(run))
}

fn with(client: &Client, plan: &Plan, target: &Target, stop: &Stop) -> Result<report::Run, Failure> {
    let mut live = Live::new(plan.spec.clusters);
    let outcome = drive(client, plan, &stop.flag, |view| live.show(view));
    live.finish();
    let run = outcome?;
    if target.clean {
        clean(client, &run)?;
    }
    Ok(run)
}

/// Deletes what the ramp made; a second signal ends that too.
fn clean(client: &Client, run: &report::Run) -> Result<(), Failure> {
    let spec = &run.results.spec;
    let of = |field: &str| spec[field].as_str().unwrap_or_default();
    let operation = client.delete_run(of("prefix"), of("run"))?;
    let id = operation["id"].as_u64().unwrap_or_default();
    loop {
        let operation = client.operation(id)?;
        if operation["state"] != "running" {
            return match operation["failed"].as_u64() {
                Some(0) => Ok(()),
                _ => Err(Failure::new(format!("{} clusters could not be deleted", operation["failed"]))
                    .remedy("`clean` tries again")),
            };
        }
        thread::sleep(CLEAN_INTERVAL);
    }
}

impl From<ShardsError> for Failure {
    fn from(error: ShardsError) -> Failure {
        match error {
            ShardsError::Agent(error) => error.into(),
            error => Failure::new(error.to_string()).remedy(error.remedy()).usage(),
        }
    }
}

const CLEAN_INTERVAL: Duration = Duration::from_millis(200);
