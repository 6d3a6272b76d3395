//! A running agent as the subcommands see that ask it something: its REST API.

use super::Failure;
use super::args::AgentArgs;
use crate::config::{Secret, Settings};
use crate::rancher::Trust;
use serde_json::Value;
use std::time::Duration;

/// A running agent's REST API.
pub(super) struct AgentApi {
    url: String,
    key: Secret,
    client: ureq::Agent,
}

impl AgentApi {
    /// The agent that the flags name, or the one that this configuration starts on this host.
    pub(super) fn new(args: &AgentArgs, settings: &Settings) -> Result<AgentApi, Failure> {
        let here = || {
            // Whoever listens everywhere is found at home.
            let host = match settings.listen_address.as_str() {
                "0.0.0.0" => "127.0.0.1",
                "::" | "[::]" => "[::1]",
                host => host,
            };
            let scheme = if settings.tls_cert_file.is_some() { "https" } else { "http" };
            format!("{scheme}://{host}:{}", settings.listen_port)
        };
        let url = args.agent.clone().unwrap_or_else(here).trim_end_matches('/').to_owned();
        // Beside the system's authorities, whoever holds the certificate of this configuration is the agent.
        let trust = Trust::load(settings.tls_cert_file.as_deref(), false);
        let trust = trust.map_err(|error| Failure::new(error.to_string()).remedy(error.remedy()))?;
        let config = ureq::Agent::config_builder().tls_config(trust.for_rest());
        let config = config.http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        Ok(AgentApi { url, key: settings.api_key.clone(), client: config.into() })
    }

    /// Asks; what the agent refuses is a failure in its own words.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.url);
        let mut request =
            ureq::http::Request::builder().method(method).uri(&url).header("Content-Type", "application/json");
        if !self.key.is_empty() {
            request = request.header("X-API-Key", self.key.expose());
        }
        let out_of_reach = |error: ureq::Error| {
            Failure::new(format!("the agent at {} does not answer: {error}", self.url))
                .remedy("start it, or say with --agent where it is")
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(body).map_err(|error| Failure::new(format!("{url}: {error}")).usage())?;
        let mut response = self.client.run(request).map_err(out_of_reach)?;
        let text = response.body_mut().with_config().limit(LARGEST_ANSWER_BYTES).read_to_string();
        let answer: Value = serde_json::from_str(&text.map_err(out_of_reach)?).unwrap_or_default();
        if response.status().is_success() {
            return Ok(answer);
        }
        let told = |field: &str| answer[field].as_str().map(str::to_owned);
        let detail = told("detail").unwrap_or_else(|| format!("{method} {url} is answered {}", response.status()));
        let failure = Failure::new(detail).remedy(told("remedy").unwrap_or_else(|| "see the agent's log".into()));
        let is_usage = matches!(response.status().as_u16(), 400 | 422);
        Err(if is_usage { failure.usage() } else { failure })
    }
}

/// Longer than any answer waits for Rancher.
const PATIENCE: Duration = Duration::from_secs(60);
/// A page of the largest fleet, several times over.
const LARGEST_ANSWER_BYTES: u64 = 256 << 20;
