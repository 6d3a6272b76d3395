//! `completions`: what a shell needs to complete the command line, from the flags' own definitions.

use super::args::{Args, CompletionsArgs};
use super::{Failure, print_stdout};
use std::process::ExitCode;

/// Prints the script.
pub(super) fn run(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::full_command(), env!("CARGO_PKG_NAME"), &mut script);
    // clap_complete 4.6 names the branches of a program with dashes in its name otherwise than it looks for them.
    let script = String::from_utf8_lossy(&script).replace(WRONG_BRANCH, RIGHT_BRANCH);
    print_stdout(&script)?;
    Ok(ExitCode::SUCCESS)
}

const WRONG_BRANCH: &str = "scale__subcmd__cluster__subcmd__agent";
const RIGHT_BRANCH: &str = "scale__cluster__agent";
