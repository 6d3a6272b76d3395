//! From tiny_http to the handlers and back.

use super::audit::{AuditConfig, Auditor, Deed, Outcome, Refusals};
use super::auth::{Auth, Refused};
use super::body::{header, read_object};
use super::call::{Call, Page, Present, Reaction};
use super::field::Values;
use super::gate::{self, Certificate, Gate, GateConfig, GateLimits, SOURCE_FIELD};
use super::problem::{Kind, Problem};
use super::respond;
use super::route::{Found, Route, changes_something};
use super::stats::Stats;
use super::subject;
use crate::config::ApiKey;
use crate::manager::{Action, Answer, Command, HealthView, Reply};
use crate::telemetry::{Gauge, Metrics};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
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

/// What every handler may use.
pub(super) struct Shared {
    /// Where commands go.
    pub(super) commands: Sender<Command>,
    /// What the agent counts.
    pub(super) metrics: Metrics,
    auth: Auth,
    auditor: Arc<Auditor>,
    stats: Arc<Stats>,
    max_body_bytes: usize,
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

/// What the `api-N` threads do.
enum Work {
    Read(Waiting),
    Answer(Waiting, Option<Present>, Answer),
}

/// A request under way. Whatever becomes of it, it is answered, and its deed has an end on record.
struct Waiting {
    /// None once it is answered.
    request: Option<Request>,
    /// The position of its route in the table, if it has one.
    route: Option<usize>,
    begun: Instant,
    /// What the audit log says of it, if anything.
    deed: Option<Box<Deed>>,
    shared: Arc<Shared>,
    _place: Place,
}

/// One of the requests that may be under way at once.
struct Place(Arc<Gauge>);

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
        let (commands, auth) = (config.commands, Auth::new(config.keys, refusals));
        let shared = Arc::new(Shared { commands, metrics, auth, auditor, stats, max_body_bytes });

        let (work, queue) = bounded(MAX_UNDER_WAY as usize);
        for index in 0..THREADS {
            let worker = Worker { queue: queue.clone(), work: work.clone(), shared: shared.clone() };
            spawn(format!("api-{index}"), move || worker.run())?;
        }
        let under_way = Arc::<Gauge>::default();
        let acceptor = Acceptor { server: server.clone(), work, shared: shared.clone(), under_way: under_way.clone() };
        spawn("api".into(), move || acceptor.run())?;
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

struct Acceptor {
    server: Arc<Server>,
    work: Sender<Work>,
    shared: Arc<Shared>,
    under_way: Arc<Gauge>,
}

impl Acceptor {
    fn run(self) {
        loop {
            match self.server.recv() {
                Ok(request) => self.take(request),
                // `stop` was called, or the listening socket broke: the agent itself goes on.
                Err(error) => return log::debug!("the REST API stops accepting: {error}"),
            }
        }
    }

    fn take(&self, request: Request) {
        let Some(place) = Place::among(&self.under_way) else { return self.shared.turn_away(request) };
        let waiting = Waiting {
            request: Some(request),
            route: None,
            begun: Instant::now(),
            deed: None,
            shared: self.shared.clone(),
            _place: place,
        };
        // There is room: each request under way waits at one place at most. Where nobody works any more it is answered as it is dropped.
        let _ = self.work.try_send(Work::Read(waiting));
    }
}

impl Place {
    /// One of those that this counts, if one is left. For one thread to ask.
    fn among(under_way: &Arc<Gauge>) -> Option<Place> {
        (under_way.get() < MAX_UNDER_WAY).then(|| {
            under_way.add(1);
            Place(under_way.clone())
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

struct Worker {
    queue: Receiver<Work>,
    work: Sender<Work>,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(self) {
        loop {
            select! {
                recv(self.queue) -> work => match work {
                    Ok(Work::Read(waiting)) => self.read(waiting),
                    Ok(Work::Answer(waiting, present, answer)) => self.answer(waiting, present, answer),
                    Err(_) => return,
                },
                recv(self.shared.auditor.notes()) -> note => note.into_iter().for_each(|note| self.shared.auditor.put(note)),
            }
        }
    }

    fn read(&self, mut waiting: Waiting) {
        match waiting.take() {
            Err(problem) => waiting.refuse(problem),
            Ok(Reaction::Show(page)) => waiting.end(page, None),
            Ok(Reaction::Ask(action)) => self.ask(waiting, None, action),
            Ok(Reaction::AskFor(action, present)) => self.ask(waiting, Some(present), action),
        }
    }

    fn ask(&self, mut waiting: Waiting, present: Option<Present>, action: Action) {
        if let Some(deed) = &mut waiting.deed {
            deed.cluster = subject::of_action(&action).or(deed.cluster.take());
            self.shared.auditor.write(deed, &Outcome::Begun);
        }
        let work = self.work.clone();
        let reply = Reply::new(move |answer| {
            // There is room, see `Acceptor::take`.
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

    fn answer(&self, mut waiting: Waiting, present: Option<Present>, answer: Answer) {
        if let Some(deed) = &mut waiting.deed {
            deed.cluster = deed.cluster.take().or_else(|| subject::of_answer(&answer));
        }
        let page = match present {
            Some(present) => present(&self.shared, answer).or_else(respond::answer),
            None => respond::answer(answer),
        };
        match page {
            Ok(page) => waiting.end(page, None),
            Err(problem) => waiting.refuse(problem),
        }
    }
}

impl Waiting {
    /// Checks a request and its caller against the route, and lets the handler have it.
    fn take(&mut self) -> Result<Reaction, Problem> {
        let Waiting { request, route, begun, deed, shared, .. } = self;
        // Invariant: it is there until it is answered.
        let Some(request) = request else { return Err(Problem::overloaded()) };
        let (method, path) = (request.method().as_str().to_owned(), without_query(request.url()).to_owned());
        let changes = changes_something(&method);
        let source = source(request);
        let found = Route::find(&method, &path);
        *route = found.as_ref().ok().map(|found| found.index);
        // What is nowhere tells nothing, so anybody may hear of it.
        let role = found.as_ref().ok().and_then(|found| found.route.role);
        let on_record = |caller| Some(Box::new(shared.auditor.deed(source, caller, method, path)));
        let caller = match shared.auth.admit(request, source, role, *begun) {
            Ok(caller) => caller,
            Err(refused) => {
                let Refused { caller, denial, problem, is_worth_a_record } = *refused;
                shared.stats.denied(denial);
                if is_worth_a_record {
                    *deed = on_record(caller);
                }
                return Err(problem);
            }
        };
        let Found { route, names, .. } = match found {
            Ok(found) => found,
            Err(problem) => {
                if changes && shared.auditor.is_worth_a_record(source, *begun) {
                    *deed = on_record(shared.auth.caller(request));
                }
                return Err(problem);
            }
        };
        if changes {
            *deed = on_record(caller);
        }
        let query = request.url().split_once('?').map_or("", |(_, query)| query);
        let query = Values::from_query(query, route.query)?;
        let body = match route.body {
            Some(fields) => Values::from_object(read_object(request, shared.max_body_bytes)?, fields)?,
            None => Values::default(),
        };
        let call = Call { names, query, body, shared };
        if let Some(deed) = deed {
            deed.cluster = subject::of_call(&call);
        }
        (route.handle)(&call)
    }

    fn refuse(self, problem: Problem) {
        let detail = problem.detail.clone();
        let page = respond::problem(problem, self.request.as_ref().map_or("/", Request::url));
        self.end(page, Some(detail));
    }

    fn end(mut self, page: Page, detail: Option<String>) {
        let took = self.begun.elapsed();
        self.shared.stats.answered(self.route, page.status, took);
        if let Some(deed) = self.deed.take() {
            self.shared.auditor.write(&deed, &Outcome::Answered { status: page.status, detail, took });
        }
        if let Some(request) = self.request.take() {
            respond::send(request, page);
        }
    }
}

impl Drop for Waiting {
    /// The manager has stopped without an answer. The thread is its own, so nothing here waits.
    fn drop(&mut self) {
        let Some(request) = self.request.take() else { return };
        let took = self.begun.elapsed();
        if let Some(deed) = self.deed.take() {
            self.shared.auditor.note(*deed, Outcome::Unknown { took });
        }
        let problem = Problem::new(
            Kind::Unavailable,
            "the agent stops, and does not know what becomes of this",
            "look for it once the agent runs again",
        );
        let page = respond::problem(problem, request.url());
        self.shared.stats.answered(self.route, page.status, took);
        respond::send(request, page);
    }
}

impl Shared {
    /// Adds what the manager does not know of to the agent's health.
    pub(super) fn complete(&self, health: &mut HealthView) {
        if let Some(problem) = self.auditor.problem() {
            health.problems.push(problem);
            health.status = "failing";
        }
    }

    /// Refuses a request for which there is no place.
    fn turn_away(&self, request: Request) {
        let problem = Problem::overloaded();
        let (method, path) = (request.method().as_str(), without_query(request.url()));
        self.auditor.refuse(source(&request), method, path, problem.status, &problem.detail);
        self.stats.answered(None, problem.status, Duration::ZERO);
        let page = respond::problem(problem, request.url());
        respond::send(request, page);
    }
}

fn without_query(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
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
/// Requests that may be under way at once: those that wait to be read, for the manager, or for their answer to be written. More than
/// clients are let in, since one that leaves does not end what it asked for.
const MAX_UNDER_WAY: i64 = 4096;
/// How long the end of the agent waits for answers to be written: the disk of the audit log is all that can keep them.
const CLOSING: Duration = Duration::from_secs(1);
const CLOSING_POLL: Duration = Duration::from_millis(5);
/// The socket in the agent's directory.
const SOCKET_NAME: &str = "api.sock";
/// `sun_path` has 108 bytes (unix(7)), one of them for the end.
const MAX_SOCKET_PATH_BYTES: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;
    use serde_json::Value;
    use tiny_http::{Header, TestRequest};

    struct Bench {
        folder: tempfile::TempDir,
        acceptor: Acceptor,
        worker: Worker,
        commands: Receiver<Command>,
    }

    impl Bench {
        fn new() -> Bench {
            let folder = tempfile::tempdir().unwrap();
            let config = AuditConfig { path: folder.path().join("audit.log"), max_bytes: 1 << 30, files: 2 };
            let refusals = Arc::<Refusals>::default();
            let auditor = Arc::new(Auditor::open(config, refusals.clone()).unwrap());
            let (sender, commands) = unbounded();
            let shared = Arc::new(Shared {
                commands: sender,
                metrics: Metrics::default(),
                auth: Auth::new(Vec::new(), refusals),
                auditor,
                stats: Arc::default(),
                max_body_bytes: 1024,
            });
            let (work, queue) = bounded(MAX_UNDER_WAY as usize);
            let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
            let worker = Worker { queue, work: work.clone(), shared: shared.clone() };
            let acceptor = Acceptor { server, work, shared, under_way: Arc::default() };
            Bench { folder, acceptor, worker, commands }
        }

        fn work(&self) {
            match self.worker.queue.try_recv().unwrap() {
                Work::Read(waiting) => self.worker.read(waiting),
                Work::Answer(waiting, present, answer) => self.worker.answer(waiting, present, answer),
            }
        }

        /// The lines of the audit log.
        fn told(&self) -> Vec<Value> {
            self.acceptor.shared.auditor.catch_up(true);
            let text = std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    fn create() -> Request {
        let field = |name: &str, value: &str| Header::from_bytes(name, value).unwrap();
        let request = TestRequest::new().with_method(tiny_http::Method::Post).with_path("/clusters?wait=true");
        let request = request.with_header(field("Host", "localhost")).with_header(field(SOURCE_FIELD, "192.0.2.7"));
        request.with_body(r#"{"name":"edge-1"}"#).into()
    }

    #[test]
    fn what_changes_something_is_on_record_before_the_manager_hears_of_it() {
        let bench = Bench::new();
        bench.acceptor.take(create());
        bench.work();
        let command = bench.commands.try_recv().unwrap();
        let begun = bench.told();
        assert_eq!((begun.len(), &begun[0]["outcome"], &begun[0]["cluster"]), (1, &"begun".into(), &"edge-1".into()));
        command.reply.send(Answer::Gone);
        bench.work();
        let both = bench.told();
        assert_eq!((both.len(), &both[1]["outcome"], &both[1]["id"]), (2, &"done".into(), &begun[0]["id"]));
        assert_eq!(bench.acceptor.under_way.get(), 0);
    }

    #[test]
    fn a_manager_that_ends_without_an_answer_leaves_no_deed_without_an_end() {
        let bench = Bench::new();
        bench.acceptor.take(create());
        bench.work();
        drop(bench.commands.try_recv().unwrap());
        let told = bench.told();
        assert_eq!((told.len(), &told[1]["outcome"], &told[1]["id"]), (2, &"unknown".into(), &told[0]["id"]));
        assert_eq!(bench.acceptor.under_way.get(), 0);
    }

    #[test]
    fn whoever_finds_no_place_is_refused_and_that_is_on_record() {
        let bench = Bench::new();
        (0..MAX_UNDER_WAY).for_each(|_| bench.acceptor.take(create()));
        assert_eq!(bench.told(), [Value::Null; 0]);
        bench.acceptor.take(create());
        let told = bench.told();
        let [line] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(
            (&line["status"], &line["source"], &line["path"]),
            (&503.into(), &"192.0.2.7".into(), &"/clusters".into())
        );
        // Each that waits for its answer has kept room for it.
        (0..MAX_UNDER_WAY).for_each(|_| bench.work());
        bench.commands.try_iter().for_each(|command| command.reply.send(Answer::Gone));
        assert_eq!(bench.worker.queue.len(), MAX_UNDER_WAY as usize);
        (0..MAX_UNDER_WAY).for_each(|_| bench.work());
        assert_eq!(bench.told().len(), 1 + 2 * MAX_UNDER_WAY as usize);
    }
}
