//! The time of one turn of a worker's loop: read once, handed to everything below.

use jiff::Timestamp;
use std::time::{Duration, Instant};

/// Both clocks at one moment.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    /// Monotonic: timers.
    pub(super) now: Instant,
    /// Wall clock: what objects and headers show.
    pub(super) wall: Timestamp,
    /// `wall` as an HTTP `Date` (RFC 9110 §5.6.7).
    pub(super) http_date: String,
    /// When it was read first.
    start: Instant,
}

impl Clock {
    /// Reads the clocks.
    pub(super) fn read() -> Clock {
        let (now, wall) = (Instant::now(), Timestamp::now());
        Clock { now, wall, http_date: http_date(wall), start: now }
    }

    /// Reads the clocks again.
    pub(super) fn update(&mut self) {
        let wall = Timestamp::now();
        if wall.as_second() != self.wall.as_second() {
            self.http_date = http_date(wall);
        }
        self.wall = wall;
        self.now = Instant::now();
    }

    /// The first moment from `at` on that lies `phase` (0 to 1) of a `period` behind a whole number of them. What all that has the
    /// same phase does, it does in one turn; phases come in steps, so that a worker of many clusters wakes less often.
    pub(super) fn in_phase(&self, at: Instant, period: Duration, phase: f64) -> Instant {
        let offset = (period.mul_f64(phase).as_nanos() / PHASE_STEP.as_nanos()) * PHASE_STEP.as_nanos();
        let passed = at.saturating_duration_since(self.start).as_nanos().saturating_sub(offset);
        let due = passed.div_ceil(period.as_nanos().max(1)) * period.as_nanos() + offset;
        self.start + Duration::from_nanos(u64::try_from(due).unwrap_or(u64::MAX))
    }

    /// The monotonic time of a wall-clock time; now, if it has passed.
    pub(super) fn instant_of(&self, at: Timestamp) -> Instant {
        self.now + Duration::try_from(at.duration_since(self.wall)).unwrap_or_default()
    }
}

fn http_date(wall: Timestamp) -> String {
    // The printer refuses years beyond 9999 only.
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&wall).unwrap_or_default()
}

/// Two ticks of the timer wheel: the pings of all clusters wake a worker fifty times a second at most.
const PHASE_STEP: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_met_again_and_again_and_never_early() {
        let clock = Clock::read();
        let (after, period) = (|ms: u64| clock.start + Duration::from_millis(ms), Duration::from_secs(5));
        assert_eq!(clock.in_phase(after(0), period, 0.5), after(2_500));
        assert_eq!(clock.in_phase(after(2_500), period, 0.5), after(2_500));
        assert_eq!(clock.in_phase(after(2_501), period, 0.5), after(7_500));
        assert_eq!(clock.in_phase(after(61_000), period, 0.2), after(61_000));
        assert_eq!(clock.in_phase(after(100), period, 0.0), after(5_000));
        assert_eq!(clock.in_phase(after(0), period, 0.505), after(2_520), "phases come in steps of 20 ms");
    }

    #[test]
    fn the_date_of_rfc_9110() {
        assert_eq!(http_date("1994-11-06T08:49:37Z".parse().unwrap()), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_wall_clock_time_keeps_its_distance() {
        let clock = Clock::read();
        let in_a_minute = clock.wall + jiff::SignedDuration::from_secs(60);
        assert_eq!(clock.instant_of(in_a_minute), clock.now + Duration::from_secs(60));
        assert_eq!(clock.instant_of(clock.wall - jiff::SignedDuration::from_secs(60)), clock.now);
    }
}
