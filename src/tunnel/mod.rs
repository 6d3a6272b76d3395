//! The remotedialer protocol (github.com/rancher/remotedialer) without I/O: websocket messages in, frames and events out.
//!
//! Many connections share one websocket. Rancher opens them (Connect), both sides send Data, either closes (Error); there is no
//! acknowledgement of a Connect and no half-close. Pause and Resume hold a sender back per connection; SyncConnections tells
//! Rancher which connections the agent still has, so that it can drop the others.
//!
//! File names follow that repository. This room must not know sockets, TLS, clocks (`now` is an argument) or what the
//! connections carry.

#[cfg(test)]
mod agreement;
mod back_pressure;
mod connection;
mod deadlines;
mod message;
mod session;
mod session_sync;

pub use deadlines::{Due, KeepAlive};
pub use message::{ConnectionId, Malformed, Message, Payload};
pub use session::{Event, Role, Session, SessionError, SessionLimits};

/// Frames to send, in order: each is the payload of one binary websocket message.
pub type Outbox = std::collections::VecDeque<Vec<u8>>;
