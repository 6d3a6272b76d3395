//! One request on its way to tiny_http, and its answer on the way back.

use crate::http1::{BodyFraming, Headers, Method, Request, ResponseHead};
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::Path;

/// A connection to tiny_http for one request.
#[derive(Debug)]
pub(super) struct Relay {
    socket: UnixStream,
    request: Vec<u8>,
    sent: usize,
    answer: Vec<u8>,
    to_head: bool,
}

/// An answer, ready for the client.
pub(super) struct Answer {
    pub(super) head: ResponseHead,
    pub(super) framing: BodyFraming,
    pub(super) date: String,
    pub(super) body: Vec<u8>,
}

/// Tells tiny_http's side whose request it is; what a client sends by that name goes no further.
pub(in crate::api) const SOURCE_FIELD: &str = "X-Source-Address";

impl Relay {
    /// Starts handing on a request of a client at `source`. The error says which field cannot be handed on.
    pub(super) fn prepare(request: &Request, source: IpAddr) -> Result<Vec<u8>, String> {
        let mut wire = format!("{} {} HTTP/1.1\r\n", request.method.as_str(), request.target);
        wire.push_str(&format!("{SOURCE_FIELD}: {source}\r\nConnection: close\r\n"));
        for name in HANDED_ON {
            if let Some(value) = request.headers.get(name) {
                wire.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        if !wire.is_ascii() {
            return Err("the head has a character that is not ASCII".into());
        }
        wire.push_str(&format!("Content-Length: {}\r\n\r\n", request.body.len()));
        let mut wire = wire.into_bytes();
        wire.extend_from_slice(&request.body);
        Ok(wire)
    }

    /// Connects to tiny_http at `path`.
    pub(super) fn start(
        path: &Path,
        request: Vec<u8>,
        method: &Method,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Relay> {
        // Where descriptors are short tiny_http gives up for good: a request is handed on only if there are enough for both ends.
        drop((UnixStream::pair()?, UnixStream::pair()?));
        let mut socket = UnixStream::connect(path)?;
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Relay { socket, request, sent: 0, answer: Vec::new(), to_head: *method == Method::Head })
    }

    /// Goes as far as the socket lets it; the answer once it is there.
    pub(super) fn advance(&mut self) -> io::Result<Option<Answer>> {
        while self.sent < self.request.len() {
            match self.socket.write(&self.request[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // It may be long until the answer.
        (self.request, self.sent) = (Vec::new(), 0);
        let mut piece = [0; PIECE_BYTES];
        loop {
            match self.socket.read(&mut piece) {
                Ok(0) => return self.finish().map(Some),
                Ok(read) => self.answer.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Bytes that are held for it.
    pub(super) fn held(&self) -> usize {
        self.request.len() + self.answer.len()
    }

    fn finish(&mut self) -> io::Result<Answer> {
        let mut fields = [httparse::EMPTY_HEADER; ANSWER_FIELDS];
        let mut parsed = httparse::Response::new(&mut fields);
        let head_bytes = match parsed.parse(&self.answer) {
            Ok(httparse::Status::Complete(length)) => length,
            _ => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "there was no answer")),
        };
        let mut headers = Headers::default();
        let (mut date, mut announced) = (String::new(), None);
        for field in parsed.headers.iter() {
            let value = String::from_utf8_lossy(field.value).into_owned();
            match field.name {
                "Date" => date = value,
                "Content-Length" => announced = value.parse().ok(),
                "Connection" | "Server" | "Transfer-Encoding" => {}
                name => headers.push(name, value),
            }
        }
        let status = parsed.code.unwrap_or(BAD_GATEWAY);
        let body = self.answer.split_off(head_bytes);
        let length = announced.filter(|_| self.to_head).unwrap_or(body.len() as u64);
        Ok(Answer { head: ResponseHead { status, headers }, framing: BodyFraming::Length(length), date, body })
    }
}

/// What the routes go by; everything else stays here.
const HANDED_ON: [&str; 9] = [
    "Host",
    "Authorization",
    "X-API-Key",
    "Content-Type",
    "Accept",
    "Origin",
    "Sec-Fetch-Site",
    "User-Agent",
    "If-None-Match",
];
const PIECE_BYTES: usize = 16 * 1024;
/// More than tiny_http and the routes write.
const ANSWER_FIELDS: usize = 32;
const BAD_GATEWAY: u16 = 502;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(&str, &str)], body: &str) -> Request {
        let headers = Headers::from_iter(fields.iter().copied());
        Request { method: Method::Post, target: "/clusters?wait=false".into(), headers, body: body.into() }
    }

    #[test]
    fn a_request_is_written_anew_with_what_matters() {
        let fields =
            [("host", "a"), ("transfer-encoding", "chunked"), ("x-source-address", "1.2.3.4"), ("expect", "x")];
        let wire = Relay::prepare(&request(&fields, "{}"), IpAddr::from([192, 0, 2, 7])).unwrap();
        let expected = "POST /clusters?wait=false HTTP/1.1\r\nX-Source-Address: 192.0.2.7\r\nConnection: close\r\n\
                        Host: a\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8(wire).unwrap(), expected);
        let problem = Relay::prepare(&request(&[("Authorization", "Bearer é")], ""), IpAddr::from([127, 0, 0, 1]));
        assert!(problem.unwrap_err().contains("ASCII"));
    }
}
