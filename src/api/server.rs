//! From tiny_http to the handlers and back.

use super::audit::{AuditConfig, AuditLog, Deed};
use super::auth::{Auth, Refused};
use super::body::{header, read_object};
use super::call::{Call, Page, Present, Reaction};
use super::field::Values;
use super::gate::{Certificate, Gate, GateConfig, GateLimits, SOURCE_FIELD};
use super::problem::Problem;
use super::respond;
use super::route::{Found, Route};
use super::stats::Stats;
use crate::config::ApiKey;
use crate::manager::{Action, Answer, Command, HealthView, Reply};
use crate::telemetry::Metrics;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
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

/// What every handler may use.
pub(super) struct Shared {
    /// Where commands go.
    pub(super) commands: Sender<Command>,
    /// What the agent counts.
    pub(super) metrics: Metrics,
    auth: Auth,
    audit: Arc<AuditLog>,
    stats: Arc<Stats>,
    max_body_bytes: usize,
}

/// The running API.
pub struct Api {
    gate: Gate,
    server: Arc<Server>,
    shared: Arc<Shared>,
    certificate: Option<Arc<Certificate>>,
    address: SocketAddr,
}

/// Why the API cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the REST API cannot start: {0}")]
pub struct ApiError(String);

/// What the `api-N` threads do.
enum Work {
    Read(Request),
    Answer(Box<Waiting>, Option<Present>, Answer),
}

/// A request that waits for its answer.
struct Waiting {
    request: Request,
    /// The position of its route in the table, if it has one.
    route: Option<usize>,
    begun: Instant,
    /// What the audit log says of it, if anything.
    deed: Option<Deed>,
}

impl Api {
    /// Starts accepting.
    pub fn start(config: ApiConfig) -> Result<Api, ApiError> {
        let failed = |error: &dyn std::fmt::Display| ApiError(error.to_string());
        let address = config.listener.local_addr().map_err(|error| failed(&error))?;
        let audit_path = config.audit.path.clone();
        let audit = AuditLog::open(config.audit)
            .map_err(|error| ApiError(format!("the audit log {}: {error}", audit_path.display())))?;
        let audit = Arc::new(audit);
        let stats = Arc::<Stats>::default();
        let mut metrics = config.metrics;
        metrics.add(stats.clone());
        metrics.add(audit.clone());

        let (listener, inner) = inner_listener(&config.home).map_err(|error| failed(&error))?;
        let server = Server::from_listener(listener, None).map_err(|error| failed(&error))?;
        let server = Arc::new(server);
        let tls = config.certificate.as_ref().map(Certificate::server_config).transpose();
        let tls = tls.map_err(|error| failed(&error))?;
        let max_body_bytes = config.limits.max_body_bytes;
        let gate = GateConfig { listener: config.listener, inner, tls, limits: config.limits };
        let gate = Gate::start(gate).map_err(|error| failed(&error))?;
        metrics.add(gate.stats());
        let (commands, auth) = (config.commands, Auth::new(config.keys));
        let shared = Arc::new(Shared { commands, metrics, auth, audit, stats, max_body_bytes });

        let (work, queue) = bounded(QUEUE_LENGTH);
        for index in 0..THREADS {
            let worker = Worker { queue: queue.clone(), work: work.clone(), shared: shared.clone() };
            spawn(format!("api-{index}"), move || worker.run())?;
        }
        let acceptor = server.clone();
        spawn("api".into(), move || accept(&acceptor, &work))?;
        Ok(Api { gate, server, shared, certificate: config.certificate, address })
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
        self.sum_up(false);
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
        self.sum_up(true);
    }

    fn sum_up(&self, all: bool) {
        if let Some(unrecorded) = self.shared.auth.unrecorded(Instant::now(), all) {
            self.shared.audit.sum_up(&unrecorded);
        }
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

fn accept(server: &Server, work: &Sender<Work>) {
    loop {
        match server.recv() {
            Ok(request) => match work.try_send(Work::Read(request)) {
                Ok(()) => {}
                Err(TrySendError::Full(Work::Read(request))) => {
                    let page = respond::problem(Problem::overloaded(), request.url());
                    respond::send(request, page);
                }
                Err(_) => return,
            },
            // `stop` was called, or the listening socket broke: the agent itself goes on.
            Err(error) => return log::debug!("the REST API stops accepting: {error}"),
        }
    }
}

struct Worker {
    queue: Receiver<Work>,
    work: Sender<Work>,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(self) {
        for work in &self.queue {
            match work {
                Work::Read(request) => self.read(request),
                Work::Answer(waiting, present, answer) => self.answer(*waiting, present, answer),
            }
        }
    }

    fn read(&self, request: Request) {
        let mut waiting = Waiting { request, route: None, begun: Instant::now(), deed: None };
        let reaction = self.shared.take(&mut waiting);
        match reaction {
            Err(problem) => self.shared.refuse(waiting, problem),
            Ok(Reaction::Show(page)) => self.shared.send(waiting, page, None),
            Ok(Reaction::Ask(action)) => self.ask(waiting, None, action),
            Ok(Reaction::AskFor(action, present)) => self.ask(waiting, Some(present), action),
        }
    }

    fn ask(&self, waiting: Waiting, present: Option<Present>, action: Action) {
        let (work, waiting) = (self.work.clone(), Box::new(waiting));
        let reply = Reply::new(move |answer| {
            // A queue as full as that has no room for this answer either: its client sees a closed connection.
            let _ = work.try_send(Work::Answer(waiting, present, answer));
        });
        let refused = self.shared.commands.try_send(Command { action, reply });
        if let Err(TrySendError::Full(command) | TrySendError::Disconnected(command)) = refused {
            let refusal = crate::manager::Refusal::new(
                crate::manager::RefusalKind::Unavailable,
                "the agent has more requests waiting than it can hold, or is stopping",
                "try again in a second",
            );
            command.reply.send(Answer::Refused(refusal));
        }
    }

    fn answer(&self, waiting: Waiting, present: Option<Present>, answer: Answer) {
        let page = match present {
            Some(present) => present(&self.shared, answer).or_else(respond::answer),
            None => respond::answer(answer),
        };
        match page {
            Ok(page) => self.shared.send(waiting, page, None),
            Err(problem) => self.shared.refuse(waiting, problem),
        }
    }
}

impl Shared {
    /// Checks a request and its caller against the route, and lets the handler have it.
    fn take(&self, waiting: &mut Waiting) -> Result<Reaction, Problem> {
        let request = &mut waiting.request;
        let (method, path) = (request.method().as_str().to_owned(), path_and_query(request).0.to_owned());
        let source = source(request);
        let found = Route::find(&method, &path);
        waiting.route = found.as_ref().ok().map(|found| found.index);
        // What is nowhere tells nothing, so anybody may hear of it.
        let role = found.as_ref().ok().and_then(|found| found.route.role);
        let deed = |caller| Deed { source, caller, method, path, cluster: None };
        let caller = match self.auth.admit(request, source, role, waiting.begun) {
            Ok(caller) => caller,
            Err(refused) => {
                let Refused { caller, denial, problem, is_worth_a_record } = *refused;
                self.stats.denied(denial);
                waiting.deed = is_worth_a_record.then(|| deed(caller));
                return Err(problem);
            }
        };
        let Found { route, names, .. } = found?;
        if route.changes_something() {
            waiting.deed = Some(deed(caller));
        }
        let query = Values::from_query(path_and_query(request).1, route.query)?;
        let body = match route.body {
            Some(fields) => Values::from_object(read_object(request, self.max_body_bytes)?, fields)?,
            None => Values::default(),
        };
        let call = Call { names, query, body, shared: self };
        if let Some(deed) = &mut waiting.deed {
            deed.cluster = call.cluster();
        }
        (route.handle)(&call)
    }

    /// Adds what the manager does not know of to the agent's health.
    pub(super) fn complete(&self, health: &mut HealthView) {
        if let Some(problem) = self.audit.problem() {
            health.problems.push(problem);
            health.status = "failing";
        }
    }

    fn refuse(&self, waiting: Waiting, problem: Problem) {
        let detail = problem.detail.clone();
        let page = respond::problem(problem, waiting.request.url());
        self.send(waiting, page, Some(&detail));
    }

    fn send(&self, waiting: Waiting, page: Page, detail: Option<&str>) {
        let took = waiting.begun.elapsed();
        self.stats.answered(waiting.route, page.status, took);
        if let Some(deed) = &waiting.deed {
            self.audit.write(deed, page.status, detail, took);
        }
        respond::send(waiting.request, page);
    }
}

fn path_and_query(request: &Request) -> (&str, &str) {
    request.url().split_once('?').unwrap_or((request.url(), ""))
}

/// Where a request came from, as the gate says.
fn source(request: &Request) -> IpAddr {
    let said = header(request, SOURCE_FIELD).and_then(|address| address.parse().ok());
    // The gate always says it.
    said.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<(), ApiError> {
    std::thread::Builder::new().name(name).spawn(work).map(drop).map_err(|error| ApiError(error.to_string()))
}

/// Threads that read and answer; the gate sees to it that none waits for a client.
const THREADS: usize = 8;
/// Requests and answers that may wait.
const QUEUE_LENGTH: usize = 4096;
/// The socket in the agent's directory.
const SOCKET_NAME: &str = "api.sock";
/// `sun_path` has 108 bytes (unix(7)), one of them for the end.
const MAX_SOCKET_PATH_BYTES: usize = 107;
