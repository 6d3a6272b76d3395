//! The open connections of a session (remotedialer `connection.go`).

use super::back_pressure::BackPressure;
use super::message::ConnectionId;

/// Connections by id, ascending: a session has tens of them, and ten thousand sessions share one process.
#[derive(Debug, Default)]
pub(super) struct Connections(Vec<(ConnectionId, BackPressure)>);

impl Connections {
    /// Adds a connection; false if the id is taken.
    pub(super) fn insert(&mut self, id: ConnectionId) -> bool {
        match self.position(id) {
            Ok(_) => false,
            Err(place) => {
                self.0.insert(place, (id, BackPressure::default()));
                true
            }
        }
    }

    /// Forgets a connection; false if there was none.
    pub(super) fn remove(&mut self, id: ConnectionId) -> bool {
        match self.position(id) {
            Ok(place) => {
                self.0.remove(place);
                true
            }
            Err(_) => false,
        }
    }

    /// The back pressure of a connection, if it is open.
    pub(super) fn get(&self, id: ConnectionId) -> Option<&BackPressure> {
        self.position(id).ok().map(|place| &self.0[place].1)
    }

    /// The back pressure of a connection, if it is open.
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut BackPressure> {
        self.position(id).ok().map(|place| &mut self.0[place].1)
    }

    /// Every open id, ascending.
    pub(super) fn ids(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.0.iter().map(|(id, _)| *id)
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn position(&self, id: ConnectionId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id)
    }
}
