//! `run`: the agent with its REST API.
//!
//! Whatever can be wrong is found before anything is done: the listening socket first, then trust and template, then Rancher.

use super::agent::Agent;
use super::args::RunArgs;
use super::reload::Reloader;
use super::signals::requests;
use super::{Failure, print_stdout};
use crate::api::{Api, ApiConfig, AuditConfig, Certificate, GateLimits};
use crate::config::{Loaded, Settings, refuse_open_file};
use crate::telemetry::{self, LogConfig};
use std::net::TcpListener;
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
    loaded.warnings.iter().for_each(|warning| log::warn!("{warning}"));

    let listener = listen(&settings)?;
    let certificate = certificate(&settings)?;
    let Some(agent) = Agent::start(&loaded, &stop)? else { return Ok(ExitCode::SUCCESS) };
    let api = Api::start(ApiConfig {
        listener,
        home: loaded.home.path().to_owned(),
        commands: agent.commands(),
        metrics: agent.metrics(),
        keys: settings.api_keys.clone(),
        certificate,
        limits: GateLimits {
            connections: settings.max_api_connections,
            header_timeout: settings.api_header_timeout,
            read_timeout: settings.api_read_timeout,
            idle_timeout: settings.api_idle_timeout,
            max_body_bytes: settings.max_request_bytes,
        },
        audit: AuditConfig {
            path: settings.audit_log.clone().unwrap_or_else(|| loaded.home.path().join("audit.log")),
            max_bytes: settings.audit_max_bytes as u64,
            files: settings.audit_files,
        },
    });
    let api = Arc::new(api.map_err(|error| Failure::new(error.to_string()))?);

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
    agent.stop()?;
    Ok(ExitCode::SUCCESS)
}

fn certificate(settings: &Settings) -> Result<Option<Arc<Certificate>>, Failure> {
    let (Some(certificate), Some(key)) = (&settings.tls_cert_file, &settings.tls_key_file) else { return Ok(None) };
    refuse_open_file(key).map_err(|problem| Failure::new(format!("TLSKeyFile {}: {problem}", key.display())))?;
    let certificate = Certificate::load(certificate.clone(), key.clone());
    certificate.map(Some).map_err(|error| Failure::new(error.to_string()).remedy("check TLSCertFile and TLSKeyFile"))
}

fn listen(settings: &Settings) -> Result<TcpListener, Failure> {
    let address = (settings.listen_address.as_str(), settings.listen_port);
    TcpListener::bind(address).map_err(|error| {
        Failure::new(format!("cannot listen on {}:{}: {error}", settings.listen_address, settings.listen_port)).remedy(
            "another process, perhaps another agent, uses the port: stop it, or set ListenPort (0 takes a free one)",
        )
    })
}
