//! Rules that take more than one field.

use super::{limits, network, portion, schedule, size};
use crate::kube::custom::definition;
use crate::kube::names::{check_qualified_name, check_subdomain};
use crate::kube::quantity::Quantity;
use crate::kube::response::quote::go_strings;
use crate::kube::tree::{items, text};
use crate::kube::{Cause, LabelSelector};
use core::net::{Ipv4Addr, Ipv6Addr};
use serde_json::{Value, json};
use std::collections::HashSet;

/// What is wrong beyond the tables.
pub(super) fn problems(group: &str, plural: &str, object: &Value, causes: &mut Vec<Cause>) {
    match (group, plural) {
        ("apps", "deployments" | "daemonsets" | "replicasets" | "statefulsets") => {
            workload(plural, &object["spec"], causes)
        }
        ("batch", "cronjobs") => schedule::problems(&object["spec"]["schedule"], causes),
        ("rbac.authorization.k8s.io", "clusterroles" | "roles") => rules(plural, object, causes),
        ("rbac.authorization.k8s.io", "clusterrolebindings" | "rolebindings") => binding(plural, object, causes),
        ("", "configmaps") => {
            let binary = object["binaryData"].as_object().into_iter().flatten();
            for (key, _) in binary.filter(|(key, _)| object["data"].get(key).is_some()) {
                let problem = "duplicate of key present in binaryData";
                causes.push(Cause::invalid(format!("data[{key}]"), &json!(key), problem));
            }
            size::configmap(object, causes);
        }
        ("", "secrets") => {
            size::secret(object, causes);
            secret(object, causes);
        }
        ("", "services") => network::service(&object["spec"], causes),
        ("", "limitranges") => limits::problems(&object["spec"]["limits"], causes),
        ("", "nodes") => taints(&object["spec"]["taints"], causes),
        ("", "persistentvolumeclaims") => claim(&object["spec"]["resources"]["requests"]["storage"], causes),
        ("", "persistentvolumes") => volume(&object["spec"], causes),
        ("", "events") => {
            let involved = &object["involvedObject"]["namespace"];
            if involved.as_str().is_some_and(|own| !own.is_empty()) && *involved != object["metadata"]["namespace"] {
                causes.push(Cause::invalid("involvedObject.namespace", involved, "does not match event.namespace"));
            }
        }
        ("apiextensions.k8s.io", "customresourcedefinitions") => causes.extend(definition::problems(object)),
        ("apiregistration.k8s.io", "apiservices") => api_service(object, causes),
        ("scheduling.k8s.io", "priorityclasses") => priority_class(object, causes),
        ("autoscaling", "horizontalpodautoscalers") => autoscaler(&object["spec"], causes),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            webhooks(&object["webhooks"], causes);
        }
        ("discovery.k8s.io", "endpointslices") => addresses(object, causes),
        ("policy", "poddisruptionbudgets") => budget(&object["spec"], causes),
        ("networking.k8s.io", "ingresses") => network::ingress(&object["spec"], causes),
        ("networking.k8s.io", "networkpolicies") => network::policy(&object["spec"], causes),
        _ => {}
    }
}

/// What is wrong with a pod's spec at `field` beyond the tables.
pub(super) fn pod_problems(plural: &str, field: &str, spec: &Value, causes: &mut Vec<Cause>) {
    gates(plural, field, spec, causes);
    let policy = &spec["restartPolicy"];
    let at = format!("{field}.restartPolicy");
    match plural {
        "pods" => {
            let known = ["Always", "OnFailure", "Never"];
            if !known.contains(&policy.as_str().unwrap_or_default()) {
                causes.push(Cause::not_supported(at, policy, &known));
            }
        }
        "jobs" | "cronjobs" if *policy == "Always" || policy.is_null() => {
            causes.push(Cause::required(at, "valid values: \"OnFailure\", \"Never\""));
        }
        "jobs" | "cronjobs" => {}
        _ if *policy != "Always" => causes.push(Cause::not_supported(at, policy, &["Always"])),
        _ => {}
    }
}

/// What holds a pod has a name, and nobody sends a held pod anywhere.
fn gates(plural: &str, field: &str, spec: &Value, causes: &mut Vec<Cause>) {
    let gates: Vec<&Value> = items(&spec["schedulingGates"]).map(|gate| &gate["name"]).collect();
    let mut known = HashSet::new();
    for (index, name) in gates.iter().enumerate() {
        let at = || format!("{field}.schedulingGates[{index}]");
        causes.extend(check_qualified_name(text(name)).iter().map(|problem| Cause::invalid(at(), name, problem)));
        if !known.insert(text(name)) {
            causes.push(Cause::duplicate(at(), name));
        }
    }
    if plural == "pods" && !gates.is_empty() && !text(&spec["nodeName"]).is_empty() {
        let problem = "cannot be set until all schedulingGates have been cleared";
        causes.push(Cause::forbidden(format!("{field}.nodeName"), problem));
    }
}

fn workload(plural: &str, spec: &Value, causes: &mut Vec<Cause>) {
    if plural == "statefulsets" && !["OrderedReady", "Parallel"].contains(&text(&spec["podManagementPolicy"])) {
        let problem = "must be 'OrderedReady' or 'Parallel'";
        causes.push(Cause::invalid("spec.podManagementPolicy", &spec["podManagementPolicy"], problem));
    }
    if spec["strategy"]["type"] == "Recreate" && !spec["strategy"]["rollingUpdate"].is_null() {
        let problem = "may not be specified when strategy `type` is 'Recreate'";
        causes.push(Cause::forbidden("spec.strategy.rollingUpdate", problem));
    }
    portion::rollout(plural, spec, causes);
    let selector = &spec["selector"];
    if selector.is_null() && plural != "daemonsets" {
        causes.push(Cause::required("spec.selector", ""));
    } else if selector["matchLabels"].is_null() && selector["matchExpressions"].is_null() && !selector.is_null() {
        causes.push(Cause::invalid("spec.selector", &json!({}), "empty selector is invalid for deployment"));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if !matches(selector, labels) {
        let problem = "`selector` does not match template `labels`";
        causes.push(Cause::invalid_go("spec.template.metadata.labels", &go_map(labels), problem));
    }
}

fn matches(selector: &Value, labels: &Value) -> bool {
    if selector.is_null() {
        return false;
    }
    LabelSelector::from_object(selector).is_ok_and(|selector| selector.matches(labels.as_object()))
}

fn claim(storage: &Value, causes: &mut Vec<Cause>) {
    let field = "spec.resources[storage]";
    if storage.is_null() {
        causes.push(Cause::required(field, ""));
    } else if Quantity::of(storage).is_some_and(|size| size <= Quantity::default()) {
        causes.push(Cause::invalid(field, storage, "must be greater than zero"));
    }
}

fn rules(plural: &str, role: &Value, causes: &mut Vec<Cause>) {
    for (index, rule) in items(&role["rules"]).enumerate() {
        let at = |field: &str| format!("rules[{index}].{field}");
        let is_empty = |field: &str| items(&rule[field]).next().is_none();
        if is_empty("verbs") {
            causes.push(Cause::required(at("verbs"), "verbs must contain at least one value"));
        }
        if !is_empty("nonResourceURLs") {
            let shown = go_strings(items(&rule["nonResourceURLs"]));
            if plural == "roles" {
                let problem = "namespaced rules cannot apply to non-resource URLs";
                causes.push(Cause::invalid_go(at("nonResourceURLs"), &shown, problem));
            }
            if !(is_empty("apiGroups") && is_empty("resources") && is_empty("resourceNames")) {
                let problem = "rules cannot apply to both regular resources and non-resource URLs";
                causes.push(Cause::invalid_go(at("nonResourceURLs"), &shown, problem));
            }
            continue;
        }
        if is_empty("apiGroups") {
            causes.push(Cause::required(at("apiGroups"), "resource rules must supply at least one api group"));
        }
        if is_empty("resources") {
            causes.push(Cause::required(at("resources"), "resource rules must supply at least one resource"));
        }
    }
}

fn binding(plural: &str, object: &Value, causes: &mut Vec<Cause>) {
    let role = &object["roleRef"];
    if role["apiGroup"] != "rbac.authorization.k8s.io" {
        causes.push(Cause::not_supported("roleRef.apiGroup", &role["apiGroup"], &["rbac.authorization.k8s.io"]));
    }
    let known: &[&str] = if plural == "rolebindings" { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !known.contains(&text(&role["kind"])) {
        let kind = if role["kind"].is_null() { json!("") } else { role["kind"].clone() };
        causes.push(Cause::not_supported("roleRef.kind", &kind, known));
    }
    if text(&role["name"]).is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    }
    for (index, subject) in items(&object["subjects"]).enumerate() {
        let at = |field: &str| format!("subjects[{index}].{field}");
        let name = text(&subject["name"]);
        if name.is_empty() {
            causes.push(Cause::required(at("name"), ""));
        }
        match text(&subject["kind"]) {
            "ServiceAccount" => {
                if !name.is_empty() {
                    for problem in check_subdomain(name) {
                        causes.push(Cause::invalid(at("name"), &json!(name), &problem));
                    }
                }
                if text(&subject["namespace"]).is_empty() && plural == "clusterrolebindings" {
                    causes.push(Cause::required(at("namespace"), ""));
                }
            }
            "User" | "Group" => {}
            _ => {
                let known = ["ServiceAccount", "User", "Group"];
                causes.push(Cause::not_supported(at("kind"), &subject["kind"], &known));
            }
        }
    }
}

fn secret(secret: &Value, causes: &mut Vec<Cause>) {
    if secret["type"] == "kubernetes.io/service-account-token" {
        let account = &secret["metadata"]["annotations"]["kubernetes.io/service-account.name"];
        if text(account).is_empty() {
            causes.push(Cause::required("metadata.annotations[kubernetes.io/service-account.name]", ""));
        }
        return;
    }
    let needed: &[&str] = match text(&secret["type"]) {
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/basic-auth" if secret["data"]["username"].is_null() && secret["data"]["password"].is_null() => {
            &["username", "password"]
        }
        _ => &[],
    };
    for key in needed.iter().filter(|key| secret["data"].get(**key).is_none()) {
        causes.push(Cause::required(format!("data[{key}]"), ""));
    }
}

fn volume(spec: &Value, causes: &mut Vec<Cause>) {
    if spec["capacity"].as_object().is_none_or(|capacity| capacity.is_empty()) {
        causes.push(Cause::required("spec.capacity", ""));
        let problem = "Unsupported value: core.ResourceList(nil): supported values: \"storage\"";
        causes.push(Cause { reason: "FieldValueNotSupported", message: problem.into(), field: "spec.capacity".into() });
    }
    if spec.as_object().is_none_or(|fields| fields.keys().all(|name| VOLUME_FIELDS.contains(&name.as_str()))) {
        causes.push(Cause::required("spec", "must specify a volume type"));
    }
}

fn taints(taints: &Value, causes: &mut Vec<Cause>) {
    for (index, taint) in items(taints).enumerate() {
        let at = |field: &str| format!("metadata.taints[{index}].{field}");
        for problem in check_qualified_name(text(&taint["key"])) {
            causes.push(Cause::invalid(at("key"), &taint["key"], &problem));
        }
        let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        if !known.contains(&text(&taint["effect"])) {
            causes.push(Cause::not_supported(at("effect"), &taint["effect"], &known));
        }
    }
}

fn autoscaler(spec: &Value, causes: &mut Vec<Cause>) {
    let (least, most) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64().unwrap_or_default());
    if least.is_some_and(|least| least < 1) {
        causes.push(Cause::invalid("spec.minReplicas", &spec["minReplicas"], "must be greater than or equal to 1"));
    }
    if most < 1 {
        causes.push(Cause::invalid("spec.maxReplicas", &json!(most), "must be greater than 0"));
    }
    if most < least.unwrap_or(1) {
        let problem = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid("spec.maxReplicas", &json!(most), problem));
    }
    for field in ["kind", "name"] {
        if text(&spec["scaleTargetRef"][field]).is_empty() {
            causes.push(Cause::required(format!("spec.scaleTargetRef.{field}"), ""));
        }
    }
}

fn webhooks(webhooks: &Value, causes: &mut Vec<Cause>) {
    for (index, webhook) in items(webhooks).enumerate() {
        let at = |field: &str| format!("webhooks[{index}].{field}");
        if text(&webhook["name"]).split('.').filter(|part| !part.is_empty()).count() < 3 {
            let problem = "should be a domain with at least three segments separated by dots";
            causes.push(Cause::invalid(at("name"), &webhook["name"], problem));
        }
        if !["None", "NoneOnDryRun"].contains(&text(&webhook["sideEffects"])) {
            let known = ["None", "NoneOnDryRun"];
            causes.push(match &webhook["sideEffects"] {
                Value::Null => Cause::required(at("sideEffects"), "must specify one of None, NoneOnDryRun"),
                other => Cause::not_supported(at("sideEffects"), other, &known),
            });
        }
        let client = &webhook["clientConfig"];
        if client["url"].is_null() == client["service"].is_null() {
            causes.push(Cause::required(at("clientConfig"), "exactly one of url or service is required"));
        }
        if items(&webhook["admissionReviewVersions"]).next().is_none() {
            causes.push(Cause::required(at("admissionReviewVersions"), "must specify one of v1, v1beta1"));
        }
    }
}

fn addresses(slice: &Value, causes: &mut Vec<Cause>) {
    for (index, endpoint) in items(&slice["endpoints"]).enumerate() {
        for (place, address) in items(&endpoint["addresses"]).enumerate() {
            let problem = match text(&slice["addressType"]) {
                "IPv4" if text(address).parse::<Ipv4Addr>().is_err() => "must be a valid IPv4 address",
                "IPv6" if text(address).parse::<Ipv6Addr>().is_err() => "must be a valid IPv6 address",
                _ => continue,
            };
            causes.push(Cause::invalid(format!("endpoints[{index}].addresses[{place}]"), address, problem));
        }
    }
}

fn budget(spec: &Value, causes: &mut Vec<Cause>) {
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        both_set(spec, causes);
    }
    portion::budget(spec, causes);
}

fn both_set(spec: &Value, causes: &mut Vec<Cause>) {
    // The server prints where in its memory they are.
    let pointer =
        |kind: &str, value: &Value| format!("(*{kind})({})", if value.is_null() { "nil" } else { "0xc000000000" });
    let shown = format!(
        "policy.PodDisruptionBudgetSpec{{MinAvailable:{}, Selector:{}, MaxUnavailable:{}, UnhealthyPodEvictionPolicy:{}}}",
        pointer("intstr.IntOrString", &spec["minAvailable"]),
        pointer("v1.LabelSelector", &spec["selector"]),
        pointer("intstr.IntOrString", &spec["maxUnavailable"]),
        pointer("policy.UnhealthyPodEvictionPolicyType", &spec["unhealthyPodEvictionPolicy"])
    );
    causes.push(Cause::invalid_go("spec", &shown, "minAvailable and maxUnavailable cannot be both set"));
}

fn api_service(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let wanted = format!("{}.{}", text(&spec["version"]), text(&spec["group"]));
    if object["metadata"]["name"] != wanted {
        let problem = format!("must be `spec.version+\".\"+spec.group`: \"{wanted}\"");
        causes.push(Cause::invalid("metadata.name", &object["metadata"]["name"], &problem));
    }
    for (field, limit) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1_000)] {
        let number = spec[field].as_i64().unwrap_or_default();
        if !(1..=limit).contains(&number) {
            let problem = format!("must be positive and less than {limit}");
            causes.push(Cause::invalid(format!("spec.{field}"), &json!(number), &problem));
        }
    }
}

fn priority_class(object: &Value, causes: &mut Vec<Cause>) {
    let name = text(&object["metadata"]["name"]);
    if name.starts_with("system-") && !["system-cluster-critical", "system-node-critical"].contains(&name) {
        let problem = format!(
            "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known system priority class"
        );
        causes.push(Cause::forbidden("metadata.name", &problem));
    } else if !name.starts_with("system-") && object["value"].as_i64().is_some_and(|value| value > 1_000_000_000) {
        let problem = "maximum allowed value of a user defined priority is 1000000000";
        causes.push(Cause::forbidden("value", problem));
    }
}

/// As Go shows a map of strings.
pub(super) fn go_map(map: &Value) -> String {
    match map.as_object() {
        None => "map[string]string(nil)".into(),
        Some(entries) => {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
            format!("map[string]string{{{}}}", entries.join(", "))
        }
    }
}

/// What the spec of a volume has beside its source.
pub(super) const VOLUME_FIELDS: &[&str] = &[
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];
