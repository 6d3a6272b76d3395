//! Service accounts, their tokens, and who may do what (anybody anything).

use crate::support::{Api, CA_PEM, identity};
use serde_json::json;

const SECRETS: &str = "/api/v1/namespaces/demo/secrets";

/// What base64 makes of a text, from Python's base64 module.
const DEMO_BASE64: &str = "ZGVtbw==";

#[test]
fn the_token_announced_to_rancher_depends_on_the_seed_alone() {
    let token = identity("edge", 1).service_account_token();
    assert!(token.len() >= 32, "{token}");
    assert_eq!(token, identity("other-name", 1).service_account_token());
    assert_ne!(token, identity("edge", 2).service_account_token());
    // It stands in headers and JSON.
    assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b)), "{token}");
}

#[test]
fn a_token_secret_is_filled_when_it_is_made() {
    // Rancher polls for some 100 ms, then gives up.
    let mut api = Api::new();
    let account = api.create("/api/v1/namespaces/demo/serviceaccounts", &json!({"metadata": {"name": "u-1"}}));
    let secret = api.create(
        SECRETS,
        &json!({
            "metadata": {"generateName": "u-1-token-", "annotations": {"kubernetes.io/service-account.name": "u-1"}},
            "type": "kubernetes.io/service-account-token"
        }),
    );
    let data = secret["data"].as_object().unwrap();
    assert!(data["token"].as_str().unwrap().len() > 20);
    assert_eq!(data["namespace"], DEMO_BASE64);
    assert!(data["ca.crt"].as_str().unwrap().starts_with("LS0tLS1CRUdJTi"), "base64 of {CA_PEM}");
    assert_eq!(secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"], account["metadata"]["uid"]);
    let name = secret["metadata"]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("u-1-token-") && name.len() == 15, "{name}");
    assert_eq!(api.read(&format!("{SECRETS}/{name}")), secret);
    // With the account go its secrets.
    api.delete("/api/v1/namespaces/demo/serviceaccounts/u-1").expect(200);
    assert_eq!(api.get(&format!("{SECRETS}/{name}")).status, 404);
}

#[test]
fn other_secrets_are_left_as_they_are() {
    let secret =
        Api::new().create(SECRETS, &json!({"metadata": {"name": "s"}, "data": {"a": DEMO_BASE64}, "type": "Opaque"}));
    assert_eq!((&secret["data"], &secret["type"]), (&json!({"a": DEMO_BASE64}), &json!("Opaque")));
}

#[test]
fn a_secret_is_opaque_unless_it_says_otherwise_and_plain_text_is_encoded() {
    let secret = Api::new().create(SECRETS, &json!({"metadata": {"name": "s"}, "stringData": {"a": "demo"}}));
    assert_eq!((&secret["type"], &secret["data"]), (&json!("Opaque"), &json!({"a": DEMO_BASE64})));
    assert_eq!(secret.get("stringData"), None);
}

#[test]
fn a_token_can_be_requested() {
    let mut api = Api::new();
    let target = "/api/v1/namespaces/demo/serviceaccounts/default/token";
    let request =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}});
    let answer = api.create(target, &request);
    assert_eq!((&answer["kind"], &answer["apiVersion"]), (&json!("TokenRequest"), &json!("authentication.k8s.io/v1")));
    assert!(answer["status"]["token"].as_str().unwrap().len() > 20);
    assert_eq!(answer["status"]["expirationTimestamp"], "2026-01-02T05:04:05Z");
    assert_eq!(answer["spec"]["expirationSeconds"], 7200);
    let missing = api.post("/api/v1/namespaces/demo/serviceaccounts/no/token", &request);
    missing.refuses(404, "NotFound", "serviceaccounts \"no\" not found");
}

#[test]
fn everything_is_allowed() {
    let mut api = Api::new();
    let attributes = json!({"namespace": "demo", "verb": "delete", "resource": "pods"});
    for (plural, kind) in
        [("selfsubjectaccessreviews", "SelfSubjectAccessReview"), ("subjectaccessreviews", "SubjectAccessReview")]
    {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": {"user": "u", "resourceAttributes": attributes}
        });
        let answer = api.create(&format!("/apis/authorization.k8s.io/v1/{plural}"), &review);
        assert_eq!((&answer["kind"], &answer["status"]["allowed"]), (&json!(kind), &json!(true)));
        assert_eq!(answer["spec"]["resourceAttributes"], attributes);
    }
    let review = json!({"spec": {"user": "u", "resourceAttributes": attributes}});
    let answer = api.create("/apis/authorization.k8s.io/v1/namespaces/demo/localsubjectaccessreviews", &review);
    assert_eq!(answer["status"]["allowed"], true);
    let rules =
        api.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", &json!({"spec": {"namespace": "demo"}}));
    assert_eq!(rules["status"]["incomplete"], false);
    let everything = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
    assert!(rules["status"]["resourceRules"].as_array().unwrap().contains(&everything), "{rules}");
}

#[test]
fn a_review_knows_the_tokens_that_were_given_out() {
    let mut api = Api::new();
    let token =
        api.create("/api/v1/namespaces/demo/serviceaccounts/default/token", &json!({"spec": {}}))["status"]["token"]
            .clone();
    let review =
        |token| json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
    let answer = api.create("/apis/authentication.k8s.io/v1/tokenreviews", &review(token));
    assert_eq!(answer["status"]["authenticated"], true);
    assert_eq!(answer["status"]["user"]["username"], "system:serviceaccount:demo:default");
    let groups = &answer["status"]["user"]["groups"];
    assert_eq!(groups, &json!(["system:serviceaccounts", "system:serviceaccounts:demo", "system:authenticated"]));
    let answer = api.create("/apis/authentication.k8s.io/v1/tokenreviews", &review("nonsense".into()));
    assert_ne!(answer["status"]["authenticated"], true);
}

#[test]
fn whoami_answers() {
    let answer = Api::new().create("/apis/authentication.k8s.io/v1/selfsubjectreviews", &json!({}));
    assert!(answer["status"]["userInfo"]["username"].as_str().is_some_and(|name| !name.is_empty()), "{answer}");
}

#[test]
fn the_roles_of_a_fresh_cluster_are_there() {
    let mut api = Api::new();
    for name in ["cluster-admin", "admin", "edit", "view", "system:discovery", "system:basic-user"] {
        let role = api.read(&format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}"));
        assert!(role["rules"].is_array(), "{name}");
    }
    let binding = api.read("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/cluster-admin");
    assert_eq!(
        binding["roleRef"],
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"})
    );
    assert_eq!(binding["subjects"][0]["name"], "system:masters");
}

#[test]
fn a_binding_keeps_its_role() {
    // rbac validation: roleRef is immutable, which Rancher and kubectl rely on.
    let mut api = Api::new();
    let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    let mut binding = api.create(
        bindings,
        &json!({"metadata": {"name": "b"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}}),
    );
    binding["roleRef"]["name"] = "edit".into();
    let status = api.put(&format!("{bindings}/b"), &binding).expect(422);
    assert!(status["message"].as_str().unwrap().contains("cannot change roleRef"), "{status}");
}
