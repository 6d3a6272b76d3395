//! Rancher's own REST API (`/v3`, norman) as a client sees it: clusters, registration tokens, trust, paging. Blocking calls,
//! made by registrar threads only.

mod answer;
mod client;
mod clusters;
mod error;
mod known;
mod presented;
mod survey;
mod trust;

pub use answer::Answer;
pub use client::Client;
pub use clusters::{Cluster, ClusterPage, Condition, Creation, registration_token_in};
pub use error::RancherError;
pub use presented::Presented;
pub use survey::{ApiToken, Hello};
pub use trust::Trust;
