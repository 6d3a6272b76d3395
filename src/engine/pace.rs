//! How many bytes a slow connection carries: a token bucket for each direction.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// The pace of one connection.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    readable: f64,
    writable: f64,
    refilled: Instant,
    /// Something was held back since the last refill.
    held_back: bool,
}

impl Pace {
    /// A connection that may carry nothing yet.
    pub(super) fn new(bytes_per_second: u64, now: Instant) -> Pace {
        Pace { bytes_per_second, readable: 0.0, writable: 0.0, refilled: now, held_back: true }
    }

    /// Time has passed.
    pub(super) fn refill(&mut self, now: Instant) {
        let rate = self.bytes_per_second as f64;
        let more = now.saturating_duration_since(self.refilled).as_secs_f64() * rate;
        let most = (rate * BURST.as_secs_f64()).max(1.0);
        self.readable = (self.readable + more).min(most);
        self.writable = (self.writable + more).min(most);
        self.refilled = now;
        self.held_back = false;
    }

    /// When what was held back may go on; `None` if nothing was.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let one_byte = Duration::from_secs_f64(1.0 / self.bytes_per_second as f64);
        self.held_back.then(|| self.refilled + one_byte.max(PATIENCE))
    }

    /// Reads what may be read; as from a socket that has nothing beyond that.
    pub(super) fn read(&mut self, source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = buffer.len().min(self.readable as usize);
        if allowed == 0 {
            self.held_back = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = source.read(&mut buffer[..allowed])?;
        self.readable -= read as f64;
        Ok(read)
    }

    /// How many of `wanted` bytes may be written.
    pub(super) fn may_write(&mut self, wanted: usize) -> usize {
        let allowed = wanted.min(self.writable as usize);
        self.held_back |= allowed < wanted;
        allowed
    }

    /// So many bytes were written.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.writable -= bytes as f64;
    }
}

/// What an idle connection may carry at once: enough not to wake for single bytes, too little to be noticed.
const BURST: Duration = Duration::from_millis(250);
/// How long bytes are collected before the connection goes on.
const PATIENCE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_carries_what_it_may() {
        let start = Instant::now();
        let mut pace = Pace::new(1_000, start);
        let (mut source, mut got) = ([7; 5_000].as_slice(), 0);
        for step in 1..=20 {
            pace.refill(start + Duration::from_millis(50 * step));
            let mut buffer = [0; 4_096];
            while let Ok(read) = pace.read(&mut source, &mut buffer) {
                got += read;
            }
            assert!(pace.next_due().is_some());
        }
        assert!((990..=1_000).contains(&got), "{got} bytes");
    }

    #[test]
    fn rest_saves_up_a_burst_and_no_more() {
        let start = Instant::now();
        let mut pace = Pace::new(1_000, start);
        pace.refill(start + Duration::from_secs(60));
        assert_eq!(pace.next_due(), None);
        assert_eq!(pace.may_write(100_000), 250);
        pace.wrote(250);
        assert_eq!(pace.may_write(1), 0);
        assert_eq!(pace.next_due(), Some(start + Duration::from_secs(60) + PATIENCE));
    }
}
