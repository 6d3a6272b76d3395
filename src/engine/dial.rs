//! Opening one tunnel: TCP, TLS, then the websocket upgrade with the headers Rancher's authorisers look for.

use super::{Cause, Refused, Server, Tls, Transport, Tunnel, proxy};
use crate::config::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use rustls::client::UnbufferedClientConnection;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::client::{ClientRequestBuilder, IntoClientRequest};
use tungstenite::handshake::client::{ClientHandshake, Request};
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, WebSocket};

/// What a cluster announces of itself with every connect of its API tunnel (rancher/rancher `pkg/agent/cluster`).
///
/// All of it stays the same for the life of the cluster: Rancher restarts the cluster's controllers when any part changes. It is made
/// anew for every dial, since it is long and dials are rare.
#[derive(Debug)]
pub(super) struct Announcement(String);

impl Announcement {
    /// Encodes the value of `X-API-Tunnel-Params`; `address` is `host:port`.
    pub(super) fn new(address: &str, service_account_token: &str, ca_pem: &str) -> Announcement {
        let params = serde_json::json!({
            "cluster": { "address": address, "token": service_account_token, "caCert": STANDARD.encode(ca_pem) }
        });
        Announcement(STANDARD.encode(params.to_string()))
    }
}

/// Why a tunnel could not be opened.
#[derive(Debug)]
pub(super) struct DialError {
    /// The kind of it.
    pub(super) kind: Cause,
    /// What happened, for people.
    pub(super) cause: String,
    /// How Rancher refused the upgrade, if it did.
    pub(super) refused: Option<Refused>,
}

/// A tunnel that is being opened.
#[derive(Debug)]
pub(super) struct Dial {
    phase: Phase,
    server: Arc<Server>,
    /// When to give up.
    pub(super) deadline: Instant,
}

#[derive(Debug)]
enum Phase {
    Connecting(Transport, Request),
    /// The proxy on the way was asked.
    Proxying(Transport, proxy::Handshake, Request),
    Upgrading(MidHandshake<ClientHandshake<Upgrade>>),
    /// Between two phases, and after the end.
    Over,
}

/// A transport that remembers what was read: tungstenite hands the buffer of its handshake on to the websocket, which would keep its
/// 4 KiB for life.
#[derive(Debug)]
struct Upgrade {
    transport: Transport,
    heard: Vec<u8>,
}

impl Upgrade {
    /// The websocket on the transport, which begins with what came behind the head of Rancher's answer.
    fn finish(self) -> WebSocket<Transport> {
        let begun = behind_head(&self.heard).to_vec();
        WebSocket::from_partially_read(self.transport, begun, Role::Client, Some(websocket_config()))
    }
}

/// What follows the head of a response, by the parser that tungstenite has read it with.
fn behind_head(heard: &[u8]) -> &[u8] {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    match httparse::Response::new(&mut fields).parse(heard) {
        Ok(httparse::Status::Complete(length)) => &heard[length..],
        // tungstenite has found it complete.
        Ok(httparse::Status::Partial) | Err(_) => &[],
    }
}

impl Read for Upgrade {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.transport.read(buffer)?;
        self.heard.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

impl Write for Upgrade {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.transport.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.transport.flush()
    }
}

impl Dial {
    /// Starts connecting to `address`, from `source` if one is given. Nothing is sent before [`Dial::advance`].
    pub(super) fn start(
        server: &Arc<Server>,
        address: SocketAddr,
        source: Option<IpAddr>,
        request: Request,
        deadline: Instant,
    ) -> io::Result<Dial> {
        let socket = match source {
            None => TcpStream::connect(address)?,
            Some(source) => connect_from(source, address)
                .map_err(|error| io::Error::new(error.kind(), format!("from {source} (SourceAddresses): {error}")))?,
        };
        // Before TLS: with Nagle's algorithm each handshake waits for a delayed acknowledgement, 40 ms a tunnel.
        socket.set_nodelay(true)?;
        let transport = Transport::new(socket);
        Ok(Dial { phase: Phase::Connecting(transport, request), server: server.clone(), deadline })
    }

    /// The socket, to register it for readiness.
    pub(super) fn transport_mut(&mut self) -> Option<&mut Transport> {
        match &mut self.phase {
            Phase::Connecting(transport, _) | Phase::Proxying(transport, ..) => Some(transport),
            Phase::Upgrading(handshake) => Some(&mut handshake.get_mut().get_mut().transport),
            Phase::Over => None,
        }
    }

    /// Goes as far as the socket lets it: the open websocket, or `None` while the peer has to answer.
    pub(super) fn advance(&mut self) -> Result<Option<WebSocket<Transport>>, DialError> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Connecting(transport, request) => {
                if !transport.is_connected().map_err(DialError::socket)? {
                    self.phase = Phase::Connecting(transport, request);
                    return Ok(None);
                }
                if self.server.via.is_some() {
                    self.phase = Phase::Proxying(transport, proxy::Handshake::default(), request);
                    return self.advance();
                }
                self.begin_upgrade(transport, request)
            }
            Phase::Proxying(mut transport, mut handshake, request) => {
                let is_through = match &self.server.via {
                    Some(via) => handshake.advance(via, &mut transport).map_err(DialError::socket)?,
                    None => true,
                };
                if is_through {
                    return self.begin_upgrade(transport, request);
                }
                self.phase = Phase::Proxying(transport, handshake, request);
                Ok(None)
            }
            Phase::Upgrading(mut handshake) => {
                handshake.get_mut().get_mut().flush().map_err(DialError::socket)?;
                self.upgrade(handshake)
            }
            Phase::Over => Ok(None),
        }
    }

    fn begin_upgrade(
        &mut self,
        mut transport: Transport,
        request: Request,
    ) -> Result<Option<WebSocket<Transport>>, DialError> {
        if let Some(config) = &self.server.tls {
            let name = self.server.host.trim_matches(['[', ']']).to_owned();
            let name = name.try_into().map_err(|_| io::Error::other("the host is no valid TLS server name"));
            let name = name.map_err(DialError::socket)?;
            let tls = UnbufferedClientConnection::new(config.clone(), name).map_err(io::Error::other);
            transport.start_tls(Tls::client(tls.map_err(DialError::socket)?)).map_err(DialError::socket)?;
        }
        let upgrade = Upgrade { transport, heard: Vec::new() };
        let handshake = ClientHandshake::start(upgrade, request, Some(websocket_config()));
        self.upgrade(handshake.map_err(DialError::websocket)?)
    }

    fn upgrade(
        &mut self,
        handshake: MidHandshake<ClientHandshake<Upgrade>>,
    ) -> Result<Option<WebSocket<Transport>>, DialError> {
        match handshake.handshake() {
            Ok((socket, _response)) => Ok(Some(socket.into_inner().finish())),
            Err(HandshakeError::Interrupted(mut handshake)) => {
                // Reading queued the rest of the TLS handshake and, behind it, the request.
                handshake.get_mut().get_mut().flush().map_err(DialError::socket)?;
                self.phase = Phase::Upgrading(handshake);
                Ok(None)
            }
            Err(HandshakeError::Failure(error)) => Err(DialError::websocket(error)),
        }
    }
}

/// What `TcpStream::connect` does, with a source address.
fn connect_from(source: IpAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let family = if source.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = net::socket_with(family, SocketType::STREAM, flags, Some(net::ipproto::TCP))?;
    net::bind(&socket, &SocketAddr::new(source, 0))?;
    match net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from_std(socket.into())),
        Err(error) => Err(error.into()),
    }
}

impl DialError {
    /// A failure before Rancher answered.
    pub(super) fn socket(error: io::Error) -> DialError {
        DialError { kind: Cause::Unreachable, cause: error.to_string(), refused: None }
    }

    fn websocket(error: Error) -> DialError {
        match error {
            Error::Http(response) => {
                let status = response.status();
                let body = response.body().as_deref().unwrap_or_default();
                let text = String::from_utf8_lossy(&body[..body.len().min(REFUSAL_TEXT_BYTES)]);
                let text = text.trim().replace(|c: char| c.is_control(), " ");
                let retry_after = response.headers().get("Retry-After").and_then(|value| value.to_str().ok());
                let refused = Refused {
                    status: status.as_u16(),
                    cluster_unknown: status == 400 && text == CLUSTER_UNKNOWN,
                    retry_after: retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs),
                };
                let cause = format!("Rancher answered {status}: {text}");
                DialError { kind: Cause::Refused, cause, refused: Some(refused) }
            }
            Error::Io(error) => DialError::socket(error),
            error => DialError { kind: Cause::Protocol, cause: error.to_string(), refused: None },
        }
    }
}

/// The upgrade request of a tunnel (rancher-protocol: "Endpoints and headers").
///
/// The steve tunnel carries the bearer header only: with `X-API-Tunnel-Token` present Rancher would file it as the cluster's
/// API tunnel.
pub(super) fn request(
    server: &Server,
    tunnel: Tunnel,
    registration_token: &Secret,
    announcement: &Announcement,
    registered: bool,
) -> Result<Request, DialError> {
    let (scheme, default_port) = if server.tls.is_some() { ("wss", 443) } else { ("ws", 80) };
    let authority =
        if server.port == default_port { server.host.clone() } else { format!("{}:{}", server.host, server.port) };
    let path = match (tunnel, registered) {
        (Tunnel::Api, false) => "/v3/connect/register",
        _ => "/v3/connect",
    };
    let uri = format!("{scheme}://{authority}{}{path}", server.path_prefix).parse().map_err(|error| DialError {
        kind: Cause::Unreachable,
        cause: format!("the server's URL cannot be dialled: {error}"),
        refused: None,
    })?;
    let builder = ClientRequestBuilder::new(uri);
    let builder = match tunnel {
        Tunnel::Api => builder
            .with_header("X-API-Tunnel-Token", registration_token.expose())
            .with_header("X-API-Tunnel-Params", announcement.0.as_str()),
        Tunnel::Steve => {
            builder.with_header("Authorization", format!("Bearer stv-cluster-{}", registration_token.expose()))
        }
    };
    builder.into_client_request().map_err(DialError::websocket)
}

fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
}

/// tungstenite keeps its read buffer for the life of the connection; it reads from what the transport has received, so that
/// small pieces cost no system calls.
const READ_BUFFER_BYTES: usize = 256;
/// As many as tungstenite accepts in a head (its `MAX_HEADERS`).
const MAX_FIELDS: usize = 124;
/// remotedialer writes 32 KiB a message; more than this is no remotedialer.
const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// Rancher's words for a registration token of no cluster (rancher/rancher `pkg/tunnelserver/mcmauthorizer`).
const CLUSTER_UNKNOWN: &str = "cluster not found";
/// Enough for Rancher's own sentences, too little for an HTML page.
const REFUSAL_TEXT_BYTES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server {
            host: "rancher.test".into(),
            port: 8443,
            path_prefix: String::new(),
            tls: Some(Arc::new(
                rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                    .with_safe_default_protocol_versions()
                    .unwrap()
                    .with_root_certificates(rustls::RootCertStore::empty())
                    .with_no_client_auth(),
            )),
            via: None,
            addresses: Vec::new(),
        }
    }

    fn request_of(tunnel: Tunnel, registered: bool) -> Request {
        let announcement = Announcement::new("10.43.0.1:443", "sa-token", "PEM");
        request(&server(), tunnel, &Secret::new("regtoken"), &announcement, registered).unwrap()
    }

    #[test]
    fn what_comes_together_with_the_upgrade_is_kept() {
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
        for head in [head.to_owned(), head.replace("\r\n", "\n")] {
            let frame = b"\x82\x06\r\n\r\nab";
            assert_eq!(behind_head(&[head.as_bytes(), frame].concat()), frame, "{head:?}");
            assert_eq!(behind_head(head.as_bytes()), b"");
        }
    }

    #[test]
    fn the_api_tunnel_registers_once_and_then_connects() {
        assert_eq!(request_of(Tunnel::Api, false).uri().to_string(), "wss://rancher.test:8443/v3/connect/register");
        assert_eq!(request_of(Tunnel::Api, true).uri().to_string(), "wss://rancher.test:8443/v3/connect");
    }

    #[test]
    fn the_announcement_is_base64_json_with_a_base64_certificate() {
        let request = request_of(Tunnel::Api, true);
        assert_eq!(request.headers()["X-API-Tunnel-Token"], "regtoken");
        let params = STANDARD.decode(request.headers()["X-API-Tunnel-Params"].as_bytes()).unwrap();
        let params: serde_json::Value = serde_json::from_slice(&params).unwrap();
        let expected =
            serde_json::json!({"cluster": {"address": "10.43.0.1:443", "token": "sa-token", "caCert": "UEVN"}});
        assert_eq!(params, expected);
        assert!(request.headers().get("Authorization").is_none());
    }

    #[test]
    fn the_steve_tunnel_carries_the_bearer_header_only() {
        let request = request_of(Tunnel::Steve, false);
        assert_eq!(request.uri().path(), "/v3/connect");
        assert_eq!(request.headers()["Authorization"], "Bearer stv-cluster-regtoken");
        assert!(request.headers().keys().all(|name| !name.as_str().starts_with("x-api-tunnel")));
    }
}
