//! What an operator has a running cluster grow and shrink by: nodes after the pattern of its last one, pods of its deployments.

use super::object::time;
use super::served::Served;
use super::store::{Version, name_of};
use super::strategy::Part;
use super::verbs::DeleteOptions;
use super::{Cluster, Status, names, tree};
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
    /// and go from the last one down, control planes never; pods of deployments on them move to others. Pods are those of the
    /// deployment that has most. The error says what size is out of reach; then nothing is changed.
    pub fn resize(&mut self, wanted: Size, now: Timestamp) -> Result<(), String> {
        self.check_size_wanted(wanted)?;
        let outcome = self.resize_nodes(wanted.nodes, now).and_then(|()| self.resize_pods(wanted.pods, now));
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
            let Some((version, node)) = nodes.pop() else { return Ok(()) };
            self.remove_node(&version, name(&node), &nodes, now)?;
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

    fn remove_node(
        &mut self,
        version: &Version,
        node: &str,
        left: &[(Version, Value)],
        now: Timestamp,
    ) -> Result<(), Status> {
        let pods = served("", "pods");
        for (version, pod) in self.objects("pods") {
            if pod["spec"]["nodeName"] == node {
                self.delete_object(&pods, &version, &DeleteOptions::default(), now)?;
                if replica_set(&pod).is_some() {
                    self.add_pod(&version, &pod, left, now)?;
                }
            }
        }
        // Its lease goes with it, as it is owned by it.
        self.delete_object(&served("", "nodes"), version, &DeleteOptions::default(), now).map(drop)
    }

    fn resize_pods(&mut self, wanted: Option<u32>, now: Timestamp) -> Result<(), Status> {
        let Some(wanted) = wanted.map(|count| count as usize) else { return Ok(()) };
        let nodes = self.objects("nodes");
        let all = self.objects("pods");
        let mut total = all.len();
        let mut sets: BTreeMap<String, Vec<(Version, Value)>> = BTreeMap::new();
        for (version, pod) in all {
            if let Some(set) = replica_set(&pod) {
                sets.entry(format!("{}/{set}", pod["metadata"]["namespace"].as_str().unwrap_or_default()))
                    .or_default()
                    .push((version, pod));
            }
        }
        let before: BTreeMap<String, usize> = sets.iter().map(|(set, pods)| (set.clone(), pods.len())).collect();
        while total != wanted {
            let Some(pods) = sets.values_mut().max_by_key(|pods| pods.len()) else { break };
            let Some((version, pod)) = pods.last() else { break };
            if total < wanted {
                let added = self.add_pod(version, pod, &nodes, now)?;
                pods.push(added);
                total += 1;
            } else {
                self.delete_object(&served("", "pods"), version, &DeleteOptions::default(), now)?;
                pods.pop();
                total -= 1;
            }
        }
        for (set, pods) in sets.iter().filter(|(set, pods)| before.get(*set) != Some(&pods.len())) {
            self.set_replicas(set, pods.len());
        }
        Ok(())
    }

    /// One more pod like this one, on the node that has fewest of those that take pods.
    pub(super) fn add_pod(
        &mut self,
        pattern: &Version,
        old: &Value,
        nodes: &[(Version, Value)],
        now: Timestamp,
    ) -> Result<(Version, Value), Status> {
        let served = served("", "pods");
        let others = self.objects("pods");
        let mut busy: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, pod) in &others {
            *busy.entry(pod["spec"]["nodeName"].as_str().unwrap_or_default()).or_default() += 1;
        }
        let workers = || nodes.iter().map(|(_, node)| node).filter(|node| !is_control_plane(node));
        let candidates: Vec<&Value> =
            if workers().next().is_some() { workers().collect() } else { nodes.iter().map(|(_, node)| node).collect() };
        let node = candidates.into_iter().min_by_key(|node| busy.get(name(node)).copied().unwrap_or(0));
        let set = replica_set(old).unwrap_or_default();
        let new_name = loop {
            let candidate = names::generate(&format!("{set}-"), &mut self.random);
            if !others.iter().any(|(_, pod)| name(pod) == candidate) {
                break candidate;
            }
        };
        let mut pod = copy(old, name(old), &new_name);
        if let Some(node) = node {
            tree::set(&mut pod, &["spec", "nodeName"], name(node));
            let taken: BTreeSet<&str> = others.iter().filter_map(|(_, pod)| pod["status"]["podIP"].as_str()).collect();
            if let Some(address) = pod_address(node, &taken) {
                tree::set(&mut pod, &["status", "podIP"], address.as_str());
                tree::set(&mut pod, &["status", "podIPs"], vec![serde_json::json!({"ip": address})]);
            }
            if let Some(address) = internal_ip(node) {
                tree::set(&mut pod, &["status", "hostIP"], address);
                tree::set(&mut pod, &["status", "hostIPs"], vec![serde_json::json!({"ip": address})]);
            }
        }
        begin_anew(&mut pod, &time(now.as_second()));
        let version = self.store_like(&served, pattern, &pod, now)?;
        let pod = self.value(&served, &version);
        Ok((version, pod))
    }

    /// Writes how many pods a replica set, and the deployment it is of, want.
    fn set_replicas(&mut self, path: &str, replicas: usize) {
        let Some(sets) = Cluster::built_in("apps", "replicasets") else { return };
        let Some(set) = self.store.get(sets.storage, path) else { return };
        let owner = self.value(&sets, &set).pointer("/metadata/ownerReferences/0/name").cloned();
        self.amend(&sets, path, Part::Whole, |set| tree::set(set, &["spec", "replicas"], replicas));
        let deployment = owner.as_ref().and_then(Value::as_str).zip(Cluster::built_in("apps", "deployments"));
        if let Some((deployment, deployments)) = deployment {
            let path = path.replace(name_of(path), deployment);
            self.amend(&deployments, &path, Part::Whole, |object| {
                tree::set(object, &["spec", "replicas"], replicas);
            });
        }
    }

    /// All objects of a core kind, in the order of their paths.
    pub(super) fn objects(&self, plural: &str) -> Vec<(Version, Value)> {
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
pub(super) fn replica_set(pod: &Value) -> Option<&str> {
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

/// A pod's status as of one that has just come up.
fn begin_anew(pod: &mut Value, now: &str) {
    tree::set(pod, &["status", "startTime"], now);
    let conditions = pod.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    conditions.into_iter().flatten().for_each(|condition| tree::set(condition, &["lastTransitionTime"], now));
    let containers = pod.pointer_mut("/status/containerStatuses").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        tree::set(container, &["restartCount"], 0);
        if let Some(since) = container.pointer_mut("/state/running/startedAt") {
            *since = now.into();
        }
    }
}

/// The first address after the last taken one.
fn free_address<'a>(taken: impl Iterator<Item = &'a str>, step: u32) -> Option<Ipv4Addr> {
    let last = taken.filter_map(|address| address.parse::<Ipv4Addr>().ok()).max()?;
    u32::from(last).checked_add(step).map(Ipv4Addr::from)
}

/// An address of the node's network that no pod has; `None` if all are taken.
fn pod_address(node: &Value, taken: &BTreeSet<&str>) -> Option<String> {
    let network: Ipv4Addr = node["spec"]["podCIDR"].as_str()?.split('/').next()?.parse().ok()?;
    let hosts = (2..255).map(|host| Ipv4Addr::from(u32::from(network) | host).to_string());
    hosts.into_iter().find(|address| !taken.contains(address.as_str()))
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

    /// A cluster of the built-in shape: a deployment with its replica set and three pods, and one pod of its own.
    fn bench() -> Bench {
        let mut bench = Bench::new();
        let set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "api-abc", "namespace": "web",
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid(&mut bench, "/apis/apps/v1/namespaces/web/deployments/web")}]},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "api"}}, "template": {"metadata": {"labels": {"app": "api"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]}}}
        });
        bench.post("/apis/apps/v1/namespaces/web/replicasets", set).ok();
        let owner = uid(&mut bench, "/apis/apps/v1/namespaces/web/replicasets/api-abc");
        for (name, node) in [("api-abc-1", "edge-worker-1"), ("api-abc-2", "edge-worker-2")] {
            let pod = json!({
                "metadata": {"name": name, "labels": {"app": "api"},
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-abc", "uid": owner, "controller": true}]},
                "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
            });
            bench.post("/api/v1/namespaces/web/pods", pod).ok();
        }
        bench
    }

    fn uid(bench: &mut Bench, target: &str) -> String {
        bench.get(target).ok()["metadata"]["uid"].as_str().unwrap().to_owned()
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
        assert_eq!(node["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
        bench.pass(30);
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
        // web-3 was of no deployment; of the two of api-abc one stays and one moves to where there was none.
        assert_eq!(
            ["edge-control-1", "edge-worker-1", "edge-worker-2"].map(|node| pods_on(&mut bench, node)),
            [1, 3, 0]
        );
        let error = resize(&mut bench, Some(0), None).unwrap_err();
        assert_eq!(error, "it has 1 nodes that stay: a cluster keeps its control plane, and one node at least");
    }

    #[test]
    fn pods_of_deployments_come_and_go_and_are_counted() {
        let mut bench = bench();
        resize(&mut bench, None, Some(12)).unwrap();
        assert_eq!(bench.cluster.counts().pods, 12);
        let set = bench.get("/apis/apps/v1/namespaces/web/replicasets/api-abc").ok();
        assert_eq!((&set["spec"]["replicas"], &set["status"]["readyReplicas"]), (&json!(9), &json!(9)));
        let deployment = bench.get("/apis/apps/v1/namespaces/web/deployments/web").ok();
        assert_eq!((&deployment["spec"]["replicas"], &deployment["status"]["readyReplicas"]), (&json!(9), &json!(9)));
        let addresses: BTreeSet<String> =
            bench.get("/api/v1/namespaces/web/pods?labelSelector=app%3Dapi").ok()["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|pod| pod["status"]["podIP"].as_str().map(str::to_owned))
                .collect();
        assert_eq!(addresses.len(), 7, "every new pod has its own");
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
