//! Schemas of custom kinds, out of their definitions.

use super::schema::{Dialect, GROUP_VERSION_KIND, PRESERVE, Schemas};
use crate::kube::custom::CustomVersion;
use crate::kube::{Resource, openapi};
use serde_json::{Map, Value, json};

/// Adds a custom kind and its list.
pub(super) fn add(schemas: &mut Schemas, version: &CustomVersion, dialect: Dialect) {
    let resource = &version.resource;
    let metadata = schemas.metadata();
    let mut schema = match dialect {
        Dialect::V3 => version.schema.clone(),
        Dialect::V2 => plain(&version.schema),
    };
    if !schema.is_object() {
        schema = json!({PRESERVE: true});
    }
    schema["type"] = json!("object");
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    schema["properties"]["apiVersion"] = json!({"type": "string"});
    schema["properties"]["kind"] = json!({"type": "string"});
    schema["properties"]["metadata"] = metadata;
    schema[GROUP_VERSION_KIND] = json!([openapi::kind(resource)]);
    let name = name(resource);
    let (list, items) = (format!("{name}List"), schemas.refer(&name));
    schemas.by_name.insert(name, schema);
    schemas.add_list(list, resource, items);
}

/// A schema without what OpenAPI v2 cannot say (apiextensions `ToStructuralOpenAPIV2`): what may be null, or a number or a string, has no
/// type, and what keeps unknown fields no fields.
fn plain(schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else { return schema.clone() };
    let is = |name: &str| fields.get(name) == Some(&json!(true));
    let untyped = is("nullable") || is("x-kubernetes-int-or-string");
    let mut plain = Map::new();
    for (name, value) in fields {
        let kept = match name.as_str() {
            "type" => !untyped,
            "items" | "properties" | "additionalProperties" => !is("nullable") && !is(PRESERVE),
            "description" | "format" | "title" | "required" | "enum" | "pattern" => true,
            extension => extension.starts_with("x-"),
        };
        if !kept {
            continue;
        }
        let value = match (name.as_str(), value) {
            ("properties", Value::Object(properties)) => properties
                .iter()
                .map(|(name, schema)| (name.clone(), self::plain(schema)))
                .collect::<Map<_, _>>()
                .into(),
            ("items" | "additionalProperties", schema) => self::plain(schema),
            (_, value) => value.clone(),
        };
        plain.insert(name.clone(), value);
    }
    Value::Object(plain)
}

/// The name of a custom kind's schema: its group turned round.
fn name(resource: &Resource) -> String {
    let group: Vec<&str> = resource.group.split('.').rev().collect();
    format!("{}.{}.{}", group.join("."), resource.version, resource.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::custom::tests::plans;

    #[test]
    fn a_custom_kind_is_described_by_its_own_schema() {
        let schema = json!({"description": "A plan.", "properties": {"spec": {
            "type": "object", "properties": {
                "n": {"type": "integer", "maximum": 3, "default": 1},
                "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "maybe": {"type": "object", "nullable": true, "properties": {"a": {"type": "string"}}}
            }
        }}});
        let plans = plans(schema.clone());
        let mut v3 = Schemas::new(Dialect::V3);
        add(&mut v3, &plans, Dialect::V3);
        let plan = &v3.by_name["io.cattle.upgrade.v1.Plan"];
        assert_eq!(plan["properties"]["spec"], schema["properties"]["spec"]);
        assert_eq!(plan[GROUP_VERSION_KIND][0]["kind"], "Plan");
        assert_eq!(v3.by_name["io.cattle.upgrade.v1.PlanList"]["required"], json!(["items"]));
        let mut v2 = Schemas::new(Dialect::V2);
        add(&mut v2, &plans, Dialect::V2);
        let spec = &v2.by_name["io.cattle.upgrade.v1.Plan"]["properties"]["spec"]["properties"];
        assert_eq!(spec, &json!({"n": {"type": "integer"}, "port": {"x-kubernetes-int-or-string": true}, "maybe": {}}));
    }
}
