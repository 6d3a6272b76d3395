//! HTTP/1.1 framing without I/O: bytes in, messages out.
//!
//! The server role serves the virtual clusters; the client role serves the rehearsal. This room must not know sockets, TLS,
//! clocks or what a message means.

mod headers;
mod message;

pub use headers::Headers;
pub use message::{Method, Request, ResponseHead};
#[derive(Default)]
pub struct MessageLimits {
    pub head_bytes: usize,
    pub headers: usize,
    pub body_bytes: usize,
}
#[derive(Debug)]
pub struct ServerConnection;
pub enum BodyFraming {
    Length(u64),
    Chunked,
    None,
}
pub struct Refusal {
    pub status: u16,
    pub message: String,
}
#[allow(unused, missing_docs)]
impl ServerConnection {
    pub fn new(limits: MessageLimits) -> Self {
        todo!()
    }
    pub fn receive(&mut self, bytes: &[u8]) {}
    pub fn next_request(&mut self, out: &mut Vec<u8>) -> Result<Option<Request>, Refusal> {
        todo!()
    }
    pub fn buffered(&self) -> usize {
        0
    }
    pub fn respond(&mut self, head: &ResponseHead, body: BodyFraming, date: &str, out: &mut Vec<u8>) {}
    pub fn data(&mut self, bytes: &[u8], out: &mut Vec<u8>) {}
    pub fn finish(&mut self, out: &mut Vec<u8>) {}
    pub fn must_close(&self) -> bool {
        todo!()
    }
}
