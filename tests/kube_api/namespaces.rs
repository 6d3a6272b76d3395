//! Namespaces from birth to death.

use crate::support::{Api, CA_PEM, config_map, outline, resource_version};
use serde_json::json;

const PARAMETERS: &str = "watch=true&resourceVersion";

#[test]
fn the_namespaces_of_a_fresh_cluster_are_there() {
    let mut api = Api::new();
    for name in ["cattle-system", "default", "demo", "kube-node-lease", "kube-public", "kube-system"] {
        let namespace = api.read(&format!("/api/v1/namespaces/{name}"));
        assert_eq!(namespace["status"]["phase"], "Active", "{name}");
        assert_eq!(namespace["spec"]["finalizers"], json!(["kubernetes"]), "{name}");
        assert_eq!(namespace["metadata"]["labels"]["kubernetes.io/metadata.name"], name);
        api.read(&format!("/api/v1/namespaces/{name}/serviceaccounts/default"));
        let authority = api.read(&format!("/api/v1/namespaces/{name}/configmaps/kube-root-ca.crt"));
        assert_eq!(authority["data"]["ca.crt"], CA_PEM, "{name}");
    }
    assert_eq!(api.names("/api/v1/namespaces").len(), 6);
}

#[test]
fn a_namespace_is_born_with_an_account_and_an_authority() {
    let mut api = Api::new();
    let now = api.cluster.revision();
    let mut accounts = api.watch(&format!("/api/v1/serviceaccounts?{PARAMETERS}={now}"));
    let made = api
        .create("/api/v1/namespaces", &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}));
    assert_eq!((&made["status"]["phase"], &made["spec"]["finalizers"]), (&json!("Active"), &json!(["kubernetes"])));
    assert_eq!(made["metadata"]["labels"], json!({"kubernetes.io/metadata.name": "new"}));
    assert_eq!(outline(&accounts.events(&api)), [("ADDED", "default")]);
    assert_eq!(api.names("/api/v1/namespaces/new/configmaps"), ["kube-root-ca.crt"]);
    assert_eq!(api.read("/api/v1/namespaces/new/configmaps/kube-root-ca.crt")["data"]["ca.crt"], CA_PEM);
    api.create("/api/v1/namespaces/new/configmaps", &config_map("a", ""));
}

#[test]
fn a_namespace_dies_with_everything_in_it() {
    let mut api = Api::new();
    let now = api.cluster.revision();
    let mut namespaces = api.watch(&format!("/api/v1/namespaces?{PARAMETERS}={now}"));
    let mut pods = api.watch(&format!("/api/v1/pods?{PARAMETERS}={now}"));
    let answer = api.delete("/api/v1/namespaces/demo").expect(200);
    api.wait(1);
    assert!(answer["kind"] == "Namespace" || answer["kind"] == "Status", "{answer}");
    assert_eq!(api.get("/api/v1/namespaces/demo").status, 404);
    for target in ["pods", "configmaps", "secrets", "services", "serviceaccounts"] {
        assert_eq!(api.names(&format!("/api/v1/namespaces/demo/{target}")), [""; 0], "{target}");
    }
    let gone: Vec<_> = pods.events(&api).iter().map(|(kind, _)| kind.clone()).collect();
    assert_eq!(gone.iter().filter(|kind| *kind == "DELETED").count(), 3, "{gone:?}");
    let events = namespaces.events(&api);
    assert_eq!(
        events.last().map(|(kind, object)| (kind.as_str(), &object["status"]["phase"])),
        Some(("DELETED", &json!("Terminating")))
    );
    // Its name is free again, and it is a new one.
    let made = api.create("/api/v1/namespaces", &json!({"metadata": {"name": "demo"}}));
    assert!(resource_version(&made) > now);
    assert_eq!(api.names("/api/v1/namespaces/demo/pods"), [""; 0]);
}

#[test]
fn a_finalizer_keeps_a_namespace_terminating() {
    // Rancher's `controller.cattle.io/namespace-auth`, which Rancher itself removes with a PUT.
    let mut api = Api::new();
    let object = json!({"metadata": {"name": "held", "finalizers": ["controller.cattle.io/namespace-auth"]}});
    api.create("/api/v1/namespaces", &object);
    api.create("/api/v1/namespaces/held/configmaps", &config_map("a", ""));
    api.delete("/api/v1/namespaces/held").expect(200);
    api.wait(1);
    let mut held = api.read("/api/v1/namespaces/held");
    assert_eq!(held["status"]["phase"], "Terminating");
    assert!(held["metadata"]["deletionTimestamp"].is_string());
    // Nothing more is let in.
    let status = api.post("/api/v1/namespaces/held/configmaps", &config_map("b", "")).expect(403);
    assert_eq!(status["reason"], "Forbidden");
    assert_eq!(
        status["message"],
        "configmaps \"b\" is forbidden: unable to create new content in namespace held because it is being terminated"
    );
    held["metadata"]["finalizers"] = json!([]);
    api.put("/api/v1/namespaces/held", &held).expect(200);
    assert_eq!(api.get("/api/v1/namespaces/held").status, 404);
}

#[test]
fn content_with_a_finalizer_keeps_its_namespace() {
    let mut api = Api::new();
    let mut object = config_map("held", "");
    object["metadata"]["finalizers"] = json!(["example.com/a"]);
    api.create("/api/v1/namespaces/demo/configmaps", &object);
    api.delete("/api/v1/namespaces/demo").expect(200);
    api.wait(1);
    assert_eq!(api.read("/api/v1/namespaces/demo")["status"]["phase"], "Terminating");
    assert_eq!(api.names("/api/v1/namespaces/demo/configmaps"), ["held"]);
    api.patch("/api/v1/namespaces/demo/configmaps/held", "merge", &json!({"metadata": {"finalizers": null}}))
        .expect(200);
    assert_eq!(api.get("/api/v1/namespaces/demo").status, 404);
}

#[test]
fn the_namespaces_of_the_system_cannot_be_deleted() {
    // kube-apiserver's NamespaceLifecycle admission.
    let mut api = Api::new();
    for name in ["default", "kube-system", "kube-public"] {
        let status = api.delete(&format!("/api/v1/namespaces/{name}"));
        let message = format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted");
        status.refuses(403, "Forbidden", &message);
    }
}

#[test]
fn ranchers_writes_to_a_namespace_stay() {
    let mut api = Api::new();
    let target = "/api/v1/namespaces/demo";
    let mut namespace = api.read(target);
    namespace["metadata"]["annotations"] = json!({
        "field.cattle.io/projectId": "c-abcde:p-xyz12",
        "lifecycle.cattle.io/create.namespace-auth": "true",
        "cattle.io/status": "{\"Conditions\":[]}"
    });
    namespace["metadata"]["labels"]["field.cattle.io/projectId"] = "p-xyz12".into();
    namespace["metadata"]["finalizers"] = json!(["controller.cattle.io/namespace-auth"]);
    let updated = api.put(target, &namespace).expect(200);
    assert_eq!(updated["metadata"]["annotations"], namespace["metadata"]["annotations"]);
    assert_eq!(updated["metadata"]["finalizers"], namespace["metadata"]["finalizers"]);
    assert_eq!(api.put(target, &namespace).expect(409)["reason"], "Conflict");
}

#[test]
fn finalize_empties_the_finalizers_of_the_spec() {
    let mut api = Api::new();
    let target = "/api/v1/namespaces/demo";
    let mut namespace = api.read(target);
    namespace["spec"]["finalizers"] = json!(["kubernetes", "example.com/mine"]);
    namespace["metadata"]["labels"] = json!({"ignored": "yes"});
    let updated = api.put(&format!("{target}/finalize"), &namespace).expect(200);
    assert_eq!(updated["spec"]["finalizers"], json!(["kubernetes", "example.com/mine"]));
    // The main door leaves them alone.
    namespace = updated;
    namespace["spec"]["finalizers"] = json!([]);
    let updated = api.put(target, &namespace).expect(200);
    assert_eq!(updated["spec"]["finalizers"], json!(["kubernetes", "example.com/mine"]));
    // Only without them is the namespace gone.
    api.delete(target).expect(200);
    api.wait(1);
    let mut terminating = api.read(target);
    assert_eq!(terminating["spec"]["finalizers"], json!(["example.com/mine"]));
    terminating["spec"]["finalizers"] = json!([]);
    api.put(&format!("{target}/finalize"), &terminating).expect(200);
    assert_eq!(api.get(target).status, 404);
}
