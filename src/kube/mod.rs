//! The virtual Kubernetes API of one cluster, without I/O: a request in, a response out.
//!
//! A cluster is a shared, compiled [`Baseline`] plus an overlay of what was written since. Objects are kept as serialised JSON
//! with holes, never as trees. This room must not know sockets, TLS, tunnels, clocks (`now` is an argument) or randomness
//! (the seed is an argument).
//!
//! | folder | what it does |
//! |---|---|
//! | `request`, `verbs`, `subresources` | from the path to the verb that answers it, and what each does |
//! | `response`, `table`, `discovery`, `openapi` | what answers are made of; what the API says of itself |
//! | `decode`, `patch`, `ownership` | bodies and patches in every form, and who owns which field |
//! | `admission`, `validate`, `strategy`, `types` | what is checked and filled in before an object is stored |
//! | `catalog`, `custom` | the kinds that are built in, and those that CustomResourceDefinitions make |
//! | `baseline`, `object`, `store`, `selector` | what all clusters share, what one of them wrote, and how it is found and watched |
//! | `cluster`, `controllers` | one cluster as a whole, and what lives in it |

pub mod admission;
mod baseline;
pub mod catalog;
mod cluster;
mod controllers;
mod custom;
pub mod decode;
pub mod discovery;
pub mod names;
mod object;
mod openapi;
mod ownership;
pub mod patch;
mod quantity;
pub mod request;
mod response;
mod selector;
mod store;
mod strategy;
mod subresources;
pub mod table;
#[cfg(test)]
mod testing;
mod tree;
mod types;
mod validate;
mod verbs;

pub use baseline::{Baseline, BaselineError, CREATED_PLACEHOLDER, Source};
pub use catalog::{Resource, ResourceId, Subresource, Verb, Verbs};
pub use cluster::durable::{Durable, DurableError, DurableState, Past, Written};
pub use cluster::identity::Identity;
pub use cluster::info::{ClusterInfo, DeploymentInfo, NodeInfo, ObjectInfo, PodInfo};
pub use cluster::resize::Size;
pub use cluster::{COMPACTION_INTERVAL, Cluster, Counts, Heartbeat, Limits};
pub use request::path::{ResourcePath, Route};
pub use request::query::Query;
pub use request::subject::{Subject, is_everywhere};
pub use response::body::{Body, Progress, Response, Streaming};
pub use response::status::{Cause, Details, Status, page_not_found};
pub use selector::{FieldSelector, LabelSelector};
