//! The summary of a cluster that the REST API serves (`ClusterInfo` of the design document).

use serde::Serialize;

/// A cluster's objects of the common kinds, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct NodeInfo {
    pub name: String,
    /// `Ready`, `NotReady` or `Unknown`.
    pub status: String,
    pub roles: Vec<String>,
    pub version: String,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct PodInfo {
    pub namespace: String,
    pub name: String,
    pub node: String,
    pub phase: String,
}

/// Any other object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct ObjectInfo {
    pub namespace: String,
    pub name: String,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct DeploymentInfo {
    pub namespace: String,
    pub name: String,
    pub replicas: u32,
    pub ready: u32,
}
