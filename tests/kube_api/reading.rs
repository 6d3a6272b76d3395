//! GET by name, and the forms an object is answered in.

use crate::support::{Api, baseline, identity, limits};
use scale_cluster_agent::http1::Method;
use scale_cluster_agent::kube::Cluster;
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn an_object_has_what_the_server_gives_it() {
    let mut api = Api::new();
    let answer = api.get("/api/v1/namespaces/demo/configmaps/greeting");
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let object = answer.expect(200);
    assert_eq!((&object["apiVersion"], &object["kind"]), (&json!("v1"), &json!("ConfigMap")));
    let metadata = &object["metadata"];
    assert_eq!((&metadata["name"], &metadata["namespace"]), (&json!("greeting"), &json!("demo")));
    assert_eq!(metadata["creationTimestamp"], "2026-01-02T03:04:05Z");
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert!(metadata["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(object["data"], json!({"greeting": "Hello from edge"}));
}

#[test]
fn apiversion_kind_and_metadata_come_first() {
    // Readers of streams (`kubectl get -w`, log greps) and people look at the beginning.
    let text = Api::new().get("/api/v1/nodes/edge-worker-1").text();
    let at = |field: &str| text.find(field).unwrap_or_else(|| panic!("{field} in {text}"));
    assert!(at("\"apiVersion\"") < at("\"metadata\"") && at("\"kind\"") < at("\"metadata\""), "{text}");
    assert!(at("\"metadata\"") < at("\"spec\"") && at("\"spec\"") < at("\"status\""), "{text}");
}

#[test]
fn reading_twice_gives_the_same() {
    let mut api = Api::new();
    let first = api.read("/api/v1/nodes/edge-worker-1");
    api.wait(3600);
    assert_eq!(api.read("/api/v1/nodes/edge-worker-1"), first);
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut api = Api::new();
    let status =
        api.get("/api/v1/namespaces/demo/configmaps/no").refuses(404, "NotFound", "configmaps \"no\" not found");
    assert_eq!(status["details"], json!({"name": "no", "kind": "configmaps"}));
    let status = api.get("/apis/apps/v1/namespaces/demo/deployments/no").refuses(
        404,
        "NotFound",
        "deployments.apps \"no\" not found",
    );
    assert_eq!(status["details"], json!({"name": "no", "group": "apps", "kind": "deployments"}));
    // Of a namespace that does not exist, the object is missed.
    api.get("/api/v1/namespaces/no/secrets/x").refuses(404, "NotFound", "secrets \"x\" not found");
    // A template's placeholder is no name.
    assert_eq!(api.get("/api/v1/nodes/%7B%7Bcluster-name%7D%7D-worker-1").status, 404);
}

#[test]
fn every_uid_and_every_resource_version_is_its_own() {
    let mut api = Api::new();
    let mut uids = BTreeSet::new();
    let mut versions = BTreeSet::new();
    let mut count = 0;
    for target in
        ["/api/v1/pods", "/api/v1/nodes", "/api/v1/namespaces", "/api/v1/serviceaccounts", "/api/v1/configmaps"]
    {
        for item in api.read(target)["items"].as_array().unwrap() {
            count += 1;
            uids.insert(item["metadata"]["uid"].as_str().unwrap().to_owned());
            versions.insert(item["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap());
        }
    }
    assert_eq!((uids.len(), versions.len()), (count, count));
    assert!(*versions.last().unwrap() <= api.cluster.revision());
}

#[test]
fn owners_are_named_by_their_uid() {
    let mut api = Api::new();
    let pods = api.read("/api/v1/namespaces/demo/pods");
    let owned = pods["items"].as_array().unwrap().iter().find(|pod| pod["metadata"]["ownerReferences"].is_array());
    let owner = owned.unwrap()["metadata"]["ownerReferences"][0].clone();
    let replica_set =
        api.read(&format!("/apis/apps/v1/namespaces/demo/replicasets/{}", owner["name"].as_str().unwrap()));
    assert_eq!(owner["uid"], replica_set["metadata"]["uid"]);
    let deployment = api.read("/apis/apps/v1/namespaces/demo/deployments/api");
    assert_eq!(replica_set["metadata"]["ownerReferences"][0]["uid"], deployment["metadata"]["uid"]);
}

#[test]
fn clusters_of_one_template_differ_in_names_and_uids_and_not_in_between_restarts() {
    let baseline = baseline(crate::support::TEMPLATE).unwrap();
    let node = |name: &str, seed| {
        let cluster = Cluster::new(identity(name, seed), baseline.clone(), limits());
        let mut api = Api { cluster, now: crate::support::created() };
        api.read("/api/v1/nodes")["items"][0].clone()
    };
    let (a, b) = (node("a", 1), node("b", 2));
    assert_eq!(
        (&a["metadata"]["name"], &b["metadata"]["name"]),
        (&json!("a-control-plane-1"), &json!("b-control-plane-1"))
    );
    assert_ne!(a["metadata"]["uid"], b["metadata"]["uid"]);
    assert_eq!(a, node("a", 1));
}

#[test]
fn an_object_is_answered_as_table_or_metadata_to_who_asks() {
    let mut api = Api::new();
    let target = "/api/v1/namespaces/demo/pods/web-1";
    let table = api.get_as(target, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json").expect(200);
    assert_eq!((&table["kind"], &table["apiVersion"]), (&json!("Table"), &json!("meta.k8s.io/v1")));
    assert_eq!(table["columnDefinitions"][0]["name"], "Name");
    assert_eq!(table["rows"][0]["cells"].as_array().unwrap()[..3], [json!("web-1"), json!("1/1"), json!("Running")]);
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let metadata = api.get_as(target, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").expect(200);
    assert_eq!(
        (&metadata["kind"], &metadata["apiVersion"]),
        (&json!("PartialObjectMetadata"), &json!("meta.k8s.io/v1"))
    );
    assert_eq!(metadata["metadata"]["labels"]["app"], "web");
    assert_eq!(metadata.get("spec"), None);
}

#[test]
fn clients_that_prefer_protobuf_get_json() {
    let answer =
        Api::new().get_as("/api/v1/nodes/edge-worker-1", "application/vnd.kubernetes.protobuf,application/json");
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.expect(200)["kind"], "Node");
    let answer = Api::new().get_as("/api/v1/nodes/edge-worker-1", "application/vnd.kubernetes.protobuf");
    assert_eq!(answer.status, 406);
}

#[test]
fn methods_that_a_path_does_not_take_are_refused() {
    let mut api = Api::new();
    for (method, target) in [
        (Method::Put, "/api/v1/namespaces/demo/configmaps"),
        (Method::Post, "/api/v1/namespaces/demo/configmaps/greeting"),
        (Method::Delete, "/api/v1/namespaces"),
        (Method::Get, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        (Method::Delete, "/api/v1/namespaces/demo/pods/web-1/log"),
    ] {
        let answer = api.send(method, target, &[("Content-Type", "application/json")], b"{}");
        assert_eq!(answer.status, 405, "{target}: {}", answer.text());
        assert_eq!(answer.json()["reason"], "MethodNotAllowed", "{target}");
    }
}
