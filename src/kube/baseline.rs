//! The objects every cluster of one template starts with, compiled once and shared.

/// A compiled set of objects: serialised, sorted, with holes for what differs between clusters.
#[derive(Debug)]
pub struct Baseline {}

/// What a baseline is compiled from.
#[derive(Debug)]
pub struct Source<'a> {
    /// Whole Kubernetes objects; `{{cluster-name}}` may stand in any string.
    pub objects: Vec<serde_json::Value>,
    /// PEM of the authority that signs the clusters' API certificate: `kube-root-ca.crt` and token secrets carry it.
    pub ca_pem: &'a str,
    /// What `/version` and the nodes report, such as `v1.31.4`.
    pub kubernetes_version: &'a str,
}

/// Why an object cannot stand in a baseline: which object, which field, what was expected.
#[derive(Debug, thiserror::Error)]
#[error("{object}: {problem}")]
pub struct BaselineError {
    /// `Kind namespace/name` of the object, or its position.
    pub object: String,
    /// The field and what was expected of it.
    pub problem: String,
}

impl Baseline {
    /// Compiles `source` together with what a kube-apiserver creates by itself (system namespaces, bootstrap RBAC, …).
    pub fn compile(_source: Source<'_>) -> Result<Baseline, BaselineError> {
        todo!()
    }
}
