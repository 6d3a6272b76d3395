//! Pod disruption budgets: how many pods may go (`kube-controller-manager` disruption controller).

use super::pods::{is_active, is_ready, scaled};
use crate::kube::store::{Version, namespace_of};
use crate::kube::tree::text;
use crate::kube::{Cluster, LabelSelector, tree};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// Brings the status of a budget up to date.
    pub(super) fn keep_budget(&mut self, path: &str, now: Timestamp) {
        let Some((_, _, budget)) = self.living("policy", "poddisruptionbudgets", path) else { return };
        let Some(pods) = Cluster::built_in("", "pods") else { return };
        let selector = LabelSelector::from_object(&budget["spec"]["selector"]).unwrap_or_default();
        let listed = self.store.list(pods.storage, namespace_of(path)).into_iter();
        let picked = listed.filter(|found| self.has_labels(&found.version, &selector));
        let picked: Vec<Value> = picked.map(|found| self.value(&pods, &found.version)).filter(is_active).collect();
        let expected = picked.len() as i64;
        let healthy = picked.iter().filter(|pod| is_ready(pod)).count() as i64;
        let spec = &budget["spec"];
        let desired = match spec.get("maxUnavailable").filter(|most| !most.is_null()) {
            Some(most) => expected - scaled(most, expected, true),
            None => scaled(spec.get("minAvailable").unwrap_or(&json!(1)), expected, true),
        };
        let desired = desired.max(0);
        let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
        self.set_status("policy", "poddisruptionbudgets", path, now, |status, now| {
            let counts = [
                ("currentHealthy", healthy),
                ("desiredHealthy", desired),
                ("disruptionsAllowed", allowed),
                ("expectedPods", expected),
            ];
            for (field, count) in counts {
                tree::set(status, &[field], count);
            }
            tree::set(status, &["observedGeneration"], budget["metadata"]["generation"].clone());
            let (holds, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
            let condition = json!({
                "type": "DisruptionAllowed", "status": holds, "reason": reason, "message": "",
                "observedGeneration": budget["metadata"]["generation"]
            });
            super::pods::set_condition(tree::at(status, &["conditions"]), condition, now);
        });
    }

    /// The budget that forbids the eviction of a pod, in the words of its refusal.
    pub(in crate::kube) fn forbidden_by_budget(&self, pod: &Version) -> Option<String> {
        let (pods, budgets) = (Cluster::built_in("", "pods")?, Cluster::built_in("policy", "poddisruptionbudgets")?);
        if !is_ready(&self.value(&pods, pod)) {
            return None;
        }
        let path = self.store.path(pod).into_owned();
        let mut listed = self.store.list(budgets.storage, namespace_of(&path)).into_iter();
        listed.find_map(|found| {
            let budget = self.value(&budgets, &found.version);
            let selector = LabelSelector::from_object(&budget["spec"]["selector"]).ok()?;
            let status = &budget["status"];
            let forbids = self.has_labels(pod, &selector) && status["disruptionsAllowed"].as_i64().unwrap_or(0) <= 0;
            forbids.then(|| {
                let (name, desired, healthy) =
                    (text(&budget["metadata"]["name"]), &status["desiredHealthy"], &status["currentHealthy"]);
                format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently")
            })
        })
    }
}
