//! LIST: order, selectors, pages, consistency.

use crate::support::{Api, config_map, names, resource_version};
use scale_cluster_agent::kube::Limits;
use serde_json::json;

#[test]
fn a_list_is_of_its_kind_and_of_this_moment() {
    let mut api = Api::new();
    let list = api.read("/api/v1/nodes");
    assert_eq!((&list["apiVersion"], &list["kind"]), (&json!("v1"), &json!("NodeList")));
    assert_eq!(names(&list), ["edge-control-plane-1", "edge-worker-1"]);
    assert_eq!(resource_version(&list), api.cluster.revision());
    api.create("/api/v1/namespaces/demo/configmaps", &config_map("a", ""));
    assert_eq!(resource_version(&api.read("/api/v1/nodes")), api.cluster.revision());
}

#[test]
fn a_list_of_nothing_is_an_empty_list() {
    let mut api = Api::new();
    // Rancher's informers start before the namespace is there (rancher-protocol.md §4.9).
    for target in [
        "/api/v1/namespaces/cattle-impersonation-system/secrets",
        "/api/v1/namespaces/cattle-impersonation-system/serviceaccounts",
        "/api/v1/resourcequotas",
        "/api/v1/limitranges",
        "/apis/networking.k8s.io/v1/networkpolicies",
    ] {
        let list = api.read(target);
        assert_eq!(list["items"], json!([]), "{target}");
        assert!(resource_version(&list) > 0, "{target}");
    }
}

#[test]
fn a_namespace_holds_its_own_and_all_namespaces_hold_everything_in_order() {
    let mut api = Api::new();
    let demo = api.names("/api/v1/namespaces/demo/pods");
    assert_eq!(demo.len(), 3);
    assert_eq!(demo[1..], ["web-1", "web-2"]);
    let all = api.names("/api/v1/pods");
    assert_eq!(all, [&demo[..], &["etcd-edge".to_owned()]].concat());
    // Written objects stand where their names put them.
    api.create("/api/v1/namespaces/demo/configmaps", &config_map("a", ""));
    api.create("/api/v1/namespaces/demo/configmaps", &config_map("z", ""));
    assert_eq!(api.names("/api/v1/namespaces/demo/configmaps"), ["a", "greeting", "kube-root-ca.crt", "z"]);
}

#[test]
fn label_selectors_select() {
    let mut api = Api::new();
    for (selector, expected) in [
        ("app%3Dweb", vec!["web-1", "web-2"]),
        ("app=web,tier!=front", vec!["web-2"]),
        ("tier+in+(front,control-plane)", vec!["web-1", "etcd-edge"]),
        ("tier+notin+(front),app%3D%3Dweb", vec!["web-2"]),
        ("!app,tier", vec!["etcd-edge"]),
        ("app=nothing", vec![]),
    ] {
        assert_eq!(api.names(&format!("/api/v1/pods?labelSelector={selector}")), expected, "{selector}");
    }
    assert_eq!(api.get("/api/v1/pods?labelSelector=a%3D%3D%3Db").status, 400);
    // How Rancher looks for providers (rancher-protocol.md §4.6).
    assert_eq!(api.names("/api/v1/nodes?labelSelector=kubernetes.azure.com%2Fcluster&limit=1"), [""; 0]);
    assert_eq!(api.names("/api/v1/nodes?labelSelector=kubernetes.io%2Fos%3Dlinux&limit=1"), ["edge-control-plane-1"]);
}

#[test]
fn field_selectors_select() {
    let mut api = Api::new();
    for (target, expected) in [
        ("/api/v1/pods?fieldSelector=metadata.name%3Dweb-1", vec!["web-1"]),
        ("/api/v1/pods?fieldSelector=metadata.namespace%3Dkube-system", vec!["etcd-edge"]),
        ("/api/v1/pods?fieldSelector=spec.nodeName%3Dedge-control-plane-1", vec!["etcd-edge"]),
        ("/api/v1/pods?fieldSelector=status.phase!%3DRunning", vec![]),
        ("/api/v1/pods?fieldSelector=status.phase=Running,metadata.name=web-2", vec!["web-2"]),
        ("/api/v1/secrets?fieldSelector=metadata.namespace%3Dcattle-system%2Cmetadata.name%3Dstv-aggregation", vec![]),
        ("/api/v1/secrets?fieldSelector=type%3DOpaque", vec!["password"]),
        ("/api/v1/nodes?fieldSelector=metadata.name%3Dedge-worker-1", vec!["edge-worker-1"]),
    ] {
        assert_eq!(api.names(target), expected, "{target}");
    }
    let answer = api.get("/api/v1/pods?fieldSelector=spec.nonsense%3Dx");
    answer.refuses(400, "BadRequest", "field label not supported: spec.nonsense");
}

#[test]
fn pages_join_to_the_whole_list() {
    let mut api = Api::new();
    let whole = api.names("/api/v1/serviceaccounts");
    let mut target = "/api/v1/serviceaccounts?limit=2".to_owned();
    let mut joined = Vec::new();
    let mut version = None;
    loop {
        let page = api.read(&target);
        joined.extend(names(&page));
        assert_eq!(*version.get_or_insert(resource_version(&page)), resource_version(&page), "pages are of one moment");
        // Between the pages the collection changes, which the pages must not show.
        api.create("/api/v1/namespaces/default/serviceaccounts", &json!({"metadata": {"generateName": "a-"}}));
        let remaining = page["metadata"]["remainingItemCount"].as_u64().unwrap_or(0);
        assert_eq!(remaining as usize, whole.len() - joined.len());
        match page["metadata"]["continue"].as_str() {
            Some(token) if !token.is_empty() => {
                assert_eq!(page["items"].as_array().unwrap().len(), 2);
                target = format!("/api/v1/serviceaccounts?limit=2&continue={token}");
            }
            _ => break,
        }
    }
    assert_eq!(joined, whole);
}

#[test]
fn a_limit_that_everything_fits_in_leaves_nothing_to_continue() {
    let list = Api::new().read("/api/v1/nodes?limit=500");
    assert_eq!(list["metadata"].get("continue"), None);
    assert_eq!(list["metadata"].get("remainingItemCount"), None);
}

#[test]
fn a_page_from_before_the_history_has_expired_but_can_be_resumed() {
    let mut api = Api::with_limits(Limits { watch_history: 3, objects: 100, object_bytes: 1 << 20 });
    let page = api.read("/api/v1/configmaps?limit=1");
    let token = page["metadata"]["continue"].as_str().unwrap().to_owned();
    for i in 0..5 {
        api.create("/api/v1/namespaces/demo/configmaps", &config_map(&format!("z-{i}"), ""));
    }
    let answer = api.get(&format!("/api/v1/configmaps?limit=1&continue={token}"));
    let status = answer.expect(410);
    assert_eq!((&status["reason"], &status["code"]), (&json!("Expired"), &json!(410)));
    // The token in the answer continues with what there is now ("API concepts: retrieving large results sets in chunks").
    let token = status["metadata"]["continue"].as_str().expect("a token to go on with").to_owned();
    let rest = api.read(&format!("/api/v1/configmaps?continue={token}"));
    assert!(names(&rest).contains(&"z-4".to_owned()));
}

#[test]
fn a_token_that_outlives_compaction_is_exchanged_for_one_that_works() {
    let mut api = Api::new();
    let collection = "/api/v1/namespaces/paged/secrets";
    api.create("/api/v1/namespaces", &json!({"metadata": {"name": "paged"}}));
    for name in ["a", "b", "c"] {
        api.create(collection, &json!({"metadata": {"name": name}}));
    }
    let page = api.read(&format!("{collection}?limit=1"));
    let token = page["metadata"]["continue"].as_str().unwrap().to_owned();
    api.delete(&format!("{collection}/b")).expect(200);
    api.create(collection, &json!({"metadata": {"name": "d"}}));
    let next = |token: &str| format!("{collection}?limit=1&continue={token}");
    api.cluster.compact();
    assert_eq!(api.names(&next(&token)), ["b"], "as it was at the first page");
    api.cluster.compact();
    let status = api.get(&next(&token)).expect(410);
    assert_eq!((&status["kind"], &status["reason"]), (&json!("Status"), &json!("Expired")));
    let token = status["metadata"]["continue"].as_str().expect("a token to go on with").to_owned();
    let page = api.read(&next(&token));
    assert_eq!(names(&page), ["c"], "as it is now");
    // From there on the pages are of one moment again.
    let token = page["metadata"]["continue"].as_str().unwrap().to_owned();
    api.delete(&format!("{collection}/d")).expect(200);
    assert_eq!(api.names(&next(&token)), ["d"]);
}

#[test]
fn nonsense_is_no_continue_token() {
    let mut api = Api::new();
    for token in ["x", "e30", "%00", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiIn0"] {
        let answer = api.get(&format!("/api/v1/pods?limit=1&continue={token}"));
        assert_eq!((answer.status, &answer.json()["reason"]), (400, &json!("BadRequest")), "{token}");
    }
}

#[test]
fn resource_versions_say_how_fresh_a_list_must_be() {
    let mut api = Api::new();
    let now = api.cluster.revision();
    for fresh in
        ["resourceVersion=0", "resourceVersion=", &format!("resourceVersion={now}&resourceVersionMatch=NotOlderThan")]
    {
        assert_eq!(resource_version(&api.read(&format!("/api/v1/nodes?{fresh}"))), now, "{fresh}");
    }
    // What it was, while that is known.
    api.create("/api/v1/namespaces/demo/configmaps", &config_map("new", ""));
    let exact =
        api.read(&format!("/api/v1/namespaces/demo/configmaps?resourceVersion={now}&resourceVersionMatch=Exact"));
    assert_eq!((resource_version(&exact), names(&exact)), (now, vec!["greeting".into(), "kube-root-ca.crt".into()]));
    // The future: client-go knows this by the cause and lists afresh.
    let status = api.get("/api/v1/nodes?resourceVersion=999999").expect(504);
    assert_eq!(
        (&status["reason"], &status["details"]["causes"][0]["reason"]),
        (&json!("Timeout"), &json!("ResourceVersionTooLarge"))
    );
    assert!(matches!(api.get("/api/v1/nodes?resourceVersion=abc").status, 500));
    assert_eq!(api.get("/api/v1/nodes?resourceVersionMatch=Exact").status, 422);
    assert_eq!(api.get("/api/v1/nodes?limit=x").status, 400);
}

#[test]
fn long_lists_come_in_pieces_and_complete() {
    let mut api = Api::of_template(
        "nodes: [{name: n, roles: [worker], capacity: {cpu: 900, memory: 900Gi, pods: 2000}}]\n\
         pods: [{name: \"p-{{index}}\", count: 1000, namespace: demo, node: n, image: i}]\n",
    );
    let list = api.read("/api/v1/pods");
    assert_eq!(list["items"].as_array().unwrap().len(), 1000);
    assert_eq!(list["items"][999]["metadata"]["name"], "p-999");
}

#[test]
fn lists_are_tables_and_metadata_to_who_asks() {
    let mut api = Api::new();
    let table = api.get_as("/api/v1/namespaces/demo/pods", "application/json;as=Table;v=v1;g=meta.k8s.io").expect(200);
    assert_eq!(table["rows"].as_array().unwrap().len(), 3);
    assert!(resource_version(&table) > 0);
    let list =
        api.get_as("/api/v1/pods", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").expect(200);
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"].as_array().unwrap().len(), 4);
}
