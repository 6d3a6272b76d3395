//! PATCH, in its four formats.

use crate::support::{Api, config_map, resource_version};
use scale_cluster_agent::http1::Method;
use serde_json::json;

const GREETING: &str = "/api/v1/namespaces/demo/configmaps/greeting";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/demo/deployments/api";

#[test]
fn a_merge_patch_merges_and_null_removes() {
    let mut api = Api::new();
    let patched =
        api.patch(GREETING, "merge", &json!({"data": {"a": "b"}, "metadata": {"labels": {"x": "y"}}})).expect(200);
    assert_eq!(patched["data"], json!({"greeting": "Hello from edge", "a": "b"}));
    let patched = api.patch(GREETING, "merge", &json!({"data": {"greeting": null}})).expect(200);
    assert_eq!((&patched["data"], &patched["metadata"]["labels"]), (&json!({"a": "b"}), &json!({"x": "y"})));
    assert_eq!(api.read(GREETING), patched);
}

#[test]
fn a_json_patch_applies_its_operations_or_none() {
    let mut api = Api::new();
    let patch = json!([
        {"op": "test", "path": "/data/greeting", "value": "Hello from edge"},
        {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c"}},
        {"op": "replace", "path": "/metadata/annotations/a~1b", "value": "d"}
    ]);
    let patched = api.patch(GREETING, "json", &patch).expect(200);
    assert_eq!(patched["metadata"]["annotations"], json!({"a/b": "d"}));
    let patch = json!([{"op": "remove", "path": "/data/greeting"}, {"op": "test", "path": "/data/no", "value": 1}]);
    assert_eq!(api.patch(GREETING, "json", &patch).expect(422)["reason"], "Invalid");
    assert_eq!(api.read(GREETING), patched);
}

#[test]
fn a_strategic_patch_merges_containers_by_name() {
    let mut api = Api::new();
    let before = api.read(DEPLOYMENT);
    let name = before["spec"]["template"]["spec"]["containers"][0]["name"].clone();
    let patch = json!({"spec": {"template": {"spec": {"containers": [
        {"name": name, "image": "new:1"},
        {"name": "sidecar", "image": "side:1"}
    ]}}}});
    let patched = api.patch(DEPLOYMENT, "strategic-merge", &patch).expect(200);
    let containers = patched["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let images: Vec<_> = containers.iter().map(|c| c["image"].as_str().unwrap()).collect();
    assert_eq!(images.len(), 2);
    assert!(images.contains(&"new:1") && images.contains(&"side:1"), "{images:?}");
    assert_eq!(patched["metadata"]["generation"].as_u64(), before["metadata"]["generation"].as_u64().map(|g| g + 1));
}

#[test]
fn an_apply_creates_and_then_merges() {
    let mut api = Api::new();
    let target = "/api/v1/namespaces/demo/configmaps/applied?fieldManager=helm";
    let mut object = config_map("applied", "1");
    let made = api.patch(target, "apply", &object).expect(201);
    assert_eq!(made["data"]["key"], "1");
    object["data"] = json!({"other": "2"});
    let patched = api.patch(target, "apply", &object).expect(200);
    assert_eq!(patched["data"], json!({"other": "2"}), "what is applied no longer goes");
    assert_eq!(patched["metadata"]["uid"], made["metadata"]["uid"]);
    // A manager must say who it is, and the namespace must be there.
    assert_eq!(api.patch("/api/v1/namespaces/demo/configmaps/x", "apply", &config_map("x", "")).status, 422);
    let answer = api.patch("/api/v1/namespaces/no/configmaps/x?fieldManager=a", "apply", &config_map("x", ""));
    answer.refuses(404, "NotFound", "namespaces \"no\" not found");
}

#[test]
fn a_patch_that_changes_nothing_is_no_change() {
    let mut api = Api::new();
    let before = api.read(GREETING);
    let mut watch = api.watch(&format!("/api/v1/configmaps?watch=1&resourceVersion={}", api.cluster.revision()));
    let patched = api.patch(GREETING, "merge", &json!({"data": {"greeting": "Hello from edge"}})).expect(200);
    assert_eq!(patched, before);
    assert_eq!(watch.events(&api), []);
}

#[test]
fn a_patch_may_name_the_version_it_is_for() {
    let mut api = Api::new();
    let version = resource_version(&api.read(GREETING));
    let patch = |version: u64| json!({"metadata": {"resourceVersion": version.to_string()}, "data": {"v": version.to_string()}});
    let patched = api.patch(GREETING, "merge", &patch(version)).expect(200);
    assert_eq!(api.patch(GREETING, "merge", &patch(version)).expect(409)["reason"], "Conflict");
    assert_eq!(api.read(GREETING), patched);
}

#[test]
fn what_identifies_an_object_cannot_be_patched() {
    let mut api = Api::new();
    let before = api.read(GREETING);
    assert_eq!(api.patch(GREETING, "merge", &json!({"metadata": {"name": "other"}})).status, 400);
    assert_eq!(api.patch(GREETING, "merge", &json!({"metadata": {"namespace": "default"}})).status, 400);
    // An API server answers 422 or 400 to the first and 422 or 409 to the second, by the format of the patch.
    for patch in [json!({"kind": "Secret"}), json!({"metadata": {"uid": "11111111-1111-4111-8111-111111111111"}})] {
        let answer = api.patch(GREETING, "merge", &patch);
        assert!(matches!(answer.status, 400 | 409 | 422), "{}", answer.text());
    }
    assert_eq!(api.read(GREETING), before);
}

#[test]
fn bad_patches_are_refused() {
    let mut api = Api::new();
    let no = "/api/v1/namespaces/demo/configmaps/no";
    api.patch(no, "merge", &json!({})).refuses(404, "NotFound", "configmaps \"no\" not found");
    assert_eq!(api.patch(GREETING, "merge", &json!([])).status, 400);
    assert_eq!(api.patch(GREETING, "json", &json!({})).status, 400);
    let answer = api.send(Method::Patch, GREETING, &[("Content-Type", "application/json")], b"{}");
    assert_eq!((answer.status, &answer.json()["reason"]), (415, &json!("UnsupportedMediaType")));
    let status = api.patch(GREETING, "merge", &json!({"metadata": {"labels": {"a": "not a label"}}})).expect(422);
    assert_eq!(status["details"]["causes"][0]["field"], "metadata.labels");
}

#[test]
fn a_status_patch_changes_the_status_alone() {
    let mut api = Api::new();
    let before = api.read(DEPLOYMENT);
    let patch = json!({"spec": {"replicas": 9}, "status": {"readyReplicas": 0}});
    let patched = api.patch(&format!("{DEPLOYMENT}/status"), "merge", &patch).expect(200);
    assert_eq!(patched["spec"]["replicas"], before["spec"]["replicas"]);
    assert!(patched["status"].get("readyReplicas").is_none(), "a zero is left out");
    // A node problem detector's way of writing one condition.
    let patch = json!({"status": {"conditions": [{"type": "Extra", "status": "False"}]}});
    let node = api.patch("/api/v1/nodes/edge-worker-1/status", "strategic-merge", &patch).expect(200);
    let conditions = node["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|c| c["type"] == "Extra") && conditions.iter().any(|c| c["type"] == "Ready"));
}

#[test]
fn kubectl_apply_can_be_repeated() {
    let mut api = Api::new();
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let mut object = config_map("applied", "1");
    object["metadata"]["annotations"] = json!({annotation: config_map("applied", "1").to_string()});
    let made = api.create("/api/v1/namespaces/demo/configmaps?fieldManager=kubectl-client-side-apply", &object);
    let target =
        "/api/v1/namespaces/demo/configmaps/applied?fieldManager=kubectl-client-side-apply&fieldValidation=Strict";
    let patch = json!({"data": {"key": "2"}, "metadata": {"annotations": {annotation: "x"}}});
    let patched = api.patch(target, "strategic-merge", &patch).expect(200);
    assert_eq!(patched["data"], json!({"key": "2"}));
    assert!(resource_version(&patched) > resource_version(&made));
}
