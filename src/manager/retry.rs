//! When a failed call is made again: exponential backoff with full jitter, and what Rancher asks for.

use std::time::Duration;

/// The delay before attempt `attempt` (counted from 1) is repeated; `asked` is Rancher's `Retry-After`.
pub(super) fn delay(attempt: u32, asked: Option<Duration>, random: &mut fastrand::Rng) -> Duration {
    let bound = FIRST_BOUND.saturating_mul(1 << attempt.saturating_sub(1).min(MAX_DOUBLINGS)).min(LAST_BOUND);
    asked.map_or(Duration::ZERO, |asked| asked.min(LONGEST_ASKED)) + bound.mul_f64(random.f64())
}

/// The bound of the first delay.
const FIRST_BOUND: Duration = Duration::from_secs(1);
/// A Rancher that has been down for long is asked twice a minute on average.
const LAST_BOUND: Duration = Duration::from_secs(60);
/// A server that asks for more would stop the fleet for good.
const LONGEST_ASKED: Duration = Duration::from_secs(300);
/// Keeps the shift within its type.
const MAX_DOUBLINGS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_and_rancher_is_heard() {
        let mut random = fastrand::Rng::with_seed(1);
        for (attempt, bound_secs) in [(1, 1), (2, 2), (6, 32), (7, 60), (100, 60)] {
            for _ in 0..100 {
                assert!(delay(attempt, None, &mut random) <= Duration::from_secs(bound_secs));
                assert!(delay(attempt, Some(Duration::from_secs(7)), &mut random) >= Duration::from_secs(7));
            }
        }
    }
}
