//! Places pods on nodes.

use serde_json::Value;

/// Places pods on nodes and gives them addresses.
pub(super) struct Scheduler {
    nodes: Vec<Place>,
    /// Positions in `nodes` of those that take pods without a node of their own.
    workers: Vec<usize>,
    next: usize,
}

/// A node as the scheduler sees it.
struct Place {
    name: String,
    internal_ip: String,
    /// The pod network without its last byte, such as `10.42.0`.
    network: String,
    pods: usize,
}

/// Where a pod runs.
pub(super) struct Placement {
    pub(super) node: String,
    pub(super) host_ip: String,
    pub(super) pod_ip: String,
}

impl Scheduler {
    /// Pods go to nodes that are Ready and no control plane; to all Ready ones if there is no such node, else to all.
    pub(super) fn new<'a>(nodes: impl Iterator<Item = &'a Value>) -> Scheduler {
        let objects: Vec<&Value> = nodes.collect();
        let positions = |wanted: &dyn Fn(&Value) -> bool| -> Vec<usize> {
            objects.iter().enumerate().filter(|(_, node)| wanted(node)).map(|(position, _)| position).collect()
        };
        let workers =
            [positions(&|node| is_ready(node) && !is_control_plane(node)), positions(&is_ready), positions(&|_| true)];
        Scheduler {
            workers: workers.into_iter().find(|found| !found.is_empty()).unwrap_or_default(),
            nodes: objects.iter().map(|node| Place::new(node)).collect(),
            next: 0,
        }
    }

    /// The place of one more pod: on `node`, or on the next worker. None if there is no such node.
    pub(super) fn place(&mut self, node: Option<&str>, pod_ip: Option<&str>) -> Option<Placement> {
        let position = match node {
            Some(name) => self.nodes.iter().position(|place| place.name == name)?,
            None => {
                let turn = self.next.checked_rem(self.workers.len())?;
                self.next += 1;
                *self.workers.get(turn)?
            }
        };
        let place = self.nodes.get_mut(position)?;
        let host = FIRST_POD_HOST + place.pods % POD_HOSTS;
        place.pods += 1;
        Some(Placement {
            node: place.name.clone(),
            host_ip: place.internal_ip.clone(),
            pod_ip: pod_ip.map_or_else(|| format!("{}.{host}", place.network), str::to_string),
        })
    }
}

impl Place {
    fn new(node: &Value) -> Place {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_string();
        let addresses = node.pointer("/status/addresses").and_then(Value::as_array);
        let internal = addresses.into_iter().flatten().find(|address| address["type"] == "InternalIP");
        let cidr = text(node.pointer("/spec/podCIDR"));
        Place {
            name: text(node.pointer("/metadata/name")),
            internal_ip: text(internal.map(|address| &address["address"])),
            network: cidr.rsplit_once('.').map_or("10.42.0", |(network, _)| network).to_string(),
            pods: 0,
        }
    }
}

fn is_ready(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn is_control_plane(node: &Value) -> bool {
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    labels.is_some_and(|labels| {
        let has = |role: &str| labels.contains_key(&format!("node-role.kubernetes.io/{role}"));
        !has("worker") && ["control-plane", "controlplane", "master", "etcd"].into_iter().any(has)
    })
}

/// The first addresses of a pod network belong to the network itself and to the node's bridge.
const FIRST_POD_HOST: usize = 2;

/// Addresses for pods in a /24; a node with more pods gives some out twice.
const POD_HOSTS: usize = 253;
