//! The columns of custom kinds.

use super::duration;
use super::json_path::JsonPath;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A column of a CustomResourceDefinition's version.
#[derive(Debug, Clone)]
pub(super) struct CustomColumn {
    pub definition: Value,
    kind: String,
    /// `None` for a path that is not understood: its cells are empty.
    path: Option<JsonPath>,
}

/// The columns of `additionalPrinterColumns`, or the age alone.
pub(super) fn columns(additional_printer_columns: Option<&Value>) -> Vec<CustomColumn> {
    match additional_printer_columns.and_then(Value::as_array) {
        Some(columns) if !columns.is_empty() => columns.iter().map(column).collect(),
        _ => vec![column(&json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}))],
    }
}

fn column(column: &Value) -> CustomColumn {
    let text = |field: &str| column[field].as_str().unwrap_or_default();
    let (path, kind) = (text("jsonPath"), text("type"));
    let description = match text("description") {
        "" => format!("Custom resource definition column (in JSONPath format): {path}"),
        description => description.to_owned(),
    };
    CustomColumn {
        definition: json!({
            "name": text("name"),
            "type": kind,
            "format": text("format"),
            "description": description,
            "priority": column["priority"].as_i64().unwrap_or_default()
        }),
        kind: kind.to_owned(),
        path: JsonPath::parse(path),
    }
}

impl CustomColumn {
    pub(super) fn cell(&self, object: &Value, now: Timestamp) -> Value {
        let Some(value) = self.path.as_ref().and_then(|path| path.find(object)) else { return Value::Null };
        match (self.kind.as_str(), value) {
            (_, Value::Null) => Value::Null,
            ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => value.clone(),
            ("string", other) => other.to_string().into(),
            ("integer", Value::Number(number)) => {
                // As Go does, what follows the point is cut off; a float out of range saturates.
                number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)).into()
            }
            ("date", Value::String(text)) => match text.parse::<Timestamp>() {
                Ok(at) => duration::since(at, now).into(),
                Err(_) => "<invalid>".into(),
            },
            _ => Value::Null,
        }
    }
}
