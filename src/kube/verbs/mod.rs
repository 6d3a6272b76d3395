//! The verbs of the API: each file answers one.

mod create;
mod delete;
mod get;
mod list;
mod patch;
mod review;
mod revision;
mod update;
mod watch;
mod write;

pub(super) use delete::DeleteOptions;
pub(super) use update::By;
pub(super) use watch::too_old;
pub(super) use write::Keep;
