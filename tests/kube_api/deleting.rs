//! DELETE: at once, under conditions, held up by finalizers, together with what is owned.

use crate::support::{Api, config_map, outline};
use serde_json::{Value, json};

const CONFIG_MAPS: &str = "/api/v1/namespaces/demo/configmaps";
const GREETING: &str = "/api/v1/namespaces/demo/configmaps/greeting";

#[test]
fn what_is_deleted_is_gone() {
    let mut api = Api::new();
    let uid = api.read(GREETING)["metadata"]["uid"].clone();
    let status = api.delete(GREETING).expect(200);
    assert_eq!(
        status,
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": "greeting", "kind": "configmaps", "uid": uid}
        })
    );
    assert_eq!(api.get(GREETING).status, 404);
    assert_eq!(api.names(CONFIG_MAPS), ["kube-root-ca.crt"]);
    api.delete(GREETING).refuses(404, "NotFound", "configmaps \"greeting\" not found");
}

#[test]
fn pods_and_service_accounts_answer_with_themselves() {
    // The kinds whose strategy says so (registry `ReturnDeletedObject`); kubectl prints the same either way.
    let mut api = Api::new();
    let deleted = api.delete_with("/api/v1/namespaces/demo/pods/web-1", &json!({"gracePeriodSeconds": 0})).expect(200);
    assert_eq!((&deleted["kind"], &deleted["metadata"]["name"]), (&json!("Pod"), &json!("web-1")));
    assert_eq!(api.delete("/api/v1/namespaces/demo/serviceaccounts/default").expect(200)["kind"], "ServiceAccount");
    assert_eq!(api.delete("/api/v1/namespaces/demo/secrets/password").expect(200)["kind"], "Status");
}

#[test]
fn preconditions_hold_or_nothing_happens() {
    let mut api = Api::new();
    let object = api.read(GREETING);
    for precondition in [json!({"uid": "other"}), json!({"resourceVersion": "1234567"})] {
        let status = api.delete_with(GREETING, &json!({"preconditions": precondition})).expect(409);
        assert_eq!(status["reason"], "Conflict", "{precondition}");
    }
    let fitting = json!({"uid": object["metadata"]["uid"], "resourceVersion": object["metadata"]["resourceVersion"]});
    let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": fitting});
    api.delete_with(GREETING, &options).expect(200);
}

#[test]
fn finalizers_hold_an_object_up() {
    let mut api = Api::new();
    let mut object = config_map("held", "");
    object["metadata"]["finalizers"] = json!(["example.com/a", "example.com/b"]);
    api.create(CONFIG_MAPS, &object);
    let target = format!("{CONFIG_MAPS}/held");
    api.wait(5);
    let deleting = api.delete(&target).expect(200);
    assert_eq!(deleting["kind"], "ConfigMap", "a deletion under way answers with the object");
    assert_eq!(deleting["metadata"]["deletionTimestamp"], "2026-01-02T03:04:10Z");
    assert_eq!(api.read(&target), deleting);
    // A second delete changes nothing; a write cannot take it back, nor add a finalizer.
    api.wait(5);
    let again = api.delete(&target).expect(200);
    assert_eq!(again["metadata"]["deletionTimestamp"], deleting["metadata"]["deletionTimestamp"]);
    let mut revived = again.clone();
    revived["metadata"]["deletionTimestamp"] = Value::Null;
    let still = api.put(&target, &revived).expect(200);
    assert_eq!(still["metadata"]["deletionTimestamp"], deleting["metadata"]["deletionTimestamp"]);
    let more = json!({"metadata": {"finalizers": ["example.com/a", "example.com/b", "example.com/c"]}});
    assert_eq!(api.patch(&target, "merge", &more).status, 422);
    // The last finalizer that goes takes the object with it.
    let mut watch = api.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={}", api.cluster.revision()));
    api.patch(&target, "merge", &json!({"metadata": {"finalizers": ["example.com/b"]}})).expect(200);
    api.patch(&target, "merge", &json!({"metadata": {"finalizers": null}})).expect(200);
    assert_eq!(api.get(&target).status, 404);
    let events = watch.events(&api);
    let kinds: Vec<_> = outline(&events).iter().map(|(kind, _)| *kind).collect();
    assert!(kinds == ["MODIFIED", "DELETED"] || kinds == ["MODIFIED", "MODIFIED", "DELETED"], "{kinds:?}");
}

#[test]
fn a_dry_run_deletes_nothing() {
    let mut api = Api::new();
    api.delete(&format!("{GREETING}?dryRun=All")).expect(200);
    api.delete_with(GREETING, &json!({"dryRun": ["All"]})).expect(200);
    api.delete(&format!("{CONFIG_MAPS}?dryRun=All")).expect(200);
    api.read(GREETING);
}

#[test]
fn a_collection_is_emptied_as_far_as_it_is_selected() {
    let mut api = Api::new();
    for (name, color) in [("a", "red"), ("b", "blue"), ("c", "red")] {
        let mut object = config_map(name, "");
        object["metadata"]["labels"] = json!({"color": color});
        api.create(CONFIG_MAPS, &object);
    }
    let deleted = api.delete(&format!("{CONFIG_MAPS}?labelSelector=color%3Dred")).expect(200);
    assert_eq!(deleted["kind"], "ConfigMapList");
    assert_eq!(crate::support::names(&deleted), ["a", "c"]);
    assert_eq!(api.names(CONFIG_MAPS), ["b", "greeting", "kube-root-ca.crt"]);
    api.delete(&format!("{CONFIG_MAPS}?fieldSelector=metadata.name%3Db")).expect(200);
    assert_eq!(api.names(CONFIG_MAPS), ["greeting", "kube-root-ca.crt"]);
}

#[test]
fn what_is_owned_goes_with_its_owner() {
    let mut api = Api::new();
    let owner = api.create(CONFIG_MAPS, &config_map("owner", ""));
    let mut owned = config_map("owned", "");
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}]);
    let owned = api.create(CONFIG_MAPS, &owned);
    let mut grandchild = config_map("grandchild", "");
    grandchild["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owned", "uid": owned["metadata"]["uid"]}]);
    api.create(CONFIG_MAPS, &grandchild);
    let mut watch = api.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={}", api.cluster.revision()));
    api.delete_with(&format!("{CONFIG_MAPS}/owner"), &json!({"propagationPolicy": "Background"})).expect(200);
    assert_eq!(api.names(CONFIG_MAPS), ["greeting", "kube-root-ca.crt"]);
    let events = watch.events(&api);
    assert_eq!(outline(&events), [("DELETED", "owner"), ("DELETED", "owned"), ("DELETED", "grandchild")]);
}

#[test]
fn orphans_stay_and_lose_their_owner() {
    let mut api = Api::new();
    let owner = api.create(CONFIG_MAPS, &config_map("owner", ""));
    let mut owned = config_map("owned", "");
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}]);
    api.create(CONFIG_MAPS, &owned);
    api.delete_with(&format!("{CONFIG_MAPS}/owner"), &json!({"propagationPolicy": "Orphan"})).expect(200);
    let orphan = api.read(&format!("{CONFIG_MAPS}/owned"));
    assert_eq!(orphan["metadata"].get("ownerReferences"), None);
}

#[test]
fn a_deployment_takes_its_replica_sets_and_pods_along() {
    let mut api = Api::new();
    api.delete("/apis/apps/v1/namespaces/demo/deployments/api").expect(200);
    assert_eq!(api.names("/apis/apps/v1/namespaces/demo/replicasets"), [""; 0]);
    assert_eq!(api.names("/api/v1/namespaces/demo/pods"), ["web-1", "web-2"]);
}

#[test]
fn what_two_own_goes_with_the_last() {
    let mut api = Api::new();
    let mut references = Vec::new();
    for name in ["first", "second"] {
        let owner = api.create(CONFIG_MAPS, &config_map(name, ""));
        references
            .push(json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner["metadata"]["uid"]}));
    }
    let mut owned = config_map("owned", "");
    owned["metadata"]["ownerReferences"] = references.into();
    api.create(CONFIG_MAPS, &owned);
    api.delete(&format!("{CONFIG_MAPS}/first")).expect(200);
    api.read(&format!("{CONFIG_MAPS}/owned"));
    api.delete(&format!("{CONFIG_MAPS}/second")).expect(200);
    assert_eq!(api.get(&format!("{CONFIG_MAPS}/owned")).status, 404);
}
