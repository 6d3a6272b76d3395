//! What has to hold: `time_to_active:p(95)<120s`, in the words of k6.

use super::metric::{METRICS, Metric, MetricKind};
use super::{Misread, Tally};
use crate::config::parse_duration;
use crate::yaml::nearest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A condition on a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The metric.
    pub metric: &'static Metric,
    /// What is asked of it, and how the answer has to compare: `p(95)<120s`.
    pub condition: String,
    aggregation: Aggregation,
    comparison: Comparison,
    limit: f64,
}

/// What became of a condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The metric's name.
    pub metric: String,
    /// The condition, as it was written.
    pub condition: String,
    /// Whether it holds; `None` while there is nothing to go by.
    pub ok: Option<bool>,
    /// What was compared: seconds, a share, or a number.
    pub value: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Aggregation {
    Mean,
    Min,
    Max,
    Quantile(f64),
    Rate,
    Count,
    Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

impl Threshold {
    /// Reads `METRIC:AGGREGATION OPERATOR VALUE`.
    pub fn parse(text: &str) -> Result<Threshold, Misread> {
        let misread = |part, problem: String| Misread::new(text, part, problem);
        let (name, condition) = text.split_once(':').ok_or_else(|| {
            misread(&text[text.len()..], "a condition is missing: write for example time_to_active:p(95)<120s".into())
        })?;
        let metric = Metric::by_name(name.trim()).ok_or_else(|| misread(name, unknown(name.trim())))?;
        let at = condition.find(['<', '>', '=', '!']).ok_or_else(|| {
            misread(&condition[condition.len()..], "a comparison is missing: one of <, <=, >, >=, == and !=".into())
        })?;
        let (asked, rest) = condition.split_at(at);
        let value = rest.trim_start_matches(['<', '>', '=', '!']);
        let operator = &rest[..rest.len() - value.len()];
        let aggregation = aggregation(metric.kind, asked.trim()).ok_or_else(|| {
            misread(asked, format!("a {} is asked for its {}", metric.kind.as_str(), metric.kind.aggregations()))
        })?;
        let comparison = Comparison::parse(operator)
            .ok_or_else(|| misread(operator, "not a comparison: one of <, <=, >, >=, == and !=".into()))?;
        let limit = limit(metric.kind, aggregation, value.trim()).map_err(|problem| misread(value, problem))?;
        Ok(Threshold { metric, condition: condition.trim().to_owned(), aggregation, comparison, limit })
    }

    /// Whether it holds for these figures.
    pub fn judge(&self, tally: &Tally) -> Verdict {
        let value = self.value(tally);
        Verdict {
            metric: self.metric.name.to_owned(),
            condition: self.condition.clone(),
            ok: value.map(|value| self.comparison.holds(value, self.limit)),
            value,
        }
    }

    fn value(&self, tally: &Tally) -> Option<f64> {
        let source = self.metric.source;
        match self.aggregation {
            Aggregation::Mean => tally.trend(source)?.mean(),
            Aggregation::Min => tally.trend(source)?.min(),
            Aggregation::Max if self.metric.kind == MetricKind::Trend => tally.trend(source)?.max(),
            Aggregation::Quantile(share) => tally.trend(source)?.quantile(share),
            Aggregation::Rate if self.metric.kind == MetricKind::Rate => {
                let (part, whole) = tally.share(source)?;
                (whole > 0).then(|| part as f64 / whole as f64)
            }
            Aggregation::Rate => Some(tally.number(source)?.0 as f64 / tally.elapsed_seconds.max(f64::EPSILON)),
            Aggregation::Max => Some(tally.number(source)?.1 as f64),
            Aggregation::Count | Aggregation::Value => Some(tally.number(source)?.0 as f64),
        }
    }
}

/// As it was written.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.metric.name, self.condition)
    }
}

impl Comparison {
    fn parse(text: &str) -> Option<Comparison> {
        Some(match text {
            "<" => Comparison::Less,
            "<=" => Comparison::AtMost,
            ">" => Comparison::More,
            ">=" => Comparison::AtLeast,
            "==" | "===" => Comparison::Equal,
            "!=" => Comparison::Unequal,
            _ => return None,
        })
    }

    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Comparison::Less => value < limit,
            Comparison::AtMost => value <= limit,
            Comparison::More => value > limit,
            Comparison::AtLeast => value >= limit,
            Comparison::Equal => value == limit,
            Comparison::Unequal => value != limit,
        }
    }
}

fn aggregation(kind: MetricKind, text: &str) -> Option<Aggregation> {
    let percent = |text: &str| text.strip_prefix("p(")?.strip_suffix(')')?.trim().parse::<f64>().ok();
    Some(match (kind, text) {
        (MetricKind::Trend, "avg") => Aggregation::Mean,
        (MetricKind::Trend, "min") => Aggregation::Min,
        (MetricKind::Trend, "med") => Aggregation::Quantile(0.5),
        (MetricKind::Trend | MetricKind::Gauge, "max") => Aggregation::Max,
        (MetricKind::Trend, text) => {
            Aggregation::Quantile(percent(text).filter(|percent| (0.0..=100.0).contains(percent))? / 100.0)
        }
        (MetricKind::Rate | MetricKind::Counter, "rate") => Aggregation::Rate,
        (MetricKind::Counter, "count") => Aggregation::Count,
        (MetricKind::Gauge, "value") => Aggregation::Value,
        _ => return None,
    })
}

fn limit(kind: MetricKind, aggregation: Aggregation, text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    match kind {
        _ if text.is_empty() => Err("a value is missing".into()),
        MetricKind::Trend => match parse_duration(text) {
            Ok(duration) => Ok(duration.as_secs_f64()),
            Err(problem) => Err(format!("{problem}; write for example 120s or 500ms")),
        },
        MetricKind::Rate => {
            let share = text.strip_suffix('%').map_or_else(|| number(text), |text| Some(number(text)? / 100.0));
            share.filter(|share| (0.0..=1.0).contains(share)).ok_or("not a share; write 1% or 0.01".into())
        }
        MetricKind::Counter if aggregation == Aggregation::Rate => {
            number(text.strip_suffix("/s").unwrap_or(text)).ok_or("not a number a second".into())
        }
        MetricKind::Counter | MetricKind::Gauge => number(text).ok_or("not a number".into()),
    }
}

fn unknown(name: &str) -> String {
    let names = || METRICS.iter().map(|metric| metric.name);
    let hint = nearest(name, names()).map(|near| format!("did you mean {near}? There are "));
    let hint = hint.unwrap_or_else(|| "there are ".to_owned());
    format!("there is no metric {name:?}; {hint}{}", names().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::{Fate, Milestone, Sample};
    use super::*;

    /// Ten clusters, Active after 10 s, 20 s … 90 s; the last one failed.
    fn tally() -> Tally {
        let mut tally = Tally { elapsed_seconds: 100.0, behind: 3, behind_max: 7, ..Tally::default() };
        for number in 1..=10 {
            let mut seconds = [None; Milestone::ALL.len()];
            seconds[Milestone::Active as usize] = (number < 10).then_some(f64::from(number) * 10.0);
            let fate = if number < 10 { Fate::Active } else { Fate::Failed };
            tally.add(&Sample { fate, is_active: number < 9, seconds, disconnects: 2 });
        }
        tally
    }

    #[test]
    fn conditions_are_judged_by_what_was_measured() {
        let tally = tally();
        for (text, ok) in [
            ("time_to_active:p(95)<90.5s", true),
            ("time_to_active:p(95)<89s", false),
            ("time_to_active: med <= 51s", true),
            ("time_to_active:avg>49s", true),
            ("time_to_active:max<1m31s", true),
            ("failed:rate<=10%", true),
            ("failed:rate<10%", false),
            ("failed:rate==0", false),
            ("active:rate>=0.8", true),
            ("disconnects:count<21", true),
            ("disconnects:rate<0.2/s", false),
            ("disconnects:rate<=0.2", true),
            ("behind:value==3", true),
            ("behind:max!=7", false),
        ] {
            assert_eq!(Threshold::parse(text).unwrap().judge(&tally).ok, Some(ok), "{text}");
        }
    }

    #[test]
    fn without_anything_measured_there_is_no_verdict() {
        for text in ["time_to_active:p(95)<1s", "failed:rate<1%", "rancher_request_duration:max<1s"] {
            let verdict = Threshold::parse(text).unwrap().judge(&Tally::default());
            assert_eq!((verdict.ok, verdict.value), (None, None), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at_and_what_there_is_is_named() {
        for (text, mark) in [
            (
                "time_to_actve:p(95)<120s",
                "^^^^^^^^^^^^^ there is no metric \"time_to_actve\"; did you mean time_to_active? There are time_to_started, ",
            ),
            ("latency:p(95)<1s", "^^^^^^^ there is no metric \"latency\"; there are "),
            ("time_to_active", "              ^ a condition is missing"),
            ("time_to_active:p(95)", "                    ^ a comparison is missing"),
            ("time_to_active:p95<1s", "               ^^^ a trend is asked for its avg, min, med, max or p(N)"),
            ("time_to_active:p(101)<1s", "               ^^^^^^ a trend"),
            ("time_to_active:p(95)<120", "                     ^^^ 120 has no unit"),
            ("time_to_active:p(95)=<1s", "                    ^^ not a comparison"),
            ("failed:rate<1 %x", "            ^^^^ not a share"),
            ("failed:rate<", "            ^ a value is missing"),
            ("failed:count<1", "       ^^^^^ a rate is asked for its rate"),
            ("behind:max<many", "           ^^^^ not a number"),
        ] {
            let shown = Threshold::parse(text).unwrap_err().pointed();
            let line = shown.lines().last().unwrap().strip_prefix("  ").unwrap();
            assert!(line.starts_with(mark), "{shown}");
        }
    }
}
