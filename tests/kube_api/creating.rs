//! POST.

use crate::support::{Api, config_map, resource_version};
use scale_cluster_agent::http1::Method;
use scale_cluster_agent::kube::Limits;
use serde_json::{Value, json};

const CONFIG_MAPS: &str = "/api/v1/namespaces/demo/configmaps";

#[test]
fn what_is_created_comes_back_and_stays() {
    let mut api = Api::new();
    let before = api.cluster.revision();
    let made = api.create(CONFIG_MAPS, &config_map("a", "b"));
    assert_eq!((&made["apiVersion"], &made["kind"]), (&json!("v1"), &json!("ConfigMap")));
    assert_eq!((&made["metadata"]["namespace"], &made["data"]["key"]), (&json!("demo"), &json!("b")));
    assert_eq!(made["metadata"]["creationTimestamp"], api.now.to_string());
    assert!(resource_version(&made) > before);
    assert_eq!(made["metadata"]["uid"].as_str().unwrap().len(), 36);
    assert_eq!(api.read(&format!("{CONFIG_MAPS}/a")), made);
}

#[test]
fn what_the_server_owns_cannot_be_brought_along() {
    let mut api = Api::new();
    let mut object = config_map("a", "");
    object["metadata"]["uid"] = "mine".into();
    object["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z".into();
    object["metadata"]["generation"] = 7.into();
    let made = api.create(CONFIG_MAPS, &object);
    assert_ne!(made["metadata"]["uid"], "mine");
    assert_eq!(made["metadata"]["creationTimestamp"], api.now.to_string());
    object["metadata"]["name"] = "b".into();
    object["metadata"]["resourceVersion"] = "1".into();
    let answer = api.post(CONFIG_MAPS, &object);
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert_eq!(answer.json()["message"], "resourceVersion should not be set on objects to be created");
}

#[test]
fn names_are_generated() {
    let mut api = Api::new();
    let object = json!({"metadata": {"generateName": "cattle-cleanup-"}});
    let first = api.create(CONFIG_MAPS, &object);
    let second = api.create(CONFIG_MAPS, &object);
    for made in [&first, &second] {
        let name = made["metadata"]["name"].as_str().unwrap();
        assert_eq!((name.len(), &name[..15]), (20, "cattle-cleanup-"));
        assert_eq!(made["metadata"]["generateName"], "cattle-cleanup-");
    }
    assert_ne!(first["metadata"]["name"], second["metadata"]["name"]);
}

#[test]
fn a_name_is_taken_once() {
    let mut api = Api::new();
    api.create(CONFIG_MAPS, &config_map("a", ""));
    for name in ["a", "greeting"] {
        let status = api.post(CONFIG_MAPS, &config_map(name, "other"));
        let status = status.refuses(409, "AlreadyExists", &format!("configmaps \"{name}\" already exists"));
        assert_eq!(status["details"], json!({"name": name, "kind": "configmaps"}));
    }
    // Not in another namespace, nor after it is gone.
    api.create("/api/v1/namespaces/default/configmaps", &config_map("a", ""));
    api.delete(&format!("{CONFIG_MAPS}/greeting")).expect(200);
    let made = api.create(CONFIG_MAPS, &config_map("greeting", "new"));
    assert_eq!(api.read(&format!("{CONFIG_MAPS}/greeting")), made);
}

#[test]
fn a_namespace_must_be_there_and_be_the_one_of_the_path() {
    let mut api = Api::new();
    let status = api.post("/api/v1/namespaces/no/configmaps", &config_map("a", ""));
    let status = status.refuses(404, "NotFound", "namespaces \"no\" not found");
    assert_eq!(status["details"], json!({"name": "no", "kind": "namespaces"}));
    let mut object = config_map("a", "");
    object["metadata"]["namespace"] = "default".into();
    api.post(CONFIG_MAPS, &object).refuses(
        400,
        "BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request",
    );
}

#[test]
fn bodies_must_be_of_the_kind() {
    let mut api = Api::new();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}});
    assert_eq!(api.post(CONFIG_MAPS, &secret).expect(400)["reason"], "BadRequest");
    let mut old = config_map("a", "");
    old["apiVersion"] = "v2".into();
    api.post(CONFIG_MAPS, &old).refuses(
        400,
        "BadRequest",
        "ConfigMap in version \"v2\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version \"v2\" in scheme \
         \"pkg/runtime/scheme.go:100\"",
    );
    let json = [("Content-Type", "application/json")];
    for body in [&b""[..], b"{", b"[]", b"\"x\"", b"{\"metadata\": 7}", b"\xff\xfe"] {
        let answer = api.send(Method::Post, CONFIG_MAPS, &json, body);
        assert_eq!((answer.status, &answer.json()["reason"]), (400, &json!("BadRequest")), "{body:?}");
    }
    let answer = api.send(Method::Post, CONFIG_MAPS, &[("Content-Type", "text/plain")], b"{}");
    assert_eq!((answer.status, &answer.json()["reason"]), (415, &json!("UnsupportedMediaType")));
}

#[test]
fn names_and_labels_follow_the_rules() {
    let mut api = Api::new();
    let status = api.post(CONFIG_MAPS, &json!({"metadata": {}})).expect(422);
    assert_eq!(
        status["message"],
        "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required"
    );
    let status = api.post(CONFIG_MAPS, &config_map("Bad_Name", "")).expect(422);
    assert_eq!(
        (&status["reason"], &status["details"]["causes"][0]["field"]),
        (&json!("Invalid"), &json!("metadata.name"))
    );
    let mut object = config_map("a", "");
    object["metadata"]["labels"] = json!({"a": "not a label"});
    let status = api.post(CONFIG_MAPS, &object).expect(422);
    assert_eq!(status["details"]["causes"][0]["field"], "metadata.labels");
    // RBAC names are freer.
    api.create("/apis/rbac.authorization.k8s.io/v1/clusterroles", &json!({"metadata": {"name": "a:b_C"}, "rules": []}));
}

#[test]
fn yaml_is_understood() {
    let body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {a: b}\n";
    let mut api = Api::new();
    let answer = api.send(Method::Post, CONFIG_MAPS, &[("Content-Type", "application/yaml")], body);
    assert_eq!(answer.expect(201)["data"], json!({"a": "b"}));
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut api = Api::new();
    let before = api.cluster.revision();
    let answer = api.post(&format!("{CONFIG_MAPS}?dryRun=All"), &config_map("a", "b"));
    assert_eq!(answer.expect(201)["data"]["key"], "b");
    assert_eq!(api.get(&format!("{CONFIG_MAPS}/a")).status, 404);
    assert_eq!(api.cluster.revision(), before);
    assert_eq!(api.post(&format!("{CONFIG_MAPS}?dryRun=Some"), &config_map("a", "b")).status, 422);
    assert_eq!(api.post(&format!("{CONFIG_MAPS}?dryRun=All"), &config_map("greeting", "b")).status, 409);
    // Not even a namespace's content, or a served kind.
    api.post("/api/v1/namespaces?dryRun=All", &json!({"metadata": {"name": "n"}})).expect(201);
    assert_eq!(api.names("/api/v1/namespaces/n/serviceaccounts"), [""; 0]);
}

#[test]
fn the_parameters_of_kubectl_are_accepted() {
    let target = format!("{CONFIG_MAPS}?fieldManager=kubectl-client-side-apply&fieldValidation=Strict");
    Api::new().create(&target, &config_map("a", "b"));
}

#[test]
fn a_full_cluster_takes_no_more() {
    let mut api = Api::with_limits(Limits { watch_history: 100, objects: 2, object_bytes: 1 << 20 });
    api.create(CONFIG_MAPS, &config_map("a", ""));
    api.create(CONFIG_MAPS, &config_map("b", ""));
    let answer = api.post(CONFIG_MAPS, &config_map("c", ""));
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json()["message"], "etcdserver: mvcc: database space exceeded");
    // What is there can be removed, which makes room.
    api.delete(&format!("{CONFIG_MAPS}/a")).expect(200);
    api.create(CONFIG_MAPS, &config_map("c", ""));
}

#[test]
fn an_object_has_a_largest_size() {
    let mut api = Api::with_limits(Limits { watch_history: 100, objects: 100, object_bytes: 10_000 });
    let answer = api.post(CONFIG_MAPS, &config_map("a", &"x".repeat(20_000)));
    assert_eq!((answer.status, &answer.json()["reason"]), (413, &json!("RequestEntityTooLarge")));
    assert_eq!(api.get(&format!("{CONFIG_MAPS}/a")).status, 404);
}

#[test]
fn any_text_survives() {
    let value = "quotes \" and \\ and \n and \u{1F600} and \u{0} and {{cluster-name}} and </script>";
    let mut api = Api::new();
    let made = api.create(CONFIG_MAPS, &config_map("a", value));
    assert_eq!(made["data"]["key"], value);
    assert_eq!(api.read(&format!("{CONFIG_MAPS}/a"))["data"]["key"], value);
}

#[test]
fn numbers_keep_their_size() {
    let mut api = Api::new();
    let job = json!({
        "metadata": {"name": "j"},
        "spec": {"activeDeadlineSeconds": 9_007_199_254_740_993_i64, "template": {"spec": {"containers": [{"name": "a", "image": "a:1"}], "restartPolicy": "Never"}}}
    });
    let made = api.create("/apis/batch/v1/namespaces/demo/jobs", &job);
    assert_eq!(made["spec"]["activeDeadlineSeconds"], 9_007_199_254_740_993_i64);
}

#[test]
fn generations_begin_at_one_where_there_is_a_desired_state() {
    let mut api = Api::new();
    let deployment: Value = json!({
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        }
    });
    let made = api.create("/apis/apps/v1/namespaces/demo/deployments", &deployment);
    assert_eq!(made["metadata"]["generation"], 1);
    let made = api.create(CONFIG_MAPS, &config_map("a", ""));
    assert_eq!(made["metadata"].get("generation"), None);
}
