//! What a message is once its framing is taken off.

use super::Headers;

/// A request method (RFC 9110 §9). Anything else a client sends is kept verbatim, so that a refusal can name it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Other(String),
}

/// A complete request: head and whole body.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The request target as sent: path and query, percent-encoded.
    pub target: String,
    /// Header fields.
    pub headers: Headers,
    /// The body with its transfer coding removed; empty when there was none.
    pub body: Vec<u8>,
}

/// Status line and header fields of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
}
