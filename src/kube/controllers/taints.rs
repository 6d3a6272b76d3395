//! Taints that drive pods off their nodes (`kube-controller-manager` taint-eviction-controller).

use super::Happening;
use super::agenda::Work;
use super::placement::tolerates;
use super::pods::{after, moment};
use crate::kube::Cluster;
use crate::kube::store::{Found, Touched, Version};
use crate::kube::tree::text;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

impl Cluster {
    /// The pods of a node are to be looked at whose taints with this effect changed.
    pub(super) fn notice_taints(&mut self, happening: &Happening<'_>, node: &Value) {
        let before = happening.write.previous.as_ref().map(|before| self.value(&happening.served, before));
        if !driving(&before.unwrap_or_default()).eq(driving(node)) {
            self.agenda.add(Work::Taints(happening.write.object.path.clone()));
        }
    }

    /// After a restart the nodes are to be looked at whose taints are not those of the template: pods may have been about to leave.
    pub(in crate::kube) fn resume_taints(&mut self) {
        let Some(nodes) = Cluster::built_in("", "nodes") else { return };
        let of_template = |path: &str| {
            let ordinal = self.store.ordinal_at(nodes.storage, path)?;
            Some(self.value(&nodes, &Version::Baseline(Touched { ordinal, heartbeat_s: 0, revision: 0 })))
        };
        let is_tainted = |found: &Found<'_>| {
            matches!(found.version, Version::Written(_))
                && self.store.body(&found.version).mentions("\"NoExecute\"")
                && !driving(&of_template(&found.path).unwrap_or_default())
                    .eq(driving(&self.value(&nodes, &found.version)))
        };
        let listed = self.store.list(nodes.storage, None).into_iter();
        let tainted: Vec<Arc<str>> = listed.filter(is_tainted).map(|found| found.path.as_ref().into()).collect();
        tainted.into_iter().for_each(|path| self.agenda.add(Work::Taints(path)));
    }

    /// Plans which pods have to leave a node, and when.
    pub(super) fn keep_taints(&mut self, path: &str, now: Timestamp) {
        let Some((_, _, node)) = self.living("", "nodes", path) else { return };
        let Some(pods) = Cluster::built_in("", "pods") else { return };
        let on_it = |version: &Version| {
            let pod = self.value(&pods, version);
            (pod["spec"]["nodeName"] == *path).then_some(pod)
        };
        let listed = self.store.list(pods.storage, None).into_iter();
        let found: Vec<(Arc<str>, Value)> =
            listed.filter_map(|found| Some((found.path.as_ref().into(), on_it(&found.version)?))).collect();
        for (path, pod) in found {
            let work = Work::Eviction(path);
            match stay_s(&pod, &node) {
                None => self.agenda.cancel(&work),
                // What it tolerated before goes on counting.
                Some(_) if self.agenda.is_planned(&work) => {}
                Some(seconds) => self.agenda.add_at(after(now, seconds), work),
            }
        }
    }

    /// Deletes a pod that has stayed on its node for as long as it tolerates it.
    pub(super) fn keep_eviction(&mut self, path: &str, now: Timestamp) {
        let Some((pods, version, pod)) = self.living("", "pods", path) else { return };
        let Some((_, _, node)) = self.living("", "nodes", text(&pod["spec"]["nodeName"])) else { return };
        let Some(seconds) = stay_s(&pod, &node) else { return };
        // One that came later under the name of another has its own time.
        let at = moment(&pod["status"]["startTime"]).map_or(now, |since| after(since, seconds));
        if at > now {
            return self.agenda.add_at(at, Work::Eviction(path.into()));
        }
        let message = format!("Marking for deletion Pod {path}");
        self.tell(&pod, "Normal", "TaintManagerEviction", &message, "taint-eviction-controller", now);
        self.withdraw(&pods, &version, now);
    }
}

/// For how many seconds a pod may stay on a node; `None` for good.
pub(super) fn stay_s(pod: &Value, node: &Value) -> Option<i64> {
    // A kubelet would start a pod of its own files again.
    if pod["metadata"]["annotations"].get(MIRROR).is_some() {
        return None;
    }
    let mut least = None;
    for taint in driving(node) {
        let Some(toleration) = toleration(pod, taint) else { return Some(0) };
        let seconds = toleration["tolerationSeconds"].as_i64().map(|seconds| seconds.max(0));
        least = least.into_iter().chain(seconds).min();
    }
    least
}

/// Whether a node drives a pod off that does not tolerate it, be it for a while.
pub(super) fn is_driven_off(pod: &Value, node: &Value) -> bool {
    driving(node).any(|taint| toleration(pod, taint).is_none())
}

fn toleration<'a>(pod: &'a Value, taint: &Value) -> Option<&'a Value> {
    let mut own = pod["spec"]["tolerations"].as_array().into_iter().flatten();
    own.find(|toleration| tolerates(toleration, taint))
}

fn driving(node: &Value) -> impl Iterator<Item = &Value> {
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    taints.filter(|taint| taint["effect"] == "NoExecute")
}

/// The annotation of a pod that is a kubelet's own.
const MIRROR: &str = "kubernetes.io/config.mirror";

#[cfg(test)]
mod tests {
    use super::stay_s;
    use crate::kube::testing::Bench;
    use serde_json::{Value, json};

    const NODE: &str = "/api/v1/nodes/edge-worker-1";
    const PODS: &str = "/api/v1/namespaces/web/pods";

    fn live(bench: &mut Bench, seconds: u32) {
        (0..seconds).for_each(|_| bench.pass(1));
    }

    fn taint(bench: &mut Bench, effect: &str) {
        let taints = if effect.is_empty() { json!(null) } else { json!([{"key": "k", "effect": effect}]) };
        bench.merge(NODE, json!({"spec": {"taints": taints}})).ok();
    }

    fn pod(name: &str, tolerations: Value) -> Value {
        json!({"metadata": {"name": name}, "spec": {
            "nodeName": "edge-worker-1", "tolerations": tolerations, "containers": [{"name": "c", "image": "i"}]
        }})
    }

    fn there(bench: &mut Bench, name: &str) -> bool {
        bench.get(&format!("{PODS}/{name}")).code == 200
    }

    #[test]
    fn the_shortest_toleration_counts() {
        let node = json!({"spec": {"taints": [
            {"key": "a", "effect": "NoExecute"}, {"key": "b", "effect": "NoExecute"}, {"key": "c", "effect": "NoSchedule"}
        ]}});
        let tolerating =
            |key: &str, seconds: Value| json!({"key": key, "operator": "Exists", "tolerationSeconds": seconds});
        let stays = |tolerations: Value| stay_s(&json!({"spec": {"tolerations": tolerations}}), &node);
        assert_eq!(stays(json!([])), Some(0));
        assert_eq!(stays(json!([tolerating("a", json!(9))])), Some(0));
        assert_eq!(stays(json!([tolerating("a", json!(9)), tolerating("b", json!(5))])), Some(5));
        assert_eq!(stays(json!([tolerating("a", json!(9)), tolerating("b", json!(null))])), Some(9));
        assert_eq!(stays(json!([{"operator": "Exists"}])), None);
        let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}});
        assert_eq!(stay_s(&mirror, &node), None);
    }

    #[test]
    fn pods_leave_a_node_when_they_no_longer_tolerate_it() {
        let mut bench = Bench::new();
        let for_a_while = json!([{"key": "k", "operator": "Exists", "tolerationSeconds": 10}]);
        bench.post(PODS, pod("plain", json!([]))).ok();
        bench.post(PODS, pod("patient", for_a_while)).ok();
        bench.post(PODS, pod("stoic", json!([{"operator": "Exists"}]))).ok();
        live(&mut bench, 20);
        taint(&mut bench, "NoSchedule");
        live(&mut bench, 2);
        assert!(there(&mut bench, "plain"), "who is there stays");
        taint(&mut bench, "NoExecute");
        live(&mut bench, 9);
        let list = |bench: &mut Bench| ["plain", "patient", "stoic", "web-1"].map(|name| there(bench, name));
        assert_eq!(list(&mut bench), [false, true, true, false]);
        let events = bench.get("/api/v1/namespaces/web/events").ok();
        let mut events = events["items"].as_array().unwrap().iter();
        assert!(events.any(|event| event["message"] == "Marking for deletion Pod web/plain"));
        live(&mut bench, 2);
        assert_eq!(list(&mut bench), [false, false, true, false]);
    }

    #[test]
    fn a_taint_that_goes_in_time_drives_nobody_off() {
        let mut bench = Bench::new();
        let start = bench.cluster.revision();
        let for_a_while = json!([{"key": "k", "operator": "Exists", "tolerationSeconds": 10}]);
        bench.post(PODS, pod("patient", for_a_while)).ok();
        live(&mut bench, 20);
        taint(&mut bench, "NoExecute");
        // A restart in between forgets nothing.
        let mut after = bench.restarted(1, bench.cluster.written_since(start).places).unwrap();
        live(&mut bench, 5);
        taint(&mut bench, "");
        live(&mut bench, 30);
        assert!(there(&mut bench, "patient"));
        live(&mut after, 12);
        assert!(!there(&mut after, "patient"));
    }

    #[test]
    fn a_daemon_stays_where_it_could_not_start() {
        let mut bench = Bench::new();
        let template =
            json!({"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let set = json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"app": "d"}}, "template": template}});
        bench.post("/apis/apps/v1/namespaces/web/daemonsets", set).ok();
        live(&mut bench, 4);
        let pods = |bench: &mut Bench| bench.get(&format!("{PODS}?labelSelector=app%3Dd")).names();
        let before = pods(&mut bench);
        let counts = |bench: &mut Bench| {
            let status = bench.get("/apis/apps/v1/namespaces/web/daemonsets/d").ok()["status"].clone();
            ["desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled", "numberReady"]
                .map(|field| status[field].as_i64().unwrap_or(0))
        };
        assert_eq!((before.len(), counts(&mut bench)), (3, [3, 3, 0, 3]));
        taint(&mut bench, "NoSchedule");
        live(&mut bench, 4);
        assert_eq!((pods(&mut bench), counts(&mut bench)), (before, [2, 2, 1, 2]));
        taint(&mut bench, "NoExecute");
        live(&mut bench, 4);
        assert_eq!((pods(&mut bench).len(), counts(&mut bench)), (2, [2, 2, 0, 2]));
        taint(&mut bench, "");
        live(&mut bench, 4);
        assert_eq!((pods(&mut bench).len(), counts(&mut bench)), (3, [3, 3, 0, 3]));
    }
}
