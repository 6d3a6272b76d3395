//! A thread of the stand-in: one epoll loop, one timer wheel, the connections it accepted.

use super::connection::{Connection, Next};
use super::open_tunnel::{OpenTunnel, Timer};
use super::{Fleet, Profile};
use crate::engine::{TimerWheel, Tls, Transport};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use parking_lot::Mutex;
use rustls::server::UnbufferedServerConnection;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What all workers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) fleet: Arc<Fleet>,
    pub(super) profile: Arc<Profile>,
    pub(super) ca_pem: String,
    pub(super) tls: Arc<rustls::ServerConfig>,
    /// TLS settings by the authority that clusters announce.
    pub(super) trust: Mutex<HashMap<Arc<[u8]>, Arc<rustls::ClientConfig>>>,
    pub(super) stopping: AtomicBool,
}

/// The state of a worker thread.
#[derive(Debug)]
pub(super) struct Worker {
    shared: Arc<Shared>,
    poll: Poll,
    waker: Arc<Waker>,
    listener: TcpListener,
    peers: HashMap<Token, Peer>,
    /// Never reused, so that a timer or an event cannot meet another connection than the one it was meant for.
    next_token: usize,
    timers: TimerWheel<(Token, Timer)>,
    /// Tunnels whose reading budget ended before the socket did.
    unread: Vec<Token>,
    scratch: Box<[u8]>,
}

#[derive(Debug)]
enum Peer {
    Http(Box<Connection>),
    Tunnel(Box<OpenTunnel>),
}

impl Worker {
    /// A worker that accepts from `listener`, which it may share with others.
    pub(super) fn new(shared: Arc<Shared>, listener: std::net::TcpListener) -> io::Result<Worker> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::from_std(listener);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok(Worker {
            shared,
            poll,
            waker,
            listener,
            peers: HashMap::new(),
            next_token: FIRST_PEER,
            timers: TimerWheel::new(Instant::now(), TICK),
            unread: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES].into(),
        })
    }

    /// Ends the wait of a running worker, so that it sees [`Shared::stopping`].
    pub(super) fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// Serves until the stand-in stops.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        let mut fired = Vec::new();
        while !self.shared.stopping.load(Ordering::Relaxed) {
            let now = Instant::now();
            let until_timer = self.timers.next_due().map_or(IDLE_WAIT, |due| due.saturating_duration_since(now));
            let wait = if self.unread.is_empty() { until_timer } else { Duration::ZERO };
            match self.poll.poll(&mut events, Some(wait)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    log::error!("the stand-in stops: epoll: {error}");
                    return;
                }
            }
            let now = Instant::now();
            for token in std::mem::take(&mut self.unread) {
                self.serve(token, now);
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    WAKER => {}
                    token => self.serve(token, now),
                }
            }
            self.timers.advance(now, &mut fired);
            for (_, (token, timer)) in fired.drain(..) {
                self.on_time(token, timer, now);
            }
        }
        let now = Instant::now();
        for (_, peer) in self.peers.drain() {
            if let Peer::Tunnel(tunnel) = peer {
                tunnel.abandon(&self.shared, now);
            }
        }
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => {
                    self.shared.fleet.seen.accepted.fetch_add(1, Ordering::Relaxed);
                    if let Err(error) = self.welcome(socket) {
                        self.shared.fleet.problem(format!("accept: {error}"));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // Out of descriptors, most likely: the backlog stays and is looked at with the next connection.
                    self.shared.fleet.problem(format!("accept: {error}"));
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, socket: mio::net::TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let tls = UnbufferedServerConnection::new(self.shared.tls.clone()).map_err(io::Error::other)?;
        let mut transport = Transport::new(socket);
        transport.start_tls(Tls::server(tls))?;
        let token = Token(self.next_token);
        self.next_token += 1;
        transport.register(self.poll.registry(), token)?;
        self.peers.insert(token, Peer::Http(Box::new(Connection::new(transport))));
        Ok(())
    }

    /// Reads a peer, whatever it has become.
    fn serve(&mut self, token: Token, now: Instant) {
        match self.peers.remove(&token) {
            Some(Peer::Http(mut connection)) => match connection.receive(&self.shared, &mut self.scratch, now) {
                Ok(Next::Wait) => {
                    self.peers.insert(token, Peer::Http(connection));
                }
                Ok(Next::Tunnel(admission)) => {
                    let tunnel = connection.into_tunnel(admission, &self.shared, now);
                    self.keep(token, Box::new(tunnel), true);
                }
                // A client that goes away is nobody's problem.
                Ok(Next::Close) => {}
                Err(error) => log::debug!("connection: {error}"),
            },
            Some(Peer::Tunnel(mut tunnel)) => match tunnel.receive(&self.shared, &mut self.scratch, now) {
                Ok(more) => self.keep(token, tunnel, more),
                Err(cause) => tunnel.end(&cause, &self.shared, now),
            },
            None => {}
        }
    }

    fn on_time(&mut self, token: Token, timer: Timer, now: Instant) {
        // The tunnel may be gone by now.
        if let Some(Peer::Tunnel(mut tunnel)) = self.peers.remove(&token) {
            match tunnel.on_time(timer, &self.shared, now) {
                Ok(()) => self.keep(token, tunnel, false),
                Err(cause) => tunnel.end(&cause, &self.shared, now),
            }
        }
    }

    fn keep(&mut self, token: Token, mut tunnel: Box<OpenTunnel>, unread: bool) {
        for (at, timer) in tunnel.timers() {
            self.timers.insert(at, (token, timer));
        }
        if unread {
            self.unread.push(token);
        }
        self.peers.insert(token, Peer::Tunnel(tunnel));
    }
}

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const FIRST_PEER: usize = 2;
/// How long to sleep when no timer is set.
const IDLE_WAIT: Duration = Duration::from_secs(1);
const EVENTS_PER_TURN: usize = 1024;
/// As fine as epoll waits, so that the requests of a thousand clusters are spread over a second and do not come in bursts.
const TICK: Duration = Duration::from_millis(1);
/// One TLS record's plaintext.
const SCRATCH_BYTES: usize = 16 * 1024;
