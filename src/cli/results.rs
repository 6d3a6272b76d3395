//! Where a run's results go, and how it ends.

use super::{Failure, ReportFormat, print_stdout};
use crate::report::{self, FolderError, Run};
use jiff::Timestamp;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The folder that a flag names, or one of its own for each run in the agent's directory.
pub(super) fn folder(flag: Option<&Path>, home: &Path, name: &str) -> Result<PathBuf, Failure> {
    let folder = match flag {
        Some(folder) => folder.to_owned(),
        None => {
            let moment = Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ");
            // A name comes from a file or a flag; it names no other folder.
            let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
            home.join("results").join(format!("{moment}-{}", name.chars().map(safe).collect::<String>()))
        }
    };
    report::prepare(&folder)?;
    Ok(folder)
}

/// Writes the results if there is a folder for them, prints the run, and tells the exit code.
pub(super) fn finish(run: &Run, folder: Option<&Path>, format: ReportFormat) -> Result<ExitCode, Failure> {
    if let Some(folder) = folder {
        report::write(folder, run)?;
    }
    match format {
        ReportFormat::Text => print_stdout(&run.to_string())?,
        ReportFormat::Json => {
            let json = serde_json::to_string_pretty(run)
                .map_err(|error| Failure::new("cannot write the run as JSON").cause(error))?;
            print_stdout(&format!("{json}\n"))?;
        }
    }
    if let Some(folder) = folder {
        // Nothing is left to be told if standard error is closed.
        let _ = writeln!(std::io::stderr(), "results: {}", folder.join("report.html").display());
    }
    Ok(ExitCode::from(run.outcome.exit_code()))
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Failure {
        let remedy = error.remedy();
        let failure = Failure::new(error.to_string()).remedy(remedy);
        if matches!(error, FolderError::Occupied(_)) { failure.usage() } else { failure }
    }
}
