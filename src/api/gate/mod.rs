//! The guard in front of tiny_http: one epoll loop that owns every client's socket.
//!
//! tiny_http 0.12 gives a connection a thread for as long as it is open, waits for requests and bodies without a limit, and has
//! no TLS of today. So no client talks to it. This loop accepts clients, speaks TLS, and reads each request whole, by
//! [`crate::http1`], within limits of time, size and number. Then it hands it on through a unix socket that only this user may
//! open, one connection for each request, written anew with the few fields that matter; it reads the answer whole before the
//! client gets it. What reaches tiny_http is complete, well-formed and bounded, and a slow client costs a socket, not a thread.
//!
//! Where room is scarce, connections or bytes, whoever has the most of it gives way: a flood from one address is its own neighbour.
//!
//! This room must not know routes, keys, the audit log or the manager.

mod certificate;
mod client;
mod guard;
mod relay;
mod sources;
mod stats;

pub use certificate::Certificate;
pub use guard::GateLimits;
pub(super) use guard::{Gate, GateConfig, Refused};
pub(super) use relay::SOURCE_FIELD;
