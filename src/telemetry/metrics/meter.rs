//! Counters, gauges and histograms that many threads may read while one writes.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Counts what happened; only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// How many there are now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

/// How long things took: counts by upper bound in seconds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one beyond the last; not cumulative.
    counts: Box<[Counter]>,
    sum_micros: Counter,
}

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    /// So many more, or fewer.
    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    /// So many from now on.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// How many now.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Histogram {
    /// An empty one with these upper bounds in seconds, rising.
    pub fn new(bounds: &'static [f64]) -> Histogram {
        let counts = (0..=bounds.len()).map(|_| Counter::default()).collect();
        Histogram { bounds, counts, sum_micros: Counter::default() }
    }

    /// Counts one that took so long.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[bucket].increment();
        self.sum_micros.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// The bounds.
    pub fn bounds(&self) -> &'static [f64] {
        self.bounds
    }

    /// How many fell up to each bound and not below the one before, and at last beyond all; then the sum in seconds.
    pub fn read(&self) -> (Vec<u64>, f64) {
        (self.counts.iter().map(Counter::get).collect(), self.sum_micros.get() as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::new(&[0.001, 0.01]);
        for micros in [0, 1_000, 1_001, 10_000, 10_001, 5_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        assert_eq!(histogram.read(), (vec![2, 2, 2], 5.022_002));
    }
}
