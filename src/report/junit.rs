//! `junit.xml`: the run for whatever shows test results.

use super::markup::escape;
use super::{Run, text};
use crate::ramp::Fate;
use std::fmt::Write;

/// Two suites: the thresholds, each a case, and the clusters, each a case that takes as long as the cluster took to become Active.
pub(super) fn xml(run: &Run) -> String {
    let figures = &run.figures;
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let failed_thresholds = figures.thresholds.iter().filter(|verdict| verdict.ok != Some(true)).count();
    let rows = &run.results.clusters;
    let count = |fate: Fate| rows.iter().filter(|row| row.fate == fate).count();
    // A suite without a case would pass.
    let nothing_new = usize::from(figures.nothing_new());
    let (failed, skipped) = (count(Fate::Failed) + nothing_new, count(Fate::UnderWay));
    let clusters = rows.len() + nothing_new;
    // Writing to a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" time=\"{:.3}\">",
        escape(&run.name),
        figures.thresholds.len() + clusters,
        failed_thresholds + failed,
        run.results.elapsed_seconds
    );
    let _ = writeln!(
        xml,
        "  <testsuite name=\"thresholds\" tests=\"{}\" failures=\"{failed_thresholds}\" timestamp=\"{}\">",
        figures.thresholds.len(),
        run.results.started
    );
    for verdict in &figures.thresholds {
        let name = escape(&format!("{}:{}", verdict.metric, verdict.condition));
        let _ = write!(xml, "    <testcase classname=\"thresholds\" name=\"{name}\"");
        if verdict.ok == Some(true) {
            xml.push_str("/>\n");
        } else {
            let message = escape(&format!("it was {}", text::value(verdict)));
            let _ = writeln!(xml, ">\n      <failure message=\"{message}\"/>\n    </testcase>");
        }
    }
    let _ = writeln!(xml, "  </testsuite>");
    let _ = writeln!(
        xml,
        "  <testsuite name=\"clusters\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\" timestamp=\"{}\">",
        clusters, run.results.started
    );
    if nothing_new > 0 {
        let cause = escape(text::NOTHING_NEW);
        let name = "some cluster is new";
        let _ = writeln!(
            xml,
            "    <testcase classname=\"clusters\" name=\"{name}\">\n      <failure message=\"{cause}\"/>\n    </testcase>"
        );
    }
    for row in rows {
        let active = row.seconds[crate::ramp::Milestone::Active as usize];
        let _ = write!(xml, "    <testcase classname=\"clusters\" name=\"{}\"", escape(&row.name));
        let _ = active.map_or(Ok(()), |seconds| write!(xml, " time=\"{seconds:.3}\""));
        match row.fate {
            Fate::Active => xml.push_str("/>\n"),
            Fate::UnderWay => xml.push_str(">\n      <skipped message=\"the run ended first\"/>\n    </testcase>\n"),
            Fate::Failed => {
                let cause = escape(row.cause.as_deref().unwrap_or("for an unknown reason"));
                let _ = writeln!(xml, ">\n      <failure message=\"{cause}\"/>\n    </testcase>");
            }
        }
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}
