//! HTTP/1.1 framing without I/O: bytes in, messages out (RFC 9112).
//!
//! The server role serves the virtual clusters; the client role serves the rehearsal. Bytes go in as they arrive, in pieces of
//! any size; incomplete input is not an error. This room must not know sockets, TLS, clocks or what a message means.

mod body;
mod client;
mod headers;
mod limits;
mod message;
mod server;

pub use client::{ClientConnection, ClientEvent};
pub use headers::Headers;
pub use limits::{MessageLimits, Refusal};
pub use message::{Method, Request, ResponseHead};
pub use server::{Arrival, BodyFraming, ServerConnection};
