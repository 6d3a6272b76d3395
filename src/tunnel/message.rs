//! One frame on the wire: three or four varints, then the body (remotedialer `message.go`).
//!
//! ```text
//! frame  := varint(id) varint(connection) varint(type) [varint(deadline) if type is Data or Connect] body
//! varint := zig-zag and LEB128 of an i64, as Go's encoding/binary PutVarint
//! ```

/// Number of a connection within its session, chosen by the side that opens it.
pub type ConnectionId = i64;

/// A frame. `id` grows with every frame a side sends; nothing depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'m> {
    /// The frame's own number.
    pub id: i64,
    /// The connection it belongs to; 0 where it belongs to the session.
    pub connection: ConnectionId,
    /// Type and body.
    pub payload: Payload<'m>,
}

/// Type and body of a frame. Bodies are kept as bytes: what is no UTF-8 is the receiver's to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'m> {
    /// Application data.
    Data(&'m [u8]),
    /// Asks the peer to dial `network/address`, such as `tcp/10.43.0.1:443`.
    Connect(&'m [u8]),
    /// The connection is over; the text says why, `EOF` when in order.
    Error(&'m [u8]),
    /// Between Rancher's replicas only.
    AddClient(&'m [u8]),
    /// Between Rancher's replicas only.
    RemoveClient(&'m [u8]),
    /// Stop sending on this connection.
    Pause,
    /// Go on sending.
    Resume,
    /// All connections the sender has: little-endian u64 each, ascending.
    SyncConnections(&'m [u8]),
    /// A type of a later version; receivers ignore it.
    Unknown(i64),
}

/// Why a frame cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed remotedialer frame: {field} at byte {offset} {problem}")]
pub struct Malformed {
    field: &'static str,
    offset: usize,
    problem: &'static str,
}

impl<'m> Message<'m> {
    /// Reads a whole frame.
    pub fn decode(frame: &'m [u8]) -> Result<Message<'m>, Malformed> {
        let mut reader = Reader { frame, offset: 0 };
        let id = reader.varint("id")?;
        let connection = reader.varint("connection")?;
        let kind = reader.varint("type")?;
        if matches!(kind, DATA | CONNECT) {
            reader.varint("deadline")?;
        }
        let body = &frame[reader.offset..];
        let payload = match kind {
            DATA => Payload::Data(body),
            CONNECT => Payload::Connect(body),
            ERROR => Payload::Error(body),
            ADD_CLIENT => Payload::AddClient(body),
            REMOVE_CLIENT => Payload::RemoveClient(body),
            PAUSE => Payload::Pause,
            RESUME => Payload::Resume,
            SYNC_CONNECTIONS => Payload::SyncConnections(body),
            other => Payload::Unknown(other),
        };
        Ok(Message { id, connection, payload })
    }

    /// Writes the frame.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, body): (i64, &[u8]) = match self.payload {
            Payload::Data(body) => (DATA, body),
            Payload::Connect(body) => (CONNECT, body),
            Payload::Error(body) => (ERROR, body),
            Payload::AddClient(body) => (ADD_CLIENT, body),
            Payload::RemoveClient(body) => (REMOVE_CLIENT, body),
            Payload::Pause => (PAUSE, &[]),
            Payload::Resume => (RESUME, &[]),
            Payload::SyncConnections(body) => (SYNC_CONNECTIONS, body),
            Payload::Unknown(kind) => (kind, &[]),
        };
        let mut frame = Vec::with_capacity(MAX_HEADER_BYTES + body.len());
        put_varint(&mut frame, self.id);
        put_varint(&mut frame, self.connection);
        put_varint(&mut frame, kind);
        if matches!(kind, DATA | CONNECT) {
            put_varint(&mut frame, LEGACY_DEADLINE_MS);
        }
        frame.extend_from_slice(body);
        frame
    }
}

struct Reader<'m> {
    frame: &'m [u8],
    offset: usize,
}

impl Reader<'_> {
    fn varint(&mut self, field: &'static str) -> Result<i64, Malformed> {
        let start = self.offset;
        let malformed = |problem| Malformed { field, offset: start, problem };
        let mut folded: u64 = 0;
        for shift in (0..).step_by(7) {
            let byte = *self.frame.get(self.offset).ok_or_else(|| malformed("is cut off"))?;
            self.offset += 1;
            if shift == 63 && byte > 1 {
                return Err(malformed("is larger than 64 bits"));
            }
            folded |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }
}

fn put_varint(frame: &mut Vec<u8>, value: i64) {
    let mut folded = ((value << 1) ^ (value >> 63)) as u64;
    while folded >= 0x80 {
        frame.push(folded as u8 | 0x80);
        folded >>= 7;
    }
    frame.push(folded as u8);
}

const DATA: i64 = 1;
const CONNECT: i64 = 2;
const ERROR: i64 = 3;
const ADD_CLIENT: i64 = 4;
const REMOVE_CLIENT: i64 = 5;
const PAUSE: i64 = 6;
const RESUME: i64 = 7;
const SYNC_CONNECTIONS: i64 = 8;
/// Receivers discard the field; remotedialer always sends 15 s.
const LEGACY_DEADLINE_MS: i64 = 15_000;
/// Two 64-bit varints of ten bytes, a type of one and a deadline of three.
const MAX_HEADER_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes written by remotedialer v0.6.1's own `message.Bytes()` for these values.
    #[test]
    fn frames_as_the_go_library_writes_them() {
        let cases: [(Message<'_>, &[u8]); 5] = [
            (
                Message { id: 1, connection: 2, payload: Payload::Data(b"hi") },
                &[0x02, 0x04, 0x02, 0xb0, 0xea, 0x01, b'h', b'i'],
            ),
            (
                Message { id: 300, connection: 64, payload: Payload::Connect(b"tcp/10.43.0.1:443") },
                b"\xd8\x04\x80\x01\x04\xb0\xea\x01tcp/10.43.0.1:443",
            ),
            (Message { id: -1, connection: 2, payload: Payload::Error(b"EOF") }, &[0x01, 0x04, 0x06, b'E', b'O', b'F']),
            (Message { id: 5, connection: 3, payload: Payload::Pause }, &[0x0a, 0x06, 0x0c]),
            (
                Message { id: i64::MAX, connection: i64::MIN, payload: Payload::Resume },
                &[
                    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, //
                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x0e,
                ],
            ),
        ];
        for (message, bytes) in cases {
            assert_eq!(message.encode(), bytes, "{message:?}");
            assert_eq!(Message::decode(bytes).unwrap(), message);
        }
    }

    #[test]
    fn an_unreadable_frame_names_field_and_place() {
        for (frame, expected) in [
            (&[][..], "id at byte 0 is cut off"),
            (&[0x02, 0x80][..], "connection at byte 1 is cut off"),
            (&[0x02, 0x04, 0x02][..], "deadline at byte 3 is cut off"),
            (&[0xff; 11][..], "id at byte 0 is larger than 64 bits"),
        ] {
            assert_eq!(
                Message::decode(frame).unwrap_err().to_string(),
                format!("malformed remotedialer frame: {expected}")
            );
        }
    }

    #[test]
    fn a_later_versions_type_is_read_and_left_to_the_receiver() {
        assert_eq!(Message::decode(&[0x02, 0x00, 0x12, 0xff]).unwrap().payload, Payload::Unknown(9));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id: i64, connection: i64, body: Vec<u8>, kind in 0..8) {
            let payload = match kind {
                0 => Payload::Data(&body),
                1 => Payload::Connect(&body),
                2 => Payload::Error(&body),
                3 => Payload::AddClient(&body),
                4 => Payload::RemoveClient(&body),
                5 => Payload::SyncConnections(&body),
                6 => Payload::Pause,
                _ => Payload::Resume,
            };
            let message = Message { id, connection, payload };
            let frame = message.encode();
            prop_assert_eq!(Message::decode(&frame).unwrap(), message);
        }

        #[test]
        fn no_bytes_make_it_panic(frame: Vec<u8>) {
            let _ = Message::decode(&frame);
        }
    }
}
