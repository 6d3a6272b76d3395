//! The operator's REST API: a tiny_http acceptor feeds commands to the manager. This room must not know sockets to Rancher
//! or the insides of clusters.
//!
//! The `api` thread only accepts. The `api-N` threads read requests and write answers, both from one queue, so that neither a
//! slow client nor a waiting `POST` holds up the acceptor or the manager. Requests whose bodies are still on their way have
//! threads of their own, `api-body-N`.

mod body;
mod nudge;
mod problem;
mod respond;
mod route;
mod server;

pub use server::{Api, ApiConfig, ApiError};
