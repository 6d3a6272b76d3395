//! `rehearse`: the agent against the embedded stand-in for a Rancher server.

use super::{Failure, RehearseArgs};
use crate::config::Loaded;
use std::process::ExitCode;

/// Runs a rehearsal; succeeds only if all clusters became Active.
pub fn run(_loaded: Loaded, _args: RehearseArgs) -> Result<ExitCode, Failure> {
    Err(Failure::new("rehearse is not built yet"))
}
