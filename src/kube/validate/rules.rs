//! The tables.

use super::Rule;
use super::check::Check::{
    Amount, ConfigKeys, Label, NotNegative, OneOf, Port, Positive, QualifiedName, Required, Subdomain,
};

/// Group, plurals, rules, in the order in which an API server reports them.
pub(super) const TABLE: &[(&str, &[&str], &[Rule])] = &[
    ("", &["configmaps"], &[("data", ConfigKeys), ("binaryData", ConfigKeys)]),
    ("", &["secrets"], &[("data", ConfigKeys)]),
    (
        "",
        &["services"],
        &[
            ("spec/ports/*/port", Port),
            ("spec/ports/*/targetPort", Port),
            ("spec/ports/*/protocol", OneOf(&["SCTP", "TCP", "UDP"])),
            ("spec/sessionAffinity", OneOf(&["ClientIP", "None"])),
            ("spec/type", OneOf(&["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"])),
            ("spec/externalTrafficPolicy", OneOf(&["Cluster", "Local"])),
            ("spec/internalTrafficPolicy", OneOf(&["Cluster", "Local"])),
        ],
    ),
    (
        "",
        &["persistentvolumeclaims"],
        &[
            ("spec/accessModes", Required("at least 1 access mode is required")),
            ("spec/accessModes/*", OneOf(&["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"])),
        ],
    ),
    ("", &["resourcequotas"], &[("spec/hard/*", Amount)]),
    ("", &["replicationcontrollers"], &[("spec/replicas", NotNegative), ("spec/selector", Required(""))]),
    (
        "apps",
        &["deployments", "replicasets", "daemonsets", "statefulsets"],
        &[
            ("spec/replicas", NotNegative),
            ("spec/minReadySeconds", NotNegative),
            ("spec/revisionHistoryLimit", NotNegative),
        ],
    ),
    (
        "batch",
        &["jobs"],
        &[
            ("spec/parallelism", NotNegative),
            ("spec/completions", NotNegative),
            ("spec/backoffLimit", NotNegative),
            ("spec/activeDeadlineSeconds", NotNegative),
            ("spec/ttlSecondsAfterFinished", NotNegative),
        ],
    ),
    (
        "batch",
        &["cronjobs"],
        &[
            ("spec/schedule", Required("")),
            ("spec/concurrencyPolicy", OneOf(&["Allow", "Forbid", "Replace"])),
            ("spec/successfulJobsHistoryLimit", NotNegative),
            ("spec/failedJobsHistoryLimit", NotNegative),
        ],
    ),
    (
        "coordination.k8s.io",
        &["leases"],
        &[("spec/leaseDurationSeconds", Positive), ("spec/leaseTransitions", NotNegative)],
    ),
    ("storage.k8s.io", &["storageclasses"], &[("provisioner", Required("")), ("provisioner", QualifiedName)]),
    ("networking.k8s.io", &["networkpolicies"], &[("spec/policyTypes/*", OneOf(&["Ingress", "Egress"]))]),
    (
        "networking.k8s.io",
        &["ingresses"],
        &[
            ("spec/rules/*/host", Subdomain),
            ("spec/rules/*/http/paths/*/pathType", Required("pathType must be specified")),
            ("spec/rules/*/http/paths/*/pathType", OneOf(&["Exact", "ImplementationSpecific", "Prefix"])),
        ],
    ),
    ("discovery.k8s.io", &["endpointslices"], &[("addressType", OneOf(&["FQDN", "IPv4", "IPv6"]))]),
];

/// What holds in the spec of every pod and pod template.
pub(super) const POD: &[Rule] = &[
    ("volumes/*/name", Required("")),
    ("volumes/*/name", Label),
    ("initContainers/*/name", Required("")),
    ("initContainers/*/name", Label),
    ("initContainers/*/image", Required("")),
    ("containers", Required("")),
    ("containers/*/name", Required("")),
    ("containers/*/name", Label),
    ("containers/*/image", Required("")),
    ("containers/*/imagePullPolicy", OneOf(&["Always", "IfNotPresent", "Never"])),
    ("containers/*/ports/*/protocol", OneOf(&["SCTP", "TCP", "UDP"])),
    ("containers/*/resources/limits/*", Amount),
    ("containers/*/resources/requests/*", Amount),
    ("dnsPolicy", OneOf(&["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"])),
    ("terminationGracePeriodSeconds", NotNegative),
];
