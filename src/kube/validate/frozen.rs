//! What of an object may not change once it is there.

use super::frozen_pod;
use super::special::{VOLUME_FIELDS, go_map};
use crate::kube::Cause;
use crate::kube::custom::definition;
use crate::kube::quantity::Quantity;
use crate::kube::request::served::Served;
use serde_json::{Value, json};

/// What an update changes and may not.
pub(in crate::kube) fn changes(served: &Served, old: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if served.is("apiextensions.k8s.io", "customresourcedefinitions") {
        // What is served already cannot become something else.
        let names: &[&str] = if definition::is_established(old) {
            &["/spec/scope", "/spec/names/kind", "/spec/group", "/spec/names/plural"]
        } else {
            &["/spec/group", "/spec/names/plural"]
        };
        let changed = names.iter().filter(|pointer| old.pointer(pointer) != object.pointer(pointer));
        causes.extend(changed.map(|pointer| {
            let value = object.pointer(pointer).unwrap_or(&Value::Null);
            Cause::invalid(field_of(pointer), value, "field is immutable")
        }));
    }
    let rows = FROZEN.iter().filter(|(group, plural, ..)| served.group == *group && served.plural == *plural);
    for (_, _, pointer, words) in rows {
        let (before, after) = (old.pointer(pointer), object.pointer(pointer));
        if before == after {
            continue;
        }
        let field = field_of(pointer);
        causes.push(match words {
            Words::Immutable if *pointer == "/spec/selector" => {
                let labels = go_map(after.map_or(&Value::Null, |selector| &selector["matchLabels"]));
                let shown = format!(
                    "v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}}"
                );
                Cause::invalid_go(field, &shown, "field is immutable")
            }
            Words::Immutable => Cause::invalid(field, after.unwrap_or(&Value::Null), "field is immutable"),
            Words::Forbidden(why) => Cause::forbidden(field, why),
        });
    }
    match (served.group.as_ref(), served.plural.as_ref()) {
        ("rbac.authorization.k8s.io", "clusterrolebindings" | "rolebindings")
            if old["roleRef"] != object["roleRef"] =>
        {
            let role = &object["roleRef"];
            let shown =
                format!("rbac.RoleRef{{APIGroup:{}, Kind:{}, Name:{}}}", role["apiGroup"], role["kind"], role["name"]);
            causes.push(Cause::invalid_go("roleRef", &shown, "cannot change roleRef"));
        }
        ("apps", "statefulsets") if fixed(old, STATEFUL_FREE) != fixed(object, STATEFUL_FREE) => {
            causes.push(Cause::forbidden("spec", STATEFUL));
        }
        ("", "pods") => frozen_pod::changes(&old["spec"], &object["spec"], &mut causes),
        ("", "persistentvolumeclaims") => claim(old, object, &mut causes),
        ("", "persistentvolumes") => volume(old, object, &mut causes),
        ("", "nodes") => node(&old["spec"], &object["spec"], &mut causes),
        ("batch", "jobs") => job(old, object, &mut causes),
        ("apps", "controllerrevisions") if old["data"] != object["data"] => {
            causes.push(Cause::invalid_go("data", &raw(&object["data"]), "field is immutable"));
        }
        _ => {}
    }
    causes
}

/// What messages call a place.
fn field_of(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

#[derive(Debug)]
enum Words {
    Immutable,
    Forbidden(&'static str),
}

/// A spec without the fields that may change.
fn fixed(object: &Value, free: &[&str]) -> Value {
    let mut spec = object["spec"].clone();
    if let Value::Object(fields) = &mut spec {
        fields.retain(|name, _| !free.contains(&name.as_str()));
    }
    spec
}

fn claim(old: &Value, object: &Value, causes: &mut Vec<Cause>) {
    if fixed(old, CLAIM_FREE) != fixed(object, CLAIM_FREE) {
        causes.push(Cause::forbidden("spec", CLAIM));
    }
    let size = |claim: &Value| Quantity::of(&claim["spec"]["resources"]["requests"]["storage"]).unwrap_or_default();
    if size(object) < size(old) {
        let problem = "field can not be less than previous value";
        causes.push(Cause::forbidden("spec.resources.requests.storage", problem));
    }
}

/// The diff that a server puts after the words is left out.
fn volume(old: &Value, object: &Value, causes: &mut Vec<Cause>) {
    let (before, mut after) = (fixed(old, VOLUME_FIELDS), fixed(object, VOLUME_FIELDS));
    // A driver that could not expand the volume may learn how.
    if before["csi"].is_object() && before["csi"]["controllerExpandSecretRef"].is_null() {
        let driver = after.get_mut("csi").and_then(Value::as_object_mut);
        _ = driver.and_then(|driver| driver.remove("controllerExpandSecretRef"));
    }
    if bare(&before) != bare(&after) {
        let problem = "spec.persistentvolumesource is immutable after creation";
        causes.push(Cause::forbidden("spec.persistentvolumesource", problem));
    }
    if old["spec"]["volumeMode"] != object["spec"]["volumeMode"] {
        causes.push(Cause::invalid("volumeMode", &object["spec"]["volumeMode"], "field is immutable"));
    }
}

fn node(old: &Value, spec: &Value, causes: &mut Vec<Cause>) {
    let is_set = |value: &Value| !(value.is_null() || *value == "" || *value == json!([]));
    for (field, name) in [("podCIDRs", "podCIDR"), ("providerID", "providerID")] {
        if is_set(&old[field]) && old[field] != spec[field] {
            let problem = format!("node updates may not change {name} except from \"\" to valid");
            causes.push(Cause::forbidden(format!("spec.{field}"), &problem));
        }
    }
}

fn job(old: &Value, object: &Value, causes: &mut Vec<Cause>) {
    let (before, after) = (&old["spec"], &object["spec"]);
    if before["completions"] != after["completions"] {
        if after["completionMode"] != "Indexed" {
            causes.push(Cause::invalid("spec.completions", &after["completions"], "field is immutable"));
        } else if !after["completions"].is_null() && after["completions"] != after["parallelism"] {
            let problem = "can only be modified in tandem with spec.parallelism";
            causes.push(Cause::invalid("spec.completions", &after["completions"], problem));
        }
    }
    // Where its pods go may be decided, as queues do, until the first of them is made.
    let is_waiting = before["suspend"] == true && old["status"]["startTime"].is_null();
    let template = |job: &Value| bare(&if is_waiting { undirected(&job["template"]) } else { job["template"].clone() });
    if template(before) != template(after) {
        let shown = format!("core.PodTemplateSpec{}", after["template"]);
        causes.push(Cause::invalid_go("spec.template", &shown, "field is immutable"));
    }
}

/// A pod template without what says where the pods go.
fn undirected(template: &Value) -> Value {
    let mut template = template.clone();
    for (part, names) in [
        ("/metadata", ["annotations", "labels", ""]),
        ("/spec", ["nodeSelector", "tolerations", "schedulingGates"]),
        ("/spec/affinity", ["nodeAffinity", "", ""]),
    ] {
        if let Some(Value::Object(fields)) = template.pointer_mut(part) {
            fields.retain(|name, _| !names.contains(&name.as_str()));
        }
    }
    template
}

/// A value without what is empty, which to an API server is the same as absent.
pub(super) fn bare(value: &Value) -> Value {
    let is_empty = |value: &Value| value.is_null() || *value == json!([]) || *value == json!({});
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), bare(value)));
            Value::Object(fields.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(bare).collect()),
        other => other.clone(),
    }
}

/// As Go shows JSON that it keeps as it came.
fn raw(data: &Value) -> String {
    let bytes = data.to_string().bytes().map(|byte| format!("0x{byte:x}")).collect::<Vec<_>>().join(", ");
    format!(
        "runtime.Unknown{{TypeMeta:runtime.TypeMeta{{APIVersion:\"\", Kind:\"\"}}, Raw:[]uint8{{{bytes}}}, ContentEncoding:\"\", \
         ContentType:\"application/json\"}}"
    )
}

const FROZEN: &[(&str, &str, &str, Words)] = &[
    ("apps", "deployments", "/spec/selector", Words::Immutable),
    ("apps", "daemonsets", "/spec/selector", Words::Immutable),
    ("apps", "replicasets", "/spec/selector", Words::Immutable),
    ("batch", "jobs", "/spec/selector", Words::Immutable),
    ("batch", "jobs", "/spec/completionMode", Words::Immutable),
    ("batch", "jobs", "/spec/backoffLimitPerIndex", Words::Immutable),
    ("batch", "jobs", "/spec/managedBy", Words::Immutable),
    ("discovery.k8s.io", "endpointslices", "/addressType", Words::Immutable),
    ("networking.k8s.io", "ingressclasses", "/spec/controller", Words::Immutable),
    ("node.k8s.io", "runtimeclasses", "/handler", Words::Immutable),
    ("", "secrets", "/type", Words::Immutable),
    ("scheduling.k8s.io", "priorityclasses", "/value", Words::Forbidden("may not be changed in an update.")),
    ("scheduling.k8s.io", "priorityclasses", "/preemptionPolicy", Words::Forbidden("may not be changed in an update.")),
    ("storage.k8s.io", "storageclasses", "/parameters", Words::Forbidden("updates to parameters are forbidden.")),
    ("storage.k8s.io", "storageclasses", "/provisioner", Words::Forbidden("updates to provisioner are forbidden.")),
    ("storage.k8s.io", "storageclasses", "/reclaimPolicy", Words::Forbidden("updates to reclaimPolicy are forbidden.")),
    ("storage.k8s.io", "storageclasses", "/volumeBindingMode", Words::Immutable),
];
const STATEFUL_FREE: &[&str] = &[
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
    "revisionHistoryLimit",
];
const STATEFUL: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
     'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
const CLAIM_FREE: &[&str] = &["resources", "volumeName", "volumeAttributesClassName"];
const CLAIM: &str =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Cluster;

    fn told(group: &str, plural: &str, old: &Value, object: &Value) -> Vec<String> {
        let served = Cluster::built_in(group, plural).unwrap();
        let causes = changes(&served, old, object).into_iter();
        causes.map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    fn with(object: &Value, pointer: &str, value: Value) -> Value {
        let mut object = object.clone();
        *object.pointer_mut(pointer).unwrap() = value;
        object
    }

    #[test]
    fn a_job_keeps_its_template_once_it_has_begun() {
        let job = json!({
            "spec": {
                "completions": 2, "parallelism": 1, "completionMode": "NonIndexed", "suspend": false,
                "template": {"metadata": {}, "spec": {"containers": [{"name": "a", "image": "a:1"}], "nodeSelector": {"a": "b"}}}
            },
            "status": {}
        });
        let told = |old: &Value, object: &Value| told("batch", "jobs", old, object);
        let image = "/spec/template/spec/containers/0/image";
        let refused = told(&job, &with(&job, image, json!("a:2")));
        assert!(
            refused.len() == 1
                && refused[0].starts_with("spec.template: Invalid value: core.PodTemplateSpec{")
                && refused[0].ends_with("}: field is immutable"),
            "{refused:?}"
        );
        let place = "/spec/template/spec/nodeSelector";
        assert_eq!(told(&job, &with(&job, place, json!({}))).len(), 1);
        assert_eq!(told(&job, &with(&job, "/spec/template/metadata", json!({"labels": {}}))), [""; 0]);
        // Before it has begun, its pods may be sent elsewhere, and that is all.
        let waiting = with(&job, "/spec/suspend", json!(true));
        assert_eq!(told(&waiting, &with(&waiting, place, json!({"c": "d"}))), [""; 0]);
        assert_eq!(told(&waiting, &with(&waiting, image, json!("a:2"))).len(), 1);
        let stopped = with(&waiting, "/status", json!({"startTime": "2026-01-01T00:00:00Z"}));
        assert_eq!(told(&stopped, &with(&stopped, place, json!({"c": "d"}))).len(), 1);
    }

    #[test]
    fn the_completions_of_an_indexed_job_go_with_its_parallelism() {
        let job = json!({"spec": {"completions": 2, "parallelism": 2, "completionMode": "Indexed"}});
        let told = |old: &Value, object: &Value| told("batch", "jobs", old, object);
        let more = with(&job, "/spec/completions", json!(3));
        assert_eq!(
            told(&job, &more),
            ["spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"]
        );
        assert_eq!(told(&job, &with(&more, "/spec/parallelism", json!(3))), [""; 0]);
        let plain = with(&job, "/spec/completionMode", json!("NonIndexed"));
        let more = with(&plain, "/spec/completions", json!(3));
        assert_eq!(told(&plain, &more), ["spec.completions: Invalid value: 3: field is immutable"]);
    }

    #[test]
    fn a_kind_that_is_served_stays_what_it_is() {
        let status = json!({"conditions": [{"type": "Established", "status": "True"}]});
        let names = json!({"plural": "widgets", "kind": "Widget", "singular": "widget"});
        let old = json!({"spec": {"group": "a.b", "scope": "Cluster", "names": names}, "status": status});
        let told = |old: &Value, object: &Value| told("apiextensions.k8s.io", "customresourcedefinitions", old, object);
        let fresh = with(&old, "/status", json!({}));
        for (pointer, is_always) in
            [("/spec/scope", false), ("/spec/names/kind", false), ("/spec/group", true), ("/spec/names/plural", true)]
        {
            let expected = format!("{}: Invalid value: \"x\": field is immutable", pointer[1..].replace('/', "."));
            assert_eq!(told(&old, &with(&old, pointer, json!("x"))), [expected]);
            assert_eq!(told(&fresh, &with(&fresh, pointer, json!("x"))).len(), usize::from(is_always));
        }
        assert_eq!(told(&old, &with(&old, "/spec/names/singular", json!("x"))), [""; 0]);
    }

    #[test]
    fn a_volume_keeps_its_source_and_a_claim_its_size() {
        let volume = json!({"spec": {"capacity": {"storage": "1Gi"}, "hostPath": {"path": "/a"}}});
        assert_eq!(
            told("", "persistentvolumes", &volume, &with(&volume, "/spec/hostPath/path", json!("/b"))),
            ["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"]
        );
        let larger = with(&volume, "/spec/capacity/storage", json!("2Gi"));
        assert_eq!(told("", "persistentvolumes", &volume, &larger), [""; 0]);
        let driven = json!({"spec": {"csi": {"driver": "a", "controllerExpandSecretRef": null}}});
        let knowing = with(&driven, "/spec/csi/controllerExpandSecretRef", json!({"name": "s"}));
        assert_eq!(told("", "persistentvolumes", &driven, &knowing), [""; 0]);

        let claim = json!({"spec": {"resources": {"requests": {"storage": "1Gi"}}}});
        let sized = |size: &str| with(&claim, "/spec/resources/requests/storage", json!(size));
        assert_eq!(
            told("", "persistentvolumeclaims", &claim, &sized("1023Mi")),
            ["spec.resources.requests.storage: Forbidden: field can not be less than previous value"]
        );
        assert_eq!(told("", "persistentvolumeclaims", &claim, &sized("1024Mi")), [""; 0]);
    }

    #[test]
    fn a_node_is_provided_by_one_and_a_revision_stays() {
        let node = json!({"spec": {"providerID": "", "podCIDRs": ["10.42.0.0/24"]}});
        let provided = with(&node, "/spec/providerID", json!("k3s://a"));
        assert_eq!(told("", "nodes", &node, &provided), [""; 0]);
        assert_eq!(
            told("", "nodes", &provided, &node),
            ["spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid"]
        );
        assert_eq!(
            told("", "nodes", &node, &with(&node, "/spec/podCIDRs", json!([]))),
            ["spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid"]
        );
        let revision = json!({"data": {"a": 1}, "revision": 1});
        assert_eq!(
            told("apps", "controllerrevisions", &revision, &with(&revision, "/data", json!({}))),
            [
                "data: Invalid value: runtime.Unknown{TypeMeta:runtime.TypeMeta{APIVersion:\"\", Kind:\"\"}, Raw:[]uint8{0x7b, 0x7d}, \
                 ContentEncoding:\"\", ContentType:\"application/json\"}: field is immutable"
            ]
        );
        assert_eq!(told("apps", "controllerrevisions", &revision, &with(&revision, "/revision", json!(2))), [""; 0]);
    }
}
