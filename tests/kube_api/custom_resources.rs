//! CustomResourceDefinitions and what they define.

use crate::support::{Api, outline};
use serde_json::{Value, json};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const PLANS: &str = "/apis/upgrade.cattle.io/v1/namespaces/demo/plans";

fn definition() -> Value {
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
            "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
        })
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "plans.upgrade.cattle.io"},
        "spec": {
            "group": "upgrade.cattle.io",
            "scope": "Namespaced",
            "names": {"plural": "plans", "singular": "plan", "kind": "Plan", "shortNames": ["pl"]},
            "versions": [version("v1", true), version("v1beta1", false)]
        }
    })
}

fn plan(name: &str, size: u32) -> Value {
    json!({"apiVersion": "upgrade.cattle.io/v1", "kind": "Plan", "metadata": {"name": name}, "spec": {"size": size}})
}

#[test]
fn a_definition_is_established_at_once() {
    let mut api = Api::new();
    assert_eq!(api.get("/apis/upgrade.cattle.io/v1").status, 404);
    api.create(DEFINITIONS, &definition());
    let made = api.read(&format!("{DEFINITIONS}/plans.upgrade.cattle.io"));
    for condition in ["NamesAccepted", "Established"] {
        let conditions = made["status"]["conditions"].as_array().unwrap();
        assert!(conditions.iter().any(|c| c["type"] == condition && c["status"] == "True"), "{condition}");
    }
    assert_eq!(made["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(made["status"]["acceptedNames"]["listKind"], "PlanList");
    assert_eq!(made["spec"]["conversion"], json!({"strategy": "None"}));
}

#[test]
fn a_custom_kind_is_discovered() {
    let mut api = Api::new();
    api.create(DEFINITIONS, &definition());
    let groups = api.read("/apis");
    let group = groups["groups"].as_array().unwrap().iter().find(|group| group["name"] == "upgrade.cattle.io").unwrap();
    assert_eq!(group["preferredVersion"]["version"], "v1");
    let resources = api.read("/apis/upgrade.cattle.io/v1");
    let names: Vec<_> =
        resources["resources"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    for name in ["plans", "plans/status", "plans/scale"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(api.read("/openapi/v3")["paths"]["apis/upgrade.cattle.io/v1"].is_object());
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    assert!(api.get_as("/apis", aggregated).text().contains("\"upgrade.cattle.io\""));
}

#[test]
fn custom_resources_are_kept_like_others() {
    let mut api = Api::new();
    api.create(DEFINITIONS, &definition());
    let mut watch =
        api.watch(&format!("/apis/upgrade.cattle.io/v1/plans?watch=1&resourceVersion={}", api.cluster.revision()));
    let made = api.create(PLANS, &plan("a", 1));
    assert_eq!(
        (&made["kind"], &made["metadata"]["generation"], &made["spec"]["size"]),
        (&json!("Plan"), &json!(1), &json!(1))
    );
    let list = api.read(PLANS);
    assert_eq!(list["kind"], "PlanList");
    assert_eq!(
        (&list["items"][0]["kind"], &list["items"][0]["apiVersion"]),
        (&json!("Plan"), &json!("upgrade.cattle.io/v1"))
    );
    let target = format!("{PLANS}/a");
    let patched = api.patch(&target, "merge", &json!({"spec": {"size": 2}})).expect(200);
    assert_eq!((&patched["spec"]["size"], &patched["metadata"]["generation"]), (&json!(2), &json!(2)));
    // Its types are not built in: merge keys are unknown.
    assert_eq!(
        api.patch(&target, "strategic-merge", &json!({"spec": {}})).expect(415)["reason"],
        "UnsupportedMediaType"
    );
    assert_eq!(api.put(&target, &made).expect(409)["reason"], "Conflict");
    api.post(PLANS, &plan("a", 1)).refuses(409, "AlreadyExists", "plans.upgrade.cattle.io \"a\" already exists");
    api.delete(&target).expect(200);
    assert_eq!(outline(&watch.events(&api)), [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]);
}

#[test]
fn every_version_shows_the_same_objects() {
    let mut api = Api::new();
    api.create(DEFINITIONS, &definition());
    let made = api.create(PLANS, &plan("a", 1));
    let beta = "/apis/upgrade.cattle.io/v1beta1/namespaces/demo/plans";
    let other = api.read(&format!("{beta}/a"));
    assert_eq!(other["apiVersion"], "upgrade.cattle.io/v1beta1");
    assert_eq!((&other["metadata"]["uid"], &other["spec"]), (&made["metadata"]["uid"], &made["spec"]));
    let mut watch = api.watch(&format!("{beta}?watch=1&resourceVersion={}", api.cluster.revision()));
    api.patch(&format!("{PLANS}/a"), "merge", &json!({"spec": {"size": 5}})).expect(200);
    assert_eq!(watch.events(&api)[0].1["apiVersion"], "upgrade.cattle.io/v1beta1");
}

#[test]
fn status_and_scale_of_a_custom_resource() {
    let mut api = Api::new();
    api.create(DEFINITIONS, &definition());
    let mut with_status = plan("a", 1);
    with_status["status"] = json!({"size": 9});
    let mut made = api.create(PLANS, &with_status);
    assert_eq!(made.get("status"), None, "a status is written through its own door");
    made["status"] = json!({"size": 1});
    made["spec"]["size"] = 7.into();
    let updated = api.put(&format!("{PLANS}/a/status"), &made).expect(200);
    assert_eq!(
        (&updated["status"]["size"], &updated["spec"]["size"], &updated["metadata"]["generation"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let scale = api.read(&format!("{PLANS}/a/scale"));
    assert_eq!(
        (&scale["kind"], &scale["spec"]["replicas"], &scale["status"]["replicas"]),
        (&json!("Scale"), &json!(1), &json!(1))
    );
    api.patch(&format!("{PLANS}/a/scale"), "merge", &json!({"spec": {"replicas": 3}})).expect(200);
    assert_eq!(api.read(&format!("{PLANS}/a"))["spec"]["size"], 3);
}

#[test]
fn kubectl_prints_the_columns_of_the_definition() {
    let mut api = Api::new();
    api.create(DEFINITIONS, &definition());
    api.create(PLANS, &plan("a", 4));
    let table = api.get_as(PLANS, "application/json;as=Table;v=v1;g=meta.k8s.io").expect(200);
    assert_eq!(table["rows"][0]["cells"], json!(["a", 4]));
}

#[test]
fn with_the_definition_goes_what_it_defined() {
    let mut api = Api::new();
    api.create(DEFINITIONS, &definition());
    api.create(PLANS, &plan("a", 1));
    let mut watch = api.watch(&format!("{DEFINITIONS}?watch=1&resourceVersion={}", api.cluster.revision()));
    api.delete(&format!("{DEFINITIONS}/plans.upgrade.cattle.io")).expect(200);
    assert_eq!(api.get(PLANS).status, 404);
    assert_eq!(api.get("/apis/upgrade.cattle.io/v1").status, 404);
    assert_eq!(watch.events(&api).last().unwrap().0, "DELETED");
    // One that comes anew starts empty.
    api.create(DEFINITIONS, &definition());
    assert_eq!(api.names(PLANS), [""; 0]);
}

#[test]
fn a_watch_of_a_kind_that_goes_away_ends() {
    let mut api = Api::new();
    api.create(DEFINITIONS, &definition());
    api.create(PLANS, &plan("a", 1));
    let mut watch = api.watch(&format!("{PLANS}?watch=1&resourceVersion={}", api.cluster.revision()));
    api.delete(&format!("{DEFINITIONS}/plans.upgrade.cattle.io")).expect(200);
    let (events, _) = watch.poll(&api);
    assert_eq!(outline(&events), [("DELETED", "a")]);
}

#[test]
fn cluster_wide_kinds_have_no_namespace() {
    let mut api = Api::new();
    let mut wide = definition();
    wide["spec"]["scope"] = "Cluster".into();
    api.create(DEFINITIONS, &wide);
    let made = api.create("/apis/upgrade.cattle.io/v1/plans", &plan("a", 1));
    assert_eq!(made["metadata"].get("namespace"), None);
    assert_eq!(api.get(&format!("{PLANS}/a")).status, 404);
}

#[test]
fn a_definition_is_checked() {
    let mut api = Api::new();
    let mut misnamed = definition();
    misnamed["metadata"]["name"] = "wrong.upgrade.cattle.io".into();
    let status = api.post(DEFINITIONS, &misnamed).expect(422);
    assert!(status["message"].as_str().unwrap().contains("metadata.name"), "{status}");
    for field in ["group", "names", "versions", "scope"] {
        let mut broken = definition();
        broken["spec"].as_object_mut().unwrap().remove(field);
        assert_eq!(api.post(DEFINITIONS, &broken).status, 422, "{field}");
    }
}

#[test]
fn a_dry_run_defines_nothing() {
    let mut api = Api::new();
    api.post(&format!("{DEFINITIONS}?dryRun=All"), &definition()).expect(201);
    assert_eq!(api.get("/apis/upgrade.cattle.io/v1").status, 404);
}
