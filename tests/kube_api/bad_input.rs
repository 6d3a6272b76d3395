//! Whatever is sent, an answer comes back, and nothing else is harmed.

use crate::support::{Answer, Api};
use proptest::prelude::*;
use scale_cluster_agent::http1::Method;
use serde_json::{Value, json};

#[test]
fn odd_targets_get_an_answer() {
    let mut api = Api::new();
    for target in [
        "",
        "/",
        "//",
        "*",
        "?",
        "/api/v1//pods",
        "/api/v1/namespaces/demo/pods/../secrets",
        "/api/v1/pods/%zz",
        "/api/v1/%00",
        "/api/v1/namespaces/demo/pods/web-1/",
        "http://10.43.0.1:443/api/v1/nodes",
        "/api/v1/nodes?%",
        "/api/v1/nodes?limit=-1",
        "/api/v1/namespaces/demo/pods/web-1/proxy/a/b/c",
        "/apis/apps/v1/namespaces/demo/deployments/api/status/more",
    ] {
        for method in [Method::Get, Method::Head, Method::Options, Method::Other("BREW".into())] {
            let answer = api.send(method.clone(), target, &[], b"");
            assert!((200..600).contains(&answer.status), "{method:?} {target}: {}", answer.status);
        }
    }
    assert_eq!(api.get("http://10.43.0.1:443/api/v1/nodes").expect(200)["kind"], "NodeList");
}

#[test]
fn fields_of_the_wrong_type_do_no_harm() {
    let mut api = Api::new();
    let wrong = [json!(null), json!(7), json!("x"), json!([]), json!({}), json!([1]), json!({"a": [{}]}), json!(true)];
    for (collection, fields) in [
        (
            "/api/v1/namespaces",
            &["/metadata", "/metadata/labels", "/metadata/finalizers", "/spec", "/spec/finalizers", "/status"][..],
        ),
        (
            "/api/v1/namespaces/demo/secrets",
            &["/data", "/stringData", "/type", "/metadata/annotations", "/metadata/ownerReferences"],
        ),
        (
            "/api/v1/namespaces/demo/services",
            &["/spec", "/spec/ports", "/spec/clusterIP", "/spec/clusterIPs", "/spec/type"],
        ),
        (
            "/api/v1/namespaces/demo/pods",
            &["/spec", "/spec/containers", "/spec/nodeName", "/spec/initContainers", "/status"],
        ),
        ("/api/v1/nodes", &["/spec", "/status", "/status/conditions", "/status/nodeInfo", "/metadata/annotations"]),
        (
            "/apis/apps/v1/namespaces/demo/deployments",
            &["/spec", "/spec/replicas", "/spec/selector", "/spec/template", "/status"],
        ),
        ("/apis/batch/v1/namespaces/demo/jobs", &["/spec", "/spec/template", "/status", "/metadata/ownerReferences"]),
        ("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", &["/spec", "/spec/renewTime"]),
        (
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            &[
                "/spec",
                "/spec/names",
                "/spec/names/kind",
                "/spec/versions",
                "/spec/versions/0",
                "/spec/versions/0/subresources",
                "/status",
            ],
        ),
        ("/apis/authentication.k8s.io/v1/tokenreviews", &["/spec", "/spec/token", "/metadata"]),
        (
            "/api/v1/namespaces/demo/serviceaccounts/default/token",
            &["/spec", "/spec/audiences", "/spec/expirationSeconds", "/spec/boundObjectRef"],
        ),
        ("/api/v1/namespaces/demo/pods/web-1/eviction", &["/deleteOptions", "/deleteOptions/preconditions"]),
    ] {
        for field in fields {
            for value in &wrong {
                let mut object = json!({"metadata": {"generateName": "x-"}});
                set(&mut object, field, value.clone());
                assert_answered(&api.post(collection, &object), &object);
            }
        }
    }
    // Whatever was let in can be read, watched, patched and removed.
    for target in
        ["/api/v1/nodes", "/api/v1/pods", "/api/v1/namespaces", "/api/v1/services", "/apis/apps/v1/deployments"]
    {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        assert_eq!(api.get_as(target, table).status, 200, "{target}");
        assert_eq!(api.get(&format!("{target}?labelSelector=a&fieldSelector=metadata.name%3Dx")).status, 200);
    }
    api.report(scale_cluster_agent::kube::Heartbeat::LeasesAndNodes);
    let _ = api.cluster.info();
}

#[test]
fn deep_nesting_is_refused_not_followed() {
    let mut api = Api::new();
    for (open, close) in [("{\"a\":", "}"), ("[", "]"), ("- ", "")] {
        let body = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for content_type in ["application/json", "application/yaml"] {
            let answer = api.send(
                Method::Post,
                "/api/v1/namespaces/demo/configmaps",
                &[("Content-Type", content_type)],
                body.as_bytes(),
            );
            assert_eq!(answer.status, 400, "{content_type}");
        }
        let merge = [("Content-Type", "application/merge-patch+json")];
        assert_eq!(
            api.send(Method::Patch, "/api/v1/namespaces/demo/configmaps/greeting", &merge, body.as_bytes()).status,
            400
        );
    }
}

#[test]
fn bad_delete_options_are_refused() {
    let mut api = Api::new();
    let target = "/api/v1/namespaces/demo/configmaps/greeting";
    for options in
        [json!([]), json!({"preconditions": 7}), json!({"propagationPolicy": "Nonsense"}), json!({"dryRun": ["Some"]})]
    {
        let answer = api.delete_with(target, &options);
        assert!(matches!(answer.status, 400 | 422), "{options}: {}", answer.text());
    }
    assert_eq!(api.delete(&format!("{target}?propagationPolicy=Nonsense")).status, 422);
    api.read(target);
}

fn assert_answered(answer: &Answer, object: &Value) {
    assert!(matches!(answer.status, 200..=201 | 400..=499), "{object}: {} {}", answer.status, answer.text());
    answer.json();
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return *object = value };
    let mut parent_value = object.pointer(parent).cloned().unwrap_or(Value::Null);
    match last.parse::<usize>() {
        Ok(_) => parent_value = json!([value]),
        Err(_) => {
            if !parent_value.is_object() {
                parent_value = json!({});
            }
            parent_value[last] = value;
        }
    }
    set(object, parent, parent_value);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_request_gets_an_answer(
        method in prop_oneof![Just(Method::Get), Just(Method::Post), Just(Method::Put), Just(Method::Patch), Just(Method::Delete)],
        path in "/(api/v1|apis/apps/v1|apis/rbac.authorization.k8s.io/v1)/(namespaces/(demo|no)/)?(pods|configmaps|deployments|roles|nodes|namespaces)(/(greeting|web-1|api|demo))?(/(status|scale|log|finalize|eviction))?",
        query in "(&?(watch|limit|continue|resourceVersion|labelSelector|fieldSelector|dryRun|sendInitialEvents|fieldManager|force)(=[a-z0-9,%!]{0,6})?){0,3}",
        content_type in prop_oneof![
            Just("application/json"), Just("application/yaml"), Just("application/merge-patch+json"), Just("application/json-patch+json"),
            Just("application/strategic-merge-patch+json"), Just("application/apply-patch+yaml"), Just("application/vnd.kubernetes.protobuf")
        ],
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            "\\{\"(metadata|spec|status|data|kind)\":(\\{\"(name|labels|finalizers|replicas)\":(\"[a-z]{0,3}\"|[0-9]|\\[\\]|\\{\\}|null)\\}|null|7|\"x\")\\}".prop_map(String::into_bytes),
        ],
    ) {
        let mut api = Api::new();
        let mut request = scale_cluster_agent::http1::Request::new(method, format!("{path}?{query}"));
        request.headers.push("Content-Type", content_type);
        request.body = body;
        let response = api.cluster.handle(&request, api.now);
        prop_assert!((200..600).contains(&response.status));
        prop_assert_eq!(api.get("/api/v1/nodes").status, 200);
    }
}
