//! How the lists and maps of built-in kinds merge: the `listType`, `listMapKey`, `mapType`, `patchStrategy` and `patchMergeKey` marks of
//! k8s.io/api v0.31. What no row names is what most of the API is: a map merges key by key, a list is one value.

use super::message::{Field, Message};
use super::{
    admissionregistration, apiextensions, apiregistration, apps, autoscaling, autoscaling_v2, batch, certificates,
    core, core_pods, core_volumes, discovery, flowcontrol, meta, networking, node, policy, rbac, storage,
};

/// Who may own what of a list or map when fields have owners (`x-kubernetes-list-type`, `x-kubernetes-map-type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kube) enum List {
    /// All of it belongs together: every list without a mark.
    Atomic,
    /// Each key by itself: every map without a mark.
    Granular,
    /// Each value by itself.
    Set,
    /// Each element by itself, told apart by these fields.
    Map(&'static [&'static str]),
}

/// How a strategic merge patch changes a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kube) enum Patch {
    /// A map key by key, a list as a whole.
    Plain,
    /// A map as a whole.
    Replace,
    /// A list of plain values, as a set.
    Merge,
    /// A list of maps, matched by this key.
    MergeBy(&'static str),
}

/// One field that merges in its own way.
#[derive(Debug, Clone, Copy)]
pub(in crate::kube) struct Row {
    of: &'static Message,
    field: &'static str,
    pub list: List,
    pub patch: Patch,
    /// Whether clients tell which of its keys are to stay (`retainKeys`).
    pub retains: bool,
}

/// The row of a field.
pub(in crate::kube) fn row(of: &Message, field: &str) -> Option<&'static Row> {
    FIELDS.iter().find(|row| row.field == field && std::ptr::eq(row.of, of))
}

/// Whether an object of this type belongs together (`x-kubernetes-map-type: atomic`).
pub(in crate::kube) fn is_atomic(message: &Message) -> bool {
    ATOMIC.iter().any(|atomic| std::ptr::eq(*atomic, message))
}

/// What stands for a key that an element does not have.
pub(in crate::kube) fn key_default(of: &Message, field: &Field) -> Option<&'static str> {
    match (of.name, field.json) {
        ("SERVICE_PORT" | "CONTAINER_PORT", "protocol") => Some("TCP"),
        _ => None,
    }
}

const fn plain(of: &'static Message, field: &'static str) -> Row {
    Row { of, field, list: List::Granular, patch: Patch::Plain, retains: false }
}

const fn atomic(of: &'static Message, field: &'static str) -> Row {
    Row { list: List::Atomic, ..plain(of, field) }
}

const fn set(of: &'static Message, field: &'static str) -> Row {
    Row { list: List::Set, ..plain(of, field) }
}

const fn merged_set(of: &'static Message, field: &'static str) -> Row {
    Row { patch: Patch::Merge, ..set(of, field) }
}

const fn told(of: &'static Message, field: &'static str, keys: &'static [&'static str]) -> Row {
    Row { list: List::Map(keys), ..plain(of, field) }
}

const fn by(of: &'static Message, field: &'static str, keys: &'static [&'static str]) -> Row {
    Row { patch: Patch::MergeBy(keys[0]), ..told(of, field, keys) }
}

static FIELDS: &[Row] = &[
    by(&admissionregistration::MUTATING_WEBHOOK, "matchConditions", &["name"]),
    by(&admissionregistration::MUTATING_WEBHOOK_CONFIGURATION, "webhooks", &["name"]),
    set(&admissionregistration::VALIDATING_ADMISSION_POLICY_BINDING_SPEC, "validationActions"),
    by(&admissionregistration::VALIDATING_ADMISSION_POLICY_SPEC, "matchConditions", &["name"]),
    by(&admissionregistration::VALIDATING_ADMISSION_POLICY_SPEC, "variables", &["name"]),
    told(&admissionregistration::VALIDATING_ADMISSION_POLICY_STATUS, "conditions", &["type"]),
    by(&admissionregistration::VALIDATING_WEBHOOK, "matchConditions", &["name"]),
    by(&admissionregistration::VALIDATING_WEBHOOK_CONFIGURATION, "webhooks", &["name"]),
    told(&apiextensions::CUSTOM_RESOURCE_DEFINITION_STATUS, "conditions", &["type"]),
    by(&apiregistration::API_SERVICE_STATUS, "conditions", &["type"]),
    by(&apps::DAEMON_SET_STATUS, "conditions", &["type"]),
    Row { retains: true, ..plain(&apps::DEPLOYMENT_SPEC, "strategy") },
    by(&apps::DEPLOYMENT_STATUS, "conditions", &["type"]),
    by(&apps::REPLICA_SET_STATUS, "conditions", &["type"]),
    by(&apps::STATEFUL_SET_STATUS, "conditions", &["type"]),
    by(&autoscaling_v2::HORIZONTAL_POD_AUTOSCALER_STATUS, "conditions", &["type"]),
    Row { list: List::Atomic, ..by(&batch::JOB_STATUS, "conditions", &["type"]) },
    set(&batch::POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT, "values"),
    set(&batch::UNCOUNTED_TERMINATED_PODS, "succeeded"),
    set(&batch::UNCOUNTED_TERMINATED_PODS, "failed"),
    told(&certificates::CERTIFICATE_SIGNING_REQUEST_STATUS, "conditions", &["type"]),
    by(&core::COMPONENT_STATUS, "conditions", &["type"]),
    by(&core::NAMESPACE_STATUS, "conditions", &["type"]),
    merged_set(&core::NODE_SPEC, "podCIDRs"),
    by(&core::NODE_STATUS, "conditions", &["type"]),
    by(&core::NODE_STATUS, "addresses", &["type"]),
    atomic(&core::REPLICATION_CONTROLLER_SPEC, "selector"),
    by(&core::REPLICATION_CONTROLLER_STATUS, "conditions", &["type"]),
    by(&core::SERVICE_ACCOUNT, "secrets", &["name"]),
    by(&core::SERVICE_SPEC, "ports", &["port", "protocol"]),
    atomic(&core::SERVICE_SPEC, "selector"),
    by(&core::SERVICE_STATUS, "conditions", &["type"]),
    by(&core_pods::CONTAINER, "ports", &["containerPort", "protocol"]),
    by(&core_pods::CONTAINER, "env", &["name"]),
    by(&core_pods::CONTAINER, "volumeMounts", &["mountPath"]),
    by(&core_pods::CONTAINER, "volumeDevices", &["devicePath"]),
    by(&core_pods::CONTAINER_STATUS, "volumeMounts", &["mountPath"]),
    by(&core_pods::CONTAINER_STATUS, "allocatedResourcesStatus", &["name"]),
    by(&core_pods::EPHEMERAL_CONTAINER_COMMON, "ports", &["containerPort", "protocol"]),
    by(&core_pods::EPHEMERAL_CONTAINER_COMMON, "env", &["name"]),
    by(&core_pods::EPHEMERAL_CONTAINER_COMMON, "volumeMounts", &["mountPath"]),
    by(&core_pods::EPHEMERAL_CONTAINER_COMMON, "volumeDevices", &["devicePath"]),
    Row { retains: true, ..by(&core_pods::POD_SPEC, "volumes", &["name"]) },
    by(&core_pods::POD_SPEC, "initContainers", &["name"]),
    by(&core_pods::POD_SPEC, "containers", &["name"]),
    by(&core_pods::POD_SPEC, "ephemeralContainers", &["name"]),
    atomic(&core_pods::POD_SPEC, "nodeSelector"),
    by(&core_pods::POD_SPEC, "imagePullSecrets", &["name"]),
    by(&core_pods::POD_SPEC, "hostAliases", &["ip"]),
    by(&core_pods::POD_SPEC, "topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    by(&core_pods::POD_SPEC, "schedulingGates", &["name"]),
    Row { retains: true, ..by(&core_pods::POD_SPEC, "resourceClaims", &["name"]) },
    by(&core_pods::POD_STATUS, "conditions", &["type"]),
    Row { list: List::Atomic, ..by(&core_pods::POD_STATUS, "hostIPs", &["ip"]) },
    by(&core_pods::POD_STATUS, "podIPs", &["ip"]),
    Row { retains: true, ..by(&core_pods::POD_STATUS, "resourceClaimStatuses", &["name"]) },
    told(&core_pods::RESOURCE_REQUIREMENTS, "claims", &["name"]),
    told(&core_pods::RESOURCE_STATUS, "resources", &["resourceID"]),
    by(&core_volumes::PERSISTENT_VOLUME_CLAIM_STATUS, "conditions", &["type"]),
    set(&discovery::ENDPOINT, "addresses"),
    by(&flowcontrol::FLOW_SCHEMA_STATUS, "conditions", &["type"]),
    set(&flowcontrol::NON_RESOURCE_POLICY_RULE, "verbs"),
    set(&flowcontrol::NON_RESOURCE_POLICY_RULE, "nonResourceURLs"),
    by(&flowcontrol::PRIORITY_LEVEL_CONFIGURATION_STATUS, "conditions", &["type"]),
    set(&flowcontrol::RESOURCE_POLICY_RULE, "verbs"),
    set(&flowcontrol::RESOURCE_POLICY_RULE, "apiGroups"),
    set(&flowcontrol::RESOURCE_POLICY_RULE, "resources"),
    set(&flowcontrol::RESOURCE_POLICY_RULE, "namespaces"),
    by(&meta::OBJECT_META, "ownerReferences", &["uid"]),
    merged_set(&meta::OBJECT_META, "finalizers"),
    atomic(&node::SCHEDULING, "nodeSelector"),
    Row { patch: Patch::Replace, ..plain(&policy::POD_DISRUPTION_BUDGET_SPEC, "selector") },
    by(&policy::POD_DISRUPTION_BUDGET_STATUS, "conditions", &["type"]),
    set(&storage::CSI_DRIVER_SPEC, "volumeLifecycleModes"),
    by(&storage::CSI_NODE_SPEC, "drivers", &["name"]),
];

static ATOMIC: &[&Message] = &[
    &admissionregistration::MATCH_RESOURCES,
    &admissionregistration::NAMED_RULE_WITH_OPERATIONS,
    &admissionregistration::PARAM_KIND,
    &admissionregistration::PARAM_REF,
    &admissionregistration::VARIABLE,
    &autoscaling::CROSS_VERSION_OBJECT_REFERENCE,
    &core::ENDPOINT_ADDRESS,
    &core::ENDPOINT_PORT,
    &core::OBJECT_REFERENCE,
    &core::SCOPE_SELECTOR,
    &core_pods::CONFIG_MAP_KEY_SELECTOR,
    &core_pods::NODE_SELECTOR,
    &core_pods::NODE_SELECTOR_TERM,
    &core_pods::OBJECT_FIELD_SELECTOR,
    &core_pods::RESOURCE_FIELD_SELECTOR,
    &core_pods::SECRET_KEY_SELECTOR,
    &core_pods::TOPOLOGY_SELECTOR_TERM,
    &core_volumes::LOCAL_OBJECT_REFERENCE,
    &core_volumes::SECRET_REFERENCE,
    &core_volumes::TYPED_LOCAL_OBJECT_REFERENCE,
    &discovery::ENDPOINT_PORT,
    &meta::LABEL_SELECTOR,
    &meta::OWNER_REFERENCE,
    &networking::SERVICE_BACKEND_PORT,
    &rbac::ROLE_REF,
    &rbac::SUBJECT,
];
