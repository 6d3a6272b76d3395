//! What the API says of itself: `/version`, `/api`, `/apis` and below.
//!
//! The answers for built-in kinds alone are made once for the whole process; custom kinds are merged in per answer.

mod aggregated;
mod groups;
pub(in crate::kube) mod health;
mod legacy;
mod version;

pub use groups::{Group, GroupVersion, groups};
pub use version::version;

use super::catalog::api_version;
use super::{Body, Resource, Response, Status, page_not_found};
use crate::http1::Headers;
use crate::kube::request::negotiate::{self, DiscoveryForm};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// `/api`: the core group's versions, or its aggregated discovery if `accept` asks for it.
pub fn api_versions(accept: Option<&str>) -> Result<Response, Status> {
    static LEGACY: LazyLock<Arc<[u8]>> = LazyLock::new(|| bytes(&legacy::api_versions()));
    static AGGREGATED: LazyLock<[Arc<[u8]>; 2]> = LazyLock::new(|| {
        VERSIONS
            .map(|version| bytes(&aggregated::document(version, groups(&[]).iter().filter(|group| group.is_core()))))
    });
    Ok(match negotiate::discovery(accept)? {
        DiscoveryForm::Legacy => json(Body::Shared(LEGACY.clone())),
        DiscoveryForm::Aggregated(version) => {
            aggregated_response(version, Body::Shared(AGGREGATED[index(version)].clone()))
        }
    })
}

/// `/apis`: every group, or the aggregated discovery of all of them if `accept` asks for it.
pub fn api_groups(accept: Option<&str>, custom: &[&Resource]) -> Result<Response, Status> {
    static LEGACY: LazyLock<Arc<[u8]>> = LazyLock::new(|| bytes(&legacy::api_groups(&groups(&[]))));
    static AGGREGATED: LazyLock<[Arc<[u8]>; 2]> =
        LazyLock::new(|| VERSIONS.map(|version| bytes(&aggregated::document(version, named(&groups(&[]))))));
    Ok(match negotiate::discovery(accept)? {
        DiscoveryForm::Legacy if custom.is_empty() => json(Body::Shared(LEGACY.clone())),
        DiscoveryForm::Legacy => json(Body::Shared(bytes(&legacy::api_groups(&groups(custom))))),
        DiscoveryForm::Aggregated(version) => {
            let body = if custom.is_empty() {
                AGGREGATED[index(version)].clone()
            } else {
                bytes(&aggregated::document(version, named(&groups(custom))))
            };
            aggregated_response(version, Body::Shared(body))
        }
    })
}

/// `/apis/<group>`; 404 for a group that does not exist.
pub fn api_group(group: &str, custom: &[&Resource]) -> Response {
    let groups = groups(custom);
    let found = groups.iter().find(|found| found.name == group && !found.is_core());
    found.map_or_else(page_not_found, |group| json(Body::Shared(bytes(&legacy::api_group(group)))))
}

/// `/api/v1` or `/apis/<group>/<version>`; 404 for one that does not exist.
pub fn api_resources(group: &str, version: &str, custom: &[&Resource]) -> Response {
    static BUILTIN: LazyLock<HashMap<String, Arc<[u8]>>> = LazyLock::new(|| {
        let groups = groups(&[]);
        let versions = groups.iter().flat_map(|group| group.versions.iter().map(move |version| (group, version)));
        versions
            .map(|(group, version)| (group.api_version(version), bytes(&legacy::api_resources(group, version))))
            .collect()
    });
    let custom: Vec<&Resource> = custom.iter().copied().filter(|r| r.group == group && r.version == version).collect();
    if custom.is_empty() {
        let builtin = BUILTIN.get(&api_version(group, version));
        return builtin.map_or_else(page_not_found, |body| json(Body::Shared(body.clone())));
    }
    let groups = groups(&custom);
    let found = groups.iter().find(|found| found.name == group);
    let found = found.and_then(|group| Some((group, group.versions.iter().find(|found| found.version == version)?)));
    found.map_or_else(page_not_found, |(group, version)| {
        json(Body::Shared(bytes(&legacy::api_resources(group, version))))
    })
}

/// `/`: every path that is served, in order.
pub fn paths(custom: &[&Resource]) -> Response {
    let mut paths: Vec<String> = ["/api", "/apis", "/apis/", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/version"]
        .map(str::to_owned)
        .to_vec();
    for group in groups(custom) {
        let versions = group.versions.iter().map(|version| group.api_version(version));
        if group.is_core() {
            paths.extend(versions.map(|version| format!("/api/{version}")));
        } else {
            paths.extend(versions.map(|version| format!("/apis/{version}")));
            paths.push(format!("/apis/{}", group.name));
        }
    }
    paths.extend(health::paths());
    paths.sort();
    json(Body::Shared(bytes(&serde_json::json!({"paths": paths}))))
}

fn named<'a, 'b>(groups: &'b [Group<'a>]) -> impl Iterator<Item = &'b Group<'a>> {
    groups.iter().filter(|group| !group.is_core())
}

fn index(version: &str) -> usize {
    usize::from(version != VERSIONS[0])
}

fn bytes(document: &Value) -> Arc<[u8]> {
    let mut bytes = document.to_string().into_bytes();
    bytes.push(b'\n');
    bytes.into()
}

fn json(body: Body) -> Response {
    response("application/json", body)
}

fn aggregated_response(version: &str, body: Body) -> Response {
    let media_type = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    let mut response = response(&media_type, body);
    response.headers.push("Cache-Control", "public");
    response
}

fn response(content_type: &str, body: Body) -> Response {
    let mut headers = Headers::default();
    headers.push("Content-Type", content_type);
    headers.push("Vary", "Accept");
    Response { status: 200, headers, body }
}

/// The versions of `apidiscovery.k8s.io`: clients from 1.30 on ask for the first.
const VERSIONS: [&str; 2] = ["v2", "v2beta1"];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::kube::Verbs;
    use crate::kube::catalog::NameRule;
    use serde_json::json;

    pub(crate) fn custom(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        kind: &'static str,
    ) -> Resource {
        Resource {
            group: group.into(),
            version: version.into(),
            plural: plural.into(),
            singular: kind.to_lowercase().into(),
            kind: kind.into(),
            list_kind: format!("{kind}List").into(),
            namespaced: true,
            short_names: vec!["x".into()],
            categories: Vec::new(),
            verbs: Verbs::ALL,
            subresources: Vec::new(),
            name_rule: NameRule::Subdomain,
            selectable_fields: Vec::new(),
            stored_as: None,
            returns_deleted: false,
            custom: true,
        }
    }

    fn body(response: &Response) -> Value {
        match &response.body {
            Body::Shared(bytes) => serde_json::from_slice(bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn resource(list: &Value, name: &str) -> Value {
        list["resources"].as_array().unwrap().iter().find(|resource| resource["name"] == name).unwrap().clone()
    }

    const V2: Option<&str> = Some("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");

    #[test]
    fn the_core_group_lists_its_kinds() {
        // api/discovery/api__v1.json of Kubernetes 1.31.
        let list = body(&api_resources("", "v1", &[]));
        assert_eq!((&list["kind"], &list["groupVersion"]), (&json!("APIResourceList"), &json!("v1")));
        assert_eq!(list["resources"].as_array().unwrap().len(), 38);
        assert_eq!(
            resource(&list, "configmaps"),
            json!({
                "kind": "ConfigMap", "name": "configmaps", "namespaced": true, "shortNames": ["cm"], "singularName": "configmap",
                "storageVersionHash": "qFsyl6wFWjQ=",
                "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
            })
        );
        assert_eq!(
            resource(&list, "pods/eviction"),
            json!({
                "group": "policy", "kind": "Eviction", "name": "pods/eviction", "namespaced": true, "singularName": "", "verbs": ["create"],
                "version": "v1"
            })
        );
        assert_eq!(
            resource(&list, "namespaces/finalize"),
            json!({"kind": "Namespace", "name": "namespaces/finalize", "namespaced": false, "singularName": "", "verbs": ["update"]})
        );
    }

    #[test]
    fn storage_hashes_name_the_stored_version() {
        // api/discovery of Kubernetes 1.31.
        for (group, version, name, hash) in [
            ("autoscaling", "v1", "horizontalpodautoscalers", "qwQve8ut294="),
            ("autoscaling", "v2", "horizontalpodautoscalers", "qwQve8ut294="),
            ("events.k8s.io", "v1", "events", "r2yiGXH7wu8="),
            ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "jfWCUB31mvA="),
            ("flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas", "GJVAJZSZBIw="),
            ("apps", "v1", "deployments", "8aSe+NMegvE="),
        ] {
            let list = body(&api_resources(group, version, &[]));
            assert_eq!(resource(&list, name)["storageVersionHash"], hash, "{group}/{version} {name}");
        }
        assert_eq!(resource(&body(&api_resources("", "v1", &[])), "bindings").get("storageVersionHash"), None);
    }

    #[test]
    fn groups_come_in_order_of_priority() {
        let list = body(&api_groups(None, &[]).unwrap());
        let groups = list["groups"].as_array().unwrap();
        let names: Vec<_> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
        assert_eq!(names[..4], ["apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io"]);
        let autoscaling = groups.iter().find(|group| group["name"] == "autoscaling").unwrap();
        assert_eq!(
            autoscaling,
            &json!({
                "name": "autoscaling",
                "versions": [{"groupVersion": "autoscaling/v2", "version": "v2"}, {"groupVersion": "autoscaling/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": "autoscaling/v2", "version": "v2"}
            })
        );
    }

    #[test]
    fn aggregated_discovery_nests_subresources() {
        let response = api_groups(V2, &[]).unwrap();
        assert_eq!(
            response.headers.get("content-type"),
            Some("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
        );
        let list = body(&response);
        assert_eq!(
            (&list["kind"], &list["apiVersion"]),
            (&json!("APIGroupDiscoveryList"), &json!("apidiscovery.k8s.io/v2"))
        );
        // api/discovery/aggregated_v2.json of Kubernetes 1.31.
        assert_eq!(list["items"][0]["metadata"], json!({"creationTimestamp": null, "name": "apiregistration.k8s.io"}));
        assert_eq!(
            list["items"][0]["versions"][0],
            json!({
                "freshness": "Current", "version": "v1",
                "resources": [{
                    "categories": ["api-extensions"], "resource": "apiservices", "scope": "Cluster", "singularResource": "apiservice",
                    "responseKind": {"group": "", "kind": "APIService", "version": ""},
                    "subresources": [{
                        "responseKind": {"group": "", "kind": "APIService", "version": ""}, "subresource": "status",
                        "verbs": ["get", "patch", "update"]
                    }],
                    "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
                }]
            })
        );
        let scale = &list["items"][1]["versions"][0]["resources"][2]["subresources"][0];
        assert_eq!(scale["responseKind"], json!({"group": "autoscaling", "kind": "Scale", "version": "v1"}));
    }

    #[test]
    fn the_core_group_is_aggregated_under_api() {
        let list = body(&api_versions(V2).unwrap());
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        assert_eq!(list["items"][0]["metadata"], json!({"creationTimestamp": null}));
        assert_eq!(list["items"][0]["versions"][0]["resources"].as_array().unwrap().len(), 17);
        assert_eq!(body(&api_versions(None).unwrap())["versions"], json!(["v1"]));
    }

    #[test]
    fn custom_kinds_join_the_built_in_ones() {
        let plans = custom("upgrade.cattle.io", "v1", "plans", "Plan");
        let beta = custom("upgrade.cattle.io", "v1beta1", "plans", "Plan");
        let custom = [&beta, &plans];
        let list = body(&api_groups(None, &custom).unwrap());
        let last = list["groups"].as_array().unwrap().last().unwrap();
        assert_eq!(last["name"], "upgrade.cattle.io");
        assert_eq!(last["preferredVersion"]["version"], "v1");
        assert_eq!(body(&api_group("upgrade.cattle.io", &custom)), {
            let mut group = last.clone();
            group["kind"] = json!("APIGroup");
            group["apiVersion"] = json!("v1");
            group
        });
        let resources = body(&api_resources("upgrade.cattle.io", "v1", &custom));
        assert_eq!(resources["resources"].as_array().unwrap().len(), 1);
        assert_eq!(resources["resources"][0]["kind"], "Plan");
        let aggregated = body(&api_groups(V2, &custom).unwrap());
        assert_eq!(aggregated["items"].as_array().unwrap().last().unwrap()["metadata"]["name"], "upgrade.cattle.io");
    }

    #[test]
    fn unknown_groups_do_not_exist() {
        // Rancher takes a 404 here for "no k3s".
        let response = api_resources("k3s.cattle.io", "v1", &[]);
        assert_eq!((response.status, response.headers.get("content-type")), (404, Some("text/plain; charset=utf-8")));
        assert_eq!(api_group("k3s.cattle.io", &[]).status, 404);
        assert_eq!(api_group("", &[]).status, 404);
        assert_eq!(api_resources("apps", "v1beta1", &[]).status, 404);
    }
}
