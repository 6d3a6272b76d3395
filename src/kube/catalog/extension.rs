//! How the API itself is extended and protected.

use super::row::{GroupVersion, Row, STATUS, cluster};

pub(super) const APIREGISTRATION_V1: GroupVersion = GroupVersion {
    group: "apiregistration.k8s.io",
    version: "v1",
    rows: &[extension("apiservices", "APIService").with(&[STATUS])],
};

pub(super) const APIEXTENSIONS_V1: GroupVersion = GroupVersion {
    group: "apiextensions.k8s.io",
    version: "v1",
    rows: &[extension("customresourcedefinitions", "CustomResourceDefinition")
        .short(&["crd", "crds"])
        .with(&[STATUS])
        // Kept in the version they were first stored in.
        .stored_as("apiextensions.k8s.io", "v1beta1")],
};

pub(super) const ADMISSIONREGISTRATION_V1: GroupVersion = GroupVersion {
    group: "admissionregistration.k8s.io",
    version: "v1",
    rows: &[
        extension("mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
        extension("validatingadmissionpolicies", "ValidatingAdmissionPolicy").with(&[STATUS]),
        extension("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
        extension("validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
    ],
};

pub(super) const FLOWCONTROL_V1: GroupVersion = GroupVersion {
    group: FLOWCONTROL,
    version: "v1",
    rows: &[
        cluster("flowschemas", "FlowSchema").with(&[STATUS]),
        cluster("prioritylevelconfigurations", "PriorityLevelConfiguration").with(&[STATUS]),
    ],
};

pub(super) const FLOWCONTROL_V1BETA3: GroupVersion = GroupVersion {
    group: FLOWCONTROL,
    version: "v1beta3",
    rows: &[
        cluster("flowschemas", "FlowSchema").with(&[STATUS]).stored_as(FLOWCONTROL, "v1"),
        cluster("prioritylevelconfigurations", "PriorityLevelConfiguration")
            .with(&[STATUS])
            .stored_as(FLOWCONTROL, "v1"),
    ],
};

const FLOWCONTROL: &str = "flowcontrol.apiserver.k8s.io";

const fn extension(plural: &'static str, kind: &'static str) -> Row {
    cluster(plural, kind).category(&["api-extensions"])
}
