//! An open tunnel: the websocket, the remotedialer session on it and the streams of that session.

use super::cause::{Cause, Lost};
use super::clock::Clock;
use super::context::Context;
use super::imposed::Greeting;
use super::stats::{Open, Stats};
use super::stream::{Service, Step, Stream, StreamError};
use super::{Transport, Tunnel, WorkerConfig};
use crate::tunnel::{ConnectionId, Due, Event, KeepAlive, Outbox, Role, Session, SessionLimits};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Error, Message, WebSocket};

/// An open tunnel.
#[derive(Debug)]
pub(super) struct Channel {
    socket: WebSocket<Transport>,
    tunnel: Tunnel,
    session: Session,
    streams: BTreeMap<ConnectionId, Box<Stream>>,
    outbox: Outbox,
    /// Frames of a client are masked (RFC 6455 §5.3), against caches on the way; under TLS any mask will do.
    masks: fastrand::Rng,
    keepalive: KeepAlive,
    next_sync: Instant,
    /// The last read ended at its budget: the socket will not report readiness for what is left.
    unread: bool,
    /// Some stream stopped at its budget, or at a socket with as much unsent, and waits for its next turn.
    choked: bool,
    bytes_per_turn: usize,
    stats: Arc<Stats>,
    _open: Open,
}

impl Channel {
    /// A tunnel whose upgrade just succeeded; `phase` in 0..1 spreads the pings of many clusters, `random` the rest.
    pub(super) fn new(
        socket: WebSocket<Transport>,
        tunnel: Tunnel,
        config: &WorkerConfig,
        clock: &Clock,
        phase: f64,
        random: f64,
    ) -> Channel {
        let settings = &config.settings;
        let limits = SessionLimits { connections: settings.max_streams, ..SessionLimits::default() };
        let first_message_id = (random * f64::from(i32::MAX)) as i64;
        let in_phase = |at: Instant| clock.in_phase(at, settings.ping_interval, phase);
        let first_sync = in_phase(clock.now + settings.sync_interval.mul_f64(1.0 + random));
        Channel {
            socket,
            tunnel,
            session: Session::new(Role::Agent, first_message_id, limits),
            streams: BTreeMap::new(),
            outbox: Outbox::new(),
            masks: fastrand::Rng::with_seed(random.to_bits()),
            keepalive: KeepAlive::new(
                clock.now,
                settings.ping_interval,
                settings.ping_timeout,
                in_phase(clock.now) - clock.now,
            ),
            // Together with a ping. Not within the first interval, as the reference's ticker has it: Rancher drops connections
            // that it has just opened and that an announcement does not name yet, and most are opened at the start.
            next_sync: first_sync,
            unread: true,
            choked: false,
            bytes_per_turn: settings.bytes_per_turn,
            stats: config.stats.clone(),
            _open: Open::new(
                &config.stats,
                match tunnel {
                    Tunnel::Api => |stats| &stats.of(Tunnel::Api).open,
                    Tunnel::Steve => |stats| &stats.of(Tunnel::Steve).open,
                },
            ),
        }
    }

    /// The poll has reported the socket; `is_ended`: the peer sends no more.
    pub(super) fn ready(&mut self, is_ended: bool) {
        self.socket.get_mut().ready(is_ended);
    }

    /// Reads what the socket has, up to a budget, and answers it.
    pub(super) fn receive(&mut self, service: &mut Service<'_>, context: &mut Context<'_>) -> Result<(), Lost> {
        self.unread = false;
        for _ in 0..context.config.settings.messages_per_turn {
            let message = match self.socket.read() {
                Ok(message) => message,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(describe(error)),
            };
            match message {
                Message::Binary(frame) => {
                    self.stats.frames_received.increment();
                    self.stats.bytes_received.add(frame.len() as u64);
                    self.dispatch(&frame, service, context)?;
                }
                Message::Ping(_) => self.keepalive.pinged(context.clock.now),
                Message::Pong(_) => {
                    self.keepalive
                        .pong(context.clock.now)
                        .into_iter()
                        .for_each(|took| self.stats.ping_round_trip.observe(took));
                }
                Message::Text(_) => {
                    let text = "the peer sent a text message; remotedialer knows binary ones only";
                    return Err(Lost::new(Cause::Protocol, text));
                }
                Message::Close(frame) => {
                    let reason = frame.map(|frame| frame.to_string()).unwrap_or_default();
                    return Err(Lost::new(Cause::Closed, format!("closed by Rancher {reason}").trim_end()));
                }
                Message::Frame(_) => {}
            }
        }
        self.unread = true;
        Ok(())
    }

    /// Lets every stream with a streaming response look for changes of the cluster.
    pub(super) fn feed(&mut self, service: &mut Service<'_>, context: &mut Context<'_>) -> Result<(), Lost> {
        self.pump_where(Stream::is_streaming, service, context)
    }

    /// Lets every stream that was held back by the socket go on.
    pub(super) fn resume(&mut self, service: &mut Service<'_>, context: &mut Context<'_>) -> Result<(), Lost> {
        if std::mem::take(&mut self.choked) { self.pump_where(|_| true, service, context) } else { Ok(()) }
    }

    /// Pings, announces open connections and wakes watches when their time has come.
    pub(super) fn on_time(&mut self, service: &mut Service<'_>, context: &mut Context<'_>) -> Result<(), Lost> {
        let (config, clock) = (context.config, context.clock);
        match self.keepalive.poll(clock.now) {
            Due::Ping => {
                self.stats.pings.increment();
                self.socket.write(Message::Ping(Default::default())).map_err(describe)?;
            }
            Due::Dead => {
                let text = format!("no pong for {} s", config.settings.ping_timeout.as_secs());
                return Err(Lost::new(Cause::Silent, text));
            }
            Due::Wait(_) => {}
        }
        if self.next_sync <= clock.now {
            // Rancher drops what an announcement does not name, and that would be the connections whose opening is still unread.
            self.socket.get_mut().look_again();
            self.receive(service, context)?;
            if !self.unread {
                self.sync(config.settings.sync_interval, clock.now)?;
            }
        }
        self.pump_where(|stream| stream.wake_at().is_some_and(|at| at <= clock.wall), service, context)
    }

    fn sync(&mut self, interval: Duration, now: Instant) -> Result<(), Lost> {
        self.session.sync(&mut self.outbox);
        // Counted from the plan, so that it stays with a ping.
        while self.next_sync <= now {
            self.next_sync += interval;
        }
        self.post()
    }

    /// Carries only so many bytes a second from now on, or as many as it can.
    pub(super) fn set_pace(&mut self, bytes_per_second: Option<u64>, now: Instant) {
        self.socket.get_mut().set_pace(bytes_per_second, now);
        self.unread = true;
    }

    /// Lets a slow tunnel make use of the time that has passed; what it held back is read and sent then.
    pub(super) fn keep_pace(&mut self, now: Instant) -> bool {
        self.socket.get_mut().keep_pace(now)
    }

    /// Goes on after a time in which nothing was read or sent.
    pub(super) fn thaw(&mut self, now: Instant) {
        self.keepalive.pinged(now);
        self.unread = true;
    }

    /// Ends every watch under way as if its time were up; tells how many.
    pub(super) fn end_watches(&mut self, service: &mut Service<'_>, context: &mut Context<'_>) -> Result<u64, Lost> {
        let now = context.clock.wall;
        let ended = self.streams.values_mut().map(|stream| u64::from(stream.end_watch(now))).sum();
        self.feed(service, context)?;
        Ok(ended)
    }

    /// Breaks off every connection through the tunnel; tells how many.
    pub(super) fn break_connections(
        &mut self,
        service: &mut Service<'_>,
        context: &mut Context<'_>,
    ) -> Result<u64, Lost> {
        let streams = std::mem::take(&mut self.streams);
        for (connection, stream) in &streams {
            stream.leave(service, context.recorder);
            self.session.close(*connection, CONNECTION_RESET, &mut self.outbox);
        }
        self.post()?;
        Ok(streams.len() as u64)
    }

    /// When [`Channel::on_time`] has something to do next.
    pub(super) fn next_due(&self, clock: &Clock) -> Instant {
        let wakes = self.streams.values().filter_map(|stream| stream.wake_at()).map(|at| clock.instant_of(at));
        let wakes = wakes.chain(self.socket.get_ref().next_due());
        wakes.fold(self.keepalive.next_due().min(self.next_sync), Instant::min)
    }

    /// Gives the socket what it takes.
    pub(super) fn flush(&mut self) -> Result<(), Lost> {
        self.socket.get_mut().flush_socket().map_err(|error| Lost::new(Cause::Broken, error.to_string()))
    }

    /// Whether there is work left that no readiness report will announce.
    pub(super) fn has_more(&self) -> bool {
        self.unread || (self.choked && self.socket.get_ref().backlog() < self.bytes_per_turn)
    }

    /// Breaks the connection off: whatever is said from now on is not heard.
    pub(super) fn cut(&mut self) {
        self.socket.get_mut().cut();
    }

    /// Says goodbye: what comes back is only good for reading until the peer has closed.
    pub(super) fn close(mut self) -> WebSocket<Transport> {
        let goodbye = tungstenite::protocol::CloseFrame {
            code: tungstenite::protocol::frame::coding::CloseCode::Normal,
            reason: "the agent closes this tunnel".into(),
        };
        // A peer that does not take the frame finds the socket closed instead.
        let _ = self.socket.close(Some(goodbye));
        self.socket
    }

    fn dispatch(&mut self, frame: &[u8], service: &mut Service<'_>, context: &mut Context<'_>) -> Result<(), Lost> {
        let event = self.session.receive(frame, &mut self.outbox);
        let event = event.map_err(|error| Lost::new(Cause::Protocol, error.to_string()))?;
        match event {
            Event::Connect { connection, network, address } => {
                match self.accept(network, address, service, context.config) {
                    Ok(stream) => {
                        self.stats.streams.increment();
                        self.streams.insert(connection, Box::new(stream));
                    }
                    Err(reason) => {
                        self.stats.stream_errors.increment();
                        self.session.close(connection, &reason, &mut self.outbox);
                    }
                }
            }
            Event::Data { connection, payload } => {
                if let Some(stream) = self.streams.get_mut(&connection) {
                    match stream.receive(payload) {
                        Ok(()) => {
                            // Told before the pump, which does nothing for a stream that the peer has paused.
                            self.session.buffered(connection, stream.buffered(), &mut self.outbox);
                            self.pump(connection, service, context)?;
                        }
                        Err(error) => self.abort(connection, &error, service, context),
                    }
                }
            }
            Event::Closed { connection, .. } => {
                if let Some(stream) = self.streams.remove(&connection) {
                    stream.leave(service, context.recorder);
                }
            }
            Event::Resumed { connection } => self.pump(connection, service, context)?,
            // Dropped is the server role's.
            Event::Paused { .. } | Event::Dropped(_) | Event::Nothing => {}
        }
        self.post()
    }

    /// The API tunnel leads to the announced address only; the steve tunnel answers whatever address it is asked for, as the
    /// real agent's in-process listener does.
    fn accept(
        &self,
        network: &str,
        address: &str,
        service: &mut Service<'_>,
        config: &WorkerConfig,
    ) -> Result<Stream, String> {
        let tls = match self.tunnel {
            Tunnel::Api if network == "tcp" && address == config.settings.api_address => match service.greet() {
                Greeting::Refuse => return Err(format!("dial {network} {address}: connect: connection refused")),
                Greeting::Expired => Some(&config.expired_tls),
                Greeting::Usual => Some(&config.api_tls),
            },
            Tunnel::Api => {
                return Err(format!("dial {network} {address}: not reachable from this virtual cluster"));
            }
            Tunnel::Steve => None,
        };
        Stream::new(tls, Open::new(&config.stats, |stats| &stats.streams_open)).map_err(|error| error.to_string())
    }

    fn pump_where(
        &mut self,
        wanted: impl Fn(&Stream) -> bool,
        service: &mut Service<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Lost> {
        let wanted: Vec<ConnectionId> =
            self.streams.iter().filter(|(_, stream)| wanted(stream)).map(|(connection, _)| *connection).collect();
        for connection in wanted {
            self.pump(connection, service, context)?;
        }
        Ok(())
    }

    /// Lets one stream work until it has nothing to say, the peer paused it, or the socket is full.
    fn pump(
        &mut self,
        connection: ConnectionId,
        service: &mut Service<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Lost> {
        let mut spent = 0;
        loop {
            let Some(stream) = self.streams.get_mut(&connection) else { return Ok(()) };
            if !self.session.may_send(connection) {
                return Ok(());
            }
            if spent >= self.bytes_per_turn || self.socket.get_ref().backlog() >= self.bytes_per_turn {
                self.choked = true;
                return Ok(());
            }
            let step = match stream.step(service, context.clock, context.recorder) {
                Ok(step) => step,
                Err(error) => {
                    self.abort(connection, &error, service, context);
                    return self.post();
                }
            };
            self.stats.watch_events.add(stream.take_watch_events());
            if step == Step::End {
                stream.say_goodbye();
            }
            let wire = stream.take();
            spent += wire.len();
            self.session.send(connection, &wire, &mut self.outbox);
            self.session.buffered(connection, stream.buffered(), &mut self.outbox);
            if step == Step::End {
                self.streams.remove(&connection);
                self.session.close(connection, END_OF_STREAM, &mut self.outbox);
            }
            self.post()?;
            if step != Step::Idle { continue } else { return Ok(()) }
        }
    }

    fn abort(
        &mut self,
        connection: ConnectionId,
        error: &StreamError,
        service: &mut Service<'_>,
        context: &mut Context<'_>,
    ) {
        self.stats.stream_errors.increment();
        // TLS has queued the alert that tells the peer why.
        if let Some(mut stream) = self.streams.remove(&connection) {
            stream.leave(service, context.recorder);
            let wire = stream.take();
            if self.session.may_send(connection) {
                self.session.send(connection, &wire, &mut self.outbox);
            }
        }
        self.session.close(connection, &error.to_string(), &mut self.outbox);
    }

    fn post(&mut self) -> Result<(), Lost> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let mut wire = Vec::new();
        for message in self.outbox.drain(..) {
            self.stats.frames_sent.increment();
            self.stats.bytes_sent.add(message.len() as u64);
            let mut frame = Frame::message(message, OpCode::Data(Data::Binary), true);
            frame.header_mut().mask = Some(self.masks.u32(..).to_ne_bytes());
            frame.format(&mut wire).map_err(describe)?;
        }
        // Past tungstenite, whose own buffer would keep the size of the largest frame for ever.
        self.socket.get_mut().write_all(&wire).map_err(|error| Lost::new(Cause::Broken, error.to_string()))
    }
}

/// What a websocket error means.
pub(super) fn describe(error: Error) -> Lost {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Lost::new(Cause::Broken, "the connection is closed"),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            Lost::new(Cause::Broken, "the connection was closed without a close frame")
        }
        Error::Io(error) => Lost::new(Cause::Broken, error.to_string()),
        error => Lost::new(Cause::Protocol, error.to_string()),
    }
}

/// How remotedialer says that a stream ended in order.
const END_OF_STREAM: &str = "EOF";
/// What a dialler sees of a server that died.
const CONNECTION_RESET: &str = "connection reset by peer";
