//! Which clusters start now: the schedule under the clock, with its pauses and its limit.

use super::Schedule;
use crate::config::Shard;
use std::time::{Duration, Instant};

/// Hands out the starts of a schedule as they fall due.
///
/// A start that falls due while the limit is reached is not lost and not moved: it is handed out later with the moment at which it
/// was intended, and counts as behind until then. A pause moves everything that is not due yet.
#[derive(Debug)]
pub struct Pace {
    schedule: Schedule,
    /// Which of its starts are this agent's.
    shard: Shard,
    /// How many may be in flight.
    limit: u32,
    /// How many were handed out.
    taken: u32,
    began: Instant,
    /// How long it was paused in all, without the pause that lasts.
    shift: Duration,
    paused: Option<Instant>,
    stopped: bool,
}

/// A cluster that is to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Its position among this agent's, from 0.
    pub position: u32,
    /// When it was to start.
    pub intended: Instant,
}

impl Pace {
    /// Begins now with those starts that are this shard's; at most `limit` are in flight in all shards together.
    pub fn new(schedule: Schedule, shard: Shard, limit: Option<u32>, now: Instant) -> Pace {
        let limit = limit.map_or(u32::MAX, |limit| shard.share(limit).max(1));
        Pace { schedule, shard, limit, taken: 0, began: now, shift: Duration::ZERO, paused: None, stopped: false }
    }

    /// The next start that is due, if one may be made with so many in flight.
    pub fn next(&mut self, now: Instant, in_flight: u32) -> Option<Start> {
        if self.taken >= self.due(now) || in_flight >= self.limit || self.paused.is_some() || self.stopped {
            return None;
        }
        let position = self.taken;
        self.taken += 1;
        let intended = match self.schedule.is_paced() {
            true => self.began + self.shift + self.schedule.start(self.shard.position(position)),
            false => now,
        };
        Some(Start { position, intended })
    }

    /// How many were to have started by now. Without a plan nothing is to have started that has not.
    pub fn due(&self, now: Instant) -> u32 {
        if self.stopped {
            return self.taken;
        }
        self.shard.share(self.schedule.due(self.elapsed(now))).max(self.taken)
    }

    /// How many are overdue.
    pub fn behind(&self, now: Instant) -> u32 {
        if self.schedule.is_paced() { self.due(now) - self.taken } else { 0 }
    }

    /// When the next start falls due; none if it waits for something else, or there is none.
    pub fn next_due(&self) -> Option<Instant> {
        let waits = self.paused.is_some() || self.is_through();
        (!waits).then(|| self.began + self.shift + self.schedule.start(self.shard.position(self.taken)))
    }

    /// How many were handed out.
    pub fn taken(&self) -> u32 {
        self.taken
    }

    /// Whether no further start comes.
    pub fn is_through(&self) -> bool {
        self.stopped || self.taken == self.shard.share(self.schedule.clusters())
    }

    /// Whether every stage is over, those that start nothing included.
    pub fn is_over(&self, now: Instant) -> bool {
        self.stopped || (self.is_through() && self.elapsed(now) >= self.schedule.length())
    }

    /// Since the begin, without pauses.
    pub fn elapsed(&self, now: Instant) -> Duration {
        self.paused.unwrap_or(now).saturating_duration_since(self.began + self.shift)
    }

    /// Starts nothing from now on; a pause that lasts goes on.
    pub fn pause(&mut self, now: Instant) {
        self.paused.get_or_insert(now);
    }

    /// Goes on; what was not due yet comes later by the length of the pause.
    pub fn resume(&mut self, now: Instant) {
        if let Some(paused) = self.paused.take() {
            self.shift += now.saturating_duration_since(paused);
        }
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Starts nothing any more.
    pub fn stop(&mut self) {
        self.stopped = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Stages;
    use super::*;

    struct Play {
        pace: Pace,
        began: Instant,
    }

    impl Play {
        fn new(limit: Option<u32>) -> Play {
            let schedule = Schedule::new(&Stages::parse("10s:1/s,10s:hold").unwrap(), 10, 0.0, 1);
            let began = Instant::now();
            Play { pace: Pace::new(schedule, Shard::default(), limit, began), began }
        }

        fn at(&self, second: u64) -> Instant {
            self.began + Duration::from_secs(second)
        }

        /// What starts in that second with so many in flight: intended seconds.
        fn starts(&mut self, second: u64, mut in_flight: u32) -> Vec<u64> {
            let mut starts = Vec::new();
            while let Some(start) = self.pace.next(self.at(second), in_flight) {
                in_flight += 1;
                starts.push(start.intended.duration_since(self.began).as_secs());
            }
            starts
        }
    }

    #[test]
    fn starts_fall_due_one_by_one() {
        let mut play = Play::new(None);
        assert_eq!(play.starts(0, 0), [0]);
        assert_eq!(play.pace.next_due(), Some(play.at(1)));
        assert_eq!(play.starts(3, 1), [1, 2, 3]);
        assert_eq!(play.pace.behind(play.at(3)), 0);
        assert_eq!(play.starts(30, 0).len(), 6);
        assert!(play.pace.is_through());
        assert_eq!(play.pace.next_due(), None);
    }

    #[test]
    fn a_server_that_cannot_keep_up_does_not_move_what_was_intended() {
        let mut play = Play::new(Some(2));
        assert_eq!(play.starts(4, 0), [0, 1]);
        assert_eq!(play.pace.behind(play.at(4)), 3);
        assert_eq!(play.starts(7, 2), [0; 0]);
        assert_eq!(play.pace.behind(play.at(7)), 6);
        assert_eq!(play.starts(7, 1), [2], "the latency of this one counts from its third second");
    }

    #[test]
    fn a_pause_moves_what_was_not_due() {
        let mut play = Play::new(None);
        assert_eq!(play.starts(2, 0), [0, 1, 2]);
        play.pace.pause(play.at(2));
        play.pace.pause(play.at(5));
        assert_eq!(play.starts(8, 0), [0; 0]);
        assert_eq!((play.pace.behind(play.at(8)), play.pace.next_due()), (0, None));
        play.pace.resume(play.at(10));
        assert_eq!(play.starts(10, 0), [0; 0]);
        assert_eq!(play.pace.next_due(), Some(play.at(11)));
        assert_eq!(play.starts(11, 0), [11]);
        assert_eq!(play.pace.elapsed(play.at(11)), Duration::from_secs(3));
    }

    #[test]
    fn it_is_over_when_the_last_stage_is_or_when_it_is_stopped() {
        let mut play = Play::new(None);
        play.starts(19, 0);
        assert!(play.pace.is_through() && !play.pace.is_over(play.at(19)));
        assert!(play.pace.is_over(play.at(20)));
        let mut stopped = Play::new(None);
        stopped.starts(1, 0);
        stopped.pace.stop();
        assert_eq!(stopped.starts(9, 0), [0; 0]);
        assert!(stopped.pace.is_over(stopped.at(2)));
        assert_eq!((stopped.pace.due(stopped.at(9)), stopped.pace.behind(stopped.at(9))), (2, 0));
    }

    #[test]
    fn a_shard_keeps_the_moments_of_the_whole_plan() {
        let schedule = || Schedule::new(&Stages::parse("10s:1/s,10s:hold").unwrap(), 10, 0.0, 1);
        let began = Instant::now();
        let play =
            |shard: &str| Play { pace: Pace::new(schedule(), Shard::parse(shard, "").unwrap(), None, began), began };
        assert_eq!(play("1/3").starts(30, 0), [0, 3, 6, 9]);
        assert_eq!(play("3/3").starts(30, 0), [2, 5, 8]);
        let mut second = play("2/3");
        assert_eq!((second.pace.next_due(), second.pace.due(second.at(4))), (Some(second.at(1)), 2));
        assert_eq!(second.starts(6, 0), [1, 4]);
        assert_eq!((second.pace.behind(second.at(7)), second.pace.is_through()), (1, false));
        assert_eq!(second.starts(7, 0), [7]);
        assert!(second.pace.is_through() && !second.pace.is_over(second.at(19)) && second.pace.is_over(second.at(20)));
    }

    #[test]
    fn without_a_plan_each_starts_as_soon_as_it_may() {
        let now = Instant::now();
        let mut pace = Pace::new(Schedule::unpaced(5), Shard::default(), Some(2), now);
        let later = now + Duration::from_secs(9);
        assert_eq!(pace.next(later, 1), Some(Start { position: 0, intended: later }));
        assert_eq!(pace.next(later, 2), None);
        assert_eq!(pace.behind(later), 0);
    }
}
