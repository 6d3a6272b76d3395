//! One connection to the stand-in: HTTPS requests, one of which may turn it into a tunnel.

use super::open_tunnel::OpenTunnel;
use super::worker::Shared;
use super::{Admission, Refusal, Reply, Rest, authorize};
use crate::engine::Transport;
use crate::http1::{BodyFraming, MessageLimits, Request, ResponseHead, ServerConnection};
use jiff::fmt::rfc2822::DateTimePrinter;
use std::io::{self, Read, Write};
use std::time::Instant;
use tungstenite::WebSocket;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};

/// A connection that speaks HTTP so far.
#[derive(Debug)]
pub(super) struct Connection {
    transport: Transport,
    http: ServerConnection,
}

/// What reading a [`Connection`] came to.
#[derive(Debug)]
pub(super) enum Next {
    /// Wait for more.
    Wait,
    /// It is to become a tunnel: the upgrade is answered.
    Tunnel(Admission),
    /// It is over.
    Close,
}

impl Connection {
    /// A connection that was just accepted.
    pub(super) fn new(transport: Transport) -> Connection {
        Connection { transport, http: ServerConnection::new(MessageLimits::default()) }
    }

    /// Reads and answers what there is.
    pub(super) fn receive(&mut self, shared: &Shared, scratch: &mut [u8], now: Instant) -> io::Result<Next> {
        loop {
            match self.transport.read(scratch) {
                Ok(0) => return Ok(Next::Close),
                Ok(read) => self.http.receive(&scratch[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Reading may have queued a piece of the TLS handshake.
                    self.transport.flush_socket()?;
                    return Ok(Next::Wait);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            let mut wire = Vec::new();
            loop {
                match self.http.next_request(&mut wire) {
                    Ok(None) => break,
                    Ok(Some(request)) if is_upgrade(&request) => match self.upgrade(&request, shared, now) {
                        Ok((admission, response)) => {
                            wire.extend_from_slice(response.as_bytes());
                            self.transport.write_all(&wire)?;
                            self.transport.flush_socket()?;
                            return Ok(Next::Tunnel(admission));
                        }
                        Err(refusal) => {
                            shared.fleet.problem(format!("tunnel refused: {} {}", refusal.status, refusal.text));
                            self.respond(Reply::text(refusal.status, &refusal.text), &mut wire);
                        }
                    },
                    Ok(Some(request)) => {
                        let rest = Rest { fleet: &shared.fleet, ca_pem: &shared.ca_pem };
                        self.respond(rest.handle(&request, now), &mut wire);
                    }
                    Err(refusal) => {
                        self.respond(Reply::text(refusal.status, &refusal.message), &mut wire);
                        break;
                    }
                }
            }
            self.transport.write_all(&wire)?;
            self.transport.flush_socket()?;
            if self.http.must_close() {
                self.transport.shutdown();
                return Ok(Next::Close);
            }
        }
    }

    /// Authorises a tunnel and derives the answer of RFC 6455 §4.2.2.
    fn upgrade(&self, request: &Request, shared: &Shared, now: Instant) -> Result<(Admission, String), Refusal> {
        let admission = authorize(&request.headers, &shared.fleet, now)?;
        let is_websocket = request.headers.get("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        // A client has nothing to send before it is answered.
        let is_patient = self.http.buffered() == 0;
        let key = request.headers.get("Sec-WebSocket-Key").filter(|_| is_websocket && is_patient);
        let key =
            key.ok_or_else(|| Refusal { status: 400, text: "websocket: not a websocket handshake".to_owned() })?;
        let accept = derive_accept_key(key.as_bytes());
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        Ok((admission, response))
    }

    fn respond(&mut self, reply: Reply, wire: &mut Vec<u8>) {
        let head = ResponseHead { status: reply.status, headers: reply.headers };
        // Fails for years beyond 9999 only.
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now()).unwrap_or_default();
        self.http.respond(&head, BodyFraming::Length(reply.body.len() as u64), &date, wire);
        self.http.data(&reply.body, wire);
        self.http.finish(wire);
    }

    /// The tunnel that this connection was admitted as.
    pub(super) fn into_tunnel(self, admission: Admission, shared: &Shared, now: Instant) -> OpenTunnel {
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
        let socket = WebSocket::from_raw_socket(self.transport, Role::Server, Some(config));
        OpenTunnel::new(socket, admission, shared, now)
    }
}

fn is_upgrade(request: &Request) -> bool {
    let path = request.target.split('?').next().unwrap_or_default();
    matches!(path, "/v3/connect" | "/v3/connect/register")
}

/// tungstenite keeps it for the life of the connection; its default is 128 KiB.
const READ_BUFFER_BYTES: usize = 4096;
