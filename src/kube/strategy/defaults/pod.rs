//! What the API fills into pods and the templates of pods.

use super::{each, fill};
use serde_json::{Map, Value, json};

/// A pod: beside what its spec has in any template, what holds for a pod alone.
pub(super) fn pod(spec: &mut Map<String, Value>) {
    fill(spec, "serviceAccountName", json!("default"));
    pod_spec(spec);
    fill(spec, "enableServiceLinks", json!(true));
    for list in ["containers", "initContainers"] {
        each(spec.get_mut(list), |container| {
            let limits = container.get("resources").map(|resources| resources["limits"].clone());
            // What is limited is asked for, unless something else is.
            for (name, amount) in limits.iter().filter_map(Value::as_object).flatten() {
                let resources = container.entry("resources").or_insert_with(|| json!({}));
                let requests = &mut resources["requests"];
                if requests.get(name).is_none() {
                    requests[name.as_str()] = amount.clone();
                }
            }
        });
    }
}

/// A template of pods.
pub(super) fn template(template: Option<&mut Value>) {
    let spec = template.and_then(|template| template.get_mut("spec"));
    if let Some(spec) = spec.and_then(Value::as_object_mut) {
        pod_spec(spec);
    }
}

fn pod_spec(spec: &mut Map<String, Value>) {
    fill(spec, "restartPolicy", json!("Always"));
    fill(spec, "terminationGracePeriodSeconds", json!(30));
    fill(spec, "dnsPolicy", json!("ClusterFirst"));
    fill(spec, "securityContext", json!({}));
    fill(spec, "schedulerName", json!("default-scheduler"));
    // The older name of the field is kept up.
    let account = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount")).cloned();
    if let Some(account) = account {
        spec.insert("serviceAccountName".into(), account.clone());
        spec.insert("serviceAccount".into(), account);
    }
    let on_host = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for list in ["containers", "initContainers"] {
        each(spec.get_mut(list), |fields| container(fields, on_host));
    }
    each(spec.get_mut("volumes"), volume);
}

fn container(container: &mut Map<String, Value>, on_host: bool) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
    fill(container, "imagePullPolicy", json!(policy));
    fill(container, "resources", json!({}));
    fill(container, "terminationMessagePath", json!("/dev/termination-log"));
    fill(container, "terminationMessagePolicy", json!("File"));
    each(container.get_mut("ports"), |port| {
        fill(port, "protocol", json!("TCP"));
        if on_host && let Some(own) = port.get("containerPort").cloned() {
            fill(port, "hostPort", own);
        }
    });
    each(container.get_mut("env"), |variable| {
        field_reference(variable.get_mut("valueFrom").and_then(|from| from.get_mut("fieldRef")));
    });
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(name).and_then(Value::as_object_mut) else { continue };
        for (name, value) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            fill(probe, name, json!(value));
        }
        http_get(probe.get_mut("httpGet"));
        if let Some(grpc) = probe.get_mut("grpc").and_then(Value::as_object_mut) {
            fill(grpc, "service", json!(""));
        }
    }
    for hook in ["postStart", "preStop"] {
        http_get(container.get_mut("lifecycle").and_then(|lifecycle| lifecycle.get_mut(hook)?.get_mut("httpGet")));
    }
}

fn http_get(get: Option<&mut Value>) {
    if let Some(get) = get.and_then(Value::as_object_mut) {
        fill(get, "path", json!("/"));
        fill(get, "scheme", json!("HTTP"));
    }
}

fn field_reference(reference: Option<&mut Value>) {
    if let Some(reference) = reference.and_then(Value::as_object_mut) {
        fill(reference, "apiVersion", json!("v1"));
    }
}

fn volume(volume: &mut Map<String, Value>) {
    for source in ["configMap", "secret", "projected", "downwardAPI"] {
        if let Some(source) = volume.get_mut(source).and_then(Value::as_object_mut) {
            fill(source, "defaultMode", json!(0o644));
        }
    }
    if let Some(path) = volume.get_mut("hostPath").and_then(Value::as_object_mut) {
        fill(path, "type", json!(""));
    }
    each(volume.get_mut("downwardAPI").and_then(|source| source.get_mut("items")), |item| {
        field_reference(item.get_mut("fieldRef"));
    });
    each(volume.get_mut("projected").and_then(|source| source.get_mut("sources")), |source| {
        each(source.get_mut("downwardAPI").and_then(|source| source.get_mut("items")), |item| {
            field_reference(item.get_mut("fieldRef"));
        });
        if let Some(token) = source.get_mut("serviceAccountToken").and_then(Value::as_object_mut) {
            fill(token, "expirationSeconds", json!(3_600));
        }
    });
    if volume.len() == 1 {
        volume.insert("emptyDir".into(), json!({}));
    }
}

/// The quality of service of a pod (core `ComputePodQOS`).
pub(in crate::kube::strategy) fn qos_class(spec: &Value) -> &'static str {
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

/// Whether an image names the tag `latest`, or neither a tag nor a digest.
fn is_latest(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    !name.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

#[cfg(test)]
mod tests {
    use super::super::default_spec;
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
