//! A plan in words, before it is carried out.

use super::text::seconds;
use super::{Column, Table, count, duration};
use crate::ramp::{Spec, Stages};
use std::fmt::Write;

/// What a ramp would do, stage by stage.
pub fn plan(spec: &Spec) -> String {
    let last = spec.clusters.saturating_sub(1);
    let template = spec.template.as_deref().unwrap_or("the configured one");
    let mut text = format!(
        "{} clusters, {} to {}, template {template}, seed {}\n",
        count(spec.clusters.into()),
        spec.name(0),
        spec.name(last),
        spec.seed
    );
    let schedule = spec.schedule();
    match &spec.stages {
        None => {
            // Writing to a String cannot fail.
            let limit = spec.limit().unwrap_or(spec.clusters);
            let _ = writeln!(text, "each starts as soon as fewer than {} are in flight", count(limit.into()));
        }
        Some(stages) => {
            let _ = write!(text, "\n{}", table(stages, spec.clusters));
            let _ = writeln!(text, "\nthe last cluster starts after {}", duration(schedule.start(last)));
            if spec.jitter > 0.0 {
                let _ = writeln!(text, "each start moves by up to {:.0} % of the time between two", spec.jitter * 50.0);
            }
            if let Some(limit) = spec.max_in_flight {
                let _ = writeln!(
                    text,
                    "at most {} are in flight; what waits for that counts as behind",
                    count(limit.into())
                );
            }
        }
    }
    let _ = writeln!(text, "a cluster fails that is not Active within {}", duration(spec.timeout));
    if !spec.hold.is_zero() {
        let _ = writeln!(text, "all are held for {} afterwards", duration(spec.hold));
    }
    for threshold in &spec.thresholds {
        let abort = if spec.abort_on_fail { ", or it ends" } else { "" };
        let _ = writeln!(text, "has to hold{abort}: {threshold}");
    }
    text
}

fn table(stages: &Stages, clusters: u32) -> Table {
    let mut table = Table::new([
        ("from", Column::Right),
        ("to", Column::Right),
        ("rate", Column::Left),
        ("clusters then", Column::Right),
    ]);
    let (mut begin, mut started) = (0.0, 0.0);
    for stage in stages.iter() {
        let end = begin + stage.length.as_secs_f64();
        let rate = stage.to_string().split_once(':').map_or(String::new(), |(_, rate)| rate.to_owned());
        started += stage.clusters();
        let then = (started.round() as u64).min(clusters.into());
        let from = if begin > 0.0 { duration(seconds(begin)) } else { "0 s".to_owned() };
        table.row([from, duration(seconds(end)), rate, count(then)]);
        begin = end;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_in_words() {
        let spec = json!({
            "prefix": "edge-", "stages": "2m:1/s,10m:1/s..10/s,30m:hold", "jitter": "20%", "maxInFlight": 50, "hold": "1h",
            "thresholds": ["failed:rate<1%"]
        });
        let expected = "\
3,420 clusters, edge-0001 to edge-3420, template the configured one, seed 1

       from            to   rate        clusters then
        0 s    2 min 00 s   1/s                   120
 2 min 00 s   12 min 00 s   1/s..10/s           3,420
12 min 00 s   42 min 00 s   hold                3,420
";
        let text = plan(&Spec::from_json(spec.as_object().unwrap()).unwrap());
        assert!(text.starts_with(expected), "{text}");
        for line in [
            "the last cluster starts after 12 min 00 s",
            "each start moves by up to 10 % of the time between two",
            "at most 50 are in flight; what waits for that counts as behind",
            "a cluster fails that is not Active within 10 min 00 s",
            "all are held for 60 min 00 s afterwards",
            "has to hold: failed:rate<1%",
        ] {
            assert!(text.lines().any(|found| found == line), "{line:?} is missing in\n{text}");
        }
    }
}
