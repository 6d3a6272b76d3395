//! The summary of a cluster that the REST API serves (`ClusterInfo` of the design document).

use crate::kube::Cluster;
use crate::kube::store::{name_of, namespace_of};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A cluster's objects of the common kinds, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct ClusterInfo {
    pub name: String,
    pub nodes: Vec<NodeInfo>,
    pub pods: Vec<PodInfo>,
    pub services: Vec<ObjectInfo>,
    pub secrets: Vec<ObjectInfo>,
    pub configmaps: Vec<ObjectInfo>,
    pub deployments: Vec<DeploymentInfo>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct NodeInfo {
    pub name: String,
    /// `Ready`, `NotReady` or `Unknown`.
    pub status: String,
    pub roles: Vec<String>,
    pub version: String,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct PodInfo {
    pub namespace: String,
    pub name: String,
    pub node: String,
    pub phase: String,
}

/// Any other object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct ObjectInfo {
    pub namespace: String,
    pub name: String,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct DeploymentInfo {
    pub namespace: String,
    pub name: String,
    pub replicas: u32,
    pub ready: u32,
}

impl ClusterInfo {
    /// The summary of a cluster.
    pub(in crate::kube) fn of(cluster: &Cluster) -> ClusterInfo {
        let objects = |group: &str, plural: &str| -> Vec<Value> {
            let Some(served) = Cluster::built_in(group, plural) else { return Vec::new() };
            let found = cluster.store.list(served.storage, None);
            found.iter().map(|found| cluster.value(&served, &found.version)).collect()
        };
        let plain = |plural: &str| -> Vec<ObjectInfo> {
            let Some(served) = Cluster::built_in("", plural) else { return Vec::new() };
            let found = cluster.store.list(served.storage, None).into_iter();
            found
                .map(|found| ObjectInfo { namespace: namespace(&found.path), name: name_of(&found.path).into() })
                .collect()
        };
        ClusterInfo {
            name: cluster.identity.name.to_string(),
            nodes: objects("", "nodes").iter().map(NodeInfo::of).collect(),
            pods: objects("", "pods").iter().map(PodInfo::of).collect(),
            services: plain("services"),
            secrets: plain("secrets"),
            configmaps: plain("configmaps"),
            deployments: objects("apps", "deployments").iter().map(DeploymentInfo::of).collect(),
        }
    }
}

impl NodeInfo {
    fn of(node: &Value) -> NodeInfo {
        let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        let ready = conditions.find(|condition| condition["type"] == "Ready");
        let status = match ready.and_then(|condition| condition["status"].as_str()) {
            Some("True") => "Ready",
            Some("False") => "NotReady",
            _ => "Unknown",
        };
        let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
        let roles = labels.filter_map(|(label, _)| label.strip_prefix("node-role.kubernetes.io/"));
        NodeInfo {
            name: text(&node["metadata"]["name"]),
            status: status.into(),
            roles: roles.map(str::to_owned).collect(),
            version: text(&node["status"]["nodeInfo"]["kubeletVersion"]),
        }
    }
}

impl PodInfo {
    fn of(pod: &Value) -> PodInfo {
        PodInfo {
            namespace: text(&pod["metadata"]["namespace"]),
            name: text(&pod["metadata"]["name"]),
            node: text(&pod["spec"]["nodeName"]),
            phase: text(&pod["status"]["phase"]),
        }
    }
}

impl DeploymentInfo {
    fn of(deployment: &Value) -> DeploymentInfo {
        let count = |value: &Value, absent: u32| {
            value.as_u64().map_or(absent, |count| u32::try_from(count).unwrap_or(u32::MAX))
        };
        DeploymentInfo {
            namespace: text(&deployment["metadata"]["namespace"]),
            name: text(&deployment["metadata"]["name"]),
            // Left out, it is one.
            replicas: count(&deployment["spec"]["replicas"], 1),
            ready: count(&deployment["status"]["readyReplicas"], 0),
        }
    }
}

fn namespace(path: &str) -> String {
    namespace_of(path).unwrap_or_default().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Counts;
    use crate::kube::testing::Bench;

    #[test]
    fn a_cluster_is_summed_up() {
        let bench = Bench::new();
        let info = bench.cluster.info();
        assert_eq!(info.name, "edge");
        let node = NodeInfo {
            name: "edge-control-1".into(),
            status: "Ready".into(),
            roles: Vec::new(),
            version: "v1.31.4".into(),
        };
        assert_eq!((info.nodes.len(), &info.nodes[0]), (3, &node));
        let pod = PodInfo {
            namespace: "web".into(),
            name: "web-1".into(),
            node: "edge-worker-1".into(),
            phase: "Running".into(),
        };
        assert_eq!((info.pods.len(), &info.pods[0]), (3, &pod));
        let deployment = DeploymentInfo { namespace: "web".into(), name: "web".into(), replicas: 3, ready: 3 };
        assert_eq!(info.deployments, [deployment]);
        assert_eq!(info.services, [ObjectInfo { namespace: "default".into(), name: "kubernetes".into() }]);
        let counts =
            Counts { nodes: 3, pods: 3, services: 1, secrets: 0, configmaps: 7, deployments: 1, namespaces: 6 };
        assert_eq!(bench.cluster.counts(), counts);
    }
}
