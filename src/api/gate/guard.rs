//! The loop that owns the clients' sockets.

use super::client::{Client, Context, Turn};
use super::stats::Stats;
use crate::engine::{Tls, Transport};
use crate::telemetry::Source;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use rustls::server::UnbufferedServerConnection;
use slab::Slab;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What clients may cost.
#[derive(Debug, Clone)]
pub struct GateLimits {
    /// Clients that are connected at once; the one that keeps the agent waiting for longest makes room for the next.
    pub connections: usize,
    /// From the first byte of a head to its last.
    pub header_timeout: Duration,
    /// From a head to the end of its body, and while an answer makes no progress.
    pub read_timeout: Duration,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// The largest body in bytes.
    pub max_body_bytes: usize,
}

/// What the gate is started with.
pub(in crate::api) struct GateConfig {
    /// Where clients connect.
    pub(in crate::api) listener: std::net::TcpListener,
    /// The unix socket on which tiny_http listens.
    pub(in crate::api) inner: PathBuf,
    /// TLS, if clients speak it.
    pub(in crate::api) tls: Option<Arc<rustls::ServerConfig>>,
    pub(in crate::api) limits: GateLimits,
    /// Is told of what is refused here; must not block.
    pub(in crate::api) refused: Box<dyn Fn(&Refused<'_>) + Send>,
}

/// A request that goes no further, as far as it was understood: `-` stands for what was not.
pub(in crate::api) struct Refused<'a> {
    pub(in crate::api) source: IpAddr,
    pub(in crate::api) method: &'a str,
    pub(in crate::api) target: &'a str,
    pub(in crate::api) status: u16,
    pub(in crate::api) detail: &'a str,
}

/// The running gate.
pub(in crate::api) struct Gate {
    waker: Waker,
    stats: Arc<Stats>,
}

struct Guard {
    poll: Poll,
    /// None once nobody is let in any more.
    listener: Option<TcpListener>,
    config: GateConfig,
    clients: Slab<Client>,
    ready: VecDeque<usize>,
    /// Whether a client could not be let in; nothing announces it again.
    is_starved: bool,
    /// Bytes held for all clients.
    held: usize,
    stats: Arc<Stats>,
}

impl Gate {
    /// Starts the loop.
    pub(in crate::api) fn start(mut config: GateConfig) -> io::Result<Gate> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        config.listener.set_nonblocking(true)?;
        // Listening again changes the length of the queue: who finds it full tries again after a second.
        rustix::net::listen(&config.listener, WAITING_CLIENTS)?;
        let mut listener = TcpListener::from_std(config.listener.try_clone()?);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        config.limits.connections = config.limits.connections.max(1);
        let stats = Arc::<Stats>::default();
        let guard = Guard {
            poll,
            listener: Some(listener),
            config,
            clients: Slab::new(),
            ready: VecDeque::new(),
            is_starved: false,
            held: 0,
            stats: stats.clone(),
        };
        std::thread::Builder::new().name("api-gate".into()).spawn(move || guard.run())?;
        Ok(Gate { waker, stats })
    }

    /// Lets nobody in any more; requests under way are still answered.
    pub(in crate::api) fn stop(&self) {
        // A gate that cannot be woken has ended.
        let _ = self.waker.wake();
    }

    /// What it counts.
    pub(in crate::api) fn stats(&self) -> Arc<dyn Source> {
        self.stats.clone()
    }
}

impl Guard {
    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        let mut next_look = Instant::now() + LOOK_INTERVAL;
        loop {
            let patience = match self.ready.is_empty() {
                false => Some(Duration::ZERO),
                true if self.clients.is_empty() && !self.is_starved => None,
                true => Some(next_look.saturating_duration_since(Instant::now())),
            };
            match self.poll.poll(&mut events, patience) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return log::error!("the REST API ends: {error}"),
                Ok(()) => {}
            }
            for event in &events {
                match event.token() {
                    WAKER => self.listener = None,
                    LISTENER => {}
                    Token(token) => self.ready.push_back(token / TOKENS_EACH),
                }
            }
            self.accept();
            for _ in 0..self.ready.len() {
                if let Some(key) = self.ready.pop_front() {
                    self.turn(key, Client::advance);
                }
            }
            if Instant::now() >= next_look {
                next_look = Instant::now() + LOOK_INTERVAL;
                let keys: Vec<usize> = self.clients.iter().map(|(key, _)| key).collect();
                keys.into_iter().for_each(|key| self.turn(key, Client::expire));
            }
        }
    }

    /// Lets in whoever waits. Not only when there is an event: where files had run out there is none for those who still wait.
    fn accept(&mut self) {
        self.is_starved = false;
        while let Some(listener) = &self.listener {
            if self.clients.len() >= self.config.limits.connections && self.kept_waiting_by().is_none() {
                // The agent is at work for all of them: whoever comes stays in the listener's queue until one of them has to wait.
                self.is_starved = true;
                return;
            }
            match listener.accept() {
                Ok((socket, source)) => self.admit(socket, source),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The client was gone before it was let in.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log::debug!("a client of the REST API cannot be let in: {error}");
                    // Files have run out, most likely: one of the idle clients makes room.
                    if !self.evict() {
                        self.is_starved = true;
                        return;
                    }
                }
            }
        }
    }

    fn admit(&mut self, socket: mio::net::TcpStream, source: SocketAddr) {
        if self.clients.len() >= self.config.limits.connections {
            self.evict();
        }
        // Answers are written in one piece: waiting for more would only delay them.
        let _ = socket.set_nodelay(true);
        let mut transport = Transport::new(socket);
        if let Some(config) = &self.config.tls {
            let tls = UnbufferedServerConnection::new(config.clone()).map_err(io::Error::other);
            if let Err(error) = tls.and_then(|tls| transport.start_tls(Tls::server(tls))) {
                return log::warn!("TLS of the REST API: {error}");
            }
        }
        let entry = self.clients.vacant_entry();
        let key = entry.key();
        if transport.register(self.poll.registry(), Token(key * TOKENS_EACH)).is_err() {
            return;
        }
        let source = plain(source.ip());
        entry.insert(Client::new(transport, source, &self.config.limits, Instant::now()));
        self.stats.accepted.increment();
        self.stats.open.add(1);
        // At once: one that has sent its request is not idle, whoever comes next.
        self.turn(key, Client::advance);
    }

    /// Closes the client that the agent waits for longest; false if it is at work for all of them.
    fn evict(&mut self) -> bool {
        let Some(key) = self.kept_waiting_by() else { return false };
        self.stats.evicted.increment();
        self.remove(key);
        true
    }

    fn kept_waiting_by(&self) -> Option<usize> {
        let waited_for = self.clients.iter().filter_map(|(key, client)| Some((client.waited_for_since()?, key)));
        waited_for.min().map(|(_, key)| key)
    }

    fn remove(&mut self, key: usize) {
        let client = self.clients.remove(key);
        self.held -= client.held();
        self.stats.open.add(-1);
    }

    fn turn(&mut self, key: usize, act: impl FnOnce(&mut Client, &Context<'_>) -> Turn) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let context = Context {
            limits: &self.config.limits,
            registry: self.poll.registry(),
            inner: &self.config.inner,
            token: Token(key * TOKENS_EACH + 1),
            is_crowded: self.held > MAX_HELD_BYTES,
            is_awaited: self.is_starved,
            now: Instant::now(),
            stats: &self.stats,
            refused: &*self.config.refused,
        };
        let before = client.held();
        let turn = act(client, &context);
        self.held = self.held - before + client.held();
        match turn {
            Turn::Done => {}
            Turn::More => self.ready.push_back(key),
            Turn::Gone => self.remove(key),
        }
    }
}

/// An IPv4 client of an IPv6 socket is an IPv4 client.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        v4 => v4,
    }
}

const WAKER: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);
/// A client's socket, and its connection to tiny_http.
const TOKENS_EACH: usize = 2;
const EVENTS: usize = 256;
/// Clients that wait to be let in: a burst of them, where the standard library has room for 128. Linux grants `somaxconn` at most.
const WAITING_CLIENTS: i32 = 4096;
/// How often deadlines are looked at: a fraction of the shortest.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// What may be held for all clients together: more than any honest load, less than hurts.
const MAX_HELD_BYTES: usize = 128 << 20;
