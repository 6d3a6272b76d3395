//! Which fields an object must have, as OpenAPI documents of Kubernetes 1.31 tell it.

use super::message::{Field, Kind, Message, Zero};
use super::{
    admissionregistration, apiextensions, apps, authentication, authorization, autoscaling, autoscaling_v2, batch,
    certificates, core, core_pods, core_volumes, discovery, events, flowcontrol, meta, networking, rbac, storage,
};

/// Whether `field` of `message` is required: as a rule, what is always shown and is neither an object nor a time.
pub(in crate::kube) fn is_required(message: &Message, field: &Field) -> bool {
    let is_in = |rows: &[(&Message, &[&str])]| {
        rows.iter().any(|(of, fields)| std::ptr::eq(*of, message) && fields.contains(&field.json))
    };
    let is_plain = matches!(field.kind, Kind::Text | Kind::Int | Kind::Long | Kind::Bool | Kind::List(_));
    is_in(REQUIRED) || (field.zero == Zero::Shown && is_plain && !is_in(OPTIONAL))
}

/// Required beside what the rule says.
static REQUIRED: &[(&Message, &[&str])] = &[
    (&admissionregistration::MUTATING_WEBHOOK, &["clientConfig", "sideEffects"]),
    (&admissionregistration::VALIDATING_WEBHOOK, &["clientConfig", "sideEffects"]),
    (&apiextensions::CUSTOM_RESOURCE_DEFINITION, &["spec"]),
    (&apiextensions::CUSTOM_RESOURCE_DEFINITION_SPEC, &["names"]),
    (&apps::DAEMON_SET_SPEC, &["selector", "template"]),
    (&apps::DEPLOYMENT_SPEC, &["selector", "template"]),
    (&apps::REPLICA_SET_SPEC, &["selector"]),
    (&apps::STATEFUL_SET_SPEC, &["selector", "template"]),
    (&authentication::TOKEN_REQUEST, &["spec"]),
    (&authentication::TOKEN_REQUEST_STATUS, &["expirationTimestamp"]),
    (&authentication::TOKEN_REVIEW, &["spec"]),
    (&authorization::LOCAL_SUBJECT_ACCESS_REVIEW, &["spec"]),
    (&authorization::SELF_SUBJECT_ACCESS_REVIEW, &["spec"]),
    (&authorization::SELF_SUBJECT_RULES_REVIEW, &["spec"]),
    (&authorization::SUBJECT_ACCESS_REVIEW, &["spec"]),
    (&autoscaling::HORIZONTAL_POD_AUTOSCALER_SPEC, &["scaleTargetRef"]),
    (&autoscaling_v2::CONTAINER_RESOURCE_METRIC_SOURCE, &["target"]),
    (&autoscaling_v2::CONTAINER_RESOURCE_METRIC_STATUS, &["current"]),
    (&autoscaling_v2::EXTERNAL_METRIC_SOURCE, &["metric", "target"]),
    (&autoscaling_v2::EXTERNAL_METRIC_STATUS, &["metric", "current"]),
    (&autoscaling_v2::HORIZONTAL_POD_AUTOSCALER_SPEC, &["scaleTargetRef"]),
    (&autoscaling_v2::OBJECT_METRIC_SOURCE, &["describedObject", "target", "metric"]),
    (&autoscaling_v2::OBJECT_METRIC_STATUS, &["metric", "current", "describedObject"]),
    (&autoscaling_v2::PODS_METRIC_SOURCE, &["metric", "target"]),
    (&autoscaling_v2::PODS_METRIC_STATUS, &["metric", "current"]),
    (&autoscaling_v2::RESOURCE_METRIC_SOURCE, &["target"]),
    (&autoscaling_v2::RESOURCE_METRIC_STATUS, &["current"]),
    (&batch::CRON_JOB_SPEC, &["jobTemplate"]),
    (&batch::JOB_SPEC, &["template"]),
    (&certificates::CERTIFICATE_SIGNING_REQUEST, &["spec"]),
    (&certificates::CERTIFICATE_SIGNING_REQUEST_SPEC, &["request"]),
    (&core::EVENT, &["metadata", "involvedObject"]),
    (&core_pods::BINDING, &["target"]),
    (&core_pods::HTTP_GET_ACTION, &["port"]),
    (&core_pods::PREFERRED_SCHEDULING_TERM, &["preference"]),
    (&core_pods::TCP_SOCKET_ACTION, &["port"]),
    (&core_pods::WEIGHTED_POD_AFFINITY_TERM, &["podAffinityTerm"]),
    (&core_volumes::PERSISTENT_VOLUME_CLAIM_TEMPLATE, &["spec"]),
    (&core_volumes::SCALE_IO_PERSISTENT_VOLUME_SOURCE, &["secretRef"]),
    (&core_volumes::SCALE_IO_VOLUME_SOURCE, &["secretRef"]),
    (&events::EVENT, &["eventTime"]),
    (&events::EVENT_SERIES, &["lastObservedTime"]),
    (&flowcontrol::FLOW_SCHEMA_SPEC, &["priorityLevelConfiguration"]),
    (&meta::CONDITION, &["lastTransitionTime"]),
    (&networking::HTTP_INGRESS_PATH, &["pathType", "backend"]),
    (&networking::NETWORK_POLICY_SPEC, &["podSelector"]),
    (&rbac::CLUSTER_ROLE_BINDING, &["roleRef"]),
    (&rbac::ROLE_BINDING, &["roleRef"]),
    (&storage::CSI_DRIVER, &["spec"]),
    (&storage::CSI_NODE, &["spec"]),
    (&storage::VOLUME_ATTACHMENT, &["spec"]),
    (&storage::VOLUME_ATTACHMENT_SPEC, &["source"]),
];

/// Not required, whatever the rule says.
static OPTIONAL: &[(&Message, &[&str])] = &[
    (&apiextensions::CUSTOM_RESOURCE_DEFINITION_STATUS, &["conditions", "storedVersions"]),
    (&apps::STATEFUL_SET_ORDINALS, &["start"]),
    (&apps::STATEFUL_SET_STATUS, &["availableReplicas"]),
    (&autoscaling_v2::HORIZONTAL_POD_AUTOSCALER_STATUS, &["currentMetrics"]),
    (&core::EVENT, &["reportingComponent", "reportingInstance"]),
    (&core_pods::CONTAINER_IMAGE, &["names"]),
    (&core_pods::NODE_RUNTIME_HANDLER, &["name"]),
    (&core_volumes::PROJECTED_VOLUME_SOURCE, &["sources"]),
    (&discovery::ENDPOINT_SLICE, &["ports"]),
    (&flowcontrol::FLOW_SCHEMA_SPEC, &["matchingPrecedence"]),
    (&flowcontrol::QUEUING_CONFIGURATION, &["queues", "handSize", "queueLengthLimit"]),
    (&flowcontrol::RESOURCE_POLICY_RULE, &["namespaces"]),
    (&rbac::CLUSTER_ROLE, &["rules"]),
    (&rbac::ROLE, &["rules"]),
    (&storage::CSI_NODE_DRIVER, &["topologyKeys"]),
];
