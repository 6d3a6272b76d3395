//! A summary as text for people.

use super::units::three_digits;
use super::{Column, Hold, Outcome, Summary, Table, bytes, count, duration};
use std::fmt;
use std::time::Duration;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        writeln!(f, "\n{}", self.stage_table())?;
        writeln!(f, "{}", self.failure_table())?;
        write!(f, "{}", self.cost_table())?;
        if let Some(hold) = &self.hold {
            write!(f, "\n{}", hold_table(hold))?;
        }
        Ok(())
    }
}

impl Summary {
    fn headline(&self) -> String {
        let outcome = match self.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::Interrupted => "interrupted",
        };
        format!(
            "{outcome}: {} of {} clusters Active in {} ({}/s), profile {}",
            count(self.active),
            count(self.requested),
            duration(seconds(self.elapsed_seconds)),
            rate(self.clusters_per_second),
            self.profile,
        )
    }

    fn stage_table(&self) -> Table {
        let mut table = Table::new([
            ("time from request to", Column::Left),
            ("clusters", Column::Right),
            ("p50", Column::Right),
            ("p95", Column::Right),
            ("p99", Column::Right),
            ("max", Column::Right),
        ]);
        for stage in &self.stages {
            let mut cells = vec![stage.name.clone()];
            match &stage.since_request {
                None => cells.push("0".to_owned()),
                Some(percentiles) => {
                    cells.push(count(percentiles.count));
                    let times = [
                        percentiles.p50_seconds,
                        percentiles.p95_seconds,
                        percentiles.p99_seconds,
                        percentiles.max_seconds,
                    ];
                    cells.extend(times.map(|time| duration(seconds(time))));
                }
            }
            table.row(cells);
        }
        table
    }

    fn failure_table(&self) -> Table {
        let mut table = Table::new([("failures by cause", Column::Left), ("count", Column::Right)]);
        if self.failures.is_empty() {
            table.row(["none".to_owned()]);
        }
        for failure in &self.failures {
            table.row([failure.cause.clone(), count(failure.count)]);
        }
        table
    }

    fn cost_table(&self) -> Table {
        let mut table = Table::new([
            ("cost of the agent", Column::Left),
            ("before", Column::Right),
            ("with all clusters", Column::Right),
            ("per cluster", Column::Right),
        ]);
        match &self.memory {
            None => table.row(["memory".to_owned(), UNKNOWN.to_owned()]),
            Some(memory) => {
                for (name, before, after, each) in [
                    ("memory (RSS)", memory.rss_before, memory.rss_after, memory.rss_per_cluster),
                    ("memory (PSS)", memory.pss_before, memory.pss_after, memory.pss_per_cluster),
                ] {
                    table.row([name.to_owned(), bytes(before as i64), bytes(after as i64), bytes(each)]);
                }
            }
        }
        match &self.cpu {
            None => table.row(["processor time".to_owned(), UNKNOWN.to_owned()]),
            Some(cpu) => {
                let each = cpu.seconds / self.active.max(1) as f64;
                let total = duration(seconds(cpu.seconds));
                table.row(["processor time".to_owned(), String::new(), total, duration(seconds(each))]);
                table.row(["share of one core".to_owned(), String::new(), percent(cpu.percent_of_core)]);
            }
        }
        table
    }
}

fn hold_table(hold: &Hold) -> Table {
    let heading = format!("held for {}", duration(seconds(hold.seconds)));
    let mut table = Table::new([(&heading, Column::Left), ("", Column::Right)]);
    let cpu = hold.cpu.map_or(UNKNOWN.to_owned(), |cpu| percent(cpu.percent_of_core));
    let growth = hold.rss_growth.map_or(UNKNOWN.to_owned(), bytes);
    for (name, value) in [
        ("Active at the end", count(hold.active_at_end)),
        ("tunnels lost", count(hold.tunnels_lost)),
        ("node heartbeats", count(hold.heartbeats)),
        ("watch events", count(hold.watch_events)),
        ("probes answered", count(hold.probes)),
        ("pings", count(hold.pings)),
        ("agent: share of one core", cpu),
        ("agent: memory growth", growth),
    ] {
        table.row([name.to_owned(), value]);
    }
    table
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn rate(per_second: f64) -> String {
    if per_second >= 999.5 { count(per_second.round() as u64) } else { three_digits(per_second) }
}

fn percent(percent: f64) -> String {
    format!("{percent:.1} %")
}

const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Cpu, Failure, Memory, Percentiles, Stage};

    fn percentiles(count: u64, p50: f64, p95: f64, p99: f64, max: f64) -> Option<Percentiles> {
        Some(Percentiles { count, p50_seconds: p50, p95_seconds: p95, p99_seconds: p99, max_seconds: max })
    }

    fn stage(name: &str, since_request: Option<Percentiles>) -> Stage {
        Stage { name: name.into(), since_request }
    }

    fn passed() -> Summary {
        Summary {
            schema: Summary::SCHEMA,
            profile: "rancher".into(),
            outcome: Outcome::Passed,
            requested: 1_000,
            active: 1_000,
            elapsed_seconds: 4.2,
            clusters_per_second: 238.1,
            stages: vec![
                stage("created", percentiles(1_000, 0.0123, 0.0301, 0.0444, 0.0512)),
                stage("Active", percentiles(1_000, 0.42, 0.612, 0.9, 1.25)),
            ],
            failures: vec![],
            memory: Some(Memory::new((12_582_912, 155_582_464), (10_485_760, 153_485_312), 1_000)),
            cpu: Some(Cpu::new(Duration::from_millis(1_900), Duration::from_millis(4_200))),
            hold: None,
        }
    }

    #[test]
    fn a_run_that_passed() {
        let expected = "\
passed: 1,000 of 1,000 clusters Active in 4.20 s (238/s), profile rancher

time from request to   clusters       p50       p95       p99       max
created                   1,000   12.3 ms   30.1 ms   44.4 ms   51.2 ms
Active                    1,000    420 ms    612 ms    900 ms    1.25 s

failures by cause   count
none

cost of the agent     before   with all clusters   per cluster
memory (RSS)        12.0 MiB             148 MiB       140 KiB
memory (PSS)        10.0 MiB             146 MiB       140 KiB
processor time                            1.90 s       1.90 ms
share of one core                         45.2 %
";
        assert_eq!(passed().to_string(), expected);
    }

    #[test]
    fn a_run_that_failed_and_knows_little() {
        let summary = Summary {
            outcome: Outcome::Failed,
            requested: 3,
            active: 1,
            clusters_per_second: 0.0,
            stages: vec![stage("created", percentiles(3, 0.001, 0.002, 0.003, 0.003)), stage("Active", None)],
            failures: vec![
                Failure { cause: "GET /version: 500".into(), count: 12 },
                Failure { cause: "API tunnel refused: cluster not found".into(), count: 1 },
            ],
            memory: None,
            cpu: None,
            ..passed()
        };
        let expected = "\
FAILED: 1 of 3 clusters Active in 4.20 s (0.00/s), profile rancher

time from request to   clusters       p50       p95       p99       max
created                       3   1.00 ms   2.00 ms   3.00 ms   3.00 ms
Active                        0

failures by cause                       count
GET /version: 500                          12
API tunnel refused: cluster not found       1

cost of the agent    before   with all clusters   per cluster
memory              unknown
processor time      unknown
";
        assert_eq!(summary.to_string(), expected);
    }

    #[test]
    fn what_was_seen_while_holding() {
        let hold = Hold {
            seconds: 30.0,
            cpu: Some(Cpu::new(Duration::from_millis(1_500), Duration::from_secs(30))),
            rss_growth: Some(-4_096),
            watch_events: 12_345,
            heartbeats: 3_000,
            pings: 12_000,
            probes: 4_000,
            tunnels_lost: 0,
            active_at_end: 1_000,
        };
        let expected = "\
held for 30.0 s
Active at the end              1,000
tunnels lost                       0
node heartbeats                3,000
watch events                  12,345
probes answered                4,000
pings                         12,000
agent: share of one core       5.0 %
agent: memory growth       -4.00 KiB
";
        assert_eq!(hold_table(&hold).to_string(), expected);
    }
}
