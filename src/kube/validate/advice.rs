//! What an API server warns of without refusing it: labels of nodes that go by other names by now (core `pod/warnings.go`).

use crate::kube::request::served::Served;
use crate::kube::tree::items;
use serde_json::Value;

/// The warnings about an object that makes pods.
pub(in crate::kube) fn advice(served: &Served, object: &Value) -> Vec<String> {
    let Some(path) = pod_spec(served) else { return Vec::new() };
    let spec = path.split('.').fold(object, |object, name| &object[name]);
    let mut warnings = Vec::new();
    for key in spec["nodeSelector"].as_object().into_iter().flatten().map(|(key, _)| key) {
        if let Some(instead) = deprecated(key) {
            warnings.push(format!("{path}.nodeSelector[{key}]: {instead}"));
        }
    }
    let affinity = &spec["affinity"]["nodeAffinity"];
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    for (index, term) in items(&affinity[required]["nodeSelectorTerms"]).enumerate() {
        of_term(&format!("{path}.affinity.nodeAffinity.{required}.nodeSelectorTerms[{index}]"), term, &mut warnings);
    }
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    for (index, term) in items(&affinity[preferred]).enumerate() {
        let at = format!("{path}.affinity.nodeAffinity.{preferred}[{index}].preference");
        of_term(&at, &term["preference"], &mut warnings);
    }
    warnings
}

/// Where the objects of a kind say how their pods are to be, if they make some: no others are advised on.
pub(in crate::kube) fn pod_spec(served: &Served) -> Option<&'static str> {
    match (served.group.as_ref(), served.plural.as_ref()) {
        ("", "pods") => Some("spec"),
        ("", "podtemplates") => Some("template.spec"),
        ("batch", "cronjobs") => Some("spec.jobTemplate.spec.template.spec"),
        ("apps", "deployments" | "daemonsets" | "replicasets" | "statefulsets")
        | ("batch", "jobs")
        | ("", "replicationcontrollers") => Some("spec.template.spec"),
        _ => None,
    }
}

fn of_term(at: &str, term: &Value, warnings: &mut Vec<String>) {
    for (index, expression) in items(&term["matchExpressions"]).enumerate() {
        let key = expression["key"].as_str().unwrap_or_default();
        if let Some(instead) = deprecated(key) {
            warnings.push(format!("{at}.matchExpressions[{index}].key: {key} is {instead}"));
        }
    }
}

fn deprecated(label: &str) -> Option<String> {
    let (_, since, instead) = DEPRECATED.iter().find(|(old, ..)| *old == label)?;
    Some(format!("deprecated since {since}; use \"{instead}\" instead"))
}

const DEPRECATED: [(&str, &str, &str); 5] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("beta.kubernetes.io/instance-type", "v1.17", "node.kubernetes.io/instance-type"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
];

#[cfg(test)]
mod tests {
    use crate::http1::{Method, Request};
    use crate::kube::testing::Bench;
    use serde_json::json;

    #[test]
    fn old_labels_of_nodes_are_warned_of_when_they_come() {
        let mut bench = Bench::new();
        let mut warnings = |method: Method, target: &str, body: serde_json::Value| {
            let mut request = Request::new(method, target);
            request.headers.push("Content-Type", "application/merge-patch+json");
            if request.method == Method::Post {
                request.headers = [("Content-Type", "application/json")].into_iter().collect();
            }
            request.body = body.to_string().into_bytes();
            let response = bench.send(&request);
            assert!(response.status < 300, "{}", response.status);
            response.headers.get_all("Warning").map(str::to_owned).collect::<Vec<_>>()
        };
        let pod = json!({"metadata": {"name": "p"}, "spec": {
            "nodeSelector": {"beta.kubernetes.io/os": "linux"}, "containers": [{"name": "c", "image": "i"}]
        }});
        assert_eq!(
            warnings(Method::Post, "/api/v1/namespaces/web/pods", pod),
            [
                r#"299 - "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead""#
            ]
        );
        let zone = json!({"key": "failure-domain.beta.kubernetes.io/zone", "operator": "Exists"});
        let affinity = json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "preference": {"matchExpressions": [zone]}}
        ]}});
        let deployment = "/apis/apps/v1/namespaces/web/deployments/web";
        let patch = json!({"spec": {"template": {"spec": {"affinity": affinity}}}});
        let told = warnings(Method::Patch, deployment, patch.clone());
        assert!(
            told.len() == 1 && told[0].contains("[0].preference.matchExpressions[0].key: failure-domain"),
            "{told:?}"
        );
        assert_eq!(warnings(Method::Patch, deployment, patch), [""; 0], "nothing changed");
    }
}
