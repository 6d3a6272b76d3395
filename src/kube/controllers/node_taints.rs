//! Taints that follow from what a node says of itself (`kube-controller-manager` node-lifecycle-controller). They keep pods from starting
//! there; those that drive pods off are somebody else's.

use crate::kube::object::time;
use crate::kube::tree::text;
use crate::kube::{Cluster, tree};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// Brings a node's taints up to its conditions, and to whether it is cordoned.
    pub(super) fn taint_by_condition(&mut self, path: &str, now: Timestamp) {
        let Some((nodes, _, node)) = self.living("", "nodes", path) else { return };
        let wanted = wanted(&node);
        let before = node["spec"]["taints"].as_array().map_or(&[][..], Vec::as_slice);
        let mut taints = before.to_vec();
        taints.retain(|taint| !is_own(taint) || wanted.contains(&text(&taint["key"])));
        for key in wanted {
            if !taints.iter().any(|taint| is_own(taint) && taint["key"] == *key) {
                taints.push(json!({"key": key, "effect": "NoSchedule", "timeAdded": time(now.as_second())}));
            }
        }
        if taints != before {
            self.rewrite(&nodes, path, |node| match node["spec"].as_object_mut() {
                Some(spec) if taints.is_empty() => drop(spec.remove("taints")),
                _ => tree::set(node, &["spec", "taints"], taints),
            });
        }
    }
}

/// A new node is not ready until it has been looked at (admission `TaintNodesByCondition`).
pub(in crate::kube) fn taint_new(node: &mut Value) {
    let taints = tree::at(node, &["spec", "taints"]);
    if taints.is_null() {
        *taints = json!([]);
    }
    if let Some(taints) = taints.as_array_mut()
        && !taints.iter().any(|taint| taint["key"] == NOT_READY && is_own(taint))
    {
        taints.push(json!({"key": NOT_READY, "effect": "NoSchedule"}));
    }
}

fn wanted(node: &Value) -> Vec<&'static str> {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let of_condition = |condition: &Value| {
        let found =
            TAINTS.iter().find(|(kind, status, _)| condition["type"] == *kind && condition["status"] == *status);
        found.map(|(_, _, key)| *key)
    };
    let cordoned = (node["spec"]["unschedulable"] == true).then_some(UNSCHEDULABLE);
    conditions.filter_map(of_condition).chain(cordoned).collect()
}

fn is_own(taint: &Value) -> bool {
    let key = text(&taint["key"]);
    taint["effect"] == "NoSchedule" && (key == UNSCHEDULABLE || TAINTS.iter().any(|(_, _, own)| key == *own))
}

/// Which condition in which state means which taint.
const TAINTS: [(&str, &str, &str); 6] = [
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", "node.kubernetes.io/unreachable"),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::{Value, json};

    fn taints(bench: &mut Bench, node: &str) -> Vec<String> {
        let node = bench.get(&format!("/api/v1/nodes/{node}")).ok();
        let taints = node["spec"]["taints"].as_array().into_iter().flatten();
        taints
            .map(|taint| format!("{}:{}", taint["key"].as_str().unwrap(), taint["effect"].as_str().unwrap()))
            .collect()
    }

    #[test]
    fn a_cordoned_node_is_tainted_until_it_is_uncordoned() {
        let mut bench = Bench::new();
        let node = "/api/v1/nodes/edge-worker-1";
        let untouched = bench.get(node).ok()["spec"].clone();
        bench.merge(node, json!({"spec": {"unschedulable": true}})).ok();
        assert_eq!(taints(&mut bench, "edge-worker-1"), ["node.kubernetes.io/unschedulable:NoSchedule"]);
        // Whoever takes the taint away without uncordoning gets it back.
        bench.merge(node, json!({"spec": {"taints": [{"key": "own", "effect": "NoSchedule"}]}})).ok();
        let both = ["own:NoSchedule", "node.kubernetes.io/unschedulable:NoSchedule"];
        assert_eq!(taints(&mut bench, "edge-worker-1"), both);
        bench.merge(node, json!({"spec": {"unschedulable": null}})).ok();
        assert_eq!(taints(&mut bench, "edge-worker-1"), ["own:NoSchedule"]);
        bench.merge(node, json!({"spec": {"taints": null}})).ok();
        assert_eq!(bench.get(node).ok()["spec"], untouched);
    }

    #[test]
    fn a_node_is_tainted_by_what_it_says_of_itself() {
        let mut bench = Bench::new();
        let conditions = |ready: &str, disk: &str| json!({"conditions": [{"type": "Ready", "status": ready}, {"type": "DiskPressure", "status": disk}]});
        let node = json!({"metadata": {"name": "new"}, "status": conditions("True", "False")});
        let made: Value = bench.post("/api/v1/nodes", node).ok();
        assert_eq!(made["spec"]["taints"], json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]));
        assert_eq!(taints(&mut bench, "new"), [""; 0], "it says that it is");
        bench.merge("/api/v1/nodes/new/status", json!({"status": conditions("Unknown", "True")})).ok();
        let expected = ["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/disk-pressure:NoSchedule"];
        assert_eq!(taints(&mut bench, "new"), expected);
        bench.merge("/api/v1/nodes/new/status", json!({"status": conditions("False", "False")})).ok();
        assert_eq!(taints(&mut bench, "new"), ["node.kubernetes.io/not-ready:NoSchedule"]);
    }
}
