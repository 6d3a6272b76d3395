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

impl Method {
    /// The method of a request line.
    pub fn parse(token: &str) -> Method {
        match token {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            "OPTIONS" => Method::Options,
            other => Method::Other(other.to_owned()),
        }
    }

    /// The token of the request line.
    pub fn as_str(&self) -> &str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Other(token) => token,
        }
    }
}

impl Request {
    /// A request with nothing but method and target.
    pub fn new(method: Method, target: impl Into<String>) -> Request {
        Request { method, target: target.into(), headers: Headers::default(), body: Vec::new() }
    }

    /// Path and query of the target; the query is empty if there is none.
    pub fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }
}
