//! What Rancher does to a cluster, step by step (rancher-protocol.md §4), with the bodies its clients send.

use crate::support::{Answer, Api, outline};
use scale_cluster_agent::http1::Method;
use serde_json::{Value, json};

const CLUSTER_ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const IMPERSONATION: &str = "/api/v1/namespaces/cattle-impersonation-system";

#[test]
fn first_contact_until_the_informers_are_synced() {
    let mut api = Api::new();
    api.get("/api/v1/namespaces/kube-system").expect(200);
    for target in [
        "/api/v1/namespaces",
        "/api/v1/nodes",
        "/api/v1/resourcequotas",
        "/api/v1/limitranges",
        "/api/v1/namespaces/cattle-impersonation-system/secrets",
        "/api/v1/namespaces/cattle-impersonation-system/serviceaccounts",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "/apis/rbac.authorization.k8s.io/v1/roles",
        "/apis/rbac.authorization.k8s.io/v1/rolebindings",
        "/apis/apiregistration.k8s.io/v1/apiservices",
    ] {
        // Up to Rancher 2.13: a list, then a watch from it.
        let list = api
            .get_as(&format!("{target}?limit=500"), "application/vnd.kubernetes.protobuf, application/json")
            .expect(200);
        let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let mut watch = api.watch(&format!(
            "{target}?allowWatchBookmarks=true&resourceVersion={version}&timeout=7m12s&timeoutSeconds=432&watch=true"
        ));
        assert_eq!(watch.events(&api), [], "{target}");
        // From 2.14 on: a watch that starts with everything.
        let mut watch = api.watch(&format!(
            "{target}?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeoutSeconds=432&watch=true"
        ));
        let events = watch.events(&api);
        assert_eq!(events.len(), list["items"].as_array().unwrap().len() + 1, "{target}");
        assert_eq!(events.last().unwrap().0, "BOOKMARK", "{target}");
    }
}

#[test]
fn the_apiservices_of_the_built_in_groups_are_there() {
    let names = Api::new().names("/apis/apiregistration.k8s.io/v1/apiservices");
    for name in ["v1.", "v1.apps", "v1.rbac.authorization.k8s.io", "v1.batch"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}

#[test]
fn a_user_is_impersonated() {
    // pkg/impersonation: ClusterRole, ServiceAccount, token secret, the account's annotation, ClusterRoleBinding.
    let mut api = Api::new();
    api.create("/api/v1/namespaces", &json!({"metadata": {"name": "cattle-impersonation-system"}}));
    let now = api.cluster.revision();
    let mut accounts = api.watch(&format!("{IMPERSONATION}/serviceaccounts?watch=true&resourceVersion={now}"));
    let mut secrets = api.watch(&format!("{IMPERSONATION}/secrets?watch=true&resourceVersion={now}"));
    let name = "cattle-impersonation-u-abc";
    let rules =
        json!([{"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["u-abc"]}]);
    let role = api.create(CLUSTER_ROLES, &json!({"metadata": {"name": name}, "rules": rules}));
    let owner = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "name": name, "uid": role["metadata"]["uid"]
    });
    let account = api.create(
        &format!("{IMPERSONATION}/serviceaccounts"),
        &json!({"metadata": {"name": name, "ownerReferences": [owner]}}),
    );
    // The typed client's body, as the Go library encodes it.
    let secret = protobuf(&mut api, &format!("{IMPERSONATION}/secrets"), "v1 Secret").expect(201);
    assert!(secret["data"]["token"].as_str().is_some_and(|token| !token.is_empty()), "{secret}");
    let reference = format!("cattle-impersonation-system/{}", secret["metadata"]["name"].as_str().unwrap());
    let mut annotated = account.clone();
    annotated["metadata"]["annotations"] = json!({"rancher.io/service-account.secret-ref": reference});
    let target = format!("{IMPERSONATION}/serviceaccounts/{name}");
    api.put(&target, &annotated).expect(200);
    assert_eq!(api.put(&target, &annotated).expect(409)["reason"], "Conflict");
    api.create(
        BINDINGS,
        &json!({
            "metadata": {"name": name, "ownerReferences": [owner]},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "cattle-impersonation-system"}]
        }),
    );
    // What its caches wait for.
    assert_eq!(outline(&accounts.events(&api)), [("ADDED", name), ("MODIFIED", name)]);
    let events = secrets.events(&api);
    assert!(!events.is_empty() && events.iter().all(|(_, secret)| secret["data"]["token"].is_string()), "{events:?}");
    // The user loses access: with the role everything goes.
    api.delete(&format!("{CLUSTER_ROLES}/{name}")).expect(200);
    assert_eq!(api.get(&target).status, 404);
    assert_eq!(api.get(&format!("{BINDINGS}/{name}")).status, 404);
}

#[test]
fn bodies_of_typed_clients_are_understood() {
    let mut api = Api::new();
    api.create("/api/v1/namespaces", &json!({"metadata": {"name": "b"}}));
    assert_eq!(protobuf(&mut api, "/api/v1/namespaces", "v1 Namespace").status, 422, "its finalizers have no domain");
    for (target, kind, code) in [
        (CLUSTER_ROLES, "rbac.authorization.k8s.io/v1 ClusterRole", 201),
        ("/apis/batch/v1/namespaces/default/jobs", "batch/v1 Job", 201),
        ("/apis/authorization.k8s.io/v1/subjectaccessreviews", "authorization.k8s.io/v1 SubjectAccessReview", 201),
        ("/api/v1/namespaces/demo/serviceaccounts/default/token", "authentication.k8s.io/v1 TokenRequest", 201),
    ] {
        let answer = protobuf(&mut api, target, kind);
        assert_eq!(answer.status, code, "{kind}: {}", answer.text());
        assert_eq!(answer.json()["kind"], kind.split_once(' ').unwrap().1);
    }
    // DeleteOptions, with preconditions that do not hold.
    let headers = [("Content-Type", "application/vnd.kubernetes.protobuf")];
    let body = golden("v1 DeleteOptions");
    let answer = api.send(Method::Delete, "/api/v1/namespaces/demo/configmaps/greeting", &headers, &body);
    assert_eq!((answer.status, &answer.json()["reason"]), (409, &json!("Conflict")));
}

#[test]
fn the_import_manifest_is_applied_twice() {
    // The agent's objects of pkg/systemtemplate, as `kubectl apply` writes them.
    let mut api = Api::new();
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cattle-cluster-agent", "namespace": "cattle-system"},
        "spec": {
            "selector": {"matchLabels": {"app": "cattle-cluster-agent"}},
            "template": {
                "metadata": {"labels": {"app": "cattle-cluster-agent"}},
                "spec": {
                    "serviceAccountName": "cattle",
                    "containers": [{
                        "name": "cluster-register", "image": "rancher/rancher-agent:v2.13.0",
                        "env": [{"name": "CATTLE_CLUSTER", "value": "true"}, {"name": "CATTLE_FEATURES", "value": ""}]
                    }]
                }
            }
        }
    });
    let base = "/api/v1/namespaces/cattle-system";
    let objects = [
        (
            base.to_owned() + "/serviceaccounts",
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "cattle"}}),
        ),
        (
            base.to_owned() + "/secrets",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cattle-credentials-1"}, "type": "Opaque"}),
        ),
        ("/apis/apps/v1/namespaces/cattle-system/deployments".to_owned(), deployment.clone()),
        (
            base.to_owned() + "/services",
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "cattle-cluster-agent"},
                "spec": {"ports": [{"port": 80, "targetPort": 80, "protocol": "TCP", "name": "http"}], "selector": {"app": "cattle-cluster-agent"}}
            }),
        ),
    ];
    for (collection, object) in objects {
        let annotation = "kubectl.kubernetes.io/last-applied-configuration";
        let mut applied = object.clone();
        applied["metadata"]["annotations"] = json!({annotation: object.to_string()});
        let target = format!("{collection}/{}", object["metadata"]["name"].as_str().unwrap());
        assert_eq!(api.get(&target).status, 404);
        let parameters = "?fieldManager=kubectl-client-side-apply&fieldValidation=Strict";
        api.create(&format!("{collection}{parameters}"), &applied);
        // The second time kubectl finds its own annotation and sends the difference, which is none.
        let made = api.read(&target);
        assert_eq!(made["metadata"]["annotations"][annotation], applied["metadata"]["annotations"][annotation]);
        let again = api.patch(&format!("{target}{parameters}"), "strategic-merge", &json!({})).expect(200);
        assert_eq!(again, made);
    }
    // Rancher reads the image back and deploys for ever if it differs.
    let made = api.read("/apis/apps/v1/namespaces/cattle-system/deployments/cattle-cluster-agent");
    assert_eq!(made["spec"]["template"]["spec"]["containers"][0]["image"], "rancher/rancher-agent:v2.13.0");
    let mut env = deployment["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    // An empty value is as good as none, and is not shown.
    env.as_array_mut().unwrap().iter_mut().filter(|one| one["value"] == "").for_each(|one| {
        one.as_object_mut().unwrap().remove("value");
    });
    assert_eq!(made["spec"]["template"]["spec"]["containers"][0]["env"], env);
}

#[test]
fn the_cleanup_job_owns_what_was_made_for_it() {
    // usercontrollers.cleanupImportedCluster.
    let mut api = Api::new();
    let made = |api: &mut Api, collection: &str, mut body: Value| {
        body["metadata"]["generateName"] = "cattle-cleanup-".into();
        api.create(collection, &body)
    };
    let role = made(&mut api, CLUSTER_ROLES, json!({"rules": []}));
    let account = made(&mut api, "/api/v1/namespaces/default/serviceaccounts", json!({}));
    let containers = json!([{"name": "cleanup-agent", "image": "rancher/rancher-agent:v2.13.0"}]);
    let job = json!({"spec": {"template": {"spec": {"containers": containers, "restartPolicy": "Never"}}}});
    let job = made(&mut api, "/apis/batch/v1/namespaces/default/jobs", job);
    let owner = json!({"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]});
    for (collection, object) in [(CLUSTER_ROLES, &role), ("/api/v1/namespaces/default/serviceaccounts", &account)] {
        let target = format!("{collection}/{}", object["metadata"]["name"].as_str().unwrap());
        let mut owned = api.read(&target);
        owned["metadata"]["ownerReferences"] = json!([owner]);
        api.put(&target, &owned).expect(200);
    }
}

#[test]
fn fleet_finds_nothing_to_remove_and_then_installs() {
    let mut api = Api::new();
    api.delete(&format!("{CLUSTER_ROLES}/cattle-fleet-system-fleet-agent-role")).refuses(
        404,
        "NotFound",
        "clusterroles.rbac.authorization.k8s.io \"cattle-fleet-system-fleet-agent-role\" not found",
    );
    api.create("/api/v1/namespaces", &json!({"metadata": {"name": "cattle-fleet-system", "annotations": {"a": "b"}}}));
    api.create(
        "/api/v1/namespaces/cattle-fleet-system/secrets",
        &json!({"metadata": {"name": "fleet-agent-bootstrap"}}),
    );
    api.delete("/api/v1/namespaces/cattle-fleet-system").expect(200);
    api.wait(1);
    assert_eq!(api.get("/api/v1/namespaces/cattle-fleet-system").status, 404);
}

/// POSTs a body that the Go library made.
fn protobuf(api: &mut Api, target: &str, kind: &str) -> Answer {
    let headers = [
        ("Content-Type", "application/vnd.kubernetes.protobuf"),
        ("Accept", "application/vnd.kubernetes.protobuf,application/json"),
    ];
    api.send(Method::Post, target, &headers, &golden(kind))
}

/// The protobuf body of this `apiVersion` and kind in the file that Kubernetes' own library wrote.
fn golden(kind: &str) -> Vec<u8> {
    use base64::Engine;
    let mut lines = include_str!("../../src/kube/decode/golden.txt").lines().skip_while(|line| *line != kind);
    let body = lines.nth(1).unwrap_or_else(|| panic!("no {kind}"));
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}
