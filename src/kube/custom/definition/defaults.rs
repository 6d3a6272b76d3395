//! Whether the defaults of a schema fit it (apiextensions `defaulting.ValidateDefaults`).

use crate::kube::Cause;
use crate::kube::custom::structural;
use crate::kube::response::quote::go_syntax;
use serde_json::Value;

/// What is wrong with the defaults of a structural schema.
pub(super) fn problems(schema: &Value, at: &str, causes: &mut Vec<Cause>) {
    check(schema, at, true, false, causes);
}

fn check(schema: &Value, at: &str, is_resource: bool, is_in_metadata: bool, causes: &mut Vec<Cause>) {
    let is_in_metadata = is_in_metadata && !is_resource;
    let default = &schema["default"];
    if !default.is_null() {
        let at = format!("{at}.default");
        let mut pruned = default.clone();
        if !is_in_metadata && !structural::prune_within(schema, &mut pruned, is_resource).is_empty() {
            causes.push(Cause::invalid_go(at.clone(), &go_syntax(default), "must not have unknown fields"));
        }
        causes.extend(structural::validate(schema, default).into_iter().map(|cause| {
            let field = match cause.field.as_str() {
                "" | "<nil>" => at.clone(),
                field => format!("{at}.{field}"),
            };
            Cause { field, ..cause }
        }));
    }
    if schema["items"].is_object() {
        check_below(&schema["items"], &format!("{at}.items"), is_in_metadata, causes);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let is_in_metadata =
            is_in_metadata || (is_resource && ["metadata", "apiVersion", "kind"].contains(&name.as_str()));
        check_below(property, &format!("{at}.properties[{name}]"), is_in_metadata, causes);
    }
}

fn check_below(schema: &Value, at: &str, is_in_metadata: bool, causes: &mut Vec<Cause>) {
    check(schema, at, schema["x-kubernetes-embedded-resource"] == true, is_in_metadata, causes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(spec: Value) -> Vec<String> {
        let mut causes = Vec::new();
        problems(&json!({"type": "object", "properties": {"spec": spec}}), "s", &mut causes);
        let told = causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message));
        told.map(|problem| problem.replace("s.properties[spec]", "s")).collect()
    }

    #[test]
    fn a_default_fits_its_schema() {
        assert_eq!(told(json!({"type": "object", "properties": {"n": {"type": "integer", "default": 1}}})), [""; 0]);
        let list = json!({"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer", "maximum": 2, "default": 3}}}});
        assert_eq!(
            told(list),
            ["s.items.properties[n].default: Invalid value: 3:  in body should be less than or equal to 2"]
        );
        assert_eq!(
            told(json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}, "default": {}})),
            ["s.default.a: Required value"]
        );
    }

    #[test]
    fn a_default_has_no_fields_that_would_go() {
        assert_eq!(
            told(json!({"type": "object", "properties": {"a": {"type": "string"}}, "default": {"a": "x", "b": [1]}})),
            [
                "s.default: Invalid value: map[string]interface {}{\"a\":\"x\", \"b\":[]interface {}{1}}: must not have unknown fields"
            ]
        );
        let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "default": {"b": 1}});
        assert_eq!(told(free), [""; 0]);
    }
}
