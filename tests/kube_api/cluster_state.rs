//! What a template makes of a cluster, and what the agent reads off it without a request.

use crate::support::{Api, TEMPLATE, VERSION, baseline, baseline_of, config_map, identity, limits};
use scale_cluster_agent::kube::{Cluster, Heartbeat};
use serde_json::{Value, json};

#[test]
fn nodes_show_what_their_pods_ask_for() {
    // The only source of used CPU, memory and pods that Rancher shows.
    let mut api = Api::new();
    let annotations = |api: &mut Api, node: &str| {
        let node = api.read(&format!("/api/v1/nodes/{node}"));
        let parse = |key: &str| -> Value {
            serde_json::from_str(node["metadata"]["annotations"][key].as_str().expect("a string of JSON")).unwrap()
        };
        (parse("management.cattle.io/pod-requests"), parse("management.cattle.io/pod-limits"))
    };
    let (requests, limits) = annotations(&mut api, "edge-control-plane-1");
    assert_eq!((requests, limits), (json!({"cpu": "100m", "memory": "100Mi", "pods": "1"}), json!({})));
    let (requests, limits) = annotations(&mut api, "edge-worker-1");
    assert_eq!(
        (requests, limits),
        (json!({"cpu": "300m", "memory": "128Mi", "pods": "3"}), json!({"memory": "128Mi"}))
    );
    // A pod comes and another goes; the next report tells.
    let container = json!({"name": "c", "image": "i", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}});
    let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "edge-worker-1", "containers": [container]}});
    api.create("/api/v1/namespaces/demo/pods", &pod);
    api.delete_with("/api/v1/namespaces/demo/pods/web-1", &json!({"gracePeriodSeconds": 0})).expect(200);
    api.wait(30);
    let mut watch = api.watch(&format!("/api/v1/nodes?watch=1&resourceVersion={}", api.cluster.revision()));
    api.report(Heartbeat::Leases);
    let (requests, limits) = annotations(&mut api, "edge-worker-1");
    assert_eq!((requests, limits), (json!({"cpu": "1050m", "memory": "1088Mi", "pods": "3"}), json!({})));
    assert_eq!(watch.events(&api).len(), 1);
    api.report(Heartbeat::Leases);
    assert_eq!(watch.events(&api), [], "what stays the same is not written again");
}

#[test]
fn nodes_have_what_rancher_copies() {
    let node = Api::new().read("/api/v1/nodes/edge-worker-1");
    assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], VERSION);
    let conditions = node["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"));
    assert_eq!((&node["status"]["capacity"]["cpu"], &node["status"]["capacity"]["pods"]), (&json!("8"), &json!("110")));
    assert_eq!(node["metadata"]["labels"]["kubernetes.io/os"], "linux");
}

#[test]
fn a_node_that_was_written_still_beats() {
    let mut api = Api::new();
    let target = "/api/v1/nodes/edge-worker-1";
    api.patch(target, "merge", &json!({"metadata": {"labels": {"written": "yes"}}})).expect(200);
    api.wait(300);
    api.report(Heartbeat::LeasesAndNodes);
    let node = api.read(target);
    assert_eq!(node["metadata"]["labels"]["written"], "yes");
    let ready = node["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Ready").unwrap();
    assert_eq!(ready["lastHeartbeatTime"], "2026-01-02T03:09:05Z");
}

#[test]
fn a_deleted_node_beats_no_more() {
    let mut api = Api::new();
    api.delete("/api/v1/nodes/edge-worker-1").expect(200);
    api.wait(30);
    api.report(Heartbeat::LeasesAndNodes);
    assert_eq!(api.names("/api/v1/nodes"), ["edge-control-plane-1"]);
}

#[test]
fn the_counters_count() {
    let mut api = Api::new();
    let counts = api.cluster.counts();
    assert_eq!((counts.nodes, counts.pods, counts.deployments, counts.secrets), (2, 4, 1, 1));
    assert_eq!((counts.services, counts.namespaces), (2, 6), "the template's, and the API server's own");
    // One of each namespace, the template's, and `extension-apiserver-authentication`.
    assert_eq!(counts.configmaps, 8);
    api.create("/api/v1/namespaces/demo/configmaps", &config_map("a", ""));
    api.delete("/api/v1/namespaces/demo/secrets/password").expect(200);
    let counts = api.cluster.counts();
    assert_eq!((counts.configmaps, counts.secrets), (9, 0));
}

#[test]
fn the_summary_names_what_there_is() {
    let mut api = Api::new();
    api.create("/api/v1/namespaces/demo/configmaps", &config_map("a", ""));
    let info = serde_json::to_value(api.cluster.info()).unwrap();
    assert_eq!(info["name"], "edge");
    assert_eq!(
        info["nodes"],
        json!([
            {"name": "edge-control-plane-1", "status": "Ready", "roles": ["control-plane", "etcd"], "version": VERSION},
            {"name": "edge-worker-1", "status": "Ready", "roles": ["worker"], "version": VERSION}
        ])
    );
    let pod =
        json!({"namespace": "kube-system", "name": "etcd-edge", "node": "edge-control-plane-1", "phase": "Running"});
    assert!(info["pods"].as_array().unwrap().contains(&pod), "{info}");
    assert_eq!(info["deployments"], json!([{"namespace": "demo", "name": "api", "replicas": 1, "ready": 1}]));
    assert!(info["configmaps"].as_array().unwrap().contains(&json!({"namespace": "demo", "name": "a"})), "{info}");
}

#[test]
fn the_revision_moves_with_every_change_and_only_then() {
    let mut api = Api::new();
    let start = api.cluster.revision();
    api.get("/api/v1/pods");
    api.get("/api/v1/pods/no");
    assert_eq!(api.cluster.revision(), start);
    api.create("/api/v1/namespaces/demo/configmaps", &config_map("a", ""));
    assert_eq!(api.cluster.revision(), start + 1);
}

#[test]
fn clusters_do_not_see_each_other() {
    let baseline = baseline(TEMPLATE).unwrap();
    let mut apis = ["a", "b"].map(|name| {
        let cluster = Cluster::new(identity(name, name.len() as u64), baseline.clone(), limits());
        Api { cluster, now: crate::support::created() }
    });
    apis[0].create("/api/v1/namespaces/demo/configmaps", &config_map("mine", ""));
    apis[0].delete("/api/v1/namespaces/demo/configmaps/greeting").expect(200);
    assert_eq!(apis[0].names("/api/v1/nodes"), ["a-control-plane-1", "a-worker-1"]);
    assert_eq!(apis[1].names("/api/v1/nodes"), ["b-control-plane-1", "b-worker-1"]);
    assert_eq!(apis[1].names("/api/v1/namespaces/demo/configmaps"), ["greeting", "kube-root-ca.crt"]);
}

#[test]
fn names_with_the_clusters_name_are_in_order_for_each_cluster() {
    let template = "nodes:\n  - {name: \"{{cluster-name}}\", capacity: {cpu: 1, memory: 1Gi, pods: 9}}\n  - {name: m, capacity: {cpu: 1, memory: 1Gi, pods: 9}}\n";
    let baseline = baseline(template).unwrap();
    for (name, order) in [("a", ["a", "m"]), ("z", ["m", "z"])] {
        let cluster = Cluster::new(identity(name, 1), baseline.clone(), limits());
        let mut api = Api { cluster, now: crate::support::created() };
        assert_eq!(api.names("/api/v1/nodes"), order);
    }
}

#[test]
fn a_template_may_bring_custom_kinds_and_their_objects() {
    let objects = vec![
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.com"},
            "spec": {
                "group": "example.com", "scope": "Cluster", "names": {"plural": "things", "kind": "Thing"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]
            }
        }),
        json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "{{cluster-name}}"}}),
    ];
    let cluster = Cluster::new(identity("edge", 1), baseline_of(objects).unwrap(), limits());
    let mut api = Api { cluster, now: crate::support::created() };
    assert_eq!(api.names("/apis/example.com/v1/things"), ["edge"]);
}

#[test]
fn a_template_that_cannot_be_says_why() {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}});
    let pod = |node: &str, namespace: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": namespace},
            "spec": {"nodeName": node, "containers": []}
        })
    };
    for (objects, object, field) in [
        (vec![node.clone(), pod("other", "default")], "Pod default/p", "spec.nodeName"),
        (vec![node.clone(), pod("n", "nowhere")], "Pod nowhere/p", "metadata.namespace"),
        (vec![node.clone(), node.clone()], "Node n", ""),
        (vec![json!({"apiVersion": "v1", "kind": "Gadget", "metadata": {"name": "g"}})], "Gadget g", "kind"),
        (vec![json!({"apiVersion": "v1", "kind": "Node", "metadata": {}})], "Node", "metadata.name"),
    ] {
        let error = baseline_of(objects).unwrap_err();
        assert!(error.object.contains(object), "{error}");
        assert!(error.problem.contains(field), "{error}");
    }
}
