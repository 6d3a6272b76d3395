//! The embedded stand-in for a Rancher server and its load profile: for demos, calibration and benchmarks, never the proof
//! of compatibility.

mod agent;
mod authority;
mod authorizer;
mod cluster;
mod fleet;
mod profile;
mod rest;
mod script;
mod usage;
mod visit;
mod watcher;

pub use agent::{Agent, AgentConfig, AgentError};
pub use authority::{Authority, AuthorityError};
pub use authorizer::{Admission, Params, Refusal, authorize};
pub use cluster::{Channel, Cluster, Condition, Fact, Stage};
pub use fleet::{Behaviour, Fleet, NameTaken, Progress, Seen, Standing};
pub use profile::{Call, Observation, Probe, Profile, Verb, WatchForm, WatchedList, Watches};
pub use rest::{Reply, Rest};
pub use script::{Prepared, Script, Step};
pub use usage::Usage;
pub use visit::{Alarm, Line, Order, Visit};
pub use watcher::{Tally, WatchError, Watcher};
