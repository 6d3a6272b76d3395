//! Exponential backoff with full jitter: each delay is uniform between nothing and a bound that doubles.
//!
//! Thousands of clusters lose their tunnels in the same moment; anything less random brings them back in one wave.

use std::time::{Duration, Instant};

/// The reconnect delays of one tunnel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Backoff {
    failures: u32,
    up_since: Option<Instant>,
}

/// The bounds of every [`Backoff`].
#[derive(Debug, Clone, Copy)]
pub struct BackoffLimits {
    /// The bound of the first delay.
    pub min: Duration,
    /// No bound grows beyond this; a tunnel that stayed up for as long counts as stable.
    pub max: Duration,
}

impl Backoff {
    /// The tunnel is up.
    pub fn up(&mut self, now: Instant) {
        self.up_since = Some(now);
    }

    /// The tunnel failed or was lost: how long to wait before the next try.
    pub fn next_delay(&mut self, limits: BackoffLimits, now: Instant, random: &mut fastrand::Rng) -> Duration {
        let was_stable = self.up_since.take().is_some_and(|since| now.duration_since(since) >= limits.max);
        if was_stable {
            self.failures = 0;
        }
        let bound = limits.min.saturating_mul(1 << self.failures.min(MAX_DOUBLINGS)).min(limits.max);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(random.f64())
    }
}

/// Keeps the shift within its type; any sensible limit is reached long before.
const MAX_DOUBLINGS: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BackoffLimits = BackoffLimits { min: Duration::from_secs(1), max: Duration::from_secs(30) };

    fn largest_of(failures: u32, tries: u64) -> Duration {
        let now = Instant::now();
        (0..tries)
            .map(|seed| {
                let mut backoff = Backoff { failures, up_since: None };
                backoff.next_delay(LIMITS, now, &mut fastrand::Rng::with_seed(seed))
            })
            .max()
            .unwrap()
    }

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        for (failures, bound_secs) in [(0, 1.0), (1, 2.0), (2, 4.0), (4, 16.0), (5, 30.0), (40, 30.0)] {
            let largest = largest_of(failures, 400).as_secs_f64();
            assert!(largest <= bound_secs && largest > bound_secs * 0.95, "{failures} failures: {largest} s");
        }
    }

    #[test]
    fn jitter_is_full() {
        let now = Instant::now();
        let smallest = (0..400)
            .map(|seed| Backoff::default().next_delay(LIMITS, now, &mut fastrand::Rng::with_seed(seed)))
            .min()
            .unwrap();
        assert!(smallest < Duration::from_millis(50), "{smallest:?}");
    }

    #[test]
    fn only_a_stable_period_resets() {
        let start = Instant::now();
        let mut random = fastrand::Rng::with_seed(7);
        let mut backoff = Backoff { failures: 5, up_since: None };
        backoff.up(start);
        backoff.next_delay(LIMITS, start + Duration::from_secs(2), &mut random);
        assert_eq!(backoff.failures, 6);
        backoff.up(start);
        backoff.next_delay(LIMITS, start + Duration::from_secs(30), &mut random);
        assert_eq!(backoff.failures, 1);
    }
}
