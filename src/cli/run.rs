//! `run`: the agent with its REST API.
//!
//! Whatever can be wrong is found before anything is done: the listening socket first, then trust and template, then Rancher.

use super::agent::Agent;
use super::args::RunArgs;
use super::reload::Reloader;
use super::signals::requests;
use super::{Failure, print_stdout, serve};
use crate::config::Loaded;
use crate::telemetry::{self, LogConfig};
use std::process::ExitCode;
use std::sync::Arc;

/// Runs the agent until a signal ends it.
pub(super) fn run(
    loaded: Loaded,
    args: &RunArgs,
    read_again: impl Fn() -> Result<Loaded, Failure> + Send + 'static,
) -> Result<ExitCode, Failure> {
    let settings = loaded.settings.clone();
    settings.require_rancher()?;
    let (stop, reload) = requests(args.exit_with_stdin)?;
    let log =
        LogConfig { levels: settings.log_level.clone(), format: settings.log_format, file: settings.log_file.clone() };
    let _log = telemetry::init(&log).map_err(|error| Failure::new("logging cannot start").cause(error))?;
    end_on_panic();
    loaded.warnings.iter().for_each(|warning| log::warn!("{warning}"));

    let listener = serve::listen(&settings)?;
    let certificate = serve::certificate(&settings)?;
    let Some(agent) = Agent::start(&loaded, &stop, IN_USE)? else { return Ok(ExitCode::SUCCESS) };
    let api = Arc::new(serve::start(&loaded, &agent, listener, certificate, settings.api_keys.clone())?);

    let urls: Vec<&str> = agent.ranchers.iter().map(|(server, _)| server.url.as_str()).collect();
    let urls = urls.join(", ");
    let reloader = Reloader::new(loaded, read_again, agent.ranchers.iter().cloned(), api.clone());
    std::thread::Builder::new()
        .name("reload".into())
        .spawn(move || reloader.run(&reload))
        .map_err(|error| Failure::new("cannot start a thread").cause(error))?;

    print_stdout(&format!("listening on {}\n", api.url()))?;
    log::info!("agent {} drives clusters for {urls}", env!("CARGO_PKG_VERSION"));
    // The sender lives as long as the process.
    let _ = stop.recv();
    log::info!("stopping: closing the tunnels; another signal ends the agent at once");
    api.stop();
    let stopped = agent.stop();
    api.close();
    stopped?;
    Ok(ExitCode::SUCCESS)
}

/// Without one of its threads the agent would look alive and serve nobody. What was acknowledged is in the journal, so whoever
/// supervises it starts it again and loses nothing.
fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        log::error!("thread {} panicked, the agent ends: {panic}", thread.name().unwrap_or("without a name"));
        log::logger().flush();
        std::process::exit(1);
    }));
}

const IN_USE: &str = "stop the other agent, or choose another directory with --home";
