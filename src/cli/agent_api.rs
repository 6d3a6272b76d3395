//! A running agent as the subcommands see that ask it something: its REST API.

use super::Failure;
use crate::config::Settings;
use crate::rancher::Trust;
use crate::remote::{Client, ClientError};

/// A client of the agent at `url`, or of the one that this configuration starts on this host, with this configuration's key.
pub(super) fn client(url: Option<&str>, settings: &Settings) -> Result<Client, Failure> {
    if url.is_some_and(holds_key) {
        // It would be shown in reports, and in the list of processes.
        let failure = Failure::new("the address of an agent holds a key or a password");
        return Err(failure.remedy("leave it out and put the key into APIKey or SCALE_AGENT_API_KEY").usage());
    }
    // Beside the system's authorities, whoever holds the certificate of this configuration is the agent.
    let trust = Trust::load(settings.tls_cert_file.as_deref(), false);
    let trust = trust.map_err(|error| Failure::new(error.to_string()).remedy(error.remedy()))?;
    let client = Client::new(&url.map_or_else(|| here(settings), with_scheme));
    Ok(client.with_tls(trust.for_rest()).with_key(settings.api_key.clone()))
}

/// Whether something stands before an `@` in front of the host.
fn holds_key(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

/// `localhost:9090` is short for `http://localhost:9090`.
fn with_scheme(url: &str) -> String {
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

/// Where the agent of this configuration is found.
pub(super) fn here(settings: &Settings) -> String {
    // Whoever listens everywhere is found at home.
    let host = match settings.listen_address.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "[::1]",
        host => host,
    };
    let scheme = if settings.tls_cert_file.is_some() { "https" } else { "http" };
    format!("{scheme}://{host}:{}", settings.listen_port)
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let remedy = error.remedy().to_owned();
        let usage = matches!(error, ClientError::Refused { status: 400 | 422, .. });
        let failure = Failure::new(error.to_string()).remedy(remedy);
        if usage { failure.usage() } else { failure }
    }
}

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
    }
}
