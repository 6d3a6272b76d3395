//! The OpenAPI v3 document of a group version.

use super::{PATCH_PARAMETERS, collection_path, kind, object_path};
use crate::kube::discovery::GroupVersion;
use crate::kube::{Resource, Verb};
use serde_json::{Map, Value, json};

pub(super) fn document(version: &GroupVersion<'_>) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for resource in &version.resources {
        paths.insert(collection_path(resource), collection(resource));
        let object = object(resource);
        if object.as_object().is_some_and(|operations| operations.len() > 1) {
            paths.insert(object_path(resource), object);
        }
        schemas.insert(schema_name(resource), schema(resource));
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas}
    })
}

fn collection(resource: &Resource) -> Value {
    let operations = [
        (Verb::List, "get", "list"),
        (Verb::Create, "post", "post"),
        (Verb::DeleteCollection, "delete", "deletecollection"),
    ];
    path_item(resource, &operations, false)
}

fn object(resource: &Resource) -> Value {
    let operations = [
        (Verb::Get, "get", "get"),
        (Verb::Update, "put", "put"),
        (Verb::Patch, "patch", "patch"),
        (Verb::Delete, "delete", "delete"),
    ];
    path_item(resource, &operations, true)
}

fn path_item(resource: &Resource, operations: &[(Verb, &str, &str)], named: bool) -> Value {
    let parameter = |name, place, required, kind| {
        let mut parameter = json!({"name": name, "in": place, "schema": {"type": kind}});
        if required {
            parameter["required"] = json!(true);
        }
        parameter
    };
    let mut item = Map::new();
    for (_, method, action) in operations.iter().filter(|(verb, ..)| resource.allows(*verb)) {
        let mut operation = json!({
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind(resource),
            "responses": {"200": {"description": "OK"}}
        });
        if *method == "patch" {
            let parameters = PATCH_PARAMETERS.iter().map(|(name, kind)| parameter(*name, "query", false, *kind));
            operation["parameters"] = parameters.collect();
        }
        item.insert((*method).to_owned(), operation);
    }
    let mut parameters = Vec::new();
    if named {
        parameters.push(parameter("name", "path", true, "string"));
    }
    if resource.namespaced {
        parameters.push(parameter("namespace", "path", true, "string"));
    }
    item.insert("parameters".into(), parameters.into());
    Value::Object(item)
}

/// The name of a kind's schema: its group turned round, as Kubernetes names those of custom kinds.
fn schema_name(resource: &Resource) -> String {
    let group: Vec<&str> = resource.group.split('.').rev().filter(|part| !part.is_empty()).collect();
    let group = if group.is_empty() { "io.k8s.api.core".to_owned() } else { group.join(".") };
    format!("{group}.{}.{}", resource.version, resource.kind)
}

/// Any object of this kind.
fn schema(resource: &Resource) -> Value {
    json!({
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"}
        },
        "x-kubernetes-preserve-unknown-fields": true,
        "x-kubernetes-group-version-kind": [kind(resource)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;

    #[test]
    fn operations_follow_the_verbs() {
        let (_, namespaces) = lookup("", "v1", "namespaces").unwrap();
        let collection = collection(namespaces);
        assert_eq!(collection["get"]["x-kubernetes-action"], "list");
        assert_eq!(collection.get("delete"), None);
        let (_, reviews) = lookup("authentication.k8s.io", "v1", "tokenreviews").unwrap();
        let document = document(&GroupVersion { version: "v1", resources: vec![reviews] });
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(paths.keys().collect::<Vec<_>>(), ["/apis/authentication.k8s.io/v1/tokenreviews"]);
        assert_eq!(schema_name(reviews), "io.k8s.authentication.v1.TokenReview");
    }
}
