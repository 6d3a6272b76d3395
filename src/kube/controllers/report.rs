//! The periodic report: what kubelets renew, and what Rancher's agent sums up.

use super::Happening;
use super::pod_requests::Totals;
use crate::kube::strategy::Part;
use crate::kube::{Cluster, Heartbeat, tree};
use jiff::Timestamp;
use std::collections::BTreeMap;

impl Cluster {
    /// Remembers the nodes that a written pod is or was on.
    pub(super) fn note_pods(&mut self, happening: &Happening<'_>) {
        if !happening.served.is("", "pods") {
            return;
        }
        for version in happening.write.previous.iter().chain([&happening.version()]) {
            let pod = self.value(&happening.served, version);
            if let Some(node) = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()) {
                self.stale_nodes.insert(node.into());
            }
        }
    }

    /// Forgets old Events, renews leases, and nodes' heartbeats if asked, and sums up the pods of nodes whose pods changed.
    pub(in crate::kube) fn renew(&mut self, heartbeat: Heartbeat, now: Timestamp) {
        self.forget_events(now);
        let nodes = Cluster::built_in("", "nodes").map(|nodes| nodes.storage);
        let baseline = self.baseline.clone();
        for ordinal in baseline.beating() {
            if heartbeat == Heartbeat::LeasesAndNodes || Some(baseline.resource(*ordinal)) != nodes {
                self.store.beat(*ordinal, now.as_second());
            }
        }
        let leases = Cluster::built_in("coordination.k8s.io", "leases").map(|leases| leases.storage);
        let nodes = nodes.filter(|_| heartbeat == Heartbeat::LeasesAndNodes);
        for resource in leases.into_iter().chain(nodes) {
            for path in self.store.beating_beside_baseline(resource) {
                self.store.beat_written(resource, &path, now.as_second());
            }
        }
        if !self.stale_nodes.is_empty() {
            self.sum_up_pods();
        }
    }

    fn sum_up_pods(&mut self) {
        let (Some(nodes), Some(pods)) = (Cluster::built_in("", "nodes"), Cluster::built_in("", "pods")) else { return };
        let stale = std::mem::take(&mut self.stale_nodes);
        let mut totals: BTreeMap<&str, Totals> = stale.iter().map(|node| (node.as_ref(), Totals::default())).collect();
        for found in self.store.list(pods.storage, None) {
            let pod = self.value(&pods, &found.version);
            if let Some(totals) = pod["spec"]["nodeName"].as_str().and_then(|node| totals.get_mut(node)) {
                totals.add(&pod);
            }
        }
        for (node, totals) in totals {
            self.amend(&nodes, node, Part::Whole, |object| {
                for (annotation, value) in totals.annotations() {
                    tree::set(object, &["metadata", "annotations", annotation], value);
                }
            });
        }
    }
}
