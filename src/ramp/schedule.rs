//! When each cluster is to start.

use super::Stages;
use std::time::Duration;

/// The intended starts of a ramp, from its begin. They follow from the plan and the seed alone and never go back.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Empty where each starts as soon as it may.
    segments: Vec<Segment>,
    clusters: u32,
    /// Share of the time between two starts by which each is moved at random, 0 to 1.
    jitter: f64,
    seed: u64,
    length: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    begin_s: f64,
    length_s: f64,
    /// Clusters a second at its begin and at its end.
    rates: (f64, f64),
    /// How many were started before it.
    before: f64,
}

impl Schedule {
    /// `clusters` of these stages; the stages have to start as many.
    pub fn new(stages: &Stages, clusters: u32, jitter: f64, seed: u64) -> Schedule {
        let (mut begin_s, mut before) = (0.0, 0.0);
        let mut segments = Vec::new();
        for stage in stages.iter() {
            let length_s = stage.length.as_secs_f64();
            segments.push(Segment { begin_s, length_s, rates: stage.per_second(), before });
            begin_s += length_s;
            before += stage.clusters();
        }
        let ends_with_hold = stages.iter().last().is_some_and(|stage| stage.rates.is_none());
        let length = if ends_with_hold { stages.iter().map(|stage| stage.length).sum() } else { Duration::ZERO };
        Schedule { segments, clusters, jitter: jitter.clamp(0.0, 1.0), seed, length }
    }

    /// `clusters` without a plan: each starts as soon as it may.
    pub fn unpaced(clusters: u32) -> Schedule {
        Schedule { segments: Vec::new(), clusters, jitter: 0.0, seed: 0, length: Duration::ZERO }
    }

    /// How many clusters.
    pub fn clusters(&self) -> u32 {
        self.clusters
    }

    /// How long the stages take, if they end with one that starts nothing; otherwise the last start is the end.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Whether starts have intended moments at all.
    pub fn is_paced(&self) -> bool {
        !self.segments.is_empty()
    }

    /// The intended start of the cluster at `position`, from 0; without a plan, the begin.
    pub fn start(&self, position: u32) -> Duration {
        let count = f64::from(position);
        let with = |segment: &&Segment| segment.rates != (0.0, 0.0) && segment.before <= count + 1e-9;
        let Some(segment) = self.segments.iter().rev().find(with) else { return Duration::ZERO };
        // Moved along the count, not along time: where the rate changes, starts would overtake each other.
        let shift = if self.jitter > 0.0 { self.jitter * (self.random(position) - 0.5) } else { 0.0 };
        let moved = (count - segment.before + shift).clamp(0.0, segment.clusters());
        Duration::try_from_secs_f64(segment.start(moved)).unwrap_or(Duration::MAX)
    }

    /// How many are to have started by then.
    pub fn due(&self, elapsed: Duration) -> u32 {
        // Starts never go back, so the boundary can be searched for.
        let (mut low, mut high) = (0, self.clusters);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.start(middle) <= elapsed { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn random(&self, position: u32) -> f64 {
        fastrand::Rng::with_seed(self.seed ^ (u64::from(position) << 32 | 0x5bd1_e995)).f64()
    }
}

impl Segment {
    /// When as many were started in it.
    fn start(&self, count: f64) -> f64 {
        let (from, to) = self.rates;
        // The count after t is from·t + slope·t²/2; this form of its solution does not divide by a slope of zero.
        let slope = (to - from) / self.length_s;
        let rate = (from * from + 2.0 * slope * count).max(0.0).sqrt();
        let seconds = if count <= 0.0 { 0.0 } else { 2.0 * count / (from + rate) };
        self.begin_s + seconds
    }

    fn clusters(&self) -> f64 {
        (self.rates.0 + self.rates.1) / 2.0 * self.length_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedule(stages: &str, clusters: u32) -> Schedule {
        Schedule::new(&Stages::parse(stages).unwrap(), clusters, 0.0, 1)
    }

    fn starts_ms(schedule: &Schedule) -> Vec<u128> {
        (0..schedule.clusters())
            .map(|position| (schedule.start(position).as_secs_f64() * 1e3).round() as u128)
            .collect()
    }

    #[test]
    fn a_rate_is_kept_and_a_hold_starts_nothing() {
        assert_eq!(starts_ms(&schedule("1s:4/s", 4)), [0, 250, 500, 750]);
        let with_a_rest = schedule("1s:2/s,10s:hold,1s:2/s,1m:hold", 4);
        assert_eq!(starts_ms(&with_a_rest), [0, 500, 11_000, 11_500]);
        assert_eq!(with_a_rest.length(), Duration::from_secs(72));
    }

    /// With a rate of 0.1 t + 1 a second, 3 have started after (-1 + sqrt(1.6)) / 0.1 s.
    #[test]
    fn a_rate_that_rises_evenly() {
        let rising = schedule("20s:1/s..3/s", 40);
        assert_eq!(starts_ms(&rising)[3], 2_649);
        assert_eq!(rising.due(Duration::from_secs(20)), 40);
        let falling = schedule("20s:3/s..1/s", 40);
        // 3 t - t²/20 = 1 after 3 - sqrt(8.8) tenths of a second.
        assert_eq!(starts_ms(&falling)[1], 335);
    }

    #[test]
    fn what_is_due_are_the_starts_until_then() {
        let schedule = schedule("1s:4/s,1s:hold,1s:1/s", 5);
        for (elapsed_ms, due) in [(0, 1), (249, 1), (250, 2), (760, 4), (1_999, 4), (2_000, 5), (9_000, 5)] {
            assert_eq!(schedule.due(Duration::from_millis(elapsed_ms)), due, "{elapsed_ms} ms");
        }
        assert_eq!(Schedule::unpaced(7).due(Duration::ZERO), 7);
    }

    #[test]
    fn no_start_overtakes_another_where_the_rate_rises() {
        let stages = Stages::parse("10s:2/s,5s:hold,10s:1/s..9/s,10s:9/s..1/s").unwrap();
        let schedule = Schedule::new(&stages, stages.clusters(), 0.989_101_544_892_066_4, 1_083_456_451_844_405_622);
        assert!((0..schedule.clusters()).is_sorted_by_key(|position| schedule.start(position)));
    }

    proptest! {
        #[test]
        fn starts_never_go_back_and_a_seed_repeats_them(seed: u64, jitter in 0.0..1.0) {
            let stages = Stages::parse("10s:2/s,5s:hold,10s:1/s..9/s,10s:9/s..1/s").unwrap();
            let schedule = Schedule::new(&stages, stages.clusters(), jitter, seed);
            let starts: Vec<Duration> = (0..schedule.clusters()).map(|position| schedule.start(position)).collect();
            prop_assert!(starts.is_sorted(), "{:?}", starts);
            prop_assert_eq!(schedule.due(Duration::from_secs(60)), stages.clusters());
            let again = Schedule::new(&stages, stages.clusters(), jitter, seed);
            prop_assert_eq!(again.start(17), starts[17]);
        }
    }
}
