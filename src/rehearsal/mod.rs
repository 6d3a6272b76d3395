//! The embedded stand-in for a Rancher server and its load profile: for demos, calibration and benchmarks, never the proof
//! of compatibility.

mod agent;
mod authorizer;
mod cluster;
mod connection;
mod downstream;
mod find_max;
mod fleet;
mod norman;
mod open_tunnel;
mod profile;
mod rehearse;
mod rest;
mod script;
mod seen;
mod stand_in;
mod visit;
mod watcher;
mod worker;

pub use agent::{Agent, AgentConfig, AgentError, setting_value};
pub use authorizer::{Admission, Params, Refusal, authorize};
pub use cluster::{Channel, Cluster, Condition, Fact, Labels, Stage};
pub use find_max::{Growth, Limit, Maximum, find_max};
pub use fleet::{Behaviour, Fleet, NameTaken, Progress, Standing};
pub use norman::Reply;
pub use profile::{Call, Observation, Probe, Profile, ProfileError, Verb, WatchForm, WatchedList, Watches};
pub use rehearse::{Options, RehearsalError, Stage as Rehearsal, TIMEOUT, rehearse};
pub use rest::Rest;
pub use script::{Prepared, Script, Step};
pub use seen::{Counts, Seen};
pub use stand_in::{StandIn, StandInError, StandInOptions};
pub use visit::{Alarm, Line, Order, Visit};
pub use watcher::{Tally, WatchError, Watcher};
