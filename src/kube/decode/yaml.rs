//! YAML into JSON trees, as sigs.k8s.io/yaml does: keys that are no strings become strings.

use crate::yaml::{DEPTH_LIMIT, too_deep};
use serde_json::{Map, Value};

/// The first document of `bytes`; an error is the parser's message.
pub(crate) fn from_yaml(bytes: &[u8]) -> Result<Value, String> {
    if too_deep(bytes).is_some() {
        return Err(format!("exceeded a nesting depth of {DEPTH_LIMIT}"));
    }
    let value: serde_yaml::Value = serde_yaml::from_slice(bytes).map_err(|error| error.to_string())?;
    json(value)
}

fn json(value: serde_yaml::Value) -> Result<Value, String> {
    Ok(match value {
        serde_yaml::Value::Null => Value::Null,
        serde_yaml::Value::Bool(value) => Value::Bool(value),
        serde_yaml::Value::String(value) => Value::String(value),
        serde_yaml::Value::Number(number) => {
            serde_json::to_value(&number).map_err(|_| format!("{number} has no form in JSON"))?
        }
        serde_yaml::Value::Sequence(values) => Value::Array(values.into_iter().map(json).collect::<Result<_, _>>()?),
        serde_yaml::Value::Mapping(entries) => {
            let entries = entries.into_iter().map(|(key, value)| Ok((text(key)?, json(value)?)));
            Value::Object(entries.collect::<Result<Map<_, _>, String>>()?)
        }
        serde_yaml::Value::Tagged(tagged) => json(tagged.value)?,
    })
}

fn text(key: serde_yaml::Value) -> Result<String, String> {
    match json(key)? {
        Value::String(text) => Ok(text),
        key @ (Value::Bool(_) | Value::Number(_)) => Ok(key.to_string()),
        _ => Err("unsupported map key".into()),
    }
}
