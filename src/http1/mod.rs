//! HTTP/1.1 framing without I/O: bytes in, messages out.
//!
//! The server role serves the virtual clusters; the client role serves the rehearsal. This room must not know sockets, TLS,
//! clocks or what a message means.

mod headers;
mod message;

pub use headers::Headers;
pub use message::{Method, Request, ResponseHead};
