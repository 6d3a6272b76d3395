//! The types of the built-in kinds: their fields, as the Go types of k8s.io/api v0.31 have them.
//!
//! A field reads `number name type`: its number in protobuf, its name in JSON. `[t]` is a list, `{t}` a map from strings, `..` a type whose
//! fields stand in the outer object. `kept` marks a field that is told from an absent one if it is zero, `shown` one that JSON shows
//! even if it is absent. What clients send is decoded, checked and described by these tables alone.

mod admissionregistration;
mod apiextensions;
mod apiregistration;
mod apps;
mod authentication;
mod authorization;
mod autoscaling;
mod autoscaling_v2;
mod batch;
mod certificates;
mod conform;
mod coordination;
mod core;
mod core_pods;
mod core_volumes;
mod discovery;
mod enums;
mod events;
mod flowcontrol;
mod lists;
mod message;
mod meta;
mod name;
mod networking;
mod node;
mod policy;
mod rbac;
mod required;
mod scheduling;
mod storage;

pub(super) use conform::{Mismatch, conform, empty};
pub(super) use enums::values;
pub(super) use lists::{List, Patch, Row, is_atomic, key_default, row};
pub(super) use message::{Field, INLINE, Kind, Message, Zero};
pub(super) use meta::{LIST_META, OBJECT_META};
pub(super) use name::schema_name;
pub(super) use required::is_required;

/// The type of a kind; options of a delete come under any group version.
pub(super) fn find(api_version: &str, kind: &str) -> Option<&'static Message> {
    if kind == "DeleteOptions" {
        return Some(&meta::DELETE_OPTIONS);
    }
    let api_version = if api_version == "flowcontrol.apiserver.k8s.io/v1beta3" {
        "flowcontrol.apiserver.k8s.io/v1"
    } else {
        api_version
    };
    KINDS.iter().find(|(version, name, _)| *version == api_version && *name == kind).map(|(.., message)| *message)
}

const KINDS: &[(&str, &str, &Message)] = &[
    ("v1", "Binding", &core_pods::BINDING),
    ("v1", "ComponentStatus", &core::COMPONENT_STATUS),
    ("v1", "ConfigMap", &core::CONFIG_MAP),
    ("v1", "Endpoints", &core::ENDPOINTS),
    ("v1", "Event", &core::EVENT),
    ("v1", "LimitRange", &core::LIMIT_RANGE),
    ("v1", "Namespace", &core::NAMESPACE),
    ("v1", "Node", &core::NODE),
    ("v1", "PersistentVolume", &core_volumes::PERSISTENT_VOLUME),
    ("v1", "PersistentVolumeClaim", &core_volumes::PERSISTENT_VOLUME_CLAIM),
    ("v1", "Pod", &core_pods::POD),
    ("v1", "PodTemplate", &core::POD_TEMPLATE),
    ("v1", "ReplicationController", &core::REPLICATION_CONTROLLER),
    ("v1", "ResourceQuota", &core::RESOURCE_QUOTA),
    ("v1", "Secret", &core::SECRET),
    ("v1", "Service", &core::SERVICE),
    ("v1", "ServiceAccount", &core::SERVICE_ACCOUNT),
    (
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        &admissionregistration::MUTATING_WEBHOOK_CONFIGURATION,
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        &admissionregistration::VALIDATING_ADMISSION_POLICY,
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
        &admissionregistration::VALIDATING_ADMISSION_POLICY_BINDING,
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        &admissionregistration::VALIDATING_WEBHOOK_CONFIGURATION,
    ),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", &apiextensions::CUSTOM_RESOURCE_DEFINITION),
    ("apiregistration.k8s.io/v1", "APIService", &apiregistration::API_SERVICE),
    ("apps/v1", "ControllerRevision", &apps::CONTROLLER_REVISION),
    ("apps/v1", "DaemonSet", &apps::DAEMON_SET),
    ("apps/v1", "Deployment", &apps::DEPLOYMENT),
    ("apps/v1", "ReplicaSet", &apps::REPLICA_SET),
    ("apps/v1", "StatefulSet", &apps::STATEFUL_SET),
    ("authentication.k8s.io/v1", "SelfSubjectReview", &authentication::SELF_SUBJECT_REVIEW),
    ("authentication.k8s.io/v1", "TokenRequest", &authentication::TOKEN_REQUEST),
    ("authentication.k8s.io/v1", "TokenReview", &authentication::TOKEN_REVIEW),
    ("authorization.k8s.io/v1", "LocalSubjectAccessReview", &authorization::LOCAL_SUBJECT_ACCESS_REVIEW),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview", &authorization::SELF_SUBJECT_ACCESS_REVIEW),
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview", &authorization::SELF_SUBJECT_RULES_REVIEW),
    ("authorization.k8s.io/v1", "SubjectAccessReview", &authorization::SUBJECT_ACCESS_REVIEW),
    ("autoscaling/v1", "HorizontalPodAutoscaler", &autoscaling::HORIZONTAL_POD_AUTOSCALER),
    ("autoscaling/v1", "Scale", &autoscaling::SCALE),
    ("autoscaling/v2", "HorizontalPodAutoscaler", &autoscaling_v2::HORIZONTAL_POD_AUTOSCALER),
    ("batch/v1", "CronJob", &batch::CRON_JOB),
    ("batch/v1", "Job", &batch::JOB),
    ("certificates.k8s.io/v1", "CertificateSigningRequest", &certificates::CERTIFICATE_SIGNING_REQUEST),
    ("coordination.k8s.io/v1", "Lease", &coordination::LEASE),
    ("discovery.k8s.io/v1", "EndpointSlice", &discovery::ENDPOINT_SLICE),
    ("events.k8s.io/v1", "Event", &events::EVENT),
    ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", &flowcontrol::FLOW_SCHEMA),
    ("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", &flowcontrol::PRIORITY_LEVEL_CONFIGURATION),
    ("networking.k8s.io/v1", "Ingress", &networking::INGRESS),
    ("networking.k8s.io/v1", "IngressClass", &networking::INGRESS_CLASS),
    ("networking.k8s.io/v1", "NetworkPolicy", &networking::NETWORK_POLICY),
    ("node.k8s.io/v1", "RuntimeClass", &node::RUNTIME_CLASS),
    ("policy/v1", "Eviction", &policy::EVICTION),
    ("policy/v1", "PodDisruptionBudget", &policy::POD_DISRUPTION_BUDGET),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", &rbac::CLUSTER_ROLE),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", &rbac::CLUSTER_ROLE_BINDING),
    ("rbac.authorization.k8s.io/v1", "Role", &rbac::ROLE),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", &rbac::ROLE_BINDING),
    ("scheduling.k8s.io/v1", "PriorityClass", &scheduling::PRIORITY_CLASS),
    ("storage.k8s.io/v1", "CSIDriver", &storage::CSI_DRIVER),
    ("storage.k8s.io/v1", "CSINode", &storage::CSI_NODE),
    ("storage.k8s.io/v1", "CSIStorageCapacity", &storage::CSI_STORAGE_CAPACITY),
    ("storage.k8s.io/v1", "StorageClass", &storage::STORAGE_CLASS),
    ("storage.k8s.io/v1", "VolumeAttachment", &storage::VOLUME_ATTACHMENT),
];
