//! Workers that multiplex many clusters each: one epoll loop, one timer wheel, one slab of clusters per thread.
//!
//! The only room that touches sockets to Rancher. It drives [`crate::tunnel`], [`crate::http1`], [`crate::kube`] and
//! [`crate::steve`], and knows nothing of Rancher's REST API or of the operator's.
//!
//! From the outside in: `Engine` hands assignments to a `Worker`; the worker gives each `Member` (a cluster) its turns; a
//! member has two `Link`s (a tunnel over its whole life); an open link is a `Channel` (websocket and session); a channel
//! carries `Stream`s (inner TLS, HTTP and the response under way).

mod assignment;
mod authority;
mod backoff;
mod cause;
mod channel;
mod clock;
mod compaction;
mod context;
mod dial;
mod imposed;
mod keeping;
mod link;
mod member;
mod pace;
mod proxy;
mod stats;
mod stream;
mod tls;
mod transport;
mod wheel;
mod worker;

pub use assignment::{Assignment, Attachment, Event, Refused, Server, Tunnel, Via};
pub use authority::{Authority, Validity};
pub use cause::Cause;
pub use imposed::Imposition;
pub use tls::Tls;
pub use transport::Transport;
pub use wheel::TimerWheel;

use crate::config::Settings;
use crate::journal::JournalHandle;
use crate::telemetry::Metrics;
use crossbeam_channel::{Sender, TrySendError, bounded};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The fixed pool of workers.
#[derive(Debug)]
pub struct Engine {
    workers: Vec<WorkerHandle>,
}

/// What the engine is started with.
pub struct Config {
    /// The agent's settings.
    pub settings: Arc<Settings>,
    /// The Rancher servers that clusters connect to.
    pub servers: Vec<Arc<Server>>,
    /// The authority of the clusters' API servers.
    pub authority: Arc<Authority>,
    /// Where what is written in the clusters is kept.
    pub journal: JournalHandle,
}

/// Why the engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file of the clusters' certificate authority cannot be used.
    #[error("{}: {problem}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A certificate or key cannot be made.
    #[error("making the clusters' API certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// rustls refuses the certificate.
    #[error("setting up TLS for the clusters' API: {0}")]
    Tls(#[from] rustls::Error),
    /// The operating system refuses an epoll instance or a thread.
    #[error("starting a worker: {0}")]
    Worker(#[from] io::Error),
}

/// The queue of a worker is full, or the worker is gone: the assignment comes back, to be tried again later.
#[derive(Debug)]
pub struct Full(pub Box<Assignment>);

/// What every worker shares.
#[derive(Clone)]
struct WorkerConfig {
    settings: Arc<Settings>,
    ca_pem: Arc<str>,
    journal: JournalHandle,
    api_tls: Arc<rustls::ServerConfig>,
    /// The same with a certificate that has expired.
    expired_tls: Arc<rustls::ServerConfig>,
    /// What this worker counts.
    stats: Arc<stats::Stats>,
}

#[derive(Debug)]
struct WorkerHandle {
    queue: Sender<Assignment>,
    waker: mio::Waker,
    stats: Arc<stats::Stats>,
    thread: JoinHandle<io::Result<()>>,
}

impl Engine {
    /// Starts the workers; what happens is told through `events`.
    pub fn start(config: Config, events: Sender<Event>) -> Result<Engine, EngineError> {
        let settings = config.settings;
        let api_host = settings.api_address.rsplit_once(':').map_or(settings.api_address.as_str(), |(host, _)| host);
        let api_host = api_host.trim_matches(['[', ']']);
        let shared = WorkerConfig {
            api_tls: config.authority.server_config(api_host, Validity::Lasting)?,
            expired_tls: config.authority.server_config(api_host, Validity::Expired)?,
            ca_pem: config.authority.certificate_pem().into(),
            settings: settings.clone(),
            journal: config.journal,
            stats: Arc::default(),
        };
        let count = match settings.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let start = |index| {
            let poll = mio::Poll::new()?;
            let waker = mio::Waker::new(poll.registry(), worker::WAKER)?;
            let (queue, assignments) = bounded(QUEUE_LENGTH);
            let stats = Arc::<stats::Stats>::default();
            let own = WorkerConfig { stats: stats.clone(), ..shared.clone() };
            let worker = worker::Worker::new(index, poll, own, config.servers.clone(), assignments, events.clone());
            let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || worker.run())?;
            Ok(WorkerHandle { queue, waker, stats, thread })
        };
        let workers = (0..count).map(start).collect::<Result<_, EngineError>>()?;
        Ok(Engine { workers })
    }

    /// Hands an assignment to the worker that owns the cluster `name`.
    pub fn assign(&self, name: &str, assignment: Assignment) -> Result<(), Full> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let index = (hasher.finish() % self.workers.len() as u64) as usize;
        self.workers[index].send(assignment)
    }

    /// Hands an assignment to every worker; those whose queue is full stay without.
    pub fn broadcast(&self, assignment: impl Fn() -> Assignment) -> Result<(), Full> {
        self.workers.iter().map(|worker| worker.send(assignment())).fold(Ok(()), Result::and)
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Adds what the workers count.
    pub fn add_to(&self, metrics: &mut Metrics) {
        let workers = self.workers.iter().map(|worker| worker.stats.clone()).collect();
        metrics.add(Arc::new(stats::EngineStats { workers }));
        for (index, worker) in self.workers.iter().enumerate() {
            let queue = worker.queue.clone();
            metrics.add_queue(format!("worker-{index}"), QUEUE_LENGTH, move || queue.len());
        }
    }

    /// Waits until `deadline` for workers that were shut down; returns how many have not ended by then.
    pub fn join(self, deadline: Instant) -> usize {
        let mut running = self.workers;
        loop {
            let (ended, left): (Vec<_>, Vec<_>) = running.into_iter().partition(|worker| worker.thread.is_finished());
            for worker in ended {
                match worker.thread.join() {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => log::error!("a worker ended: {error}"),
                    Err(_) => log::error!("a worker ended by a panic; please report it"),
                }
            }
            if left.is_empty() || Instant::now() >= deadline {
                return left.len();
            }
            running = left;
            std::thread::sleep(JOIN_POLL);
        }
    }
}

impl WorkerHandle {
    fn send(&self, assignment: Assignment) -> Result<(), Full> {
        match self.queue.try_send(assignment) {
            // A worker that cannot be woken looks at its queue once a second anyway.
            Ok(()) => {
                let _ = self.waker.wake();
                Ok(())
            }
            Err(TrySendError::Full(assignment) | TrySendError::Disconnected(assignment)) => {
                Err(Full(Box::new(assignment)))
            }
        }
    }
}

impl EngineError {
    fn authority(path: &Path, problem: impl ToString) -> EngineError {
        EngineError::Authority { path: path.to_owned(), problem: problem.to_string() }
    }
}

/// Assignments that may wait for a worker: what it takes on in a few turns.
const QUEUE_LENGTH: usize = 1024;
/// How often `join` looks whether the workers have ended.
const JOIN_POLL: Duration = Duration::from_millis(5);
