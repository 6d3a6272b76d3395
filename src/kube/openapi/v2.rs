//! The OpenAPI v2 document as JSON: the patch operations and the schemas of every kind.

use super::schema::{Dialect, Schemas};
use super::{PATCH_PARAMETERS, custom, kind, object_path};
use crate::kube::custom::CustomVersion;
use crate::kube::discovery::Group;
use crate::kube::{Resource, Verb};
use serde_json::{Map, Value, json};

pub(super) fn json(groups: &[Group<'_>], custom: &[&CustomVersion]) -> Vec<u8> {
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
    let definitions = definitions(groups, custom);
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "unversioned"}, "paths": paths, "definitions": definitions})
        .to_string()
        .into_bytes()
}

/// The schemas of all kinds.
pub(super) fn definitions(groups: &[Group<'_>], custom: &[&CustomVersion]) -> Map<String, Value> {
    let mut schemas = Schemas::new(Dialect::V2);
    let versions = groups.iter().flat_map(|group| &group.versions);
    versions.flat_map(|version| &version.resources).for_each(|resource| schemas.add_kind(resource));
    custom.iter().for_each(|version| custom::add(&mut schemas, version, Dialect::V2));
    schemas.by_name
}

/// Every resource that a patch operation exists for.
pub(super) fn patchable<'a>(groups: &'a [Group<'_>]) -> impl Iterator<Item = &'a Resource> {
    let versions = groups.iter().flat_map(|group| &group.versions);
    versions.flat_map(|version| version.resources.iter().copied()).filter(|resource| resource.allows(Verb::Patch))
}
