//! Tables: what `kubectl get` prints, column by column as an API server's printers do.

mod cluster;
mod column;
mod core;
mod custom;
mod duration;
mod json_path;
mod pods;
mod workloads;

use super::{Cause, Resource, Status};
use column::{Column, Row};
use custom::CustomColumn;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The columns of one kind.
#[derive(Debug, Clone)]
pub struct Columns(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Builtin(&'static [Column]),
    Custom(Vec<CustomColumn>),
}

/// How much of each object a row carries (`includeObject`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// A `PartialObjectMetadata`.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

impl IncludeObject {
    /// Parses the query parameter; absent is [`IncludeObject::Metadata`]. An error is the 422 to answer.
    pub fn parse(parameter: Option<&str>) -> Result<IncludeObject, Status> {
        match parameter {
            None | Some("" | "Metadata") => Ok(IncludeObject::Metadata),
            Some("None") => Ok(IncludeObject::None),
            Some("Object") => Ok(IncludeObject::Object),
            Some(other) => {
                let problem = "must be 'Metadata', 'Object', 'None', or empty";
                Err(Status::invalid_options(
                    "TableOptions",
                    vec![Cause::invalid("includeObject", &json!(other), problem)],
                ))
            }
        }
    }
}

impl Columns {
    /// The printer columns of a built-in kind; kinds without their own have `Name` and `Created At`.
    pub fn of(resource: &Resource) -> Columns {
        let is_it = |(group, kind, _): &&(&str, &str, _)| *group == resource.group && *kind == resource.kind;
        Columns(Kind::Builtin(KINDS.iter().find(is_it).map_or(cluster::DEFAULT, |(.., columns)| *columns)))
    }

    /// The columns of a custom kind: `Name`, then the version's `additionalPrinterColumns`, or `Age` where there are none.
    pub fn custom(additional_printer_columns: Option<&Value>) -> Columns {
        Columns(Kind::Custom(custom::columns(additional_printer_columns)))
    }

    /// The `columnDefinitions` of a table.
    pub fn definitions(&self) -> Value {
        match &self.0 {
            Kind::Builtin(columns) => columns.iter().map(definition).collect(),
            Kind::Custom(columns) => {
                let columns = columns.iter().map(|column| column.definition.clone());
                std::iter::once(definition(&column::NAME)).chain(columns).collect()
            }
        }
    }

    /// One entry of a table's `rows`; `version` is that of `meta.k8s.io`.
    pub fn row(&self, object: &Value, version: &str, include: IncludeObject, now: Timestamp) -> Value {
        let row = Row { object, now };
        let cells: Value = match &self.0 {
            Kind::Builtin(columns) => columns.iter().map(|column| (column.cell)(&row)).collect(),
            Kind::Custom(columns) => {
                let cells = columns.iter().map(|column| column.cell(object, now));
                std::iter::once((column::NAME.cell)(&row)).chain(cells).collect()
            }
        };
        let mut entry = json!({"cells": cells});
        if object["kind"] == "Pod"
            && let Some(conditions) = pods::conditions(object)
        {
            entry["conditions"] = conditions;
        }
        entry["object"] = match include {
            IncludeObject::None => Value::Null,
            IncludeObject::Metadata => partial_metadata(object, version),
            IncludeObject::Object => object.clone(),
        };
        entry
    }
}

/// A whole table of `objects`. `metadata` is the list's own (`resourceVersion`, `continue`, …); `version` is that of
/// `meta.k8s.io`.
pub fn table<'a>(
    columns: &Columns,
    version: &str,
    metadata: Value,
    objects: impl IntoIterator<Item = &'a Value>,
    include: IncludeObject,
    now: Timestamp,
) -> Value {
    let rows = objects.into_iter().map(|object| columns.row(object, version, include, now));
    json!({
        "kind": "Table",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": metadata,
        "columnDefinitions": columns.definitions(),
        "rows": rows.collect::<Vec<_>>()
    })
}

/// The `PartialObjectMetadata` of an object.
pub fn partial_metadata(object: &Value, version: &str) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": format!("meta.k8s.io/{version}"), "metadata": object["metadata"]})
}

fn definition(column: &Column) -> Value {
    json!({
        "name": column.name,
        "type": column.kind,
        "format": column.format,
        "description": "",
        "priority": column.priority
    })
}

const KINDS: &[(&str, &str, &[Column])] = &[
    ("", "ComponentStatus", core::COMPONENT_STATUSES),
    ("", "ConfigMap", core::CONFIG_MAPS),
    ("", "Endpoints", core::ENDPOINTS),
    ("", "Event", core::EVENTS),
    ("", "Namespace", core::NAMESPACES),
    ("", "Node", core::NODES),
    ("", "PersistentVolume", core::PERSISTENT_VOLUMES),
    ("", "PersistentVolumeClaim", core::PERSISTENT_VOLUME_CLAIMS),
    ("", "Pod", pods::PODS),
    ("", "PodTemplate", workloads::POD_TEMPLATES),
    ("", "ReplicationController", workloads::REPLICATION_CONTROLLERS),
    ("", "ResourceQuota", core::RESOURCE_QUOTAS),
    ("", "Secret", core::SECRETS),
    ("", "Service", core::SERVICES),
    ("", "ServiceAccount", core::SERVICE_ACCOUNTS),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", cluster::WEBHOOKS),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", cluster::ADMISSION_POLICIES),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", cluster::ADMISSION_POLICY_BINDINGS),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", cluster::WEBHOOKS),
    ("apiregistration.k8s.io", "APIService", cluster::API_SERVICES),
    ("apps", "ControllerRevision", workloads::CONTROLLER_REVISIONS),
    ("apps", "DaemonSet", workloads::DAEMON_SETS),
    ("apps", "Deployment", workloads::DEPLOYMENTS),
    ("apps", "ReplicaSet", workloads::REPLICA_SETS),
    ("apps", "StatefulSet", workloads::STATEFUL_SETS),
    ("autoscaling", "HorizontalPodAutoscaler", workloads::HORIZONTAL_POD_AUTOSCALERS),
    ("batch", "CronJob", workloads::CRON_JOBS),
    ("batch", "Job", workloads::JOBS),
    ("certificates.k8s.io", "CertificateSigningRequest", cluster::CERTIFICATE_SIGNING_REQUESTS),
    ("coordination.k8s.io", "Lease", cluster::LEASES),
    ("discovery.k8s.io", "EndpointSlice", cluster::ENDPOINT_SLICES),
    ("events.k8s.io", "Event", core::NEW_EVENTS),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema", cluster::FLOW_SCHEMAS),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", cluster::PRIORITY_LEVELS),
    ("networking.k8s.io", "Ingress", cluster::INGRESSES),
    ("networking.k8s.io", "IngressClass", cluster::INGRESS_CLASSES),
    ("networking.k8s.io", "NetworkPolicy", cluster::NETWORK_POLICIES),
    ("node.k8s.io", "RuntimeClass", cluster::RUNTIME_CLASSES),
    ("policy", "PodDisruptionBudget", workloads::POD_DISRUPTION_BUDGETS),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", cluster::BINDINGS),
    ("rbac.authorization.k8s.io", "RoleBinding", cluster::BINDINGS),
    ("scheduling.k8s.io", "PriorityClass", workloads::PRIORITY_CLASSES),
    ("storage.k8s.io", "CSIDriver", cluster::CSI_DRIVERS),
    ("storage.k8s.io", "CSINode", cluster::CSI_NODES),
    ("storage.k8s.io", "CSIStorageCapacity", cluster::CSI_STORAGE_CAPACITIES),
    ("storage.k8s.io", "StorageClass", cluster::STORAGE_CLASSES),
    ("storage.k8s.io", "VolumeAttachment", cluster::VOLUME_ATTACHMENTS),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::{builtin, lookup};

    fn now() -> Timestamp {
        "2024-05-06T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn every_row_names_a_built_in_kind() {
        for (group, kind, _) in KINDS {
            assert!(builtin().iter().any(|r| r.group == *group && r.kind == *kind), "{group} {kind}");
        }
    }

    #[test]
    fn every_kind_prints_an_empty_object() {
        for resource in builtin() {
            let columns = Columns::of(resource);
            let cells = columns.row(&json!({}), "v1", IncludeObject::None, now())["cells"].as_array().unwrap().len();
            assert_eq!(cells, columns.definitions().as_array().unwrap().len(), "{}", resource.kind);
        }
    }

    #[test]
    fn a_table_is_what_kubectl_expects() {
        // Kubernetes documentation, "API concepts: receiving resources as tables".
        let columns = Columns::of(lookup("", "v1", "namespaces").unwrap().1);
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}, "status": {"phase": "Active"}});
        assert_eq!(
            table(&columns, "v1", json!({"resourceVersion": "10245"}), [&object], IncludeObject::Metadata, now()),
            json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "10245"},
                "columnDefinitions": [
                    {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
                    {"name": "Status", "type": "string", "format": "", "description": "", "priority": 0},
                    {"name": "Age", "type": "string", "format": "", "description": "", "priority": 0}
                ],
                "rows": [{
                    "cells": ["default", "Active", "<unknown>"],
                    "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "default"}}
                }]
            })
        );
    }

    #[test]
    fn custom_kinds_bring_their_columns() {
        let object = json!({
            "metadata": {"name": "x", "creationTimestamp": "2024-05-06T07:00:00Z"}, "spec": {"replicas": 3, "image": "i", "map": {"a": 1}}
        });
        let cells = |columns: &Columns| columns.row(&object, "v1", IncludeObject::None, now())["cells"].clone();
        assert_eq!(cells(&Columns::custom(None)), json!(["x", "60m"]));
        let columns = Columns::custom(Some(&json!([
            {"name": "Image", "type": "string", "jsonPath": ".spec.image", "priority": 1},
            {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
            {"name": "Map", "type": "string", "jsonPath": ".spec.map"},
            {"name": "Gone", "type": "string", "jsonPath": ".spec.gone"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
        ])));
        assert_eq!(cells(&columns), json!(["x", "i", 3, "{\"a\":1}", null, "60m"]));
        let definitions = columns.definitions();
        assert_eq!((&definitions[1]["name"], &definitions[1]["priority"]), (&json!("Image"), &json!(1)));
    }

    #[test]
    fn rows_carry_as_much_as_asked_for() {
        let columns = Columns::of(lookup("", "v1", "pods").unwrap().1);
        let pod = json!({"kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Failed"}});
        let row = |include| columns.row(&pod, "v1", include, now());
        assert_eq!(row(IncludeObject::None)["object"], Value::Null);
        assert_eq!(row(IncludeObject::Object)["object"], pod);
        assert_eq!(row(IncludeObject::Metadata)["conditions"][0]["reason"], "Failed");
        assert_eq!(IncludeObject::parse(None), Ok(IncludeObject::Metadata));
        assert_eq!(IncludeObject::parse(Some("Everything")).unwrap_err().code, 422);
    }
}
