//! PUT.

use crate::support::{Api, config_map, resource_version};
use serde_json::{Value, json};

const GREETING: &str = "/api/v1/namespaces/demo/configmaps/greeting";
const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";

#[test]
fn an_update_replaces_what_clients_own() {
    let mut api = Api::new();
    let before = api.read(GREETING);
    let mut object = before.clone();
    object["data"] = json!({"other": "text"});
    object["metadata"]["labels"] = json!({"a": "b"});
    let updated = api.put(GREETING, &object).expect(200);
    assert_eq!((&updated["data"], &updated["metadata"]["labels"]), (&json!({"other": "text"}), &json!({"a": "b"})));
    for owned in ["uid", "creationTimestamp", "name", "namespace"] {
        assert_eq!(updated["metadata"][owned], before["metadata"][owned], "{owned}");
    }
    assert!(resource_version(&updated) > resource_version(&before));
    assert_eq!(api.read(GREETING), updated);
}

#[test]
fn a_stale_update_conflicts() {
    let mut api = Api::new();
    let stale = api.read(GREETING);
    let mut fresh = stale.clone();
    fresh["data"]["a"] = "b".into();
    api.put(GREETING, &fresh).expect(200);
    let message = format!("Operation cannot be fulfilled on configmaps \"greeting\": {MODIFIED}");
    let status = api.put(GREETING, &stale).refuses(409, "Conflict", &message);
    assert_eq!(status["details"], json!({"name": "greeting", "kind": "configmaps"}));
}

#[test]
fn an_update_without_a_version_overwrites() {
    let mut api = Api::new();
    let updated = api.put(GREETING, &config_map("greeting", "mine")).expect(200);
    assert_eq!(updated["data"], json!({"key": "mine"}));
}

#[test]
fn an_update_that_changes_nothing_is_no_change() {
    let mut api = Api::new();
    let object = api.read(GREETING);
    let mut watch = api.watch(&format!("/api/v1/configmaps?watch=1&resourceVersion={}", api.cluster.revision()));
    assert_eq!(api.put(GREETING, &object).expect(200), object);
    assert_eq!(watch.events(&api), []);
}

#[test]
fn another_uid_is_another_object() {
    let mut api = Api::new();
    let mut object = api.read(GREETING);
    object["metadata"]["uid"] = "11111111-1111-4111-8111-111111111111".into();
    let status = api.put(GREETING, &object).expect(409);
    assert_eq!(status["reason"], "Conflict");
    assert!(status["message"].as_str().unwrap().contains("Precondition failed: UID in precondition"), "{status}");
}

#[test]
fn what_is_not_there_cannot_be_updated() {
    let mut api = Api::new();
    api.put("/api/v1/namespaces/demo/configmaps/no", &config_map("no", "")).refuses(
        404,
        "NotFound",
        "configmaps \"no\" not found",
    );
    api.put(GREETING, &config_map("other", "")).refuses(
        400,
        "BadRequest",
        "the name of the object (other) does not match the name on the URL (greeting)",
    );
    let mut elsewhere = config_map("greeting", "");
    elsewhere["metadata"]["namespace"] = "default".into();
    assert_eq!(api.put(GREETING, &elsewhere).status, 400);
}

#[test]
fn a_dry_run_updates_nothing() {
    let mut api = Api::new();
    let before = api.read(GREETING);
    let updated = api.put(&format!("{GREETING}?dryRun=All"), &config_map("greeting", "mine")).expect(200);
    assert_eq!(updated["data"]["key"], "mine");
    assert_eq!(api.read(GREETING), before);
}

#[test]
fn the_status_has_its_own_door() {
    let mut api = Api::new();
    let node = "/api/v1/nodes/edge-worker-1";
    let before = api.read(node);
    // A client that writes the object without its status does not wipe it.
    let mut without = before.clone();
    without.as_object_mut().unwrap().remove("status");
    without["metadata"]["annotations"]["a"] = "b".into();
    let updated = api.put(node, &without).expect(200);
    assert_eq!((&updated["status"], &updated["metadata"]["annotations"]["a"]), (&before["status"], &json!("b")));
    // And the door to the status leads nowhere else.
    let mut status = updated.clone();
    status["status"]["capacity"]["cpu"] = "99".into();
    status["spec"]["unschedulable"] = true.into();
    status["metadata"]["labels"] = json!({});
    let updated = api.put(&format!("{node}/status"), &status).expect(200);
    assert_eq!(updated["status"]["capacity"]["cpu"], "99");
    assert_eq!(updated["spec"].get("unschedulable"), None);
    assert_eq!(api.read(node), updated);
    assert_eq!(api.read(&format!("{node}/status")), updated);
}

#[test]
fn generations_count_changes_of_the_desired_state() {
    let mut api = Api::new();
    let target = "/apis/apps/v1/namespaces/demo/deployments/api";
    let generation = |object: &Value| object["metadata"]["generation"].as_u64().unwrap();
    let mut object = api.read(target);
    let first = generation(&object);
    object["metadata"]["labels"] = json!({"x": "y"});
    let mut object = api.put(target, &object).expect(200);
    assert_eq!(generation(&object), first, "labels are not desired state");
    object["spec"]["replicas"] = 5.into();
    let object = api.put(target, &object).expect(200);
    assert_eq!(generation(&object), first + 1);
    let mut status = api.read(target);
    status["status"]["readyReplicas"] = 0.into();
    let object = api.put(&format!("{target}/status"), &status).expect(200);
    assert_eq!(generation(&object), first + 1);
}

#[test]
fn cordon_and_uncordon() {
    // What Rancher's UI writes to a node.
    let mut api = Api::new();
    let target = "/api/v1/nodes/edge-worker-1";
    let mut node = api.read(target);
    node["spec"]["unschedulable"] = true.into();
    node["spec"]["taints"] = json!([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]);
    assert_eq!(api.put(target, &node).expect(200)["spec"]["unschedulable"], true);
    assert_eq!(api.names("/api/v1/nodes?fieldSelector=spec.unschedulable%3Dtrue"), ["edge-worker-1"]);
}
