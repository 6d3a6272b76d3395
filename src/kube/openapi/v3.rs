//! The OpenAPI v3 document of a group version.

use super::schema::{Dialect, Schemas};
use super::{PATCH_PARAMETERS, collection_path, custom, kind, object_path};
use crate::kube::custom::CustomVersion;
use crate::kube::discovery::GroupVersion;
use crate::kube::{Resource, Verb};
use serde_json::{Map, Value, json};

pub(super) fn document(version: &GroupVersion<'_>, custom: &[&CustomVersion]) -> Value {
    let mut paths = Map::new();
    let mut schemas = Schemas::new(Dialect::V3);
    for resource in &version.resources {
        paths.insert(collection_path(resource), collection(resource));
        let object = object(resource);
        if object.as_object().is_some_and(|operations| operations.len() > 1) {
            paths.insert(object_path(resource), object);
        }
        schemas.add_kind(resource);
    }
    custom.iter().for_each(|version| custom::add(&mut schemas, version, Dialect::V3));
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas.by_name}
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
        let document = document(&GroupVersion { version: "v1", resources: vec![reviews] }, &[]);
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(paths.keys().collect::<Vec<_>>(), ["/apis/authentication.k8s.io/v1/tokenreviews"]);
        let schemas = document["components"]["schemas"].as_object().unwrap();
        assert!(schemas.contains_key("io.k8s.api.authentication.v1.TokenReviewSpec"));
        assert!(!schemas.contains_key("io.k8s.api.authentication.v1.TokenReviewList"));
    }
}
