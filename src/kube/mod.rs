//! The virtual Kubernetes API of one cluster, without I/O: a request in, a response out.
//!
//! A cluster is a shared, compiled [`Baseline`] plus an overlay of what was written since. Objects are kept as serialised JSON
//! with holes, never as trees. This room must not know sockets, TLS, tunnels, clocks (`now` is an argument) or randomness
//! (the seed is an argument).

pub mod admission;
mod baseline;
mod body;
pub mod catalog;
mod cluster;
pub mod decode;
pub mod discovery;
pub mod health;
mod info;
pub mod names;
pub mod negotiate;
pub mod openapi;
pub mod patch;
pub mod path;
mod query;
mod quote;
mod selector;
mod status;
pub mod table;

pub use baseline::{Baseline, BaselineError, Source};
pub use body::{Body, Progress, Response, Streaming};
pub use catalog::{Resource, ResourceId, Subresource, Verb, Verbs};
pub use cluster::{Cluster, Counts, Heartbeat, Identity, Limits};
pub use info::{ClusterInfo, DeploymentInfo, NodeInfo, ObjectInfo, PodInfo};
pub use path::{ResourcePath, Route};
pub use query::Query;
pub use selector::{FieldSelector, LabelSelector};
pub use status::{Cause, Details, Status, page_not_found};
