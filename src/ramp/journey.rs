//! How far one cluster has come.

use super::Milestone;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When a cluster reached what, in a few hundred bytes.
#[derive(Debug, Clone)]
pub struct Journey {
    /// When the agent took it on.
    began: Instant,
    /// Time since then, by milestone.
    reached: [Option<u32>; Milestone::ALL.len()],
    /// What was listed or watched, in the order of the first times.
    asked: Vec<Asked>,
    /// How often it lost a tunnel.
    disconnects: u32,
}

/// A resource that was listed or watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `v1/nodes`, `apps/v1/deployments`.
    pub resource: Arc<str>,
    listed: u32,
    watched: Option<u32>,
}

impl Journey {
    /// A cluster that the agent takes on now.
    pub fn new(now: Instant) -> Journey {
        let mut journey =
            Journey { began: now, reached: [None; Milestone::ALL.len()], asked: Vec::new(), disconnects: 0 };
        journey.reach(Milestone::Started, now);
        journey
    }

    /// Takes note of a milestone; the first time counts.
    pub fn reach(&mut self, milestone: Milestone, at: Instant) {
        let ticks = self.ticks(at);
        self.reached[milestone as usize].get_or_insert(ticks);
        if milestone == Milestone::Active {
            // What is watched later is not what it waited for.
            let watched = self.asked.iter().filter_map(|asked| asked.watched).filter(|watched| *watched <= ticks).max();
            self.reached[Milestone::Watches as usize] = self.reached[Milestone::Watches as usize].or(watched);
        }
    }

    /// Takes note of a LIST or a watch of a resource.
    pub fn ask(&mut self, resource: &Arc<str>, is_watch: bool, at: Instant) {
        let ticks = self.ticks(at);
        self.reach(Milestone::FirstList, at);
        let watched = is_watch.then_some(ticks);
        if let Some(asked) = self.asked.iter_mut().find(|asked| asked.resource == *resource) {
            asked.watched = asked.watched.or(watched);
        } else if self.asked.len() < MOST_RESOURCES {
            self.asked.push(Asked { resource: resource.clone(), listed: ticks, watched });
        }
    }

    /// Takes note of a tunnel that was lost.
    pub fn lose(&mut self) {
        self.disconnects = self.disconnects.saturating_add(1);
    }

    /// How often it lost a tunnel.
    pub fn disconnects(&self) -> u32 {
        self.disconnects
    }

    /// Whether it got as far.
    pub fn has_reached(&self, milestone: Milestone) -> bool {
        self.reached[milestone as usize].is_some()
    }

    /// The last milestone that it reached.
    pub fn furthest(&self) -> Milestone {
        Milestone::ALL.into_iter().rev().find(|m| self.has_reached(*m)).unwrap_or(Milestone::Started)
    }

    /// Seconds from `intended` to each milestone; the end of its watches is known once it is Active.
    pub fn seconds_since(&self, intended: Instant) -> [Option<f64>; Milestone::ALL.len()] {
        self.reached.map(|ticks| ticks.map(|ticks| self.seconds(ticks, intended)))
    }

    /// Seconds from `intended` to the first list of each resource.
    pub fn lists_since(&self, intended: Instant) -> impl Iterator<Item = (Arc<str>, f64)> {
        self.asked.iter().map(move |asked| (asked.resource.clone(), self.seconds(asked.listed, intended)))
    }

    fn seconds(&self, ticks: u32, intended: Instant) -> f64 {
        (self.began + TICK * ticks).saturating_duration_since(intended).as_secs_f64()
    }

    fn ticks(&self, at: Instant) -> u32 {
        let since = at.saturating_duration_since(self.began);
        u32::try_from(since.as_nanos() / TICK.as_nanos()).unwrap_or(u32::MAX)
    }
}

/// Twelve hours fit into 32 bits.
const TICK: Duration = Duration::from_micros(10);
/// More than Rancher watches in an imported cluster.
const MOST_RESOURCES: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_intended_start_and_the_first_time_counts() {
        let intended = Instant::now();
        let at = |ms| intended + Duration::from_millis(ms);
        let mut journey = Journey::new(at(40));
        journey.reach(Milestone::Created, at(100));
        journey.reach(Milestone::Created, at(900));
        let seconds = journey.seconds_since(intended);
        assert_eq!((seconds[0], seconds[1], seconds[2]), (Some(0.04), Some(0.1), None));
        assert_eq!(journey.furthest(), Milestone::Created);
    }

    #[test]
    fn watches_are_up_when_the_last_new_one_was_opened_before_active() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let (nodes, pods, secrets) = (Arc::from("v1/nodes"), Arc::from("v1/pods"), Arc::from("v1/secrets"));
        let mut journey = Journey::new(start);
        journey.ask(&nodes, false, at(1));
        journey.ask(&nodes, true, at(2));
        journey.ask(&pods, true, at(3));
        assert!(!journey.has_reached(Milestone::Watches));
        journey.ask(&nodes, true, at(4));
        journey.reach(Milestone::Active, at(5));
        journey.ask(&secrets, true, at(6));
        let seconds = journey.seconds_since(start);
        assert_eq!(seconds[Milestone::FirstList as usize], Some(1.0));
        assert_eq!(seconds[Milestone::Watches as usize], Some(3.0));
        let lists: Vec<_> = journey.lists_since(start).collect();
        assert_eq!(lists, [(nodes, 1.0), (pods, 3.0), (secrets, 6.0)]);
    }
}
