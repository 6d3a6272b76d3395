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
}

impl Clock {
    /// Reads the clocks.
    pub(super) fn read() -> Clock {
        let wall = Timestamp::now();
        Clock { now: Instant::now(), wall, http_date: http_date(wall) }
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

    /// The monotonic time of a wall-clock time; now, if it has passed.
    pub(super) fn instant_of(&self, at: Timestamp) -> Instant {
        self.now + Duration::try_from(at.duration_since(self.wall)).unwrap_or_default()
    }
}

fn http_date(wall: Timestamp) -> String {
    // The printer refuses years beyond 9999 only.
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&wall).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
