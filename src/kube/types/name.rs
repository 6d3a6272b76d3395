//! What the types are called elsewhere.

use super::message::Message;

/// The name of a type's schema in OpenAPI documents, such as `io.k8s.api.apps.v1.DeploymentSpec`.
pub(in crate::kube) fn schema_name(message: &Message) -> String {
    let module = message.module.rsplit("::").next().unwrap_or_default();
    let package = match module {
        "meta" => "io.k8s.apimachinery.pkg.apis.meta.v1".to_owned(),
        "core" | "core_pods" | "core_volumes" => "io.k8s.api.core.v1".to_owned(),
        "autoscaling_v2" => "io.k8s.api.autoscaling.v2".to_owned(),
        "apiextensions" => "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1".to_owned(),
        "apiregistration" => "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1".to_owned(),
        group => format!("io.k8s.api.{group}.v1"),
    };
    format!("{package}.{}", go_name(message.name))
}

/// `POD_SPEC` as `PodSpec`; abbreviations stay in capitals.
pub(super) fn go_name(name: &str) -> String {
    let word = |word: &str| {
        if CAPITALS.contains(&word) {
            return word.to_owned();
        }
        let (first, rest) = word.split_at(1.min(word.len()));
        format!("{first}{}", rest.to_ascii_lowercase())
    };
    name.split('_').map(word).collect()
}

const CAPITALS: [&str; 26] = [
    "API", "AWS", "CSI", "DNS", "EBS", "FC", "FS", "GCE", "GRPC", "HTTP", "ID", "IP", "ISCSI", "JSON", "NFS", "OS",
    "PID", "RBD", "SE", "TCP", "TLS", "UID", "URL", "RPC", "IO", "HPA",
];
