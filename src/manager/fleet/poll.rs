//! What Rancher thinks of the clusters: the whole list, page by page, over and over; and single clusters that give cause.
//!
//! Absence is never believed lightly, since a page may fail, a token may lose its rights and Rancher's caches lag. A cluster is
//! given up only when Rancher answers 404 for it *and* something else says that it is being removed: its tunnel is refused as
//! unknown by a Rancher that has others of ours, or Rancher had it clean up after itself, or it never got as far as a tunnel.

use super::upstream::Upstream;
use super::{Effect, Fleet, Now, Timer};
use crate::engine::Assignment;
use crate::manager::job::{Job, JobError};
use crate::manager::record::Record;
use crate::manager::{ClusterName, State};
use crate::rancher::{Cluster, ClusterPage};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// One walk through the list.
#[derive(Debug)]
pub(super) struct Round {
    number: u64,
    started: Instant,
    started_wall: Timestamp,
}

impl Round {
    /// The round of this number, from `now` on.
    pub(super) fn new(number: u64, now: Now) -> Round {
        Round { number, started: now.instant, started_wall: now.wall }
    }
}

impl Fleet {
    /// Starts a round; without clusters, a look whether Rancher is there.
    pub(super) fn poll(&mut self, server: usize, now: Now) {
        let Some(upstream) = self.upstreams.get_mut(server) else { return };
        upstream.round = Round::new(upstream.round.number + 1, now);
        let has_clusters = self.records.values().any(|record| record.server == server);
        self.effects.push(Effect::Work(server, if has_clusters { Job::List(None) } else { Job::Probe }));
    }

    pub(super) fn listed(&mut self, server: usize, result: Result<ClusterPage, JobError>, now: Now) {
        let Some(upstream) = self.upstreams.get_mut(server) else { return };
        let number = upstream.round.number;
        let mut news = Vec::new();
        match result {
            Ok(page) => {
                for cluster in &page.clusters {
                    if let Some(record) = self.records.get_mut(cluster.name.as_str())
                        && record.server == server
                        && record.id.as_ref() == Some(&cluster.id)
                    {
                        upstream.has_ours = true;
                        record.seen_in_round = number;
                        record.judged(cluster, now);
                        news.extend(record.take_news().then(|| record.name.clone()));
                    }
                }
                match page.next {
                    Some(next) => self.effects.push(Effect::Work(server, Job::List(Some(next)))),
                    None => {
                        self.look_for_missing(server);
                        self.await_poll(server, now);
                    }
                }
            }
            // What was not seen because of it means nothing.
            Err(error) => {
                log::debug!("the list of clusters stays incomplete: {}", error.message);
                self.await_poll(server, now);
            }
        }
        news.iter().for_each(|name| self.keep(name));
    }

    /// Sets the next round: jittered, and so that Rancher spends little of its time on us.
    pub(super) fn await_poll(&mut self, server: usize, now: Now) {
        let Some(upstream) = self.upstreams.get(server) else { return };
        let took = now.instant.saturating_duration_since(upstream.round.started);
        let pause = self.poll_interval().mul_f64(0.8 + 0.4 * self.random.f64());
        self.set_timer(pause.max(took * PAUSE_PER_ROUND), Timer::Poll(server), now);
    }

    /// A ramp that waits for its clusters wants to know sooner: what it measures is as exact as this.
    fn poll_interval(&self) -> Duration {
        let usual = self.config.poll_interval;
        if self.wants_news() { usual.min(self.config.ramp_poll_interval) } else { usual }
    }

    /// Has the next rounds come as soon as a ramp wants them.
    pub(super) fn hasten_polls(&mut self, now: Now) {
        let soon = self.poll_interval();
        for server in 0..self.upstreams.len() {
            let before = self.timers.len();
            self.timers.retain(|(at, _, timer)| *timer != Timer::Poll(server) || *at <= now.instant + soon);
            // A round that is under way sets the next one itself.
            if self.timers.len() < before {
                self.set_timer(soon, Timer::Poll(server), now);
            }
        }
    }

    fn look_for_missing(&mut self, server: usize) {
        let Some(Upstream { round: Round { number, started_wall, .. }, .. }) = self.upstreams.get(server) else {
            return;
        };
        let (number, started_wall) = (*number, *started_wall);
        let missing = self.records.values().filter(|record| {
            record.attached
                && record.server == server
                && record.state != State::Deleting
                && record.seen_in_round < number
                && is_settled(record, started_wall)
        });
        let missing: Vec<ClusterName> = missing.take(LOOK_UPS_A_ROUND).map(|record| record.name.clone()).collect();
        for name in missing {
            self.look_up(&name);
        }
    }

    /// Asks Rancher for a cluster that may be gone.
    pub(super) fn look_up(&mut self, name: &ClusterName) {
        let Some(record) = self.records.get_mut(name).filter(|record| !record.job_under_way) else { return };
        if let Some(id) = record.id.clone() {
            record.job_under_way = true;
            let server = record.server;
            self.effects.push(Effect::Work(server, Job::LookUp { name: name.clone(), id }));
        }
    }

    /// Rancher had the cluster clean up after itself: whoever deleted it there did not say so here.
    pub(super) fn cleanup_asked(&mut self, name: &str, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        if record.state != State::Deleting {
            log::info!("cluster {name}: Rancher has it clean up, so it is being deleted there");
            record.cleanup_asked = true;
            let name = record.name.clone();
            self.set_timer(CLEANUP_POLL, Timer::LookUp(name), now);
        }
    }

    /// Rancher said what it knows of a cluster that nobody deletes here.
    pub(super) fn found_out(&mut self, name: &ClusterName, result: Result<Option<Cluster>, JobError>, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        let Some(upstream) = self.upstreams.get_mut(record.server) else { return };
        if !record.attached {
            return self.found_without_token(name, result, now);
        }
        let mut news = false;
        let unknown = record.unknown_to_tunnel && upstream.has_ours && is_settled(record, now.wall);
        match result {
            Ok(Some(cluster)) => {
                upstream.has_ours = true;
                record.judged(&cluster, now);
                news = record.take_news();
            }
            Ok(None) if record.cleanup_asked || unknown => {
                log::info!("cluster {name} was deleted in Rancher");
                record.enter(State::Deleting, now.wall);
                // There is nothing left to ask of Rancher.
                record.deletion_accepted = true;
                let key = name.as_arc().clone();
                self.effects.push(Effect::Assign(key.clone(), Assignment::Detach(key)));
                return self.keep(name);
            }
            Ok(None) => record.not_shown(now),
            Err(error) => log::debug!("cluster {name}: {}", error.message),
        }
        if record.cleanup_asked {
            self.set_timer(CLEANUP_POLL, Timer::LookUp(name.clone()), now);
        }
        if news {
            self.keep(name);
        }
    }

    /// The same of a cluster that has no registration token yet: nothing is in it, and no tunnel can tell more than Rancher's 404.
    fn found_without_token(&mut self, name: &ClusterName, result: Result<Option<Cluster>, JobError>, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        if matches!(result, Ok(None)) && is_settled(record, now.wall) {
            log::info!("cluster {name} was deleted in Rancher before it was connected");
            return self.forget(name);
        }
        self.step(name, now);
    }
}

/// Whether Rancher has known the cluster for long enough at `now` that every part of it should.
fn is_settled(record: &Record, now: Timestamp) -> bool {
    let since = record.reached(State::Registered);
    since.is_some_and(|since| now.duration_since(since).unsigned_abs() >= MIN_AGE && since < now)
}

/// A round is followed by a pause of at least this many times its length.
const PAUSE_PER_ROUND: u32 = 4;
/// Rancher's list comes from a cache: a cluster younger than this may be missing from it.
const MIN_AGE: Duration = Duration::from_secs(60);
/// A token that lost its rights makes every cluster seem missing; the calls that follow are bounded.
const LOOK_UPS_A_ROUND: usize = 32;
/// Rancher waits for its cleanup's objects, not for the job: the cluster is gone within seconds.
const CLEANUP_POLL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::super::tests::{Play, UNKNOWN, cluster, error, shown};
    use super::*;
    use crate::engine::{Event, Tunnel};
    use crate::manager::job::{JobErrorKind, Outcome};
    use crate::manager::{Answer, command::Action};

    impl Play {
        /// Rancher's list, in pages; the round that asked for it has to be under way.
        fn list(&mut self, pages: &[&[Cluster]]) {
            for (position, page) in pages.iter().enumerate() {
                let next = (position + 1 < pages.len()).then(|| format!("page {}", position + 1));
                self.outcome(Outcome::Listed(Ok(ClusterPage { clusters: page.to_vec(), next })));
            }
        }

        /// Passes the time until a round starts.
        fn next_round(&mut self) {
            for _ in 0..60 {
                self.pass(1);
                let effects = self.take_effects();
                if effects.iter().any(|effect| matches!(effect, Effect::Work(_, Job::List(None)))) {
                    return;
                }
            }
            panic!("no round within a minute");
        }

        fn detaches(&mut self, name: &str) -> bool {
            let effects = self.take_effects();
            effects.iter().any(|e| matches!(e, Effect::Assign(_, Assignment::Detach(detached)) if **detached == *name))
        }
    }

    fn playing(names: &[&str]) -> Play {
        let mut play = Play::new();
        play.outcome(Outcome::Probed(Ok(())));
        names.iter().for_each(|name| play.connected(name));
        play
    }

    #[test]
    fn active_is_what_rancher_says_of_a_cluster_that_it_reaches() {
        let mut play = playing(&["edge-1"]);
        play.next_round();
        play.list(&[&[shown("other", "c-9", "active")], &[shown("edge-1", "c-1", "provisioning")]]);
        assert_eq!(play.state("edge-1"), "connected");
        play.next_round();
        play.list(&[&[shown("edge-1", "c-1", "active")]]);
        assert_eq!(play.state("edge-1"), "active");
        play.tunnel("edge-1", Tunnel::Steve, None, false);
        assert_eq!(play.state("edge-1"), "disconnected");
        play.tunnel("edge-1", Tunnel::Steve, None, true);
        assert_eq!(play.state("edge-1"), "connected", "what Rancher thought is of the time before");
        play.next_round();
        play.list(&[&[shown("edge-1", "c-1", "active")]]);
        play.next_round();
        play.list(&[&[shown("edge-1", "c-1", "unavailable")]]);
        assert_eq!(play.state("edge-1"), "connected");
    }

    #[test]
    fn another_cluster_of_the_same_name_says_nothing_of_ours() {
        let mut play = playing(&["edge-1"]);
        play.next_round();
        play.list(&[&[shown("edge-1", "c-2", "active")]]);
        assert_eq!(play.state("edge-1"), "connected");
    }

    #[test]
    fn missing_from_the_list_is_looked_into_unless_young_or_a_page_failed() {
        let mut play = playing(&["edge-1"]);
        let asked = |play: &mut Play| play.jobs().contains(&Job::LookUp { name: cluster("edge-1"), id: "c-1".into() });
        play.next_round();
        play.list(&[&[]]);
        assert!(!asked(&mut play), "it was created a moment ago");
        play.pass(60);
        play.take_effects();
        play.outcome(Outcome::Listed(Err(error(JobErrorKind::Transient(None)))));
        assert!(!asked(&mut play), "a page failed");
        play.next_round();
        play.list(&[&[]]);
        assert!(asked(&mut play));
        // A token without rights sees a 404; the tunnels are up, so the cluster is there.
        play.outcome(Outcome::LookedUp(cluster("edge-1"), Ok(None)));
        assert!(!play.detaches("edge-1"));
        assert_eq!(play.state("edge-1"), "connected");
        match play.ask(Action::List { state: None, limit: 1, after: None }).try_recv() {
            Ok(Answer::Clusters { clusters, .. }) => {
                assert!(clusters[0].last_error.as_ref().unwrap().contains("does not show the cluster"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cluster_whose_tunnel_nobody_knows_and_that_is_404_is_retired() {
        let mut play = playing(&["edge-1"]);
        play.pass(61);
        play.take_effects();
        play.tunnel("edge-1", Tunnel::Api, Some(UNKNOWN), false);
        assert_eq!(play.jobs(), [Job::FetchToken { name: cluster("edge-1"), id: "c-1".into(), make: false }]);
        play.token("edge-1", None);
        assert_eq!(play.jobs(), [Job::LookUp { name: cluster("edge-1"), id: "c-1".into() }]);
        play.outcome(Outcome::LookedUp(cluster("edge-1"), Err(error(JobErrorKind::Transient(None)))));
        assert!(!play.detaches("edge-1"), "an answer that failed is no 404");
        play.pass(31);
        play.tunnel("edge-1", Tunnel::Api, Some(UNKNOWN), false);
        play.token("edge-1", None);
        play.take_effects();
        play.outcome(Outcome::LookedUp(cluster("edge-1"), Ok(None)));
        assert!(play.detaches("edge-1"));
        play.event(Event::Detached("edge-1".into()));
        assert_eq!(play.state("edge-1"), "gone");
    }

    #[test]
    fn a_rancher_that_has_none_of_our_clusters_may_be_another_one() {
        let mut before = playing(&["edge-1"]);
        before.pass(61);
        let mut play = before.restarted();
        play.tunnel("edge-1", Tunnel::Api, Some(UNKNOWN), false);
        play.token("edge-1", None);
        play.take_effects();
        play.outcome(Outcome::LookedUp(cluster("edge-1"), Ok(None)));
        assert!(!play.detaches("edge-1"), "somebody changed RancherURL: nothing is lost");
    }

    #[test]
    fn a_cluster_that_had_to_clean_up_is_retired_once_it_is_404() {
        let mut play = playing(&["edge-1"]);
        play.event(Event::CleanupAsked("edge-1".into()));
        let look_up = Job::LookUp { name: cluster("edge-1"), id: "c-1".into() };
        play.pass(5);
        assert_eq!(play.jobs(), std::slice::from_ref(&look_up));
        play.outcome(Outcome::LookedUp(cluster("edge-1"), Ok(Some(shown("edge-1", "c-1", "removing")))));
        play.pass(5);
        assert_eq!(play.jobs(), [look_up]);
        play.outcome(Outcome::LookedUp(cluster("edge-1"), Ok(None)));
        assert!(play.detaches("edge-1"));
    }

    #[test]
    fn rancher_is_left_alone_for_longer_when_it_answers_slowly() {
        let mut play = playing(&["edge-1"]);
        play.next_round();
        play.pass(30);
        play.list(&[&[]]);
        play.take_effects();
        play.pass(119);
        let listing = |play: &mut Play| {
            play.take_effects().iter().any(|effect| matches!(effect, Effect::Work(_, Job::List(None))))
        };
        assert!(!listing(&mut play));
        play.pass(1);
        assert!(listing(&mut play));
    }
}
