//! The summary schema: what may stand in a template's first document.
//!
//! Every list is optional. `age` and `upToDate`, which the earlier program's templates have, are accepted and mean nothing:
//! an object is as old as its cluster. `count: N` makes N objects of an entry, with `{{index}}` from 1 to N.

use super::ports::Ports;
use super::values::{Address, Annotations, Count, Data, Label, LabelValue, Labels, Name, Ready, Resources, Role, Text};
use serde::de::{Deserialize, Deserializer};

/// A whole summary.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `nodes` and other lists, or a Kubernetes object")]
pub(super) struct Summary {
    /// For people; a cluster's name comes from whoever creates it.
    #[serde(rename = "name")]
    pub(super) _name: Option<Text>,
    #[serde(default, deserialize_with = "list")]
    pub(super) namespaces: Vec<Namespace>,
    #[serde(default, deserialize_with = "list")]
    pub(super) nodes: Vec<Node>,
    #[serde(default, deserialize_with = "list")]
    pub(super) pods: Vec<Pod>,
    #[serde(default, deserialize_with = "list")]
    pub(super) services: Vec<Service>,
    #[serde(default, deserialize_with = "list")]
    pub(super) secrets: Vec<Secret>,
    #[serde(default, deserialize_with = "list")]
    pub(super) configmaps: Vec<ConfigMap>,
    #[serde(default, deserialize_with = "list")]
    pub(super) deployments: Vec<Deployment>,
    /// Whole Kubernetes objects.
    #[serde(default, deserialize_with = "list")]
    pub(super) manifests: Vec<serde_json::Value>,
}

/// A namespace. Those that other entries name need not be listed.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`")]
pub(super) struct Namespace {
    pub(super) name: Label,
    pub(super) count: Option<Count>,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Annotations,
}

/// A node.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "a mapping with `name`")]
pub(super) struct Node {
    pub(super) name: Name,
    pub(super) count: Option<Count>,
    #[serde(default)]
    pub(super) status: NodeStatus,
    /// None means a worker.
    #[serde(default)]
    pub(super) roles: Vec<Role>,
    /// Default: the agent's `KubernetesVersion`.
    pub(super) version: Option<Text>,
    /// Default: 4 CPUs, 8Gi, 110 pods.
    #[serde(default)]
    pub(super) capacity: Resources,
    /// Default: the capacity.
    #[serde(default)]
    pub(super) allocatable: Resources,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Annotations,
    #[serde(rename = "internalIP", alias = "internalip")]
    pub(super) internal_ip: Option<Address>,
    #[serde(rename = "externalIP", alias = "externalip")]
    pub(super) external_ip: Option<Address>,
    #[serde(alias = "osimage")]
    pub(super) os_image: Option<Text>,
    #[serde(alias = "kernelver")]
    pub(super) kernel_version: Option<Text>,
    #[serde(alias = "containerruntime")]
    pub(super) container_runtime: Option<Text>,
    pub(super) architecture: Option<LabelValue>,
    #[serde(rename = "age")]
    pub(super) _age: Option<Text>,
}

/// What a node's Ready condition says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
pub(super) enum NodeStatus {
    #[default]
    Ready,
    NotReady,
    Unknown,
}

/// A pod that belongs to nothing.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`")]
pub(super) struct Pod {
    pub(super) name: Name,
    #[serde(default = "default_namespace")]
    pub(super) namespace: Label,
    pub(super) count: Option<Count>,
    /// Default: the pods without a node are spread over the workers.
    pub(super) node: Option<Name>,
    #[serde(default)]
    pub(super) status: PodStatus,
    /// Containers that are ready, of how many; default 1/1.
    pub(super) ready: Option<Ready>,
    #[serde(default)]
    pub(super) restarts: u32,
    pub(super) image: Option<Text>,
    pub(super) ip: Option<Address>,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Annotations,
    #[serde(default)]
    pub(super) requests: Resources,
    #[serde(default)]
    pub(super) limits: Resources,
    #[serde(rename = "age")]
    pub(super) _age: Option<Text>,
}

/// What kubectl prints as a pod's status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
pub(super) enum PodStatus {
    #[default]
    Running,
    Pending,
    ContainerCreating,
    ImagePullBackOff,
    CrashLoopBackOff,
    #[serde(alias = "Completed")]
    Succeeded,
    #[serde(alias = "Error")]
    Failed,
}

impl PodStatus {
    /// Whether its containers ended and stay ended.
    pub(super) fn is_finished(self) -> bool {
        matches!(self, PodStatus::Succeeded | PodStatus::Failed)
    }
}

/// A service.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`")]
pub(super) struct Service {
    pub(super) name: Label,
    #[serde(default = "default_namespace")]
    pub(super) namespace: Label,
    pub(super) count: Option<Count>,
    #[serde(default, rename = "type")]
    pub(super) kind: ServiceType,
    /// Default: the next free one; `None` makes a headless service.
    #[serde(rename = "clusterIP", alias = "clusterip")]
    pub(super) cluster_ip: Option<Address>,
    #[serde(rename = "externalIP", alias = "externalip")]
    pub(super) external_ip: Option<Address>,
    #[serde(default)]
    pub(super) ports: Ports,
    /// Default: `app: <name>`.
    pub(super) selector: Option<Labels>,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Annotations,
    #[serde(rename = "age")]
    pub(super) _age: Option<Text>,
}

/// How a service is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(super) enum ServiceType {
    #[default]
    ClusterIP,
    NodePort,
    LoadBalancer,
}

/// A secret; its data is written as plain text.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`")]
pub(super) struct Secret {
    pub(super) name: Name,
    #[serde(default = "default_namespace")]
    pub(super) namespace: Label,
    pub(super) count: Option<Count>,
    /// Default: `Opaque`.
    #[serde(rename = "type")]
    pub(super) kind: Option<Text>,
    #[serde(default)]
    pub(super) data: Data,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Annotations,
    #[serde(rename = "age")]
    pub(super) _age: Option<Text>,
}

/// A configmap.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`")]
pub(super) struct ConfigMap {
    pub(super) name: Name,
    #[serde(default = "default_namespace")]
    pub(super) namespace: Label,
    pub(super) count: Option<Count>,
    #[serde(default)]
    pub(super) data: Data,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Annotations,
    #[serde(rename = "age")]
    pub(super) _age: Option<Text>,
}

/// A deployment; it brings its replica set and pods.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "a mapping with `name`")]
pub(super) struct Deployment {
    pub(super) name: Name,
    #[serde(default = "default_namespace")]
    pub(super) namespace: Label,
    pub(super) count: Option<Count>,
    /// Default: the total of `ready`, else 1.
    pub(super) replicas: Option<Count>,
    /// Pods that are ready, of how many; default all.
    pub(super) ready: Option<Ready>,
    pub(super) image: Option<Text>,
    /// The ports its containers listen on.
    #[serde(default)]
    pub(super) ports: Ports,
    /// Default: `app: <name>`. They are the selector, too.
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Annotations,
    #[serde(default)]
    pub(super) requests: Resources,
    #[serde(default)]
    pub(super) limits: Resources,
    #[serde(rename = "upToDate", alias = "uptodate")]
    pub(super) _up_to_date: Option<Text>,
    #[serde(rename = "available")]
    pub(super) _available: Option<Text>,
    #[serde(rename = "age")]
    pub(super) _age: Option<Text>,
}

impl Deployment {
    /// How many pods it has.
    pub(super) fn replicas(&self) -> usize {
        self.replicas.map(|count| count.0).or(self.ready.map(|ready| ready.total)).unwrap_or(1)
    }
}

/// What all kinds of entries have in common.
pub(super) trait Entry: for<'de> Deserialize<'de> {
    /// The Kubernetes kind of the object it makes.
    const KIND: &'static str;
    /// The list of the summary it stands in.
    const LIST: &'static str;
    /// The object's name.
    fn name(&self) -> &str;
    /// The object's namespace; empty for what has none.
    fn namespace(&self) -> &str;
    /// How many objects it makes, if it says so.
    fn count(&self) -> Option<Count>;
}

macro_rules! entry {
    ($type:ident, $list:literal, namespaced) => {
        entry!($type, $list, |entry: &$type| entry.namespace.0.as_str());
    };
    ($type:ident, $list:literal, cluster) => {
        entry!($type, $list, |_: &$type| "");
    };
    ($type:ident, $list:literal, $namespace:expr) => {
        impl Entry for $type {
            const KIND: &'static str = stringify!($type);
            const LIST: &'static str = $list;

            fn name(&self) -> &str {
                &self.name.0
            }

            fn namespace(&self) -> &str {
                let namespace: fn(&$type) -> &str = $namespace;
                namespace(self)
            }

            fn count(&self) -> Option<Count> {
                self.count
            }
        }
    };
}

entry!(Namespace, "namespaces", cluster);
entry!(Node, "nodes", cluster);
entry!(Pod, "pods", namespaced);
entry!(Service, "services", namespaced);
entry!(Secret, "secrets", namespaced);
entry!(ConfigMap, "configmaps", namespaced);
entry!(Deployment, "deployments", namespaced);

/// A list that may be left empty (`pods:`).
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn default_namespace() -> Label {
    Label("default".into())
}
