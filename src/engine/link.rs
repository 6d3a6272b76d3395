//! One of a cluster's two tunnels over its whole life: waiting, being dialled, open, lost, dialled again.

use super::backoff::{Backoff, BackoffLimits};
use super::cause::Lost;
use super::channel::Channel;
use super::clock::Clock;
use super::context::Context;
use super::dial::{self, Announcement, Dial, DialError};
use super::imposed::Hold;
use super::stream::Service;
use super::{Cause, Refused, Server, Transport, Tunnel};
use crate::config::Secret;
use mio::Token;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::WebSocket;

/// One tunnel of one cluster.
#[derive(Debug)]
pub(super) struct Link {
    tunnel: Tunnel,
    state: State,
    /// What the poll has said of its socket since that was looked at.
    readiness: Readiness,
    /// Of its pings: where in their interval they lie, from 0 to 1.
    phase: f64,
    backoff: Backoff,
    /// Which of the server's addresses to try next.
    attempts: usize,
    /// Whether the tunnel was open at least once.
    registered: bool,
    /// What faults do to it.
    hold: Hold,
    /// How fast faults let it go.
    bytes_per_second: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    Quiet,
    Ready,
    /// The peer sends no more.
    Ended,
}

#[derive(Debug)]
enum State {
    /// Not wanted: before the start, and after the end.
    Idle,
    /// Backing off.
    Waiting {
        until: Instant,
    },
    /// Wanted at once, as soon as a dial is free.
    Queued,
    Dialing(Box<Dial>),
    Open(Box<Channel>),
    /// The close frame is sent; the peer's answer is awaited.
    Closing {
        socket: Box<WebSocket<Transport>>,
        until: Instant,
    },
}

/// What a link needs to know of its cluster to dial.
#[derive(Debug)]
pub(super) struct Credentials<'a> {
    pub(super) registration_token: &'a Secret,
    pub(super) announcement: Announcement,
}

/// What became of a link that the manager should know.
#[derive(Debug)]
pub(super) enum Change {
    /// The upgrade succeeded.
    Up,
    /// The tunnel is gone or could not be opened.
    Down { cause: String, refused: Option<Refused>, retry_in: Duration },
}

impl Link {
    /// A link that is not wanted yet; `phase` (0 to 1) is where in their interval its pings lie.
    pub(super) fn new(tunnel: Tunnel, phase: f64) -> Link {
        Link {
            tunnel,
            state: State::Idle,
            readiness: Readiness::Quiet,
            phase,
            backoff: Backoff::default(),
            attempts: 0,
            registered: false,
            hold: Hold::Free,
            bytes_per_second: None,
        }
    }

    /// Wants the tunnel at `at`, if it was not wanted before.
    pub(super) fn want(&mut self, at: Instant) {
        if matches!(self.state, State::Idle) {
            self.state = State::Waiting { until: at };
        }
    }

    /// Ends a backoff now.
    pub(super) fn hasten(&mut self, now: Instant) {
        if let State::Waiting { until } = &mut self.state {
            *until = now;
        }
    }

    /// Whether the link is done: nothing open, nothing wanted.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether the link occupies a dial.
    pub(super) fn is_dialing(&self) -> bool {
        matches!(self.state, State::Dialing(_))
    }

    /// Moves a link whose backoff is over into the queue; true if the caller is to enqueue it.
    pub(super) fn enqueue(&mut self, now: Instant) -> bool {
        let due = self.hold == Hold::Free && matches!(self.state, State::Waiting { until } if until <= now);
        if due {
            self.state = State::Queued;
        }
        due
    }

    /// Starts dialling a queued link.
    pub(super) fn dial(
        &mut self,
        server: &Arc<Server>,
        credentials: &Credentials<'_>,
        token: Token,
        context: &mut Context<'_>,
    ) -> Option<Change> {
        if !matches!(self.state, State::Queued) {
            return None;
        }
        self.readiness = Readiness::Quiet;
        match self.start(server, credentials, token, context) {
            Ok(dial) => {
                self.state = State::Dialing(Box::new(dial));
                None
            }
            Err(error) => Some(self.down(error, context)),
        }
    }

    fn start(
        &mut self,
        server: &Arc<Server>,
        credentials: &Credentials<'_>,
        token: Token,
        context: &Context<'_>,
    ) -> Result<Dial, DialError> {
        let address = match server.addresses.len() {
            0 => {
                let cause = format!("{} has no address yet", server.host);
                return Err(DialError { kind: Cause::Unreachable, cause, refused: None });
            }
            count => server.addresses[self.attempts % count],
        };
        let source = self.source(&context.config.settings.source_addresses, address);
        self.attempts += 1;
        let request = dial::request(
            server,
            self.tunnel,
            credentials.registration_token,
            &credentials.announcement,
            self.registered,
        )?;
        let deadline = context.clock.now + context.config.settings.connect_timeout;
        let mut dial = Dial::start(server, address, source, request, deadline).map_err(DialError::socket)?;
        if let Some(transport) = dial.transport_mut() {
            transport.register(context.registry, token).map_err(DialError::socket)?;
        }
        Ok(dial)
    }

    /// The one of these addresses that the next attempt is made from: another one for each, and spread over the clusters.
    fn source(&self, sources: &[IpAddr], address: SocketAddr) -> Option<IpAddr> {
        let like: Vec<IpAddr> = sources.iter().copied().filter(|ip| ip.is_ipv4() == address.is_ipv4()).collect();
        let first = (self.phase * like.len() as f64) as usize;
        like.get((first + self.attempts) % like.len().max(1)).copied()
    }

    /// The poll has reported the socket; `is_ended`: the peer sends no more.
    pub(super) fn ready(&mut self, is_ended: bool) {
        if self.readiness != Readiness::Ended {
            self.readiness = if is_ended { Readiness::Ended } else { Readiness::Ready };
        }
    }

    /// The socket is ready, or work was left over.
    pub(super) fn advance(&mut self, service: &mut Service<'_>, context: &mut Context<'_>) -> Option<Change> {
        if self.is_frozen() {
            return None;
        }
        let (config, clock) = (context.config, context.clock);
        let readiness = std::mem::replace(&mut self.readiness, Readiness::Quiet);
        match &mut self.state {
            State::Dialing(dial) => match dial.advance() {
                Ok(None) => None,
                Ok(Some(socket)) => {
                    let random = context.random.f64();
                    let mut channel = Channel::new(socket, self.tunnel, config, clock, self.phase, random);
                    if self.bytes_per_second.is_some() {
                        channel.set_pace(self.bytes_per_second, clock.now);
                    }
                    // The peer may have sent its first messages together with its answer.
                    let received = channel.receive(service, context).and_then(|()| channel.flush());
                    self.state = State::Open(Box::new(channel));
                    self.backoff.up(clock.now);
                    self.registered = true;
                    match received {
                        Ok(()) => Some(Change::Up),
                        Err(lost) => Some(self.lost(lost, context)),
                    }
                }
                Err(error) => Some(self.down(error, context)),
            },
            State::Open(channel) => {
                if readiness != Readiness::Quiet {
                    channel.ready(readiness == Readiness::Ended);
                }
                channel.keep_pace(clock.now);
                let outcome = channel
                    .receive(service, context)
                    .and_then(|()| channel.flush())
                    .and_then(|()| channel.resume(service, context))
                    .and_then(|()| channel.flush());
                outcome.err().map(|lost| self.lost(lost, context))
            }
            State::Closing { socket, .. } => {
                if readiness != Readiness::Quiet {
                    socket.get_mut().ready(readiness == Readiness::Ended);
                }
                if is_over(socket) {
                    self.state = State::Idle;
                }
                None
            }
            State::Idle | State::Waiting { .. } | State::Queued => None,
        }
    }

    /// The cluster changed: watches have something to say.
    pub(super) fn feed(&mut self, service: &mut Service<'_>, context: &mut Context<'_>) -> Option<Change> {
        if self.is_frozen() {
            return None;
        }
        let State::Open(channel) = &mut self.state else { return None };
        let outcome = channel.feed(service, context).and_then(|()| channel.flush());
        outcome.err().map(|lost| self.lost(lost, context))
    }

    /// Does what is due by the clock.
    pub(super) fn on_time(&mut self, service: &mut Service<'_>, context: &mut Context<'_>) -> Option<Change> {
        if self.is_frozen() {
            return None;
        }
        let (config, clock) = (context.config, context.clock);
        match &mut self.state {
            State::Dialing(dial) if dial.deadline <= clock.now => {
                let cause =
                    format!("no tunnel within {} s (ConnectTimeout)", config.settings.connect_timeout.as_secs_f64());
                Some(self.down(DialError { kind: Cause::Timeout, cause, refused: None }, context))
            }
            State::Open(channel) => {
                let outcome = match channel.keep_pace(clock.now) {
                    true => channel.receive(service, context).and_then(|()| channel.resume(service, context)),
                    false => Ok(()),
                };
                let outcome = outcome.and_then(|()| channel.on_time(service, context));
                outcome.and_then(|()| channel.flush()).err().map(|lost| self.lost(lost, context))
            }
            State::Closing { until, .. } if *until <= clock.now => {
                self.state = State::Idle;
                None
            }
            _ => None,
        }
    }

    /// When the link has something to do next without its socket saying so.
    pub(super) fn next_due(&self, clock: &Clock) -> Option<Instant> {
        match &self.state {
            State::Idle | State::Queued => None,
            State::Waiting { .. } if self.hold != Hold::Free => None,
            _ if self.is_frozen() => None,
            State::Waiting { until } | State::Closing { until, .. } => Some(*until),
            State::Dialing(dial) => Some(dial.deadline),
            State::Open(channel) => Some(channel.next_due(clock)),
        }
    }

    /// Whether there is work: what the poll has reported, and what it will not report.
    pub(super) fn has_more(&self) -> bool {
        let is_left = matches!(&self.state, State::Open(channel) if channel.has_more());
        !self.is_frozen() && (is_left || self.readiness != Readiness::Quiet)
    }

    /// Lets faults have their way with the tunnel; `cause` is what people are told if that closes it.
    pub(super) fn set_hold(&mut self, hold: Hold, cause: &str, context: &mut Context<'_>) -> Option<Change> {
        let before = std::mem::replace(&mut self.hold, hold);
        match (&mut self.state, hold) {
            (State::Open(_) | State::Dialing(_), Hold::Down) => {
                Some(self.down(DialError { kind: Cause::Fault, cause: cause.to_owned(), refused: None }, context))
            }
            (State::Queued, Hold::Down) => {
                self.state = State::Waiting { until: context.clock.now };
                None
            }
            (State::Open(channel), Hold::Free) if before != Hold::Free => {
                channel.thaw(context.clock.now);
                None
            }
            // All who were kept away come back in one moment: backing off is for those who failed.
            (State::Waiting { until }, Hold::Free) if before != Hold::Free => {
                *until = context.clock.now;
                None
            }
            _ => None,
        }
    }

    /// Lets the tunnel carry only so many bytes a second, this one and those that follow.
    pub(super) fn set_pace(&mut self, bytes_per_second: Option<u64>, now: Instant) {
        if std::mem::replace(&mut self.bytes_per_second, bytes_per_second) == bytes_per_second {
            return;
        }
        if let State::Open(channel) = &mut self.state {
            channel.set_pace(bytes_per_second, now);
        }
    }

    /// Breaks an open tunnel off without a close frame.
    pub(super) fn sever(&mut self, cause: &str, context: &mut Context<'_>) -> Option<Change> {
        if !matches!(self.state, State::Open(_)) {
            return None;
        }
        if let State::Open(channel) = &mut self.state {
            channel.cut();
        }
        Some(self.down(DialError { kind: Cause::Fault, cause: cause.to_owned(), refused: None }, context))
    }

    /// The open channel, unless nothing may be done with it.
    pub(super) fn open_channel(&mut self) -> Option<&mut Channel> {
        match &mut self.state {
            State::Open(channel) if self.hold == Hold::Free => Some(channel),
            _ => None,
        }
    }

    /// Whether the tunnel is open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// The tunnel broke while something was done with its channel.
    pub(super) fn lost(&mut self, lost: Lost, context: &mut Context<'_>) -> Change {
        self.down(DialError { kind: lost.cause, cause: lost.text, refused: None }, context)
    }

    fn is_frozen(&self) -> bool {
        self.hold == Hold::Frozen && matches!(self.state, State::Open(_) | State::Dialing(_))
    }

    /// Closes the tunnel with a close frame, or stops trying to open it.
    pub(super) fn close(&mut self, clock: &Clock) {
        if let State::Open(channel) = std::mem::replace(&mut self.state, State::Idle) {
            let mut socket = Box::new(channel.close());
            if !is_over(&mut socket) {
                self.state = State::Closing { socket, until: clock.now + CLOSE_LINGER };
            }
        }
    }

    /// Closes an open tunnel and opens it anew at once.
    pub(super) fn reopen(&mut self, why: &str, context: &mut Context<'_>) -> Option<Change> {
        if !matches!(self.state, State::Open(_) | State::Dialing(_)) {
            return None;
        }
        let change = self.down(DialError { kind: Cause::Reopened, cause: why.to_owned(), refused: None }, context);
        // A tunnel that was registered is not announced again until it is (see `dial::request`).
        self.registered = false;
        self.hasten(context.clock.now);
        Some(change)
    }

    fn down(&mut self, error: DialError, context: &mut Context<'_>) -> Change {
        let stats = context.config.stats.of(self.tunnel);
        let was_open = matches!(self.state, State::Open(_));
        let counters = if was_open { &stats.disconnects } else { &stats.failures };
        counters[error.kind as usize].increment();
        if let State::Open(channel) = std::mem::replace(&mut self.state, State::Idle) {
            // Rancher keeps using a session until its read fails: an orderly end spares it the wait.
            channel.close().get_mut().shutdown();
        }
        let Context { config, clock, random, .. } = context;
        let limits = BackoffLimits { min: config.settings.reconnect_min, max: config.settings.reconnect_max };
        let asked = error.refused.and_then(|refused| refused.retry_after).unwrap_or_default();
        let retry_in = asked.min(LONGEST_ASKED) + self.backoff.next_delay(limits, clock.now, random);
        self.state = State::Waiting { until: clock.now + retry_in };
        Change::Down { cause: error.cause, refused: error.refused, retry_in }
    }
}

/// Reads a closing websocket to its end; true once the peer is done with it.
fn is_over(socket: &mut WebSocket<Transport>) -> bool {
    loop {
        match socket.read() {
            Ok(_) => {}
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return socket.get_mut().flush_socket().is_err();
            }
            Err(_) => {
                socket.get_mut().shutdown();
                return true;
            }
        }
    }
}

/// A server that asks to be left alone for longer would stop the fleet for good.
const LONGEST_ASKED: Duration = Duration::from_secs(300);
/// How long a peer may take to answer a close frame: a round trip, generously.
const CLOSE_LINGER: Duration = Duration::from_secs(1);
