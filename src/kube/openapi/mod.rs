//! OpenAPI documents: what `kubectl explain` tells, clients validate with and server-side apply goes by.
//!
//! Those of the built-in kinds are made once for the whole process, those of custom kinds whenever they are asked for. Patch operations
//! name their kind and their query parameters, as kubectl decides from these whether the server validates fields. They name no body schema,
//! so that kubectl makes strategic merge patches from its own types.

mod custom;
mod schema;
mod v2;
mod v2_protobuf;
mod v3;

use super::custom::CustomVersion;
use super::discovery::{Group, groups};
use super::{Body, Resource, Response, Status};
use crate::http1::Headers;
use crate::kube::request::negotiate::{self, OpenApiForm};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// `/openapi/v3`: where each group version's document is. The address holds the document's digest, so that clients may keep it.
pub(super) fn index(custom: &[Arc<CustomVersion>]) -> Response {
    let resources: Vec<&Resource> = custom.iter().map(|version| &version.resource).collect();
    let groups = groups(&resources);
    let mut paths = Map::new();
    for (group, version) in group_versions(&groups) {
        let path = path(group, version);
        let own = of(custom, group, version);
        let digest = match (own.is_empty(), BUILTIN.get(&path)) {
            (true, Some(document)) => document.digest.clone(),
            _ => digest(&own.iter().flat_map(|version| version.digest).collect::<Vec<u8>>()),
        };
        let address = format!("/openapi/v3/{path}?hash={digest}");
        paths.insert(path, json!({"serverRelativeURL": address}));
    }
    // An API server lets its HTTP library guess.
    respond("text/plain; charset=utf-8", json!({"paths": paths}).to_string().into_bytes().into())
}

/// `/openapi/v3/api/v1` or `/openapi/v3/apis/<group>/<version>`; 404 for one that does not exist.
pub(super) fn group_version(group: &str, version: &str, custom: &[Arc<CustomVersion>]) -> Response {
    let own = of(custom, group, version);
    let document = if own.is_empty() {
        BUILTIN.get(&path(group, version)).map(|document| document.bytes.clone())
    } else {
        let resources: Vec<&Resource> = own.iter().map(|version| &version.resource).collect();
        make(group, version, &groups(&resources), &own)
    };
    let nothing = || Response { status: 404, headers: Headers::default(), body: Body::Bytes(Vec::new()) };
    document.map_or_else(nothing, |document| respond("application/json", document))
}

/// `/openapi/v2`, as JSON or protobuf.
pub(super) fn v2(accept: Option<&str>, custom: &[Arc<CustomVersion>]) -> Result<Response, Status> {
    static JSON: LazyLock<Arc<[u8]>> = LazyLock::new(|| v2::json(&groups(&[]), &[]).into());
    static PROTOBUF: LazyLock<Arc<[u8]>> = LazyLock::new(|| v2_protobuf::encode(&groups(&[]), &[]).into());
    let form = negotiate::openapi_v2(accept)?;
    let resources: Vec<&Resource> = custom.iter().map(|version| &version.resource).collect();
    let versions: Vec<&CustomVersion> = custom.iter().map(Arc::as_ref).collect();
    Ok(match form {
        OpenApiForm::Json if custom.is_empty() => respond("application/json", JSON.clone()),
        OpenApiForm::Json => respond("application/json", v2::json(&groups(&resources), &versions).into()),
        OpenApiForm::Protobuf if custom.is_empty() => respond(negotiate::OPENAPI_V2_PROTOBUF, PROTOBUF.clone()),
        // Rancher asks each of its clusters for it, and all of them have custom kinds.
        OpenApiForm::Protobuf => {
            let mut own = groups(&resources);
            for version in own.iter_mut().flat_map(|group| &mut group.versions) {
                version.resources.retain(|resource| resource.custom);
            }
            let custom = v2_protobuf::encode(&own, &versions);
            respond(negotiate::OPENAPI_V2_PROTOBUF, [&**PROTOBUF, &custom].concat().into())
        }
    })
}

/// The custom versions of a group version.
fn of<'a>(custom: &'a [Arc<CustomVersion>], group: &str, version: &str) -> Vec<&'a CustomVersion> {
    let is_it = |of: &&CustomVersion| of.resource.group == group && of.resource.version == version;
    custom.iter().map(Arc::as_ref).filter(is_it).collect()
}

/// A document of built-in kinds.
struct Document {
    bytes: Arc<[u8]>,
    digest: String,
}

static BUILTIN: LazyLock<HashMap<String, Document>> = LazyLock::new(|| {
    let groups = groups(&[]);
    let make = |(group, version)| {
        let bytes = make(group, version, &groups, &[])?;
        Some((path(group, version), Document { digest: digest(&bytes), bytes }))
    };
    group_versions(&groups).filter_map(make).collect()
});

/// The OpenAPI v3 document of one group version.
fn make(group: &str, version: &str, groups: &[Group<'_>], custom: &[&CustomVersion]) -> Option<Arc<[u8]>> {
    let group = groups.iter().find(|found| found.name == group)?;
    let version = group.versions.iter().find(|found| found.version == version)?;
    Some(v3::document(version, custom).to_string().into_bytes().into())
}

fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref()[..DIGEST_BYTES].iter().map(|byte| format!("{byte:02X}")).collect()
}

fn group_versions<'a>(groups: &'a [Group<'_>]) -> impl Iterator<Item = (&'a str, &'a str)> {
    groups.iter().flat_map(|group| group.versions.iter().map(|version| (group.name, version.version)))
}

/// Where a group version's resources are, without the leading slash.
fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// The path template of one object of `resource`.
fn object_path(resource: &Resource) -> String {
    format!("{}/{{name}}", collection_path(resource))
}

/// The path template of `resource`'s objects, in a namespace if they live in one.
fn collection_path(resource: &Resource) -> String {
    let namespace = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
    format!("/{}{namespace}/{}", path(&resource.group, &resource.version), resource.plural)
}

/// `x-kubernetes-group-version-kind` of an operation.
fn kind(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

fn respond(content_type: &str, body: Arc<[u8]>) -> Response {
    let mut headers = Headers::default();
    headers.push("Content-Type", content_type);
    headers.push("Vary", "Accept");
    Response { status: 200, headers, body: Body::Shared(body) }
}

/// Query parameters of a patch, with their types.
const PATCH_PARAMETERS: &[(&str, &str)] = &[
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
    ("force", "boolean"),
    ("pretty", "string"),
];
/// Enough of a digest to tell two documents apart.
const DIGEST_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::custom::tests::plans;

    fn body(response: &Response) -> &[u8] {
        match &response.body {
            Body::Shared(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    fn json(response: &Response) -> Value {
        serde_json::from_slice(body(response)).unwrap()
    }

    #[test]
    fn the_index_leads_to_every_document() {
        let index = json(&index(&[]));
        let paths = index["paths"].as_object().unwrap();
        assert!(paths.contains_key("api/v1") && paths.contains_key("apis/rbac.authorization.k8s.io/v1"));
        for (path, entry) in paths {
            let address = entry["serverRelativeURL"].as_str().unwrap();
            assert!(address.starts_with(&format!("/openapi/v3/{path}?hash=")), "{address}");
            let (group, version) = path.rsplit_once('/').unwrap();
            let group = group.trim_start_matches("apis").trim_start_matches("api").trim_start_matches('/');
            assert_eq!(group_version(group, version, &[]).status, 200, "{path}");
        }
        assert_eq!(group_version("apps", "v1beta1", &[]).status, 404);
    }

    #[test]
    fn every_patchable_kind_validates_fields() {
        // What cli-runtime's query_param_verifier_v3.go looks for.
        let document = json(&group_version("apps", "v1", &[]));
        let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(
            patch["x-kubernetes-group-version-kind"],
            json!({"group": "apps", "version": "v1", "kind": "Deployment"})
        );
        let parameters = patch["parameters"].as_array().unwrap();
        assert!(
            parameters.iter().any(|parameter| parameter["name"] == "fieldValidation" && parameter["in"] == "query")
        );
        assert_eq!(patch.get("requestBody"), None);
    }

    #[test]
    fn custom_kinds_have_documents() {
        let plans = [plans(json!({"properties": {"spec": {"type": "string"}}}))];
        let list = json(&index(&plans));
        assert!(list["paths"]["apis/upgrade.cattle.io/v1"]["serverRelativeURL"].is_string());
        let document = json(&group_version("upgrade.cattle.io", "v1", &plans));
        assert!(
            document["paths"]["/apis/upgrade.cattle.io/v1/namespaces/{namespace}/plans/{name}"]["patch"].is_object()
        );
        assert!(
            json(&v2(None, &plans).unwrap())["paths"]["/apis/upgrade.cattle.io/v1/namespaces/{namespace}/plans/{name}"]
                .is_object()
        );
    }

    #[test]
    fn v2_comes_in_the_form_asked_for() {
        let document = v2(Some("application/json"), &[]).unwrap();
        assert_eq!(json(&document)["swagger"], "2.0");
        let protobuf = v2(Some(negotiate::OPENAPI_V2_PROTOBUF), &[]).unwrap();
        assert_eq!(protobuf.headers.get("content-type"), Some(negotiate::OPENAPI_V2_PROTOBUF));
        let other = [plans(json!({"description": "other"}))];
        let address = |list: &Value| list["paths"]["apis/upgrade.cattle.io/v1"].clone();
        let plans = [plans(Value::Null)];
        assert_ne!(address(&json(&index(&plans))), address(&json(&index(&other))));
        let both = v2(Some(negotiate::OPENAPI_V2_PROTOBUF), &plans).unwrap();
        assert!(body(&both).starts_with(body(&protobuf)) && body(&both).len() > body(&protobuf).len());
        // Field 1 (swagger), a string of three bytes.
        assert_eq!(&body(&protobuf)[..5], b"\x0a\x032.0");
    }
}
