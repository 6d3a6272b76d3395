//! Rules of a version beside its schema: columns, subresources, fields to select by.

use super::common;
use crate::kube::Cause;
use crate::kube::response::quote::quote;
use crate::kube::tree::{items, text};
use serde_json::Value;
use std::collections::HashSet;

/// What is wrong with the warning of a deprecated version.
pub(super) fn deprecation(version: &Value, at: &str, causes: &mut Vec<Cause>) {
    let Some(warning) = version["deprecationWarning"].as_str() else { return };
    let mut refuse = |problem: &str| {
        causes.push(Cause::invalid(format!("{at}.deprecationWarning"), &version["deprecationWarning"], problem));
    };
    if version["deprecated"] != true {
        return refuse("can only be set for deprecated versions");
    }
    if warning.len() > LONGEST_WARNING_BYTES {
        refuse("must be <= 256 characters long");
    }
    if warning.is_empty() {
        refuse("must not be an empty string");
    }
    if let Some((index, _)) = warning.char_indices().find(|(_, c)| c.is_control()) {
        refuse(&format!(
            "must only contain printable UTF-8 characters; non-printable character found at index {index}"
        ));
    }
}

/// What is wrong with where `scale` finds its numbers; `at` is the place of the subresources.
pub(super) fn scale(scale: &Value, at: &str, causes: &mut Vec<Cause>) {
    if scale.is_null() {
        return;
    }
    for (field, under, problem, is_required) in [
        ("specReplicasPath", &[".spec."][..], "should be a json path under .spec", true),
        ("statusReplicasPath", &[".status."], "should be a json path under .status", true),
        ("labelSelectorPath", &[".spec.", ".status."], "should be a json path under either .spec or .status", false),
    ] {
        let (field, path) = (format!("{at}.scale.{field}"), &scale[field]);
        match text(path) {
            "" if is_required => causes.push(Cause::required(field, "")),
            "" => {}
            own if !own.starts_with('.') => causes.push(Cause::invalid(field, path, NO_PATH)),
            own if !under.iter().any(|under| own.starts_with(under)) => {
                causes.push(Cause::invalid(field, path, problem))
            }
            _ => {}
        }
    }
}

/// What is wrong with printer columns; `at` is the place of what has them.
pub(super) fn columns(columns: &Value, at: &str, causes: &mut Vec<Cause>) {
    for (index, column) in items(columns).enumerate() {
        let at = |field: &str| format!("{at}.additionalPrinterColumns[{index}].{field}");
        if text(&column["name"]).is_empty() {
            causes.push(Cause::required(at("name"), ""));
        }
        let problem = |known: &[&str]| format!("must be one of {}", known.join(","));
        match text(&column["type"]) {
            "" => causes.push(Cause::required(at("type"), &problem(COLUMN_TYPES))),
            own if COLUMN_TYPES.contains(&own) => {}
            _ => causes.push(Cause::invalid(at("type"), &column["type"], &problem(COLUMN_TYPES))),
        }
        if !text(&column["format"]).is_empty() && !COLUMN_FORMATS.contains(&text(&column["format"])) {
            causes.push(Cause::invalid(at("format"), &column["format"], &problem(COLUMN_FORMATS)));
        }
        match text(&column["jsonPath"]) {
            "" => causes.push(Cause::required(at("JSONPath"), "")),
            path if !path.starts_with('.') => causes.push(Cause::invalid(at("JSONPath"), &column["jsonPath"], NO_PATH)),
            _ => {}
        }
    }
}

/// What is wrong with the fields that objects are selected by; `at` is the place of what has them.
pub(super) fn selectable(fields: &Value, schema: &Value, at: &str, causes: &mut Vec<Cause>) {
    let mut seen = HashSet::new();
    for (index, path) in items(fields).map(|field| &field["jsonPath"]).enumerate() {
        let at = format!("{at}.selectableFields[{index}].jsonPath");
        if text(path).is_empty() {
            causes.push(Cause::required(at, ""));
            continue;
        }
        let mut refuse = |problem: &str| causes.push(Cause::invalid(at.clone(), path, problem));
        match follow(text(path), schema) {
            Err(problem) => {
                refuse(&format!("is an invalid path: {problem}"));
                continue;
            }
            Ok(found) => {
                if text(path).split('.').nth(1) == Some("metadata") {
                    refuse("must not point to fields in metadata");
                }
                if !["string", "boolean", "integer"].contains(&text(&found["type"])) {
                    refuse(NO_SCALAR);
                }
            }
        }
        if !seen.insert(text(path)) {
            causes.push(Cause::duplicate(at, path));
        }
    }
    if seen.len() > MOST_SELECTABLE {
        let count = u64::try_from(seen.len()).unwrap_or(u64::MAX);
        causes.push(Cause::too_many(format!("{at}.selectableFields"), count, MOST_SELECTABLE as u64));
    }
}

/// The schema that a path leads to.
fn follow<'a>(path: &str, schema: &'a Value) -> Result<&'a Value, String> {
    let Some(names) = path.strip_prefix('.') else {
        let start = path.split('.').next().unwrap_or_default();
        return Err(format!("expected [ or . but got: {start}"));
    };
    let mut schema = schema;
    for name in names.split('.') {
        if name.contains('[') {
            return Err("array notation is not allowed".into());
        }
        let below = if schema["properties"].is_object() {
            schema["properties"].get(name)
        } else {
            schema.get("additionalProperties").filter(|schema| schema.is_object())
        };
        schema = below.ok_or("does not refer to a valid field")?;
    }
    Ok(schema)
}

/// Versions as Go shows them; what all have alike is kept elsewhere.
pub(super) fn shown(versions: &[Value]) -> String {
    // The server prints where in its memory things are.
    let pointer = |kind: &str, there: bool| format!("(*{kind})({})", if there { "0xc000000000" } else { "nil" });
    let fields = ["schema", "subresources", "additionalPrinterColumns", "selectableFields"];
    let differing: HashSet<&str> = fields.into_iter().filter(|field| common(versions, field).is_none()).collect();
    let own = |version: &Value, field: &str| differing.contains(field) && !version[field].is_null();
    let list = |version: &Value, field: &str, kind: &str| {
        format!("[]apiextensions.{kind}{}", if own(version, field) { "{}" } else { "(nil)" })
    };
    let versions = versions.iter().map(|version| {
        format!(
            "apiextensions.CustomResourceDefinitionVersion{{Name:{}, Served:{}, Storage:{}, Deprecated:{}, DeprecationWarning:{}, Schema:{}, \
             Subresources:{}, AdditionalPrinterColumns:{}, SelectableFields:{}}}",
            quote(text(&version["name"])),
            version["served"] == true,
            version["storage"] == true,
            version["deprecated"] == true,
            pointer("string", version["deprecationWarning"].is_string()),
            pointer("apiextensions.CustomResourceValidation", own(version, "schema")),
            pointer("apiextensions.CustomResourceSubresources", own(version, "subresources")),
            list(version, "additionalPrinterColumns", "CustomResourceColumnDefinition"),
            list(version, "selectableFields", "SelectableField"),
        )
    });
    format!("[]apiextensions.CustomResourceDefinitionVersion{{{}}}", versions.collect::<Vec<_>>().join(", "))
}

const NO_PATH: &str = "must be a simple json path starting with .";
const NO_SCALAR: &str = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
const COLUMN_TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: &[&str] = &["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
/// `MaxSelectableFields` of apiextensions.
const MOST_SELECTABLE: usize = 8;
/// `validateDeprecationWarning` of apiextensions.
const LONGEST_WARNING_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(check: impl FnOnce(&mut Vec<Cause>)) -> Vec<String> {
        let mut causes = Vec::new();
        check(&mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn columns_have_a_name_a_type_and_a_path() {
        let of = |column: Value| told(|causes| columns(&json!([column]), "spec", causes));
        assert_eq!(of(json!({"name": "Size", "type": "integer", "jsonPath": ".spec.size"})), [""; 0]);
        assert_eq!(
            of(json!({"type": "int", "format": "int8", "jsonPath": "spec.size"})),
            [
                "spec.additionalPrinterColumns[0].name: Required value",
                "spec.additionalPrinterColumns[0].type: Invalid value: \"int\": must be one of boolean,date,integer,number,string",
                "spec.additionalPrinterColumns[0].format: Invalid value: \"int8\": must be one of byte,date,date-time,double,float,int32,\
                 int64,password",
                "spec.additionalPrinterColumns[0].JSONPath: Invalid value: \"spec.size\": must be a simple json path starting with ."
            ]
        );
    }

    #[test]
    fn scale_looks_under_spec_and_status() {
        let of = |paths: Value| told(|causes| scale(&paths, "spec.subresources", causes));
        assert_eq!(of(json!({"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"})), [""; 0]);
        assert_eq!(
            of(json!({"specReplicasPath": ".status.n", "statusReplicasPath": "", "labelSelectorPath": "x"})),
            [
                "spec.subresources.scale.specReplicasPath: Invalid value: \".status.n\": should be a json path under .spec",
                "spec.subresources.scale.statusReplicasPath: Required value",
                "spec.subresources.scale.labelSelectorPath: Invalid value: \"x\": must be a simple json path starting with ."
            ]
        );
    }

    #[test]
    fn objects_are_selected_by_scalars_of_their_schema() {
        let schema = json!({"properties": {
            "spec": {"type": "object", "properties": {"colour": {"type": "string"}, "parts": {"type": "array"}}},
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}}
        }});
        let of = |paths: &[&str]| {
            let fields: Vec<Value> = paths.iter().map(|path| json!({"jsonPath": path})).collect();
            let problems = told(|causes| selectable(&json!(fields), &schema, "spec", causes));
            problems.into_iter().map(|problem| problem.rsplit_once("value: ").unwrap().1.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(&[".spec.colour"]), [""; 0]);
        assert_eq!(of(&[".spec.colour", ".spec.colour"]), ["\".spec.colour\""]);
        assert_eq!(of(&[".spec.size"]), ["\".spec.size\": is an invalid path: does not refer to a valid field"]);
        assert_eq!(of(&["spec"]), ["\"spec\": is an invalid path: expected [ or . but got: spec"]);
        assert_eq!(of(&[".spec.parts[0]"]), ["\".spec.parts[0]\": is an invalid path: array notation is not allowed"]);
        assert!(of(&[".spec.parts"])[0].contains("must point to a field of type string"));
        assert!(of(&[".metadata.name"])[0].contains("must not point to fields in metadata"));
    }

    #[test]
    fn only_what_is_deprecated_warns() {
        let of = |version: Value| told(|causes| deprecation(&version, "v", causes));
        assert_eq!(of(json!({"deprecated": true, "deprecationWarning": "use v2"})), [""; 0]);
        assert!(of(json!({"deprecationWarning": "use v2"}))[0].ends_with("can only be set for deprecated versions"));
        assert!(of(json!({"deprecated": true, "deprecationWarning": ""}))[0].ends_with("must not be an empty string"));
    }
}
