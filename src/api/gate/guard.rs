//! The loop that owns the clients' sockets.

use super::client::{Client, Context, Turn};
use super::sources::Sources;
use super::stats::Stats;
use crate::api::source::{network, plain};
use crate::engine::{Tls, Transport};
use crate::telemetry::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use rustls::server::UnbufferedServerConnection;
use slab::Slab;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What clients may cost.
#[derive(Debug, Clone)]
pub struct GateLimits {
    /// Clients that are connected at once. Of the address that has the most, the one that keeps the agent waiting for longest makes room
    /// for the next.
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
    /// Whoever waits to be let in while the agent is at work for all who could make room.
    door: Option<(TcpStream, IpAddr)>,
    sources: Sources,
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
            door: None,
            sources: Sources::default(),
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
                    WAKER => (self.listener, self.door) = (None, None),
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
        while let Some((socket, source)) = self.newcomer() {
            if self.clients.len() >= self.config.limits.connections && !self.evict(Some(source)) {
                // The agent is at work for all who could make room: the others stay in the listener's queue meanwhile.
                self.door = Some((socket, source));
                self.is_starved = true;
                return;
            }
            self.admit(socket, source);
        }
    }

    /// Whoever waits at the door, else in the listener's queue.
    fn newcomer(&mut self) -> Option<(TcpStream, IpAddr)> {
        if let Some(waiting) = self.door.take() {
            return Some(waiting);
        }
        loop {
            match self.listener.as_ref()?.accept() {
                Ok((socket, source)) => return Some((socket, plain(source.ip()))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // The client was gone before it was let in.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log::debug!("a client of the REST API cannot be let in: {error}");
                    // Files have run out, most likely: one of the idle clients makes room.
                    if !self.evict(None) {
                        self.is_starved = true;
                        return None;
                    }
                }
            }
        }
    }

    fn admit(&mut self, socket: TcpStream, source: IpAddr) {
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
        entry.insert(Client::new(transport, source, &self.config.limits, Instant::now()));
        self.sources.enter(source);
        self.stats.accepted.increment();
        self.stats.open.add(1);
        // At once: one that has sent its request is not idle, whoever comes next.
        self.turn(key, Client::advance);
    }

    /// Closes a client that keeps the agent waiting, for longest of those whose address has the most; false if there is none, or none
    /// but of addresses that have less than the newcomer's.
    fn evict(&mut self, newcomer: Option<IpAddr>) -> bool {
        let least = newcomer.map_or(0, |source| self.standing(source, newcomer));
        let waited_for = self.clients.iter().filter_map(|(key, client)| {
            let since = client.waited_for_since()?;
            let standing = self.standing(client.source(), newcomer);
            (standing >= least).then_some((standing, Reverse(since), key))
        });
        let Some((.., key)) = waited_for.max() else { return false };
        self.stats.evicted.increment();
        self.remove(key);
        true
    }

    /// How many clients an address has if the newcomer is let in.
    fn standing(&self, source: IpAddr, newcomer: Option<IpAddr>) -> usize {
        let is_the_same = newcomer.is_some_and(|newcomer| network(newcomer) == network(source));
        self.sources.share(source).clients + usize::from(is_the_same)
    }

    /// Whether somebody at the door has a better claim to the place than a client that has had its answer.
    fn is_awaited(&self, source: IpAddr) -> bool {
        let newcomer = self.door.as_ref().map(|(_, newcomer)| *newcomer);
        newcomer.is_some_and(|door| self.standing(source, newcomer) >= self.standing(door, newcomer))
    }

    fn remove(&mut self, key: usize) {
        let client = self.clients.remove(key);
        self.sources.leave(client.source(), client.held());
        self.stats.open.add(-1);
    }

    /// Lets a client act, and then has room made for what it brought.
    fn turn(&mut self, key: usize, act: impl FnOnce(&mut Client, &Context<'_>) -> Turn) {
        self.act(key, act);
        while self.sources.held_bytes() > MAX_HELD_BYTES {
            // Of the address for which the most is held, the client for which the most is; but nothing is taken from requests that the
            // agent is at work for, which hold little and not for long.
            let holding = self.clients.iter().filter(|(_, client)| client.waited_for_since().is_some());
            let holding =
                holding.map(|(key, client)| (self.sources.share(client.source()).held_bytes, client.held(), key));
            let Some((.., key)) = holding.filter(|(_, held, _)| *held > 0).max() else { return };
            self.act(key, Client::give_way);
        }
    }

    fn act(&mut self, key: usize, act: impl FnOnce(&mut Client, &Context<'_>) -> Turn) {
        let Some(source) = self.clients.get(key).map(Client::source) else { return };
        let context = Context {
            limits: &self.config.limits,
            registry: self.poll.registry(),
            inner: &self.config.inner,
            token: Token(key * TOKENS_EACH + 1),
            is_awaited: self.is_awaited(source),
            now: Instant::now(),
            stats: &self.stats,
            refused: &*self.config.refused,
        };
        let client = &mut self.clients[key];
        let before = client.held();
        let turn = act(client, &context);
        let after = client.held();
        self.sources.hold(source, before, after);
        match turn {
            Turn::Done => {}
            Turn::More => self.ready.push_back(key),
            Turn::Gone => self.remove(key),
        }
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
