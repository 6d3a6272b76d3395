//! A running agent as the subcommands see that ask it something: its REST API.

use super::Failure;
use crate::config::Settings;
use crate::rancher::{RancherError, Trust};
use crate::remote::{Client, ClientError};

/// A client of the agent at `url`, or of the one that this configuration starts on this host, with this configuration's key.
pub(super) fn client(url: Option<&str>, settings: &Settings) -> Result<Client, Failure> {
    if url.is_some_and(holds_key) {
        // It would be shown in reports, and in the list of processes.
        let failure = Failure::new("the address of an agent holds a key or a password");
        return Err(failure.remedy("leave it out and put the key into APIKey or SCALE_AGENT_API_KEY").usage());
    }
    let client = Client::new(&url.map_or_else(|| here(settings), |url| with_scheme(url, settings)));
    let client = client.with_key(settings.api_key.clone());
    if !client.url().starts_with("https:") {
        return Ok(client);
    }
    let failed = |error: RancherError| Failure::new(error.to_string()).remedy(CA_FILE);
    let mut trust = Trust::load(settings.agent_ca_file.as_deref(), false).map_err(failed)?;
    // Whoever holds the certificate of this configuration is the agent, if only this user may read it.
    if let Some(Err(error)) = settings.tls_cert_file.as_deref().map(|file| trust.add_file(file)) {
        log::debug!("{error}");
    }
    Ok(client.with_tls(trust.for_known().map_err(failed)?))
}

/// Whether something stands before an `@` in front of the host.
fn holds_key(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

/// `localhost:9090` is short for `http://localhost:9090`, or `https` where this configuration has something to do with certificates.
fn with_scheme(url: &str, settings: &Settings) -> String {
    let scheme = scheme(settings.tls_cert_file.is_some() || settings.agent_ca_file.is_some());
    if url.contains("://") { url.to_owned() } else { format!("{scheme}://{url}") }
}

fn scheme(is_tls: bool) -> &'static str {
    if is_tls { "https" } else { "http" }
}

/// Where the agent of this configuration is found.
pub(super) fn here(settings: &Settings) -> String {
    // Whoever listens everywhere is found at home.
    let host = match settings.listen_address.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "[::1]",
        host => host,
    };
    format!("{}://{host}:{}", scheme(settings.tls_cert_file.is_some()), settings.listen_port)
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let remedy = error.remedy().to_owned();
        let usage = matches!(error, ClientError::Refused { status: 400 | 422, .. });
        let failure = Failure::new(error.to_string()).remedy(remedy);
        if usage { failure.usage() } else { failure }
    }
}

const CA_FILE: &str = "name a readable file with at least one PEM certificate with --agent-ca (AgentCAFile)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_an_address_is_refused_and_not_repeated() {
        for url in ["http://:sca_secret@localhost:9090", "sca_secret@localhost:9090"] {
            let error = client(Some(url), &Settings::default()).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("sca_secret"), "{error}");
        }
        assert!(client(Some("http://localhost:9090/a@b"), &Settings::default()).is_ok());
    }

    #[test]
    fn an_address_without_a_scheme_is_plain_http() {
        let url = |url| client(Some(url), &Settings::default()).unwrap().url().to_owned();
        assert_eq!(url("localhost:19090"), "http://localhost:19090");
        assert_eq!(url("https://agent.example.com/"), "https://agent.example.com");
        assert_eq!(client(None, &Settings::default()).unwrap().url(), "http://127.0.0.1:9090");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap().cert.pem()).unwrap();
        let with_ca = Settings { agent_ca_file: Some(file), ..Settings::default() };
        assert_eq!(client(Some("localhost:19090"), &with_ca).unwrap().url(), "https://localhost:19090");
        assert_eq!(client(None, &with_ca).unwrap().url(), "http://127.0.0.1:9090", "its own agent has no certificate");
    }
}
