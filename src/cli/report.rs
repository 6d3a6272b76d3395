//! `report`: makes all reports anew from raw results, of one run or of several as one.

use super::args::ReportArgs;
use super::{Failure, print_stdout, results};
use crate::report;
use std::process::ExitCode;

/// Remakes the files of one folder, or merges several folders into a new one.
pub(super) fn run(args: &ReportArgs) -> Result<ExitCode, Failure> {
    let runs = args.folders.iter().map(|folder| report::read(folder)).collect::<Result<Vec<_>, _>>()?;
    let (run, folder) = if args.merge {
        let Some(folder) = &args.results else {
            return Err(Failure::new("--merge makes a new run").remedy("say where it goes: --results DIR").usage());
        };
        report::prepare(folder)?;
        let merged = report::merge(runs);
        (merged.map_err(|error| Failure::new(error.to_string()).remedy("give each shard of a run once"))?, folder)
    } else {
        match (<[_; 1]>::try_from(runs), args.folders.as_slice()) {
            (Ok([run]), [folder]) => (run, args.results.as_ref().unwrap_or(folder)),
            _ => return Err(Failure::new("several runs are given").remedy("--merge makes one of them").usage()),
        }
    };
    let code = results::finish(&run, Some(folder), args.output)?;
    // Making a report succeeds whatever the run came to, unless somebody wants the run's own verdict.
    if args.verdict { Ok(code) } else { print_stdout("").map(|()| ExitCode::SUCCESS) }
}
