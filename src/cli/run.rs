//! `run`: the agent itself.

use super::Failure;
use crate::config::Loaded;
use std::process::ExitCode;

/// Runs the agent until a signal ends it.
pub fn run(loaded: Loaded) -> Result<ExitCode, Failure> {
    loaded.settings.require_rancher()?;
    Err(Failure::new("run is not built yet"))
}
