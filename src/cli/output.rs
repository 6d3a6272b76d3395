//! Standard output and usage messages.

use super::Failure;
use std::io::{self, Write};
use std::process::ExitCode;

/// Writes `text` to standard output. A reader that has gone away, as `head` does, is no failure.
pub fn print_stdout(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new("cannot write to standard output").cause(error))
        }
        _ => Ok(()),
    }
}

/// Writes warnings to standard error, for subcommands that do not log.
pub fn print_warnings(warnings: &[String]) {
    let text: String = warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    // Nothing is left to be told if standard error is closed.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Shows help, version or a usage error, and tells the exit code.
pub(super) fn print_usage(error: &clap::Error) -> ExitCode {
    // A closed pipe changes nothing about the exit code.
    let _ = error.print();
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}
