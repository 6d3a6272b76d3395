//! A ramp over time, in a bounded number of points.

use serde::{Deserialize, Serialize};

/// Points at even distances. When there is no room for more, every second one is dropped and the distance doubles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// Seconds between two points, at least.
    pub interval_seconds: f64,
    /// In order.
    pub points: Vec<Point>,
}

/// The ramp at one moment. Counts are of clusters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Point {
    /// Seconds since the begin by the clock, pauses included.
    pub seconds: f64,
    /// Those that were to have started.
    pub due: u32,
    /// Those that were.
    pub started: u32,
    /// Those that Rancher had created.
    pub created: u32,
    /// Those Active at that moment.
    pub active: u32,
    /// Those that had failed.
    pub failed: u32,
    /// Those that count against the limit.
    pub in_flight: u32,
    /// Those overdue.
    pub behind: u32,
    /// Tunnels lost until then.
    pub disconnects: u64,
    /// Memory of the agent in bytes.
    pub rss_bytes: u64,
}

impl Timeline {
    /// Whether a point is due.
    pub fn is_due(&self, seconds: f64) -> bool {
        self.points.last().is_none_or(|last| seconds - last.seconds >= self.interval_seconds)
    }

    /// Adds a point.
    pub fn push(&mut self, point: Point) {
        if self.points.len() >= MOST_POINTS {
            let mut position = 0;
            self.points.retain(|_| {
                position += 1;
                position % 2 == 1
            });
            self.interval_seconds *= 2.0;
        }
        self.points.push(point);
    }

    /// Starts a second within the last so many seconds.
    pub fn start_rate(&self, within_seconds: f64) -> f64 {
        self.growth(within_seconds, |point| u64::from(point.started))
    }

    /// Tunnels lost a second within the last so many seconds.
    pub fn disconnect_rate(&self, within_seconds: f64) -> f64 {
        self.growth(within_seconds, |point| point.disconnects)
    }

    /// Adds another ramp's timeline, which began `offset_seconds` after this one. Between two points the earlier one holds.
    pub fn merged(&self, other: &Timeline, offset_seconds: f64) -> Timeline {
        let mut moments: Vec<f64> = self.points.iter().map(|point| point.seconds).collect();
        moments.extend(other.points.iter().map(|point| point.seconds + offset_seconds));
        moments.sort_by(f64::total_cmp);
        let interval_seconds = self.interval_seconds.max(other.interval_seconds);
        let mut merged = Timeline { interval_seconds, points: Vec::new() };
        for seconds in moments {
            if merged.is_due(seconds) {
                let (one, two) = (self.at(seconds), other.at(seconds - offset_seconds));
                merged.push(Point {
                    seconds,
                    due: one.due.saturating_add(two.due),
                    started: one.started.saturating_add(two.started),
                    created: one.created.saturating_add(two.created),
                    active: one.active.saturating_add(two.active),
                    failed: one.failed.saturating_add(two.failed),
                    in_flight: one.in_flight.saturating_add(two.in_flight),
                    behind: one.behind.saturating_add(two.behind),
                    disconnects: one.disconnects.saturating_add(two.disconnects),
                    rss_bytes: one.rss_bytes.saturating_add(two.rss_bytes),
                });
            }
        }
        merged
    }

    fn at(&self, seconds: f64) -> Point {
        let after = self.points.partition_point(|point| point.seconds <= seconds);
        after.checked_sub(1).map(|last| self.points[last]).unwrap_or_default()
    }

    fn growth(&self, within_seconds: f64, count: impl Fn(&Point) -> u64) -> f64 {
        let Some(last) = self.points.last() else { return 0.0 };
        let first = self.points.iter().find(|point| point.seconds >= last.seconds - within_seconds).unwrap_or(last);
        let passed = last.seconds - first.seconds;
        if passed > 0.0 { count(last).saturating_sub(count(first)) as f64 / passed } else { 0.0 }
    }
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline { interval_seconds: FIRST_INTERVAL_SECONDS, points: Vec::new() }
    }
}

/// More than a chart shows; a few dozen kilobytes.
const MOST_POINTS: usize = 600;
/// A short ramp is worth looking at closely too.
const FIRST_INTERVAL_SECONDS: f64 = 0.25;

#[cfg(test)]
mod tests {
    use super::*;

    fn point(seconds: f64, started: u32) -> Point {
        Point { seconds, started, ..Point::default() }
    }

    #[test]
    fn a_long_ramp_has_fewer_points_a_minute_but_not_more_in_all() {
        let mut timeline = Timeline::default();
        for tick in 0..100_000 {
            let seconds = f64::from(tick) / 4.0;
            if timeline.is_due(seconds) {
                timeline.push(point(seconds, tick));
            }
        }
        assert!((300..=600).contains(&timeline.points.len()), "{}", timeline.points.len());
        assert_eq!((timeline.points[0].seconds, timeline.interval_seconds), (0.0, 64.0));
        assert!(timeline.points.is_sorted_by_key(|point| point.started));
        assert!(timeline.points.last().unwrap().seconds > 24_900.0);
    }

    #[test]
    fn rates_are_of_the_last_seconds() {
        let points = [(0.0, 0), (10.0, 100), (15.0, 110), (20.0, 120)];
        let points = points.map(|(seconds, started)| point(seconds, started)).to_vec();
        let timeline = Timeline { points, ..Timeline::default() };
        assert_eq!(timeline.start_rate(10.0), 2.0);
        assert_eq!(timeline.start_rate(60.0), 6.0);
        assert_eq!(Timeline::default().start_rate(10.0), 0.0);
    }

    #[test]
    fn two_timelines_add_up_at_every_moment() {
        let of = |points: &[(f64, u32)]| Timeline {
            points: points.iter().map(|(seconds, started)| point(*seconds, *started)).collect(),
            ..Timeline::default()
        };
        let merged = of(&[(0.0, 1), (1.0, 5), (2.0, 9)]).merged(&of(&[(0.0, 10), (1.0, 20)]), 0.5);
        let points: Vec<_> = merged.points.iter().map(|point| (point.seconds, point.started)).collect();
        assert_eq!(points, [(0.0, 1), (0.5, 11), (1.0, 15), (1.5, 25), (2.0, 29)]);
    }
}
