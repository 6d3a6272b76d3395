//! Rules that objects of the built-in kinds keep, as tables (each group's `validation.go` in Kubernetes 1.31), for the kinds that Rancher,
//! Fleet and kubectl write. Kinds without rows are taken as their types allow.

mod advice;
mod check;
mod containers;
mod frozen;
mod frozen_pod;
mod limits;
mod network;
mod portion;
mod rules;
mod schedule;
mod size;
mod special;

pub(super) use advice::{advice, pod_spec};
pub(super) use frozen::changes;

use super::Cause;
use crate::kube::request::served::Served;
use check::{Check, places};
use serde_json::Value;

/// A rule: where it holds, as names divided by `/` with `*` for every entry, and what must be there.
type Rule = (&'static str, Check);

/// What is wrong with a new or changed object.
pub(super) fn problems(served: &Served, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (group, plural) = (served.group.as_ref(), served.plural.as_ref());
    if served.custom {
        return causes;
    }
    let own = rules::TABLE.iter().filter(|(of, plurals, _)| *of == group && plurals.contains(&plural));
    for (path, check) in own.flat_map(|(.., rules)| *rules) {
        check.run(object, path, &mut causes);
    }
    special::problems(group, plural, object, &mut causes);
    let template = match (group, plural) {
        ("", "pods") => "spec",
        ("apps", "deployments" | "daemonsets" | "replicasets" | "statefulsets") | ("batch", "jobs") => {
            "spec/template/spec"
        }
        ("batch", "cronjobs") => "spec/jobTemplate/spec/template/spec",
        _ => return causes,
    };
    for (path, check) in rules::POD {
        check.run(object, &format!("{template}/{path}"), &mut causes);
    }
    let field = template.replace('/', ".");
    for (_, spec) in places(object, template) {
        let spec = spec.unwrap_or(&Value::Null);
        // The claims of a StatefulSet are volumes too, so that its template alone cannot be judged.
        if plural != "statefulsets" {
            containers::problems(&field, spec, &mut causes);
        }
        special::pod_problems(plural, &field, spec, &mut causes);
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Cluster;
    use serde_json::json;

    fn messages(group: &str, plural: &str, object: Value) -> Vec<String> {
        let served = Cluster::built_in(group, plural).unwrap();
        problems(&served, &object).into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn required_fields_are_named_with_their_place() {
        // Answers of a kube-apiserver 1.31.
        let daemon_set =
            json!({"spec": {"template": {"spec": {"restartPolicy": "Always", "containers": [{"name": "a"}]}}}});
        assert_eq!(
            messages("apps", "daemonsets", daemon_set),
            [
                "spec.template.metadata.labels: Invalid value: map[string]string(nil): `selector` does not match template `labels`",
                "spec.template.spec.containers[0].image: Required value"
            ]
        );
        assert_eq!(messages("storage.k8s.io", "storageclasses", json!({})), ["provisioner: Required value"]);
    }

    #[test]
    fn what_is_right_passes() {
        let role = json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}, {"nonResourceURLs": ["/x"], "verbs": ["get"]}]});
        assert_eq!(messages("rbac.authorization.k8s.io", "clusterroles", role), [""; 0]);
        assert_eq!(messages("", "configmaps", json!({"data": {"a.b_c-D": "1"}})), [""; 0]);
    }

    #[test]
    fn a_pod_is_judged_wherever_it_is_described() {
        let spec = |policy: &str| {
            let mount = json!({"name": "data", "mountPath": "/data"});
            let container = json!({"name": "a", "image": "a:1", "volumeMounts": [mount]});
            json!({"restartPolicy": policy, "containers": [container]})
        };
        let problem = "containers[0].volumeMounts[0].name: Not found: \"data\"";
        assert_eq!(messages("", "pods", json!({"spec": spec("Always")})), [format!("spec.{problem}")]);
        let template = json!({"spec": spec("Never")});
        assert_eq!(
            messages(
                "batch",
                "cronjobs",
                json!({"spec": {"schedule": "0 * * *", "jobTemplate": {"spec": {"template": template}}}})
            ),
            [
                "spec.schedule: Invalid value: \"0 * * *\": expected exactly 5 fields, found 4: [0 * * *]".to_owned(),
                format!("spec.jobTemplate.spec.template.spec.{problem}")
            ]
        );
        // A claim of a StatefulSet may be what is mounted.
        let labels = json!({"a": "b"});
        let set = json!({"spec": {
            "podManagementPolicy": "OrderedReady", "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec("Always")}
        }});
        assert_eq!(messages("apps", "statefulsets", set), [""; 0]);
    }

    #[test]
    fn amounts_are_held_to_their_kind() {
        let claim = |size: &str| json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}});
        assert_eq!(messages("", "persistentvolumeclaims", claim("1Gi")), [""; 0]);
        assert_eq!(
            messages("", "persistentvolumeclaims", claim("0")),
            ["spec.resources[storage]: Invalid value: \"0\": must be greater than zero"]
        );
        assert_eq!(
            messages("policy", "poddisruptionbudgets", json!({"spec": {"maxUnavailable": -1}})),
            ["spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0"]
        );
        let port = json!({"protocol": "TCP", "port": 1, "endPort": 0});
        assert_eq!(
            messages("networking.k8s.io", "networkpolicies", json!({"spec": {"ingress": [{"ports": [port]}]}})),
            [
                "spec.ingress[0].ports[0].endPort: Invalid value: 1: must be greater than or equal to `port`",
                "spec.ingress[0].ports[0].endPort: Invalid value: 0: must be between 1 and 65535, inclusive"
            ]
        );
    }
}
