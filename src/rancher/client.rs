//! One call to Rancher's REST API, and what its answer means.

use super::{Answer, RancherError, Trust};
use crate::config::{Proxy, RancherUrl, Secret};
use parking_lot::RwLock;
use serde_json::Value;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder, Timeout};

/// A client of one Rancher server. Calls block; threads share it by cloning.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    base: String,
    token: Arc<RwLock<Secret>>,
    trust: Trust,
    proxy: Option<ureq::Proxy>,
}

impl Client {
    /// A client for `url` (`https://HOST[:PORT][/PREFIX]`), through `proxy` if there is one, that believes whom `trust` says;
    /// each call takes `timeout` at most.
    pub fn new(
        url: &str,
        token: Secret,
        trust: Trust,
        proxy: Option<&Proxy>,
        timeout: Duration,
    ) -> Result<Client, RancherError> {
        let proxy = proxy.map(connect_proxy).transpose().map_err(|error| RancherError::Unreachable {
            url: url.to_owned(),
            cause: format!("the proxy cannot be used: {error}"),
        })?;
        let base = url.trim_end_matches('/').to_owned();
        Ok(Client {
            agent: agent(&trust, proxy.as_ref(), timeout),
            base,
            token: Arc::new(RwLock::new(token)),
            trust,
            proxy,
        })
    }

    /// Trusts the certificate of Rancher's `cacerts` setting from now on, fetched without verification, if its SHA-256 is
    /// `checksum`: what the real agent does with `CATTLE_CA_CHECKSUM`.
    pub fn trust_announced(&mut self, checksum: &str, timeout: Duration) -> Result<(), RancherError> {
        let stranger = Client {
            agent: agent(&Trust::insecure(), self.proxy.as_ref(), timeout),
            token: Arc::default(),
            ..self.clone()
        };
        let setting = stranger.get("/v3/settings/cacerts")?;
        self.trust.add_announced(setting["value"].as_str().unwrap_or_default(), checksum)?;
        self.agent = agent(&self.trust, self.proxy.as_ref(), timeout);
        Ok(())
    }

    /// Uses another API token from now on, in all clones.
    pub fn set_token(&self, token: Secret) {
        *self.token.write() = token;
    }

    /// Whom this client believes.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// GET of a path below the base URL, or of a whole URL that Rancher gave (`pagination.next`).
    pub(super) fn get(&self, target: &str) -> Result<Value, RancherError> {
        let call = format!("GET {}", without_query(target));
        let url = self.url(target)?;
        let answer = self.authorized(self.agent.get(&url)).call();
        self.judge(call, answer)
    }

    /// The same with the answer's `Date`.
    pub(super) fn get_dated(&self, target: &str) -> Result<(Value, Option<String>), RancherError> {
        let call = format!("GET {}", without_query(target));
        let url = self.url(target)?;
        let answer = self.authorized(self.agent.get(&url)).call();
        let date = |answer: &Response<Body>| Some(answer.headers().get("Date")?.to_str().ok()?.to_owned());
        let date = answer.as_ref().ok().and_then(date);
        self.judge(call, answer).map(|answer| (answer, date))
    }

    /// What Rancher calls its API token: the part before the colon. `None` where it is no token of `/v3/tokens`.
    pub(super) fn token_name(&self) -> Option<String> {
        let token = self.token.read();
        let (name, _) = token.expose().split_once(':')?;
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-').then(|| name.to_owned())
    }

    /// POST of a JSON body.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, RancherError> {
        let call = format!("POST {}", without_query(path));
        let url = self.url(path)?;
        let answer = self.authorized(self.agent.post(&url)).send_json(body);
        self.judge(call, answer)
    }

    /// PUT of a JSON body.
    pub(super) fn put(&self, path: &str, body: &Value) -> Result<Value, RancherError> {
        let call = format!("PUT {}", without_query(path));
        let url = self.url(path)?;
        let answer = self.authorized(self.agent.put(&url)).send_json(body);
        self.judge(call, answer)
    }

    /// DELETE; the answer's body has no meaning.
    pub(super) fn delete(&self, path: &str) -> Result<(), RancherError> {
        let call = format!("DELETE {}", without_query(path));
        let url = self.url(path)?;
        match self.authorized(self.agent.delete(&url)).call() {
            Ok(answer) if answer.status().is_success() => Ok(()),
            other => self.judge(call, other).map(drop),
        }
    }

    /// Adds what every request carries; without a token it is nobody's.
    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let request = request.header("Accept", "application/json");
        let token = self.token.read();
        match token.is_empty() {
            true => request,
            false => request.header("Authorization", format!("Bearer {}", token.expose())),
        }
    }

    /// Never lets the token leave for another host, whatever a `next` link says.
    fn url(&self, target: &str) -> Result<String, RancherError> {
        if target.starts_with('/') {
            return Ok(format!("{}{target}", self.base));
        }
        let same_host = |other: &RancherUrl, ours: &RancherUrl| (&other.host, other.port) == (&ours.host, ours.port);
        let path = target.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        match (RancherUrl::parse(without_query(target)), RancherUrl::parse(&self.base), path) {
            (Ok(theirs), Ok(ours), Some((_, path))) if same_host(&theirs, &ours) => {
                let origin = self.base.strip_suffix(&ours.path_prefix).unwrap_or(&self.base);
                Ok(format!("{origin}/{path}"))
            }
            _ => Err(RancherError::Redirected {
                call: "the next page".into(),
                location: without_query(target).to_owned(),
            }),
        }
    }

    fn judge(&self, call: String, answer: Result<Response<Body>, ureq::Error>) -> Result<Value, RancherError> {
        let mut answer = answer.map_err(|error| self.no_answer(&call, error))?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, location, content_type) =
            (answer.status().as_u16(), header("Location"), header("Content-Type").unwrap_or_default());
        let retry_after = header("Retry-After").and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
        if answer.status().is_redirection() {
            return Answer { status, location, content_type, retry_after, text: String::new() }.json(call);
        }
        let text = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
        let text = text.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(limit) => {
                RancherError::Unexpected { call: call.clone(), found: format!("more than {limit} bytes") }
            }
            error => self.no_answer(&call, error),
        })?;
        Answer { status, location, content_type, retry_after, text }.json(call)
    }

    fn no_answer(&self, call: &str, error: ureq::Error) -> RancherError {
        let url = self.base.clone();
        let untrusted = match &error {
            ureq::Error::Rustls(tls) => Some(tls.to_string()),
            ureq::Error::Io(io) => io.get_ref().and_then(|inner| inner.downcast_ref()).map(rustls::Error::to_string),
            _ => None,
        };
        if let Some(cause) = untrusted {
            return RancherError::Untrusted { url, cause };
        }
        let nothing_was_sent = match &error {
            ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
            ureq::Error::Io(io) => NO_CONNECTION.contains(&io.kind()),
            _ => false,
        };
        match (nothing_was_sent, error.to_string()) {
            (true, cause) => RancherError::Unreachable { url, cause },
            (false, cause) => RancherError::NoAnswer { url, call: call.to_owned(), cause },
        }
    }
}

fn agent(trust: &Trust, proxy: Option<&ureq::Proxy>, timeout: Duration) -> Agent {
    Agent::config_builder()
        .tls_config(trust.for_rest())
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(proxy.cloned())
        .user_agent(concat!("scale-cluster-agent/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

fn connect_proxy(proxy: &Proxy) -> Result<ureq::Proxy, ureq::Error> {
    let host = if proxy.host.contains(':') { format!("[{}]", proxy.host) } else { proxy.host.clone() };
    let builder = ureq::Proxy::builder(ureq::ProxyProtocol::Http).host(&host).port(proxy.port).resolve_target(false);
    match &proxy.credentials {
        Some((user, password)) => builder.username(user).password(password.expose()).build(),
        None => builder.build(),
    }
}

pub(super) fn without_query(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// A page of a thousand clusters is a few megabytes; more is no answer to anything we ask.
const MAX_ANSWER_BYTES: u64 = 64 << 20;
/// What only an attempt to connect ends with.
const NO_CONNECTION: [ErrorKind; 4] = [
    ErrorKind::ConnectionRefused,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
    ErrorKind::AddrNotAvailable,
];
