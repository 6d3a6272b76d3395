//! Objects as bytes: serialised JSON with holes for what differs between clusters and between writes.
//!
//! An [`ObjectBody`] holds what clients and controllers wrote. What the server owns (uid, `resourceVersion`, times) is a [`Stamp`] of a
//! few words, filled in when the object is rendered, so that a heartbeat or a touch costs no copy. What else only one object says (times, uids,
//! generated names) is kept apart, so that the pieces of equal bodies are shared by all clusters of a worker.

mod body;
mod encoding;
mod marks;
mod own;
mod particulars;
mod shared;
mod stamp;
mod uid;

pub(super) use body::{Holes, ObjectBody};
pub(super) use marks::{CLUSTER_NAME, CREATED, HEARTBEAT, RENEWAL, owner_uid};
pub(super) use own::SHORTEST_NAME_BYTES;
pub(super) use particulars::Particulars;
pub(super) use stamp::{Stamp, micro_time, time};
pub(super) use uid::Uid;
