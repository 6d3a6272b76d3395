//! Gate, tiny_http and workers, started in order and ended in order.

use super::audit::{AuditConfig, Auditor, Refusals};
use super::auth::Auth;
use super::gate::{self, Certificate, Gate, GateConfig, GateLimits};
use super::problem::Problem;
use super::respond;
use super::stats::Stats;
use super::surroundings::Surroundings;
use super::waiting::{max_changing, source, without_query};
use super::worker;
use crate::config::ApiKey;
use crate::manager::Command;
use crate::telemetry::{Gauge, Metrics};
use crossbeam_channel::Sender;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiny_http::{Request, Server};

/// What the API is started with.
pub struct ApiConfig {
    /// Where it listens; bound by the caller, so that a port in use is found before anything else is done.
    pub listener: TcpListener,
    /// A folder for the socket between the gate and tiny_http.
    pub home: PathBuf,
    /// Where commands go.
    pub commands: Sender<Command>,
    /// What the agent counts.
    pub metrics: Metrics,
    /// Who may call; without any, everybody who reaches it.
    pub keys: Vec<ApiKey>,
    /// Speaks TLS, if given.
    pub certificate: Option<Arc<Certificate>>,
    /// What clients may cost.
    pub limits: GateLimits,
    /// What they do is written here.
    pub audit: AuditConfig,
}

/// What every request may need.
pub(super) struct Shared {
    /// Where commands go.
    pub(super) commands: Sender<Command>,
    pub(super) auth: Auth,
    pub(super) auditor: Arc<Auditor>,
    pub(super) surroundings: Surroundings,
    pub(super) stats: Arc<Stats>,
    pub(super) max_body_bytes: usize,
    /// How many requests may be under way where one more changes something.
    pub(super) max_changing: i64,
}

/// The running API.
pub struct Api {
    gate: Gate,
    server: Arc<Server>,
    shared: Arc<Shared>,
    under_way: Arc<Gauge>,
    certificate: Option<Arc<Certificate>>,
    address: SocketAddr,
}

/// Why the API cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the REST API cannot start: {0}")]
pub struct ApiError(String);

impl Api {
    /// Starts accepting.
    pub fn start(config: ApiConfig) -> Result<Api, ApiError> {
        let failed = |error: &dyn std::fmt::Display| ApiError(error.to_string());
        let address = config.listener.local_addr().map_err(|error| failed(&error))?;
        let audit_path = config.audit.path.clone();
        let refusals = Arc::<Refusals>::default();
        let auditor = Auditor::open(config.audit, refusals.clone())
            .map_err(|error| ApiError(format!("the audit log {}: {error}", audit_path.display())))?;
        let auditor = Arc::new(auditor);
        let stats = Arc::<Stats>::default();
        let mut metrics = config.metrics;
        metrics.add(stats.clone());
        metrics.add(auditor.clone());

        let (listener, inner) = inner_listener(&config.home).map_err(|error| failed(&error))?;
        let server = Server::from_listener(listener, None).map_err(|error| failed(&error))?;
        let server = Arc::new(server);
        let tls = config.certificate.as_ref().map(Certificate::server_config).transpose();
        let tls = tls.map_err(|error| failed(&error))?;
        let max_body_bytes = config.limits.max_body_bytes;
        let max_changing = max_changing(config.limits.connections);
        let refused = {
            let auditor = auditor.clone();
            move |refused: &gate::Refused<'_>| {
                let gate::Refused { source, method, target, status, detail } = *refused;
                auditor.refuse(source, method, without_query(target), status, detail);
            }
        };
        let refused = Box::new(refused);
        let gate = GateConfig { listener: config.listener, inner, tls, limits: config.limits, refused };
        let gate = Gate::start(gate).map_err(|error| failed(&error))?;
        metrics.add(gate.stats());
        let under_way = Arc::<Gauge>::default();
        let counted = under_way.clone();
        // Full is where changes are refused; those that look may be more.
        metrics.add_queue("requests", usize::try_from(max_changing).unwrap_or(0), move || {
            usize::try_from(counted.get()).unwrap_or(0)
        });
        let notes = auditor.notes().clone();
        metrics.add_queue("audit", notes.capacity().unwrap_or(0), move || notes.len());
        let surroundings = Surroundings { metrics, auditor: auditor.clone() };
        let (commands, auth) = (config.commands, Auth::new(config.keys, refusals));
        let shared = Arc::new(Shared { commands, auth, auditor, surroundings, stats, max_body_bytes, max_changing });

        worker::start(server.clone(), &shared, under_way.clone()).map_err(|error| failed(&error))?;
        Ok(Api { gate, server, shared, under_way, certificate: config.certificate, address })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Takes these keys from now on.
    pub fn set_keys(&self, keys: Vec<ApiKey>) {
        self.shared.auth.set_keys(keys);
    }

    /// Looks after what time brings: a certificate whose files changed, and refusals that are summed up in the audit log.
    pub fn tend(&self) {
        self.shared.auditor.catch_up(false);
        match self.certificate.as_ref().map(|certificate| certificate.reload()) {
            Some(Ok(true)) => log::info!("the REST API shows another certificate from now on"),
            Some(Err(error)) => log::error!("the REST API's certificate stays as it was: {error}"),
            Some(Ok(false)) | None => {}
        }
    }

    /// Stops accepting; requests under way are still answered.
    pub fn stop(&self) {
        self.gate.stop();
        self.server.unblock();
    }

    /// Gives what is under way its answer and its end on record, once the manager has stopped.
    pub fn close(&self) {
        let deadline = Instant::now() + CLOSING;
        while self.under_way.get() > 0 && Instant::now() < deadline {
            std::thread::sleep(CLOSING_POLL);
        }
        self.shared.auditor.catch_up(true);
    }
}

/// Listens on a socket that nobody but this user may open.
fn inner_listener(home: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let mut path = home.join(SOCKET_NAME);
    if path.as_os_str().as_bytes().len() > MAX_SOCKET_PATH_BYTES {
        let name = format!("scale-cluster-agent-{:016x}.sock", fastrand::u64(..));
        path = std::env::temp_dir().join(name);
    }
    match std::fs::remove_file(&path) {
        // One that an earlier run left behind.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok((listener, path))
}

impl Shared {
    /// Refuses a request for which there is no place.
    pub(super) fn turn_away(&self, request: Request) {
        let problem = Problem::overloaded();
        let (method, path) = (request.method().as_str(), without_query(request.url()));
        self.auditor.refuse(source(&request), method, path, problem.status, &problem.detail);
        self.stats.answered(None, problem.status, Duration::ZERO);
        let page = respond::problem(problem, request.url());
        respond::send(request, page);
    }
}

/// How long the end of the agent waits for answers to be written: the disk of the audit log is all that can keep them.
const CLOSING: Duration = Duration::from_secs(1);
const CLOSING_POLL: Duration = Duration::from_millis(5);
/// The socket in the agent's directory.
const SOCKET_NAME: &str = "api.sock";
/// `sun_path` has 108 bytes (unix(7)), one of them for the end.
const MAX_SOCKET_PATH_BYTES: usize = 107;
