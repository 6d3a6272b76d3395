//! What fills the holes of an object's body.

use super::Uid;
use serde_json::Value;

/// What one cluster fills into the bodies it shares with others.
#[derive(Debug)]
pub(in crate::kube) struct Particulars {
    /// The cluster's name.
    pub name: Box<str>,
    /// The same as it stands inside a JSON string.
    pub json_name: Box<str>,
    /// The seed of its uids.
    pub seed: u64,
    /// When it was made, in seconds since 1970.
    pub created_s: i64,
}

impl Particulars {
    /// Those of the cluster `name`.
    pub(in crate::kube) fn new(name: &str, seed: u64, created_s: i64) -> Particulars {
        let quoted = Value::from(name).to_string();
        Particulars { name: name.into(), json_name: quoted.trim_matches('"').into(), seed, created_s }
    }

    /// The uid of a baseline object.
    pub(in crate::kube) fn uid(&self, ordinal: u32) -> Uid {
        Uid::of_baseline(self.seed, ordinal)
    }
}
