//! Structural schemas of custom kinds: what is unknown is pruned, what is missing defaulted, what does not fit refused
//! (apiextensions-apiserver `pkg/apiserver/schema`). Schemas are trees as a CustomResourceDefinition holds them; CEL rules are not run.

mod format;
mod prune;
mod validate;

pub(in crate::kube) use prune::{prune, prune_within};
pub(in crate::kube) use validate::validate;

use serde_json::{Map, Value};

/// Fills in the defaults of a schema.
pub(in crate::kube) fn default(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, schema) in properties(schema) {
                let is_missing = match fields.get(name) {
                    None => true,
                    // A null where none may stand is as good as nothing.
                    Some(value) => value.is_null() && schema["nullable"] != true,
                };
                if let Some(value) = schema.get("default").filter(|_| is_missing) {
                    fields.insert(name.clone(), value.clone());
                }
            }
            for (name, value) in fields.iter_mut() {
                if let Some(schema) = schema_of(schema, name) {
                    default(schema, value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| default(&schema["items"], item)),
        _ => {}
    }
}

/// Takes away nulls where none may stand and no default takes their place, as a server does before it validates.
pub(in crate::kube) fn drop_nulls(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let may_be_null = |schema: &Value| schema["nullable"] == true || preserves(schema);
                !value.is_null()
                    || properties(schema).find(|(own, _)| *own == name).is_none_or(|(_, own)| may_be_null(own))
            });
            for (name, value) in fields.iter_mut() {
                if let Some(schema) = schema_of(schema, name) {
                    drop_nulls(schema, value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| drop_nulls(&schema["items"], item)),
        _ => {}
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flat_map(Map::iter)
}

/// The schema of a field.
fn schema_of<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let own = schema["properties"].get(name);
    own.or_else(|| schema.get("additionalProperties").filter(|additional| additional.is_object()))
}

fn preserves(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_fill_what_is_missing_at_every_depth() {
        let schema = json!({"properties": {
            "spec": {"properties": {
                "colour": {"default": "red"}, "maybe": {"nullable": true, "default": "x"},
                "parts": {"items": {"properties": {"n": {"default": 7}}}},
                "map": {"additionalProperties": {"properties": {"m": {"default": 1}}}}
            }},
            "whole": {"default": {"a": 1}}
        }});
        let mut object = json!({"spec": {"colour": null, "maybe": null, "parts": [{}, {"n": 1}], "map": {"k": {}}}});
        default(&schema, &mut object);
        assert_eq!(
            object,
            json!({
                "spec": {"colour": "red", "maybe": null, "parts": [{"n": 7}, {"n": 1}], "map": {"k": {"m": 1}}},
                "whole": {"a": 1}
            })
        );
        let mut object = json!({"spec": {"parts": null}, "other": null});
        drop_nulls(&schema, &mut object);
        assert_eq!(object, json!({"spec": {}, "other": null}));
    }
}
