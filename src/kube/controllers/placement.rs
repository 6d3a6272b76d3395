//! Pods that wait for a node get one (`kube-scheduler`, of which this knows taints, selectors, affinity to nodes and requests).

use super::kubelet;
use super::pods::{after, has_ended, set_condition};
use super::taints::stay_s;
use crate::kube::admission::pod_resources::of_pod;
use crate::kube::object::time;
use crate::kube::quantity::Quantity;
use crate::kube::tree::{items, text};
use crate::kube::{Cluster, tree};
use core::net::Ipv4Addr;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A node and what is on it.
struct Place {
    node: Value,
    pods: usize,
    requests: BTreeMap<String, Quantity>,
}

/// What is on the nodes. It is added up when pods have to be placed, followed while they come, and forgotten with the next report: a
/// cluster where nothing happens keeps nothing of it.
#[derive(Debug, Default)]
pub(in crate::kube) struct Load {
    nodes: BTreeMap<String, (usize, BTreeMap<String, Quantity>)>,
    addresses: BTreeSet<String>,
}

/// Whether a node takes a pod, whatever else is on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Suits {
    Yes,
    /// It is not the one that the pod asks for.
    NotSelected,
    /// The pod does not tolerate this taint.
    Tainted(String),
}

impl Cluster {
    /// Gives nodes to the pods that wait for one; those that find none say why.
    pub(super) fn place_pods(&mut self, now: Timestamp) {
        let (Some(pods), Some(nodes)) = (Cluster::built_in("", "pods"), Cluster::built_in("", "nodes")) else { return };
        let waiting: Vec<Arc<str>> = self.waiting_pods.iter().cloned().collect();
        if waiting.is_empty() {
            return;
        }
        let listed = self.store.list(nodes.storage, None).into_iter();
        let nodes: Vec<Value> = listed.map(|found| self.value(&nodes, &found.version)).collect();
        let load = self.load.take().unwrap_or_else(|| {
            let mut load = Box::<Load>::default();
            for found in self.store.list(pods.storage, None) {
                load.change(None, Some(&self.value(&pods, &found.version)));
            }
            load
        });
        let mut places: Vec<Place> = nodes.into_iter().map(|node| Place::new(node, &load)).collect();
        let mut taken = load.addresses.clone();
        // What is placed below is heard of as all writes are.
        self.load = Some(load);
        let mut placed = 0;
        for path in waiting {
            if placed == PLACED_AT_ONCE {
                return self.agenda.add(super::Work::Placement);
            }
            let Some(before) = self.store.get(pods.storage, &path) else { continue };
            let old = self.value(&pods, &before);
            let mut pod = old.clone();
            let place = match text(&pod["spec"]["nodeName"]) {
                "" if ![SCHEDULER, ""].contains(&text(&pod["spec"]["schedulerName"])) => continue,
                // Who put the gates there takes them away.
                "" if items(&pod["spec"]["schedulingGates"]).next().is_some() => continue,
                "" => choose(&pod, &mut places),
                // Somebody else has bound it; a node that is not there never starts it.
                node => places.iter_mut().find(|place| place.name() == node).ok_or(String::new()),
            };
            match place {
                Ok(place) => {
                    let address = place.free_address(&pod, &taken);
                    taken.insert(address.clone());
                    let is_bound = !text(&pod["spec"]["nodeName"]).is_empty();
                    tree::set(&mut pod, &["spec", "nodeName"], place.name());
                    kubelet::begin(&mut pod, &place.node, &address, &time(now.as_second()));
                    place.add(&pod);
                    if let Some(seconds) = stay_s(&pod, &place.node) {
                        self.agenda.add_at(after(now, seconds), super::Work::Eviction(path.clone()));
                    }
                    let message = format!("Successfully assigned {path} to {}", place.name());
                    if self.store_changed(&pods, &before, old, pod.clone(), crate::kube::verbs::Keep::Yes).is_ok()
                        && !is_bound
                    {
                        self.tell(&pod, "Normal", "Scheduled", &message, SCHEDULER, now);
                    }
                    placed += 1;
                }
                Err(why) if !why.is_empty() => {
                    let condition = json!({
                        "type": "PodScheduled", "status": "False", "lastProbeTime": null, "reason": "Unschedulable", "message": why
                    });
                    set_condition(tree::at(&mut pod, &["status", "conditions"]), condition, &time(now.as_second()));
                    if pod != old
                        && self.store_changed(&pods, &before, old, pod.clone(), crate::kube::verbs::Keep::Yes).is_ok()
                    {
                        self.tell(&pod, "Warning", "FailedScheduling", &why, SCHEDULER, now);
                    }
                }
                Err(_) => {}
            }
        }
    }
}

impl Load {
    /// A pod came, went or changed.
    pub(super) fn change(&mut self, before: Option<&Value>, after: Option<&Value>) {
        for (pod, comes) in [(before, false), (after, true)] {
            let Some(pod) = pod else { continue };
            if let Some(address) = pod["status"]["podIP"].as_str() {
                if comes {
                    self.addresses.insert(address.to_owned())
                } else {
                    self.addresses.remove(address)
                };
            }
            let node = text(&pod["spec"]["nodeName"]);
            if node.is_empty() || has_ended(pod) {
                continue;
            }
            let (pods, requests) = self.nodes.entry(node.to_owned()).or_default();
            *pods = if comes { *pods + 1 } else { pods.saturating_sub(1) };
            for (name, amount) in of_pod(&pod["spec"], "requests") {
                let sum = requests.entry(name).or_default();
                *sum = if comes { sum.plus(amount) } else { sum.minus(amount) };
            }
        }
    }
}

impl Place {
    fn new(node: Value, load: &Load) -> Place {
        let (pods, requests) = load.nodes.get(text(&node["metadata"]["name"])).cloned().unwrap_or_default();
        Place { node, pods, requests }
    }

    fn name(&self) -> &str {
        text(&self.node["metadata"]["name"])
    }

    fn add(&mut self, pod: &Value) {
        self.pods += 1;
        for (name, amount) in of_pod(&pod["spec"], "requests") {
            let sum = self.requests.entry(name).or_default();
            *sum = sum.plus(amount);
        }
    }

    /// What the node has too little of for a pod.
    fn lacks(&self, pod: &Value) -> Option<String> {
        let allocatable = |name: &str| {
            Quantity::of(&self.node["status"]["allocatable"][name])
                .or(Quantity::of(&self.node["status"]["capacity"][name]))
        };
        let one = Quantity::of(&json!(self.pods + 1)).unwrap_or_default();
        if allocatable("pods").is_some_and(|most| most < one) {
            return Some("Too many pods".into());
        }
        let wanted = of_pod(&pod["spec"], "requests").into_iter();
        let mut wanted = wanted.filter(|(_, amount)| *amount > Quantity::default());
        let lacking = wanted.find(|(name, amount)| {
            let sum = self.requests.get(name).copied().unwrap_or_default().plus(*amount);
            // A node of a template that tells no amounts has enough of the common ones.
            allocatable(name)
                .map_or(!["cpu", "memory", "ephemeral-storage"].contains(&name.as_str()), |most| most < sum)
        });
        lacking.map(|(name, _)| format!("Insufficient {name}"))
    }

    /// An address of the node's network that no pod has; the node's own for pods that share its network.
    fn free_address(&self, pod: &Value, taken: &BTreeSet<String>) -> String {
        let own = kubelet::internal_address(&self.node).unwrap_or(LOOPBACK).to_owned();
        let network =
            self.node["spec"]["podCIDR"].as_str().and_then(|range| range.split('/').next()?.parse::<Ipv4Addr>().ok());
        let Some(network) = network.filter(|_| pod["spec"]["hostNetwork"] != true) else { return own };
        let mut hosts =
            (2..ADDRESSES_OF_A_NODE).map(|host| Ipv4Addr::from(u32::from(network).wrapping_add(host)).to_string());
        hosts.find(|address| !taken.contains(address)).unwrap_or(own)
    }
}

/// The node with the fewest pods of those that take a pod, workers before control planes; or why there is none.
fn choose<'a>(pod: &Value, places: &'a mut [Place]) -> Result<&'a mut Place, String> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let total = places.len();
    let mut best: Option<((bool, usize), usize)> = None;
    for (at, place) in places.iter().enumerate() {
        let reason = match suits(pod, &place.node) {
            Suits::Yes => place.lacks(pod),
            Suits::NotSelected => Some("node(s) didn't match Pod's node affinity/selector".into()),
            Suits::Tainted(taint) if taint.starts_with("node.kubernetes.io/unschedulable") => {
                Some("node(s) were unschedulable".into())
            }
            Suits::Tainted(taint) => Some(format!("node(s) had untolerated taint {{{taint}}}")),
        };
        match reason {
            Some(reason) => *reasons.entry(reason).or_default() += 1,
            None => {
                let score = (is_control_plane(&place.node), place.pods);
                if best.is_none_or(|(known, _)| score < known) {
                    best = Some((score, at));
                }
            }
        }
    }
    match best {
        Some((_, at)) => Ok(&mut places[at]),
        None if total == 0 => Err("no nodes available to schedule pods".into()),
        None => {
            let reasons: Vec<String> = reasons.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            let evict = "preemption: 0/".to_owned()
                + &format!("{total} nodes are available: {total} Preemption is not helpful for scheduling.");
            Err(format!("0/{total} nodes are available: {}. {evict}", reasons.join(", ")))
        }
    }
}

/// Whether a node takes a pod by its selectors and taints.
pub(super) fn suits(pod: &Value, node: &Value) -> Suits {
    let labels = &node["metadata"]["labels"];
    let selector = pod["spec"]["nodeSelector"].as_object().into_iter().flatten();
    let selected = selector.into_iter().all(|(key, value)| labels[key] == *value);
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = required["nodeSelectorTerms"].as_array();
    if !selected || terms.is_some_and(|terms| !terms.iter().any(|term| term_matches(term, node))) {
        return Suits::NotSelected;
    }
    let mut taints: Vec<Value> = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    if node["spec"]["unschedulable"] == true {
        taints.push(json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}));
    }
    let is_ready = super::pods::condition(node, "Ready").is_none_or(|ready| ready["status"] == "True");
    if !is_ready {
        taints.push(json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}));
    }
    let tolerations = || pod["spec"]["tolerations"].as_array().into_iter().flatten();
    let hard = taints.iter().filter(|taint| taint["effect"] == "NoSchedule" || taint["effect"] == "NoExecute");
    let mut untolerated = hard.filter(|taint| !tolerations().any(|toleration| tolerates(toleration, taint)));
    untolerated
        .next()
        .map_or(Suits::Yes, |taint| Suits::Tainted(format!("{}: {}", text(&taint["key"]), text(&taint["value"]))))
}

/// Whether a toleration is one of a taint (`corev1.Toleration.ToleratesTaint`).
pub(super) fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let effect = text(&toleration["effect"]);
    let key = text(&toleration["key"]);
    let by_value = toleration["operator"] == "Exists" || text(&toleration["value"]) == text(&taint["value"]);
    (effect.is_empty() || taint["effect"] == *effect)
        && (key == text(&taint["key"]) || key.is_empty() && toleration["operator"] == "Exists")
        && by_value
}

fn term_matches(term: &Value, node: &Value) -> bool {
    let expressions = |list: &str| term[list].as_array().cloned().unwrap_or_default();
    let (by_label, by_field) = (expressions("matchExpressions"), expressions("matchFields"));
    let label = |key: &str| node["metadata"]["labels"][key].as_str();
    (!by_label.is_empty() || !by_field.is_empty())
        && by_label.iter().all(|expression| matches(expression, label(text(&expression["key"]))))
        && by_field.iter().all(|expression| matches(expression, node["metadata"]["name"].as_str()))
}

fn matches(expression: &Value, found: Option<&str>) -> bool {
    let values = || expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let number = |text: &str| text.parse::<i64>().ok();
    let compared = || Some(number(found?)?.cmp(&number(values().next()?)?));
    match text(&expression["operator"]) {
        "In" => found.is_some_and(|found| values().any(|value| value == found)),
        "NotIn" => found.is_none_or(|found| !values().any(|value| value == found)),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => compared() == Some(std::cmp::Ordering::Greater),
        "Lt" => compared() == Some(std::cmp::Ordering::Less),
        _ => false,
    }
}

fn is_control_plane(node: &Value) -> bool {
    let has = |role: &str| !node["metadata"]["labels"][format!("node-role.kubernetes.io/{role}")].is_null();
    !has("worker") && ["control-plane", "controlplane", "master", "etcd"].into_iter().any(has)
}

/// Pods of other schedulers wait for those.
const SCHEDULER: &str = "default-scheduler";
/// A node without an address of its own is nowhere.
const LOOPBACK: &str = "127.0.0.1";
/// One /24 a node.
const ADDRESSES_OF_A_NODE: u32 = 255;
/// Pods placed in one turn, so that a large set does not keep the worker from its other clusters.
const PLACED_AT_ONCE: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::testing::Bench;

    fn node(labels: Value, taints: Value) -> Value {
        json!({"metadata": {"name": "n-1", "labels": labels}, "spec": {"taints": taints}})
    }

    #[test]
    fn selectors_and_affinity_pick_nodes() {
        let windows = json!({"key": "os", "operator": "NotIn", "values": ["windows"]});
        let affinity = |expression: Value| {
            json!({"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [expression]}]
            }}}}})
        };
        let linux = node(json!({"os": "linux", "cores": "8"}), json!([]));
        assert_eq!(suits(&affinity(windows.clone()), &linux), Suits::Yes);
        assert_eq!(suits(&affinity(windows), &node(json!({"os": "windows"}), json!([]))), Suits::NotSelected);
        assert_eq!(suits(&affinity(json!({"key": "cores", "operator": "Gt", "values": ["4"]})), &linux), Suits::Yes);
        assert_eq!(suits(&json!({"spec": {"nodeSelector": {"os": "linux"}}}), &linux), Suits::Yes);
        assert_eq!(suits(&json!({"spec": {"nodeSelector": {"gpu": "yes"}}}), &linux), Suits::NotSelected);
    }

    #[test]
    fn taints_are_tolerated_or_not() {
        let tainted = node(json!({}), json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]));
        let pod = |toleration: Value| json!({"spec": {"tolerations": [toleration]}});
        for (toleration, suited) in [
            (json!({"operator": "Exists"}), true),
            (json!({"key": "k", "operator": "Exists"}), true),
            (json!({"key": "k", "value": "v"}), true),
            (json!({"key": "k", "value": "w"}), false),
            (json!({"key": "k", "operator": "Exists", "effect": "NoExecute"}), false),
        ] {
            assert_eq!(suits(&pod(toleration.clone()), &tainted) == Suits::Yes, suited, "{toleration}");
        }
        assert_eq!(suits(&json!({}), &tainted), Suits::Tainted("k: v".into()));
        let soft = node(json!({}), json!([{"key": "k", "effect": "PreferNoSchedule"}]));
        assert_eq!(suits(&json!({}), &soft), Suits::Yes);
    }

    #[test]
    fn what_keeps_a_pod_waiting_is_said_in_the_schedulers_words() {
        let mut places = vec![
            Place::new(node(json!({}), json!([{"key": "a", "effect": "NoSchedule"}])), &Load::default()),
            Place::new(
                json!({"metadata": {"name": "n-2"}, "status": {"allocatable": {"cpu": "1", "pods": "10"}}}),
                &Load::default(),
            ),
        ];
        let pod = json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "2"}}}]}});
        let why = choose(&pod, &mut places).err().unwrap();
        assert!(
            why.starts_with(
                "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {a: }. preemption:"
            ),
            "{why}"
        );
        let small = json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "500m"}}}]}});
        let place = choose(&small, &mut places).ok().unwrap();
        place.add(&small);
        assert_eq!((place.name(), place.lacks(&small)), ("n-2", None));
        place.add(&small);
        assert_eq!(place.lacks(&small), Some("Insufficient cpu".into()));
    }

    #[test]
    fn a_load_is_what_its_pods_come_to_in_whatever_order() {
        let pod = |node: &str, phase: &str| {
            json!({
                "spec": {"nodeName": node, "containers": [{"resources": {"requests": {"cpu": "500m"}}}]},
                "status": {"phase": phase, "podIP": "10.42.0.2"}
            })
        };
        let mut load = Load::default();
        load.change(None, Some(&pod("", "Pending")));
        load.change(Some(&pod("", "Pending")), Some(&pod("n-1", "Running")));
        load.change(None, Some(&pod("n-1", "Running")));
        let (pods, requests) = &load.nodes["n-1"];
        assert_eq!((*pods, requests["cpu"]), (2, Quantity::of(&json!("1")).unwrap()));
        load.change(Some(&pod("n-1", "Running")), Some(&pod("n-1", "Succeeded")));
        load.change(Some(&pod("n-1", "Running")), None);
        let (pods, requests) = &load.nodes["n-1"];
        assert_eq!((*pods, requests["cpu"]), (0, Quantity::default()));
        assert!(load.addresses.is_empty());
    }

    #[test]
    fn a_pod_behind_gates_waits_for_them_to_go() {
        let mut bench = Bench::new();
        let gates = json!([{"name": "example.com/a"}, {"name": "b"}]);
        let container = json!({"name": "a", "image": "a:1"});
        let pod = |spec: Value| json!({"metadata": {"name": "gated"}, "spec": spec});
        let made = bench
            .post("/api/v1/namespaces/web/pods", pod(json!({"schedulingGates": gates, "containers": [container]})))
            .ok();
        let condition = &made["status"]["conditions"][0];
        assert_eq!((&condition["type"], &condition["reason"]), (&json!("PodScheduled"), &json!("SchedulingGated")));
        let target = "/api/v1/namespaces/web/pods/gated";
        let phase = |bench: &mut Bench| {
            (0..5).for_each(|_| bench.pass(1));
            bench.get(target).ok()["status"]["phase"].clone()
        };
        assert_eq!(phase(&mut bench), "Pending");
        bench.merge(target, json!({"spec": {"schedulingGates": [{"name": "b"}]}})).ok();
        assert_eq!(phase(&mut bench), "Pending");
        bench.merge(target, json!({"spec": {"schedulingGates": []}})).ok();
        assert_eq!(phase(&mut bench), "Running");
        let pushed = pod(
            json!({"nodeName": "edge-worker-1", "schedulingGates": [{"name": "b"}, {"name": "b"}], "containers": [container]}),
        );
        let refused = bench.post("/api/v1/namespaces/web/pods", pushed);
        assert!(refused.message().contains("spec.schedulingGates[1]: Duplicate value: \"b\""), "{}", refused.body);
        assert!(
            refused.message().contains("cannot be set until all schedulingGates have been cleared"),
            "{}",
            refused.body
        );
    }
}
