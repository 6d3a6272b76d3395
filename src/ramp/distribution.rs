//! How a set of times is distributed.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Times, as a histogram with an error below 0.1 %. Serialises to its buckets, so that two runs can be added up later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Buckets", into = "Buckets")]
pub struct Distribution {
    microseconds: Histogram<u64>,
}

/// The buckets that hold anything, as the longest time in each in microseconds and how many there are.
#[derive(Serialize, Deserialize)]
struct Buckets(Vec<(u64, u64)>);

impl Distribution {
    /// Adds a time in seconds; more than a week counts as a week.
    pub fn record(&mut self, seconds: f64) {
        let microseconds = ((seconds.max(0.0) * 1e6).round() as u64).min(LONGEST_US);
        // It grows as it needs to.
        let _ = self.microseconds.record(microseconds);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.microseconds.len()
    }

    /// The time in seconds that a share of them (0 to 1) does not exceed; `None` without any.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        self.of_some(|times| times.value_at_quantile(share) as f64)
    }

    /// The shortest.
    pub fn min(&self) -> Option<f64> {
        self.of_some(|times| times.min() as f64)
    }

    /// The longest.
    pub fn max(&self) -> Option<f64> {
        self.of_some(|times| times.max() as f64)
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> Option<f64> {
        self.of_some(Histogram::mean)
    }

    /// Adds those of another.
    pub fn add(&mut self, other: &Distribution) {
        // Both grow as they need to.
        let _ = self.microseconds.add(&other.microseconds);
    }

    fn of_some(&self, figure: impl Fn(&Histogram<u64>) -> f64) -> Option<f64> {
        (!self.microseconds.is_empty()).then(|| figure(&self.microseconds) / 1e6)
    }
}

impl Default for Distribution {
    fn default() -> Distribution {
        let microseconds = Histogram::new(SIGNIFICANT_DIGITS).expect("3 digits lie within the 0 to 5 that are allowed");
        Distribution { microseconds }
    }
}

impl From<Buckets> for Distribution {
    fn from(Buckets(buckets): Buckets) -> Distribution {
        let mut distribution = Distribution::default();
        for (microseconds, count) in buckets {
            let _ = distribution.microseconds.record_n(microseconds.min(LONGEST_US), count);
        }
        distribution
    }
}

impl From<Distribution> for Buckets {
    fn from(distribution: Distribution) -> Buckets {
        let recorded = distribution.microseconds.iter_recorded();
        Buckets(recorded.map(|step| (step.value_iterated_to(), step.count_at_value())).collect())
    }
}

impl FromIterator<f64> for Distribution {
    fn from_iter<I: IntoIterator<Item = f64>>(seconds: I) -> Distribution {
        let mut distribution = Distribution::default();
        seconds.into_iter().for_each(|seconds| distribution.record(seconds));
        distribution
    }
}

const LONGEST_US: u64 = 7 * 24 * 3600 * 1_000_000;
/// Finer than what two runs differ by.
const SIGNIFICANT_DIGITS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_to_a_hundred_milliseconds() {
        let times: Distribution = (1..=100).map(|milliseconds| f64::from(milliseconds) / 1e3).collect();
        assert_eq!(times.count(), 100);
        for (got, want) in [
            (times.min(), 0.001),
            (times.quantile(0.50), 0.050),
            (times.quantile(0.95), 0.095),
            (times.quantile(0.999), 0.100),
            (times.max(), 0.100),
            (times.mean(), 0.0505),
        ] {
            let got = got.unwrap();
            assert!((got - want).abs() <= want * 0.001, "{got} is not {want}");
        }
        assert_eq!(Distribution::default().quantile(0.5), None);
    }

    #[test]
    fn two_halves_from_json_add_up_to_the_whole() {
        let whole: Distribution = (1..=1_000).map(|second| f64::from(second) / 10.0).collect();
        let half = |from: i32| (from..from + 500).map(|second| f64::from(second) / 10.0).collect::<Distribution>();
        let mut sum = Distribution::default();
        for part in [half(501), half(1)] {
            sum.add(&serde_json::from_str(&serde_json::to_string(&part).unwrap()).unwrap());
        }
        for share in [0.0, 0.5, 0.9, 0.99, 1.0] {
            assert_eq!(sum.quantile(share), whole.quantile(share), "{share}");
        }
        assert_eq!(sum.count(), 1_000);
    }

    #[test]
    fn what_is_out_of_range_is_the_nearest_that_is_in() {
        let times: Distribution = [-1.0, f64::NAN, 1e12].into_iter().collect();
        assert_eq!(times.min(), Some(0.0));
        assert!((times.max().unwrap() - LONGEST_US as f64 / 1e6).abs() < 1_000.0);
    }
}
