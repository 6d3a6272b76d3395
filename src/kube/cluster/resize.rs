//! What an operator has a running cluster grow and shrink by: nodes after the pattern of its last one, pods of its deployments.

use crate::kube::request::served::Served;
use crate::kube::store::{Version, path_of};
use crate::kube::strategy::Part;
use crate::kube::verbs::DeleteOptions;
use crate::kube::{Cluster, Status, tree};
use core::net::Ipv4Addr;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The size that a cluster is to have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// How many nodes; `None` leaves them.
    pub nodes: Option<u32>,
    /// How many pods; `None` leaves them.
    pub pods: Option<u32>,
}

impl Cluster {
    /// Gives the cluster another size; watches see every object come or go. Nodes are added after the pattern of the last worker,
    /// and go from the last one down, control planes never; the controllers move pods of deployments to others. Pods are those of the
    /// deployment that has most, whose replicas are changed. The error says what size is out of reach; then nothing is changed.
    pub fn resize(&mut self, wanted: Size, now: Timestamp) -> Result<(), String> {
        self.check_size_wanted(wanted)?;
        let outcome = self.resize_nodes(wanted.nodes, now);
        self.settle(now);
        self.resize_pods(wanted.pods);
        self.settle(now);
        outcome.map_err(|status| status.message)
    }

    fn check_size_wanted(&self, wanted: Size) -> Result<(), String> {
        let (nodes, pods) = (self.objects("nodes"), self.objects("pods"));
        let workers = nodes.iter().filter(|(_, node)| !is_control_plane(node)).count();
        let fewest = (nodes.len() - workers).max(1);
        let grown = |wanted: Option<u32>, now: usize| wanted.map_or(0, |count| (count as usize).saturating_sub(now));
        let movable = pods.iter().filter(|(_, pod)| replica_set(pod).is_some()).count();
        if wanted.nodes.is_some_and(|count| (count as usize) < fewest) {
            return Err(format!(
                "it has {fewest} nodes that stay: a cluster keeps its control plane, and one node at least"
            ));
        }
        if wanted.pods.is_some_and(|count| (count as usize) < pods.len() - movable) {
            return Err(format!("{} of its pods belong to no deployment and stay", pods.len() - movable));
        }
        if grown(wanted.pods, pods.len()) > 0 && movable == 0 {
            return Err("none of its pods belongs to a deployment that could grow".into());
        }
        // A node brings its lease, and its pods are written again when they move.
        let written = 2 * grown(wanted.nodes, nodes.len()) + grown(wanted.pods, pods.len()) + pods.len();
        if self.store.written() + written > self.limits.objects {
            let room = self.limits.objects.saturating_sub(self.store.written());
            return Err(format!("there is room for {room} more objects only (MaxObjects)"));
        }
        Ok(())
    }

    fn resize_nodes(&mut self, wanted: Option<u32>, now: Timestamp) -> Result<(), Status> {
        let Some(wanted) = wanted.map(|count| count as usize) else { return Ok(()) };
        let mut nodes = self.objects("nodes");
        nodes.sort_by(|(_, one), (_, other)| {
            let place = |node| (!is_control_plane(node), natural(name(node)));
            place(one).cmp(&place(other))
        });
        while nodes.len() < wanted {
            let Some(pattern) = nodes.last() else { return Ok(()) };
            let added = self.add_node(pattern, &nodes, now)?;
            nodes.push(added);
        }
        while nodes.len() > wanted {
            let Some((version, _)) = nodes.pop() else { return Ok(()) };
            // Its lease goes with it, as it is owned by it, and so do the pods on it.
            self.delete_object(&served("", "nodes"), &version, &DeleteOptions::default(), now)?;
        }
        Ok(())
    }

    fn add_node(
        &mut self,
        (pattern, old): &(Version, Value),
        nodes: &[(Version, Value)],
        now: Timestamp,
    ) -> Result<(Version, Value), Status> {
        let taken: BTreeSet<&str> = nodes.iter().map(|(_, node)| name(node)).collect();
        let new_name = next_name(name(old), &taken);
        let mut node = copy(old, name(old), &new_name);
        let networks = nodes.iter().filter_map(|(_, node)| node["spec"]["podCIDR"].as_str()?.split('/').next());
        if let Some(network) = free_address(networks, ADDRESSES_OF_A_NODE) {
            let network = format!("{network}/24");
            tree::set(&mut node, &["spec", "podCIDR"], network.as_str());
            tree::set(&mut node, &["spec", "podCIDRs"], vec![network]);
        }
        let address = free_address(nodes.iter().filter_map(|(_, node)| internal_ip(node)), 1);
        let addresses = node.pointer_mut("/status/addresses").and_then(Value::as_array_mut).into_iter().flatten();
        if let (Some(entry), Some(address)) = (addresses.into_iter().find(|a| a["type"] == "InternalIP"), address) {
            entry["address"] = address.to_string().into();
        }
        for id in ["machineID", "systemUUID", "bootID"] {
            let random = format!("{:032x}", self.random.u128(..));
            tree::set(&mut node, &["status", "nodeInfo", id], random);
        }
        let served = served("", "nodes");
        let version = self.store_like(&served, pattern, &node, now)?;
        let uid = self.store.stamp(&version).uid.to_string();
        let leases = Cluster::built_in("coordination.k8s.io", "leases").expect("a kind of Kubernetes");
        if let Some(lease) = self.store.get(leases.storage, &format!("{LEASES}/{}", name(old))) {
            let mut copied = copy(&self.value(&leases, &lease), name(old), &new_name);
            if let Some(owner) = copied.pointer_mut("/metadata/ownerReferences/0/uid") {
                *owner = uid.into();
            }
            self.store_like(&leases, &lease, &copied, now)?;
        }
        self.stale_nodes.insert(new_name.into());
        let node = self.value(&served, &version);
        Ok((version, node))
    }

    fn resize_pods(&mut self, wanted: Option<u32>) {
        let Some(wanted) = wanted.map(|count| count as usize) else { return };
        let pods = self.objects("pods");
        let mut total = pods.len();
        let mut workloads: BTreeMap<(&str, String), usize> = BTreeMap::new();
        for (_, pod) in &pods {
            if let Some(workload) = self.workload(pod) {
                *workloads.entry(workload).or_default() += 1;
            }
        }
        let before = workloads.clone();
        while total != wanted {
            let Some(count) = workloads.values_mut().max() else { break };
            if total < wanted {
                *count += wanted - total;
                total = wanted;
            } else if *count == 0 {
                break;
            } else {
                *count -= 1;
                total -= 1;
            }
        }
        for ((plural, path), count) in workloads.into_iter().filter(|(workload, count)| before[workload] != *count) {
            if let Some(kind) = Cluster::built_in("apps", plural) {
                self.amend(&kind, &path, Part::Whole, |object| tree::set(object, &["spec", "replicas"], count));
            }
        }
    }

    /// What decides how many of a pod's kind there are: a deployment, or a replica set of none.
    fn workload(&self, pod: &Value) -> Option<(&'static str, String)> {
        let namespace = pod["metadata"]["namespace"].as_str();
        let path = path_of(namespace, replica_set(pod)?);
        let sets = Cluster::built_in("apps", "replicasets")?;
        let set = self.store.get(sets.storage, &path).map(|version| self.value(&sets, &version))?;
        let owner = set.pointer("/metadata/ownerReferences/0").filter(|owner| owner["kind"] == "Deployment");
        Some(match owner.and_then(|owner| owner["name"].as_str()) {
            Some(deployment) => ("deployments", path_of(namespace, deployment)),
            None => ("replicasets", path),
        })
    }

    /// All objects of a core kind, in the order of their paths.
    pub(in crate::kube) fn objects(&self, plural: &str) -> Vec<(Version, Value)> {
        let served = served("", plural);
        let found = self.store.list(served.storage, None).into_iter();
        found.map(|found| (found.version.clone(), self.value(&served, &found.version))).collect()
    }
}

fn served(group: &str, plural: &str) -> Served {
    Cluster::built_in(group, plural).expect("a kind of Kubernetes")
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// The replica set that a pod is of.
pub(in crate::kube) fn replica_set(pod: &Value) -> Option<&str> {
    let owners = pod["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["kind"] == "ReplicaSet")?["name"].as_str()
}

fn is_control_plane(node: &Value) -> bool {
    let has = |role: &str| !node["metadata"]["labels"][format!("node-role.kubernetes.io/{role}")].is_null();
    !has("worker") && ["control-plane", "controlplane", "master", "etcd"].into_iter().any(has)
}

fn internal_ip(node: &Value) -> Option<&str> {
    let addresses = node["status"]["addresses"].as_array()?;
    addresses.iter().find(|address| address["type"] == "InternalIP")?["address"].as_str()
}

/// A name as it is sorted by people: `worker-9` before `worker-10`.
fn natural(name: &str) -> (&str, u64) {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (base, name[base.len()..].parse().unwrap_or(0))
}

fn next_name(last: &str, taken: &BTreeSet<&str>) -> String {
    let (base, number) = natural(last);
    // A name without a number, or with one of more than 64 bits, gets one behind a dash.
    let base = if base == last { format!("{last}-") } else { base.to_owned() };
    let mut number = number.max(1);
    loop {
        number += 1;
        let name = format!("{base}{number}");
        if !taken.contains(name.as_str()) {
            return name;
        }
    }
}

/// A copy of an object under another name, wherever it stands, without what only the server or a person gave the old one.
fn copy(object: &Value, old: &str, new: &str) -> Value {
    fn rename(value: &mut Value, old: &str, new: &str) {
        match value {
            Value::String(text) if text == old => *text = new.to_owned(),
            Value::Array(items) => items.iter_mut().for_each(|item| rename(item, old, new)),
            Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, old, new)),
            _ => {}
        }
    }
    let mut copied = object.clone();
    rename(&mut copied, old, new);
    if let Some(metadata) = copied["metadata"].as_object_mut() {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
            metadata.remove(field);
        }
    }
    if let Some(spec) = copied["spec"].as_object_mut() {
        spec.remove("unschedulable");
    }
    if let Some(taints) = copied.pointer_mut("/spec/taints").and_then(Value::as_array_mut) {
        taints.retain(|taint| taint["key"] != "node.kubernetes.io/unschedulable");
    }
    copied
}

/// The first address after the last taken one.
fn free_address<'a>(taken: impl Iterator<Item = &'a str>, step: u32) -> Option<Ipv4Addr> {
    let last = taken.filter_map(|address| address.parse::<Ipv4Addr>().ok()).max()?;
    u32::from(last).checked_add(step).map(Ipv4Addr::from)
}

/// One /24 a node.
const ADDRESSES_OF_A_NODE: u32 = 256;
/// Where kubelets keep their leases.
const LEASES: &str = "kube-node-lease";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::testing::Bench;
    use crate::kube::{Heartbeat, Limits};
    use serde_json::json;

    fn resize(bench: &mut Bench, nodes: Option<u32>, pods: Option<u32>) -> Result<(), String> {
        let now = bench.now;
        bench.cluster.resize(Size { nodes, pods }, now)
    }

    /// A deployment of two pods that run beside three pods of nobody.
    fn bench() -> Bench {
        let mut bench = Bench::new();
        let template =
            json!({"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let spec = json!({"replicas": 2, "selector": {"matchLabels": {"app": "api"}}, "template": template});
        bench.post("/apis/apps/v1/namespaces/web/deployments", json!({"metadata": {"name": "api"}, "spec": spec})).ok();
        live(&mut bench);
        bench
    }

    fn live(bench: &mut Bench) {
        (0..5).for_each(|_| bench.pass(1));
    }

    fn pods_on(bench: &mut Bench, node: &str) -> usize {
        bench.get(&format!("/api/v1/pods?fieldSelector=spec.nodeName={node}")).names().len()
    }

    #[test]
    fn nodes_are_added_after_the_last_worker_and_beat_like_it() {
        let mut bench = bench();
        resize(&mut bench, Some(5), None).unwrap();
        let names = ["edge-control-1", "edge-worker-1", "edge-worker-2", "edge-worker-3", "edge-worker-4"];
        assert_eq!(bench.get("/api/v1/nodes").names(), names);
        assert_eq!(bench.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases").names(), names);
        let node = bench.get("/api/v1/nodes/edge-worker-4").ok();
        assert_eq!(node["status"]["addresses"][0]["address"], "172.16.0.12");
        assert_eq!(node["spec"]["podCIDR"], "10.42.2.0/24");
        assert_eq!(node["metadata"]["creationTimestamp"], "2026-01-01T00:00:05Z");
        bench.pass(25);
        let now = bench.now;
        bench.cluster.report(Heartbeat::LeasesAndNodes, now);
        let node = bench.get("/api/v1/nodes/edge-worker-4").ok();
        assert_eq!(node["status"]["conditions"][0]["lastHeartbeatTime"], "2026-01-01T00:00:30Z");
        let lease = bench.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/edge-worker-4").ok();
        assert_eq!(lease["spec"]["renewTime"], "2026-01-01T00:00:30.000000Z");
        assert_eq!(lease["spec"]["holderIdentity"], "edge-worker-4");
        assert_eq!(lease["metadata"]["ownerReferences"][0]["uid"], node["metadata"]["uid"]);
    }

    #[test]
    fn nodes_go_from_the_top_and_pods_of_deployments_move() {
        let mut bench = bench();
        resize(&mut bench, Some(2), None).unwrap();
        assert_eq!(bench.get("/api/v1/nodes").names(), ["edge-control-1", "edge-worker-1"]);
        assert_eq!(
            bench.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases").names(),
            ["edge-control-1", "edge-worker-1"]
        );
        // web-3 was of no deployment and is gone; whatever of the two others was with it has moved.
        live(&mut bench);
        assert_eq!(pods_on(&mut bench, "edge-worker-2"), 0);
        assert_eq!(bench.get("/api/v1/pods").names().len(), 4);
        let error = resize(&mut bench, Some(0), None).unwrap_err();
        assert_eq!(error, "it has 1 nodes that stay: a cluster keeps its control plane, and one node at least");
    }

    #[test]
    fn pods_of_deployments_come_and_go_and_are_counted() {
        let mut bench = bench();
        resize(&mut bench, None, Some(12)).unwrap();
        assert_eq!(bench.cluster.counts().pods, 12);
        live(&mut bench);
        let deployment = bench.get("/apis/apps/v1/namespaces/web/deployments/api").ok();
        assert_eq!((&deployment["spec"]["replicas"], &deployment["status"]["readyReplicas"]), (&json!(9), &json!(9)));
        let list = bench.get("/api/v1/namespaces/web/pods?labelSelector=app%3Dapi").ok();
        let pods = list["items"].as_array().unwrap().iter();
        let addresses: BTreeSet<&str> = pods.filter_map(|pod| pod["status"]["podIP"].as_str()).collect();
        assert_eq!(addresses.len(), 9, "every pod has its own");
        assert_eq!(
            ["edge-control-1", "edge-worker-1", "edge-worker-2"].map(|node| pods_on(&mut bench, node)),
            [4, 4, 4]
        );
        resize(&mut bench, None, Some(3)).unwrap();
        assert_eq!(bench.get("/api/v1/pods").names(), ["web-1", "web-2", "web-3"]);
        assert_eq!(resize(&mut bench, None, Some(2)).unwrap_err(), "3 of its pods belong to no deployment and stay");
        assert_eq!(
            resize(&mut bench, None, Some(4)).unwrap_err(),
            "none of its pods belongs to a deployment that could grow"
        );
    }

    #[test]
    fn watchers_see_every_change_and_what_is_out_of_reach_changes_nothing() {
        let mut bench = Bench::with_limits(Limits { watch_history: 1_000, objects: 12, object_bytes: 1_500_000 });
        let before = bench.get("/api/v1/nodes").revision();
        let error = resize(&mut bench, Some(20), None).unwrap_err();
        assert_eq!(error, "there is room for 12 more objects only (MaxObjects)");
        assert_eq!(bench.get("/api/v1/nodes").revision(), before);
        resize(&mut bench, Some(4), None).unwrap();
        resize(&mut bench, Some(2), None).unwrap();
        let mut watch = bench.watch(&format!("/api/v1/nodes?watch=true&resourceVersion={before}"));
        let expected = ["ADDED edge-worker-3", "DELETED edge-worker-3", "DELETED edge-worker-2"];
        assert_eq!(watch.told(&bench), expected);
    }
}
