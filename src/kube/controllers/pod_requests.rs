//! What the pods of a node ask for, in the annotations that Rancher reads it from.
//!
//! In a real cluster Rancher's agent writes them (`managementagent/podresources`); Rancher itself never lists pods.

use crate::kube::admission::pod_resources::{Amounts, of_pod};
use serde_json::{Map, Value, json};

/// The annotation of the sum of requests: a JSON string of a `ResourceList`.
pub(in crate::kube) const REQUESTS: &str = "management.cattle.io/pod-requests";
/// The annotation of the sum of limits.
pub(in crate::kube) const LIMITS: &str = "management.cattle.io/pod-limits";

/// The sums over the pods of one node.
#[derive(Debug, Default)]
pub(in crate::kube) struct Totals {
    requests: Amounts,
    limits: Amounts,
    pods: usize,
}

impl Totals {
    /// Counts a pod in, unless it has ended.
    pub(in crate::kube) fn add(&mut self, pod: &Value) {
        if ["Succeeded", "Failed"].contains(&pod["status"]["phase"].as_str().unwrap_or_default()) {
            return;
        }
        self.pods += 1;
        for (total, field) in [(&mut self.requests, "requests"), (&mut self.limits, "limits")] {
            for (name, amount) in of_pod(&pod["spec"], field) {
                let sum = total.entry(name).or_default();
                *sum = sum.plus(amount);
            }
        }
    }

    /// Both annotations of a node.
    pub(in crate::kube) fn annotations(&self) -> [(&'static str, String); 2] {
        let text = |totals: &Amounts| -> Map<String, Value> {
            totals.iter().map(|(name, amount)| (name.clone(), json!(amount.to_string_of(name)))).collect()
        };
        let mut requests = text(&self.requests);
        requests.insert("pods".into(), json!(self.pods.to_string()));
        [(REQUESTS, Value::from(requests).to_string()), (LIMITS, Value::from(text(&self.limits)).to_string())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(phase: &str, containers: Value, init: Value) -> Value {
        let resources = |list: &Value| {
            let list = list.as_array().unwrap().iter();
            list.map(|requests| json!({"resources": {"requests": requests}})).collect::<Vec<_>>()
        };
        json!({"spec": {"containers": resources(&containers), "initContainers": resources(&init)}, "status": {"phase": phase}})
    }

    #[test]
    fn running_pods_are_summed_as_a_json_string() {
        let mut totals = Totals::default();
        totals.add(&pod("Running", json!([{"cpu": "250m", "memory": "64Mi"}, {"cpu": "1"}]), json!([])));
        totals.add(&pod("Pending", json!([{"cpu": "100m", "memory": "128Mi"}]), json!([{"memory": "1Gi"}])));
        totals.add(&pod("Succeeded", json!([{"cpu": "64"}]), json!([])));
        let [(_, requests), (_, limits)] = totals.annotations();
        assert_eq!(requests, r#"{"cpu":"1350m","memory":"1088Mi","pods":"2"}"#);
        assert_eq!(limits, "{}");
    }

    #[test]
    fn a_node_without_pods_says_so() {
        assert_eq!(Totals::default().annotations()[0], (REQUESTS, r#"{"pods":"0"}"#.into()));
    }
}
