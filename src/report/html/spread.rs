//! The spread of each stage as a bar: from its shortest to its longest time, with the middle of it marked.

use super::super::markup::escape;
use super::super::text::seconds;
use super::super::units::duration;
use super::super::{Percentiles, Stage};
use std::fmt::Write;

/// A bar for each stage that any cluster reached; on a logarithmic axis where times differ by far.
pub(super) fn bars(stages: &[Stage]) -> String {
    let reached: Vec<(&Stage, &Percentiles)> =
        stages.iter().filter_map(|stage| Some((stage, stage.since_intended.as_ref()?))).collect();
    let longest = reached.iter().map(|(_, times)| times.max_seconds).fold(0.0, f64::max).max(1e-6);
    let shortest = reached.iter().map(|(_, times)| times.min_seconds.max(longest / 1e5)).fold(longest, f64::min);
    let (low, high) = (shortest.log10().floor(), longest.log10().ceil());
    let axis = |time: f64| match high - low {
        decades if decades >= 2.0 => ((time.max(shortest).log10() - low) / decades).clamp(0.0, 1.0),
        _ => time / longest,
    };
    let x = |time: f64| LEFT + axis(time) * (WIDTH - LEFT - RIGHT);
    let height = reached.len() as f64 * ROW + BOTTOM;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"stages\">");
    let ticks: Vec<f64> = match high - low {
        decades if decades >= 2.0 => (low as i32..=high as i32).map(|power| 10_f64.powi(power)).collect(),
        _ => (0..=4).map(|quarter| longest * f64::from(quarter) / 4.0).collect(),
    };
    for tick in ticks {
        let (at, foot) = (x(tick), height - BOTTOM);
        // Writing to a String cannot fail.
        let _ = write!(svg, "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{foot}\"/>");
        let text = duration(seconds(tick)).replace(".00", "").replace(".0 ", " ");
        let _ = write!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>", foot + 17.0);
    }
    for (position, (stage, times)) in reached.iter().enumerate() {
        let middle = position as f64 * ROW + ROW / 2.0;
        let name = escape(&stage.name);
        let _ = write!(svg, "<g><title>{name}: {}</title>", description(times));
        let _ = write!(
            svg,
            "<text class=\"name\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
            LEFT - 14.0,
            middle + 4.0
        );
        for (from, to, thickness, opacity) in [
            (times.min_seconds, times.max_seconds, 4.0, 0.25),
            (times.min_seconds, times.p99_seconds, 10.0, 0.3),
            (times.p50_seconds, times.p95_seconds, 10.0, 0.75),
        ] {
            let (from, to) = (x(from), x(to));
            let _ = write!(
                svg,
                "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{thickness}\" rx=\"2\" fill=\"var(--a)\" opacity=\"{opacity}\"/>",
                middle - thickness / 2.0,
                (to - from).max(1.5)
            );
        }
        let at = x(times.p50_seconds);
        let _ = write!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"var(--ink)\" stroke-width=\"2\"/>",
            middle - 8.0,
            middle + 8.0
        );
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            x(times.max_seconds) + 8.0,
            middle + 4.0,
            duration(seconds(times.p95_seconds))
        );
    }
    svg + "</svg>"
}

fn description(times: &Percentiles) -> String {
    let time = |time: f64| duration(seconds(time));
    format!(
        "min {}, p50 {}, p95 {}, p99 {}, max {}",
        time(times.min_seconds),
        time(times.p50_seconds),
        time(times.p95_seconds),
        time(times.p99_seconds),
        time(times.max_seconds)
    )
}

const WIDTH: f64 = 1040.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 90.0;
const ROW: f64 = 28.0;
const BOTTOM: f64 = 26.0;
