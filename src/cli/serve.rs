//! The REST API of an agent that runs in this process.

use super::Failure;
use super::agent::Agent;
use crate::api::{Api, ApiConfig, AuditConfig, Certificate, GateLimits};
use crate::config::{ApiKey, Loaded, Settings};
use std::net::TcpListener;
use std::sync::Arc;

/// Takes the port of the REST API.
pub(super) fn listen(settings: &Settings) -> Result<TcpListener, Failure> {
    let address = (settings.listen_address.as_str(), settings.listen_port);
    TcpListener::bind(address).map_err(|error| {
        Failure::new(format!("cannot listen on {}:{}: {error}", settings.listen_address, settings.listen_port)).remedy(
            "another process, perhaps another agent, uses the port: stop it, or set ListenPort (0 takes a free one)",
        )
    })
}

/// The certificate of the REST API, if it speaks TLS.
pub(super) fn certificate(settings: &Settings) -> Result<Option<Arc<Certificate>>, Failure> {
    let (Some(certificate), Some(key)) = (&settings.tls_cert_file, &settings.tls_key_file) else { return Ok(None) };
    let certificate = Certificate::load(certificate.clone(), key.clone());
    certificate.map(Some).map_err(|error| Failure::new(error.to_string()).remedy("check TLSCertFile and TLSKeyFile"))
}

/// Starts the REST API for those who hold these keys.
pub(super) fn start(
    loaded: &Loaded,
    agent: &Agent,
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    keys: Vec<ApiKey>,
) -> Result<Api, Failure> {
    let (settings, home) = (&loaded.settings, loaded.home.path());
    let api = Api::start(ApiConfig {
        listener,
        home: home.to_owned(),
        commands: agent.commands(),
        metrics: agent.metrics(),
        keys,
        certificate,
        limits: GateLimits {
            connections: settings.max_api_connections,
            header_timeout: settings.api_header_timeout,
            read_timeout: settings.api_read_timeout,
            idle_timeout: settings.api_idle_timeout,
            max_body_bytes: settings.max_request_bytes,
        },
        audit: AuditConfig {
            path: settings.audit_log.clone().unwrap_or_else(|| home.join("audit.log")),
            max_bytes: settings.audit_max_bytes as u64,
            files: settings.audit_files,
        },
    });
    api.map_err(|error| Failure::new(error.to_string()))
}
