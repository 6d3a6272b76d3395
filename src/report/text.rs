//! A run as text for people.

use super::units::three_digits;
use super::{Column, Hold, Injected, Percentiles, Run, Stage, Table, bytes, count, duration};
use crate::ramp::{Metric, MetricKind, Verdict};
use std::fmt;
use std::time::Duration;

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        if self.figures.nothing_new() {
            writeln!(f, "{NOTHING_NEW}")?;
        }
        // A rehearsal's clusters are gone; others are found again by this.
        if let (Some(run), None) = (self.results.spec["run"].as_str(), &self.profile) {
            let agents: String = self.agents.iter().map(|url| format!("--agent {url} ")).collect();
            writeln!(f, "run {run}: `clean {agents}--run {run}` deletes its clusters")?;
        }
        if self.figures.behind_max > 0 {
            writeln!(f, "behind the plan by at most {}", count(self.figures.behind_max))?;
        }
        if !self.figures.thresholds.is_empty() {
            writeln!(f)?;
            self.figures.thresholds.iter().try_for_each(|verdict| writeln!(f, "{}", threshold(verdict)))?;
        }
        if !self.faults.is_empty() {
            writeln!(f)?;
        }
        for Injected { at_seconds, fault, problem } in &self.faults {
            let problem = problem.as_ref().map(|problem| format!(" FAILED: {problem}")).unwrap_or_default();
            writeln!(f, "after {}: {fault}{problem}", duration(seconds(*at_seconds)))?;
        }
        writeln!(f, "\n{}", stage_table("time from intended start to", &self.figures.stages))?;
        if !self.figures.lists.is_empty() {
            writeln!(f, "{}", stage_table("until the first list of", &self.figures.lists))?;
        }
        if !self.figures.calls.is_empty() {
            writeln!(f, "{}", self.call_table())?;
        }
        write!(f, "{}", self.failure_table())?;
        if self.memory.is_some() || self.cpu.is_some() {
            write!(f, "\n{}", self.cost_table())?;
        }
        if let Some(hold) = &self.hold {
            write!(f, "\n{}", hold_table(hold))?;
        }
        Ok(())
    }
}

impl Run {
    /// The run in one line.
    pub fn headline(&self) -> String {
        let figures = &self.figures;
        let profile = self.profile.as_ref().map(|profile| format!(", profile {profile}")).unwrap_or_default();
        let already = match figures.already {
            0 => String::new(),
            already => format!(", {} were there already", count(already)),
        };
        format!(
            "{}: {} of {} clusters Active in {} ({}/s){already}{profile}",
            self.outcome.title(),
            count(figures.active),
            count(figures.requested - figures.already.min(figures.requested)),
            duration(seconds(figures.elapsed_seconds)),
            rate(figures.clusters_per_second),
        )
    }

    fn call_table(&self) -> Table {
        let mut table = timed_table("calls to Rancher", "calls");
        for endpoint in &self.figures.calls {
            let mut cells = times(&endpoint.name, endpoint.times.as_ref());
            if endpoint.failed > 0 {
                cells[0] += &format!(" ({} failed)", count(endpoint.failed));
            }
            table.row(cells);
        }
        table
    }

    fn failure_table(&self) -> Table {
        let mut table = Table::new([("failures by cause", Column::Left), ("count", Column::Right)]);
        let failures = self.figures.failures.iter().chain(&self.complaints);
        let mut failures = failures.peekable();
        if failures.peek().is_none() {
            table.row(["none".to_owned()]);
        }
        for failure in failures {
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
        if let Some(memory) = &self.memory {
            for (name, before, after, each) in [
                ("memory (RSS)", memory.rss_before, memory.rss_after, memory.rss_per_cluster),
                ("memory (PSS)", memory.pss_before, memory.pss_after, memory.pss_per_cluster),
            ] {
                table.row([name.to_owned(), bytes(before as i64), bytes(after as i64), bytes(each)]);
            }
        }
        if let Some(cpu) = &self.cpu {
            let each = cpu.seconds / self.figures.active.max(1) as f64;
            let total = duration(seconds(cpu.seconds));
            table.row(["processor time".to_owned(), String::new(), total, duration(seconds(each))]);
            table.row(["share of one core".to_owned(), String::new(), percent(cpu.percent_of_core)]);
        }
        table
    }
}

/// A threshold and what it was judged by: `✓ time_to_active: p(95)<120s, was 84.0 s`.
fn threshold(verdict: &Verdict) -> String {
    let mark = if verdict.ok == Some(true) { '✓' } else { '✗' };
    format!("{mark} {}: {}, was {}", verdict.metric, verdict.condition, value(verdict))
}

/// What a threshold was judged by, with its unit.
pub(super) fn value(verdict: &Verdict) -> String {
    let Some(value) = verdict.value else { return "never measured".to_owned() };
    match Metric::by_name(&verdict.metric).map(|metric| metric.kind) {
        Some(MetricKind::Trend) => duration(seconds(value)),
        Some(MetricKind::Rate) => format!("{} %", three_digits(value * 100.0)),
        _ if value.fract() == 0.0 => count(value as u64),
        _ => three_digits(value),
    }
}

fn stage_table(heading: &str, stages: &[Stage]) -> Table {
    let mut table = timed_table(heading, "clusters");
    stages.iter().for_each(|stage| table.row(times(&stage.name, stage.since_intended.as_ref())));
    table
}

fn timed_table(heading: &str, counted: &str) -> Table {
    let figure = |title| (title, Column::Right);
    Table::new([
        (heading, Column::Left),
        (counted, Column::Right),
        figure("p50"),
        figure("p90"),
        figure("p95"),
        figure("p99"),
        figure("p99.9"),
        figure("max"),
    ])
}

fn times(name: &str, times: Option<&Percentiles>) -> Vec<String> {
    let mut cells = vec![name.to_owned()];
    match times {
        None => cells.push("0".to_owned()),
        Some(times) => {
            cells.push(count(times.count));
            cells.extend(spread(times).map(|time| duration(seconds(time))));
        }
    }
    cells
}

/// The percentiles that tables show.
pub(super) fn spread(times: &Percentiles) -> [f64; 6] {
    [times.p50_seconds, times.p90_seconds, times.p95_seconds, times.p99_seconds, times.p999_seconds, times.max_seconds]
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

pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// A rate with three digits.
pub fn rate(per_second: f64) -> String {
    if per_second >= 999.5 { count(per_second.round() as u64) } else { three_digits(per_second) }
}

fn percent(percent: f64) -> String {
    format!("{percent:.1} %")
}

const UNKNOWN: &str = "unknown";
/// What is told of a run in which every cluster was there before.
pub(super) const NOTHING_NEW: &str = "nothing was measured: every cluster was there before; \
     choose another prefix (--prefix), or delete them with `clean` first";

#[cfg(test)]
mod tests {
    use super::super::testing::{hold, passed};
    use super::*;
    use crate::report::{Cpu, Failure, Memory, Outcome};

    #[test]
    fn a_run_that_passed() {
        let run = Run {
            memory: Some(Memory::new((12_582_912, 155_582_464), (10_485_760, 153_485_312), 1_000)),
            cpu: Some(Cpu::new(Duration::from_millis(1_900), Duration::from_millis(4_200))),
            ..passed()
        };
        let expected = "\
passed: 4 of 4 clusters Active in 4.00 s (1.00/s), profile rancher

✓ time_to_active: p(95)<2s, was 1.00 s

time from intended start to   clusters       p50       p90       p95       p99     p99.9       max
started                              4   10.0 ms   10.0 ms   10.0 ms   10.0 ms   10.0 ms   10.0 ms
created                              4    100 ms    100 ms    100 ms    100 ms    100 ms    100 ms
token                                0
API tunnel                           0
steve tunnel                         0
first request in                     0
first list                           0
all watches up                       0
Connected                            0
Active                               4    1.00 s    1.00 s    1.00 s    1.00 s    1.00 s    1.00 s

until the first list of   clusters      p50      p90      p95      p99    p99.9      max
v1/nodes                         4   500 ms   500 ms   500 ms   500 ms   500 ms   500 ms

calls to Rancher              calls       p50       p90       p95       p99     p99.9       max
POST /v3/clusters                 4   50.0 ms   50.0 ms   50.0 ms   50.0 ms   50.0 ms   50.0 ms

failures by cause   count
none

cost of the agent     before   with all clusters   per cluster
memory (RSS)        12.0 MiB             148 MiB       140 KiB
memory (PSS)        10.0 MiB             146 MiB       140 KiB
processor time                            1.90 s        475 ms
share of one core                         45.2 %
"
        .replace("calls to Rancher              calls       p50", "calls to Rancher    calls       p50")
        .replace("POST /v3/clusters                 4   50.0", "POST /v3/clusters       4   50.0");
        assert_eq!(run.to_string(), expected);
    }

    #[test]
    fn a_run_that_failed_says_why() {
        let mut run = passed();
        run.results.spec["thresholds"] = serde_json::json!([]);
        run.results.clusters[3].fate = crate::ramp::Fate::Failed;
        run.results.clusters[3].is_active = false;
        run.results.clusters[3].cause = Some("Rancher answers 500".into());
        run.results.behind_max = 412;
        run.refresh();
        run.complaints = vec![Failure { cause: "GET /version: 500".into(), count: 12, ..Failure::default() }];
        assert_eq!(run.outcome, Outcome::Failed);
        let text = run.to_string();
        assert!(text.starts_with("FAILED: 3 of 4 clusters Active in 9.00 s"), "{text}");
        assert!(text.contains("\nbehind the plan by at most 412\n"), "{text}");
        assert!(text.contains("\nRancher answers 500       1\nGET /version: 500        12\n"), "{text}");
    }

    #[test]
    fn what_deletes_the_clusters_is_told_for_where_they_are() {
        let mut run = Run { profile: None, ..passed() };
        run.results.spec["run"] = "monday".into();
        assert!(run.to_string().contains("\nrun monday: `clean --run monday` deletes its clusters\n"), "{run}");
        run.agents = vec!["http://127.0.0.1:9091".into(), "http://127.0.0.1:9092".into()];
        let expected = "`clean --agent http://127.0.0.1:9091 --agent http://127.0.0.1:9092 --run monday`";
        assert!(run.to_string().contains(expected), "{run}");
    }

    #[test]
    fn a_run_of_clusters_that_were_all_there_is_no_success() {
        let mut run = passed();
        run.results.clusters.clear();
        run.results.already = 4;
        // One that holds for no cluster at all.
        run.results.spec["thresholds"] = serde_json::json!(["disconnects:count<1"]);
        run.refresh();
        assert_eq!((run.outcome, run.outcome.exit_code()), (Outcome::Failed, 1));
        let text = run.to_string();
        assert!(text.starts_with("FAILED: 0 of 0 clusters Active in 9.00 s (0.00/s), 4 were there already"), "{text}");
        assert!(
            text.contains("\nnothing was measured: every cluster was there before; choose another prefix (--prefix)"),
            "{text}"
        );
        let xml = super::super::junit::xml(&run);
        assert!(xml.contains("tests=\"2\" failures=\"1\"") && xml.contains("nothing was measured"), "{xml}");
        run.results.already = 3;
        run.refresh();
        assert_ne!(run.outcome, Outcome::Failed, "one of them was new");
    }

    #[test]
    fn what_was_seen_while_holding() {
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
        assert_eq!(hold_table(&hold()).to_string(), expected);
    }
}
