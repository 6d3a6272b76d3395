//! The acceptor and the threads behind it.

use super::problem::Problem;
use super::{respond, route};
use crate::manager::{Answer, Command, Reply};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tiny_http::{Request, Server};

/// What the API is started with.
pub struct ApiConfig {
    /// Where it listens; bound by the caller, so that a port in use is found before anything else is done.
    pub listener: TcpListener,
    /// Where commands go.
    pub commands: Sender<Command>,
    /// The largest request body in bytes.
    pub max_body_bytes: usize,
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
    Answer(Request, Answer),
}

impl Api {
    /// Starts accepting.
    pub fn start(config: ApiConfig) -> Result<Api, ApiError> {
        let address = config.listener.local_addr().map_err(|error| ApiError(error.to_string()))?;
        let server = Server::from_listener(config.listener, None).map_err(|error| ApiError(error.to_string()))?;
        let server = Arc::new(server);
        let (work, queue) = bounded(QUEUE_LENGTH);
        for index in 0..THREADS {
            let worker = Worker {
                queue: queue.clone(),
                work: work.clone(),
                commands: config.commands.clone(),
                max_body_bytes: config.max_body_bytes,
            };
            spawn(format!("api-{index}"), move || worker.run())?;
        }
        let acceptor = server.clone();
        spawn("api".into(), move || accept(&acceptor, &work))?;
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

fn accept(server: &Server, work: &Sender<Work>) {
    loop {
        match server.recv() {
            Ok(request) => match work.try_send(Work::Read(request)) {
                Ok(()) => {}
                Err(TrySendError::Full(Work::Read(request))) => respond::problem(request, Problem::overloaded()),
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
    commands: Sender<Command>,
    max_body_bytes: usize,
}

impl Worker {
    fn run(self) {
        for work in &self.queue {
            match work {
                Work::Answer(request, answer) => respond::answer(request, answer),
                Work::Read(mut request) => match route::route(&mut request, self.max_body_bytes) {
                    Err(problem) => respond::problem(request, problem),
                    Ok(action) => {
                        let work = self.work.clone();
                        let reply = Reply::new(move |answer| {
                            // A queue as full as that has no room for this answer either: its client sees a closed connection.
                            let _ = work.try_send(Work::Answer(request, answer));
                        });
                        if let Err(TrySendError::Full(command) | TrySendError::Disconnected(command)) =
                            self.commands.try_send(Command { action, reply })
                        {
                            let refusal = crate::manager::Refusal::new(
                                crate::manager::RefusalKind::Unavailable,
                                "the agent has more requests waiting than it can hold, or is stopping",
                                "try again in a second",
                            );
                            command.reply.send(Answer::Refused(refusal));
                        }
                    }
                },
            }
        }
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<(), ApiError> {
    std::thread::Builder::new().name(name).spawn(work).map(drop).map_err(|error| ApiError(error.to_string()))
}

/// Threads that read and answer: a client that sends its body slowly occupies one of them.
const THREADS: usize = 8;
/// Requests and answers that may wait.
const QUEUE_LENGTH: usize = 4096;
