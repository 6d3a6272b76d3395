//! One client's connection: requests are read whole, handed on, and their answers written.

use super::relay::{Answer, Relay};
use super::stats::Stats;
use super::{GateLimits, Refused};
use crate::api::problem::{Kind, Problem};
use crate::api::respond;
use crate::engine::Transport;
use crate::http1::{Arrival, BodyFraming, Headers, MessageLimits, Method, Request, ResponseHead, ServerConnection};
use mio::{Registry, Token};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    transport: Transport,
    source: IpAddr,
    http: ServerConnection,
    relay: Option<Relay>,
    phase: Phase,
    /// Since when it is in that phase.
    since: Instant,
    /// When the client is given up if nothing happens; never while the agent is at work for it.
    deadline: Option<Instant>,
    /// The client sends no more.
    is_at_end: bool,
    /// What the client had not taken yet when that was looked at last.
    backlog: usize,
    /// Method and target of the request that was handed on.
    asked: Option<(Method, String)>,
}

/// What the loop lends a client for one turn.
pub(super) struct Context<'a> {
    pub(super) limits: &'a GateLimits,
    pub(super) registry: &'a Registry,
    /// Where tiny_http listens.
    pub(super) inner: &'a Path,
    /// The token of the client's connection to tiny_http.
    pub(super) token: Token,
    /// Whether somebody waits for its place.
    pub(super) is_awaited: bool,
    pub(super) now: Instant,
    pub(super) stats: &'a Stats,
    /// Is told of what is refused.
    pub(super) refused: &'a dyn Fn(&Refused<'_>),
}

/// What a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is nothing to do until a socket is ready.
    Done,
    /// There is more to do, after the others have had their turn.
    More,
    /// The connection is over.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Between requests.
    Idle,
    /// A head is on its way.
    Head,
    /// A body is on its way.
    Body,
    /// tiny_http has the request.
    Waiting,
    /// The client has to take the answer.
    Answering,
    /// Everything is said; what the client still sends is read so that it gets the answer rather than a reset.
    Leaving,
}

impl Client {
    /// A client that has just connected.
    pub(super) fn new(transport: Transport, source: IpAddr, limits: &GateLimits, now: Instant) -> Client {
        let messages =
            MessageLimits { head_bytes: MAX_HEAD_BYTES, headers: MAX_HEADERS, body_bytes: limits.max_body_bytes };
        Client {
            transport,
            source,
            http: ServerConnection::new(messages),
            relay: None,
            // It connected to ask something: the first head has no more time than the others.
            phase: Phase::Head,
            since: now,
            deadline: Some(now + limits.header_timeout),
            is_at_end: false,
            backlog: 0,
            asked: None,
        }
    }

    /// Does what the sockets let it do.
    pub(super) fn advance(&mut self, context: &Context<'_>) -> Turn {
        // Whatever breaks the connection, there is nobody left to tell.
        self.try_advance(context).unwrap_or(Turn::Gone)
    }

    /// Gives up a client whose time is over.
    pub(super) fn expire(&mut self, context: &Context<'_>) -> Turn {
        if self.deadline.is_none_or(|deadline| deadline > context.now) {
            return Turn::Done;
        }
        let is_too_slow = match self.phase {
            Phase::Head | Phase::Body => true,
            // An answer to nothing that was asked has been counted for what it is.
            Phase::Answering => self.asked.is_some(),
            Phase::Idle | Phase::Waiting | Phase::Leaving => false,
        };
        if is_too_slow {
            context.stats.timed_out.increment();
        }
        match self.phase {
            Phase::Head => {
                self.refuse(TIMEOUT, "the head of the request did not come in time (APIHeaderTimeout)", context)
            }
            Phase::Body => {
                self.refuse(TIMEOUT, "the body of the request did not come in time (APIReadTimeout)", context)
            }
            _ => return Turn::Gone,
        }
        self.advance(context)
    }

    /// Since when the agent waits for it, if it does: who keeps it waiting for longest makes room for others. A client that sends its
    /// body or takes its answer drop by drop is no better than an idle one.
    pub(super) fn waited_for_since(&self) -> Option<Instant> {
        (self.phase != Phase::Waiting).then_some(self.since)
    }

    /// Makes room for others where all together hold more than they may.
    pub(super) fn give_way(&mut self, context: &Context<'_>) -> Turn {
        if self.phase != Phase::Body {
            context.stats.evicted.increment();
            return Turn::Gone;
        }
        self.refuse(UNAVAILABLE, "the agent holds as many bodies as it may, and of this address the most", context);
        self.advance(context)
    }

    /// Where it comes from.
    pub(super) fn source(&self) -> IpAddr {
        self.source
    }

    /// Bytes that are held for it.
    pub(super) fn held(&self) -> usize {
        let body = match self.http.arrival() {
            Arrival::Body(bytes) => bytes,
            _ => 0,
        };
        self.http.buffered() + body + self.transport.backlog() + self.relay.as_ref().map_or(0, Relay::held)
    }

    fn try_advance(&mut self, context: &Context<'_>) -> io::Result<Turn> {
        let mut budget = PIECES_PER_TURN;
        loop {
            self.transport.flush_socket()?;
            match self.phase {
                Phase::Idle | Phase::Head | Phase::Body => {
                    let is_drained = self.read(&mut budget)?;
                    let mut out = Vec::new();
                    match self.http.next_request(&mut out) {
                        Ok(Some(request)) => self.hand_on(&request, context),
                        Ok(None) if self.is_at_end => return Ok(Turn::Gone),
                        Ok(None) => {
                            self.transport.write_all(&out)?;
                            self.transport.flush_socket()?;
                            self.await_request(context);
                            if self.phase != Phase::Answering {
                                return Ok(if is_drained { Turn::Done } else { Turn::More });
                            }
                        }
                        Err(refusal) => {
                            self.asked = refusal.asked.map(|asked| *asked);
                            let limit = context.limits.max_body_bytes;
                            let detail = match refusal.status {
                                TOO_LARGE => format!("the body is larger than {limit} bytes (MaxRequestBytes)"),
                                _ => refusal.message,
                            };
                            self.refuse(refusal.status, &detail, context);
                        }
                    }
                }
                Phase::Waiting => {
                    // A client that pipelines waits; one that is gone is noticed.
                    if self.http.buffered() < MAX_PIPELINED_BYTES {
                        self.read(&mut budget)?;
                    }
                    match self.relay.as_mut().map(Relay::advance) {
                        Some(Ok(None)) => return Ok(Turn::Done),
                        Some(Ok(Some(answer))) => self.answer(&answer, context)?,
                        Some(Err(error)) => {
                            log::debug!("a request to the REST API got no answer: {error}");
                            self.refuse(UNAVAILABLE, "the agent did not answer; it may be stopping", context);
                        }
                        None => return Ok(Turn::Gone),
                    }
                }
                Phase::Answering => {
                    let backlog = self.transport.backlog();
                    if backlog > 0 {
                        if backlog < self.backlog {
                            self.deadline = Some(context.now + context.limits.read_timeout);
                        }
                        self.backlog = backlog;
                        return Ok(Turn::Done);
                    }
                    if self.http.must_close() || self.is_at_end {
                        self.transport.shutdown();
                        self.enter(Phase::Leaving, Some(LINGER), context);
                    } else if context.is_awaited {
                        // It had its answer. One that sends requests ahead would never be waited for.
                        context.stats.evicted.increment();
                        return Ok(Turn::Gone);
                    } else {
                        self.asked = None;
                        self.enter(Phase::Idle, Some(context.limits.idle_timeout), context);
                    }
                }
                Phase::Leaving => {
                    let mut piece = [0; PIECE_BYTES];
                    for _ in 0..budget {
                        match self.transport.read(&mut piece) {
                            Ok(0) => return Ok(Turn::Gone),
                            Ok(_) => {}
                            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Turn::Done),
                            Err(error) => return Err(error),
                        }
                    }
                    return Ok(Turn::More);
                }
            }
        }
    }

    /// Reads what is there, up to a budget; true if there is no more for now.
    fn read(&mut self, budget: &mut usize) -> io::Result<bool> {
        let mut piece = [0; PIECE_BYTES];
        while *budget > 0 && !self.is_at_end {
            match self.transport.read(&mut piece) {
                Ok(0) => self.is_at_end = true,
                Ok(read) => {
                    self.http.receive(&piece[..read]);
                    *budget -= 1;
                    if self.http.buffered() >= MAX_PIPELINED_BYTES {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                // TLS that ends without its goodbye: the client may still read.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.is_at_end = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.is_at_end)
    }

    /// Sets the time that the next piece of the request has.
    fn await_request(&mut self, context: &Context<'_>) {
        let (phase, time) = match self.http.arrival() {
            Arrival::Nothing => return,
            Arrival::Head => (Phase::Head, context.limits.header_timeout),
            Arrival::Body(_) => (Phase::Body, context.limits.read_timeout),
        };
        // Counted from the first byte of each, so that a drop now and then buys no time.
        if phase != self.phase {
            self.enter(phase, Some(time), context);
        }
    }

    fn hand_on(&mut self, request: &Request, context: &Context<'_>) {
        self.asked = Some((request.method.clone(), request.target.clone()));
        let wire = match Relay::prepare(request, self.source) {
            Ok(wire) => wire,
            Err(problem) => return self.refuse(BAD_REQUEST, &problem, context),
        };
        match Relay::start(context.inner, wire, &request.method, context.registry, context.token) {
            Ok(relay) => {
                self.relay = Some(relay);
                self.enter(Phase::Waiting, None, context);
            }
            Err(error) => {
                log::debug!("a request to the REST API is refused: {error}");
                self.refuse(UNAVAILABLE, "the agent has more requests at once than it can take", context);
            }
        }
    }

    fn answer(&mut self, answer: &Answer, context: &Context<'_>) -> io::Result<()> {
        self.relay = None;
        let mut out = Vec::new();
        self.http.respond(&answer.head, answer.framing, &answer.date, &mut out);
        self.http.data(&answer.body, &mut out);
        self.http.finish(&mut out);
        self.transport.write_all(&out)?;
        self.backlog = usize::MAX;
        self.enter(Phase::Answering, Some(context.limits.read_timeout), context);
        Ok(())
    }

    /// Answers with a problem and closes.
    fn refuse(&mut self, status: u16, detail: &str, context: &Context<'_>) {
        context.stats.refused.increment();
        let kind = Kind::of_gate(status);
        let receiving = self.http.receiving().map(|request| (request.method.clone(), request.target.clone()));
        let asked = receiving.or(self.asked.take());
        let (method, target) = asked.as_ref().map_or(("-", "-"), |(method, target)| (method.as_str(), target.as_str()));
        (context.refused)(&Refused { source: self.source, method, target, status: kind.status(), detail });
        (self.relay, self.asked) = (None, None);
        self.http.give_up();
        let problem = Problem::new(kind, detail, "see RFC 9112, or the limits in the agent's settings");
        let page = respond::problem(problem, asked.as_ref().map_or("/", |(_, target)| target));
        let mut headers = Headers::from_iter([("Content-Type", page.media_type)]);
        page.headers.into_iter().for_each(|(name, value)| headers.push(name, value));
        let head = ResponseHead { status: page.status, headers };
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now());
        let answer = Answer {
            head,
            framing: BodyFraming::Length(page.body.len() as u64),
            // The printer refuses years beyond 9999 only.
            date: date.unwrap_or_default(),
            body: page.body,
        };
        if self.answer(&answer, context).is_err() {
            self.enter(Phase::Leaving, Some(Duration::ZERO), context);
        }
    }

    fn enter(&mut self, phase: Phase, time: Option<Duration>, context: &Context<'_>) {
        self.phase = phase;
        self.since = context.now;
        self.deadline = time.map(|time| context.now + time);
    }
}

const TIMEOUT: u16 = 408;
const BAD_REQUEST: u16 = 400;
const TOO_LARGE: u16 = 413;
const UNAVAILABLE: u16 = 503;
/// Keys, a cookie of somebody else's on this host, and room.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// What a client may send ahead of its turn.
const MAX_PIPELINED_BYTES: usize = 64 * 1024;
const PIECE_BYTES: usize = 16 * 1024;
/// How much one client may send before its neighbours get their turn.
const PIECES_PER_TURN: usize = 16;
/// How long a client may go on sending after its answer.
const LINGER: Duration = Duration::from_secs(2);
