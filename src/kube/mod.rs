//! The virtual Kubernetes API of one cluster, without I/O: a request in, a response out.
//!
//! A cluster is a shared, compiled [`Baseline`] plus an overlay of what was written since. Objects are kept as serialised JSON
//! with holes, never as trees. This room must not know sockets, TLS, tunnels, clocks (`now` is an argument) or randomness
//! (the seed is an argument).

mod baseline;
mod body;
mod cluster;
mod info;

pub use baseline::{Baseline, BaselineError, Source};
pub use body::{Body, Progress, Response, Streaming};
pub use cluster::{Cluster, Counts, Heartbeat, Identity, Limits};
pub use info::{ClusterInfo, DeploymentInfo, NodeInfo, ObjectInfo, PodInfo};
