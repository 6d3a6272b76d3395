//! The audit log: who did what to which cluster from where with what outcome. A line before the manager is told to change something
//! and one with the outcome, tied by their `id`; and a line for each refusal, up to a limit beyond which refusals are summed up.
//!
//! This room must not know routes, tiny_http or the gate. A line is in the file, as far as this process goes, once it is written: it
//! outlives a `kill -9`, though not a host that loses power within the seconds that Linux takes to bring it to the disk.

mod auditor;
mod deed;
mod log;
mod refusals;

pub(super) use auditor::Auditor;
pub(super) use deed::{Deed, Outcome};
pub use log::AuditConfig;
pub(super) use refusals::Refusals;
