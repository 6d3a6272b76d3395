//! Validation of values against schemas, in the words of kube-openapi's validators.

use super::{format, preserves, schema_of};
use crate::kube::Cause;
use crate::kube::decode::type_name;
use regex_lite::Regex;
use serde_json::{Value, json};

/// What is wrong with an object.
pub(in crate::kube) fn validate(schema: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check(schema, object, "", &mut causes);
    // What has no place of its own has Go's word for none.
    causes.iter_mut().filter(|cause| cause.field.is_empty()).for_each(|cause| cause.field = NOWHERE.into());
    // What stands twice is looked for last.
    let (doubled, mut others): (Vec<_>, Vec<_>) =
        causes.into_iter().partition(|cause| cause.reason == "FieldValueDuplicate");
    others.extend(doubled);
    others
}

/// Adds what is wrong with a value, and tells how many schemas were looked at.
fn check(schema: &Value, value: &Value, at: &str, causes: &mut Vec<Cause>) -> usize {
    let mut looked_at = 1;
    if !has_type(schema, value, at, causes) {
        return looked_at;
    }
    check_alternatives(schema, value, at, causes);
    match value {
        Value::Array(items) => {
            check_count(schema, items.len(), ("minItems", "maxItems"), at, value, causes);
            check_list(schema, items, at, causes);
            for (index, item) in items.iter().enumerate() {
                looked_at += check(&schema["items"], item, &format!("{at}[{index}]"), causes);
            }
        }
        Value::Number(number) => check_number(schema, number.as_f64().unwrap_or_default(), at, value, causes),
        Value::String(text) => check_text(schema, text, at, value, causes),
        Value::Null | Value::Bool(_) | Value::Object(_) => {}
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        let allowed: Vec<String> =
            allowed.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
        causes.push(Cause::not_supported(at, value, &allowed.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    if let Value::Object(fields) = value {
        check_count(schema, fields.len(), ("minProperties", "maxProperties"), at, value, causes);
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                causes.push(Cause::required(below(at, name), ""));
            }
        }
        for (name, value) in fields {
            // Of the metadata everybody knows what it is.
            if at.is_empty() && ["metadata", "apiVersion", "kind"].contains(&name.as_str()) {
                continue;
            }
            if let Some(schema) = schema_of(schema, name) {
                looked_at += check(schema, value, &below(at, name), causes);
            }
        }
    }
    looked_at
}

fn has_type(schema: &Value, value: &Value, at: &str, causes: &mut Vec<Cause>) -> bool {
    if value.is_null() && (schema["nullable"] == true || (preserves(schema) && schema.get("type").is_none())) {
        return true;
    }
    let is_either = schema["x-kubernetes-int-or-string"] == true;
    let wanted = if is_either { "integer,string" } else { schema["type"].as_str().unwrap_or_default() };
    let fits = match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => is_whole(value),
        "number" => value.is_number(),
        "integer,string" => value.is_string() || is_whole(value),
        _ => return true,
    };
    if !fits {
        let found = match value {
            Value::Bool(_) => "boolean",
            Value::Number(_) if is_whole(value) => "integer",
            other => type_name(other),
        };
        let detail = format!("{at} in body must be of type {wanted}: {}", json!(found));
        causes.push(Cause::wrong_type(at, found, &detail));
    }
    fits
}

fn is_whole(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn check_count(schema: &Value, count: usize, rules: (&str, &str), at: &str, value: &Value, causes: &mut Vec<Cause>) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let what = if rules.0 == "minItems" { "items" } else { "properties" };
    if let Some(most) = schema[rules.1].as_u64().filter(|most| count > *most) {
        causes.push(Cause::too_many(at, count, most));
    }
    if let Some(least) = schema[rules.0].as_u64().filter(|least| count < *least) {
        let detail = format!("{at} in body should have at least {least} {what}");
        causes.push(Cause::invalid(at, value, &detail));
    }
}

fn check_list(schema: &Value, items: &[Value], at: &str, causes: &mut Vec<Cause>) {
    let keys: Vec<&str> =
        schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let identity = |item: &Value| match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => Some(item.clone()),
        Some("map") => {
            let own = keys.iter().filter_map(|key| Some(((*key).to_owned(), item.get(*key)?.clone())));
            Some(Value::Object(own.collect()))
        }
        _ => None,
    };
    let mut seen = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(identity) = identity(item) else { return };
        if seen.contains(&identity) {
            causes.push(Cause::duplicate(format!("{at}[{index}]"), &identity));
        }
        seen.push(identity);
    }
}

fn check_number(schema: &Value, number: f64, at: &str, value: &Value, causes: &mut Vec<Cause>) {
    let mut refuse = |detail: String| causes.push(Cause::invalid(at, value, &detail));
    let limit = |rule: &str| schema[rule].as_f64().map(|limit| (limit, schema[rule].to_string()));
    if let Some((least, shown)) = limit("minimum") {
        match schema["exclusiveMinimum"] == true {
            true if number <= least => refuse(format!("{at} in body should be greater than {shown}")),
            false if number < least => refuse(format!("{at} in body should be greater than or equal to {shown}")),
            _ => {}
        }
    }
    if let Some((most, shown)) = limit("maximum") {
        match schema["exclusiveMaximum"] == true {
            true if number >= most => refuse(format!("{at} in body should be less than {shown}")),
            false if number > most => refuse(format!("{at} in body should be less than or equal to {shown}")),
            _ => {}
        }
    }
    if let Some((part, shown)) = limit("multipleOf")
        && part > 0.0
        && (number / part).fract() != 0.0
    {
        refuse(format!("{at} in body should be a multiple of {shown}"));
    }
}

/// Of length and pattern the first that does not fit is told (go-openapi `stringValidator`).
fn check_text(schema: &Value, text: &str, at: &str, value: &Value, causes: &mut Vec<Cause>) {
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        causes.push(Cause::too_long_value(at, most));
    } else if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
        causes.push(Cause::invalid(at, value, &format!("{at} in body should be at least {least} chars long")));
    } else if let Some(pattern) = schema["pattern"].as_str()
        // One that this engine does not know lets everything through.
        && Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text))
    {
        causes.push(Cause::invalid(at, value, &format!("{at} in body should match '{pattern}'")));
    }
    if let Some(wanted) = schema["format"].as_str().filter(|wanted| !format::fits(wanted, text)) {
        let detail = format!("{at} in body must be of type {wanted}: {value}");
        causes.push(Cause { reason: "FieldValueTypeInvalid", ..Cause::invalid(at, value, &detail) });
    }
}

fn check_alternatives(schema: &Value, value: &Value, at: &str, causes: &mut Vec<Cause>) {
    // Each alternative's problems, and how far it was followed.
    let tried = |rule: &str| -> Option<Vec<(Vec<Cause>, usize)>> {
        let outcome = |schema| {
            let mut problems = Vec::new();
            let looked_at = check(schema, value, at, &mut problems);
            (problems, looked_at)
        };
        schema[rule].as_array().filter(|all| !all.is_empty()).map(|all| all.iter().map(outcome).collect())
    };
    let fitting = |all: &[(Vec<Cause>, usize)]| all.iter().filter(|(problems, _)| problems.is_empty()).count();
    // Of those that do not fit, the first of those that were followed farthest is told.
    let nearest = |all: Vec<(Vec<Cause>, usize)>| {
        all.into_iter().rev().max_by_key(|(_, looked_at)| *looked_at).map_or_else(Vec::new, |(problems, _)| problems)
    };
    let refusal = |problem: String| {
        let place = json!(at);
        Cause::invalid(NOWHERE, &json!(""), &format!("{place} must {problem}"))
    };
    if let Some(all) = tried("anyOf").filter(|all| fitting(all) == 0) {
        causes.push(refusal("validate at least one schema (anyOf)".into()));
        causes.extend(nearest(all));
    }
    match tried("oneOf").map(|all| (fitting(&all), all)) {
        None | Some((1, _)) => {}
        Some((0, all)) => {
            causes.push(refusal("validate one and only one schema (oneOf). Found none valid".into()));
            causes.extend(nearest(all));
        }
        Some((several, _)) => {
            let problem = format!("validate one and only one schema (oneOf). Found {several} valid alternatives");
            causes.push(refusal(problem));
        }
    }
    if let Some(all) = tried("allOf") {
        let (fitting, count) = (fitting(&all), all.len());
        causes.extend(all.into_iter().flat_map(|(problems, _)| problems));
        if fitting < count {
            let none = if fitting == 0 { ". None validated" } else { "" };
            causes.push(refusal(format!("validate all the schemas (allOf){none}")));
        }
    }
    if let Some(not) = schema.get("not") {
        let mut problems = Vec::new();
        check(not, value, at, &mut problems);
        if problems.is_empty() {
            causes.push(refusal("not validate the schema (not)".into()));
        }
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

/// How Go shows a path that is none.
const NOWHERE: &str = "<nil>";

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(schema: Value, value: Value) -> Vec<(String, String)> {
        let schema = json!({"type": "object", "properties": {"x": schema}});
        validate(&schema, &json!({"x": value})).into_iter().map(|cause| (cause.field, cause.message)).collect()
    }

    #[test]
    fn each_rule_has_its_words() {
        // Answers of a kube-apiserver 1.31 to objects of such schemas.
        for (schema, value, message) in [
            (
                json!({"type": "integer"}),
                json!("three"),
                "Invalid value: \"string\": x in body must be of type integer: \"string\"",
            ),
            (
                json!({"type": "integer", "maximum": 9}),
                json!(10),
                "Invalid value: 10: x in body should be less than or equal to 9",
            ),
            (
                json!({"type": "string", "pattern": "^[a-z]+$"}),
                json!("A"),
                "Invalid value: \"A\": x in body should match '^[a-z]+$'",
            ),
            (
                json!({"type": "string", "enum": ["a", "b"]}),
                json!("c"),
                "Unsupported value: \"c\": supported values: \"a\", \"b\"",
            ),
            (json!({"type": "object", "required": ["y"]}), json!({}), "Required value"),
        ] {
            let found = problems(schema.clone(), value);
            assert_eq!(found.first().map(|(_, message)| message.as_str()), Some(message), "{schema}");
            assert_eq!(found.len(), 1);
        }
    }

    #[test]
    fn what_fits_passes() {
        let schema = json!({"type": "object", "properties": {
            "port": {"x-kubernetes-int-or-string": true}, "maybe": {"type": "string", "nullable": true},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "one": {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
        }});
        assert_eq!(problems(schema, json!({"port": "web", "maybe": null, "tags": ["a", "b"], "one": {"a": 1}})), []);
    }

    #[test]
    fn alternatives_are_told_as_such_and_with_the_nearest_of_them() {
        // kube-openapi `schema_messages.go`; the place is in the message alone.
        let told = |schema, value| {
            let found = problems(schema, value).into_iter();
            found.map(|(field, message)| format!("{field}: {message}")).collect::<Vec<_>>()
        };
        let either = json!([{"required": ["a"]}, {"required": ["b"]}]);
        let one = |value| told(json!({"type": "object", "oneOf": either}), value);
        assert_eq!(
            one(json!({})),
            [
                "<nil>: Invalid value: \"\": \"x\" must validate one and only one schema (oneOf). Found none valid",
                "x.a: Required value"
            ]
        );
        assert_eq!(
            one(json!({"a": 1, "b": 1})),
            [
                "<nil>: Invalid value: \"\": \"x\" must validate one and only one schema (oneOf). Found 2 valid alternatives"
            ]
        );
        let far = json!([{"required": ["a"]}, {"properties": {"n": {"maximum": 1}}}]);
        assert_eq!(
            told(json!({"anyOf": far}), json!({"n": 2})),
            [
                "<nil>: Invalid value: \"\": \"x\" must validate at least one schema (anyOf)",
                "x.n: Invalid value: 2: x.n in body should be less than or equal to 1"
            ]
        );
        assert_eq!(
            told(json!({"allOf": [{"minimum": 3}, {"minimum": 2}]}), json!(2)),
            [
                "x: Invalid value: 2: x in body should be greater than or equal to 3",
                "<nil>: Invalid value: \"\": \"x\" must validate all the schemas (allOf)"
            ]
        );
        assert_eq!(
            told(json!({"not": {"type": "integer"}}), json!(2)),
            ["<nil>: Invalid value: \"\": \"x\" must not validate the schema (not)"]
        );
    }

    #[test]
    fn lists_have_no_entry_twice() {
        let set = json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}});
        assert_eq!(problems(set, json!(["a", "a"]))[0].0, "x[1]");
        let map = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]});
        assert_eq!(problems(map, json!([{"name": "a", "n": 1}, {"name": "a"}]))[0].0, "x[1]");
    }
}
