//! `APIVersions`, `APIGroupList`, `APIGroup` and `APIResourceList`.

use super::{Group, GroupVersion};
use crate::kube::catalog::api_version;
use crate::kube::{Resource, Verb, Verbs};
use base64::Engine;
use serde_json::{Value, json};

pub(super) fn api_versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": SERVICE_ADDRESS}]
    })
}

pub(super) fn api_groups(groups: &[Group<'_>]) -> Value {
    let named = groups.iter().filter(|group| !group.is_core());
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": named.map(group).collect::<Vec<_>>()})
}

pub(super) fn api_group(found: &Group<'_>) -> Value {
    let mut group = group(found);
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    group
}

pub(super) fn api_resources(group: &Group<'_>, version: &GroupVersion<'_>) -> Value {
    let resources = version.resources.iter().flat_map(|resource| {
        let below = resource.subresources.iter().map(|below| {
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, below.name),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": below.kind,
                "verbs": verbs(below.verbs)
            });
            if (&below.group, &below.version) != (&resource.group, &resource.version) {
                entry["group"] = json!(below.group);
                entry["version"] = json!(below.version);
            }
            entry
        });
        std::iter::once(entry(resource)).chain(below)
    });
    let mut list = json!({
        "kind": "APIResourceList",
        "groupVersion": group.api_version(version),
        "resources": resources.collect::<Vec<_>>()
    });
    if !group.is_core() {
        list["apiVersion"] = json!("v1");
    }
    list
}

fn group(group: &Group<'_>) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|version| json!({"groupVersion": group.api_version(version), "version": version.version}))
        .collect();
    json!({"name": group.name, "preferredVersion": versions.first(), "versions": versions})
}

fn entry(resource: &Resource) -> Value {
    let mut entry = json!({
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": if resource.custom { custom_verbs(resource.verbs) } else { verbs(resource.verbs) }
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    // What cannot be watched is computed, not stored.
    if resource.allows(Verb::Watch) {
        entry["storageVersionHash"] = json!(storage_version_hash(resource));
    }
    entry
}

/// In the order in which custom kinds name them.
fn custom_verbs(known: Verbs) -> Vec<&'static str> {
    let order = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
    let known = verbs(known);
    order.into_iter().filter(|verb| known.contains(verb)).collect()
}

pub(super) fn verbs(verbs: Verbs) -> Vec<&'static str> {
    verbs.iter().map(Verb::as_str).collect()
}

/// Eight bytes of the SHA-256 of `group/version/kind` (apiserver `endpoints/discovery`).
fn storage_version_hash(resource: &Resource) -> String {
    let (group, version) = match &resource.stored_as {
        Some((group, version)) => (group, version),
        None => (&resource.group, &resource.version),
    };
    let stored = if group.is_empty() { format!("/{version}") } else { api_version(group, version) };
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{stored}/{}", resource.kind).as_bytes());
    base64::engine::general_purpose::STANDARD.encode(&digest.as_ref()[..8])
}

/// The first address of the default service network, where pods find the API; clients inside no pod never use it.
const SERVICE_ADDRESS: &str = "10.43.0.1:443";
