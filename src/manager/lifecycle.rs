//! The states of a cluster, from the first request to its end.
//!
//! ```text
//!            ┌─────────── retry ───────────┐
//! pending ──▶ registering ──▶ registered ──▶ connecting ──▶ connected ──▶ active
//!                 │                              │            │  ▲          │
//!                 ▼                              │            ▼  │          │
//!               failed                           │       disconnected ◀─────┤
//!                                                └──────┬─────┴─────────────┘
//!                                                    deleting ──▶ (gone)
//! ```

use schemars::JsonSchema;
use serde::Serialize;

/// Where a cluster is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
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
    /// Both tunnels are up, and Rancher calls the cluster Active.
    Active,
    /// It was connected and lost a tunnel; the worker reconnects.
    Disconnected,
    /// Rancher has been asked to delete it; the tunnels stay until it has.
    Deleting,
    /// It cannot be registered; the last error says why.
    Failed,
}

impl State {
    /// All states, in the order of a life.
    pub const ALL: [State; 9] = [
        State::Pending,
        State::Registering,
        State::Registered,
        State::Connecting,
        State::Connected,
        State::Active,
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
            State::Active => "active",
            State::Disconnected => "disconnected",
            State::Deleting => "deleting",
            State::Failed => "failed",
        }
    }

    /// Whether a cluster gets there by its tunnels.
    pub(super) fn is_by_tunnels(self) -> bool {
        matches!(self, State::Connecting | State::Connected | State::Active | State::Disconnected)
    }

    /// The state after a tunnel went up or down, or Rancher's opinion changed. Before the tunnels are wanted, and once the cluster
    /// is being deleted, neither changes anything.
    pub fn observed(self, both_up: bool, active_in_rancher: bool) -> State {
        use State::{Active, Connected, Connecting, Disconnected};
        match (self, both_up) {
            (Connecting | Connected | Active | Disconnected, true) if active_in_rancher => Active,
            (Connecting | Connected | Active | Disconnected, true) => Connected,
            (Connected | Active | Disconnected, false) => Disconnected,
            (other, _) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_move_only_what_is_connecting_or_beyond() {
        use State::*;
        for (state, up, active, down) in [
            (Pending, Pending, Pending, Pending),
            (Registering, Registering, Registering, Registering),
            (Registered, Registered, Registered, Registered),
            (Connecting, Connected, Active, Connecting),
            (Connected, Connected, Active, Disconnected),
            (Active, Connected, Active, Disconnected),
            (Disconnected, Connected, Active, Disconnected),
            (Deleting, Deleting, Deleting, Deleting),
            (Failed, Failed, Failed, Failed),
        ] {
            assert_eq!(state.observed(true, false), up, "{state:?} up");
            assert_eq!(state.observed(true, true), active, "{state:?} up and active");
            for opinion in [false, true] {
                assert_eq!(state.observed(false, opinion), down, "{state:?} down");
            }
        }
    }

    #[test]
    fn json_and_text_agree() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
