//! Where a watch starts: now, at a version, with everything there is; and what if that is no longer known.

use crate::support::{Api, Event, config_map, outline, resource_version};
use scale_cluster_agent::kube::{Heartbeat, Limits};
use serde_json::json;

const CONFIG_MAPS: &str = "/api/v1/namespaces/demo/configmaps";

fn small_history(watch_history: usize) -> Api {
    Api::with_limits(Limits { watch_history, objects: 1000, object_bytes: 1 << 20 })
}

/// An ERROR event that tells an informer to list anew.
#[track_caller]
fn assert_expired(events: &[Event]) {
    let [(kind, status)] = events else { panic!("{events:?}") };
    assert_eq!(kind, "ERROR");
    assert_eq!(
        (&status["kind"], &status["apiVersion"], &status["status"]),
        (&json!("Status"), &json!("v1"), &json!("Failure"))
    );
    assert_eq!((&status["code"], &status["reason"]), (&json!(410), &json!("Expired")));
}

#[test]
fn a_list_and_a_watch_from_it_miss_nothing() {
    let mut api = Api::new();
    let version = resource_version(&api.read("/api/v1/configmaps"));
    api.create(CONFIG_MAPS, &config_map("a", ""));
    api.delete(&format!("{CONFIG_MAPS}/greeting")).expect(200);
    let mut watch = api.watch(&format!("/api/v1/configmaps?watch=true&resourceVersion={version}"));
    assert_eq!(outline(&watch.events(&api)), [("ADDED", "a"), ("DELETED", "greeting")]);
}

#[test]
fn a_watch_without_a_version_starts_with_what_there_is() {
    let mut api = Api::new();
    for version in ["", "&resourceVersion=0", "&resourceVersion="] {
        let mut watch = api.watch(&format!("{CONFIG_MAPS}?watch=true{version}"));
        assert_eq!(outline(&watch.events(&api)), [("ADDED", "greeting"), ("ADDED", "kube-root-ca.crt")], "{version}");
        let made = api.create(CONFIG_MAPS, &json!({"metadata": {"generateName": "z-"}}));
        assert_eq!(watch.events(&api), [("ADDED".to_owned(), made.clone())]);
        api.delete(&format!("{CONFIG_MAPS}/{}", made["metadata"]["name"].as_str().unwrap())).expect(200);
    }
}

#[test]
fn a_watch_list_ends_its_beginning_with_a_bookmark() {
    // client-go from 0.35 on (WatchList); a server that ignores `sendInitialEvents` hangs every informer.
    let mut api = Api::new();
    let mut watch = api.watch(
        "/api/v1/nodes?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeoutSeconds=432&watch=true",
    );
    let events = watch.events(&api);
    assert_eq!(outline(&events), [("ADDED", "edge-control-plane-1"), ("ADDED", "edge-worker-1"), ("BOOKMARK", "")]);
    let bookmark = &events[2].1;
    assert_eq!((&bookmark["apiVersion"], &bookmark["kind"]), (&json!("v1"), &json!("Node")));
    assert_eq!(bookmark["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
    assert_eq!(resource_version(bookmark), api.cluster.revision());
    api.patch("/api/v1/nodes/edge-worker-1", "merge", &json!({"metadata": {"labels": {"a": "b"}}})).expect(200);
    assert_eq!(outline(&watch.events(&api)), [("MODIFIED", "edge-worker-1")]);
}

#[test]
fn a_watch_list_of_nothing_is_a_bookmark() {
    let mut api = Api::new();
    let mut watch = api.watch(
        "/api/v1/namespaces/cattle-impersonation-system/secrets?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan\
         &sendInitialEvents=true&watch=true",
    );
    assert_eq!(outline(&watch.events(&api)), [("BOOKMARK", "")]);
}

#[test]
fn a_watch_list_selects() {
    let mut api = Api::new();
    let mut watch = api.watch(
        "/api/v1/pods?labelSelector=app%3Dweb&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=true",
    );
    assert_eq!(outline(&watch.events(&api)), [("ADDED", "web-1"), ("ADDED", "web-2"), ("BOOKMARK", "")]);
}

#[test]
fn a_watch_list_can_start_with_what_it_knows() {
    let mut api = Api::new();
    let version = api.cluster.revision();
    let parameters = "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&watch=true";
    let mut all = api.watch(&format!("{CONFIG_MAPS}?{parameters}&sendInitialEvents=true&resourceVersion={version}"));
    assert_eq!(all.events(&api).len(), 3);
    let mut none = api.watch(&format!("{CONFIG_MAPS}?{parameters}&sendInitialEvents=false&resourceVersion={version}"));
    assert_eq!(none.events(&api), []);
    api.create(CONFIG_MAPS, &config_map("a", ""));
    assert_eq!(outline(&none.events(&api)), [("ADDED", "a")]);
}

#[test]
fn initial_events_need_their_rule() {
    let mut api = Api::new();
    for wrong in [
        "watch=true&sendInitialEvents=true",
        "watch=true&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1",
        "watch=true&resourceVersionMatch=NotOlderThan",
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
    ] {
        let status = api.get(&format!("/api/v1/nodes?{wrong}")).expect(422);
        assert_eq!((&status["kind"], &status["reason"]), (&json!("Status"), &json!("Invalid")), "{wrong}");
    }
}

#[test]
fn what_is_no_longer_known_has_expired() {
    let mut api = small_history(3);
    let version = api.cluster.revision();
    let mut slow = api.watch(&format!("/api/v1/configmaps?watch=true&resourceVersion={version}"));
    for i in 0..5 {
        api.create(CONFIG_MAPS, &config_map(&format!("c-{i}"), ""));
    }
    let mut late = api.watch(&format!("/api/v1/configmaps?watch=true&resourceVersion={version}"));
    assert_expired(&late.last_events(&api));
    // One that is under way and was not read in time fares the same: a gap must not go unseen.
    let (events, _) = slow.poll(&api);
    assert_expired(&events);
    // From what is still known it goes on.
    let mut recent =
        api.watch(&format!("/api/v1/configmaps?watch=true&resourceVersion={}", api.cluster.revision() - 2));
    assert_eq!(outline(&recent.events(&api)), [("ADDED", "c-3"), ("ADDED", "c-4")]);
}

#[test]
fn a_revision_is_known_until_the_second_compaction_after_it() {
    let mut api = Api::new();
    let list = resource_version(&api.read("/api/v1/configmaps"));
    let first = resource_version(&api.create(CONFIG_MAPS, &config_map("first", "")));
    let last = resource_version(&api.create(CONFIG_MAPS, &config_map("last", "")));
    let target = |version: u64| format!("/api/v1/configmaps?watch=true&resourceVersion={version}");
    let mut under_way = api.watch(&target(list));
    api.cluster.compact();
    assert_eq!(outline(&api.watch(&target(list)).events(&api)), [("ADDED", "first"), ("ADDED", "last")]);
    api.cluster.compact();
    for passed in [list, first] {
        let events = api.watch(&target(passed)).last_events(&api);
        assert_expired(&events);
        assert_eq!(events[0].1["message"], format!("too old resource version: {passed} ({last})"));
    }
    // Whoever has seen everything has missed nothing, and who had a gap before it was read is told so.
    assert_eq!(api.watch(&target(last)).events(&api), []);
    assert_expired(&under_way.last_events(&api));
}

#[test]
fn reports_and_the_clock_have_no_say_in_what_is_known() {
    let mut api = Api::new();
    let list = resource_version(&api.read("/api/v1/configmaps"));
    api.create(CONFIG_MAPS, &config_map("first", ""));
    // A day ahead, two days back, a day ahead.
    for seconds in [86_400, -172_800, 86_400] {
        api.wait(seconds);
        api.report(Heartbeat::LeasesAndNodes);
    }
    let mut watch = api.watch(&format!("/api/v1/configmaps?watch=true&resourceVersion={list}"));
    assert_eq!(outline(&watch.events(&api)), [("ADDED", "first")]);
    for _ in 0..2 {
        api.wait(-3_600);
        api.cluster.compact();
    }
    assert_expired(&api.watch(&format!("/api/v1/configmaps?watch=true&resourceVersion={list}")).last_events(&api));
}

#[test]
fn a_quiet_kind_does_not_expire_because_leases_beat() {
    let mut api = small_history(10);
    let version = resource_version(&api.read("/api/v1/namespaces"));
    for _ in 0..50 {
        api.wait(30);
        api.report(Heartbeat::LeasesAndNodes);
    }
    let mut watch = api.watch(&format!("/api/v1/namespaces?watch=true&resourceVersion={version}"));
    assert_eq!(watch.events(&api), []);
    api.create("/api/v1/namespaces", &json!({"metadata": {"name": "new"}}));
    assert_eq!(outline(&watch.events(&api)), [("ADDED", "new")]);
    let mut nodes = api.watch(&format!("/api/v1/nodes?watch=true&resourceVersion={version}"));
    assert_expired(&nodes.last_events(&api));
}

#[test]
fn a_bookmark_is_a_place_to_resume_from() {
    let mut api = small_history(4);
    let version = api.cluster.revision();
    let mut watch = api.watch(&format!("{CONFIG_MAPS}?watch=true&allowWatchBookmarks=true&resourceVersion={version}"));
    for i in 0..6 {
        api.create("/api/v1/namespaces/default/configmaps", &config_map(&format!("c-{i}"), ""));
        watch.events(&api);
    }
    api.now = watch.wake_at().unwrap();
    let events = watch.events(&api);
    assert_eq!(outline(&events), [("BOOKMARK", "")]);
    let mut resumed =
        api.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion={}", resource_version(&events[0].1)));
    assert_eq!(resumed.events(&api), []);
}

#[test]
fn a_version_is_a_number() {
    assert!(matches!(Api::new().get("/api/v1/nodes?watch=true&resourceVersion=abc").status, 500));
}
