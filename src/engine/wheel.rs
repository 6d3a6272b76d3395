//! A hierarchical timing wheel: thousands of coarse timers at constant cost each.
//!
//! Four levels of 64 slots, one tick at the lowest; an entry is placed by how far away it is and moves down a level when its
//! slot comes up (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987). There is no cancellation: whoever sets
//! a timer compares the deadline it is handed back with the one it still wants.

use std::time::{Duration, Instant};

/// Timers that hand back a value of type `T` when their deadline has passed.
#[derive(Debug)]
pub struct TimerWheel<T> {
    start: Instant,
    /// How long a tick is.
    resolution: Duration,
    /// The next tick to be processed; every entry is due at this tick or later.
    tick: u64,
    levels: [Level<T>; LEVELS],
    len: usize,
}

#[derive(Debug)]
struct Level<T> {
    slots: Vec<Vec<Entry<T>>>,
    /// Bit `s` is set exactly if slot `s` holds an entry.
    occupied: u64,
}

#[derive(Debug)]
struct Entry<T> {
    due: u64,
    deadline: Instant,
    value: T,
}

impl<T> TimerWheel<T> {
    /// An empty wheel whose time begins at `now` and goes by in ticks of `resolution`.
    pub fn new(now: Instant, resolution: Duration) -> TimerWheel<T> {
        let level = || Level { slots: std::iter::repeat_with(Vec::new).take(SLOTS).collect(), occupied: 0 };
        TimerWheel { start: now, resolution, tick: 0, levels: [level(), level(), level(), level()], len: 0 }
    }

    /// How many timers are set.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets a timer. It fires at the first [`advance`](Self::advance) at or after `deadline`, at most one tick late.
    pub fn insert(&mut self, deadline: Instant, value: T) {
        let due = self.tick_at_or_after(deadline).max(self.tick);
        self.len += 1;
        self.place(Entry { due, deadline, value });
    }

    /// Moves time on to `now` and appends every timer that fired to `fired`, earliest tick first.
    pub fn advance(&mut self, now: Instant, fired: &mut Vec<(Instant, T)>) {
        let last = self.ticks_until(now);
        while let Some(tick) = self.next_occupied_tick().filter(|&tick| tick <= last) {
            self.tick = tick;
            for level in (1..LEVELS).rev() {
                if is_slot_start(tick, level) {
                    self.take(level).into_iter().for_each(|entry| self.place(entry));
                }
            }
            let slot = self.take(0);
            self.len -= slot.len();
            fired.extend(slot.into_iter().map(|entry| (entry.deadline, entry.value)));
            self.tick += 1;
        }
        self.tick = self.tick.max(last + 1);
    }

    /// When [`advance`](Self::advance) has work next; `None` if no timer is set. For a timer more than 64 ticks away this may
    /// be early, never late.
    pub fn next_due(&self) -> Option<Instant> {
        let tick = self.next_occupied_tick()?;
        Some(self.start + Duration::from_nanos(tick.saturating_mul(self.resolution.as_nanos() as u64)))
    }

    /// The first tick, from the current one on, at which an occupied slot of any level comes up.
    fn next_occupied_tick(&self) -> Option<u64> {
        (0..LEVELS)
            .filter(|&level| self.levels[level].occupied != 0)
            .map(|level| {
                let shift = LEVEL_BITS * level as u32;
                // A slot that has begun was emptied when it did: what stands in it now is a whole turn away.
                let first = if is_slot_start(self.tick, level) { self.tick >> shift } else { (self.tick >> shift) + 1 };
                let ahead = self.levels[level].occupied.rotate_right((first & SLOT_MASK) as u32).trailing_zeros();
                (first + u64::from(ahead)) << shift
            })
            .min()
    }

    fn take(&mut self, level: usize) -> Vec<Entry<T>> {
        let slot = slot_of(self.tick, level);
        self.levels[level].occupied &= !(1 << slot);
        std::mem::take(&mut self.levels[level].slots[slot])
    }

    fn place(&mut self, entry: Entry<T>) {
        let distance = entry.due - self.tick;
        let level = (0..LEVELS).find(|&level| distance < span_of(level)).unwrap_or(LEVELS - 1);
        // Beyond the top level's span the entry waits in its farthest slot and is placed again from there.
        let due = entry.due.min(self.tick + span_of(LEVELS - 1) - 1);
        let slot = slot_of(due, level);
        self.levels[level].occupied |= 1 << slot;
        self.levels[level].slots[slot].push(entry);
    }

    fn ticks_until(&self, at: Instant) -> u64 {
        (at.saturating_duration_since(self.start).as_nanos() / self.resolution.as_nanos()) as u64
    }

    fn tick_at_or_after(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.start).as_nanos().div_ceil(self.resolution.as_nanos()) as u64
    }
}

fn slot_of(tick: u64, level: usize) -> usize {
    ((tick >> (LEVEL_BITS * level as u32)) & SLOT_MASK) as usize
}

fn is_slot_start(tick: u64, level: usize) -> bool {
    tick & ((1 << (LEVEL_BITS * level as u32)) - 1) == 0
}

fn span_of(level: usize) -> u64 {
    1 << (LEVEL_BITS * (level as u32 + 1))
}

const LEVELS: usize = 4;
const LEVEL_BITS: u32 = 6;
const SLOTS: usize = 1 << LEVEL_BITS;
const SLOT_MASK: u64 = SLOTS as u64 - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TICK: Duration = Duration::from_millis(10);

    fn fired_by<T>(wheel: &mut TimerWheel<T>, now: Instant) -> Vec<T> {
        let mut fired = Vec::new();
        wheel.advance(now, &mut fired);
        fired.into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn fires_at_its_deadline_and_not_before() {
        let start = Instant::now();
        let mut wheel = TimerWheel::new(start, TICK);
        wheel.insert(start + Duration::from_secs(30), "report");
        assert!(fired_by(&mut wheel, start + Duration::from_millis(29_990)).is_empty());
        assert_eq!(fired_by(&mut wheel, start + Duration::from_secs(30)), ["report"]);
        assert!(wheel.is_empty());
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_the_next_advance() {
        let start = Instant::now();
        let mut wheel = TimerWheel::new(start, TICK);
        assert!(fired_by(&mut wheel, start + Duration::from_secs(5)).is_empty());
        wheel.insert(start, "late");
        assert_eq!(fired_by(&mut wheel, start + Duration::from_millis(5_010)), ["late"]);
    }

    #[test]
    fn next_due_never_sleeps_past_a_timer() {
        let start = Instant::now();
        let mut wheel = TimerWheel::new(start, TICK);
        assert_eq!(wheel.next_due(), None);
        wheel.insert(start + Duration::from_millis(200), ());
        assert_eq!(wheel.next_due(), Some(start + Duration::from_millis(200)));
        wheel.insert(start + Duration::from_hours(60), ());
        assert_eq!(wheel.next_due(), Some(start + Duration::from_millis(200)));
    }

    #[test]
    fn a_year_of_milliseconds_is_no_limit() {
        let start = Instant::now();
        let mut wheel = TimerWheel::new(start, Duration::from_millis(1));
        let year = Duration::from_hours(24 * 365);
        assert!(fired_by(&mut wheel, start + year).is_empty());
        wheel.insert(start + year + Duration::from_millis(5), ());
        assert_eq!(wheel.next_due(), Some(start + year + Duration::from_millis(5)));
    }

    proptest! {
        /// Against the obvious model: a list searched at every step.
        #[test]
        fn fires_what_a_plain_list_would(
            timers in prop::collection::vec((0u64..400_000_000, 0u64..1_000), 1..60),
            steps in prop::collection::vec(0u64..30_000_000, 1..40),
        ) {
            let start = Instant::now();
            let mut wheel = TimerWheel::new(start, TICK);
            let mut model: Vec<(u64, u64)> = Vec::new();
            let mut now_ms = 0;
            let mut pending = timers.into_iter();
            for step_ms in steps {
                if let Some((delay_ms, id)) = pending.next() {
                    wheel.insert(start + Duration::from_millis(now_ms + delay_ms), id);
                    model.push((now_ms + delay_ms, id));
                }
                now_ms += step_ms;
                let mut got = fired_by(&mut wheel, start + Duration::from_millis(now_ms));
                // A timer may be one 10 ms tick late: those due within the last tick are allowed to stay.
                let mut must: Vec<u64> = Vec::new();
                model.retain(|&(due_ms, id)| {
                    let fires = due_ms.div_ceil(10) * 10 <= now_ms;
                    if fires { must.push(id); }
                    !fires
                });
                got.sort_unstable();
                must.sort_unstable();
                prop_assert_eq!(got, must);
                prop_assert_eq!(wheel.len(), model.len());
            }
        }
    }
}
