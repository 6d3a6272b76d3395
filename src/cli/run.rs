//! `run`: the agent with its REST API.
//!
//! Whatever can be wrong is found before anything is done: the listening socket first, then trust and template, then Rancher.

use super::agent::Agent;
use super::args::RunArgs;
use super::reload::Reloader;
use super::signals::requests;
use super::{Failure, print_stdout};
use crate::api::{Api, ApiConfig};
use crate::config::{Loaded, Settings};
use crate::telemetry;
use std::net::TcpListener;
use std::process::ExitCode;

/// Runs the agent until a signal ends it.
pub(super) fn run(
    loaded: Loaded,
    args: &RunArgs,
    read_again: impl Fn() -> Result<Loaded, Failure> + Send + 'static,
) -> Result<ExitCode, Failure> {
    let settings = loaded.settings.clone();
    settings.require_rancher()?;
    let (stop, reload) = requests(args.exit_with_stdin)?;
    let _log = telemetry::init(settings.log_level, settings.log_format)
        .map_err(|error| Failure::new("logging cannot start").cause(error))?;
    loaded.warnings.iter().for_each(|warning| log::warn!("{warning}"));

    let listener = listen(&settings)?;
    let Some(agent) = Agent::start(&loaded, &stop)? else { return Ok(ExitCode::SUCCESS) };
    let max_body_bytes = settings.max_request_bytes;
    let api = Api::start(ApiConfig { listener, commands: agent.commands(), metrics: agent.metrics(), max_body_bytes })
        .map_err(|error| Failure::new(error.to_string()))?;

    let urls: Vec<&str> = agent.ranchers.iter().map(|(server, _)| server.url.as_str()).collect();
    let urls = urls.join(", ");
    let reloader = Reloader::new(loaded, read_again, agent.ranchers.iter().cloned());
    std::thread::Builder::new()
        .name("reload".into())
        .spawn(move || reloader.run(&reload))
        .map_err(|error| Failure::new("cannot start a thread").cause(error))?;

    print_stdout(&format!("listening on http://{}\n", api.address()))?;
    log::info!("agent {} drives clusters for {urls}", env!("CARGO_PKG_VERSION"));
    // The sender lives as long as the process.
    let _ = stop.recv();
    log::info!("stopping: closing the tunnels; another signal ends the agent at once");
    api.stop();
    agent.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// Takes the port of the REST API.
pub(super) fn listen(settings: &Settings) -> Result<TcpListener, Failure> {
    let address = (settings.listen_address.as_str(), settings.listen_port);
    TcpListener::bind(address).map_err(|error| {
        Failure::new(format!("cannot listen on {}:{}: {error}", settings.listen_address, settings.listen_port)).remedy(
            "another process, perhaps another agent, uses the port: stop it, or set ListenPort (0 takes a free one)",
        )
    })
}
