//! HTTP/1.1 by hand, for tests that must see or send what a library would hide.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
    }

    /// A header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// A response as it came.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// A header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Reads a request; none where the connection ends.
pub fn read_request(stream: &mut impl Read) -> Option<Request> {
    let head = read_head(stream).ok()?;
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    parsed.parse(&head).ok().filter(httparse::Status::is_complete)?;
    let (method, target) = (parsed.method?.to_owned(), parsed.path?.to_owned());
    let headers = owned(parsed.headers);
    let mut body = vec![0; content_length(&headers)];
    stream.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body })
}

/// Writes a response.
pub fn write_response(
    stream: &mut impl Write,
    status: u16,
    content_type: &str,
    headers: &[(&'static str, String)],
    body: &str,
) -> io::Result<()> {
    let mut head =
        format!("HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    stream.flush()
}

/// Sends a request byte by byte as given to `url` (`http://HOST:PORT`), and reads the response.
pub fn send(url: &str, request: &[u8]) -> Response {
    let mut socket = connect(url);
    socket.write_all(request).unwrap();
    read_response(&mut socket, request.starts_with(b"HEAD "))
}

/// A TCP connection to the host of `url`.
pub fn connect(url: &str) -> TcpStream {
    let socket = TcpStream::connect(url.split_once("://").unwrap().1).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Reads a response; one to HEAD has no body.
pub fn read_response(stream: &mut impl Read, to_head: bool) -> Response {
    let head = read_head(stream).expect("there is an answer");
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    assert!(parsed.parse(&head).is_ok_and(|status| status.is_complete()), "{}", String::from_utf8_lossy(&head));
    let (status, headers) = (parsed.code.unwrap(), owned(parsed.headers));
    let mut body = vec![0; if to_head { 0 } else { content_length(&headers) }];
    stream.read_exact(&mut body).expect("the body is as long as announced");
    Response { status, headers, body: String::from_utf8(body).unwrap() }
}

fn read_head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

fn owned(fields: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    fields.iter().map(|field| (field.name.to_owned(), text(field.value))).collect()
}

fn content_length(headers: &[(String, String)]) -> usize {
    find(headers, "Content-Length").map_or(0, |value| value.parse().unwrap())
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

const MAX_FIELDS: usize = 64;
/// An answer that takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(30);
