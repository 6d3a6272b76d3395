//! SyncConnections: the agent's open connections, so that the server can drop those that the agent lost
//! (remotedialer `session_sync.go`).

use super::connection::Connections;
use super::message::ConnectionId;

/// The body of a SyncConnections frame: every open id, little-endian, ascending.
pub(super) fn encode(connections: &Connections) -> Vec<u8> {
    connections.ids().flat_map(ConnectionId::to_le_bytes).collect()
}

/// Those of `connections` that the peer's list lacks; `None` if the body is not a list of ids.
pub(super) fn missing_from(body: &[u8], connections: &Connections) -> Option<Vec<ConnectionId>> {
    let (chunks, rest) = body.as_chunks::<8>();
    if !rest.is_empty() {
        return None;
    }
    // The reference sends ascending ids; sorting costs nothing then and spares us from trusting it.
    let mut listed: Vec<ConnectionId> = chunks.iter().map(|chunk| ConnectionId::from_le_bytes(*chunk)).collect();
    listed.sort_unstable();
    Some(connections.ids().filter(|id| listed.binary_search(id).is_err()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_little_endian_and_ascending() {
        let mut connections = Connections::default();
        for id in [300, -1, 2] {
            connections.insert(id);
        }
        let expected = [[0xff; 8], [2, 0, 0, 0, 0, 0, 0, 0], [0x2c, 1, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(encode(&connections), expected);
    }

    #[test]
    fn only_what_the_peer_lacks_is_missing() {
        let mut connections = Connections::default();
        for id in [2, 3, 4] {
            connections.insert(id);
        }
        let body = [4i64, 99, 2].map(i64::to_le_bytes).concat();
        assert_eq!(missing_from(&body, &connections), Some(vec![3]));
        assert_eq!(missing_from(&[], &connections), Some(vec![2, 3, 4]));
        assert_eq!(missing_from(&body[1..], &connections), None);
    }
}
