//! The messages a protobuf body may hold: field numbers, JSON names and types, as the `generated.proto` files of k8s.io/api v0.31 give them.
//!
//! A field reads `number name type`; `[t]` is a list, `{t}` a map from strings, `..` a message whose fields stand in the outer
//! object. `kept` marks a plain value that JSON shows even if it is zero.

mod apps;
mod authentication;
mod authorization;
mod autoscaling;
mod batch;
mod coordination;
mod core;
mod core_pods;
mod core_volumes;
mod discovery;
mod events;
mod meta;
mod networking;
mod policy;
mod rbac;
mod scheduling;

use super::message::{Message, messages};

/// The message of an object's kind; options of a delete come under any group version.
pub(super) fn find(api_version: &str, kind: &str) -> Option<&'static Message> {
    if kind == "DeleteOptions" {
        return Some(&meta::DELETE_OPTIONS);
    }
    KINDS.iter().find(|(version, name, _)| *version == api_version && *name == kind).map(|(.., message)| *message)
}

const KINDS: &[(&str, &str, &Message)] = &[
    ("v1", "Secret", &core::SECRET),
    ("v1", "ServiceAccount", &core::SERVICE_ACCOUNT),
    ("v1", "Namespace", &core::NAMESPACE),
    ("v1", "ConfigMap", &core::CONFIG_MAP),
    ("v1", "Pod", &core_pods::POD),
    ("v1", "Binding", &core_pods::BINDING),
    ("v1", "Node", &core::NODE),
    ("v1", "Event", &core::EVENT),
    ("v1", "Service", &core::SERVICE),
    ("v1", "Endpoints", &core::ENDPOINTS),
    ("v1", "PersistentVolumeClaim", &core_volumes::PERSISTENT_VOLUME_CLAIM),
    ("v1", "ResourceQuota", &core::RESOURCE_QUOTA),
    ("v1", "LimitRange", &core::LIMIT_RANGE),
    ("authentication.k8s.io/v1", "TokenRequest", &authentication::TOKEN_REQUEST),
    ("authentication.k8s.io/v1", "TokenReview", &authentication::TOKEN_REVIEW),
    ("authentication.k8s.io/v1", "SelfSubjectReview", &authentication::SELF_SUBJECT_REVIEW),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview", &authorization::SELF_SUBJECT_ACCESS_REVIEW),
    ("authorization.k8s.io/v1", "SubjectAccessReview", &authorization::SUBJECT_ACCESS_REVIEW),
    ("authorization.k8s.io/v1", "LocalSubjectAccessReview", &authorization::LOCAL_SUBJECT_ACCESS_REVIEW),
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview", &authorization::SELF_SUBJECT_RULES_REVIEW),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", &rbac::CLUSTER_ROLE),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", &rbac::CLUSTER_ROLE_BINDING),
    ("rbac.authorization.k8s.io/v1", "Role", &rbac::ROLE),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", &rbac::ROLE_BINDING),
    ("batch/v1", "Job", &batch::JOB),
    ("batch/v1", "CronJob", &batch::CRON_JOB),
    ("apps/v1", "Deployment", &apps::DEPLOYMENT),
    ("apps/v1", "DaemonSet", &apps::DAEMON_SET),
    ("apps/v1", "ReplicaSet", &apps::REPLICA_SET),
    ("apps/v1", "StatefulSet", &apps::STATEFUL_SET),
    ("autoscaling/v1", "Scale", &autoscaling::SCALE),
    ("coordination.k8s.io/v1", "Lease", &coordination::LEASE),
    ("policy/v1", "Eviction", &policy::EVICTION),
    ("policy/v1", "PodDisruptionBudget", &policy::POD_DISRUPTION_BUDGET),
    ("networking.k8s.io/v1", "NetworkPolicy", &networking::NETWORK_POLICY),
    ("networking.k8s.io/v1", "Ingress", &networking::INGRESS),
    ("scheduling.k8s.io/v1", "PriorityClass", &scheduling::PRIORITY_CLASS),
    ("discovery.k8s.io/v1", "EndpointSlice", &discovery::ENDPOINT_SLICE),
    ("events.k8s.io/v1", "Event", &events::EVENTS_EVENT),
];
