//! `APIGroupDiscoveryList` of `apidiscovery.k8s.io`: everything in one answer (KEP-3352).

use super::Group;
use super::legacy::verbs;
use crate::kube::Resource;
use serde_json::{Value, json};

pub(super) fn document<'a, 'b: 'a>(version: &str, groups: impl Iterator<Item = &'a Group<'b>>) -> Value {
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": groups.map(group).collect::<Vec<_>>()
    })
}

fn group(group: &Group<'_>) -> Value {
    let versions = group.versions.iter().map(|version| {
        let resources = version.resources.iter().map(|resource| entry(resource));
        json!({"version": version.version, "resources": resources.collect::<Vec<_>>(), "freshness": "Current"})
    });
    let mut metadata = json!({"creationTimestamp": null});
    if !group.is_core() {
        metadata["name"] = json!(group.name);
    }
    json!({"metadata": metadata, "versions": versions.collect::<Vec<_>>()})
}

fn entry(resource: &Resource) -> Value {
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": verbs(resource.verbs)
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    let below = resource.subresources.iter().map(|below| {
        // An empty group and version mean those of the list.
        let own = (&below.group, &below.version) == (&resource.group, &resource.version);
        let (group, version) = if own { ("", "") } else { (below.group.as_ref(), below.version.as_ref()) };
        json!({
            "subresource": below.name,
            "responseKind": {"group": group, "version": version, "kind": below.kind},
            "verbs": verbs(below.verbs)
        })
    });
    let below: Vec<Value> = below.collect();
    if !below.is_empty() {
        entry["subresources"] = json!(below);
    }
    entry
}
