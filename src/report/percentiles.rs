//! Percentiles of a set of durations.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a set of durations is distributed, in seconds with an error below 0.1 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many durations there were.
    pub count: u64,
    /// Half of them were at most this long.
    pub p50_seconds: f64,
    /// 95 % of them were at most this long.
    pub p95_seconds: f64,
    /// 99 % of them were at most this long.
    pub p99_seconds: f64,
    /// The longest.
    pub max_seconds: f64,
}

impl Percentiles {
    /// The distribution of `durations`; `None` when there are none.
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Option<Percentiles> {
        let mut histogram = Histogram::<u64>::new_with_max(LONGEST_MICROSECONDS, SIGNIFICANT_DIGITS)
            .expect("3 digits lie within the 0 to 5 that are allowed, the maximum above 2");
        for duration in durations {
            histogram.saturating_record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        }
        let seconds = |microseconds: u64| microseconds as f64 / 1e6;
        (!histogram.is_empty()).then(|| Percentiles {
            count: histogram.len(),
            p50_seconds: seconds(histogram.value_at_quantile(0.50)),
            p95_seconds: seconds(histogram.value_at_quantile(0.95)),
            p99_seconds: seconds(histogram.value_at_quantile(0.99)),
            max_seconds: seconds(histogram.max()),
        })
    }
}

/// A day; anything longer counts as a day.
const LONGEST_MICROSECONDS: u64 = 24 * 60 * 60 * 1_000_000;
/// An error below 0.1 %: finer than what two runs differ by.
const SIGNIFICANT_DIGITS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_to_a_hundred_milliseconds() {
        let percentiles = Percentiles::of((1..=100).map(Duration::from_millis)).unwrap();
        assert_eq!(percentiles.count, 100);
        for (got, want) in [
            (percentiles.p50_seconds, 0.050),
            (percentiles.p95_seconds, 0.095),
            (percentiles.p99_seconds, 0.099),
            (percentiles.max_seconds, 0.100),
        ] {
            assert!((got - want).abs() <= want * 0.001, "{got} is not {want}");
        }
    }

    #[test]
    fn of_nothing() {
        assert_eq!(Percentiles::of([]), None);
    }
}
