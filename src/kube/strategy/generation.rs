//! Which kinds count the changes of what is asked of them.

use crate::kube::Resource;
use serde_json::Value;

/// Whether objects of a resource have a `metadata.generation`.
pub(in crate::kube) fn has_generation(resource: &Resource) -> bool {
    resource.custom || COUNTED.iter().any(|(group, plural)| resource.group == *group && resource.plural == *plural)
}

/// Whether two states of an object differ in what is asked of it: in anything but `metadata` and, where it is written apart, `status`. To a
/// custom kind without that subresource the status is a field like any other (apiextensions `customresource/strategy.go`). Of a Deployment
/// the annotations count as well, but for those that its controller writes together with the status (`registry/apps/deployment`).
pub(in crate::kube) fn is_asked_otherwise(resource: &Resource, before: &Value, after: &Value) -> bool {
    if resource.group == "apps" && resource.plural == "deployments" && !annotations(before).eq(annotations(after)) {
        return true;
    }
    let is_asked = |name: &str| match name {
        "metadata" | "apiVersion" => false,
        "status" => resource.custom && !resource.has_status(),
        _ => true,
    };
    let asked = |object: &Value| {
        let fields = object.as_object().into_iter().flatten();
        fields.filter(|(name, _)| is_asked(name)).count()
    };
    let mut fields = after.as_object().into_iter().flatten();
    asked(before) != asked(after) || fields.any(|(name, value)| is_asked(name) && before.get(name) != Some(value))
}

fn annotations(deployment: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let all = deployment["metadata"]["annotations"].as_object().into_iter().flatten();
    all.filter(|(name, _)| !name.starts_with("deployment.kubernetes.io/"))
}

/// Built-in kinds whose strategies count generations in Kubernetes 1.31.
const COUNTED: [(&str, &str); 22] = [
    ("", "podtemplates"),
    ("", "replicationcontrollers"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("batch", "cronjobs"),
    ("batch", "jobs"),
    ("discovery.k8s.io", "endpointslices"),
    ("flowcontrol.apiserver.k8s.io", "flowschemas"),
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
    ("networking.k8s.io", "ingressclasses"),
    ("networking.k8s.io", "ingresses"),
    ("networking.k8s.io", "networkpolicies"),
    ("policy", "poddisruptionbudgets"),
    ("storage.k8s.io", "csidrivers"),
    ("scheduling.k8s.io", "priorityclasses"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;
    use crate::kube::testing::Bench;
    use serde_json::json;

    #[test]
    fn some_kinds_count_and_some_do_not() {
        assert!(has_generation(lookup("apps", "v1", "deployments").unwrap().1));
        assert!(!has_generation(lookup("", "v1", "pods").unwrap().1));
        assert!(!has_generation(lookup("", "v1", "configmaps").unwrap().1));
    }

    #[test]
    fn status_and_metadata_are_not_asked_for() {
        let object = json!({"metadata": {"name": "a"}, "spec": {"x": 1}, "status": {}});
        let mut other = object.clone();
        other["metadata"]["labels"] = json!({"a": "b"});
        other["status"] = json!({"y": 1});
        let deployments = lookup("apps", "v1", "deployments").unwrap().1;
        assert!(!is_asked_otherwise(deployments, &object, &other));
        other["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "2"});
        assert!(!is_asked_otherwise(deployments, &object, &other));
        other["metadata"]["annotations"]["a"] = json!("b");
        assert!(is_asked_otherwise(deployments, &object, &other));
        assert!(!is_asked_otherwise(lookup("apps", "v1", "daemonsets").unwrap().1, &object, &other));
        other["metadata"]["annotations"] = json!({});
        assert!(!is_asked_otherwise(deployments, &object, &other));
        other["spec"]["x"] = json!(2);
        assert!(is_asked_otherwise(deployments, &object, &other));
        assert!(is_asked_otherwise(deployments, &json!({"data": {}}), &json!({})));
    }

    #[test]
    fn a_status_that_is_not_written_apart_counts() {
        for (subresources, generation) in [(json!({}), 2), (json!({"status": {}}), 1)] {
            let mut bench = Bench::new();
            let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
            let definition = json!({
                "metadata": {"name": "things.example.com"},
                "spec": {
                    "group": "example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                    "versions": [{
                        "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
                        "subresources": subresources
                    }]
                }
            });
            bench.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).ok();
            let things = "/apis/example.com/v1/namespaces/web/things";
            let thing = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {}});
            bench.post(things, thing).ok();
            let changed = bench.merge(&format!("{things}/t"), json!({"status": {"phase": "Ready"}})).ok();
            assert_eq!(changed["metadata"]["generation"], generation, "{changed}");
        }
    }
}
