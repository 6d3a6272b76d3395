//! Lines over time, and the percentiles of one distribution.

use super::super::markup::escape;
use super::super::text::seconds;
use super::super::units::{count, duration};
use crate::ramp::{Distribution, Point};
use std::fmt::Write;

/// A line of a chart: its name, its colour, whether it is dashed, and its value at a point.
pub(super) type Line = (&'static str, &'static str, bool, fn(&Point) -> f64);

/// Lines over time with marks at certain seconds. The last line is filled.
pub(super) fn over_time(points: &[Point], lines: &[Line], marks: &[(f64, String)]) -> String {
    let end = points.last().map_or(1.0, |point| point.seconds).max(1e-3);
    let highest = points.iter().flat_map(|point| lines.iter().map(|line| line.3(point))).fold(0.0, f64::max);
    let (step, top) = scale(highest);
    let x = |second: f64| LEFT + second / end * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| TOP + (1.0 - value / top) * (HEIGHT - TOP - BOTTOM);
    let mut svg = open(HEIGHT, "over time");
    let mut value = 0.0;
    while value <= top + step / 2.0 {
        let at = y(value);
        // Writing to a String cannot fail.
        let _ =
            write!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>", WIDTH - RIGHT);
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            count(value as u64)
        );
        value += step;
    }
    let (second_step, _) = time_scale(end);
    let mut second = 0.0;
    while second <= end {
        let at = x(second);
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM + 18.0,
            clock(second, end)
        );
        second += second_step;
    }
    for (position, (name, colour, dashed, figure)) in lines.iter().enumerate() {
        let path: Vec<String> =
            points.iter().map(|point| format!("{:.1},{:.1}", x(point.seconds), y(figure(point)))).collect();
        let path = path.join(" ");
        if position + 1 == lines.len() && !points.is_empty() {
            let (first, last, floor) = (x(points[0].seconds), x(end), y(0.0));
            let _ = write!(
                svg,
                "<polygon points=\"{first:.1},{floor:.1} {path} {last:.1},{floor:.1}\" fill=\"var({colour})\" opacity=\"0.12\"/>"
            );
        }
        let dash = if *dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let _ = write!(
            svg,
            "<polyline class=\"curve\" stroke=\"var({colour})\"{dash} points=\"{path}\"><title>{name}</title></polyline>"
        );
    }
    for (position, (second, text)) in marks.iter().filter(|(second, _)| *second <= end).enumerate() {
        let (at, foot) = (x(*second), HEIGHT - BOTTOM);
        // One below the other, so that neighbours can be read.
        let height = TOP + 10.0 + (position % 4) as f64 * 14.0;
        let _ = write!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{foot}\" stroke=\"var(--bad)\" stroke-dasharray=\"2 3\"><title>{0}</title></line>\
             <text x=\"{1:.1}\" y=\"{2}\">{0}</text>",
            escape(text),
            at + 5.0,
            height
        );
    }
    svg + "</svg>" + &legend(lines)
}

/// How long the fastest share took: the share on an axis of nines, the time beside it.
pub(super) fn percentiles(times: &Distribution) -> String {
    let nines = (times.count() as f64).log10().clamp(1.0, 4.0);
    let (step, top) = scale(times.max().unwrap_or_default());
    let x = |share: f64| LEFT + (-(1.0 - share).max(1e-9).log10()).min(nines) / nines * (HALF - LEFT - RIGHT);
    let y = |value: f64| TOP + (1.0 - value / top) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!("<svg viewBox=\"0 0 {HALF} {HEIGHT}\" role=\"img\" aria-label=\"percentiles\">");
    let mut value = 0.0;
    while value <= top + step / 2.0 {
        let at = y(value);
        let _ =
            write!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>", HALF - RIGHT);
        let text =
            if value > 0.0 { duration(seconds(value)).replace(".00", "").replace(".0 ", " ") } else { "0".into() };
        let _ = write!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 8.0, at + 4.0);
        value += step;
    }
    for (share, name) in
        [(0.0, "0"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")]
    {
        if -f64::log10(1.0 - share) <= nines + 1e-9 {
            let (at, foot) = (x(share), HEIGHT - BOTTOM);
            let _ = write!(svg, "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{foot}\"/>");
            let _ = write!(svg, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>", foot + 18.0);
        }
    }
    let shares = (0..=SAMPLES).map(|sample| 1.0 - 10_f64.powf(-nines * f64::from(sample) / f64::from(SAMPLES)));
    let path: Vec<String> =
        shares.filter_map(|share| Some(format!("{:.1},{:.1}", x(share), y(times.quantile(share)?)))).collect();
    let _ = write!(svg, "<polyline class=\"curve\" stroke=\"var(--a)\" points=\"{}\"/>", path.join(" "));
    svg + "</svg>"
}

fn open(height: f64, label: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">")
}

fn legend(lines: &[Line]) -> String {
    let mut html = String::from("<div class=\"legend\">");
    for (name, colour, dashed, _) in lines {
        let class = if *dashed { " class=\"dashed\"" } else { "" };
        let _ = write!(html, "<span><i{class} style=\"border-color:var({colour})\"></i>{name}</span>");
    }
    html + "</div>"
}

/// Steps of 1, 2 or 5 times a power of ten that reach up to `highest`: the step and the top.
pub(super) fn scale(highest: f64) -> (f64, f64) {
    if highest <= 0.0 {
        return (1.0, 1.0);
    }
    let raw = highest / 4.0;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= raw).unwrap_or(raw);
    (step, (highest / step).ceil() * step)
}

/// The same for a clock: steps that people count time in.
fn time_scale(end: f64) -> (f64, f64) {
    let steps = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
        21_600.0, 86_400.0,
    ];
    let step = steps.into_iter().find(|step| end / step <= 8.0).unwrap_or(end / 8.0);
    (step, end)
}

fn clock(second: f64, end: f64) -> String {
    match end {
        ..=10.0 => format!("{second:.1} s"),
        ..=180.0 => format!("{second:.0} s"),
        ..=10_800.0 => format!("{} min", trimmed(second / 60.0)),
        _ => format!("{} h", trimmed(second / 3600.0)),
    }
}

fn trimmed(number: f64) -> String {
    format!("{number:.1}").trim_end_matches(".0").to_owned()
}

const WIDTH: f64 = 1040.0;
/// Of a chart that shares its row.
const HALF: f64 = 520.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;
const SAMPLES: u32 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_have_round_steps() {
        for (highest, expected) in [
            (0.0, (1.0, 1.0)),
            (7.0, (2.0, 8.0)),
            (100.0, (50.0, 100.0)),
            (0.3, (0.1, 0.3)),
            (2_000.0, (500.0, 2_000.0)),
        ] {
            let (step, top) = scale(highest);
            assert!((step - expected.0).abs() < 1e-9 && (top - expected.1).abs() < 1e-9, "{highest}: {step} {top}");
        }
        assert_eq!(clock(90.0, 600.0), "1.5 min");
    }
}
