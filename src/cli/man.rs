//! `man`: manual pages from the flags' own definitions.

use super::args::{Args, ManArgs};
use super::{Failure, print_stdout};
use clap_mangen::Man;
use std::process::ExitCode;

/// Prints the page of the program, or writes the pages of all subcommands.
pub(super) fn run(args: &ManArgs) -> Result<ExitCode, Failure> {
    let command = Args::full_command();
    match &args.directory {
        Some(directory) => {
            let failed = |error: std::io::Error| {
                Failure::new(format!("the pages cannot be written into {}: {error}", directory.display()))
                    .remedy("name a directory that this user may make or write to")
            };
            std::fs::create_dir_all(directory).map_err(failed)?;
            clap_mangen::generate_to(command, directory).map_err(failed)?;
        }
        None => {
            let mut page = Vec::new();
            Man::new(command)
                .render(&mut page)
                .map_err(|error| Failure::new("the page cannot be made").cause(error))?;
            print_stdout(&String::from_utf8_lossy(&page))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
