//! The client's side of a connection: bytes out of requests, responses out of bytes.

use super::body::{BodyReader, Length};
use super::server::{collect, put, put_fields};
use super::{MessageLimits, Method, Refusal, Request, ResponseHead};
use std::collections::VecDeque;

/// What arrives of a response, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// Status line and header fields.
    Head(ResponseHead),
    /// A piece of the body.
    Data(Vec<u8>),
    /// The response is complete; the next request may be sent.
    End,
}

/// One connection's protocol state; responses come in the order of the requests.
#[derive(Debug)]
pub struct ClientConnection {
    limits: MessageLimits,
    input: Vec<u8>,
    /// For each request without a complete response: whether it was HEAD.
    expected: VecDeque<bool>,
    body: Option<BodyReader>,
    ended: bool,
}

impl ClientConnection {
    /// A connection that has sent and received nothing. `limits.body_bytes` bounds each response's body.
    pub fn new(limits: MessageLimits) -> ClientConnection {
        ClientConnection { limits, input: Vec::new(), expected: VecDeque::new(), body: None, ended: false }
    }

    /// Writes a request; `Content-Length` is added where there is a body or the method means one. `Host` is the caller's.
    pub fn request(&mut self, request: &Request, out: &mut Vec<u8>) {
        put(out, &[request.method.as_str(), " ", &request.target, " HTTP/1.1\r\n"]);
        put_fields(out, &request.headers);
        let means_body = matches!(request.method, Method::Post | Method::Put | Method::Patch);
        if means_body || !request.body.is_empty() {
            put(out, &["Content-Length: ", &request.body.len().to_string(), "\r\n"]);
        }
        put(out, &["\r\n"]);
        out.extend_from_slice(&request.body);
        self.expected.push_back(request.method == Method::Head);
    }

    /// Takes bytes from the server.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The server closed its side.
    pub fn eof(&mut self) {
        self.ended = true;
    }

    /// What has arrived next; `None` until more does. The refusal of a response carries no meaning as a status.
    pub fn next_event(&mut self) -> Result<Option<ClientEvent>, Refusal> {
        let Some(body) = &mut self.body else { return self.next_head() };
        let mut data = Vec::new();
        let used = body.read(&self.input, &mut data)?;
        self.input.drain(..used);
        if !data.is_empty() {
            return Ok(Some(ClientEvent::Data(data)));
        }
        if body.is_done() || (self.ended && body.ends_with_connection()) {
            self.body = None;
            self.expected.pop_front();
            return Ok(Some(ClientEvent::End));
        }
        if self.ended { Err(Refusal::new(502, "the connection ended within a response")) } else { Ok(None) }
    }

    fn next_head(&mut self) -> Result<Option<ClientEvent>, Refusal> {
        while let Some(head) = self.read_head()? {
            // Interim responses announce nothing that anyone waits for (RFC 9110 §15.2).
            if head.status >= 200 {
                let is_head = self.expected.front().is_some_and(|is_head| *is_head);
                let bodiless = is_head || matches!(head.status, 204 | 304);
                self.body = Some(BodyReader::new(Length::of_response(&head.headers, bodiless)?, &self.limits)?);
                return Ok(Some(ClientEvent::Head(head)));
            }
        }
        Ok(None)
    }

    fn read_head(&mut self) -> Result<Option<ResponseHead>, Refusal> {
        if self.input.is_empty() {
            self.input = Vec::new();
            return match self.ended && !self.expected.is_empty() {
                true => Err(Refusal::new(502, "the connection ended before the response")),
                false => Ok(None),
            };
        }
        if self.expected.is_empty() {
            return Err(Refusal::new(502, "a response that nobody asked for"));
        }
        let mut fields = vec![httparse::EMPTY_HEADER; self.limits.headers];
        let mut parsed = httparse::Response::new(&mut fields);
        let length = match parsed.parse(&self.input).map_err(Refusal::unreadable)? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial if self.input.len() <= self.limits.head_bytes && !self.ended => return Ok(None),
            httparse::Status::Partial => return Err(Refusal::new(502, "the response's head is too large or cut off")),
        };
        let head = ResponseHead { status: parsed.code.unwrap_or_default(), headers: collect(parsed.headers)? };
        self.input.drain(..length);
        Ok(Some(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Headers;

    fn asked(method: Method) -> ClientConnection {
        let mut client = ClientConnection::new(MessageLimits::default());
        client.request(&Request::new(method, "/"), &mut Vec::new());
        client
    }

    fn events(client: &mut ClientConnection) -> Vec<ClientEvent> {
        std::iter::from_fn(|| client.next_event().unwrap()).collect()
    }

    #[test]
    fn a_request_as_it_stands_on_the_wire() {
        let mut out = Vec::new();
        let mut request = Request::new(Method::Post, "/x?y=1");
        request.headers = Headers::from_iter([("Host", "h")]);
        request.body = b"{}".to_vec();
        ClientConnection::new(MessageLimits::default()).request(&request, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "POST /x?y=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
    }

    #[test]
    fn responses_in_order_whatever_their_framing() {
        let mut client = asked(Method::Get);
        client.request(&Request::new(Method::Head, "/"), &mut Vec::new());
        client.request(&Request::new(Method::Get, "/"), &mut Vec::new());
        client.receive(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        );
        client.receive(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        );
        let seen = events(&mut client);
        let bodies: Vec<&[u8]> = seen
            .iter()
            .filter_map(|event| if let ClientEvent::Data(data) = event { Some(data.as_slice()) } else { None })
            .collect();
        assert_eq!(bodies, [&b"abc"[..], b"no"]);
        assert_eq!(seen.iter().filter(|event| **event == ClientEvent::End).count(), 3);
    }

    #[test]
    fn a_body_without_length_ends_with_the_connection() {
        let mut client = asked(Method::Get);
        client.receive(b"HTTP/1.0 200 OK\r\n\r\nabc");
        assert_eq!(events(&mut client).len(), 2);
        client.eof();
        assert_eq!(client.next_event(), Ok(Some(ClientEvent::End)));
    }

    #[test]
    fn a_response_that_breaks_off_is_an_error() {
        let mut client = asked(Method::Get);
        client.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
        assert_eq!(events(&mut client).len(), 2);
        client.eof();
        assert!(client.next_event().unwrap_err().message.contains("within a response"));
    }

    #[test]
    fn any_number_of_interim_responses_is_skipped() {
        let mut client = asked(Method::Get);
        client.receive("HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000).as_bytes());
        assert_eq!(client.next_event(), Ok(None));
        client.receive(b"HTTP/1.1 204 No Content\r\n\r\n");
        let head = ResponseHead { status: 204, headers: Headers::default() };
        assert_eq!(events(&mut client), [ClientEvent::Head(head), ClientEvent::End]);
    }
}
