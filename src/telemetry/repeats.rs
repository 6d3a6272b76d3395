//! Lines that one place in the program writes again and again: a few are shown, the rest is counted.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A place in the program that logs.
pub(super) type Site = (&'static str, u32);

/// What each place wrote lately.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<Site, Burst>);

#[derive(Debug)]
struct Burst {
    since: Instant,
    shown: u32,
    /// The latest that was not shown, and how many there were.
    held: Option<(Vec<u8>, u64)>,
}

impl Repeats {
    /// A line of a place; comes back if it is to be shown.
    pub(super) fn take(&mut self, site: Site, line: Vec<u8>, now: Instant) -> Option<Vec<u8>> {
        let burst = self.0.entry(site).or_insert(Burst { since: now, shown: 0, held: None });
        if burst.shown < SHOWN_PER_WINDOW {
            burst.shown += 1;
            return Some(line);
        }
        let count = burst.held.as_ref().map_or(0, |(_, count)| *count);
        burst.held = Some((line, count + 1));
        None
    }

    /// The last line that was not shown of each place whose time is over, and how many there were with it.
    pub(super) fn over(&mut self, now: Instant) -> Vec<(Vec<u8>, u64)> {
        let is_over = |burst: &Burst| now.saturating_duration_since(burst.since) >= WINDOW;
        let over: Vec<Site> = self.0.iter().filter(|(_, burst)| is_over(burst)).map(|(site, _)| *site).collect();
        over.into_iter().filter_map(|site| self.0.remove(&site)?.held).collect()
    }

    /// All of them, whether their time is over or not.
    pub(super) fn all(&mut self) -> Vec<(Vec<u8>, u64)> {
        self.0.drain().filter_map(|(_, burst)| burst.held).collect()
    }

    /// Whether anything waits for its time.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Enough to see what it is about.
const SHOWN_PER_WINDOW: u32 = 20;
/// How long a place is watched from its first line.
const WINDOW: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_repeats_itself_is_cut_short_and_counted() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        let mut shown = 0;
        for number in 0..100_u8 {
            shown += usize::from(repeats.take(("a.rs", 1), vec![number], start).is_some());
        }
        assert_eq!(shown, 20);
        assert!(repeats.take(("a.rs", 2), vec![0], start).is_some(), "another place is another matter");
        assert!(repeats.over(start + WINDOW / 2).is_empty());
        assert_eq!(repeats.over(start + WINDOW), [(vec![99], 80)]);
        assert!(repeats.is_empty() && repeats.take(("a.rs", 1), vec![0], start + WINDOW).is_some());
    }
}
