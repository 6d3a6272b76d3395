//! How long something took, as a histogram of fixed size.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use std::borrow::Cow;

/// Durations from a microsecond to two minutes in buckets that are at most a quarter wider than what they begin with.
/// Shown as percentiles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "Percentiles")]
pub struct Latency {
    buckets: [u64; BUCKETS],
    sum_us: u64,
    max_us: u64,
}

impl Latency {
    /// Counts a duration in.
    pub fn record(&mut self, us: u64) {
        self.buckets[bucket(us)] += 1;
        self.sum_us += us;
        self.max_us = self.max_us.max(us);
    }

    /// Counts in what another one has counted.
    pub fn merge(&mut self, other: &Latency) {
        for (bucket, count) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += count;
        }
        self.sum_us += other.sum_us;
        self.max_us = self.max_us.max(other.max_us);
    }

    /// What was counted since `earlier`, when this was that; the longest of it is known as well as its bucket.
    pub fn since(&self, earlier: &Latency) -> Latency {
        let mut later = self.clone();
        for (bucket, count) in later.buckets.iter_mut().zip(earlier.buckets) {
            *bucket = bucket.saturating_sub(count);
        }
        later.sum_us = self.sum_us.saturating_sub(earlier.sum_us);
        if self.max_us == earlier.max_us {
            let longest = later.buckets.iter().rposition(|count| *count > 0);
            later.max_us = longest.map_or(0, |bucket| last_us(bucket).min(self.max_us));
        }
        later
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How many of them were at most `us` microseconds long, up to a bucket's width.
    pub fn count_up_to(&self, us: u64) -> u64 {
        self.buckets[..=bucket(us)].iter().sum()
    }

    /// Their sum in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The longest in microseconds.
    pub fn max_us(&self) -> u64 {
        self.max_us
    }

    /// The duration in microseconds that the share `quantile` (0 to 1) of them did not exceed; 0 without any.
    pub fn quantile_us(&self, quantile: f64) -> u64 {
        let wanted = (self.count() as f64 * quantile).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return last_us(index).min(self.max_us);
            }
        }
        self.max_us
    }
}

impl Default for Latency {
    fn default() -> Latency {
        Latency { buckets: [0; BUCKETS], sum_us: 0, max_us: 0 }
    }
}

/// The usual percentiles in milliseconds.
#[derive(Serialize, JsonSchema)]
struct Percentiles {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl From<Latency> for Percentiles {
    fn from(latency: Latency) -> Percentiles {
        let ms = |us: u64| us as f64 / 1_000.0;
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|quantile| ms(latency.quantile_us(quantile)));
        Percentiles { p50, p90, p99, max: ms(latency.max_us) }
    }
}

impl JsonSchema for Latency {
    fn schema_name() -> Cow<'static, str> {
        "Latency".into()
    }

    fn json_schema(types: &mut SchemaGenerator) -> Schema {
        Percentiles::json_schema(types)
    }
}

/// The bucket of a duration: four to each power of two.
fn bucket(us: u64) -> usize {
    if us < 4 {
        return us as usize;
    }
    let exponent = us.ilog2() as usize;
    let quarter = (us >> (exponent - 2)) as usize & 3;
    ((exponent - 1) * 4 + quarter).min(BUCKETS - 1)
}

/// The longest duration of a bucket.
fn last_us(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (exponent, quarter) = (bucket / 4 + 1, bucket % 4);
    ((quarter as u64 + 5) << (exponent - 2)) - 1
}

/// Up to 2^27 µs, which is longer than any client waits.
const BUCKETS: usize = 27 * 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_of_known_durations() {
        let mut latency = Latency::default();
        assert_eq!((latency.quantile_us(0.5), latency.count()), (0, 0));
        (1..=100).for_each(|us| latency.record(us * 100));
        assert_eq!((latency.count(), latency.sum_us(), latency.max_us()), (100, 505_000, 10_000));
        for (quantile, exact) in [(0.5, 5_000), (0.9, 9_000), (0.99, 9_900), (1.0, 10_000)] {
            let found = latency.quantile_us(quantile);
            assert!((exact..=exact * 5 / 4).contains(&found), "{quantile}: {found}");
        }
        let shown = serde_json::to_value(&latency).unwrap();
        assert_eq!(shown["max"], 10.0);
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_durations_and_few_others(us in 0..1_u64 << 27) {
            let last = last_us(bucket(us));
            prop_assert!(last >= us && last <= us + us / 4, "{us} in a bucket up to {last}");
            prop_assert_eq!(bucket(last), bucket(us));
            prop_assert!(last + 1 >= 1 << 27 || bucket(last + 1) == bucket(us) + 1);
        }

        #[test]
        fn merging_is_recording_both(one in proptest::collection::vec(0..u64::MAX >> 20, 0..20), other in proptest::collection::vec(0..u64::MAX >> 20, 0..20)) {
            let of = |list: &[u64]| {
                let mut latency = Latency::default();
                list.iter().for_each(|us| latency.record(*us));
                latency
            };
            let mut merged = of(&one);
            merged.merge(&of(&other));
            prop_assert_eq!(merged, of(&[one, other].concat()));
        }

        #[test]
        fn what_came_later_is_told_from_what_was_before(before in proptest::collection::vec(0..1_u64 << 27, 0..20), later in proptest::collection::vec(0..1_u64 << 27, 0..20)) {
            let mut latency = Latency::default();
            before.iter().for_each(|us| latency.record(*us));
            let earlier = latency.clone();
            later.iter().for_each(|us| latency.record(*us));
            let since = latency.since(&earlier);
            let longest = later.iter().copied().max().unwrap_or(0);
            prop_assert_eq!((since.count(), since.sum_us()), (later.len() as u64, later.iter().sum()));
            prop_assert!(bucket(since.max_us()) == bucket(longest) && since.max_us() >= longest, "{} {longest}", since.max_us());
        }
    }
}
