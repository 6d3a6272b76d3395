//! The columns of the core group, except what runs pods.

use super::column::{AGE, Column, NAME, Row, first_three, text};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) const NODES: &[Column] = &[
    NAME,
    text("Status", |row| node_status(row).into()),
    text("Roles", |row| roles(row).into()),
    AGE,
    text("Version", |row| row.text("status.nodeInfo.kubeletVersion").into()),
    text("Internal-IP", |row| address(row, "InternalIP").into()).wide(),
    text("External-IP", |row| address(row, "ExternalIP").into()).wide(),
    text("OS-Image", |row| row.text_or("status.nodeInfo.osImage", UNKNOWN).into()).wide(),
    text("Kernel-Version", |row| row.text_or("status.nodeInfo.kernelVersion", UNKNOWN).into()).wide(),
    text("Container-Runtime", |row| row.text_or("status.nodeInfo.containerRuntimeVersion", UNKNOWN).into()).wide(),
];

pub(super) const NAMESPACES: &[Column] = &[NAME, text("Status", |row| row.text("status.phase").into()), AGE];

pub(super) const SERVICES: &[Column] = &[
    NAME,
    text("Type", |row| row.text("spec.type").into()),
    text("Cluster-IP", |row| cluster_ip(row).into()),
    text("External-IP", |row| external_ip(row).into()),
    text("Port(s)", |row| ports(row).into()),
    AGE,
    text("Selector", |row| row.labels("spec.selector").into()).wide(),
];

pub(super) const ENDPOINTS: &[Column] = &[NAME, text("Endpoints", |row| endpoints(row).into()), AGE];

pub(super) const CONFIG_MAPS: &[Column] =
    &[NAME, text("Data", |row| (row.count("data") + row.count("binaryData")).into()), AGE];

pub(super) const SECRETS: &[Column] =
    &[NAME, text("Type", |row| row.text("type").into()), text("Data", |row| row.count("data").into()), AGE];

pub(super) const SERVICE_ACCOUNTS: &[Column] = &[NAME, text("Secrets", |row| row.count("secrets").into()), AGE];

pub(super) const RESOURCE_QUOTAS: &[Column] =
    &[NAME, AGE, text("Request", |row| quota(row, false).into()), text("Limit", |row| quota(row, true).into())];

pub(super) const EVENTS: &[Column] = &[
    text("Last Seen", |row| last_seen(row, "lastTimestamp", "firstTimestamp").into()),
    text("Type", |row| row.text("type").into()),
    text("Reason", |row| row.text("reason").into()),
    text("Object", |row| object(row, "involvedObject").into()),
    text("Subobject", |row| row.text("involvedObject.fieldPath").into()).wide(),
    text("Source", |row| source(row, "source").into()).wide(),
    text("Message", |row| row.text("message").trim().into()),
    text("First Seen", |row| first_seen(row, "firstTimestamp").into()).wide(),
    text("Count", |row| count(row, "count").into()).wide(),
    Column { priority: 1, ..NAME },
];

/// The same events under `events.k8s.io`, where the fields have other names.
pub(super) const NEW_EVENTS: &[Column] = &[
    text("Last Seen", |row| last_seen(row, "deprecatedLastTimestamp", "deprecatedFirstTimestamp").into()),
    text("Type", |row| row.text("type").into()),
    text("Reason", |row| row.text("reason").into()),
    text("Object", |row| object(row, "regarding").into()),
    text("Subobject", |row| row.text("regarding.fieldPath").into()).wide(),
    text("Source", |row| source(row, "deprecatedSource").into()).wide(),
    text("Message", |row| row.text("note").trim().into()),
    text("First Seen", |row| first_seen(row, "deprecatedFirstTimestamp").into()).wide(),
    text("Count", |row| count(row, "deprecatedCount").into()).wide(),
    Column { priority: 1, ..NAME },
];

pub(super) const PERSISTENT_VOLUMES: &[Column] = &[
    NAME,
    text("Capacity", |row| row.text_or("spec.capacity.storage", "0").into()),
    text("Access Modes", |row| access_modes(row, "spec.accessModes").into()),
    text("Reclaim Policy", |row| row.text("spec.persistentVolumeReclaimPolicy").into()),
    text("Status", |row| volume_phase(row).into()),
    text("Claim", |row| claim(row).into()),
    text("StorageClass", |row| storage_class(row).into()),
    text("VolumeAttributesClass", |row| row.text_or("spec.volumeAttributesClassName", UNSET).into()),
    text("Reason", |row| row.text("status.reason").into()),
    AGE,
    text("VolumeMode", |row| row.text_or("spec.volumeMode", UNSET).into()).wide(),
];

pub(super) const PERSISTENT_VOLUME_CLAIMS: &[Column] = &[
    NAME,
    text("Status", |row| volume_phase(row).into()),
    text("Volume", |row| row.text("spec.volumeName").into()),
    text("Capacity", |row| if_bound(row, row.text_or("status.capacity.storage", "0")).into()),
    text("Access Modes", |row| if_bound(row, &access_modes(row, "status.accessModes")).into()),
    text("StorageClass", |row| storage_class(row).into()),
    text("VolumeAttributesClass", |row| row.text_or("spec.volumeAttributesClassName", UNSET).into()),
    AGE,
    text("VolumeMode", |row| row.text_or("spec.volumeMode", UNSET).into()).wide(),
];

pub(super) const COMPONENT_STATUSES: &[Column] = &[
    NAME,
    text("Status", |row| match row.items("conditions").first().and_then(|condition| condition["status"].as_str()) {
        Some("True") => "Healthy".into(),
        Some(_) => "Unhealthy".into(),
        None => "Unknown".into(),
    }),
    text("Message", |row| row.items("conditions").first().map_or("", |c| c["message"].as_str().unwrap_or("")).into()),
    text("Error", |row| row.items("conditions").first().map_or("", |c| c["error"].as_str().unwrap_or("")).into()),
];

fn node_status(row: &Row<'_>) -> String {
    let ready = match row.condition("Ready") {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let disabled = row.at("spec.unschedulable") == &Value::Bool(true);
    if disabled { format!("{ready},SchedulingDisabled") } else { ready.into() }
}

fn roles(row: &Row<'_>) -> String {
    let labels = row.at("metadata.labels").as_object().into_iter().flatten();
    let role = |(key, value): (&String, &Value)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => Some(role.to_owned()),
        None if key == "kubernetes.io/role" => value.as_str().map(str::to_owned),
        None => None,
    };
    let roles: BTreeSet<String> = labels.filter_map(role).filter(|role| !role.is_empty()).collect();
    if roles.is_empty() { NONE.into() } else { roles.into_iter().collect::<Vec<_>>().join(",") }
}

fn address<'a>(row: &Row<'a>, kind: &str) -> &'a str {
    let addresses = row.items("status.addresses");
    let found = addresses.iter().find(|address| address["type"] == kind);
    found.and_then(|address| address["address"].as_str()).unwrap_or(NONE)
}

fn cluster_ip<'a>(row: &Row<'a>) -> &'a str {
    match row.items("spec.clusterIPs").first().and_then(Value::as_str) {
        Some(ip) => ip,
        None => row.text_or("spec.clusterIP", NONE),
    }
}

fn external_ip(row: &Row<'_>) -> String {
    let external: Vec<&str> = row.items("spec.externalIPs").iter().filter_map(Value::as_str).collect();
    match row.text("spec.type") {
        "ExternalName" => row.text("spec.externalName").into(),
        "LoadBalancer" => {
            let balanced = load_balancer(row);
            let all: Vec<&str> = balanced.iter().map(String::as_str).chain(external).collect();
            if all.is_empty() { "<pending>".into() } else { all.join(",") }
        }
        "ClusterIP" | "NodePort" if external.is_empty() => NONE.into(),
        "ClusterIP" | "NodePort" => external.join(","),
        _ => UNKNOWN.into(),
    }
}

/// The addresses of a load balancer, sorted.
pub(super) fn load_balancer(row: &Row<'_>) -> BTreeSet<String> {
    let ingress = row.items("status.loadBalancer.ingress").iter();
    let addresses = ingress.filter_map(|ingress| ingress["ip"].as_str().or_else(|| ingress["hostname"].as_str()));
    addresses.map(str::to_owned).collect()
}

fn ports(row: &Row<'_>) -> String {
    let port = |port: &Value| {
        let number = port["port"].as_i64().unwrap_or_default();
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        match port["nodePort"].as_i64() {
            Some(node @ 1..) => format!("{number}:{node}/{protocol}"),
            _ => format!("{number}/{protocol}"),
        }
    };
    let ports: Vec<String> = row.items("spec.ports").iter().map(port).collect();
    if ports.is_empty() { NONE.into() } else { ports.join(",") }
}

fn endpoints(row: &Row<'_>) -> String {
    let subsets = row.items("subsets");
    if subsets.is_empty() {
        return NONE.into();
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut all = Vec::new();
    for subset in subsets {
        let addresses: Vec<String> =
            list(&subset["addresses"]).iter().filter_map(|a| a["ip"].as_str().map(str::to_owned)).collect();
        let ports = list(&subset["ports"]);
        if ports.is_empty() {
            all.extend(addresses.iter().cloned());
        }
        for port in ports.iter().filter_map(|port| port["port"].as_i64()) {
            all.extend(
                addresses
                    .iter()
                    .map(|ip| if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }),
            );
        }
    }
    first_three(&all, "")
}

fn quota(row: &Row<'_>, limits: bool) -> String {
    let hard = row.at("status.hard").as_object().into_iter().flatten();
    let hard = hard.filter(|(name, _)| name.starts_with("limits.") == limits);
    let entry = |(name, hard): (&String, &Value)| {
        let used = row.at("status.used").get(name).and_then(Value::as_str).unwrap_or("0");
        format!("{name}: {used}/{}", hard.as_str().unwrap_or("0"))
    };
    hard.map(entry).collect::<Vec<_>>().join(", ")
}

fn first_seen(row: &Row<'_>, first: &str) -> String {
    if row.time(first).is_some() { row.since(first) } else { row.since("eventTime") }
}

fn last_seen(row: &Row<'_>, last: &str, first: &str) -> String {
    if row.at("series").is_object() {
        row.since("series.lastObservedTime")
    } else if row.time(last).is_some() {
        row.since(last)
    } else {
        first_seen(row, first)
    }
}

fn count(row: &Row<'_>, field: &str) -> i64 {
    if row.at("series").is_object() { row.integer("series.count") } else { row.integer(field).max(1) }
}

fn object(row: &Row<'_>, field: &str) -> String {
    let kind = row.at(field)["kind"].as_str().unwrap_or_default().to_lowercase();
    match row.at(field)["name"].as_str() {
        Some(name) if !name.is_empty() => format!("{kind}/{name}"),
        _ => kind,
    }
}

fn source(row: &Row<'_>, field: &str) -> String {
    let of = |name: &str| row.at(field)[name].as_str().filter(|text| !text.is_empty());
    let component = of("component").unwrap_or_else(|| row.text_or("reportingComponent", "")).to_owned();
    let component = if component.is_empty() { row.text("reportingController").to_owned() } else { component };
    match of("host").unwrap_or_else(|| row.text("reportingInstance")) {
        "" => component,
        host => format!("{component}, {host}"),
    }
}

fn access_modes(row: &Row<'_>, path: &str) -> String {
    let modes = row.items(path);
    let short =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let present = short.iter().filter(|(mode, _)| modes.iter().any(|other| other == mode));
    present.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

fn volume_phase<'a>(row: &Row<'a>) -> &'a str {
    if row.is_terminating() { "Terminating" } else { row.text("status.phase") }
}

fn if_bound(row: &Row<'_>, text: &str) -> String {
    if row.text("spec.volumeName").is_empty() { String::new() } else { text.into() }
}

fn claim(row: &Row<'_>) -> String {
    if !row.at("spec.claimRef").is_object() {
        return String::new();
    }
    format!("{}/{}", row.text("spec.claimRef.namespace"), row.text("spec.claimRef.name"))
}

fn storage_class<'a>(row: &Row<'a>) -> &'a str {
    // The annotation from before the field still counts.
    let annotation = row.at("metadata.annotations").get("volume.beta.kubernetes.io/storage-class");
    annotation.and_then(Value::as_str).unwrap_or_else(|| row.text("spec.storageClassName"))
}

const NONE: &str = "<none>";
const UNKNOWN: &str = "<unknown>";
const UNSET: &str = "<unset>";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::table::column::cells;
    use serde_json::json;

    #[test]
    fn nodes() {
        let node = json!({
            "metadata": {"name": "n1", "creationTimestamp": "2024-05-06T07:59:00Z", "labels": {
                "node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/etcd": "true", "kubernetes.io/role": "worker"}},
            "spec": {"unschedulable": true},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}], "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                "nodeInfo": {"kubeletVersion": "v1.31.4", "osImage": "Ubuntu 24.04", "containerRuntimeVersion": "containerd://1.7.23"}
            }
        });
        assert_eq!(
            cells(NODES, node),
            [
                "n1",
                "Ready,SchedulingDisabled",
                "control-plane,etcd,worker",
                "60s",
                "v1.31.4",
                "10.0.0.1",
                "<none>",
                "Ubuntu 24.04",
                "<unknown>",
                "containerd://1.7.23"
            ]
        );
        assert_eq!(cells(NODES, json!({"metadata": {"name": "n"}}))[..5], ["n", "Unknown", "<none>", "<unknown>", ""]);
    }

    #[test]
    fn services() {
        let service = |spec: Value, status: Value| {
            cells(SERVICES, json!({"metadata": {"name": "s"}, "spec": spec, "status": status}))[1..5].join(" ")
        };
        assert_eq!(
            service(
                json!({"type": "ClusterIP", "clusterIP": "10.43.0.1", "clusterIPs": ["10.43.0.1"], "ports": [{"port": 443, "protocol": "TCP"}]}),
                json!({})
            ),
            "ClusterIP 10.43.0.1 <none> 443/TCP"
        );
        assert_eq!(
            service(
                json!({"type": "NodePort", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]}),
                json!({})
            ),
            "NodePort 10.0.0.1 <none> 80:30080/TCP,53/UDP"
        );
        assert_eq!(
            service(json!({"type": "LoadBalancer", "clusterIPs": ["10.0.0.1"]}), json!({})),
            "LoadBalancer 10.0.0.1 <pending> <none>"
        );
        assert_eq!(
            service(
                json!({"type": "LoadBalancer", "externalIPs": ["9.9.9.9"]}),
                json!({"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"hostname": "a.b"}]}})
            ),
            "LoadBalancer <none> 2.2.2.2,a.b,9.9.9.9 <none>"
        );
        assert_eq!(
            service(json!({"type": "ExternalName", "externalName": "x.y"}), json!({})),
            "ExternalName <none> x.y <none>"
        );
    }

    #[test]
    fn endpoints_show_three() {
        let subsets =
            json!([{"addresses": [{"ip": "1.1.1.1"}, {"ip": "::1"}], "ports": [{"port": 80}, {"port": 443}]}]);
        assert_eq!(cells(ENDPOINTS, json!({"subsets": subsets}))[1], "1.1.1.1:80,[::1]:80,1.1.1.1:443 + 1 more...");
        assert_eq!(cells(ENDPOINTS, json!({}))[1], "<none>");
    }

    #[test]
    fn plain_counts() {
        assert_eq!(cells(CONFIG_MAPS, json!({"data": {"a": "", "b": ""}, "binaryData": {"c": ""}}))[1], "3");
        assert_eq!(cells(SECRETS, json!({"type": "Opaque", "data": {"a": ""}}))[1..3], ["Opaque", "1"]);
        assert_eq!(cells(SERVICE_ACCOUNTS, json!({}))[1], "0");
        assert_eq!(cells(NAMESPACES, json!({"status": {"phase": "Active"}}))[1], "Active");
        let quota = json!({"status": {"hard": {"pods": "5", "limits.cpu": "2"}, "used": {"pods": "1"}}});
        assert_eq!(cells(RESOURCE_QUOTAS, quota)[2..], ["pods: 1/5", "limits.cpu: 0/2"]);
    }

    #[test]
    fn events_of_both_groups_read_alike() {
        let old = json!({
            "metadata": {"name": "e"}, "type": "Normal", "reason": "Pulled", "message": " done\n", "count": 4, "source": {"component": "kubelet", "host": "n1"},
            "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec"}, "firstTimestamp": "2024-05-06T07:00:00Z", "lastTimestamp": "2024-05-06T07:59:30Z"
        });
        let expected = ["30s", "Normal", "Pulled", "pod/p", "spec", "kubelet, n1", "done", "60m", "4", "e"];
        assert_eq!(cells(EVENTS, old), expected);
        let new = json!({
            "metadata": {"name": "e"}, "type": "Normal", "reason": "Pulled", "note": "done", "reportingController": "kubelet", "reportingInstance": "n1",
            "regarding": {"kind": "Pod", "name": "p", "fieldPath": "spec"}, "eventTime": "2024-05-06T07:00:00.000000Z",
            "series": {"count": 4, "lastObservedTime": "2024-05-06T07:59:30.000000Z"}
        });
        assert_eq!(cells(NEW_EVENTS, new), expected);
    }

    #[test]
    fn volumes_and_claims() {
        let volume = json!({
            "metadata": {"name": "v"}, "status": {"phase": "Bound"},
            "spec": {"capacity": {"storage": "4Gi"}, "accessModes": ["ReadOnlyMany", "ReadWriteOnce"], "claimRef": {"namespace": "d", "name": "c"}, "storageClassName": "fast"}
        });
        assert_eq!(cells(PERSISTENT_VOLUMES, volume)[1..8], ["4Gi", "RWO,ROX", "", "Bound", "d/c", "fast", "<unset>"]);
        let claim = json!({"metadata": {"name": "c", "deletionTimestamp": "2024-05-06T07:00:00Z"}, "status": {"phase": "Pending", "capacity": {"storage": "4Gi"}}});
        assert_eq!(cells(PERSISTENT_VOLUME_CLAIMS, claim)[1..5], ["Terminating", "", "", ""]);
    }
}
