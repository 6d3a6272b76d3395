//! The live view of a ramp: a line that changes on a terminal, a line now and then otherwise.

use crate::manager::{MilestoneView, RampState, RampView};
use crate::ramp::Milestone;
use crate::report::{bytes, count, duration, rate};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Shows a ramp on standard error.
pub(super) struct Live {
    bar: Option<ProgressBar>,
    next_line: Instant,
    state: Option<RampState>,
    colours: bool,
}

impl Live {
    /// A view of a ramp of so many clusters. `NO_COLOR` is honoured (<https://no-color.org>).
    pub(super) fn new(clusters: u32) -> Live {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = if colours { BAR } else { BAR_PLAIN };
            let style = ProgressStyle::with_template(template).expect("a test reads this constant");
            ProgressBar::new(clusters.into()).with_style(style)
        });
        Live { bar, next_line: Instant::now() + LINE_INTERVAL, state: None, colours }
    }

    /// Shows how it stands.
    pub(super) fn show(&mut self, view: &RampView) {
        let changed = self.state.replace(view.state) != Some(view.state);
        match &self.bar {
            Some(bar) => {
                bar.set_length(view.clusters.into());
                bar.set_position(view.active);
                bar.set_message(line(view, self.colours));
            }
            None if Instant::now() >= self.next_line || (changed && view.state.is_over()) => {
                // Nothing is left to be told if standard error is closed.
                let _ = writeln!(std::io::stderr(), "{}", line(view, false));
                self.next_line = Instant::now() + LINE_INTERVAL;
            }
            None => {}
        }
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// A ramp in one line: what a narrow terminal is to show comes first.
fn line(view: &RampView, colours: bool) -> String {
    let paint = |text: String, colour: u8| if colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text };
    let active = |milestone: &&MilestoneView| milestone.name == Milestone::Active.title();
    let times = view.milestones.iter().find(active).map_or("p50 –  p95 –".to_owned(), |times| {
        let time = |seconds: f64| duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
        format!("p50 {}  p95 {}", time(times.p50_seconds), time(times.p95_seconds))
    });
    let mut parts = vec![
        format!("{} {} s", view.state.as_str(), view.elapsed_seconds as u64),
        paint(format!("{} of {} Active", count(view.active), count(view.clusters.into())), GREEN),
    ];
    let failed = format!("{} failed", count(view.failed));
    parts.push(if view.failed > 0 { paint(failed, RED) } else { failed });
    if view.behind > 0 {
        parts.push(paint(format!("behind by {}", count(view.behind.into())), YELLOW));
    }
    parts.push(format!("{} in flight", count(view.under_way)));
    parts.push(format!("{}/s", rate(view.starts_per_second)));
    parts.push(times);
    parts.push(format!("{} lost/s", rate(view.disconnects_per_second)));
    parts.push(bytes(view.rss_bytes as i64));
    parts.join(", ")
}

/// Short enough that 80 columns have room for what has failed and is behind.
const BAR: &str = "{bar:8.green} {wide_msg}";
const BAR_PLAIN: &str = "{bar:8} {wide_msg}";
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// Colours of ECMA-48.
const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn view() -> RampView {
        RampView {
            id: 1,
            state: RampState::Starting,
            prefix: "edge-".into(),
            clusters: 2_000,
            elapsed_seconds: 92.4,
            due: 500,
            started: 460,
            created: 450,
            active: 400,
            active_now: 400,
            failed: 0,
            under_way: 60,
            already: 0,
            in_flight: 60,
            behind: 0,
            behind_max: 0,
            disconnects: 0,
            starts_per_second: 5.0,
            disconnects_per_second: 0.0,
            rss_bytes: 48 << 20,
            milestones: Vec::new(),
            failures: Vec::new(),
            thresholds: Vec::new(),
            spec: json!({}),
            started_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            finished_at: None,
        }
    }

    #[test]
    fn a_ramp_in_one_line() {
        let expected =
            "starting 92 s, 400 of 2,000 Active, 0 failed, 60 in flight, 5.00/s, p50 –  p95 –, 0.00 lost/s, 48.0 MiB";
        assert_eq!(line(&view(), false), expected);
        let times = MilestoneView {
            name: "Active".into(),
            count: 400,
            p50_seconds: 4.2,
            p95_seconds: 9.0,
            p99_seconds: 11.0,
            max_seconds: 12.0,
        };
        let slow = RampView { behind: 412, failed: 3, milestones: vec![times], ..view() };
        let text = line(&slow, false);
        assert!(text.contains("3 failed, behind by 412, 60 in flight, 5.00/s, p50 4.20 s  p95 9.00 s"), "{text}");
        assert!(line(&slow, true).contains("\u{1b}[33mbehind by 412\u{1b}[0m"));
    }

    #[test]
    fn eighty_columns_show_what_has_failed_and_is_behind() {
        let bar = 8 + 1;
        let large = RampView {
            state: RampState::Settling,
            elapsed_seconds: 1_234.0,
            clusters: 20_000,
            active: 12_000,
            failed: 1_234,
            behind: 8_412,
            ..view()
        };
        let shown: String = line(&large, false).chars().take(80 - bar).collect();
        assert!(shown.ends_with("1,234 failed, behind by 8,412"), "{shown}");
        assert!(BAR.starts_with("{bar:8"));
    }

    #[test]
    fn the_bars_are_templates() {
        for template in [BAR, BAR_PLAIN] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
