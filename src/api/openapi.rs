//! The REST API as an OpenAPI 3.1 document, made from the table of routes and the types of the answers.

use super::call::Page;
use super::field::Field;
use super::problem::Problem;
use super::route::{Content, Route};
use super::routes::ROUTES;
use crate::config::Role;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The document as a page: made once, since anybody may ask for it as often as he likes.
pub(super) fn page() -> Page {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));
    Page::new(200, "application/json", TEXT.as_str())
}

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut types = settings.for_serialize().into_generator();
    let problem = types.subschema_for::<Problem>().to_value();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_default();
        path.insert(route.method.to_lowercase(), operation(route, &problem, &mut types));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Scale Cluster Agent",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Makes a Rancher server believe it manages thousands of real Kubernetes clusters.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "basic": { "type": "http", "scheme": "basic", "description": "The key as password, of any user." },
            },
            "schemas": types.take_definitions(true),
        },
    })
}

fn operation(route: &Route, problem: &Value, types: &mut SchemaGenerator) -> Value {
    let path_parameters = route.braces().map(
        |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }),
    );
    let query_parameters = route.query.iter().map(|field| {
        let (name, help, required) = (field.name, field.help, field.required);
        json!({ "name": name, "in": "query", "description": help, "required": required, "schema": field.shape.schema() })
    });
    let parameters: Vec<Value> = path_parameters.chain(query_parameters).collect();
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "x-role": route.role.map(Role::as_str),
        "security": if route.role.is_some() { json!([{ "bearer": [] }, { "key": [] }, { "basic": [] }]) } else { json!([]) },
        "parameters": parameters,
        "responses": responses(route, problem, types),
    });
    if let Some(fields) = route.body {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": object(fields) } } });
    }
    operation
}

fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '-', '.', '{', '}']).filter(|word| !word.is_empty());
    words.fold(route.method.to_lowercase(), |mut id, word| {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_uppercase());
        id.push_str(rest);
        id
    })
}

fn object(fields: &[Field]) -> Value {
    let property = |field: &Field| {
        let mut schema = field.shape.schema();
        schema["description"] = field.help.into();
        (field.name.to_owned(), schema)
    };
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let properties: Map<String, Value> = fields.iter().map(property).collect();
    let mut schema =
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    if required.is_empty() {
        // What asks for nothing is refused everywhere.
        schema["minProperties"] = 1.into();
    }
    schema
}

/// Answers by status; where a status has several reasons, each is named, and any of their bodies may come.
fn responses(route: &Route, problem: &Value, types: &mut SchemaGenerator) -> Map<String, Value> {
    let mut responses: BTreeMap<u16, (Vec<&str>, Map<String, Value>)> = BTreeMap::new();
    for answered in route.answers {
        let (reasons, content) = responses.entry(answered.status).or_default();
        reasons.push(answered.help);
        match answered.content {
            Content::Nothing => {}
            Content::Json(schema) => {
                content.insert("application/json".into(), json!({ "schema": schema(types) }));
            }
            Content::Text(media_type) => {
                content.insert(media_type.into(), json!({ "schema": { "type": "string" } }));
            }
        }
    }
    for kind in route.all_problems() {
        let (reasons, content) = responses.entry(kind.status()).or_default();
        reasons.push(kind.title());
        content.insert("application/problem+json".into(), json!({ "schema": problem }));
    }
    let response = |(status, (reasons, content)): (u16, (Vec<&str>, Map<String, Value>))| {
        let mut response = json!({ "description": reasons.join(" · ") });
        if !content.is_empty() {
            response["content"] = content.into();
        }
        (status.to_string(), response)
    };
    responses.into_iter().map(response).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let described: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(described, ROUTES.len());
        for route in ROUTES {
            let operation = &paths[route.path][&route.method.to_lowercase()];
            for answered in route.answers {
                assert!(operation["responses"].get(answered.status.to_string()).is_some(), "{}", route.path);
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let references: Vec<&str> =
            text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(references.len() > 20, "{}", references.len());
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
