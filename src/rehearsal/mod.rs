//! The embedded stand-in for a Rancher server and its load profile: for demos, calibration and benchmarks, never the proof
//! of compatibility.

mod authority;
mod authorizer;
mod cluster;
mod fleet;
mod profile;

pub use authority::{Authority, AuthorityError};
pub use authorizer::{Admission, Params, Refusal, authorize};
pub use cluster::{Channel, Cluster, Condition, Fact, Stage};
pub use fleet::{Behaviour, Fleet, NameTaken, Progress, Seen, Standing};
pub use profile::{Call, Observation, Probe, Profile, Verb, WatchForm, WatchedList, Watches};
