//! `doctor`: tells whether a fleet of this size will work before anybody waits for it.

use super::args::DoctorArgs;
use super::{Failure, ReportFormat, print_stdout};
use crate::config::Loaded;
use crate::doctor::{self, Examination, Finding, Verdict};
use serde_json::json;
use std::process::ExitCode;

/// Prints what is found; fails if anything will not work.
pub(super) fn run(loaded: &Loaded, args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let settings = &loaded.settings;
    let examinations = doctor::examine(settings, args.clusters);
    let worst = examinations.iter().flat_map(|one| &one.findings).map(|finding| finding.verdict).max();
    let worst = worst.unwrap_or(Verdict::Ok);
    match args.output {
        ReportFormat::Json => {
            let report = json!({ "clusters": args.clusters, "verdict": worst, "examinations": examinations });
            print_stdout(&format!("{report:#}\n"))?;
        }
        ReportFormat::Text => print_stdout(&text(&examinations, args.clusters, worst))?,
    }
    Ok(if worst == Verdict::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn text(examinations: &[Examination], clusters: u32, worst: Verdict) -> String {
    let all = || examinations.iter().flat_map(|one| &one.findings);
    let width = all().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Examination { subject, findings } in examinations {
        text += &format!("{subject}\n");
        for Finding { check, verdict, detail, remedy } in findings {
            text += &format!("  {:<4}  {check:<width$}  {detail}\n", verdict.as_str());
            if let Some(remedy) = remedy {
                text += &format!("        {:width$}  -> {remedy}\n", "");
            }
        }
        text += "\n";
    }
    let count = |wanted| all().filter(|finding| finding.verdict == wanted).count();
    text += &match worst {
        Verdict::Ok => format!("all is well for {clusters} clusters\n"),
        Verdict::Warn => format!("{clusters} clusters will work; {} warnings\n", count(Verdict::Warn)),
        Verdict::Fail => {
            format!(
                "{clusters} clusters will not work: {} failures, {} warnings\n",
                count(Verdict::Fail),
                count(Verdict::Warn)
            )
        }
    };
    text
}
