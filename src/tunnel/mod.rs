//! The remotedialer protocol (github.com/rancher/remotedialer) without I/O: websocket messages in, frames and events out.
//!
//! File names follow that repository. This room must not know sockets, TLS, clocks (`now` is an argument) or what the
//! connections carry.
#![allow(missing_docs, unused)]
use std::time::{Duration, Instant};
pub type ConnectionId = i64;
pub type Outbox = std::collections::VecDeque<Vec<u8>>;
pub enum Role {
    Agent,
    Server,
}
#[derive(Default)]
pub struct SessionLimits {
    pub connections: usize,
    pub pause_above: usize,
    pub resume_below: usize,
}
pub enum Event<'m> {
    Nothing,
    Connect { connection: ConnectionId, network: &'m str, address: &'m str },
    Data { connection: ConnectionId, payload: &'m [u8] },
    Closed { connection: ConnectionId, reason: String },
    Paused { connection: ConnectionId },
    Resumed { connection: ConnectionId },
}
#[derive(Debug)]
pub struct Session;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct SessionError;
impl Session {
    pub fn new(role: Role, first_message_id: i64, limits: SessionLimits) -> Session {
        todo!()
    }
    pub fn receive<'m>(&mut self, message: &'m [u8], out: &mut Outbox) -> Result<Event<'m>, SessionError> {
        todo!()
    }
    pub fn send(&mut self, connection: ConnectionId, payload: &[u8], out: &mut Outbox) {}
    pub fn may_send(&self, connection: ConnectionId) -> bool {
        true
    }
    pub fn buffered(&mut self, connection: ConnectionId, bytes: usize, out: &mut Outbox) {}
    pub fn close(&mut self, connection: ConnectionId, reason: &str, out: &mut Outbox) {}
    pub fn sync(&mut self, out: &mut Outbox) {}
}
#[derive(Debug)]
pub struct KeepAlive;
pub enum Due {
    Ping,
    Dead,
    Wait(Instant),
}
impl KeepAlive {
    pub fn new(now: Instant, interval: Duration, timeout: Duration, phase: Duration) -> Self {
        todo!()
    }
    pub fn next_due(&self) -> Instant {
        todo!()
    }
    pub fn pong(&mut self, now: Instant) {}
    pub fn poll(&mut self, now: Instant) -> Due {
        todo!()
    }
}
