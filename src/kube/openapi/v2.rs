//! The OpenAPI v2 document as JSON: the patch operations of every kind.

use super::{PATCH_PARAMETERS, kind, object_path};
use crate::kube::discovery::Group;
use crate::kube::{Resource, Verb};
use serde_json::{Map, Value, json};

pub(super) fn json(groups: &[Group<'_>]) -> Vec<u8> {
    let parameters: Vec<Value> = PATCH_PARAMETERS
        .iter()
        .map(|(name, kind)| json!({"name": name, "in": "query", "type": kind, "uniqueItems": true}))
        .collect();
    let mut paths = Map::new();
    for resource in patchable(groups) {
        let patch = json!({
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": kind(resource)
        });
        paths.insert(object_path(resource), json!({"patch": patch}));
    }
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "unversioned"}, "paths": paths, "definitions": {}})
        .to_string()
        .into_bytes()
}

/// Every resource that a patch operation exists for.
pub(super) fn patchable<'a>(groups: &'a [Group<'_>]) -> impl Iterator<Item = &'a Resource> {
    let versions = groups.iter().flat_map(|group| &group.versions);
    versions.flat_map(|version| version.resources.iter().copied()).filter(|resource| resource.allows(Verb::Patch))
}
