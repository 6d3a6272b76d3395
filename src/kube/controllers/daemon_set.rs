//! DaemonSets: a pod on every node that suits (`kube-controller-manager` daemonset controller).

use super::agenda::Work;
use super::owned::controlled_by;
use super::placement::{Suits, suits};
use super::pods::{is_active, is_available, is_ready, number, of_template, scaled, set_counts};
use super::refusal::FAILED_CREATE;
use super::replica_set::BURST;
use super::taints::is_driven_off;
use crate::kube::tree::text;
use crate::kube::{Cluster, tree};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Cluster {
    /// Brings a pod onto each node that suits, replaces those of an older template, or else brings the status up to date.
    pub(super) fn keep_daemon_set(&mut self, path: &str, now: Timestamp) {
        let Some((sets, version, set)) = self.living("apps", "daemonsets", path) else { return };
        let (Some(pods), Some(nodes)) = (Cluster::built_in("", "pods"), Cluster::built_in("", "nodes")) else { return };
        let hash = self.revise(&sets, &version, &set, now);
        let mut pattern = of_template(
            &set["spec"]["template"],
            &set["metadata"]["namespace"],
            controlled_by("apps/v1", "DaemonSet", &set),
        );
        tree::set(&mut pattern, &["metadata", "generateName"], format!("{}-", text(&set["metadata"]["name"])));
        tree::set(&mut pattern, &["metadata", "labels", HASH], hash.as_str());
        if let Value::Array(tolerations) = tree::at(&mut pattern, &["spec", "tolerations"]) {
            tolerations.extend(tolerations_of_daemons());
        } else {
            tree::set(&mut pattern, &["spec", "tolerations"], tolerations_of_daemons());
        }
        let listed = self.store.list(nodes.storage, None).into_iter();
        let nodes: Vec<Value> = listed.map(|found| self.value(&nodes, &found.version)).collect();
        let mut by_node: BTreeMap<String, (_, Value)> = BTreeMap::new();
        let mut surplus = Vec::new();
        for (version, pod) in
            self.claim_pods(&sets, &version, &set, |_| true).into_iter().filter(|(_, pod)| is_active(pod))
        {
            let node = node_of(&pod).to_owned();
            let may_stay = nodes.iter().any(|known| known["metadata"]["name"] == *node && keeps(known, &pattern));
            match by_node.contains_key(&node) || !may_stay {
                true => surplus.push(version),
                false => _ = by_node.insert(node, (version, pod)),
            }
        }
        let wanted: Vec<&str> = nodes
            .iter()
            .filter(|node| suits(&pattern, node) == Suits::Yes)
            .map(|node| text(&node["metadata"]["name"]))
            .collect();
        let missing: Vec<&str> = wanted.iter().copied().filter(|node| !by_node.contains_key(*node)).collect();
        let mut acted = !surplus.is_empty();
        for version in surplus {
            self.withdraw(&pods, &version, now);
        }
        for node in missing.iter().take(BURST as usize) {
            let mut pod = pattern.clone();
            let on_node = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]);
            let required = "requiredDuringSchedulingIgnoredDuringExecution";
            tree::set(&mut pod, &["spec", "affinity", "nodeAffinity", required, "nodeSelectorTerms"], on_node);
            match self.spawn(&pods, pod, now) {
                Ok(name) => {
                    acted = true;
                    self.tell(&set, "Normal", "SuccessfulCreate", &format!("Created pod: {name}"), CONTROLLER, now);
                }
                Err(status) => {
                    self.refused(Work::DaemonSet(path.into()), &set, &status, FAILED_CREATE, CONTROLLER, now);
                    break;
                }
            }
        }
        if !acted && set["spec"]["updateStrategy"]["type"] != "OnDelete" {
            let old: Vec<_> = by_node.values().filter(|(_, pod)| pod["metadata"]["labels"][HASH] != *hash).collect();
            let most =
                scaled(&set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"], wanted.len() as i64, true)
                    .max(1);
            let down = by_node.values().filter(|(_, pod)| !is_ready(pod)).count() as i64;
            let room = usize::try_from(most - down).unwrap_or(0);
            // Those that do not work anyway go first, and cost nothing.
            let (ill, well): (Vec<_>, Vec<_>) = old.into_iter().partition(|(_, pod)| !is_ready(pod));
            let gone: Vec<_> =
                ill.into_iter().chain(well.into_iter().take(room)).map(|(version, _)| version.clone()).collect();
            acted = !gone.is_empty();
            for version in gone {
                self.withdraw(&pods, &version, now);
            }
        }
        if !acted {
            let on_wanted = by_node.iter().filter(|(node, _)| wanted.contains(&node.as_str()));
            let pods: Vec<&Value> = on_wanted.map(|(_, (_, pod))| pod).collect();
            let counts = (wanted.len() as i64, (by_node.len() - pods.len()) as i64);
            self.report_daemon_set(path, &set, &pods, counts, &hash, now);
        }
    }

    fn report_daemon_set(
        &mut self,
        path: &str,
        set: &Value,
        pods: &[&Value],
        (wanted, misplaced): (i64, i64),
        hash: &str,
        now: Timestamp,
    ) {
        let count = |is: &dyn Fn(&Value) -> bool| pods.iter().filter(|pod| is(pod)).count() as i64;
        let mut available = 0;
        for pod in pods {
            match is_available(pod, number(&set["spec"]["minReadySeconds"]), now) {
                Ok(is_available) => available += i64::from(is_available),
                Err(at) => self.agenda.add_at(at, Work::DaemonSet(path.into())),
            }
        }
        let updated = count(&|pod| pod["metadata"]["labels"][HASH] == *hash);
        self.set_status("apps", "daemonsets", path, now, |status, _| {
            for (field, count) in [
                ("currentNumberScheduled", pods.len() as i64),
                ("desiredNumberScheduled", wanted),
                ("numberMisscheduled", misplaced),
                ("numberReady", count(&is_ready)),
            ] {
                tree::set(status, &[field], count);
            }
            tree::set(status, &["observedGeneration"], set["metadata"]["generation"].clone());
            let counts = [
                ("updatedNumberScheduled", updated),
                ("numberAvailable", available),
                ("numberUnavailable", wanted - available),
            ];
            set_counts(status, &counts);
        });
    }
}

/// Whether a node keeps a daemon's pod that is there: what would not let it start does not end it yet (`NodeShouldRunDaemonPod`).
fn keeps(node: &Value, pod: &Value) -> bool {
    match suits(pod, node) {
        Suits::Yes => true,
        Suits::NotSelected => false,
        Suits::Tainted(_) => !is_driven_off(pod, node),
    }
}

/// The node a daemon's pod is on, or is meant for.
fn node_of(pod: &Value) -> &str {
    let term = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";
    match text(&pod["spec"]["nodeName"]) {
        "" => pod.pointer(term).map_or("", text),
        node => node,
    }
}

/// What daemons put up with (`AddOrUpdateDaemonPodTolerations`).
fn tolerations_of_daemons() -> Vec<Value> {
    let executing = ["not-ready", "unreachable"].map(|condition| (condition, "NoExecute"));
    let scheduling = ["disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"]
        .map(|condition| (condition, "NoSchedule"));
    let all = executing.into_iter().chain(scheduling);
    all.map(|(condition, effect)| json!({"key": format!("node.kubernetes.io/{condition}"), "operator": "Exists", "effect": effect})).collect()
}

const CONTROLLER: &str = "daemonset-controller";
const HASH: &str = "controller-revision-hash";
