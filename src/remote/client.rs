//! A client of the agent's REST API.

use super::tls::TlsConnector;
use crate::config::Secret;
use crate::manager::RampView;
use crate::ramp::{Results, Spec};
use rustls::CertificateError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, TcpConnector};

/// Calls an agent. Every call has a deadline.
#[derive(Debug, Clone)]
pub struct Client {
    http: ureq::Agent,
    url: String,
    /// Empty where the agent asks for none.
    key: Secret,
}

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("the agent at {url} does not answer {call}: {cause}")]
    Unreachable {
        /// Its URL.
        url: String,
        /// Method and path.
        call: String,
        /// Why.
        cause: String,
    },
    /// Nothing says that it is the agent.
    #[error("the certificate of {url} is not trusted: {cause}")]
    Untrusted {
        /// Its URL.
        url: String,
        /// Why.
        cause: String,
        /// What to do next.
        remedy: &'static str,
    },
    /// The agent says no, in the words of its problem document.
    #[error("{detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What happened.
        detail: String,
        /// What to do next.
        remedy: String,
    },
    /// The answer is no answer of an agent of this version.
    #[error("the answer of {url} to {call} is not understood: {problem}")]
    Unexpected {
        /// Its URL.
        url: String,
        /// Method and path.
        call: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Client {
    /// A client of the agent at this URL, such as `http://127.0.0.1:9090`; at one of `https`, no certificate is trusted yet.
    pub fn new(url: &str) -> Client {
        Client { http: http(None), url: url.trim_end_matches('/').to_owned(), key: Secret::default() }
    }

    /// The same with TLS as this says.
    pub fn with_tls(self, tls: Arc<rustls::ClientConfig>) -> Client {
        Client { http: http(Some(tls)), ..self }
    }

    /// The same with an API key.
    pub fn with_key(self, key: Secret) -> Client {
        Client { key, ..self }
    }

    /// Where the agent is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts a ramp.
    pub fn start_ramp(&self, spec: &Spec) -> Result<RampView, ClientError> {
        self.call("POST", "/ramps", Some(&spec.to_json()))
    }

    /// A ramp as it stands.
    pub fn ramp(&self, id: u64) -> Result<RampView, ClientError> {
        self.call("GET", &format!("/ramps/{id}"), None)
    }

    /// Ends a ramp; its clusters stay.
    pub fn stop_ramp(&self, id: u64) -> Result<RampView, ClientError> {
        self.call("POST", &format!("/ramps/{id}/stop"), None)
    }

    /// The raw results of a ramp, as far as it is.
    pub fn results(&self, id: u64) -> Result<Results, ClientError> {
        self.call("GET", &format!("/ramps/{id}/results"), None)
    }

    /// Makes something go wrong.
    pub fn inject(&self, fault: &Value) -> Result<Value, ClientError> {
        self.call("POST", "/faults", Some(fault))
    }

    /// How the agent fares.
    pub fn health(&self) -> Result<Value, ClientError> {
        self.call("GET", "/health", None)
    }

    /// Deletes all clusters of a prefix; the operation that does it.
    pub fn delete_prefix(&self, prefix: &str) -> Result<Value, ClientError> {
        self.call("DELETE", &format!("/clusters?prefix={prefix}"), None)
    }

    /// Deletes those that a run made; of these only those of a prefix, unless it is empty.
    pub fn delete_run(&self, prefix: &str, run: &str) -> Result<Value, ClientError> {
        let prefix = if prefix.is_empty() { String::new() } else { format!("&prefix={prefix}") };
        self.call("DELETE", &format!("/clusters?run={run}{prefix}"), None)
    }

    /// An operation as it stands.
    pub fn operation(&self, id: u64) -> Result<Value, ClientError> {
        self.call("GET", &format!("/operations/{id}"), None)
    }

    /// Any call; what the agent refuses is an error in its own words.
    pub fn call<T: DeserializeOwned>(&self, method: &str, path: &str, body: Option<&Value>) -> Result<T, ClientError> {
        let call = format!("{method} {path}");
        let unreachable = |error: ureq::Error| self.unreachable(&call, error);
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        let mut request = request.header("Content-Type", "application/json");
        if !self.key.is_empty() {
            request = request.header("X-API-Key", self.key.expose());
        }
        let response = match (method, body) {
            ("GET", None) => request.body(()).map(|request| self.http.run(request)),
            // A body without a length is sent in pieces, of which nobody here reads the end.
            (_, body) => {
                let text = body.map(Value::to_string).unwrap_or_default();
                request.body(text).map(|request| self.http.run(request))
            }
        };
        let response = response.map_err(ureq::Error::from).flatten().map_err(unreachable);
        let mut response = response?;
        let status = response.status();
        let text = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string().map_err(unreachable)?;
        let unexpected =
            |problem: String| ClientError::Unexpected { url: self.url.clone(), call: call.clone(), problem };
        // Health answers 503 with what is wrong.
        if status.is_success() || (path == "/health" && status.as_u16() == 503) {
            return serde_json::from_str(&text).map_err(|error| unexpected(error.to_string()));
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        match (problem["detail"].as_str(), problem["remedy"].as_str()) {
            (Some(detail), remedy) => Err(ClientError::Refused {
                status: status.as_u16(),
                detail: detail.to_owned(),
                remedy: remedy.unwrap_or_default().to_owned(),
            }),
            _ => Err(unexpected(format!("{status}, and no problem document"))),
        }
    }

    fn unreachable(&self, call: &str, error: ureq::Error) -> ClientError {
        let url = self.url.clone();
        let tls = match &error {
            ureq::Error::Rustls(error) => Some(error),
            ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
            _ => None,
        };
        match tls {
            Some(rustls::Error::InvalidCertificate(problem)) => {
                let (cause, remedy) = untrusted(problem);
                ClientError::Untrusted { url, cause, remedy }
            }
            _ => ClientError::Unreachable { url, call: call.to_owned(), cause: error.to_string() },
        }
    }
}

fn untrusted(problem: &CertificateError) -> (String, &'static str) {
    use CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext};
    match problem {
        Expired | ExpiredContext { .. } => (problem.to_string(), RENEW),
        NotValidForName | NotValidForNameContext { .. } => (problem.to_string(), OTHER_NAME),
        other => (format!("nobody who is known here vouches for it ({other})"), NAME_IT),
    }
}

impl ClientError {
    /// What to do about it.
    pub fn remedy(&self) -> &str {
        match self {
            ClientError::Unreachable { .. } => {
                "see that the agent runs and that --agent is the address it listens on, https with a TLSCertFile and http without"
            }
            ClientError::Untrusted { remedy, .. } => remedy,
            ClientError::Refused { remedy, .. } => remedy,
            ClientError::Unexpected { .. } => "see that --agent leads to an agent of this version",
        }
    }
}

fn http(tls: Option<Arc<rustls::ClientConfig>>) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // Whoever answers with another address must not get the key.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(CALL_TIMEOUT))
        // The agent is on this host or in this lab, whatever leads out of it.
        .proxy(None)
        .build();
    ureq::Agent::with_parts(config, TcpConnector::default().chain(TlsConnector(tls)), DefaultResolver::default())
}

/// A busy manager answers within milliseconds; results of a large fleet take a second to write and read.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const NAME_IT: &str = "name the PEM file of its CA, or of the certificate itself, with --agent-ca FILE (AgentCAFile in the configuration)";
const OTHER_NAME: &str =
    "call the agent by a name that the certificate is for, or name the very certificate with --agent-ca FILE";
const RENEW: &str =
    "renew the certificate in the agent's TLSCertFile, which it shows without a restart; check this host's clock";
/// Results of the largest fleet, several times over.
const MAX_ANSWER_BYTES: u64 = 1 << 30;
