//! The acceptor and the threads behind it.

use super::body::read_object;
use super::call::{Call, Page, Present, Reaction};
use super::field::Values;
use super::problem::Problem;
use super::route::{Found, Route};
use super::stats::Stats;
use super::{nudge, respond};
use crate::manager::{Action, Answer, Command, Reply};
use crate::telemetry::Metrics;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Instant;
use tiny_http::{Request, Server};

/// What the API is started with.
pub struct ApiConfig {
    /// Where it listens; bound by the caller, so that a port in use is found before anything else is done.
    pub listener: TcpListener,
    /// Where commands go.
    pub commands: Sender<Command>,
    /// What the agent counts.
    pub metrics: Metrics,
    /// The largest request body in bytes.
    pub max_body_bytes: usize,
}

/// What every handler may use.
pub(super) struct Shared {
    /// Where commands go.
    pub(super) commands: Sender<Command>,
    /// What the agent counts.
    pub(super) metrics: Metrics,
    stats: Arc<Stats>,
    max_body_bytes: usize,
}

/// The running API.
pub struct Api {
    server: Arc<Server>,
    address: SocketAddr,
}

/// Why the API cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the REST API cannot start: {0}")]
pub struct ApiError(String);

/// What the `api-N` threads do.
enum Work {
    Read(Request),
    Answer(Waiting, Option<Present>, Answer),
}

/// A request that waits for its answer.
struct Waiting {
    request: Request,
    /// The position of its route in the table, if it has one.
    route: Option<usize>,
    begun: Instant,
}

impl Api {
    /// Starts accepting.
    pub fn start(config: ApiConfig) -> Result<Api, ApiError> {
        let address = config.listener.local_addr().map_err(|error| ApiError(error.to_string()))?;
        let server = Server::from_listener(config.listener, None).map_err(|error| ApiError(error.to_string()))?;
        let server = Arc::new(server);
        let stats = Arc::<Stats>::default();
        let mut metrics = config.metrics;
        metrics.add(stats.clone());
        let (commands, max_body_bytes) = (config.commands, config.max_body_bytes);
        let shared = Arc::new(Shared { commands, metrics, stats, max_body_bytes });
        let (work, queue) = bounded(QUEUE_LENGTH);
        let (bodies, body_queue) = bounded(BODY_QUEUE_LENGTH);
        for (name, queue, threads) in [("api", queue, THREADS), ("api-body", body_queue, BODY_THREADS)] {
            for index in 0..threads {
                let worker = Worker { queue: queue.clone(), work: work.clone(), shared: shared.clone() };
                spawn(format!("{name}-{index}"), move || worker.run())?;
            }
        }
        let acceptor = server.clone();
        spawn("api".into(), move || accept(&acceptor, &work, &bodies))?;
        nudge::start(&server, address).map_err(|error| ApiError(error.to_string()))?;
        Ok(Api { server, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting; requests under way are still answered.
    pub fn stop(&self) {
        self.server.unblock();
    }
}

fn accept(server: &Server, work: &Sender<Work>, bodies: &Sender<Work>) {
    loop {
        match server.recv() {
            Ok(request) => {
                let queue = if body_is_on_its_way(&request) { bodies } else { work };
                match queue.try_send(Work::Read(request)) {
                    Ok(()) => {}
                    Err(TrySendError::Full(Work::Read(request))) => {
                        let page = respond::problem(Problem::overloaded(), request.url());
                        respond::send(request, page);
                    }
                    Err(_) => return,
                }
            }
            // `stop` was called, or the listening socket broke: the agent itself goes on.
            Err(error) => return log::debug!("the REST API stops accepting: {error}"),
        }
    }
}

/// Whether reading the body may wait for the client: tiny_http has read short ones already.
fn body_is_on_its_way(request: &Request) -> bool {
    let short = request.body_length().is_none_or(|length| length <= READ_BY_TINY_HTTP_BYTES);
    let has = |name: &'static str| request.headers().iter().any(|header| header.field.equiv(name));
    !short || has("Transfer-Encoding") || has("Expect")
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
                Work::Answer(waiting, present, answer) => self.answer(waiting, present, answer),
            }
        }
    }

    fn read(&self, mut request: Request) {
        let begun = Instant::now();
        let found = Route::find(request.method().as_str(), path_and_query(&request).0);
        let route = found.as_ref().ok().map(|found| found.index);
        let reaction = found.and_then(|found| self.shared.take(found, &mut request));
        let waiting = Waiting { request, route, begun };
        match reaction {
            Err(problem) => self.shared.refuse(waiting, problem),
            Ok(Reaction::Show(page)) => self.shared.send(waiting, page),
            Ok(Reaction::Ask(action)) => self.ask(waiting, None, action),
            Ok(Reaction::AskFor(action, present)) => self.ask(waiting, Some(present), action),
        }
    }

    fn ask(&self, waiting: Waiting, present: Option<Present>, action: Action) {
        let work = self.work.clone();
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
            Ok(page) => self.shared.send(waiting, page),
            Err(problem) => self.shared.refuse(waiting, problem),
        }
    }
}

impl Shared {
    /// Checks a request against its route and lets the handler have it.
    fn take(&self, found: Found, request: &mut Request) -> Result<Reaction, Problem> {
        let Found { route, names, .. } = found;
        let query = Values::from_query(path_and_query(request).1, route.query)?;
        let body = match route.body {
            Some(fields) => Values::from_object(read_object(request, self.max_body_bytes)?, fields)?,
            None => Values::default(),
        };
        (route.handle)(&Call { names, query, body, shared: self })
    }

    fn refuse(&self, waiting: Waiting, problem: Problem) {
        let page = respond::problem(problem, waiting.request.url());
        self.send(waiting, page);
    }

    fn send(&self, waiting: Waiting, page: Page) {
        self.stats.answered(waiting.route, page.status, waiting.begun.elapsed());
        respond::send(waiting.request, page);
    }
}

fn path_and_query(request: &Request) -> (&str, &str) {
    request.url().split_once('?').unwrap_or((request.url(), ""))
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<(), ApiError> {
    std::thread::Builder::new().name(name).spawn(work).map(drop).map_err(|error| ApiError(error.to_string()))
}

/// Threads that read and answer: a client that takes its answer slowly occupies one of them.
const THREADS: usize = 8;
/// Threads that wait for bodies: nothing that is asked here needs a long one.
const BODY_THREADS: usize = 2;
/// Requests whose bodies may wait to be read.
const BODY_QUEUE_LENGTH: usize = 64;
/// tiny_http 0.12 `request.rs`: a body up to this length is there when the request is.
const READ_BY_TINY_HTTP_BYTES: usize = 1024;
/// Requests and answers that may wait.
const QUEUE_LENGTH: usize = 4096;
