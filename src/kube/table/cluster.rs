//! The columns of access control, networking, storage and the API itself.

use super::column::{AGE, CREATED_AT, Column, NAME, Row, boolean, first_three, integer, text};
use super::core::load_balancer;
use super::duration;
use serde_json::Value;

/// Kinds without printers of their own.
pub(super) const DEFAULT: &[Column] = &[NAME, CREATED_AT];

pub(super) const BINDINGS: &[Column] = &[
    NAME,
    text("Role", |row| format!("{}/{}", row.text("roleRef.kind"), row.text("roleRef.name")).into()),
    AGE,
    text("Users", |row| subjects(row, "User").into()).wide(),
    text("Groups", |row| subjects(row, "Group").into()).wide(),
    text("ServiceAccounts", |row| subjects(row, "ServiceAccount").into()).wide(),
];

pub(super) const CERTIFICATE_SIGNING_REQUESTS: &[Column] = &[
    NAME,
    AGE,
    text("SignerName", |row| row.text_or("spec.signerName", NONE).into()),
    text("Requestor", |row| row.text("spec.username").into()),
    text("RequestedDuration", |row| match row.at("spec.expirationSeconds").as_i64() {
        Some(seconds) => duration::human(seconds).into(),
        None => NONE.into(),
    }),
    text("Condition", |row| signing_condition(row).into()),
];

pub(super) const LEASES: &[Column] = &[NAME, text("Holder", |row| row.text("spec.holderIdentity").into()), AGE];

pub(super) const NETWORK_POLICIES: &[Column] =
    &[NAME, text("Pod-Selector", |row| row.selector("spec.podSelector").into()), AGE];

pub(super) const INGRESSES: &[Column] = &[
    NAME,
    text("Class", |row| row.text_or("spec.ingressClassName", NONE).into()),
    text("Hosts", |row| hosts(row).into()),
    text("Address", |row| load_balancer(row).into_iter().collect::<Vec<_>>().join(",").into()),
    text("Ports", |row| if row.count("spec.tls") > 0 { "80, 443".into() } else { "80".into() }),
    AGE,
];

pub(super) const INGRESS_CLASSES: &[Column] = &[
    NAME,
    text("Controller", |row| row.text("spec.controller").into()),
    text("Parameters", |row| parameters(row).into()),
    AGE,
];

pub(super) const ENDPOINT_SLICES: &[Column] = &[
    NAME,
    text("AddressType", |row| row.text("addressType").into()),
    text("Ports", |row| slice_ports(row).into()),
    text("Endpoints", |row| slice_endpoints(row).into()),
    AGE,
];

pub(super) const STORAGE_CLASSES: &[Column] = &[
    Column { cell: |row| storage_class_name(row).into(), ..NAME },
    text("Provisioner", |row| row.text("provisioner").into()),
    text("ReclaimPolicy", |row| row.text_or("reclaimPolicy", "Delete").into()),
    text("VolumeBindingMode", |row| row.text_or("volumeBindingMode", "Immediate").into()),
    text("AllowVolumeExpansion", |row| row.at("allowVolumeExpansion").as_bool().unwrap_or_default().into()),
    AGE,
];

pub(super) const VOLUME_ATTACHMENTS: &[Column] = &[
    NAME,
    text("Attacher", |row| row.text("spec.attacher").into()),
    text("PV", |row| row.text("spec.source.persistentVolumeName").into()),
    text("Node", |row| row.text("spec.nodeName").into()),
    boolean("Attached", |row| row.at("status.attached").as_bool().unwrap_or_default().into()),
    AGE,
];

pub(super) const CSI_NODES: &[Column] = &[NAME, integer("Drivers", |row| row.count("spec.drivers").into()), AGE];

pub(super) const CSI_DRIVERS: &[Column] = &[
    NAME,
    boolean("AttachRequired", |row| row.at("spec.attachRequired").as_bool().unwrap_or(true).into()),
    boolean("PodInfoOnMount", |row| row.at("spec.podInfoOnMount").as_bool().unwrap_or_default().into()),
    boolean("StorageCapacity", |row| row.at("spec.storageCapacity").as_bool().unwrap_or_default().into()),
    text("TokenRequests", |row| match row.join("spec.tokenRequests", "audience").as_str() {
        "" => "<unset>".into(),
        audiences => audiences.into(),
    }),
    boolean("RequiresRepublish", |row| row.at("spec.requiresRepublish").as_bool().unwrap_or_default().into()),
    text("Modes", |row| {
        let modes: Vec<&str> = row.items("spec.volumeLifecycleModes").iter().filter_map(Value::as_str).collect();
        if modes.is_empty() { NONE.into() } else { modes.join(",").into() }
    }),
    AGE,
];

pub(super) const CSI_STORAGE_CAPACITIES: &[Column] = &[
    NAME,
    text("StorageClassName", |row| row.text("storageClassName").into()),
    text("Capacity", |row| row.text_or("capacity", "<unset>").into()),
];

pub(super) const RUNTIME_CLASSES: &[Column] = &[NAME, text("Handler", |row| row.text("handler").into()), AGE];

pub(super) const WEBHOOKS: &[Column] = &[NAME, integer("Webhooks", |row| row.count("webhooks").into()), AGE];

pub(super) const ADMISSION_POLICIES: &[Column] = &[
    NAME,
    integer("Validations", |row| row.count("spec.validations").into()),
    text("ParamKind", |row| match row.text("spec.paramKind.kind") {
        "" => "<unset>".into(),
        kind => format!("{}/{kind}", row.text("spec.paramKind.apiVersion")).into(),
    }),
    AGE,
];

pub(super) const ADMISSION_POLICY_BINDINGS: &[Column] = &[
    NAME,
    text("PolicyName", |row| row.text("spec.policyName").into()),
    text("ParamRef", |row| match (row.text("spec.paramRef.namespace"), row.text("spec.paramRef.name")) {
        (_, "") => "<unset>".into(),
        ("", name) => name.into(),
        (namespace, name) => format!("{namespace}/{name}").into(),
    }),
    AGE,
];

pub(super) const FLOW_SCHEMAS: &[Column] = &[
    NAME,
    text("PriorityLevel", |row| row.text_or("spec.priorityLevelConfiguration.name", NONE).into()),
    text("MatchingPrecedence", |row| row.integer("spec.matchingPrecedence").into()),
    text("DistinguisherMethod", |row| row.text_or("spec.distinguisherMethod.type", NONE).into()),
    AGE,
    text("MissingPL", |row| row.condition("Dangling").unwrap_or("?").into()),
];

pub(super) const PRIORITY_LEVELS: &[Column] = &[
    NAME,
    text("Type", |row| row.text("spec.type").into()),
    text("NominalConcurrencyShares", |row| limit(row, "spec.limited.nominalConcurrencyShares")),
    text("Queues", |row| limit(row, "spec.limited.limitResponse.queuing.queues")),
    text("HandSize", |row| limit(row, "spec.limited.limitResponse.queuing.handSize")),
    text("QueueLengthLimit", |row| limit(row, "spec.limited.limitResponse.queuing.queueLengthLimit")),
    AGE,
];

pub(super) const API_SERVICES: &[Column] = &[
    NAME,
    text("Service", |row| match row.text("spec.service.name") {
        "" => "Local".into(),
        name => format!("{}/{name}", row.text("spec.service.namespace")).into(),
    }),
    text("Available", |row| available(row).into()),
    AGE,
];

fn subjects(row: &Row<'_>, kind: &str) -> String {
    let of_kind = row.items("subjects").iter().filter(|subject| subject["kind"] == kind);
    let name = |subject: &Value| match (subject["namespace"].as_str(), subject["name"].as_str().unwrap_or_default()) {
        (Some(namespace), name) if kind == "ServiceAccount" => format!("{namespace}/{name}"),
        (_, name) => name.to_owned(),
    };
    of_kind.map(name).collect::<Vec<_>>().join(", ")
}

fn signing_condition(row: &Row<'_>) -> String {
    let has = |kind: &str| row.items("status.conditions").iter().any(|condition| condition["type"] == kind);
    let mut condition = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied".to_owned(),
        (_, true) => "Approved".into(),
        _ => "Pending".into(),
    };
    if has("Failed") {
        condition.push_str(",Failed");
    }
    if !row.text("status.certificate").is_empty() {
        condition.push_str(",Issued");
    }
    condition
}

fn hosts(row: &Row<'_>) -> String {
    let hosts = row.items("spec.rules").iter().filter_map(|rule| rule["host"].as_str()).filter(|host| !host.is_empty());
    first_three(&hosts.map(str::to_owned).collect::<Vec<_>>(), "*")
}

fn parameters(row: &Row<'_>) -> String {
    let of = |name: &str| row.at("spec.parameters")[name].as_str();
    let Some(kind) = of("kind") else { return NONE.into() };
    let group = of("apiGroup").map(|group| format!(".{group}")).unwrap_or_default();
    format!("{kind}{group}/{}", of("name").unwrap_or_default())
}

fn slice_ports(row: &Row<'_>) -> String {
    let port = |port: &Value| match (port["port"].as_i64(), port["name"].as_str()) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => "*".into(),
    };
    first_three(&row.items("ports").iter().map(port).collect::<Vec<_>>(), "<unset>")
}

fn slice_endpoints(row: &Row<'_>) -> String {
    let addresses = row.items("endpoints").iter().filter_map(|endpoint| endpoint["addresses"].as_array()).flatten();
    first_three(&addresses.filter_map(|address| address.as_str().map(str::to_owned)).collect::<Vec<_>>(), "<unset>")
}

fn storage_class_name(row: &Row<'_>) -> String {
    let annotations = row.at("metadata.annotations");
    let keys = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    let default = keys.iter().any(|key| annotations.get(key).is_some_and(|value| value == "true"));
    let name = row.text("metadata.name");
    if default { format!("{name} (default)") } else { name.into() }
}

fn limit(row: &Row<'_>, path: &str) -> Value {
    row.at(path).as_i64().map_or_else(|| NONE.into(), Value::from)
}

fn available(row: &Row<'_>) -> String {
    let conditions = row.items("status.conditions");
    let Some(condition) = conditions.iter().find(|condition| condition["type"] == "Available") else {
        return "Unknown".into();
    };
    match (condition["status"].as_str().unwrap_or("Unknown"), condition["reason"].as_str().unwrap_or_default()) {
        ("True", _) => "True".into(),
        (status, reason) => format!("{status} ({reason})"),
    }
}

const NONE: &str = "<none>";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::table::column::cells;
    use serde_json::json;

    #[test]
    fn bindings_sort_their_subjects() {
        let binding = json!({
            "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "User", "name": "u1"}, {"kind": "Group", "name": "g"}, {"kind": "User", "name": "u2"},
                {"kind": "ServiceAccount", "namespace": "n", "name": "s"}]
        });
        assert_eq!(cells(BINDINGS, binding), ["b", "ClusterRole/cluster-admin", "<unknown>", "u1, u2", "g", "n/s"]);
        let role = json!({"metadata": {"name": "r", "creationTimestamp": "2024-05-06T07:00:00Z"}});
        assert_eq!(cells(DEFAULT, role), ["r", "2024-05-06T07:00:00Z"]);
    }

    #[test]
    fn networking() {
        let ingress = json!({
            "metadata": {"name": "i"}, "spec": {"ingressClassName": "nginx", "rules": [{"host": "a"}, {"host": "b"}, {"host": "c"}, {"host": "d"}], "tls": [{}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}
        });
        assert_eq!(cells(INGRESSES, ingress)[1..5], ["nginx", "a,b,c + 1 more...", "1.2.3.4", "80, 443"]);
        assert_eq!(cells(NETWORK_POLICIES, json!({"spec": {"podSelector": {}}}))[1], "<none>");
        let slice = json!({"addressType": "IPv4", "ports": [{"name": "http", "port": 80}, {"name": "x"}], "endpoints": [{"addresses": ["10.1.2.3"]}]});
        assert_eq!(cells(ENDPOINT_SLICES, slice)[1..4], ["IPv4", "80,x", "10.1.2.3"]);
        assert_eq!(cells(LEASES, json!({"spec": {"holderIdentity": "n1"}}))[1], "n1");
    }

    #[test]
    fn the_api_itself() {
        let service = json!({"metadata": {"name": "v1."}, "spec": {}, "status": {"conditions": [{"type": "Available", "status": "True", "reason": "Local"}]}});
        assert_eq!(cells(API_SERVICES, service)[..3], ["v1.", "Local", "True"]);
        let broken = json!({"spec": {"service": {"namespace": "n", "name": "s"}}, "status": {"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints"}]}});
        assert_eq!(cells(API_SERVICES, broken)[1..3], ["n/s", "False (MissingEndpoints)"]);
        let csr = json!({"spec": {"signerName": "s", "username": "u", "expirationSeconds": 86400}, "status": {"conditions": [{"type": "Approved"}], "certificate": "YQ=="}});
        assert_eq!(cells(CERTIFICATE_SIGNING_REQUESTS, csr)[2..], ["s", "u", "24h", "Approved,Issued"]);
        let class = json!({"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}, "provisioner": "p"});
        assert_eq!(cells(STORAGE_CLASSES, class)[..5], ["fast (default)", "p", "Delete", "Immediate", "false"]);
    }
}
