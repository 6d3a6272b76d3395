//! What the API fills into specs that leave it out (each group's `defaults.go`), as far as other parts of the system read it.

use crate::kube::served::Served;
use serde_json::{Map, Value, json};

/// Fills in the defaults of an object's kind.
pub(super) fn default_spec(served: &Served, object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match (served.group.as_ref(), served.plural.as_ref()) {
        ("apps", "deployments") => {
            let rolling = json!({"maxSurge": "25%", "maxUnavailable": "25%"});
            fill(spec, "replicas", json!(1));
            fill(spec, "strategy", json!({"type": "RollingUpdate", "rollingUpdate": rolling}));
            fill(spec, "revisionHistoryLimit", json!(10));
            fill(spec, "progressDeadlineSeconds", json!(600));
            default_template(spec);
        }
        ("apps", "statefulsets") => {
            fill(spec, "replicas", json!(1));
            fill(spec, "podManagementPolicy", json!("OrderedReady"));
            fill(spec, "updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}));
            fill(spec, "revisionHistoryLimit", json!(10));
            default_template(spec);
        }
        ("apps", "daemonsets") => {
            let rolling = json!({"maxSurge": 0, "maxUnavailable": 1});
            fill(spec, "updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": rolling}));
            fill(spec, "revisionHistoryLimit", json!(10));
            default_template(spec);
        }
        ("apps", "replicasets") | ("", "replicationcontrollers") => {
            fill(spec, "replicas", json!(1));
            default_template(spec);
        }
        ("batch", "jobs") => {
            fill(spec, "parallelism", json!(1));
            fill(spec, "completions", json!(1));
            fill(spec, "backoffLimit", json!(6));
            fill(spec, "completionMode", json!("NonIndexed"));
            fill(spec, "suspend", json!(false));
            default_template(spec);
        }
        ("", "pods") => default_pod(spec),
        _ => {}
    }
}

/// The quality of service of a pod (core `ComputePodQOS`).
pub(super) fn qos_class(spec: &Value) -> &'static str {
    let containers = || ["containers", "initContainers"].into_iter().filter_map(|list| spec[list].as_array()).flatten();
    let amount = |container: &Value, field: &str, name: &str| container["resources"][field][name].clone();
    let has_any = |container: &Value| {
        ["requests", "limits"]
            .iter()
            .any(|field| container["resources"][field].as_object().is_some_and(|amounts| !amounts.is_empty()))
    };
    let is_guaranteed = |container: &Value| {
        ["cpu", "memory"].iter().all(|name| {
            let (request, limit) = (amount(container, "requests", name), amount(container, "limits", name));
            !limit.is_null() && (request.is_null() || request == limit)
        })
    };
    if !containers().any(has_any) {
        "BestEffort"
    } else if containers().all(is_guaranteed) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn default_template(spec: &mut Map<String, Value>) {
    let template = spec.get_mut("template").and_then(|template| template.get_mut("spec"));
    if let Some(pod) = template.and_then(Value::as_object_mut) {
        default_pod_spec(pod);
    }
}

fn default_pod(spec: &mut Map<String, Value>) {
    default_pod_spec(spec);
    let account = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount"));
    let account = account.cloned().unwrap_or_else(|| json!("default"));
    spec.insert("serviceAccountName".into(), account.clone());
    spec.insert("serviceAccount".into(), account);
    fill(spec, "enableServiceLinks", json!(true));
    fill(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
    fill(spec, "priority", json!(0));
}

fn default_pod_spec(spec: &mut Map<String, Value>) {
    fill(spec, "restartPolicy", json!("Always"));
    fill(spec, "terminationGracePeriodSeconds", json!(30));
    fill(spec, "dnsPolicy", json!("ClusterFirst"));
    fill(spec, "securityContext", json!({}));
    fill(spec, "schedulerName", json!("default-scheduler"));
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers.filter_map(Value::as_object_mut) {
            let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
            let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
            fill(container, "imagePullPolicy", json!(policy));
            fill(container, "resources", json!({}));
            fill(container, "terminationMessagePath", json!("/dev/termination-log"));
            fill(container, "terminationMessagePolicy", json!("File"));
            let ports = container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten();
            for port in ports.filter_map(Value::as_object_mut) {
                fill(port, "protocol", json!("TCP"));
            }
        }
    }
}

/// Whether an image names the tag `latest`, or neither a tag nor a digest.
fn is_latest(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    !name.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn fill(fields: &mut Map<String, Value>, name: &str, value: Value) {
    if fields.get(name).is_none_or(Value::is_null) {
        fields.insert(name.into(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Cluster;

    #[test]
    fn a_deployment_is_filled_in() {
        let deployments = Cluster::built_in("apps", "deployments").unwrap();
        let mut object = json!({"spec": {"template": {"spec": {"containers": [{"image": "r.example:5000/a/b"}]}}}});
        default_spec(&deployments, &mut object);
        assert_eq!(object["spec"]["replicas"], 1);
        assert_eq!(object["spec"]["strategy"]["type"], "RollingUpdate");
        let pod = &object["spec"]["template"]["spec"];
        assert_eq!((&pod["restartPolicy"], &pod["dnsPolicy"]), (&json!("Always"), &json!("ClusterFirst")));
        assert_eq!(pod["containers"][0]["imagePullPolicy"], "Always");
        assert!(pod.get("serviceAccountName").is_none());
    }

    #[test]
    fn the_pull_policy_follows_the_tag() {
        for (image, latest) in
            [("a", true), ("a:latest", true), ("a:1", false), ("r:5000/a", true), ("a@sha256:0", false)]
        {
            assert_eq!(is_latest(image), latest, "{image}");
        }
    }

    #[test]
    fn quality_of_service_follows_the_resources() {
        let spec = |resources: Value| json!({"containers": [{"resources": resources}]});
        assert_eq!(qos_class(&spec(json!({}))), "BestEffort");
        assert_eq!(qos_class(&spec(json!({"requests": {"cpu": "1"}}))), "Burstable");
        assert_eq!(qos_class(&spec(json!({"limits": {"cpu": "1", "memory": "1Gi"}}))), "Guaranteed");
    }
}
