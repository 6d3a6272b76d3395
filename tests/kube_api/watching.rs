//! WATCH: what events say, who gets them, in which form, until when.

use crate::support::{Api, config_map, outline, resource_version};
use jiff::SignedDuration;
use scale_cluster_agent::http1::Method;
use scale_cluster_agent::kube::Heartbeat;
use serde_json::json;

const CONFIG_MAPS: &str = "/api/v1/namespaces/demo/configmaps";

#[test]
fn a_watch_tells_what_happens_in_order() {
    let mut api = Api::new();
    let mut watch = api.watch(&format!("/api/v1/configmaps?watch=true&resourceVersion={}", api.cluster.revision()));
    assert_eq!(watch.events(&api), []);
    let made = api.create(CONFIG_MAPS, &config_map("a", "1"));
    let changed = api.put(&format!("{CONFIG_MAPS}/a"), &config_map("a", "2")).expect(200);
    api.delete(&format!("{CONFIG_MAPS}/a")).expect(200);
    let events = watch.events(&api);
    assert_eq!(outline(&events), [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]);
    assert_eq!((&events[0].1, &events[1].1), (&made, &changed), "events carry whole objects, with apiVersion and kind");
    // A deletion is of the last state, at a version of its own.
    assert_eq!(events[2].1["data"], json!({"key": "2"}));
    assert!(resource_version(&events[2].1) > resource_version(&changed));
    assert_eq!(watch.events(&api), [], "nothing is told twice");
}

#[test]
fn versions_grow_from_event_to_event() {
    let mut api = Api::new();
    let mut watch = api.watch(&format!("/api/v1/configmaps?watch=true&resourceVersion={}", api.cluster.revision()));
    for i in 0..20 {
        api.create(CONFIG_MAPS, &config_map(&format!("c-{i}"), ""));
    }
    let versions: Vec<u64> = watch.events(&api).iter().map(|(_, object)| resource_version(object)).collect();
    assert_eq!(versions.len(), 20);
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    assert_eq!(versions[19], api.cluster.revision());
}

#[test]
fn a_watch_sees_its_kind_and_namespace_only() {
    let mut api = Api::new();
    let now = api.cluster.revision();
    let mut demo = api.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion={now}"));
    let mut secrets = api.watch(&format!("/api/v1/secrets?watch=true&resourceVersion={now}"));
    // A namespace that does not exist yet is watched all the same.
    let mut later = api.watch(&format!(
        "/api/v1/namespaces/cattle-impersonation-system/serviceaccounts?watch=true&resourceVersion={now}"
    ));
    api.create("/api/v1/namespaces/default/configmaps", &config_map("elsewhere", ""));
    api.create(CONFIG_MAPS, &config_map("here", ""));
    api.create("/api/v1/namespaces", &json!({"metadata": {"name": "cattle-impersonation-system"}}));
    assert_eq!(outline(&demo.events(&api)), [("ADDED", "here")]);
    assert_eq!(secrets.events(&api), []);
    assert_eq!(outline(&later.events(&api)), [("ADDED", "default")]);
}

#[test]
fn every_kind_tells_its_apiversion_and_kind() {
    // Typed and dynamic decoders drop an object without them.
    let mut api = Api::new();
    for (target, api_version, kind) in [
        ("/api/v1/nodes", "v1", "Node"),
        ("/apis/apps/v1/deployments", "apps/v1", "Deployment"),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("/apis/apiregistration.k8s.io/v1/apiservices", "apiregistration.k8s.io/v1", "APIService"),
    ] {
        let mut watch = api.watch(&format!(
            "{target}?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        ));
        let events = watch.events(&api);
        assert!(events.len() > 1, "{target}");
        for (event, object) in &events {
            assert_eq!((&object["apiVersion"], &object["kind"]), (&json!(api_version), &json!(kind)), "{event}");
        }
    }
}

#[test]
fn a_label_selector_makes_objects_come_and_go() {
    let mut api = Api::new();
    let labelled =
        |color: &str| json!({"metadata": {"name": "a", "labels": {"color": color}}, "data": {"color": color}});
    let now = api.cluster.revision();
    let mut red = api.watch(&format!("{CONFIG_MAPS}?watch=true&labelSelector=color%3Dred&resourceVersion={now}"));
    let target = format!("{CONFIG_MAPS}/a");
    api.create(CONFIG_MAPS, &labelled("blue"));
    assert_eq!(red.events(&api), []);
    let turned_red = api.put(&target, &labelled("red")).expect(200);
    let events = red.events(&api);
    assert_eq!(events, [("ADDED".to_owned(), turned_red)]);
    api.patch(&target, "merge", &json!({"data": {"x": "y"}})).expect(200);
    assert_eq!(outline(&red.events(&api)), [("MODIFIED", "a")]);
    let turned_blue = api.put(&target, &labelled("blue")).expect(200);
    let events = red.events(&api);
    assert_eq!(outline(&events), [("DELETED", "a")]);
    // As it was when it was last selected, at the version of the change.
    assert_eq!(events[0].1["data"], json!({"color": "red", "x": "y"}));
    assert_eq!(resource_version(&events[0].1), resource_version(&turned_blue));
    api.delete(&target).expect(200);
    assert_eq!(red.events(&api), []);
}

#[test]
fn a_field_selector_selects_events() {
    let mut api = Api::new();
    let target =
        "/api/v1/secrets?watch=true&fieldSelector=metadata.namespace%3Dcattle-system%2Cmetadata.name%3Dstv-aggregation";
    let mut watch = api.watch(&format!("{target}&resourceVersion={}", api.cluster.revision()));
    for name in ["other", "stv-aggregation"] {
        api.create("/api/v1/namespaces/cattle-system/secrets", &json!({"metadata": {"name": name}}));
    }
    api.create("/api/v1/namespaces/demo/secrets", &json!({"metadata": {"name": "stv-aggregation"}}));
    let events = watch.events(&api);
    assert_eq!(outline(&events), [("ADDED", "stv-aggregation")]);
    assert_eq!(events[0].1["metadata"]["namespace"], "cattle-system");
}

#[test]
fn a_watch_ends_when_it_was_asked_to() {
    let mut api = Api::new();
    let mut watch =
        api.watch(&format!("/api/v1/nodes?watch=true&timeoutSeconds=10&resourceVersion={}", api.cluster.revision()));
    assert_eq!(watch.wake_at(), Some(api.now + SignedDuration::from_secs(10)));
    api.wait(9);
    assert_eq!(watch.events(&api), []);
    api.wait(1);
    assert_eq!(watch.last_events(&api), []);
}

#[test]
fn a_watch_without_a_timeout_ends_within_the_hour() {
    // kube-apiserver's `--min-request-timeout`: between 30 and 60 minutes.
    let mut api = Api::new();
    let watch = api.watch(&format!("/api/v1/nodes?watch=true&resourceVersion={}", api.cluster.revision()));
    let left = watch.wake_at().unwrap() - api.now;
    let minutes = left.total(jiff::Unit::Minute).unwrap();
    assert!((30.0..=60.0).contains(&minutes), "{minutes}");
}

#[test]
fn bookmarks_tell_how_far_a_quiet_watch_is() {
    let mut api = Api::new();
    let now = api.cluster.revision();
    let mut watch = api.watch(&format!(
        "/api/v1/namespaces?watch=true&allowWatchBookmarks=true&timeoutSeconds=600&resourceVersion={now}"
    ));
    let mut without = api.watch(&format!("/api/v1/namespaces?watch=true&timeoutSeconds=600&resourceVersion={now}"));
    api.create(CONFIG_MAPS, &config_map("a", ""));
    assert_eq!(watch.events(&api), []);
    let due = watch.wake_at().expect("a bookmark is due some time");
    assert!((due - api.now).total(jiff::Unit::Second).unwrap() <= 120.0);
    api.now = due;
    let events = watch.events(&api);
    assert_eq!(events.len(), 1);
    let (kind, object) = &events[0];
    assert_eq!(
        (kind.as_str(), &object["kind"], &object["apiVersion"]),
        ("BOOKMARK", &json!("Namespace"), &json!("v1"))
    );
    assert_eq!(resource_version(object), api.cluster.revision());
    assert_eq!(without.events(&api), []);
}

#[test]
fn tables_and_metadata_are_watched_too() {
    let mut api = Api::new();
    let target = format!("{CONFIG_MAPS}?watch=true&resourceVersion={}", api.cluster.revision());
    let mut table = api.watch_as(&target, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
    let mut metadata = api.watch_as(&target, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
    api.create(CONFIG_MAPS, &config_map("a", ""));
    let events = table.events(&api);
    assert_eq!((&events[0].1["kind"], &events[0].1["rows"][0]["cells"][0]), (&json!("Table"), &json!("a")));
    let events = metadata.events(&api);
    assert_eq!(
        (&events[0].1["kind"], &events[0].1["metadata"]["name"]),
        (&json!("PartialObjectMetadata"), &json!("a"))
    );
    assert_eq!(events[0].1.get("data"), None);
}

#[test]
fn the_deprecated_watch_path_is_a_watch() {
    let mut api = Api::new();
    let now = api.cluster.revision();
    let mut watch = api.watch(&format!("/api/v1/watch/namespaces/demo/configmaps/a?resourceVersion={now}"));
    api.create(CONFIG_MAPS, &config_map("a", ""));
    api.create(CONFIG_MAPS, &config_map("b", ""));
    assert_eq!(outline(&watch.events(&api)), [("ADDED", "a")]);
}

#[test]
fn a_report_is_seen_by_who_watches_nodes_and_leases() {
    let mut api = Api::new();
    let now = api.cluster.revision();
    let mut nodes = api.watch(&format!("/api/v1/nodes?watch=true&resourceVersion={now}"));
    let mut leases = api.watch(&format!("/apis/coordination.k8s.io/v1/leases?watch=true&resourceVersion={now}"));
    api.wait(30);
    api.report(Heartbeat::Leases);
    assert_eq!(nodes.events(&api), []);
    let events = leases.events(&api);
    assert_eq!(outline(&events), [("MODIFIED", "edge-control-plane-1"), ("MODIFIED", "edge-worker-1")]);
    assert_eq!(events[0].1["spec"]["renewTime"], "2026-01-02T03:04:35.000000Z");
    api.wait(30);
    api.report(Heartbeat::LeasesAndNodes);
    assert_eq!(leases.events(&api).len(), 2);
    let events = nodes.events(&api);
    assert_eq!(outline(&events), [("MODIFIED", "edge-control-plane-1"), ("MODIFIED", "edge-worker-1")]);
    for (_, node) in &events {
        // The network's condition is not the kubelet's to renew.
        let conditions = node["status"]["conditions"].as_array().unwrap();
        for condition in conditions.iter().filter(|condition| condition["type"] != "NetworkUnavailable") {
            assert_eq!(condition["lastHeartbeatTime"], "2026-01-02T03:05:05Z", "{condition}");
        }
    }
    assert_eq!(api.read("/api/v1/nodes/edge-worker-1"), events[1].1);
}

#[test]
fn many_watches_see_the_same() {
    let mut api = Api::new();
    let target = format!("/api/v1/configmaps?watch=true&resourceVersion={}", api.cluster.revision());
    let mut watches: Vec<_> = (0..20).map(|_| api.watch(&target)).collect();
    api.create(CONFIG_MAPS, &config_map("a", ""));
    let first = watches[0].events(&api);
    assert_eq!(first.len(), 1);
    for watch in &mut watches[1..] {
        assert_eq!(watch.events(&api), first);
    }
}

#[test]
fn what_cannot_be_watched_says_so() {
    let mut api = Api::new();
    // No watch of these; a selector that cannot be.
    assert_eq!(api.send(Method::Get, "/api/v1/componentstatuses?watch=true", &[], b"").status, 405);
    assert_eq!(api.get("/api/v1/nodes?watch=true&labelSelector=%21%21").status, 400);
    assert_eq!(api.get("/api/v1/nodes?watch=true&fieldSelector=a%3Db").status, 400);
}
