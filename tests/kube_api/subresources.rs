//! What stands below an object: scale, eviction, logs, streams, and what controllers do for services, deployments and jobs.

use crate::support::{Api, outline};
use scale_cluster_agent::http1::Method;
use serde_json::{Value, json};

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/demo/deployments/api";

fn workload(name: &str, replicas: u32) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "registry/i:1"}]}}
        }
    })
}

#[test]
fn a_deployment_is_scaled() {
    let mut api = Api::new();
    let target = format!("{DEPLOYMENT}/scale");
    let mut scale = api.read(&target);
    assert_eq!((&scale["apiVersion"], &scale["kind"]), (&json!("autoscaling/v1"), &json!("Scale")));
    assert_eq!((&scale["spec"]["replicas"], &scale["metadata"]["name"]), (&json!(1), &json!("api")));
    assert!(scale["status"]["selector"].as_str().is_some_and(|selector| selector.contains('=')), "{scale}");
    let before = api.read(DEPLOYMENT);
    scale["spec"]["replicas"] = 3.into();
    assert_eq!(api.put(&target, &scale).expect(200)["spec"]["replicas"], 3);
    let after = api.read(DEPLOYMENT);
    assert_eq!(after["spec"]["replicas"], 3);
    assert_eq!(after["metadata"]["generation"].as_u64(), before["metadata"]["generation"].as_u64().map(|g| g + 1));
    assert_eq!(after["spec"]["template"], before["spec"]["template"]);
    // kubectl scale.
    assert_eq!(api.patch(&target, "merge", &json!({"spec": {"replicas": 2}})).expect(200)["spec"]["replicas"], 2);
    assert_eq!(api.read(DEPLOYMENT)["spec"]["replicas"], 2);
    // A scale of an old state conflicts.
    assert_eq!(api.put(&target, &scale).expect(409)["reason"], "Conflict");
    let mut watch = api.watch(&format!("/apis/apps/v1/deployments?watch=1&resourceVersion={}", api.cluster.revision()));
    api.patch(&target, "merge", &json!({"spec": {"replicas": 4}})).expect(200);
    assert_eq!(watch.events(&api)[0].1["spec"]["replicas"], 4);
}

#[test]
fn a_pod_is_evicted() {
    // kubectl drain.
    let mut api = Api::new();
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web-1", "namespace": "demo"}});
    let status = api.create("/api/v1/namespaces/demo/pods/web-1/eviction", &eviction);
    assert_eq!((&status["kind"], &status["status"]), (&json!("Status"), &json!("Success")));
    assert_eq!(api.get("/api/v1/namespaces/demo/pods/web-1").status, 404);
    let missing = api.post("/api/v1/namespaces/demo/pods/no/eviction", &json!({"metadata": {"name": "no"}}));
    missing.refuses(404, "NotFound", "pods \"no\" not found");
}

#[test]
fn a_pod_has_a_log() {
    let mut api = Api::new();
    let answer = api.get("/api/v1/namespaces/demo/pods/web-1/log?tailLines=10");
    assert_eq!(answer.status, 200);
    assert!(answer.header("Content-Type").unwrap().starts_with("text/plain"));
    assert_eq!(api.get("/api/v1/namespaces/demo/pods/no/log").status, 404);
}

#[test]
fn streams_into_a_pod_are_refused_without_harm() {
    let mut api = Api::new();
    for below in ["exec?command=sh", "attach", "portforward?ports=80"] {
        let target = format!("/api/v1/namespaces/demo/pods/web-1/{below}");
        let answer = api.send(Method::Get, &target, &[], b"");
        assert!(matches!(answer.status, 400..600), "{target}: {}", answer.status);
        assert_eq!(answer.json()["kind"], "Status", "{target}");
    }
    api.read("/api/v1/namespaces/demo/pods/web-1");
}

#[test]
fn a_pod_is_bound_to_a_node() {
    let mut api = Api::new();
    api.create(
        "/api/v1/namespaces/demo/pods",
        &json!({"metadata": {"name": "p"}, "spec": {"schedulerName": "mine", "containers": [{"name": "c", "image": "i"}]}}),
    );
    let binding = json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "edge-worker-1"}});
    let status = api.create("/api/v1/namespaces/demo/pods/p/binding", &binding);
    assert_eq!(status["status"], "Success");
    assert_eq!(api.read("/api/v1/namespaces/demo/pods/p")["spec"]["nodeName"], "edge-worker-1");
}

#[test]
fn unknown_subresources_are_not_found() {
    let mut api = Api::new();
    assert_eq!(api.get("/api/v1/namespaces/demo/configmaps/greeting/status").status, 404);
    assert_eq!(api.get("/api/v1/nodes/edge-worker-1/scale").status, 404);
    let missing = api.get("/apis/apps/v1/namespaces/demo/deployments/no/scale");
    missing.refuses(404, "NotFound", "deployments/scale.apps \"no\" not found");
}

#[test]
fn a_service_gets_an_address_of_its_own() {
    let mut api = Api::new();
    let service =
        |name: &str| json!({"metadata": {"name": name}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}});
    let mut addresses: Vec<String> = api.read("/api/v1/services")["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["spec"]["clusterIP"].as_str().unwrap().to_owned())
        .collect();
    for name in ["a", "b"] {
        let made = api.create("/api/v1/namespaces/demo/services", &service(name));
        let address = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
        assert!(address.parse::<std::net::Ipv4Addr>().is_ok(), "{address}");
        assert_eq!(made["spec"]["clusterIPs"], json!([address]));
        assert_eq!(made["spec"]["type"], "ClusterIP");
        assert_eq!(
            (&made["spec"]["ports"][0]["protocol"], &made["spec"]["ports"][0]["targetPort"]),
            (&json!("TCP"), &json!(80))
        );
        assert!(!addresses.contains(&address), "{address} is taken");
        addresses.push(address);
    }
    // It stays: an update without it keeps it.
    let updated = api.put("/api/v1/namespaces/demo/services/a", &service("a")).expect(200);
    assert!(addresses.contains(&updated["spec"]["clusterIP"].as_str().unwrap().to_owned()));
    let mut headless = service("headless");
    headless["spec"]["clusterIP"] = "None".into();
    assert_eq!(api.create("/api/v1/namespaces/demo/services", &headless)["spec"]["clusterIP"], "None");
}

#[test]
fn the_service_of_the_api_server_is_there() {
    let mut api = Api::new();
    assert_eq!(api.read("/api/v1/namespaces/default/services/kubernetes")["spec"]["ports"][0]["port"], 443);
    assert!(api.read("/api/v1/namespaces/default/endpoints/kubernetes")["subsets"].is_array());
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes";
    assert_eq!(api.names(slices).len(), 1);
}

#[test]
fn a_deployment_gets_ready() {
    let mut api = Api::new();
    api.create("/apis/apps/v1/namespaces/demo/deployments", &workload("d", 2));
    api.live(5);
    let made = api.read("/apis/apps/v1/namespaces/demo/deployments/d");
    let status = &made["status"];
    assert_eq!(
        (&status["replicas"], &status["readyReplicas"], &status["availableReplicas"]),
        (&json!(2), &json!(2), &json!(2))
    );
    assert_eq!(status["observedGeneration"], made["metadata"]["generation"]);
    assert!(status["conditions"].as_array().unwrap().iter().any(|c| c["type"] == "Available" && c["status"] == "True"));
    // What kubectl applied comes back as it was: Rancher compares the image.
    assert_eq!(made["spec"]["template"]["spec"]["containers"][0]["image"], "registry/i:1");
    let scaled = api.patch("/apis/apps/v1/namespaces/demo/deployments/d", "merge", &json!({"spec": {"replicas": 0}}));
    assert_eq!(scaled.status, 200);
    let made = api.read("/apis/apps/v1/namespaces/demo/deployments/d");
    assert_eq!(made["status"]["observedGeneration"], made["metadata"]["generation"]);
    assert_eq!(made["status"]["readyReplicas"].as_u64().unwrap_or(0), 0);
}

#[test]
fn reading_the_events_of_a_rollout_does_not_deceive() {
    // Each state a controller passes through is an event of its own or none, never one that repeats a version.
    let mut api = Api::new();
    let now = api.cluster.revision();
    let mut watch = api.watch(&format!("/apis/apps/v1/deployments?watch=1&resourceVersion={now}"));
    api.create("/apis/apps/v1/namespaces/demo/deployments", &workload("d", 1));
    let events = watch.events(&api);
    assert_eq!(outline(&events)[0], ("ADDED", "d"));
    assert_eq!(events.last().unwrap().1, api.read("/apis/apps/v1/namespaces/demo/deployments/d"));
}
