//! StatefulSets: numbered pods, one after the other (`kube-controller-manager` statefulset controller).

use super::agenda::Work;
use super::owned::controlled_by;
use super::pods::{is_active, is_available, is_ready, number, of_template, set_counts};
use super::replica_set::BURST;
use super::set_claims::claim_name;
use crate::kube::store::Version;
use crate::kube::tree::text;
use crate::kube::{Cluster, tree};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Cluster {
    /// Makes or deletes the pod whose turn it is, or else brings the status up to date.
    pub(super) fn keep_stateful_set(&mut self, path: &str, now: Timestamp) {
        let Some((sets, version, set)) = self.living("apps", "statefulsets", path) else { return };
        let Some(pods) = Cluster::built_in("", "pods") else { return };
        let name = text(&set["metadata"]["name"]).to_owned();
        let revision = format!("{name}-{}", self.revise(&sets, &version, &set, now));
        let mut present: BTreeMap<i64, (Version, Value)> = BTreeMap::new();
        let claimed = self.claim_pods(&sets, &version, &set, |pod| ordinal_of(pod, &name).is_some());
        for (version, pod) in claimed {
            if let Some(ordinal) = ordinal_of(&pod, &name) {
                present.insert(ordinal, (version, pod));
            }
        }
        let first = number(&set["spec"]["ordinals"]["start"]);
        let wanted = first..first + number(&set["spec"]["replicas"]);
        for (ordinal, (_, pod)) in &present {
            self.tie_claims(path, &set, pod, !wanted.contains(ordinal));
        }
        let in_turn = set["spec"]["podManagementPolicy"] != "Parallel";
        let mut acted = 0;
        for ordinal in wanted.clone() {
            match present.get(&ordinal) {
                Some((_, pod)) if is_active(pod) && (is_ready(pod) || !in_turn) => {}
                // Every other waits for this one.
                Some((_, pod)) if is_active(pod) => break,
                // One that has ended makes room for its successor.
                Some((version, _)) => {
                    self.withdraw(&pods, &version.clone(), now);
                    acted += 1;
                    break;
                }
                None => {
                    let is_made = self.make_numbered(path, &set, ordinal, &revision, now);
                    acted += i64::from(is_made);
                    if !is_made || in_turn || acted >= BURST {
                        break;
                    }
                }
            }
        }
        let is_whole =
            wanted.clone().all(|ordinal| present.get(&ordinal).is_some_and(|(_, pod)| is_active(pod) && is_ready(pod)));
        if acted == 0 && (is_whole || !in_turn) {
            let partition = number(&set["spec"]["updateStrategy"]["rollingUpdate"]["partition"]);
            let surplus = present.iter().rev().find(|(ordinal, _)| !wanted.contains(ordinal));
            let rolls = set["spec"]["updateStrategy"]["type"] != "OnDelete" && is_whole;
            let old = present.iter().rev().find(|(ordinal, (_, pod))| {
                rolls && **ordinal >= first + partition && pod["metadata"]["labels"][HASH] != *revision
            });
            if let Some((_, (version, pod))) = surplus.or(old) {
                let (version, message) = (
                    version.clone(),
                    format!("delete Pod {} in StatefulSet {name} successful", text(&pod["metadata"]["name"])),
                );
                self.withdraw(&pods, &version, now);
                self.tell(&set, "Normal", "SuccessfulDelete", &message, CONTROLLER, now);
                acted += 1;
            }
        }
        if acted == 0 {
            let pods: Vec<&Value> = present.values().map(|(_, pod)| pod).filter(|pod| is_active(pod)).collect();
            self.report_stateful_set(path, &set, &pods, &revision, now);
        }
    }

    fn make_numbered(&mut self, path: &str, set: &Value, ordinal: i64, revision: &str, now: Timestamp) -> bool {
        let Some(pods) = Cluster::built_in("", "pods") else { return false };
        let set_name = text(&set["metadata"]["name"]);
        let name = format!("{set_name}-{ordinal}");
        let mut pod = of_template(
            &set["spec"]["template"],
            &set["metadata"]["namespace"],
            controlled_by("apps/v1", "StatefulSet", set),
        );
        tree::set(&mut pod, &["metadata", "name"], name.as_str());
        for (label, value) in [
            (HASH, revision),
            ("statefulset.kubernetes.io/pod-name", &name),
            ("apps.kubernetes.io/pod-index", &ordinal.to_string()),
        ] {
            tree::set(&mut pod, &["metadata", "labels", label], value);
        }
        tree::set(&mut pod, &["spec", "hostname"], name.as_str());
        if let Some(service) = set["spec"].get("serviceName") {
            tree::set(&mut pod, &["spec", "subdomain"], service.clone());
        }
        for template in set["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
            let template_name = text(&template["metadata"]["name"]);
            let claim_name = claim_name(template, &name);
            let volume = json!({"name": template_name, "persistentVolumeClaim": {"claimName": claim_name}});
            match tree::at(&mut pod, &["spec", "volumes"]) {
                // A claim takes the place of a volume of its name.
                Value::Array(volumes) => {
                    volumes.retain(|volume| volume["name"] != template["metadata"]["name"]);
                    volumes.push(volume);
                }
                other => *other = json!([volume]),
            }
        }
        if let Err((claim, status)) = self.make_claims(path, set, &name, now) {
            let words = format!("create Claim {claim} Pod {name} in StatefulSet {set_name} failed error: ");
            let work = Work::StatefulSet(path.into());
            self.refused(work, set, &status, ("FailedCreate", &words), CONTROLLER, now);
            return false;
        }
        match self.spawn(&pods, pod, now) {
            Ok(_) => {
                let message = format!("create Pod {name} in StatefulSet {set_name} successful");
                self.tell(set, "Normal", "SuccessfulCreate", &message, CONTROLLER, now);
                true
            }
            Err(status) => {
                let words = format!("create Pod {name} in StatefulSet {set_name} failed error: ");
                let work = Work::StatefulSet(path.into());
                self.refused(work, set, &status, ("FailedCreate", &words), CONTROLLER, now);
                false
            }
        }
    }

    fn report_stateful_set(&mut self, path: &str, set: &Value, pods: &[&Value], revision: &str, now: Timestamp) {
        let mut available = 0;
        for pod in pods {
            match is_available(pod, number(&set["spec"]["minReadySeconds"]), now) {
                Ok(is_available) => available += i64::from(is_available),
                Err(at) => self.agenda.add_at(at, Work::StatefulSet(path.into())),
            }
        }
        let of = |wanted: &Value| pods.iter().filter(|pod| pod["metadata"]["labels"][HASH] == *wanted).count() as i64;
        let updated = of(&json!(revision));
        let ready = pods.iter().filter(|pod| is_ready(pod)).count() as i64;
        // The revision before stays the current one until every pod has the new one.
        let before = set["status"].get("currentRevision").cloned().unwrap_or_else(|| json!(revision));
        let is_through = updated == pods.len() as i64 && ready == updated && ready == number(&set["spec"]["replicas"]);
        let current = if is_through { json!(revision) } else { before };
        let counts = [("readyReplicas", ready), ("currentReplicas", of(&current)), ("updatedReplicas", updated)];
        self.set_status("apps", "statefulsets", path, now, |status, _| {
            tree::set(status, &["observedGeneration"], set["metadata"]["generation"].clone());
            tree::set(status, &["replicas"], pods.len());
            tree::set(status, &["availableReplicas"], available);
            tree::set(status, &["collisionCount"], 0);
            tree::set(status, &["currentRevision"], current);
            tree::set(status, &["updateRevision"], revision);
            set_counts(status, &counts);
        });
    }
}

/// The number of a pod of the set of this name.
fn ordinal_of(pod: &Value, set: &str) -> Option<i64> {
    let (parent, number) = text(&pod["metadata"]["name"]).rsplit_once('-')?;
    number.parse().ok().filter(|_| parent == set)
}

const CONTROLLER: &str = "statefulset-controller";
const HASH: &str = "controller-revision-hash";
