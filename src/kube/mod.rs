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
mod controllers;
mod convert;
mod custom;
pub mod decode;
mod definition;
pub mod discovery;
mod dispatch;
mod durable;
mod generation;
mod gzip;
pub mod health;
mod identity;
mod info;
mod limit_range;
mod listing;
pub mod names;
pub mod negotiate;
mod object;
mod openapi;
mod ownership;
pub mod patch;
pub mod path;
mod pod_resources;
mod quantity;
mod query;
mod quota;
mod quote;
mod render;
mod resize;
mod review;
mod selector;
mod served;
mod status;
mod store;
mod strategy;
mod structural;
mod subject;
mod subresources;
pub mod table;
#[cfg(test)]
mod testing;
mod token;
mod tree;
mod trouble;
mod types;
mod validate;
mod verbs;
mod watching;

pub use baseline::{Baseline, BaselineError, CREATED_PLACEHOLDER, Source};
pub use body::{Body, Progress, Response, Streaming};
pub use catalog::{Resource, ResourceId, Subresource, Verb, Verbs};
pub use cluster::{COMPACTION_INTERVAL, Cluster, Counts, Heartbeat, Limits};
pub use durable::{Durable, DurableError, DurableState, Past, Written};
pub use identity::Identity;
pub use info::{ClusterInfo, DeploymentInfo, NodeInfo, ObjectInfo, PodInfo};
pub use path::{ResourcePath, Route};
pub use query::Query;
pub use resize::Size;
pub use selector::{FieldSelector, LabelSelector};
pub use status::{Cause, Details, Status, page_not_found};
pub use subject::{Subject, is_everywhere};
