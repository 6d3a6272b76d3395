//! Workers that multiplex many clusters each: one epoll loop, one timer wheel, one slab of clusters per thread.
//!
//! The only room that touches sockets to Rancher. It drives [`crate::tunnel`], [`crate::http1`], [`crate::kube`] and
//! [`crate::steve`], and knows nothing of Rancher's REST API or of the operator's.

mod assignment;
mod transport;
mod wheel;

pub use assignment::{Assignment, Attachment, Event, Server, Tunnel};
pub use transport::Transport;
pub use wheel::TimerWheel;
