//! The Prometheus text format (version 0.0.4).

use super::Histogram;
use crate::telemetry::Latency;
use std::fmt::{Display, Write};

/// Metrics as text.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// Labels of a sample.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

impl Exposition {
    /// The media type.
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// A counter; by convention its name ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &str, samples: &[(Labels<'_>, u64)]) {
        self.family(name, "counter", help);
        for (labels, value) in samples {
            self.sample(name, labels, value);
        }
    }

    /// A counter of seconds.
    pub fn seconds_counter(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    /// A gauge.
    pub fn gauge(&mut self, name: &str, help: &str, samples: &[(Labels<'_>, f64)]) {
        self.family(name, "gauge", help);
        for (labels, value) in samples {
            self.sample(name, labels, value);
        }
    }

    /// A histogram of durations; by convention its name ends in `_seconds`. Those with the same labels and bounds are added up.
    pub fn histogram(&mut self, name: &str, help: &str, samples: &[(Labels<'_>, &[&Histogram])]) {
        self.family(name, "histogram", help);
        for (labels, histograms) in samples {
            let bounds = histograms.first().map_or(&[][..], |histogram| histogram.bounds());
            let mut counts = vec![0; bounds.len() + 1];
            let mut sum = 0.0;
            for histogram in *histograms {
                let (own, own_sum) = histogram.read();
                counts.iter_mut().zip(own).for_each(|(count, own)| *count += own);
                sum += own_sum;
            }
            let mut total = 0;
            let cumulative = counts.into_iter().map(|count| {
                total += count;
                total
            });
            self.buckets(name, labels, bounds, cumulative.collect(), sum);
        }
    }

    /// A histogram of what was measured as [`Latency`].
    pub fn latencies(&mut self, name: &str, help: &str, samples: &[(Labels<'_>, &Latency)]) {
        self.family(name, "histogram", help);
        for (labels, latency) in samples {
            let below = LATENCY_BOUNDS_SECONDS.iter().map(|bound| latency.count_up_to((bound * 1e6) as u64));
            let counts = below.chain([latency.count()]).collect();
            self.buckets(name, labels, LATENCY_BOUNDS_SECONDS, counts, latency.sum_us() as f64 / 1e6);
        }
    }

    /// What was written.
    pub fn into_text(self) -> String {
        self.0
    }

    /// One histogram: how many were at most as long as each bound, and at last all.
    fn buckets(&mut self, name: &str, labels: Labels<'_>, bounds: &[f64], counts: Vec<u64>, sum: f64) {
        let all = counts.last().copied().unwrap_or_default();
        let bounds = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(counts) {
            let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(&format!("{name}_bucket"), &labels, count);
        }
        self.sample(&format!("{name}_sum"), labels, sum);
        self.sample(&format!("{name}_count"), labels, all);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail, here and below.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        self.0.push_str(name);
        for (position, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if position == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

/// From what memory answers to what a client gives up on.
const LATENCY_BOUNDS_SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 10.0];

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let (one, other) = (Histogram::new(&[0.5, 1.0]), Histogram::new(&[0.5, 1.0]));
        one.observe(Duration::from_millis(250));
        other.observe(Duration::from_millis(750));
        other.observe(Duration::from_secs(2));
        let mut out = Exposition::default();
        out.counter("a_total", "Things.", &[(&[("kind", "a \"b\" \\ \n")], 3), (&[("kind", "c"), ("more", "d")], 4)]);
        out.gauge("b_ratio", "Share.", &[(&[], 0.5)]);
        out.histogram("c_seconds", "Time.", &[(&[("kind", "x")], &[&one, &other])]);
        let expected = r#"# HELP a_total Things.
# TYPE a_total counter
a_total{kind="a \"b\" \\ \n"} 3
a_total{kind="c",more="d"} 4
# HELP b_ratio Share.
# TYPE b_ratio gauge
b_ratio 0.5
# HELP c_seconds Time.
# TYPE c_seconds histogram
c_seconds_bucket{kind="x",le="0.5"} 1
c_seconds_bucket{kind="x",le="1"} 2
c_seconds_bucket{kind="x",le="+Inf"} 3
c_seconds_sum{kind="x"} 3
c_seconds_count{kind="x"} 3
"#;
        assert_eq!(out.into_text(), expected);
    }
}
