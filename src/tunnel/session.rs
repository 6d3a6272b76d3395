//! One side of a tunnel: which connections are open, and what each frame does to them (remotedialer `session.go`,
//! `session_serve.go`).

use super::Outbox;
use super::back_pressure::{BackPressure, Signal};
use super::connection::Connections;
use super::message::{ConnectionId, Malformed, Message, Payload};
use super::session_sync;

/// Which side of the tunnel a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The cluster agent: is asked to connect, announces its connections.
    Agent,
    /// Rancher: opens connections, drops those the agent no longer announces.
    Server,
}

/// Bounds of a session.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// Connections open at once (agent role); one more is refused.
    pub connections: usize,
    /// Unread bytes of a connection above which the peer is paused.
    pub pause_above: usize,
    /// Unread bytes of a paused connection below which the peer may go on.
    pub resume_below: usize,
}

impl Default for SessionLimits {
    /// remotedialer's own marks: 2 MiB and 256 KiB.
    fn default() -> SessionLimits {
        SessionLimits { connections: 256, pause_above: 2 << 20, resume_below: 256 << 10 }
    }
}

/// What a received frame asks of whoever owns the session.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'m> {
    /// Nothing: the session dealt with the frame.
    Nothing,
    /// The peer opened a connection to `address`. It is open already, since data may follow at once; refuse with
    /// [`Session::close`].
    Connect {
        /// The new connection.
        connection: ConnectionId,
        /// `tcp` in practice.
        network: &'m str,
        /// `host:port` as Rancher believes the API server's address to be.
        address: &'m str,
    },
    /// Bytes for an open connection.
    Data {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        payload: &'m [u8],
    },
    /// The peer closed a connection, or opened its id a second time; the session has forgotten it and told the peer.
    Closed {
        /// The connection.
        connection: ConnectionId,
        /// The peer's words; `EOF` when in order.
        reason: String,
    },
    /// The agent no longer has these connections (server role).
    Dropped(Vec<ConnectionId>),
    /// The peer asked to stop sending on a connection.
    Paused {
        /// The connection.
        connection: ConnectionId,
    },
    /// The peer lets a connection go on.
    Resumed {
        /// The connection.
        connection: ConnectionId,
    },
}

/// Why the session cannot go on and its websocket must be dropped.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// A frame cannot be read: the sides no longer agree where frames begin.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The agent asked the server to connect somewhere.
    #[error("the agent sent Connect, which only the server may")]
    ConnectByAgent,
    /// A SyncConnections body is not a list of 64-bit ids.
    #[error("SyncConnections of {0} bytes, expected a multiple of 8")]
    MalformedSync(usize),
}

/// The protocol state of one tunnel.
#[derive(Debug)]
pub struct Session {
    role: Role,
    limits: SessionLimits,
    connections: Connections,
    next_message_id: i64,
    last_connection: ConnectionId,
}

impl Session {
    /// A session without connections; frames are numbered from `first_message_id`.
    pub fn new(role: Role, first_message_id: i64, limits: SessionLimits) -> Session {
        let connections = Connections::default();
        // The reference counts up before use: its first connection is 2.
        Session { role, limits, connections, next_message_id: first_message_id, last_connection: 1 }
    }

    /// Takes one binary websocket message. An error means that the websocket must be dropped.
    pub fn receive<'m>(&mut self, frame: &'m [u8], out: &mut Outbox) -> Result<Event<'m>, SessionError> {
        let message = Message::decode(frame)?;
        let connection = message.connection;
        let event = match message.payload {
            Payload::Connect(_) if self.role == Role::Server => return Err(SessionError::ConnectByAgent),
            Payload::Connect(target) => self.on_connect(connection, target, out),
            Payload::Data(payload) if self.is_open(connection) => Event::Data { connection, payload },
            Payload::Data(_) => {
                self.refuse(connection, &format!("connection not found {connection}"), out);
                Event::Nothing
            }
            Payload::Error(reason) => self.on_error(connection, reason, out),
            Payload::Pause => self.connections.get_mut(connection).map_or(Event::Nothing, |pressure| {
                pressure.on_pause();
                Event::Paused { connection }
            }),
            Payload::Resume => match self.connections.get_mut(connection).map(BackPressure::on_resume) {
                Some(true) => Event::Resumed { connection },
                _ => Event::Nothing,
            },
            Payload::SyncConnections(body) if self.role == Role::Server => self.on_sync(body)?,
            Payload::SyncConnections(_) | Payload::AddClient(_) | Payload::RemoveClient(_) | Payload::Unknown(_) => {
                Event::Nothing
            }
        };
        Ok(event)
    }

    /// Opens a connection (server role). Data may follow at once; a refusal arrives as [`Event::Closed`].
    pub fn connect(&mut self, network: &str, address: &str, out: &mut Outbox) -> ConnectionId {
        self.last_connection += 1;
        let connection = self.last_connection;
        self.connections.insert(connection);
        let target = format!("{network}/{address}");
        self.post(connection, Payload::Connect(target.as_bytes()), out);
        connection
    }

    /// Sends bytes on an open connection, in frames as large as the reference's. The caller asks [`Session::may_send`] first.
    pub fn send(&mut self, connection: ConnectionId, payload: &[u8], out: &mut Outbox) {
        if self.is_open(connection) {
            for piece in payload.chunks(DATA_BYTES) {
                self.post(connection, Payload::Data(piece), out);
            }
        }
    }

    /// Whether a connection is open and the peer has not paused it.
    pub fn may_send(&self, connection: ConnectionId) -> bool {
        self.connections.get(connection).is_some_and(|pressure| pressure.may_send())
    }

    /// Tells how many received bytes of a connection wait unread; pauses or resumes the peer accordingly.
    pub fn buffered(&mut self, connection: ConnectionId, bytes: usize, out: &mut Outbox) {
        let limits = self.limits;
        let Some(pressure) = self.connections.get_mut(connection) else { return };
        match pressure.buffered(bytes, limits.pause_above, limits.resume_below) {
            Some(Signal::Pause) => self.post(connection, Payload::Pause, out),
            Some(Signal::Resume) => self.post(connection, Payload::Resume, out),
            None => {}
        }
    }

    /// Closes a connection and tells the peer why; `EOF` says that it ended in order.
    pub fn close(&mut self, connection: ConnectionId, reason: &str, out: &mut Outbox) {
        if self.connections.remove(connection) {
            self.post(connection, Payload::Error(reason.as_bytes()), out);
        }
    }

    /// Announces every open connection (agent role).
    pub fn sync(&mut self, out: &mut Outbox) {
        let body = session_sync::encode(&self.connections);
        self.post(0, Payload::SyncConnections(&body), out);
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    fn on_connect<'m>(&mut self, connection: ConnectionId, target: &'m [u8], out: &mut Outbox) -> Event<'m> {
        let target = &target[..target.len().min(MAX_TARGET_BYTES)];
        let Some((network, address)) = std::str::from_utf8(target).ok().and_then(|target| target.split_once('/'))
        else {
            self.refuse(connection, "connect address is not NETWORK/ADDRESS", out);
            return Event::Nothing;
        };
        if self.connections.len() >= self.limits.connections {
            self.refuse(connection, &format!("too many connections, at most {}", self.limits.connections), out);
            return Event::Nothing;
        }
        if !self.connections.insert(connection) {
            // Whichever of the two the peer means, it cannot be told apart from the other any more.
            self.close(connection, "connection id is in use", out);
            return Event::Closed { connection, reason: "the peer opened the same connection twice".into() };
        }
        Event::Connect { connection, network, address }
    }

    fn on_error(&mut self, connection: ConnectionId, reason: &[u8], out: &mut Outbox) -> Event<'static> {
        if !self.is_open(connection) {
            return Event::Nothing;
        }
        let reason = String::from_utf8_lossy(&reason[..reason.len().min(MAX_REASON_BYTES)]).into_owned();
        // As the reference: the side that still had the connection answers with the same words.
        self.close(connection, &reason, out);
        Event::Closed { connection, reason }
    }

    fn on_sync(&mut self, body: &[u8]) -> Result<Event<'static>, SessionError> {
        let missing = session_sync::missing_from(body, &self.connections);
        let missing = missing.ok_or(SessionError::MalformedSync(body.len()))?;
        if missing.is_empty() {
            return Ok(Event::Nothing);
        }
        for connection in &missing {
            self.connections.remove(*connection);
        }
        Ok(Event::Dropped(missing))
    }

    fn is_open(&self, connection: ConnectionId) -> bool {
        self.connections.get(connection).is_some()
    }

    fn refuse(&mut self, connection: ConnectionId, reason: &str, out: &mut Outbox) {
        self.post(connection, Payload::Error(reason.as_bytes()), out);
    }

    fn post(&mut self, connection: ConnectionId, payload: Payload<'_>, out: &mut Outbox) {
        let id = self.next_message_id;
        self.next_message_id = id.wrapping_add(1);
        out.push_back(Message { id, connection, payload }.encode());
    }
}

/// The reference's writers copy in pieces of this size.
const DATA_BYTES: usize = 32 * 1024;
/// The reference reads no more of a Connect's target.
const MAX_TARGET_BYTES: usize = 266;
/// The reference reads no more of an Error's text.
const MAX_REASON_BYTES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn session(role: Role) -> Session {
        Session::new(role, 1, SessionLimits { connections: 4, pause_above: 100, resume_below: 50 })
    }

    fn frame(connection: ConnectionId, payload: Payload<'_>) -> Vec<u8> {
        Message { id: 9, connection, payload }.encode()
    }

    fn sent(out: &mut Outbox) -> Vec<(ConnectionId, String)> {
        let show = |frame: Vec<u8>| {
            let message = Message::decode(&frame).unwrap();
            let text = match message.payload {
                Payload::Error(reason) => format!("Error {}", String::from_utf8_lossy(reason)),
                other => format!("{other:?}"),
            };
            (message.connection, text)
        };
        out.drain(..).map(show).collect()
    }

    fn agent_with(connection: ConnectionId) -> (Session, Outbox) {
        let (mut agent, mut out) = (session(Role::Agent), Outbox::new());
        agent.receive(&frame(connection, Payload::Connect(b"tcp/a:1")), &mut out).unwrap();
        assert!(out.is_empty());
        (agent, out)
    }

    #[test]
    fn data_for_an_unknown_connection_is_answered_and_the_session_lives() {
        let (mut agent, mut out) = agent_with(2);
        assert_eq!(agent.receive(&frame(7, Payload::Data(b"x")), &mut out), Ok(Event::Nothing));
        assert_eq!(sent(&mut out), [(7, "Error connection not found 7".to_owned())]);
        let data = frame(2, Payload::Data(b"x"));
        assert_eq!(agent.receive(&data, &mut out), Ok(Event::Data { connection: 2, payload: b"x" }));
    }

    #[test]
    fn a_refused_connect_ends_the_connection_only() {
        let (mut agent, mut out) = agent_with(2);
        let connect = frame(3, Payload::Connect(b"tcp/1.2.3.4:80"));
        let event = agent.receive(&connect, &mut out).unwrap();
        assert_eq!(event, Event::Connect { connection: 3, network: "tcp", address: "1.2.3.4:80" });
        agent.close(3, "refused", &mut out);
        assert_eq!(sent(&mut out), [(3, "Error refused".to_owned())]);
        assert_eq!(agent.connections(), 1);
    }

    #[test]
    fn a_connect_that_cannot_be_read_is_refused_alone() {
        let (mut agent, mut out) = agent_with(2);
        for target in [&b"no-slash"[..], b"tcp/\xff\xfe"] {
            assert_eq!(agent.receive(&frame(5, Payload::Connect(target)), &mut out), Ok(Event::Nothing));
            assert_eq!(sent(&mut out), [(5, "Error connect address is not NETWORK/ADDRESS".to_owned())]);
        }
    }

    #[test]
    fn connections_are_bounded() {
        let (mut agent, mut out) = agent_with(2);
        for connection in 3..6 {
            agent.receive(&frame(connection, Payload::Connect(b"tcp/a:1")), &mut out).unwrap();
        }
        assert_eq!(agent.receive(&frame(6, Payload::Connect(b"tcp/a:1")), &mut out), Ok(Event::Nothing));
        assert_eq!(sent(&mut out), [(6, "Error too many connections, at most 4".to_owned())]);
    }

    #[test]
    fn the_peers_close_is_answered_once() {
        let (mut agent, mut out) = agent_with(2);
        let error = frame(2, Payload::Error(b"EOF"));
        let closed = Event::Closed { connection: 2, reason: "EOF".into() };
        assert_eq!(agent.receive(&error, &mut out), Ok(closed));
        assert_eq!(sent(&mut out), [(2, "Error EOF".to_owned())]);
        assert_eq!(agent.receive(&error, &mut out), Ok(Event::Nothing));
        assert!(out.is_empty());
    }

    #[test]
    fn pause_and_resume_hold_one_connection() {
        let (mut agent, mut out) = agent_with(2);
        agent.receive(&frame(3, Payload::Connect(b"tcp/a:1")), &mut out).unwrap();
        assert_eq!(agent.receive(&frame(2, Payload::Pause), &mut out), Ok(Event::Paused { connection: 2 }));
        assert!(!agent.may_send(2) && agent.may_send(3));
        assert_eq!(agent.receive(&frame(2, Payload::Resume), &mut out), Ok(Event::Resumed { connection: 2 }));
        assert!(agent.may_send(2));
        agent.buffered(2, 101, &mut out);
        agent.buffered(2, 10, &mut out);
        assert_eq!(sent(&mut out), [(2, "Pause".to_owned()), (2, "Resume".to_owned())]);
    }

    #[test]
    fn peering_messages_and_later_types_are_tolerated() {
        let (mut agent, mut out) = agent_with(2);
        for payload in [Payload::AddClient(b"garbage"), Payload::RemoveClient(b"x/1"), Payload::Unknown(77)] {
            assert_eq!(agent.receive(&frame(0, payload), &mut out), Ok(Event::Nothing));
        }
        assert!(out.is_empty());
    }

    #[test]
    fn a_server_drops_what_the_agent_no_longer_announces() {
        let (mut server, mut out) = (session(Role::Server), Outbox::new());
        let first = server.connect("tcp", "a:1", &mut out);
        let second = server.connect("tcp", "a:1", &mut out);
        assert_eq!((first, second), (2, 3));
        let (mut agent, mut announced) = agent_with(second);
        agent.sync(&mut announced);
        out.clear();
        assert_eq!(server.receive(&announced[0], &mut out), Ok(Event::Dropped(vec![first])));
        assert!(out.is_empty(), "no Error frame: the agent does not know the connection");
        assert_eq!(
            server.receive(&frame(0, Payload::SyncConnections(&[1, 2, 3])), &mut out),
            Err(SessionError::MalformedSync(3))
        );
    }

    #[test]
    fn a_server_is_not_to_be_asked_to_connect() {
        let (mut server, mut out) = (session(Role::Server), Outbox::new());
        let connect = frame(2, Payload::Connect(b"tcp/a:1"));
        assert_eq!(server.receive(&connect, &mut out), Err(SessionError::ConnectByAgent));
    }

    proptest! {
        #[test]
        fn no_frame_makes_it_panic(frames in prop::collection::vec(any::<Vec<u8>>(), 0..20), server: bool) {
            let mut session = session(if server { Role::Server } else { Role::Agent });
            let mut out = Outbox::new();
            for frame in &frames {
                let _ = session.receive(frame, &mut out);
            }
        }
    }
}
