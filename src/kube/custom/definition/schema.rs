//! Rules of every schema in a definition (apiextensions `ValidateCustomResourceDefinitionOpenAPISchema`).

use crate::kube::Cause;
use crate::kube::response::quote::go_strings;
use crate::kube::tree::{items, text};
use serde_json::Value;
use std::collections::HashSet;

/// What a schema may not have at its root.
pub(super) fn root(schema: &Value, at: &str, has_status: bool, causes: &mut Vec<Cause>) {
    if has_status {
        let fields = ROOT_FIELDS.iter().filter(|(field, ..)| !is_zero(&schema[field]));
        for (field, is_allowed) in fields {
            if *field == "type" && schema["type"] != "object" {
                let problem = "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
                causes.push(Cause::invalid(format!("{at}.type"), &schema["type"], problem));
                break;
            }
            if !is_allowed {
                // The server prints all of the schema, as Go shows it.
                causes.push(Cause::invalid_go(at, "apiextensions.JSONSchemaProps{}", ONLY_AT_ROOT));
                break;
            }
        }
    }
    if schema["nullable"] == true {
        causes.push(Cause::forbidden(format!("{at}.nullable"), "nullable cannot be true at the root"));
    }
}

/// What is wrong with a schema and all below it.
pub(super) fn problems(schema: &Value, at: &str, causes: &mut Vec<Cause>) {
    check(schema, at, &Place { is_root: true, ..Place::default() }, causes);
}

/// Where a schema stands.
#[derive(Debug, Clone, Default)]
struct Place {
    is_root: bool,
    /// Within `metadata`, `kind` or `apiVersion` of an object.
    is_in_metadata: bool,
    /// Why there may be no default, if there may be none.
    undefaulted: Option<String>,
}

fn check(schema: &Value, at: &str, place: &Place, causes: &mut Vec<Cause>) {
    if !schema.is_object() {
        return;
    }
    unsupported(schema, at, place, causes);
    if schema["uniqueItems"] == true {
        let problem = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        causes.push(Cause::forbidden(format!("{at}.uniqueItems"), problem));
    }
    let below = Place { is_root: false, ..place.clone() };
    let properties = || schema["properties"].as_object().into_iter().flatten();
    let additional = &schema["additionalProperties"];
    if !additional.is_null() {
        if properties().next().is_some() && *additional != true {
            let problem = "additionalProperties and properties are mutual exclusive";
            causes.push(Cause::forbidden(format!("{at}.additionalProperties"), problem));
        }
        let mut below = below.clone();
        if place.is_in_metadata {
            below.undefaulted = Some("inside additionalProperties applying to object metadata".into());
        }
        check(additional, &format!("{at}.additionalProperties"), &below, causes);
    }
    for (name, property) in properties() {
        let mut below = below.clone();
        let is_resource = place.is_root || schema["x-kubernetes-embedded-resource"] == true;
        if is_resource && ["metadata", "kind", "apiVersion"].contains(&name.as_str()) {
            below.is_in_metadata = true;
            if place.is_root {
                below.undefaulted = Some(format!("in top-level {name}"));
            }
        }
        check(property, &format!("{at}.properties[{name}]"), &below, causes);
    }
    check(&schema["not"], &format!("{at}.not"), &below, causes);
    for rule in ["allOf", "oneOf", "anyOf"] {
        for (index, schema) in items(&schema[rule]).enumerate() {
            check(schema, &format!("{at}.{rule}[{index}]"), &below, causes);
        }
    }
    check(&schema["items"], &format!("{at}.items"), &below, causes);
    if schema["x-kubernetes-preserve-unknown-fields"] == false {
        let field = format!("{at}.x-kubernetes-preserve-unknown-fields");
        causes.push(Cause::invalid(field, &Value::Bool(false), "must be true or undefined"));
    }
    maps(schema, at, causes);
    lists(schema, at, causes);
    rules(schema, at, causes);
}

/// What OpenAPI has and definitions have not.
fn unsupported(schema: &Value, at: &str, place: &Place, causes: &mut Vec<Cause>) {
    let mut forbid = |field: &str, problem: &str| causes.push(Cause::forbidden(format!("{at}.{field}"), problem));
    if let Some(reason) = place.undefaulted.as_ref().filter(|_| !schema["default"].is_null()) {
        forbid("default", &format!("must not be set {reason}"));
    }
    for field in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] {
        if !is_zero(&schema[field]) {
            forbid(field, &format!("{field} is not supported"));
        }
    }
    if schema["type"] == "null" {
        forbid("type", "type cannot be set to null, use nullable as an alternative");
    }
    if schema["items"].is_array() {
        forbid("items", "items must be a schema object and not an array");
    }
    if place.is_in_metadata && schema["x-kubernetes-embedded-resource"] == true {
        forbid("x-kubernetes-embedded-resource", "must not be used inside of resource meta");
    }
    let kind = text(&schema["type"]);
    if !kind.is_empty() && !TYPES.contains(&kind) {
        causes.push(Cause::not_supported(format!("{at}.type"), &schema["type"], TYPES));
    }
}

fn maps(schema: &Value, at: &str, causes: &mut Vec<Cause>) {
    let map = &schema["x-kubernetes-map-type"];
    if map.is_null() {
        return;
    }
    must_be("object", "x-kubernetes-map-type", schema, at, causes);
    one_of(map, &["atomic", "granular"], format!("{at}.x-kubernetes-map-type"), causes);
}

fn lists(schema: &Value, at: &str, causes: &mut Vec<Cause>) {
    let (list, keys, entry) =
        (&schema["x-kubernetes-list-type"], &schema["x-kubernetes-list-map-keys"], &schema["items"]);
    let field = |name: &str| format!("{at}.{name}");
    if !list.is_null() && schema["type"] != "array" {
        must_be("array", "x-kubernetes-list-type", schema, at, causes);
    } else if list == "set" {
        let problem = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let (inner, map) = (&entry["x-kubernetes-list-type"], &entry["x-kubernetes-map-type"]);
        match text(&entry["type"]) {
            "array" if !inner.is_null() && inner != "atomic" => {
                causes.push(Cause::invalid(field("items.x-kubernetes-list-type"), inner, problem));
            }
            "object" if map != "atomic" => {
                let shown = inner.as_str().unwrap_or("null");
                causes.push(Cause::invalid(field("items.x-kubernetes-map-type"), &shown.into(), problem));
            }
            _ => {}
        }
    }
    if !list.is_null() {
        one_of(list, &["atomic", "set", "map"], field("x-kubernetes-list-type"), causes);
    }
    let names: Vec<&Value> = items(keys).collect();
    if !names.is_empty() && list != "map" {
        let problem = "must be map if x-kubernetes-list-map-keys is non-empty";
        causes.push(match list {
            Value::Null => Cause::required(field("x-kubernetes-list-type"), problem),
            other => Cause::invalid(field("x-kubernetes-list-type"), other, problem),
        });
    }
    if list == "map" {
        list_map(entry, &names, at, causes);
    }
    if (list == "map" || list == "set") && entry["nullable"] == true {
        let problem = format!("cannot be nullable when x-kubernetes-list-type is {}", text(list));
        causes.push(Cause::forbidden(field("items.nullable"), &problem));
    }
    if list == "map" {
        keys_are_there(entry, &names, at, causes);
    }
}

/// The entries of a list that is a map have its keys, which are scalars.
fn list_map(entry: &Value, keys: &[&Value], at: &str, causes: &mut Vec<Cause>) {
    let field = |name: &str| format!("{at}.{name}");
    let keys_field = field("x-kubernetes-list-map-keys");
    if keys.is_empty() {
        causes.push(Cause::required(keys_field.clone(), "must not be empty if x-kubernetes-list-type is map"));
    }
    if entry.is_null() {
        causes.push(Cause::required(field("items"), "must have a schema if x-kubernetes-list-type is map"));
    } else if entry["type"] != "object" {
        let problem = "must be object if parent array's x-kubernetes-list-type is map";
        causes.push(Cause::invalid(field("items.type"), &text(&entry["type"]).into(), problem));
        return;
    }
    let shown = go_strings(keys.iter().copied());
    // Each time with all keys, of which a hostile list has many: what is said once needs no repetition.
    let mut refused = HashSet::new();
    let mut refuse_once = |causes: &mut Vec<Cause>, problem: &'static str| {
        if refused.insert(problem) {
            causes.push(Cause::invalid_go(keys_field.clone(), &shown, problem));
        }
    };
    let mut known = HashSet::new();
    for key in keys {
        match entry["properties"].get(text(key)) {
            Some(property) if ["array", "object"].contains(&text(&property["type"])) => {
                let field = field(&format!("items.properties[{}].type", text(key)));
                let problem = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                causes.push(Cause::invalid(field, &entry["type"], problem));
            }
            Some(_) => {}
            None if entry.is_null() => {}
            None => refuse_once(causes, "entries must all be names of item properties"),
        }
        if !known.insert(text(key)) {
            refuse_once(causes, "must not contain duplicate entries");
        }
    }
}

/// No entry is without its keys (`validateMapListKeysMapSet`).
fn keys_are_there(entry: &Value, keys: &[&Value], at: &str, causes: &mut Vec<Cause>) {
    for key in keys {
        let Some(property) = entry["properties"].get(text(key)) else { continue };
        let field = |name: &str| format!("{at}.items.properties[{}].{name}", text(key));
        if !items(&entry["required"]).any(|required| required == *key) && property["default"].is_null() {
            let problem =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            causes.push(Cause::required(field("default"), problem));
        }
        if property["nullable"] == true {
            let problem = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            causes.push(Cause::forbidden(field("nullable"), problem));
        }
    }
}

/// Rules in CEL, as far as they are not compiled.
fn rules(schema: &Value, at: &str, causes: &mut Vec<Cause>) {
    for (index, rule) in items(&schema["x-kubernetes-validations"]).enumerate() {
        let field = |name: &str| format!("{at}.x-kubernetes-validations[{index}].{name}");
        let breaks = |text: &str| text.contains(['\n', '\r']);
        let (own, message) = (text(&rule["rule"]).trim(), text(&rule["message"]));
        if own.is_empty() {
            causes.push(Cause::required(field("rule"), "rule is not specified"));
        } else if !message.is_empty() && message.trim().is_empty() {
            let problem = "message must be non-empty if specified";
            causes.push(Cause::invalid(field("message"), &rule["message"], problem));
        } else if breaks(message.trim()) {
            let problem = "message must not contain line breaks";
            causes.push(Cause::invalid(field("message"), &rule["message"], problem));
        } else if breaks(own) && message.is_empty() {
            let problem = "message must be specified if rule contains line breaks";
            causes.push(Cause::required(field("message"), problem));
        }
        let expression = text(&rule["messageExpression"]);
        if !expression.is_empty() && expression.trim().is_empty() {
            let problem = "messageExpression must be non-empty if specified";
            causes.push(Cause::required(field("messageExpression"), problem));
        }
        if !rule["reason"].is_null() {
            one_of(&rule["reason"], REASONS, field("reason"), causes);
        }
    }
}

fn must_be(kind: &str, because: &str, schema: &Value, at: &str, causes: &mut Vec<Cause>) {
    let own = &schema["type"];
    if *own == kind {
        return;
    }
    let problem = format!("must be {kind} if {because} is specified");
    causes.push(match text(own) {
        "" => Cause::required(format!("{at}.type"), &problem),
        _ => Cause::invalid(format!("{at}.type"), own, &problem),
    });
}

fn one_of(value: &Value, known: &[&str], field: String, causes: &mut Vec<Cause>) {
    if !known.contains(&text(value)) {
        causes.push(Cause::not_supported(field, value, known));
    }
}

/// Whether a field of a schema says as much as if it were not there.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];
const REASONS: &[&str] = &["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
/// The fields of a schema in the order of apiextensions, and whether they may stand at a root beside a status.
const ROOT_FIELDS: &[(&str, bool)] = &[
    ("type", true),
    ("nullable", false),
    ("enum", false),
    ("maxProperties", false),
    ("minProperties", false),
    ("allOf", false),
    ("oneOf", false),
    ("anyOf", false),
    ("not", false),
    ("additionalProperties", false),
    ("default", false),
    ("x-kubernetes-embedded-resource", false),
    ("x-kubernetes-int-or-string", false),
    ("x-kubernetes-list-map-keys", false),
    ("x-kubernetes-list-type", false),
    ("x-kubernetes-map-type", false),
];
const ONLY_AT_ROOT: &str = "only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern \
     MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations] fields are \
     allowed at the root of the schema if the status subresource is enabled";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(schema: Value) -> Vec<String> {
        let mut causes = Vec::new();
        problems(&schema, "s", &mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn what_definitions_have_not_is_forbidden() {
        assert_eq!(
            told(json!({"type": "object", "$ref": "#/x", "properties": {"a": {"type": "text", "uniqueItems": true}}})),
            [
                "s.$ref: Forbidden: $ref is not supported",
                "s.properties[a].type: Unsupported value: \"text\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \
                 \"object\", \"string\"",
                "s.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
            ]
        );
        let both = json!({"properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}});
        assert_eq!(
            told(both),
            ["s.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"]
        );
    }

    #[test]
    fn the_metadata_of_an_object_has_no_defaults() {
        let metadata =
            json!({"type": "object", "default": {}, "properties": {"name": {"type": "string", "default": "a"}}});
        assert_eq!(
            told(
                json!({"type": "object", "properties": {"metadata": metadata, "spec": {"type": "object", "default": {}}}})
            ),
            [
                "s.properties[metadata].default: Forbidden: must not be set in top-level metadata",
                "s.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata"
            ]
        );
    }

    #[test]
    fn a_list_that_is_a_map_has_its_keys_in_every_entry() {
        let list = |keys: Value, entry: Value| {
            let map = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys, "items": entry});
            told(map)
        };
        let entry = json!({"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "port": {"type": "integer", "default": 1}, "on": {"type": "string"}, "tags": {"type": "array"}
        }});
        assert_eq!(list(json!(["name", "port"]), entry.clone()), [""; 0]);
        assert_eq!(
            list(json!(["on"]), entry.clone()),
            [
                "s.items.properties[on].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or \
              be a required property"
            ]
        );
        assert_eq!(
            list(json!(["name", "name", "x"]), entry.clone()),
            [
                "s.x-kubernetes-list-map-keys: Invalid value: []string{\"name\", \"name\", \"x\"}: must not contain duplicate entries",
                "s.x-kubernetes-list-map-keys: Invalid value: []string{\"name\", \"name\", \"x\"}: entries must all be names of item properties"
            ]
        );
        assert!(list(json!(["tags"]), entry)[0].contains("must be a scalar type"));
        assert_eq!(
            list(json!(["a"]), json!({"type": "string"})),
            ["s.items.type: Invalid value: \"string\": must be object if parent array's x-kubernetes-list-type is map"]
        );
        assert_eq!(
            told(json!({"type": "string", "x-kubernetes-list-type": "bag", "x-kubernetes-list-map-keys": ["a"]})),
            [
                "s.type: Invalid value: \"string\": must be array if x-kubernetes-list-type is specified",
                "s.x-kubernetes-list-type: Unsupported value: \"bag\": supported values: \"atomic\", \"set\", \"map\"",
                "s.x-kubernetes-list-type: Invalid value: \"bag\": must be map if x-kubernetes-list-map-keys is non-empty"
            ]
        );
    }

    #[test]
    fn the_entries_of_a_set_are_whole() {
        let set = |entry: Value| told(json!({"type": "array", "x-kubernetes-list-type": "set", "items": entry}));
        assert_eq!(set(json!({"type": "object", "x-kubernetes-map-type": "atomic"})), [""; 0]);
        assert_eq!(
            set(json!({"type": "object", "nullable": true})),
            [
                "s.items.x-kubernetes-map-type: Invalid value: \"null\": must be atomic as item of a list with x-kubernetes-list-type=set",
                "s.items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set"
            ]
        );
    }

    #[test]
    fn a_rule_says_what_it_is_in_one_line() {
        let rule = |rule: Value| told(json!({"type": "object", "x-kubernetes-validations": [rule]}));
        assert_eq!(rule(json!({"rule": "self.a > 1", "message": "more"})), [""; 0]);
        assert_eq!(
            rule(json!({"message": "x", "reason": "Odd"})),
            [
                "s.x-kubernetes-validations[0].rule: Required value: rule is not specified",
                "s.x-kubernetes-validations[0].reason: Unsupported value: \"Odd\": supported values: \"FieldValueDuplicate\", \
                 \"FieldValueForbidden\", \"FieldValueInvalid\", \"FieldValueRequired\""
            ]
        );
        assert!(rule(json!({"rule": "a\n||b"}))[0].ends_with("message must be specified if rule contains line breaks"));
    }

    #[test]
    fn beside_a_status_a_root_is_plain() {
        let at_root = |schema: Value| {
            let mut causes = Vec::new();
            root(&schema, "s", true, &mut causes);
            causes.into_iter().map(|cause| cause.field).collect::<Vec<_>>()
        };
        assert_eq!(
            at_root(json!({"type": "object", "required": ["spec"], "x-kubernetes-preserve-unknown-fields": true})),
            [""; 0]
        );
        assert_eq!(at_root(json!({"type": "string", "nullable": true})), ["s.type", "s.nullable"]);
        assert_eq!(at_root(json!({"type": "object", "oneOf": [{}]})), ["s"]);
    }
}
