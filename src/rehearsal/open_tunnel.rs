//! An open tunnel: the websocket, the remotedialer session on it, and the connections that a visit opens through it.

use super::downstream::{Downstream, DownstreamError, trust};
use super::worker::Shared;
use super::{Admission, Alarm, Channel, Line, Order, Params, Standing, Visit};
use crate::engine::Transport;
use crate::http1::ClientEvent;
use crate::tunnel::{ConnectionId, Event, Outbox, Role, Session, SessionLimits};
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tungstenite::{Error, Message, WebSocket};

/// One tunnel of one cluster, from the upgrade to its end.
#[derive(Debug)]
pub(super) struct OpenTunnel {
    socket: WebSocket<Transport>,
    session: Session,
    outbox: Outbox,
    admission: Admission,
    /// The number that the fleet gave this session.
    number: u64,
    visit: Visit,
    visiting: bool,
    streams: BTreeMap<ConnectionId, Stream>,
    lines: BTreeMap<Line, ConnectionId>,
    /// When the last websocket ping or pong arrived; nothing else counts.
    heard: Instant,
    timers: Vec<(Instant, Timer)>,
    trust: Option<Arc<ClientConfig>>,
}

/// What a tunnel wants to be reminded of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// Something of the visit's.
    Visit(Alarm),
    /// Whether it is this session's turn, and whether the peer still pings.
    Check,
}

/// Why a tunnel is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("closed by the agent")]
    Closed,
    #[error("no ping for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("text message: remotedialer knows binary ones only")]
    Text,
    #[error("its cluster was removed")]
    Orphaned,
    #[error("{0}")]
    Protocol(String),
    #[error("{0}")]
    Socket(String),
}

#[derive(Debug)]
struct Stream {
    line: Line,
    downstream: Downstream,
    /// Status of the response under way.
    status: u16,
    /// Its body, as far as it arrived and is not streamed.
    body: Vec<u8>,
}

impl OpenTunnel {
    /// A tunnel whose upgrade was just answered.
    pub(super) fn new(socket: WebSocket<Transport>, admission: Admission, shared: &Shared, now: Instant) -> OpenTunnel {
        let fleet = &shared.fleet;
        let number = fleet.session_started(&admission.cluster, admission.channel, admission.params.clone(), now);
        let visit =
            Visit::new(fleet.clone(), shared.profile.clone(), admission.cluster.clone(), admission.channel, number);
        OpenTunnel {
            socket,
            session: Session::new(Role::Server, 1, SessionLimits::default()),
            outbox: Outbox::new(),
            admission,
            number,
            visit,
            visiting: false,
            streams: BTreeMap::new(),
            lines: BTreeMap::new(),
            heard: now,
            timers: vec![(now, Timer::Check)],
            trust: None,
        }
    }

    /// The timers set since the last call.
    pub(super) fn timers(&mut self) -> Vec<(Instant, Timer)> {
        std::mem::take(&mut self.timers)
    }

    /// Reads what the socket has, up to a budget, and does what follows from it. True if there may be more to read.
    pub(super) fn receive(&mut self, shared: &Shared, scratch: &mut [u8], now: Instant) -> Result<bool, Lost> {
        for _ in 0..MESSAGES_PER_TURN {
            match self.socket.read() {
                Ok(Message::Binary(frame)) => self.dispatch(&frame, shared, scratch, now)?,
                Ok(Message::Ping(_)) => {
                    self.heard = now;
                    shared.fleet.seen.pings.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Message::Pong(_)) => self.heard = now,
                Ok(Message::Text(_)) => return Err(Lost::Text),
                Ok(Message::Close(_)) => return Err(Lost::Closed),
                Ok(Message::Frame(_)) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.flush()?;
                    return Ok(false);
                }
                Err(error) => return Err(lost(error)),
            }
        }
        self.flush()?;
        Ok(true)
    }

    /// Does what a timer is for.
    pub(super) fn on_time(&mut self, timer: Timer, shared: &Shared, now: Instant) -> Result<(), Lost> {
        match timer {
            Timer::Visit(alarm) => self.visit.woken(alarm, now),
            Timer::Check => {
                let deadline = shared.fleet.behaviour.read_deadline;
                if now >= self.heard + deadline {
                    return Err(Lost::Silent(deadline));
                }
                match shared.fleet.standing(&self.admission.cluster, self.admission.channel, self.number, now) {
                    Standing::Orphaned => return Err(Lost::Orphaned),
                    Standing::InUse if !self.visiting => {
                        self.visiting = true;
                        self.visit.begin(now);
                    }
                    Standing::InUse | Standing::Spare => {}
                }
                self.timers.push((now + deadline / CHECKS_PER_DEADLINE, Timer::Check));
            }
        }
        self.obey(shared, now)?;
        self.flush()
    }

    /// The tunnel is over.
    pub(super) fn end(mut self, cause: &Lost, shared: &Shared, now: Instant) {
        shared.fleet.session_ended(&self.admission.cluster, self.admission.channel, self.number, now);
        let name = match self.admission.channel {
            Channel::Api => "API tunnel",
            Channel::Steve => "steve tunnel",
        };
        if !matches!(cause, Lost::Orphaned) {
            shared.fleet.problem(format!("{name} lost: {cause}"));
        }
        // The peer may be gone; there is nobody left to tell.
        let _ = self.socket.close(None);
        self.socket.get_mut().shutdown();
    }

    /// The stand-in goes away as a process that is killed: without a word.
    pub(super) fn abandon(self, shared: &Shared, now: Instant) {
        shared.fleet.session_ended(&self.admission.cluster, self.admission.channel, self.number, now);
    }

    fn dispatch(&mut self, frame: &[u8], shared: &Shared, scratch: &mut [u8], now: Instant) -> Result<(), Lost> {
        let event = self.session.receive(frame, &mut self.outbox).map_err(|error| Lost::Protocol(error.to_string()))?;
        match event {
            Event::Data { connection, payload } => {
                if let Some(stream) = self.streams.get_mut(&connection) {
                    let received = stream.downstream.receive(payload, scratch);
                    let handled = received.and_then(|()| self.hand_over(connection, now));
                    if let Err(error) = handled {
                        self.fail(connection, &error, now);
                    }
                }
            }
            Event::Closed { connection, reason } => {
                if let Some(stream) = self.forget(connection) {
                    self.visit.lost(stream.line, &format!("closed by the agent: {reason}"), now);
                }
            }
            Event::Dropped(connections) => {
                for connection in connections {
                    if let Some(stream) = self.forget(connection) {
                        self.visit.lost(stream.line, "not among those that the agent announced (SyncConnections)", now);
                    }
                }
            }
            Event::Resumed { connection } => self.transmit(connection, now),
            Event::Connect { .. } => return Err(Lost::Protocol("the agent sent Connect".to_owned())),
            Event::Paused { .. } | Event::Nothing => {}
        }
        self.obey(shared, now)
    }

    /// Hands complete pieces of responses to the visit.
    fn hand_over(&mut self, connection: ConnectionId, now: Instant) -> Result<(), DownstreamError> {
        while let Some(stream) = self.streams.get_mut(&connection) {
            let Some(event) = stream.downstream.next_event()? else { break };
            let line = stream.line;
            match event {
                ClientEvent::Head(head) => stream.status = head.status,
                ClientEvent::Data(bytes) if self.visit.is_stream(line, stream.status) => {
                    self.visit.streamed(line, &bytes, now);
                }
                ClientEvent::Data(bytes) => {
                    if stream.body.len() + bytes.len() > BODY_BYTES_AT_MOST {
                        return Err(DownstreamError::Http("response above 64 MiB".to_owned()));
                    }
                    stream.body.extend_from_slice(&bytes);
                }
                ClientEvent::End if self.visit.is_stream(line, stream.status) => self.visit.ended(line, now),
                ClientEvent::End => {
                    let (status, body) = (stream.status, std::mem::take(&mut stream.body));
                    self.visit.replied(line, status, &body, now);
                }
            }
        }
        self.transmit(connection, now);
        Ok(())
    }

    /// Carries out the visit's orders.
    fn obey(&mut self, shared: &Shared, now: Instant) -> Result<(), Lost> {
        loop {
            let orders = self.visit.orders();
            if orders.is_empty() {
                return self.post();
            }
            for order in orders {
                match order {
                    Order::Wake(at, alarm) => self.timers.push((at, Timer::Visit(alarm))),
                    Order::Close(line) => {
                        if let Some(&connection) = self.lines.get(&line) {
                            self.forget(connection);
                            self.session.close(connection, END_OF_STREAM, &mut self.outbox);
                        }
                    }
                    Order::Send(line, prepared) => match self.line(line, shared) {
                        Err(error) => self.visit.lost(line, &error.to_string(), now),
                        Ok(connection) => {
                            if let Some(stream) = self.streams.get_mut(&connection)
                                && let Err(error) = stream.downstream.send(prepared)
                            {
                                self.fail(connection, &error, now);
                            }
                            self.transmit(connection, now);
                        }
                    },
                }
            }
        }
    }

    /// The connection of a line; a new one if there is none.
    fn line(&mut self, line: Line, shared: &Shared) -> Result<ConnectionId, DownstreamError> {
        if let Some(&connection) = self.lines.get(&line) {
            return Ok(connection);
        }
        let (address, downstream) = match &self.admission.params {
            Some(params) => {
                let trust = match &self.trust {
                    Some(trust) => trust.clone(),
                    None => self.trust.insert(shared.trust_for(params)?).clone(),
                };
                (params.address.as_str(), Downstream::kubernetes(params, trust)?)
            }
            None => (STEVE_ADDRESS, Downstream::plain(STEVE_ADDRESS)),
        };
        let connection = self.session.connect("tcp", address, &mut self.outbox);
        self.lines.insert(line, connection);
        self.streams.insert(connection, Stream { line, downstream, status: 0, body: Vec::new() });
        Ok(connection)
    }

    /// Sends what a connection has to say, unless the peer paused it.
    fn transmit(&mut self, connection: ConnectionId, now: Instant) {
        let Some(stream) = self.streams.get_mut(&connection) else { return };
        if !self.session.may_send(connection) {
            return;
        }
        let mut wire = Vec::new();
        if let Err(error) = stream.downstream.take(&mut wire) {
            self.fail(connection, &error, now);
        } else if !wire.is_empty() {
            self.session.send(connection, &wire, &mut self.outbox);
        }
    }

    fn fail(&mut self, connection: ConnectionId, error: &DownstreamError, now: Instant) {
        if let Some(stream) = self.forget(connection) {
            self.session.close(connection, &error.to_string(), &mut self.outbox);
            self.visit.lost(stream.line, &error.to_string(), now);
        }
    }

    fn forget(&mut self, connection: ConnectionId) -> Option<Stream> {
        let stream = self.streams.remove(&connection)?;
        self.lines.remove(&stream.line);
        Some(stream)
    }

    fn post(&mut self) -> Result<(), Lost> {
        while let Some(frame) = self.outbox.pop_front() {
            self.socket.write(Message::Binary(frame.into())).map_err(lost)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Lost> {
        self.socket.get_mut().flush_socket().map_err(|error| Lost::Socket(error.to_string()))
    }
}

impl Shared {
    /// TLS settings for clusters that announce this authority; all clusters of one agent share them.
    fn trust_for(&self, params: &Params) -> Result<Arc<ClientConfig>, DownstreamError> {
        let mut known = self.trust.lock();
        if let Some(trust) = known.get(&params.ca_pem) {
            return Ok(trust.clone());
        }
        let trust = trust(&params.ca_pem)?;
        known.insert(params.ca_pem.clone(), trust.clone());
        Ok(trust)
    }
}

fn lost(error: Error) -> Lost {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Lost::Closed,
        error => Lost::Socket(error.to_string()),
    }
}

/// What Rancher's `clusterconnected` dials; any address leads to steve.
const STEVE_ADDRESS: &str = "not-used:80";
/// How remotedialer says that a connection ended in order.
const END_OF_STREAM: &str = "EOF";
/// Precise enough for a deadline, rare enough for thousands of tunnels.
const CHECKS_PER_DEADLINE: u32 = 12;
/// How many messages one tunnel may have handled before its neighbours get their turn: frames of a long list are large.
const MESSAGES_PER_TURN: usize = 8;
/// A list of 10,000 large objects stays below.
const BODY_BYTES_AT_MOST: usize = 64 << 20;
