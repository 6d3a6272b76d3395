//! Rules that objects of the built-in kinds keep, as tables (each group's `validation.go` in Kubernetes 1.31), for the kinds that Rancher,
//! Fleet and kubectl write. Kinds without rows are taken as their types allow.

mod advice;
mod check;
mod containers;
mod frozen;
mod frozen_pod;
mod network;
mod portion;
mod rules;
mod schedule;
mod size;
mod special;

pub(super) use advice::{advice, pod_spec};
pub(super) use frozen::changes;

use super::Cause;
use super::served::Served;
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
}
