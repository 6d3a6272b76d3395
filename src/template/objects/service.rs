//! Services.

use super::super::summary::{Service, ServiceType};
use super::super::values::Address;
use super::metadata::{labels, labels_or_app, metadata};
use serde_json::{Value, json};

/// The service at `position` among the template's services, which decides its address and node ports.
pub(super) fn service(entry: &Service, position: usize) -> Value {
    let name = entry.name.0.as_str();
    let headless = entry.cluster_ip.as_ref().is_some_and(|ip| ip.0 == "None");
    let given = entry.cluster_ip.as_ref().map(Address::list).unwrap_or_default();
    let cluster_ip = match given.first() {
        _ if headless => "None".to_string(),
        Some(ip) => (*ip).to_string(),
        None => cluster_ip(position),
    };
    let selector = entry.selector.as_ref().map_or_else(|| labels_or_app(&Default::default(), name), labels);
    let ports: Vec<Value> = entry
        .ports
        .0
        .iter()
        .enumerate()
        .map(|(number, port)| {
            let target = port.target_port.as_ref().map_or_else(|| json!(port.port), |target| int_or_string(&target.0));
            let mut value = json!({"port": port.port, "targetPort": target, "protocol": port.protocol});
            // Several ports of a service must be told apart by name.
            if let Some(name) = port
                .name
                .as_ref()
                .map(|name| name.0.clone())
                .or_else(|| (entry.ports.0.len() > 1).then(|| format!("port-{number}")))
            {
                value["name"] = json!(name);
            }
            if entry.kind != ServiceType::ClusterIP {
                let free = NODE_PORTS_FROM + (position * 8 + number) % NODE_PORTS;
                value["nodePort"] = port.node_port.map_or(json!(free), |given| json!(given));
            }
            value
        })
        .collect();
    let mut spec = json!({
        "type": entry.kind,
        "clusterIP": cluster_ip,
        "clusterIPs": [cluster_ip],
        "selector": selector,
        "sessionAffinity": "None",
        "ipFamilies": [if cluster_ip.contains(':') { "IPv6" } else { "IPv4" }],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
    });
    if !ports.is_empty() {
        spec["ports"] = ports.into();
    }
    if entry.kind != ServiceType::ClusterIP {
        spec["externalTrafficPolicy"] = json!("Cluster");
    }
    let external = entry.external_ip.as_ref().map(Address::list).unwrap_or_default();
    let mut load_balancer = json!({});
    if entry.kind == ServiceType::LoadBalancer {
        spec["allocateLoadBalancerNodePorts"] = json!(true);
        if !external.is_empty() {
            load_balancer["ingress"] = external.iter().map(|ip| json!({"ip": ip, "ipMode": "VIP"})).collect();
        }
    } else if !external.is_empty() {
        spec["externalIPs"] = json!(external);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, &entry.namespace.0, &labels(&entry.labels), &entry.annotations),
        "spec": spec,
        "status": {"loadBalancer": load_balancer},
    })
}

/// From 10.43.1.1 on: the first 256 addresses are for those that are written down, as that of the cluster's DNS is.
fn cluster_ip(position: usize) -> String {
    format!("10.43.{}.{}", 1 + position / 250 % 250, 1 + position % 250)
}

fn int_or_string(text: &str) -> Value {
    text.parse::<u16>().map_or_else(|_| json!(text), |port| json!(port))
}

/// The range of node ports (kube-apiserver `--service-node-port-range`).
const NODE_PORTS_FROM: usize = 30_000;
const NODE_PORTS: usize = 2768;
