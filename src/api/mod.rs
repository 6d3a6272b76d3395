//! The operator's REST API: a tiny_http acceptor feeds commands to the manager. This room must not know sockets to Rancher
//! or the insides of clusters.
//!
//! A `gate` keeps the clients: it hands on complete requests only, and takes answers off at once. The `api` thread takes them
//! from tiny_http, the `api-N` threads look into them and write answers, both from one queue, so that a waiting `POST` holds up
//! nobody.
//!
//! `routes` is the table of all routes: a new one is a row there and a function in `handlers`. Requests are checked against
//! their row before the function sees them, and `/openapi.json` is made from the rows.

mod audit;
mod auth;
mod body;
mod call;
mod field;
mod gate;
mod handlers;
mod method;
mod metrics;
mod openapi;
mod page;
mod problem;
mod respond;
mod route;
mod routes;
mod server;
mod source;
mod stats;
mod subject;
mod surroundings;
mod waiting;
mod worker;

pub use audit::AuditConfig;
pub use gate::{Certificate, GateLimits};
pub use server::{Api, ApiConfig, ApiError};
