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

    /// Path and query of the target, still percent-encoded; the query is empty if there is none. Scheme and host, which a
    /// client may put in front (RFC 9112 §3.2.2), are left out.
    pub fn path_and_query(&self) -> (&str, &str) {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        match path.split_once("://") {
            Some((_, authority_and_path)) if !path.starts_with('/') => {
                let path = authority_and_path.find('/').map_or("/", |start| &authority_and_path[start..]);
                (path, query)
            }
            _ => (path, query),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms of RFC 9112 §3.2.
    #[test]
    fn path_and_query_of_every_form_of_target() {
        for (target, expected) in [
            ("/api/v1/pods?watch=1&x=?", ("/api/v1/pods", "watch=1&x=?")),
            ("/version", ("/version", "")),
            ("http://10.43.0.1:443/api?x=/y", ("/api", "x=/y")),
            ("https://kubernetes", ("/", "")),
            ("http://kubernetes?x=1/2", ("/", "x=1/2")),
            ("/proxy/http://inner/path", ("/proxy/http://inner/path", "")),
            ("/a?next=http://b/c", ("/a", "next=http://b/c")),
            ("*", ("*", "")),
        ] {
            assert_eq!(Request::new(Method::Get, target).path_and_query(), expected, "{target}");
        }
    }
}
