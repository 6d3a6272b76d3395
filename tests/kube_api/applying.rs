//! Server-side apply where a virtual cluster differs from the recorded kube-apiserver: it keeps owners from the first apply on. What
//! happens from then on is held against recordings, in `tests/differential`.

use crate::support::{Api, config_map};
use serde_json::{Value, json};

const GREETING: &str = "/api/v1/namespaces/demo/configmaps/greeting";

fn applied(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "greeting"}, "data": data})
}

fn owners(object: &Value) -> Vec<(&str, &Value)> {
    let entries = object["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().map(|entry| (entry["manager"].as_str().unwrap(), &entry["fieldsV1"])).collect()
}

#[test]
fn an_object_that_nobody_applied_has_no_owners() {
    let mut api = Api::new();
    let mut object = config_map("made", "1");
    object["metadata"]["managedFields"] = json!([{"manager": "elsewhere", "operation": "Update", "apiVersion": "v1"}]);
    api.post("/api/v1/namespaces/demo/configmaps", &object).expect(201);
    api.patch(GREETING, "merge", &json!({"data": {"a": "1"}})).expect(200);
    for target in [GREETING, "/api/v1/namespaces/demo/configmaps/made"] {
        assert_eq!(api.read(target)["metadata"].get("managedFields"), None, "{target}");
    }
}

/// apimachinery `skipNonAppliedManager`.
#[test]
fn what_was_there_before_the_first_apply_belongs_to_nobody_known() {
    let mut api = Api::new();
    let target = format!("{GREETING}?fieldManager=me");
    let refused = api.patch(&target, "apply", &applied(json!({"greeting": "Hi"}))).expect(409);
    assert_eq!(refused["details"]["causes"][0]["field"], ".data.greeting");
    assert_eq!(
        refused["message"],
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.greeting"
    );
    assert_eq!(api.read(GREETING)["metadata"].get("managedFields"), None, "a refused apply leaves no trace");
    let shared = api.patch(&target, "apply", &applied(json!({"greeting": "Hello from edge", "mine": "1"}))).expect(200);
    let data = json!({"f:data": {"f:greeting": {}, "f:mine": {}}});
    assert_eq!(owners(&shared)[0], ("me", &data));
    assert_eq!(owners(&shared)[1].1["f:data"], json!({".": {}, "f:greeting": {}}));
    let forced = api.patch(&format!("{target}&force=true"), "apply", &applied(json!({"greeting": "Hi"}))).expect(200);
    assert_eq!(forced["data"], json!({"greeting": "Hi"}));
    assert_eq!(owners(&forced)[0], ("me", &json!({"f:data": {"f:greeting": {}}})));
    let taken = api
        .patch(&format!("{GREETING}?fieldManager=editor"), "merge", &json!({"data": {"greeting": "Ho"}}))
        .expect(200);
    assert!(owners(&taken).iter().all(|(manager, _)| *manager != "me"), "{taken}");
}

#[test]
fn kubectl_may_go_on_server_side_with_what_it_applied_client_side() {
    let mut api = Api::new();
    let mut object = config_map("mine", "1");
    let last = object.to_string();
    object["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": last});
    api.post("/api/v1/namespaces/demo/configmaps", &object).expect(201);
    let target = "/api/v1/namespaces/demo/configmaps/mine";
    let next = config_map("mine", "2");
    assert_eq!(api.patch(&format!("{target}?fieldManager=other"), "apply", &next).status, 409);
    let applied = api.patch(&format!("{target}?fieldManager=kubectl"), "apply", &next).expect(200);
    assert_eq!(applied["data"]["key"], "2");
    let last = &applied["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    assert_eq!(serde_json::from_str::<Value>(last.as_str().unwrap()).unwrap(), next);
}

#[test]
fn controllers_leave_the_owners_as_they_are() {
    let mut api = Api::new();
    let target = "/apis/apps/v1/namespaces/demo/deployments/shop?fieldManager=me";
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
        }
    });
    let made = api.patch(target, "apply", &deployment).expect(201);
    api.wait(10);
    let ready = api.read("/apis/apps/v1/namespaces/demo/deployments/shop");
    assert_eq!(ready["status"]["readyReplicas"], 1);
    assert_eq!(owners(&ready), owners(&made));
    // Applied again, it is the same object.
    let again = api.patch(target, "apply", &deployment).expect(200);
    assert_eq!(again["metadata"]["resourceVersion"], ready["metadata"]["resourceVersion"]);
    let mut scaled = api.read("/apis/apps/v1/namespaces/demo/deployments/shop/scale");
    scaled["spec"]["replicas"] = json!(2);
    api.put("/apis/apps/v1/namespaces/demo/deployments/shop/scale?fieldManager=scaler", &scaled).expect(200);
    let message = api.patch(target, "apply", &deployment).expect(409)["message"].clone();
    assert_eq!(
        message,
        "Apply failed with 1 conflict: conflict with \"scaler\" with subresource \"scale\" using apps/v1: .spec.replicas"
    );
}
