//! `completions`: what a shell needs to complete the command line, from the flags' own definitions.

use super::args::{Args, CompletionsArgs};
use super::{Failure, print_stdout};
use std::process::ExitCode;

/// Prints the script.
pub(super) fn run(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::full_command(), env!("CARGO_PKG_NAME"), &mut script);
    print_stdout(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
