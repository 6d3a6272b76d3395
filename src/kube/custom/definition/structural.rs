//! Whether a schema is structural: every field has a type outside of all alternatives (apiextensions `schema.ValidateStructural`).

use super::schema::is_zero;
use crate::kube::Cause;
use crate::kube::tree::{items, text};
use regex_lite::Regex;
use serde_json::{Value, json};

/// Why a schema cannot be read as a structural one at all.
pub(super) fn unreadable(schema: &Value) -> Option<String> {
    let fields = ["id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions"];
    if let Some(field) = fields.into_iter().find(|field| !is_zero(&schema[field])) {
        let field = if field == "$schema" { "schema" } else { field };
        return Some(format!("OpenAPIV3Schema '{field}' is not supported"));
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == false {
        return Some("internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined".into());
    }
    if schema["items"].is_array() {
        return Some("OpenAPIV3Schema 'items' must be a schema, but is an array".into());
    }
    let alternatives = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|rule| items(&schema[rule]));
    let properties = schema["properties"].as_object().into_iter().flat_map(|properties| properties.values());
    let others = ["not", "items", "additionalProperties"].into_iter().map(|field| &schema[field]);
    alternatives.chain(properties).chain(others).filter(|schema| schema.is_object()).find_map(unreadable)
}

/// What keeps a schema from being structural, in the order in which an API server tells it.
pub(super) fn problems(schema: &Value, at: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    invariants(schema, Level::Root, at, &mut causes);
    alternatives(schema, |alternative, place| {
        complete(alternative, Some(schema), at, &format!("{at}.{place}"), &mut causes);
    });
    causes.sort_by_cached_key(|cause| format!("{}: {}", cause.field, cause.message));
    causes
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

fn invariants(schema: &Value, level: Level, at: &str, causes: &mut Vec<Cause>) {
    let field = |name: &str| format!("{at}.{name}");
    let is_set = |extension: &str| schema[extension] == true;
    let (is_embedded, is_either) = (is_set("x-kubernetes-embedded-resource"), is_set("x-kubernetes-int-or-string"));
    let preserves = is_set("x-kubernetes-preserve-unknown-fields");
    let kind = text(&schema["type"]);
    if schema["items"].is_object() {
        invariants(&schema["items"], Level::Item, &field("items"), causes);
    } else if kind == "array" {
        causes.push(Cause::required(field("items"), "must be specified"));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        invariants(property, Level::Field, &field(&format!("properties[{name}]")), causes);
    }
    let additional = &schema["additionalProperties"];
    if !additional.is_null() && level == Level::Root {
        causes.push(Cause::forbidden(field("additionalProperties"), "must not be used at the root"));
    }
    if additional.is_object() {
        invariants(additional, Level::Field, &field("additionalProperties"), causes);
    }
    for (extension, is_set) in
        [("x-kubernetes-preserve-unknown-fields", preserves), ("x-kubernetes-embedded-resource", is_embedded)]
    {
        if is_either && is_set {
            let problem = "must be false if x-kubernetes-int-or-string is true";
            causes.push(Cause::invalid(field(extension), &json!(true), problem));
        }
    }
    values(schema, is_int_or_string(schema), is_int_or_string(&schema["allOf"][0]), at, causes);
    if is_embedded && kind != "object" {
        let problem = "must be object if x-kubernetes-embedded-resource is true";
        causes.push(match kind {
            "" => Cause::required(field("type"), problem),
            _ => Cause::invalid(field("type"), &schema["type"], problem),
        });
    } else if kind.is_empty() && !is_either && !preserves {
        let problem = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        causes.push(Cause::required(field("type"), problem));
    }
    if is_embedded && !additional.is_null() {
        let problem = "must not be used if x-kubernetes-embedded-resource is set";
        causes.push(Cause::forbidden(field("additionalProperties"), problem));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        causes.push(Cause::invalid(field("type"), &schema["type"], "must be object at the root"));
    }
    if level == Level::Root || is_embedded {
        for (name, wanted) in [("kind", "string"), ("apiVersion", "string"), ("metadata", "object")] {
            let property = &schema["properties"][name];
            if property.is_object() && property["type"] != wanted {
                let field = field(&format!("properties[{name}].type"));
                causes.push(Cause::invalid(field, &text(&property["type"]).into(), &format!("must be {wanted}")));
            }
        }
    }
    if level == Level::Root && !is_plain_metadata(&schema["properties"]["metadata"]) {
        let problem =
            "must not specify anything other than name and generateName, but metadata is implicitly specified";
        causes.push(Cause::forbidden(field("properties[metadata]"), problem));
    }
    let has_properties = schema["properties"].as_object().is_some_and(|properties| !properties.is_empty());
    if is_embedded && !preserves && !has_properties {
        let problem =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        causes.push(Cause::required(field("properties"), problem));
    }
}

/// Everybody knows what metadata is; only its names can be restricted.
fn is_plain_metadata(metadata: &Value) -> bool {
    metadata.as_object().into_iter().flatten().all(|(field, value)| match (field.as_str(), value) {
        ("type" | "default", _) => true,
        ("properties", Value::Object(names)) => {
            names.keys().all(|name| ["name", "generateName"].contains(&name.as_str()))
        }
        (_, value) => is_zero(value),
    })
}

/// The one alternative whose types may stand within it.
fn is_int_or_string(schema: &Value) -> bool {
    schema["anyOf"] == json!([{"type": "integer"}, {"type": "string"}])
}

/// What restricts the values of a schema; `skip` and `skip_first` tell whether its own alternative, or that of the first of `allOf`,
/// is the one of a number or a text.
fn values(schema: &Value, skip: bool, skip_first: bool, at: &str, causes: &mut Vec<Cause>) {
    alternatives(schema, |alternative, place| {
        if !(skip && place.starts_with("anyOf")) {
            nested(alternative, skip_first && place == "allOf[0]", &format!("{at}.{place}"), causes);
        }
    });
    // What else this engine does not know may be known to Go's.
    let pattern = text(&schema["pattern"]);
    if let Some(look) = ["(?!", "(?=", "(?<!", "(?<="].into_iter().find(|look| pattern.contains(look))
        && Regex::new(pattern).is_err()
    {
        let why = format!("error parsing regexp: invalid or unsupported Perl syntax: `{}`", &look[..3]);
        let problem = format!("must be a valid regular expression, but isn't: {why}");
        causes.push(Cause::invalid(format!("{at}.pattern"), &schema["pattern"], &problem));
    }
}

fn nested(schema: &Value, skip: bool, at: &str, causes: &mut Vec<Cause>) {
    values(schema, skip, false, at, causes);
    let field = |name: &str| format!("{at}.{name}");
    if schema["items"].is_object() {
        nested(&schema["items"], false, &field("items"), causes);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        nested(property, false, &field(&format!("properties[{name}]")), causes);
    }
    for (name, must) in FORBIDDEN_IN_ALTERNATIVES {
        if !is_zero(&schema[name]) {
            causes.push(Cause::forbidden(field(name), &format!("must be {must} to be structural")));
        }
    }
    if !schema["properties"]["metadata"].is_null() {
        causes.push(Cause::forbidden(field("properties[metadata]"), "must not be specified in a nested context"));
    }
}

/// Whatever an alternative speaks of is described outside of it.
fn complete(alternative: &Value, schema: Option<&Value>, at: &str, place: &str, causes: &mut Vec<Cause>) {
    let Some(schema) = schema else {
        causes.push(Cause::required(at, &format!("because it is defined in {place}")));
        return;
    };
    alternatives(alternative, |inner, below| {
        complete(inner, Some(schema), at, &format!("{place}.{below}"), causes);
    });
    if alternative["items"].is_object() {
        let items = schema.get("items").filter(|items| items.is_object());
        complete(&alternative["items"], items, &format!("{at}.items"), &format!("{place}.items"), causes);
    }
    for (name, property) in alternative["properties"].as_object().into_iter().flatten() {
        let name_of = |place: &str| format!("{place}.properties[{name}]");
        complete(property, schema["properties"].get(name), &name_of(at), &name_of(place), causes);
    }
}

/// Every alternative of a schema, and its place.
fn alternatives(schema: &Value, mut each: impl FnMut(&Value, String)) {
    for rule in ["anyOf", "allOf", "oneOf"] {
        items(&schema[rule]).enumerate().for_each(|(index, schema)| each(schema, format!("{rule}[{index}]")));
    }
    if schema["not"].is_object() {
        each(&schema["not"], "not".into());
    }
}

const FORBIDDEN_IN_ALTERNATIVES: [(&str, &str); 13] = [
    ("type", "empty"),
    ("additionalProperties", "undefined"),
    ("default", "undefined"),
    ("title", "empty"),
    ("description", "empty"),
    ("nullable", "false"),
    ("x-kubernetes-preserve-unknown-fields", "false"),
    ("x-kubernetes-embedded-resource", "false"),
    ("x-kubernetes-int-or-string", "false"),
    ("x-kubernetes-list-map-keys", "empty"),
    ("x-kubernetes-list-type", "undefined"),
    ("x-kubernetes-map-type", "undefined"),
    ("x-kubernetes-validations", "empty"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn told(schema: Value) -> Vec<String> {
        let causes = problems(&schema, "s").into_iter();
        causes.map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    fn of_spec(spec: Value) -> Vec<String> {
        let told = told(json!({"type": "object", "properties": {"spec": spec}})).into_iter();
        told.map(|problem| problem.replace("s.properties[spec]", "s")).collect()
    }

    #[test]
    fn everything_has_a_type() {
        let spec = json!({"type": "object", "properties": {
            "none": {}, "list": {"type": "array"}, "items": {"type": "array", "items": {}}, "map": {"type": "object", "additionalProperties": {}},
            "port": {"x-kubernetes-int-or-string": true}, "free": {"x-kubernetes-preserve-unknown-fields": true}
        }});
        assert_eq!(
            of_spec(spec),
            [
                "s.properties[items].items.type: Required value: must not be empty for specified array items",
                "s.properties[list].items: Required value: must be specified",
                "s.properties[map].additionalProperties.type: Required value: must not be empty for specified object fields",
                "s.properties[none].type: Required value: must not be empty for specified object fields"
            ]
        );
        assert_eq!(told(json!({})), ["s.type: Required value: must not be empty at the root"]);
        assert_eq!(
            told(json!({"type": "object", "additionalProperties": true})),
            ["s.additionalProperties: Forbidden: must not be used at the root"]
        );
    }

    #[test]
    fn alternatives_only_restrict_values() {
        let either = json!([{"type": "integer"}, {"type": "string"}]);
        assert_eq!(of_spec(json!({"x-kubernetes-int-or-string": true, "anyOf": either})), [""; 0]);
        assert_eq!(
            of_spec(json!({"x-kubernetes-int-or-string": true, "allOf": [{"anyOf": either}, {"pattern": "a"}]})),
            [""; 0]
        );
        assert_eq!(
            of_spec(json!({"type": "object", "properties": {"a": {"type": "string"}}, "oneOf": [
                {"required": ["a"]}, {"properties": {"a": {"type": "string", "description": "x", "default": "y"}}}
            ]})),
            [
                "s.oneOf[1].properties[a].default: Forbidden: must be undefined to be structural",
                "s.oneOf[1].properties[a].description: Forbidden: must be empty to be structural",
                "s.oneOf[1].properties[a].type: Forbidden: must be empty to be structural"
            ]
        );
    }

    #[test]
    fn what_an_alternative_speaks_of_is_described() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object"}}, "not": {
            "properties": {"spec": {"properties": {"a": {"enum": ["x"]}}}, "other": {"required": ["b"]}}
        }});
        assert_eq!(
            told(schema),
            [
                "s.properties[other]: Required value: because it is defined in s.not.properties[other]",
                "s.properties[spec].properties[a]: Required value: because it is defined in s.not.properties[spec].properties[a]"
            ]
        );
    }

    #[test]
    fn metadata_is_known() {
        let with = |metadata: Value| told(json!({"type": "object", "properties": {"metadata": metadata}}));
        assert_eq!(with(json!({"type": "object"})), [""; 0]);
        assert_eq!(
            with(json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}}})),
            [""; 0]
        );
        let problem =
            "must not specify anything other than name and generateName, but metadata is implicitly specified";
        assert_eq!(
            with(json!({"type": "object", "properties": {"labels": {"type": "object"}}})),
            [format!("s.properties[metadata]: Forbidden: {problem}")]
        );
        assert_eq!(
            told(json!({"type": "object", "properties": {"kind": {"type": "integer"}}})),
            ["s.properties[kind].type: Invalid value: \"integer\": must be string"]
        );
    }

    #[test]
    fn an_object_within_is_one() {
        assert_eq!(
            of_spec(json!({"type": "object", "x-kubernetes-embedded-resource": true})),
            ["s.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without \
              x-kubernetes-preserve-unknown-fields"]
        );
        assert_eq!(
            of_spec(json!({"x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true})),
            ["s.type: Required value: must be object if x-kubernetes-embedded-resource is true"]
        );
    }

    #[test]
    fn patterns_look_neither_ahead_nor_behind() {
        assert_eq!(of_spec(json!({"type": "string", "pattern": r"^\p{L}+$"})), [""; 0]);
        assert_eq!(
            of_spec(json!({"type": "string", "pattern": "^(?!a)"})),
            [
                "s.pattern: Invalid value: \"^(?!a)\": must be a valid regular expression, but isn't: error parsing regexp: invalid or \
              unsupported Perl syntax: `(?!`"
            ]
        );
    }

    #[test]
    fn some_schemas_cannot_be_read() {
        let within = |schema: Value| unreadable(&json!({"properties": {"a": {"oneOf": [schema]}}}));
        assert_eq!(within(json!({"$ref": "#/x"})).unwrap(), "OpenAPIV3Schema '$ref' is not supported");
        assert_eq!(within(json!({"$schema": "x"})).unwrap(), "OpenAPIV3Schema 'schema' is not supported");
        assert_eq!(within(json!({"type": "string"})), None);
    }
}
