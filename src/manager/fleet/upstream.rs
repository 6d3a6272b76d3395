//! One of the Ranchers that the fleet's clusters are registered with.

use super::poll::Round;
use super::{Fleet, Now, RancherConfig};
use crate::manager::health::Reachability;
use crate::manager::job::JobError;
use std::time::Instant;

/// What the fleet knows of one Rancher.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) config: RancherConfig,
    pub(super) reachability: Reachability,
    /// The walk through its list that is under way, or was last.
    pub(super) round: Round,
    /// Whether it showed one of our clusters in this run: if not, it may be another Rancher than the one they are in.
    pub(super) has_ours: bool,
    /// When its name was resolved last.
    pub(super) resolved: Option<Instant>,
}

impl Upstream {
    /// A Rancher that nobody has asked yet.
    pub(super) fn new(config: RancherConfig, now: Now) -> Upstream {
        let reachability = Reachability::new(config.name.clone(), config.url.clone());
        Upstream { config, reachability, round: Round::new(0, now), has_ours: false, resolved: None }
    }
}

impl Fleet {
    /// The Rancher of this name; without a name the first one or, where weights are given, one that follows from the cluster's
    /// name, so that asking again asks the same.
    pub(super) fn choose_upstream(&self, wanted: Option<&str>, cluster_seed: u64) -> Option<usize> {
        if let Some(wanted) = wanted {
            return self.upstreams.iter().position(|upstream| upstream.config.name == wanted);
        }
        let total: u64 = self.upstreams.iter().map(|upstream| u64::from(upstream.config.weight)).sum();
        let mut left = cluster_seed.checked_rem(total)?;
        self.upstreams.iter().position(|upstream| {
            let weight = u64::from(upstream.config.weight);
            let is_it = left < weight;
            left = left.saturating_sub(weight);
            is_it
        })
    }

    pub(super) fn called<T>(&mut self, server: usize, result: &Result<T, JobError>, now: Now) {
        if let Some(upstream) = self.upstreams.get_mut(server) {
            upstream.reachability.called(result.as_ref().err(), now.wall);
        }
    }
}
