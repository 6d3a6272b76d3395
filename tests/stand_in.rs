//! The stand-in for Rancher over real sockets, seen by clients that are not the agent.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use scale_cluster_agent::http1::{BodyFraming, MessageLimits, ResponseHead, ServerConnection};
use scale_cluster_agent::rehearsal::{Behaviour, Labels, Profile, StandIn, StandInOptions};
use scale_cluster_agent::tunnel::{Event, Outbox, Role, Session, SessionLimits};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::client::{ClientRequestBuilder, IntoClientRequest};
use tungstenite::{Message, WebSocket};

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn stand_in(read_deadline: Duration) -> StandIn {
    let behaviour = Behaviour { read_deadline, ..Behaviour::immediate() };
    StandIn::start(StandInOptions { profile: Profile::idle(), behaviour, threads: 1, seed: 1 }).unwrap()
}

fn connect(stand_in: &StandIn) -> Stream {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(stand_in.ca_pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(stand_in.url.strip_prefix("https://").unwrap()).unwrap();
    // A test that would hang fails instead.
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket)
}

/// Opens a tunnel; the status and text of the refusal otherwise.
fn open(stand_in: &StandIn, headers: &[(&str, &str)]) -> Result<WebSocket<Stream>, (u16, String)> {
    let uri = format!("{}/v3/connect", stand_in.url.replace("https", "wss")).parse().unwrap();
    let request = headers
        .iter()
        .fold(ClientRequestBuilder::new(uri), |request, (name, value)| request.with_header(*name, *value));
    match tungstenite::client(request.into_client_request().unwrap(), connect(stand_in)) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
            let text = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            Err((response.status().as_u16(), text))
        }
        Err(error) => panic!("{error}"),
    }
}

/// Creates a cluster and opens its steve tunnel.
fn open_steve(stand_in: &StandIn) -> WebSocket<Stream> {
    let now = Instant::now();
    let id = stand_in.fleet.create("edge", Labels::new(), now).unwrap();
    let token = stand_in.fleet.token(&id, now).unwrap();
    open(stand_in, &[("Authorization", &format!("Bearer stv-cluster-{token}"))]).unwrap()
}

/// Reads until the tunnel is closed.
fn drain(mut socket: WebSocket<Stream>) {
    while socket.read().is_ok() {}
}

#[test]
fn one_that_was_down_knows_its_clusters_still() {
    let mut stand_in = stand_in(Duration::from_secs(60));
    let socket = open_steve(&stand_in);
    let address = stand_in.url.strip_prefix("https://").unwrap().to_owned();
    stand_in.go_down();
    drain(socket);
    assert_eq!(TcpStream::connect(&address).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    stand_in.come_back().unwrap();
    let token = stand_in.fleet.page(("", 1), Instant::now(), |_| true, |cluster| cluster.token.clone()).0.remove(0);
    let reopened = open(&stand_in, &[("Authorization", &format!("Bearer stv-cluster-{token}"))]);
    assert!(reopened.is_ok());
    assert_eq!((stand_in.fleet.seen.counts().accepted, problems(&stand_in)), (2, Vec::new()));
}

fn problems(stand_in: &StandIn) -> Vec<String> {
    stand_in.fleet.problems().into_keys().collect()
}

#[test]
fn answers_https_requests_one_after_the_other_on_one_connection() {
    let stand_in = stand_in(Duration::from_secs(60));
    let mut stream = connect(&stand_in);
    for _ in 0..2 {
        stream.write_all(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n\r\npong") {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "closed after {}", String::from_utf8_lossy(&reply));
            reply.extend_from_slice(&buffer[..read]);
        }
        assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

#[test]
fn refuses_tunnels_with_the_status_of_rancher() {
    let stand_in = stand_in(Duration::from_secs(60));
    let refusal = |headers: &[(&str, &str)]| open(&stand_in, headers).map(|_| ()).unwrap_err();
    assert_eq!(refusal(&[("X-API-Tunnel-Token", "unknown")]), (400, "cluster not found".to_owned()));
    assert_eq!(refusal(&[]), (401, "failed authentication".to_owned()));
}

#[test]
fn a_text_message_ends_the_session() {
    let stand_in = stand_in(Duration::from_secs(60));
    let mut socket = open_steve(&stand_in);
    socket.send(Message::text("report")).unwrap();
    drain(socket);
    assert_eq!(problems(&stand_in), ["steve tunnel lost: text message: remotedialer knows binary ones only"]);
}

#[test]
fn a_tunnel_that_does_not_ping_is_dropped() {
    let stand_in = stand_in(Duration::from_millis(300));
    let socket = open_steve(&stand_in);
    drain(socket);
    assert_eq!(problems(&stand_in), ["steve tunnel lost: no ping for 0 s"]);
}

#[test]
fn pings_keep_a_tunnel_alive_and_data_does_not_count() {
    let deadline = Duration::from_millis(500);
    let stand_in = stand_in(deadline);
    let mut socket = open_steve(&stand_in);
    let start = Instant::now();
    while start.elapsed() < 3 * deadline {
        socket.send(Message::Ping(Default::default())).unwrap();
        // Waits for the pong, so that the next ping follows at once.
        while !matches!(socket.read().unwrap(), Message::Pong(_)) {}
    }
    assert!(problems(&stand_in).is_empty());
    // An empty SyncConnections, again and again.
    let sync = [2, 0, 16];
    let since = Instant::now();
    while socket.send(Message::binary(sync.to_vec())).is_ok() {
        assert!(since.elapsed() < Duration::from_secs(10), "data extended the deadline");
        std::thread::yield_now();
    }
}

#[test]
fn asks_the_steve_tunnel_for_ping_as_clusterconnected_does() {
    let stand_in = stand_in(Duration::from_secs(60));
    let mut socket = open_steve(&stand_in);
    let mut session = Session::new(Role::Agent, 1, SessionLimits::default());
    let mut http = ServerConnection::new(MessageLimits::default());
    let mut outbox = Outbox::new();
    loop {
        let Message::Binary(frame) = socket.read().unwrap() else { continue };
        match session.receive(&frame, &mut outbox).unwrap() {
            Event::Connect { network, address, .. } => assert_eq!((network, address), ("tcp", "not-used:80")),
            Event::Data { connection, payload } => {
                http.receive(payload);
                let mut wire = Vec::new();
                if let Some(request) = http.next_request(&mut wire).unwrap() {
                    assert_eq!(request.target, "/ping");
                    let head = ResponseHead { status: 200, headers: Default::default() };
                    http.respond(&head, BodyFraming::Length(4), "", &mut wire);
                    http.data(b"pong", &mut wire);
                    http.finish(&mut wire);
                    session.send(connection, &wire, &mut outbox);
                }
            }
            // The stand-in has what it wanted.
            Event::Closed { .. } => break,
            event => panic!("{event:?}"),
        }
        for frame in outbox.drain(..) {
            socket.send(Message::binary(frame)).unwrap();
        }
    }
    assert_eq!(stand_in.fleet.seen.counts().probes, 1);
}
