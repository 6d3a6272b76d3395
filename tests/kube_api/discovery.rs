//! What clients ask before they ask for anything: version, health, discovery, OpenAPI.

use crate::support::{Api, VERSION};
use scale_cluster_agent::http1::Method;
use serde_json::json;

#[test]
fn the_version_is_plain() {
    let version = Api::new().read("/version");
    assert_eq!(version["gitVersion"], VERSION);
    assert_eq!((&version["major"], &version["minor"]), (&json!("1"), &json!("31")));
    // `+k3s` and the like set off controllers of Rancher that ask for kinds this cluster does not have.
    assert!(!version["gitVersion"].as_str().unwrap().contains('+'));
}

#[test]
fn health_is_plain_text() {
    let mut api = Api::new();
    for target in ["/readyz", "/livez", "/healthz", "/readyz/ping", "/livez/ping", "/readyz?timeout=10s"] {
        let answer = api.get(target);
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{target}");
        assert!(answer.header("Content-Type").unwrap().starts_with("text/plain"), "{target}");
    }
    let verbose = api.get("/readyz?verbose").text();
    assert!(verbose.starts_with("[+]ping ok\n") && verbose.ends_with("readyz check passed\n"), "{verbose}");
    assert_eq!(api.get("/readyz/nonsense").status, 404);
}

#[test]
fn every_kind_of_the_contract_is_discovered() {
    let mut api = Api::new();
    assert_eq!(api.read("/api")["versions"], json!(["v1"]));
    let groups = api.read("/apis");
    let groups: Vec<&str> = groups["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    for (group, version, plurals) in CONTRACT {
        let target = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let resources = api.read(&target);
        let known: Vec<&str> =
            resources["resources"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
        for plural in plurals.split_whitespace() {
            assert!(known.contains(&plural), "{target} {plural}");
        }
        assert!(group.is_empty() || groups.contains(group), "{group}");
    }
}

#[test]
fn every_kind_that_can_be_listed_is() {
    // An informer whose list fails keeps Rancher from ever calling the cluster ready.
    let mut api = Api::new();
    for (group, version, _) in CONTRACT {
        let base = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let resources = api.read(&base)["resources"].clone();
        for resource in resources.as_array().unwrap() {
            let verbs = resource["verbs"].as_array().unwrap();
            if !verbs.contains(&json!("list")) {
                continue;
            }
            let target = format!("{base}/{}", resource["name"].as_str().unwrap());
            let list = api.read(&target);
            assert_eq!(list["kind"], format!("{}List", resource["kind"].as_str().unwrap()), "{target}");
            assert_ne!(list["metadata"]["resourceVersion"], "0", "{target}");
            if verbs.contains(&json!("watch")) {
                let version = list["metadata"]["resourceVersion"].as_str().unwrap();
                let mut watch = api.watch(&format!("{target}?watch=true&resourceVersion={version}"));
                assert_eq!(watch.events(&api), [], "{target}");
            }
        }
    }
}

#[test]
fn aggregated_discovery_is_served_to_who_asks() {
    let mut api = Api::new();
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                  application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    for target in ["/api", "/apis"] {
        let answer = api.get_as(target, accept);
        assert_eq!(answer.header("Content-Type"), Some(&accept[..accept.find(',').unwrap()]));
        assert_eq!(answer.expect(200)["kind"], "APIGroupDiscoveryList");
    }
}

#[test]
fn unknown_groups_are_not_found() {
    let mut api = Api::new();
    // Rancher probes for k3s by this; anything but 404 makes it wait for etcd snapshots.
    for target in ["/apis/k3s.cattle.io/v1", "/apis/upgrade.cattle.io/v1/plans", "/apis/nonsense", "/metrics2"] {
        assert_eq!(api.get(target).status, 404, "{target}");
    }
    // A known version without the resource.
    api.get("/api/v1/nonsense").refuses(404, "NotFound", "the server could not find the requested resource");
}

#[test]
fn openapi_is_enough_for_kubectl() {
    let mut api = Api::new();
    let index = api.read("/openapi/v3");
    for path in ["api/v1", "apis/apps/v1", "apis/rbac.authorization.k8s.io/v1"] {
        let address = index["paths"][path]["serverRelativeURL"].as_str().unwrap_or_else(|| panic!("{path}")).to_owned();
        let document = api.read(&address);
        assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{path}");
        // kubectl looks for the kind and for `fieldValidation` at the patch operation, to know whether the server validates.
        let patches = document["paths"].as_object().unwrap().values().filter_map(|path| path.get("patch"));
        for patch in patches {
            let kind = &patch["x-kubernetes-group-version-kind"];
            assert!(kind["kind"].is_string() && kind["version"].is_string(), "{patch}");
            let parameters = patch["parameters"].as_array().unwrap();
            assert!(parameters.iter().any(|parameter| parameter["name"] == "fieldValidation"), "{patch}");
        }
    }
    assert_eq!(api.read("/openapi/v2")["swagger"], "2.0");
    let protobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    let answer = api.get_as("/openapi/v2", protobuf);
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some(protobuf)));
}

#[test]
fn what_cannot_be_changed_refuses_to_be() {
    let mut api = Api::new();
    for target in ["/version", "/apis", "/openapi/v2"] {
        assert_eq!(api.send(Method::Post, target, &[], b"{}").status, 405, "{target}");
    }
}

/// The group versions and resources of rancher-protocol.md §6, and what stands below them.
const CONTRACT: &[(&str, &str, &str)] = &[
    (
        "",
        "v1",
        "namespaces namespaces/status namespaces/finalize nodes nodes/status secrets serviceaccounts serviceaccounts/token configmaps \
         services services/status services/proxy resourcequotas resourcequotas/status limitranges pods pods/status pods/log pods/exec \
         pods/attach pods/portforward pods/eviction pods/binding events endpoints persistentvolumes persistentvolumeclaims \
         replicationcontrollers componentstatuses podtemplates",
    ),
    ("rbac.authorization.k8s.io", "v1", "clusterroles clusterrolebindings roles rolebindings"),
    ("apiregistration.k8s.io", "v1", "apiservices apiservices/status"),
    (
        "apps",
        "v1",
        "deployments deployments/status deployments/scale daemonsets daemonsets/status replicasets replicasets/scale statefulsets \
         statefulsets/scale controllerrevisions",
    ),
    ("policy", "v1", "poddisruptionbudgets poddisruptionbudgets/status"),
    ("scheduling.k8s.io", "v1", "priorityclasses"),
    ("batch", "v1", "jobs jobs/status cronjobs cronjobs/status"),
    ("authentication.k8s.io", "v1", "tokenreviews selfsubjectreviews"),
    (
        "authorization.k8s.io",
        "v1",
        "subjectaccessreviews selfsubjectaccessreviews selfsubjectrulesreviews localsubjectaccessreviews",
    ),
    ("coordination.k8s.io", "v1", "leases"),
    ("networking.k8s.io", "v1", "networkpolicies ingresses ingresses/status ingressclasses"),
    ("storage.k8s.io", "v1", "storageclasses volumeattachments csidrivers csinodes csistoragecapacities"),
    ("autoscaling", "v2", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    ("discovery.k8s.io", "v1", "endpointslices"),
    ("events.k8s.io", "v1", "events"),
    ("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations validatingwebhookconfigurations"),
    ("flowcontrol.apiserver.k8s.io", "v1", "flowschemas prioritylevelconfigurations"),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions customresourcedefinitions/status"),
];
