//! The states of a cluster, from the first request to its end.
//!
//! ```text
//!            ┌─────────── retry ───────────┐
//! pending ──▶ registering ──▶ registered ──▶ connecting ──▶ connected ⇄ disconnected
//!                 │                              │               │            │
//!                 ▼                              └───────┬───────┴────────────┘
//!               failed                                deleting ──▶ (gone)
//! ```

use serde::Serialize;

/// Where a cluster is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Accepted here; Rancher has not been asked yet.
    Pending,
    /// Rancher is being asked to create it.
    Registering,
    /// Rancher knows it; its registration token is awaited.
    Registered,
    /// Both tunnels are to be opened.
    Connecting,
    /// Both tunnels are up.
    Connected,
    /// It was connected and lost a tunnel; the worker reconnects.
    Disconnected,
    /// Rancher has been asked to delete it; the tunnels stay until it has.
    Deleting,
    /// It cannot be registered; the last error says why.
    Failed,
}

impl State {
    /// All states, in the order of a life.
    pub const ALL: [State; 8] = [
        State::Pending,
        State::Registering,
        State::Registered,
        State::Connecting,
        State::Connected,
        State::Disconnected,
        State::Deleting,
        State::Failed,
    ];

    /// The state as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Registering => "registering",
            State::Registered => "registered",
            State::Connecting => "connecting",
            State::Connected => "connected",
            State::Disconnected => "disconnected",
            State::Deleting => "deleting",
            State::Failed => "failed",
        }
    }

    /// The state after a tunnel went up or down. Before the tunnels are wanted, and once the cluster is being deleted, they
    /// change nothing.
    pub fn with_tunnels(self, both_up: bool) -> State {
        match (self, both_up) {
            (State::Connecting | State::Connected | State::Disconnected, true) => State::Connected,
            (State::Connected | State::Disconnected, false) => State::Disconnected,
            (other, _) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_move_only_what_is_connecting_or_beyond() {
        use State::*;
        for (state, after_up, after_down) in [
            (Pending, Pending, Pending),
            (Registering, Registering, Registering),
            (Registered, Registered, Registered),
            (Connecting, Connected, Connecting),
            (Connected, Connected, Disconnected),
            (Disconnected, Connected, Disconnected),
            (Deleting, Deleting, Deleting),
            (Failed, Failed, Failed),
        ] {
            assert_eq!(state.with_tunnels(true), after_up, "{state:?} up");
            assert_eq!(state.with_tunnels(false), after_down, "{state:?} down");
        }
    }

    #[test]
    fn json_and_text_agree() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
