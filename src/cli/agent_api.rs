//! A running agent as the subcommands see that ask it something: its REST API.

use super::Failure;
use super::args::AgentArgs;
use crate::config::Settings;
use serde_json::Value;
use std::time::Duration;

/// A running agent's REST API.
pub(super) struct AgentApi {
    url: String,
    client: ureq::Agent,
}

impl AgentApi {
    /// The agent that the flags name, or the one that this configuration starts on this host.
    pub(super) fn new(args: &AgentArgs, settings: &Settings) -> AgentApi {
        let here = || {
            // Whoever listens everywhere is found at home.
            let host = match settings.listen_address.as_str() {
                "0.0.0.0" => "127.0.0.1",
                "::" | "[::]" => "[::1]",
                host => host,
            };
            format!("http://{host}:{}", settings.listen_port)
        };
        let url = args.agent.clone().unwrap_or_else(here).trim_end_matches('/').to_owned();
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        AgentApi { url, client: config.into() }
    }

    /// Asks; what the agent refuses is a failure in its own words.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.url);
        let request =
            ureq::http::Request::builder().method(method).uri(&url).header("Content-Type", "application/json");
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
