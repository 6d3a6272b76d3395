//! The operator's REST API: a tiny_http acceptor feeds commands to the manager. This room must not know sockets to Rancher
//! or the insides of clusters.
//!
//! The `api` thread only accepts. The `api-N` threads read requests and write answers, both from one queue, so that neither a
//! slow client nor a waiting `POST` holds up the acceptor or the manager. Requests whose bodies are still on their way have
//! threads of their own, `api-body-N`.
//!
//! [`routes`] is the table of all routes: a new one is a row there and a function in `handlers`. Requests are checked against
//! their row before the function sees them, and `/openapi.json` is made from the rows.

mod body;
mod call;
mod field;
mod handlers;
mod metrics;
mod nudge;
mod openapi;
mod page;
mod problem;
mod respond;
mod route;
mod routes;
mod server;
mod stats;

pub use server::{Api, ApiConfig, ApiError};
