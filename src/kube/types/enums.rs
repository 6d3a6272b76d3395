//! Fields that take but a few values, as OpenAPI documents of Kubernetes 1.31 tell them; of a list or map, what its elements take.

use super::message::Message;
use super::{
    admissionregistration, apps, batch, certificates, core, core_pods, core_volumes, discovery, networking, policy,
    scheduling, storage,
};

/// The values of a field, if they are counted.
pub(in crate::kube) fn values(message: &Message, field: &str) -> Option<&'static [&'static str]> {
    let is_of =
        |fields: &[(&Message, &str)]| fields.iter().any(|(of, own)| *own == field && std::ptr::eq(*of, message));
    ENUMS.iter().find(|(_, fields)| is_of(fields)).map(|(values, _)| *values)
}

type Row = (&'static [&'static str], &'static [(&'static Message, &'static str)]);

static ENUMS: &[Row] = &[
    (
        &["Equivalent", "Exact"],
        &[
            (&admissionregistration::MATCH_RESOURCES, "matchPolicy"),
            (&admissionregistration::MUTATING_WEBHOOK, "matchPolicy"),
            (&admissionregistration::VALIDATING_WEBHOOK, "matchPolicy"),
        ],
    ),
    (
        &["Fail", "Ignore"],
        &[
            (&admissionregistration::MUTATING_WEBHOOK, "failurePolicy"),
            (&admissionregistration::VALIDATING_ADMISSION_POLICY_SPEC, "failurePolicy"),
            (&admissionregistration::VALIDATING_WEBHOOK, "failurePolicy"),
        ],
    ),
    (
        &["None", "NoneOnDryRun", "Some", "Unknown"],
        &[
            (&admissionregistration::MUTATING_WEBHOOK, "sideEffects"),
            (&admissionregistration::VALIDATING_WEBHOOK, "sideEffects"),
        ],
    ),
    (&["IfNeeded", "Never"], &[(&admissionregistration::MUTATING_WEBHOOK, "reinvocationPolicy")]),
    (&["*", "CONNECT", "CREATE", "DELETE", "UPDATE"], &[(&admissionregistration::RULE_WITH_OPERATIONS, "operations")]),
    (
        &["Audit", "Deny", "Warn"],
        &[(&admissionregistration::VALIDATING_ADMISSION_POLICY_BINDING_SPEC, "validationActions")],
    ),
    (
        &["OnDelete", "RollingUpdate"],
        &[(&apps::DAEMON_SET_UPDATE_STRATEGY, "type"), (&apps::STATEFUL_SET_UPDATE_STRATEGY, "type")],
    ),
    (&["Recreate", "RollingUpdate"], &[(&apps::DEPLOYMENT_STRATEGY, "type")]),
    (&["OrderedReady", "Parallel"], &[(&apps::STATEFUL_SET_SPEC, "podManagementPolicy")]),
    (&["Allow", "Forbid", "Replace"], &[(&batch::CRON_JOB_SPEC, "concurrencyPolicy")]),
    (&["Indexed", "NonIndexed"], &[(&batch::JOB_SPEC, "completionMode")]),
    (&["Failed", "TerminatingOrFailed"], &[(&batch::JOB_SPEC, "podReplacementPolicy")]),
    (&["In", "NotIn"], &[(&batch::POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT, "operator")]),
    (&["Count", "FailIndex", "FailJob", "Ignore"], &[(&batch::POD_FAILURE_POLICY_RULE, "action")]),
    (
        &[
            "any",
            "cert sign",
            "client auth",
            "code signing",
            "content commitment",
            "crl sign",
            "data encipherment",
            "decipher only",
            "digital signature",
            "email protection",
            "encipher only",
            "ipsec end system",
            "ipsec tunnel",
            "ipsec user",
            "key agreement",
            "key encipherment",
            "microsoft sgc",
            "netscape sgc",
            "ocsp signing",
            "s/mime",
            "server auth",
            "signing",
            "timestamping",
        ],
        &[(&certificates::CERTIFICATE_SIGNING_REQUEST_SPEC, "usages")],
    ),
    (
        &["SCTP", "TCP", "UDP"],
        &[
            (&core::ENDPOINT_PORT, "protocol"),
            (&core::PORT_STATUS, "protocol"),
            (&core::SERVICE_PORT, "protocol"),
            (&core_pods::CONTAINER_PORT, "protocol"),
            (&discovery::ENDPOINT_PORT, "protocol"),
            (&networking::INGRESS_PORT_STATUS, "protocol"),
            (&networking::NETWORK_POLICY_PORT, "protocol"),
        ],
    ),
    (&["Active", "Terminating"], &[(&core::NAMESPACE_STATUS, "phase")]),
    (&["Pending", "Running", "Terminated"], &[(&core::NODE_STATUS, "phase")]),
    (
        &["BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating"],
        &[(&core::RESOURCE_QUOTA_SPEC, "scopes"), (&core::SCOPED_RESOURCE_SELECTOR_REQUIREMENT, "scopeName")],
    ),
    (&["DoesNotExist", "Exists", "In", "NotIn"], &[(&core::SCOPED_RESOURCE_SELECTOR_REQUIREMENT, "operator")]),
    (&["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], &[(&core::SERVICE_SPEC, "type")]),
    (&["ClientIP", "None"], &[(&core::SERVICE_SPEC, "sessionAffinity")]),
    (
        &["Cluster", "Local"],
        &[(&core::SERVICE_SPEC, "externalTrafficPolicy"), (&core::SERVICE_SPEC, "internalTrafficPolicy")],
    ),
    (&["", "IPv4", "IPv6"], &[(&core::SERVICE_SPEC, "ipFamilies")]),
    (&["PreferDualStack", "RequireDualStack", "SingleStack"], &[(&core::SERVICE_SPEC, "ipFamilyPolicy")]),
    (&["NoExecute", "NoSchedule", "PreferNoSchedule"], &[(&core::TAINT, "effect"), (&core_pods::TOLERATION, "effect")]),
    (
        &["Localhost", "RuntimeDefault", "Unconfined"],
        &[(&core_pods::APP_ARMOR_PROFILE, "type"), (&core_pods::SECCOMP_PROFILE, "type")],
    ),
    (
        &["FallbackToLogsOnError", "File"],
        &[
            (&core_pods::CONTAINER, "terminationMessagePolicy"),
            (&core_pods::EPHEMERAL_CONTAINER_COMMON, "terminationMessagePolicy"),
        ],
    ),
    (
        &["Always", "IfNotPresent", "Never"],
        &[
            (&core_pods::CONTAINER, "imagePullPolicy"),
            (&core_pods::EPHEMERAL_CONTAINER_COMMON, "imagePullPolicy"),
            (&core_volumes::IMAGE_VOLUME_SOURCE, "pullPolicy"),
        ],
    ),
    (&["HTTP", "HTTPS"], &[(&core_pods::HTTP_GET_ACTION, "scheme")]),
    (&["DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"], &[(&core_pods::NODE_SELECTOR_REQUIREMENT, "operator")]),
    (&["Merge", "Strict"], &[(&core_pods::POD_SECURITY_CONTEXT, "supplementalGroupsPolicy")]),
    (&["Always", "OnRootMismatch"], &[(&core_pods::POD_SECURITY_CONTEXT, "fsGroupChangePolicy")]),
    (&["Always", "Never", "OnFailure"], &[(&core_pods::POD_SPEC, "restartPolicy")]),
    (&["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"], &[(&core_pods::POD_SPEC, "dnsPolicy")]),
    (
        &["Never", "PreemptLowerPriority"],
        &[(&core_pods::POD_SPEC, "preemptionPolicy"), (&scheduling::PRIORITY_CLASS, "preemptionPolicy")],
    ),
    (&["Failed", "Pending", "Running", "Succeeded", "Unknown"], &[(&core_pods::POD_STATUS, "phase")]),
    (&["BestEffort", "Burstable", "Guaranteed"], &[(&core_pods::POD_STATUS, "qosClass")]),
    (&["Default", "Unmasked"], &[(&core_pods::SECURITY_CONTEXT, "procMount")]),
    (&["Equal", "Exists"], &[(&core_pods::TOLERATION, "operator")]),
    (&["DoNotSchedule", "ScheduleAnyway"], &[(&core_pods::TOPOLOGY_SPREAD_CONSTRAINT, "whenUnsatisfiable")]),
    (
        &["Honor", "Ignore"],
        &[
            (&core_pods::TOPOLOGY_SPREAD_CONSTRAINT, "nodeAffinityPolicy"),
            (&core_pods::TOPOLOGY_SPREAD_CONSTRAINT, "nodeTaintsPolicy"),
        ],
    ),
    (&["None", "ReadOnly", "ReadWrite"], &[(&core_volumes::AZURE_DISK_VOLUME_SOURCE, "cachingMode")]),
    (&["Dedicated", "Managed", "Shared"], &[(&core_volumes::AZURE_DISK_VOLUME_SOURCE, "kind")]),
    (
        &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"],
        &[(&core_volumes::HOST_PATH_VOLUME_SOURCE, "type")],
    ),
    (&["InProgress", "Infeasible", "Pending"], &[(&core_volumes::MODIFY_VOLUME_STATUS, "status")]),
    (
        &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"],
        &[
            (&core_volumes::PERSISTENT_VOLUME_CLAIM_SPEC, "accessModes"),
            (&core_volumes::PERSISTENT_VOLUME_CLAIM_STATUS, "accessModes"),
            (&core_volumes::PERSISTENT_VOLUME_SPEC, "accessModes"),
        ],
    ),
    (
        &["Block", "Filesystem"],
        &[
            (&core_volumes::PERSISTENT_VOLUME_CLAIM_SPEC, "volumeMode"),
            (&core_volumes::PERSISTENT_VOLUME_SPEC, "volumeMode"),
        ],
    ),
    (&["Bound", "Lost", "Pending"], &[(&core_volumes::PERSISTENT_VOLUME_CLAIM_STATUS, "phase")]),
    (
        &[
            "ControllerResizeInProgress",
            "ControllerResizeInfeasible",
            "NodeResizeInProgress",
            "NodeResizeInfeasible",
            "NodeResizePending",
        ],
        &[(&core_volumes::PERSISTENT_VOLUME_CLAIM_STATUS, "allocatedResourceStatuses")],
    ),
    (
        &["Delete", "Recycle", "Retain"],
        &[
            (&core_volumes::PERSISTENT_VOLUME_SPEC, "persistentVolumeReclaimPolicy"),
            (&storage::STORAGE_CLASS, "reclaimPolicy"),
        ],
    ),
    (&["Available", "Bound", "Failed", "Pending", "Released"], &[(&core_volumes::PERSISTENT_VOLUME_STATUS, "phase")]),
    (&["Bidirectional", "HostToContainer", "None"], &[(&core_volumes::VOLUME_MOUNT, "mountPropagation")]),
    (&["FQDN", "IPv4", "IPv6"], &[(&discovery::ENDPOINT_SLICE, "addressType")]),
    (&["Exact", "ImplementationSpecific", "Prefix"], &[(&networking::HTTP_INGRESS_PATH, "pathType")]),
    (&["Egress", "Ingress"], &[(&networking::NETWORK_POLICY_SPEC, "policyTypes")]),
    (&["AlwaysAllow", "IfHealthyBudget"], &[(&policy::POD_DISRUPTION_BUDGET_SPEC, "unhealthyPodEvictionPolicy")]),
    (&["Immediate", "WaitForFirstConsumer"], &[(&storage::STORAGE_CLASS, "volumeBindingMode")]),
];
