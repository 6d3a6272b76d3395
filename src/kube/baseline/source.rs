//! What a baseline is made of, and why it cannot be.

/// What stands in a template's objects for the time when the cluster was made.
pub const CREATED_PLACEHOLDER: &str = crate::kube::object::CREATED;

/// What a baseline is compiled from.
#[derive(Debug)]
pub struct Source<'a> {
    /// Whole Kubernetes objects. In any string `{{cluster-name}}` stands for the cluster's name and `{{created}}` for the time it was
    /// made (RFC 3339). An owner reference need not name a uid: it is that of the owner.
    pub objects: Vec<serde_json::Value>,
    /// PEM of the authority that signs the clusters' API certificate: `kube-root-ca.crt` and token secrets carry it.
    pub ca_pem: &'a str,
    /// What `/version` and the nodes report, such as `v1.31.4`.
    pub kubernetes_version: &'a str,
}

/// Why an object cannot stand in a baseline: which object, which field, what was expected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {problem}")]
pub struct BaselineError {
    /// `Kind namespace/name` of the object, or its position.
    pub object: String,
    /// The field and what was expected of it.
    pub problem: String,
}

impl BaselineError {
    pub(super) fn new(object: impl Into<String>, problem: impl Into<String>) -> BaselineError {
        BaselineError { object: object.into(), problem: problem.into() }
    }
}
