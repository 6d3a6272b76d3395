//! The server's side of a connection: requests out of bytes, bytes out of responses.

use super::body::{BodyReader, Length};
use super::{Headers, MessageLimits, Method, Refusal, Request, ResponseHead};

/// How a response's body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// Exactly this many bytes follow.
    Length(u64),
    /// Pieces follow until [`ServerConnection::finish`]; an HTTP/1.0 client gets them unframed, ended by closing.
    Chunked,
    /// No body and no statement about one (204, 304).
    None,
}

/// How much of a request has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Nothing.
    Nothing,
    /// A part of its head.
    Head,
    /// Its head, and so many bytes of its body.
    Body(usize),
}

/// One connection's protocol state. Requests are handed out one at a time; those pipelined behind wait as bytes.
#[derive(Debug)]
pub struct ServerConnection {
    limits: MessageLimits,
    /// Received and not yet used; released when empty, since most connections are idle.
    input: Vec<u8>,
    request: Option<Receiving>,
    responding: Option<Responding>,
    /// No request is read after the one under way.
    must_close: bool,
}

/// A request whose head has arrived.
#[derive(Debug)]
struct Receiving {
    request: Request,
    body: BodyReader,
    is_http_1_0: bool,
}

/// What the response under way must respect of its request.
#[derive(Debug, Clone, Copy, Default)]
struct Responding {
    /// The response has no body, whatever its head says about one: it answers HEAD, or its status has none.
    bodiless: bool,
    is_http_1_0: bool,
    chunked: bool,
}

impl ServerConnection {
    /// A connection that has received nothing.
    pub fn new(limits: MessageLimits) -> ServerConnection {
        ServerConnection { limits, input: Vec::new(), request: None, responding: None, must_close: false }
    }

    /// Takes bytes from the client; those behind the last request are dropped.
    pub fn receive(&mut self, bytes: &[u8]) {
        if !self.is_over() {
            self.input.extend_from_slice(bytes);
        }
    }

    /// Bytes received whose turn has not come: what back pressure goes by. A body under way does not count, since only more
    /// bytes can complete it; its own limit bounds it.
    pub fn buffered(&self) -> usize {
        self.input.len()
    }

    /// The next request once it is complete; `None` while it is not, or while a response is under way. Appends
    /// `100 Continue` to `out` where the client waits for it. After a refusal the connection only answers and closes.
    pub fn next_request(&mut self, out: &mut Vec<u8>) -> Result<Option<Request>, Refusal> {
        if self.responding.is_some() || self.is_over() {
            return Ok(None);
        }
        let outcome = self.try_next(out);
        if outcome.is_err() {
            self.give_up();
        }
        if self.input.is_empty() || self.is_over() {
            self.input = Vec::new();
        }
        outcome
    }

    /// Writes a response's head with `Date`, framing and connection management added; `date` is in the form of RFC 9110
    /// §5.6.7. Then come [`data`](Self::data) and [`finish`](Self::finish).
    pub fn respond(&mut self, head: &ResponseHead, body: BodyFraming, date: &str, out: &mut Vec<u8>) {
        let mut responding = self.responding.unwrap_or_default();
        put(out, &["HTTP/1.1 ", &head.status.to_string(), " ", reason(head.status), "\r\n"]);
        put_fields(out, &head.headers);
        put(out, &["Date: ", date, "\r\n"]);
        let has_no_content = matches!(head.status, 100..=199 | 204 | 304);
        responding.bodiless |= has_no_content;
        match body {
            // RFC 9110 §8.6 and RFC 9112 §6.1 forbid both statements here.
            _ if has_no_content => {}
            BodyFraming::Length(length) => put(out, &["Content-Length: ", &length.to_string(), "\r\n"]),
            BodyFraming::Chunked if responding.is_http_1_0 => self.must_close = true,
            BodyFraming::Chunked => {
                responding.chunked = true;
                put(out, &["Transfer-Encoding: chunked\r\n"]);
            }
            BodyFraming::None => {}
        }
        if self.must_close {
            put(out, &["Connection: close\r\n"]);
        } else if responding.is_http_1_0 {
            // Its client takes the connection to end with the response unless told otherwise.
            put(out, &["Connection: keep-alive\r\n"]);
        }
        put(out, &["\r\n"]);
        self.responding = Some(responding);
    }

    /// Writes a piece of the body; nothing where the response has none.
    pub fn data(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.responding {
            Some(Responding { bodiless: false, chunked: true, .. }) if !bytes.is_empty() => {
                put(out, &[&format!("{:x}\r\n", bytes.len())]);
                out.extend_from_slice(bytes);
                put(out, &["\r\n"]);
            }
            Some(Responding { bodiless: false, chunked: false, .. }) => out.extend_from_slice(bytes),
            _ => {}
        }
    }

    /// Ends the response; the next request may be handed out.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(Responding { bodiless: false, chunked: true, .. }) = self.responding.take() {
            put(out, &["0\r\n\r\n"]);
        }
    }

    /// How much of a request has arrived that is not complete yet.
    pub fn arrival(&self) -> Arrival {
        match &self.request {
            Some(receiving) => Arrival::Body(receiving.request.body.len()),
            None if self.input.is_empty() => Arrival::Nothing,
            None => Arrival::Head,
        }
    }

    /// The request whose head has arrived and whose body is under way.
    pub fn receiving(&self) -> Option<&Request> {
        self.request.as_ref().map(|receiving| &receiving.request)
    }

    /// Gives up the request under way, if there is one: the connection only answers, and closes.
    pub fn give_up(&mut self) {
        self.must_close = true;
        self.request = None;
        self.responding.get_or_insert_default();
    }

    /// Whether the connection has to be closed once the response is sent.
    pub fn must_close(&self) -> bool {
        self.must_close
    }

    /// Whether no further request is read.
    fn is_over(&self) -> bool {
        self.must_close && self.request.is_none()
    }

    fn try_next(&mut self, out: &mut Vec<u8>) -> Result<Option<Request>, Refusal> {
        if self.request.is_none() && !self.read_head(out)? {
            return Ok(None);
        }
        // Invariant: `read_head` answers true only after it has set the request.
        let Some(receiving) = &mut self.request else { return Ok(None) };
        let Request { method, target, body, .. } = &mut receiving.request;
        let used = receiving.body.read(&self.input, body).map_err(|refusal| refusal.of(method.clone(), target))?;
        self.input.drain(..used);
        if !receiving.body.is_done() {
            return Ok(None);
        }
        Ok(self.request.take().map(|Receiving { request, is_http_1_0, .. }| {
            let bodiless = request.method == Method::Head;
            self.responding = Some(Responding { bodiless, is_http_1_0, chunked: false });
            request
        }))
    }

    fn read_head(&mut self, out: &mut Vec<u8>) -> Result<bool, Refusal> {
        if self.input.is_empty() {
            return Ok(false);
        }
        let mut fields = vec![httparse::EMPTY_HEADER; self.limits.headers];
        let mut parsed = httparse::Request::new(&mut fields);
        let length = match parsed.parse(&self.input).map_err(Refusal::unreadable)? {
            httparse::Status::Complete(length) if length <= self.limits.head_bytes => length,
            httparse::Status::Partial if self.input.len() <= self.limits.head_bytes => return Ok(false),
            _ => return Err(Refusal::new(431, format!("the head is larger than {} bytes", self.limits.head_bytes))),
        };
        let (method, target) = (Method::parse(parsed.method.unwrap_or_default()), parsed.path.unwrap_or_default());
        let head = Head::read(&parsed, &self.limits).map_err(|refusal| refusal.of(method.clone(), target))?;
        let Head { headers, body, is_http_1_0, must_close, waits } = head;
        if waits && !body.is_done() && self.input.len() == length {
            put(out, &["HTTP/1.1 100 Continue\r\n\r\n"]);
        }
        let request = Request { method, target: target.to_owned(), headers, body: Vec::new() };
        self.request = Some(Receiving { request, body, is_http_1_0 });
        self.must_close = must_close;
        self.input.drain(..length);
        Ok(true)
    }
}

/// What a head says beside method and target.
struct Head {
    headers: Headers,
    body: BodyReader,
    is_http_1_0: bool,
    must_close: bool,
    /// The client sends its body once it is told to.
    waits: bool,
}

impl Head {
    fn read(parsed: &httparse::Request<'_, '_>, limits: &MessageLimits) -> Result<Head, Refusal> {
        let headers = collect(parsed.headers)?;
        let is_http_1_0 = parsed.version == Some(0);
        if !is_http_1_0 && headers.get_all("Host").count() != 1 {
            return Err(Refusal::new(400, "exactly one Host header field is required"));
        }
        let says = |token: &str| {
            let mut options = headers.get_all("Connection").flat_map(|options| options.split(','));
            options.any(|option| option.trim().eq_ignore_ascii_case(token))
        };
        let must_close = says("close") || (is_http_1_0 && !says("keep-alive"));
        let body = BodyReader::new(Length::of_request(&headers, is_http_1_0)?, limits)?;
        let waits = match headers.get("Expect") {
            Some(expect) if !expect.eq_ignore_ascii_case("100-continue") => {
                return Err(Refusal::new(417, "the only expectation understood is 100-continue"));
            }
            expect => expect.is_some() && !is_http_1_0,
        };
        Ok(Head { headers, body, is_http_1_0, must_close, waits })
    }
}

/// The reason phrase: nobody reads it, but tools show it.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

pub(super) fn collect(fields: &[httparse::Header<'_>]) -> Result<Headers, Refusal> {
    fields
        .iter()
        .map(|field| match std::str::from_utf8(field.value) {
            Ok(value) => Ok((field.name, value)),
            Err(_) => Err(Refusal::new(400, format!("the value of {} is no UTF-8", field.name))),
        })
        .collect()
}

/// Writes header fields. A value may quote what a client sent; it must not be able to start a field of its own.
pub(super) fn put_fields(out: &mut Vec<u8>, headers: &Headers) {
    for (name, value) in headers.iter() {
        put(out, &[name, ": "]);
        out.extend(value.bytes().map(|byte| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { byte }));
        put(out, &["\r\n"]);
    }
}

pub(super) fn put(out: &mut Vec<u8>, parts: &[&str]) {
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn connection() -> ServerConnection {
        ServerConnection::new(MessageLimits { head_bytes: 1000, headers: 8, body_bytes: 100 })
    }

    fn received(bytes: &[u8]) -> Result<Option<Request>, Refusal> {
        let mut connection = connection();
        connection.receive(bytes);
        connection.next_request(&mut Vec::new())
    }

    fn respond(connection: &mut ServerConnection, framing: BodyFraming, pieces: &[&str]) -> String {
        let head = ResponseHead { status: 200, headers: Headers::from_iter([("Content-Type", "text/plain")]) };
        let mut out = Vec::new();
        connection.respond(&head, framing, DATE, &mut out);
        pieces.iter().for_each(|piece| connection.data(piece.as_bytes(), &mut out));
        connection.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_is_handed_out_once_complete() {
        let wire = b"POST /api/v1/namespaces?dryRun=All HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
        let mut connection = connection();
        connection.receive(&wire[..wire.len() - 1]);
        assert!(connection.next_request(&mut Vec::new()).unwrap().is_none());
        connection.receive(&wire[wire.len() - 1..]);
        let request = connection.next_request(&mut Vec::new()).unwrap().unwrap();
        assert_eq!((request.method, request.body), (Method::Post, b"hello".to_vec()));
        assert_eq!(request.target, "/api/v1/namespaces?dryRun=All");
    }

    #[test]
    fn what_has_arrived_of_a_request_is_told() {
        let mut connection = connection();
        let mut told = Vec::new();
        for piece in ["", "PUT / HTTP/1.1\r\nHost: x\r\n", "Content-Length: 4\r\n\r\n", "abc", "d"] {
            connection.receive(piece.as_bytes());
            connection.next_request(&mut Vec::new()).unwrap();
            told.push(connection.arrival());
        }
        use Arrival::{Body, Head, Nothing};
        assert_eq!(told, [Nothing, Head, Body(0), Body(3), Nothing]);
    }

    #[test]
    fn pipelined_requests_wait_for_their_turn() {
        let mut connection = connection();
        connection.receive(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut out = Vec::new();
        assert_eq!(connection.next_request(&mut out).unwrap().unwrap().target, "/1");
        assert!(connection.next_request(&mut out).unwrap().is_none());
        assert_eq!(connection.buffered(), 28);
        respond(&mut connection, BodyFraming::Length(0), &[]);
        assert_eq!(connection.next_request(&mut out).unwrap().unwrap().target, "/2");
        assert_eq!(connection.buffered(), 0);
    }

    #[test]
    fn the_head_carries_date_and_length() {
        let mut connection = connection();
        connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        connection.next_request(&mut Vec::new()).unwrap();
        let expected =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: {DATE}\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(respond(&mut connection, BodyFraming::Length(2), &["ok"]), expected);
        assert!(!connection.must_close());
    }

    #[test]
    fn a_streamed_body_is_chunked_but_not_for_http_1_0() {
        let mut connection = connection();
        connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        connection.next_request(&mut Vec::new()).unwrap();
        let text = respond(&mut connection, BodyFraming::Chunked, &["{}\n", "0123456789abcdef"]);
        assert!(text.ends_with("\r\n\r\n3\r\n{}\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"), "{text}");
        connection.receive(b"GET / HTTP/1.0\r\n\r\n");
        connection.next_request(&mut Vec::new()).unwrap();
        let text = respond(&mut connection, BodyFraming::Chunked, &["{}\n"]);
        assert!(text.ends_with("Connection: close\r\n\r\n{}\n"), "{text}");
        assert!(connection.must_close());
    }

    #[test]
    fn head_gets_the_length_without_the_body() {
        let mut connection = connection();
        connection.receive(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
        connection.next_request(&mut Vec::new()).unwrap();
        let text = respond(&mut connection, BodyFraming::Length(2), &["ok"]);
        assert!(text.ends_with("Content-Length: 2\r\n\r\n"), "{text}");
    }

    #[test]
    fn a_client_that_waits_for_continue_is_told_so_once() {
        let mut connection = connection();
        connection.receive(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        let mut out = Vec::new();
        assert!(connection.next_request(&mut out).unwrap().is_none());
        assert!(connection.next_request(&mut out).unwrap().is_none());
        assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
        connection.receive(b"ok");
        assert_eq!(connection.next_request(&mut out).unwrap().unwrap().body, b"ok");
    }

    #[test]
    fn a_last_request_is_handed_out_though_its_body_comes_later() {
        for head in ["PUT /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", "PUT /x HTTP/1.0\r\n"] {
            let mut connection = connection();
            connection.receive(format!("{head}Content-Length: 5\r\n\r\nhe").as_bytes());
            assert!(connection.next_request(&mut Vec::new()).unwrap().is_none());
            connection.receive(b"llo");
            let request = connection.next_request(&mut Vec::new()).unwrap().expect(head);
            assert_eq!(request.body, b"hello");
            assert!(respond(&mut connection, BodyFraming::Length(0), &[]).contains("Connection: close\r\n"));
            assert!(connection.must_close());
        }
    }

    /// A body counted as unread would pause the very peer that has yet to send the rest of it, for ever.
    #[test]
    fn a_body_under_way_does_not_count_as_unread() {
        let mut connection = connection();
        connection.receive(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n");
        connection.receive(&[b'x'; 80]);
        assert!(connection.next_request(&mut Vec::new()).unwrap().is_none());
        assert_eq!(connection.buffered(), 0);
    }

    #[test]
    fn what_follows_the_last_request_is_not_kept() {
        let mut connection = connection();
        connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /2");
        assert!(connection.next_request(&mut Vec::new()).unwrap().is_some());
        connection.receive(b" HTTP/1.1\r\n");
        assert_eq!(connection.buffered(), 0);
    }

    #[test]
    fn any_connection_field_may_ask_to_close() {
        let mut connection = connection();
        connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: te\r\nConnection: Foo, CLOSE\r\n\r\n");
        assert!(connection.next_request(&mut Vec::new()).unwrap().is_some());
        assert!(connection.must_close());
    }

    #[test]
    fn an_http_1_0_client_is_told_that_it_may_go_on() {
        let mut connection = connection();
        connection.receive(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert!(connection.next_request(&mut Vec::new()).unwrap().is_some());
        let text = respond(&mut connection, BodyFraming::Length(2), &["ok"]);
        assert!(text.ends_with("Content-Length: 2\r\nConnection: keep-alive\r\n\r\nok"), "{text}");
    }

    /// RFC 9110 §8.6: no Content-Length in 1xx and 204; RFC 9112 §6.1: no Transfer-Encoding either.
    #[test]
    fn a_status_without_content_gets_neither_framing_nor_body() {
        for status in [204, 304] {
            for framing in [BodyFraming::Length(2), BodyFraming::Chunked, BodyFraming::None] {
                let mut connection = connection();
                connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
                connection.next_request(&mut Vec::new()).unwrap();
                let mut out = Vec::new();
                connection.respond(&ResponseHead { status, headers: Headers::default() }, framing, DATE, &mut out);
                connection.data(b"ok", &mut out);
                connection.finish(&mut out);
                let text = String::from_utf8(out).unwrap();
                assert!(text.ends_with(&format!("\r\nDate: {DATE}\r\n\r\n")), "{status} {framing:?}: {text}");
            }
        }
    }

    #[test]
    fn a_header_value_cannot_start_another_field() {
        let mut connection = connection();
        connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        connection.next_request(&mut Vec::new()).unwrap();
        let headers = Headers::from_iter([("Warning", "299 - \"unknown field\r\nSet-Cookie: a\0b\"")]);
        let mut out = Vec::new();
        connection.respond(&ResponseHead { status: 200, headers }, BodyFraming::Length(0), DATE, &mut out);
        let text = String::from_utf8(out).unwrap();
        let expected = "HTTP/1.1 200 OK\r\nWarning: 299 - \"unknown field  Set-Cookie: a b\"\r\nDate: ";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn what_is_not_acceptable_is_refused_and_closes() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(1000));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(9));
        for (wire, status) in [
            ("GET / HTTP/2.0\r\n\r\n", 505),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost x\r\n\r\n", 400),
            ("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", 413),
            ("PUT / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", 417),
            ("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            (&long, 431),
            (&many, 431),
        ] {
            assert_eq!(received(wire.as_bytes()).unwrap_err().status, status, "{wire}");
        }
        let mut connection = connection();
        connection.receive(b"GARBAGE\r\n\r\n");
        let refusal = connection.next_request(&mut Vec::new()).unwrap_err();
        let head = ResponseHead { status: refusal.status, headers: Headers::default() };
        let mut out = Vec::new();
        connection.respond(&head, BodyFraming::Length(0), DATE, &mut out);
        connection.finish(&mut out);
        assert!(String::from_utf8(out).unwrap().contains("Connection: close\r\n"));
        connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(connection.next_request(&mut Vec::new()).unwrap().is_none());
    }

    proptest! {
        /// However the bytes are cut, the same requests come out.
        #[test]
        fn cuts_do_not_matter(cuts in prop::collection::vec(1usize..30, 1..40)) {
            let wire = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
                GET /b HTTP/1.1\r\nHost: x\r\n\r\nPUT /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nwxyz";
            let mut connection = connection();
            let mut seen = Vec::new();
            let mut rest = &wire[..];
            let mut cuts = cuts.into_iter().chain(std::iter::repeat(wire.len()));
            while !rest.is_empty() {
                let (piece, left) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                rest = left;
                connection.receive(piece);
                while let Some(request) = connection.next_request(&mut Vec::new()).unwrap() {
                    seen.push((request.target, request.body));
                    respond(&mut connection, BodyFraming::Length(0), &[]);
                }
            }
            let expected = [("/a", &b"abc"[..]), ("/b", b""), ("/c", b"wxyz")];
            prop_assert_eq!(seen.len(), 3);
            for ((target, body), expected) in seen.iter().zip(expected) {
                prop_assert_eq!((target.as_str(), body.as_slice()), expected);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let mut connection = connection();
            for piece in &pieces {
                connection.receive(piece);
                let _ = connection.next_request(&mut Vec::new());
            }
        }
    }
}
