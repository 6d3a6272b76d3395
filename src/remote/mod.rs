//! A running agent from the outside: a client of its REST API, and what drives a ramp through it from the plan to the results.
//!
//! The agent may be this very process, one of several that share a fleet, a child of it, or somewhere else: results are had the same way. This room must not know
//! the manager's queues, terminals or files.

mod client;
mod drive;
mod scenario;
mod shards;
mod tls;

pub use client::{Client, ClientError};
pub use drive::{Plan, Planned, drive, drive_all};
pub use scenario::{ScenarioError, parse as parse_scenario};
pub use shards::{ShardsError, check_shards};
