//! What the API fills in where an object leaves it out (each group's `defaults.go` in Kubernetes 1.31).

mod pod;

pub(super) use pod::qos_class;

use crate::kube::request::served::Served;
use crate::kube::tree;
use serde_json::{Map, Value, json};

/// Fills in the defaults of an object's kind.
pub(super) fn default_spec(served: &Served, object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    match (served.group.as_ref(), served.plural.as_ref()) {
        ("rbac.authorization.k8s.io", "clusterrolebindings" | "rolebindings") => return default_binding(fields),
        ("storage.k8s.io", "storageclasses") => {
            fill(fields, "reclaimPolicy", json!("Delete"));
            return fill(fields, "volumeBindingMode", json!("Immediate"));
        }
        ("scheduling.k8s.io", "priorityclasses") => {
            return fill(fields, "preemptionPolicy", json!("PreemptLowerPriority"));
        }
        ("", "podtemplates") => return pod::template(fields.get_mut("template")),
        ("", "endpoints") => {
            return each(fields.get_mut("subsets"), |subset| {
                each(subset.get_mut("ports"), |port| fill(port, "protocol", json!("TCP")));
            });
        }
        ("discovery.k8s.io", "endpointslices") => {
            return each(fields.get_mut("ports"), |port| {
                fill(port, "name", json!(""));
                fill(port, "protocol", json!("TCP"));
            });
        }
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            let is_mutating = served.plural == "mutatingwebhookconfigurations";
            return each(fields.get_mut("webhooks"), |webhook| default_webhook(webhook, is_mutating));
        }
        _ => {}
    }
    let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match (served.group.as_ref(), served.plural.as_ref()) {
        ("", "pods") => pod::pod(spec),
        ("apps", _) => default_workload(&served.plural, spec),
        ("", "replicationcontrollers") => {
            fill(spec, "replicas", json!(1));
            pod::template(spec.get_mut("template"));
        }
        ("batch", "jobs") => default_job(spec),
        ("batch", "cronjobs") => {
            fill(spec, "concurrencyPolicy", json!("Allow"));
            fill(spec, "suspend", json!(false));
            fill(spec, "successfulJobsHistoryLimit", json!(3));
            fill(spec, "failedJobsHistoryLimit", json!(1));
            // The job itself is completed when it is made.
            let job = spec.get_mut("jobTemplate").and_then(|template| template.get_mut("spec"));
            pod::template(job.and_then(|job| job.get_mut("template")));
        }
        ("", "persistentvolumeclaims") => fill(spec, "volumeMode", json!("Filesystem")),
        ("", "persistentvolumes") => {
            fill(spec, "volumeMode", json!("Filesystem"));
            fill(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
            if let Some(path) = spec.get_mut("hostPath").and_then(Value::as_object_mut) {
                fill(path, "type", json!(""));
            }
        }
        ("", "limitranges") => each(spec.get_mut("limits"), default_limit),
        ("networking.k8s.io", "networkpolicies") => default_policy(spec),
        ("autoscaling", "horizontalpodautoscalers") if served.version == "v2" => {
            fill(spec, "minReplicas", json!(1));
            let target = json!({"type": "Utilization", "averageUtilization": 80});
            fill(spec, "metrics", json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]));
        }
        ("storage.k8s.io", "csidrivers") => {
            fill(spec, "attachRequired", json!(true));
            fill(spec, "fsGroupPolicy", json!("ReadWriteOnceWithFSType"));
            fill(spec, "volumeLifecycleModes", json!(["Persistent"]));
            for field in ["podInfoOnMount", "requiresRepublish", "seLinuxMount", "storageCapacity"] {
                fill(spec, field, json!(false));
            }
        }
        ("apiregistration.k8s.io", "apiservices") => {
            if let Some(service) = spec.get_mut("service").and_then(Value::as_object_mut) {
                fill(service, "port", json!(443));
            }
        }
        _ => {}
    }
}

fn default_workload(plural: &str, spec: &mut Map<String, Value>) {
    if plural != "daemonsets" {
        fill(spec, "replicas", json!(1));
    }
    if plural != "replicasets" {
        fill(spec, "revisionHistoryLimit", json!(10));
    }
    let (strategy, rolling) = match plural {
        "deployments" => ("strategy", json!({"maxSurge": "25%", "maxUnavailable": "25%"})),
        "daemonsets" => ("updateStrategy", json!({"maxSurge": 0, "maxUnavailable": 1})),
        _ => ("updateStrategy", json!({"partition": 0})),
    };
    if ["deployments", "daemonsets", "statefulsets"].contains(&plural) {
        let strategy = spec.entry(strategy).or_insert_with(|| json!({}));
        if let Some(strategy) = strategy.as_object_mut() {
            fill(strategy, "type", json!("RollingUpdate"));
            if strategy["type"] == "RollingUpdate" {
                let own = strategy.entry("rollingUpdate").or_insert_with(|| json!({}));
                for (name, value) in rolling.as_object().into_iter().flatten() {
                    if let Some(own) = own.as_object_mut() {
                        fill(own, name, value.clone());
                    }
                }
            }
        }
    }
    if plural == "deployments" {
        fill(spec, "progressDeadlineSeconds", json!(600));
    }
    if plural == "statefulsets" {
        fill(spec, "podManagementPolicy", json!("OrderedReady"));
        fill(spec, "persistentVolumeClaimRetentionPolicy", json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
        each(spec.get_mut("volumeClaimTemplates"), |claim| {
            fill(claim, "apiVersion", json!("v1"));
            fill(claim, "kind", json!("PersistentVolumeClaim"));
            claim.insert("status".into(), json!({"phase": "Pending"}));
            if let Some(spec) = claim.get_mut("spec").and_then(Value::as_object_mut) {
                fill(spec, "volumeMode", json!("Filesystem"));
            }
        });
    }
    pod::template(spec.get_mut("template"));
}

fn default_job(spec: &mut Map<String, Value>) {
    // A job with neither is done with one pod.
    if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
        fill(spec, "completions", json!(1));
    }
    fill(spec, "parallelism", json!(1));
    fill(spec, "backoffLimit", json!(6));
    fill(spec, "completionMode", json!("NonIndexed"));
    fill(spec, "suspend", json!(false));
    fill(spec, "manualSelector", json!(false));
    let replaced = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    fill(spec, "podReplacementPolicy", json!(replaced));
    pod::template(spec.get_mut("template"));
}

fn default_binding(fields: &mut Map<String, Value>) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    if let Some(role) = fields.get_mut("roleRef").and_then(Value::as_object_mut) {
        fill_empty(role, "apiGroup", GROUP);
    }
    each(fields.get_mut("subjects"), |subject| {
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            fill_empty(subject, "apiGroup", GROUP);
        }
    });
}

fn default_webhook(webhook: &mut Map<String, Value>, is_mutating: bool) {
    fill(webhook, "failurePolicy", json!("Fail"));
    fill(webhook, "matchPolicy", json!("Equivalent"));
    fill(webhook, "namespaceSelector", json!({}));
    fill(webhook, "objectSelector", json!({}));
    fill(webhook, "timeoutSeconds", json!(10));
    if is_mutating {
        fill(webhook, "reinvocationPolicy", json!("Never"));
    }
    each(webhook.get_mut("rules"), |rule| fill(rule, "scope", json!("*")));
    let service = webhook.get_mut("clientConfig").and_then(|client| client.get_mut("service"));
    if let Some(service) = service.and_then(Value::as_object_mut) {
        fill(service, "port", json!(443));
    }
}

/// A container's default limit is the most it may have, and its default request the default limit.
fn default_limit(limit: &mut Map<String, Value>) {
    if limit.get("type").and_then(Value::as_str) != Some("Container") {
        return;
    }
    for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
        let amounts = limit.get(from).and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, amount) in amounts {
            let own = limit.entry(to).or_insert_with(|| json!({}));
            if let Some(own) = own.as_object_mut() {
                fill(own, &name, amount);
            }
        }
    }
}

fn default_policy(spec: &mut Map<String, Value>) {
    let has_egress = spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
    fill(spec, "policyTypes", if has_egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) });
    for direction in ["ingress", "egress"] {
        each(spec.get_mut(direction), |rule| each(rule.get_mut("ports"), |port| fill(port, "protocol", json!("TCP"))));
    }
}

/// What a kind's strategy puts into the metadata of a new object.
pub(super) fn default_metadata(served: &Served, object: &mut Value) {
    if served.is("apps", "daemonsets") {
        tree::set(object, &["metadata", "annotations", "deprecated.daemonset.template.generation"], "1");
    }
    // A kubelet gives out all it has unless it keeps something back.
    if served.is("", "nodes")
        && object["status"]["allocatable"].is_null()
        && let capacity @ Value::Object(_) = object["status"]["capacity"].clone()
    {
        tree::set(object, &["status", "allocatable"], capacity);
    }
}

fn each(list: Option<&mut Value>, mut change: impl FnMut(&mut Map<String, Value>)) {
    list.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut).for_each(&mut change);
}

fn fill(fields: &mut Map<String, Value>, name: &str, value: Value) {
    if fields.get(name).is_none_or(Value::is_null) {
        fields.insert(name.into(), value);
    }
}

fn fill_empty(fields: &mut Map<String, Value>, name: &str, value: &str) {
    if fields.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
        fields.insert(name.into(), value.into());
    }
}
