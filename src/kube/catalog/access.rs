//! Who may do what: RBAC, reviews, certificates.

use super::resource::NameRule;
use super::row::{Field, GroupVersion, STATUS, below, cluster, namespaced};
use super::verbs::Verbs;

pub(super) const RBAC_V1: GroupVersion = GroupVersion {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    rows: &[
        cluster("clusterrolebindings", "ClusterRoleBinding").named(NameRule::PathSegment),
        cluster("clusterroles", "ClusterRole").named(NameRule::PathSegment),
        namespaced("rolebindings", "RoleBinding").named(NameRule::PathSegment),
        namespaced("roles", "Role").named(NameRule::PathSegment),
    ],
};

pub(super) const AUTHENTICATION_V1: GroupVersion = GroupVersion {
    group: "authentication.k8s.io",
    version: "v1",
    rows: &[
        cluster("selfsubjectreviews", "SelfSubjectReview").verbs(Verbs::CREATE),
        cluster("tokenreviews", "TokenReview").verbs(Verbs::CREATE),
    ],
};

pub(super) const AUTHORIZATION_V1: GroupVersion = GroupVersion {
    group: "authorization.k8s.io",
    version: "v1",
    rows: &[
        namespaced("localsubjectaccessreviews", "LocalSubjectAccessReview").verbs(Verbs::CREATE),
        cluster("selfsubjectaccessreviews", "SelfSubjectAccessReview").verbs(Verbs::CREATE),
        cluster("selfsubjectrulesreviews", "SelfSubjectRulesReview").verbs(Verbs::CREATE),
        cluster("subjectaccessreviews", "SubjectAccessReview").verbs(Verbs::CREATE),
    ],
};

pub(super) const CERTIFICATES_V1: GroupVersion = GroupVersion {
    group: "certificates.k8s.io",
    version: "v1",
    rows: &[cluster("certificatesigningrequests", "CertificateSigningRequest")
        .short(&["csr"])
        .with(&[below("approval", Verbs::GET_PATCH_UPDATE), STATUS])
        .selectable(&[Field("spec.signerName", "", "")])],
};
