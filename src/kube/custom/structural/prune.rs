//! Pruning of unknown fields.

use super::{preserves, schema_of};
use serde_json::Value;

/// Removes what a schema does not know, and returns its paths. `kind`, `apiVersion` and `metadata` of a whole object are never unknown.
pub(in crate::kube) fn prune(schema: &Value, object: &mut Value) -> Vec<String> {
    prune_within(schema, object, true)
}

/// The same of a value within an object, which may be an object itself.
pub(in crate::kube) fn prune_within(schema: &Value, value: &mut Value, is_object: bool) -> Vec<String> {
    let mut unknown = Vec::new();
    within(schema, value, is_object, &mut String::new(), &mut unknown);
    unknown
}

fn within(schema: &Value, value: &mut Value, is_object: bool, path: &mut String, unknown: &mut Vec<String>) {
    let length = path.len();
    match value {
        Value::Object(fields) => {
            let keeps_all = preserves(schema);
            fields.retain(|name, value| {
                if is_object && ["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
                    return true;
                }
                path.push_str(if length > 0 { "." } else { "" });
                path.push_str(name);
                let known = match schema_of(schema, name) {
                    Some(schema) => {
                        within(schema, value, schema["x-kubernetes-embedded-resource"] == true, path, unknown);
                        true
                    }
                    None => keeps_all || schema["additionalProperties"] == true,
                };
                if !known {
                    unknown.push(path.clone());
                }
                path.truncate(length);
                known
            });
        }
        Value::Array(items) if schema.get("items").is_some() => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push_str(&format!("[{index}]"));
                within(&schema["items"], item, false, path, unknown);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_schema_does_not_know_goes() {
        let schema = json!({"properties": {"spec": {"properties": {
            "size": {"type": "integer"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"known": {"properties": {}}}},
            "list": {"items": {"properties": {"a": {}}}},
            "map": {"additionalProperties": {"type": "string"}}
        }}}});
        let mut object = json!({
            "apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "other": 1,
            "spec": {"size": 1, "x": 1, "free": {"any": {"thing": 1}, "known": {"y": 1}}, "list": [{"a": 1, "b": 2}], "map": {"k": "v"}}
        });
        assert_eq!(prune(&schema, &mut object), ["other", "spec.free.known.y", "spec.list[0].b", "spec.x"]);
        assert_eq!(
            object["spec"],
            json!({"size": 1, "free": {"any": {"thing": 1}, "known": {}}, "list": [{"a": 1}], "map": {"k": "v"}})
        );
    }
}
