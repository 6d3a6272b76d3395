//! Request bodies: bounded, JSON, with errors that point at the place.

use super::problem::{Kind, Problem};
use crate::yaml::nearest;
use serde_json::{Map, Value};
use std::io::Read;
use tiny_http::Request;

/// Reads the body of a request as a JSON object with no other fields than `known`.
pub(super) fn read_object(request: &mut Request, limit: usize, known: &[&str]) -> Result<Map<String, Value>, Problem> {
    parse_object(&read_body(request, limit)?, known)
}

/// Reads the body of a request as a JSON object whose fields the caller checks.
pub(super) fn read_any_object(request: &mut Request, limit: usize) -> Result<Map<String, Value>, Problem> {
    parse_any_object(&read_body(request, limit)?)
}

fn read_body(request: &mut Request, limit: usize) -> Result<Vec<u8>, Problem> {
    if let Some(kind) = header(request, "Content-Type")
        && !is_json(&kind)
    {
        return Err(Problem::new(
            Kind::UnsupportedMediaType,
            format!("the body is {kind}"),
            "send JSON, with Content-Type: application/json or none",
        ));
    }
    let too_large = || {
        let detail = format!("the body is larger than {limit} bytes (MaxRequestBytes)");
        Problem::new(Kind::TooLarge, detail, "a cluster needs no more than its name")
    };
    if request.body_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    request.as_reader().take(limit as u64 + 1).read_to_end(&mut body).map_err(|error| {
        Problem::new(
            Kind::BadRequest,
            format!("the body breaks off: {error}"),
            "send as many bytes as Content-Length says",
        )
    })?;
    if body.len() > limit {
        return Err(too_large());
    }
    Ok(body)
}

fn parse_any_object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body.is_empty() {
        return Err(bad("the body is empty"));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(bad(format!("the body is {}, not an object", type_of(&other)))),
        Err(error) => Err(bad(format!("the body is no JSON: {error}"))),
    }
}

fn parse_object(body: &[u8], known: &[&str]) -> Result<Map<String, Value>, Problem> {
    let object = parse_any_object(body)?;
    if let Some(field) = object.keys().find(|field| !known.contains(&field.as_str())) {
        let hint = nearest(field, known.iter().copied()).map(|near| format!("; did you mean {near:?}?"));
        return Err(bad(format!("the field {field:?} is unknown{}", hint.unwrap_or_default())));
    }
    Ok(object)
}

/// The field as a string.
pub(super) fn string(object: &Map<String, Value>, field: &str) -> Result<String, Problem> {
    match object.get(field) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(bad(format!("the field {field:?} is {}, expected a string", type_of(other)))),
        None => Err(bad(format!("the field {field:?} is missing"))),
    }
}

/// The field as a switch, off if it is not there.
pub(super) fn flag(object: &Map<String, Value>, field: &str) -> Result<bool, Problem> {
    match object.get(field) {
        Some(Value::Bool(on)) => Ok(*on),
        Some(other) => Err(bad(format!("the field {field:?} is {}, expected true or false", type_of(other)))),
        None => Ok(false),
    }
}

/// The field as a whole number within a range; `None` if it is not there.
pub(super) fn number(object: &Map<String, Value>, field: &str, min: u32, max: u32) -> Result<Option<u32>, Problem> {
    let Some(value) = object.get(field) else { return Ok(None) };
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|n| (min..=max).contains(n));
    number.map(Some).ok_or_else(|| {
        let detail = format!("the field {field:?} is {value}, expected a whole number from {min} to {max}");
        Problem::new(Kind::BadRequest, detail, "mend that field")
    })
}

/// The value of a header field.
pub(super) fn header(request: &Request, name: &'static str) -> Option<String> {
    request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str().to_owned())
}

/// curl sends a form's content type with `-d`, and every tester forgets the header: a form is taken for the JSON it means to be.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/merge-patch+json", "application/x-www-form-urlencoded"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(Kind::BadRequest, detail, r#"send a JSON object such as {"name":"edge-0001"}"#)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(body: &str) -> String {
        let problem = parse_object(body.as_bytes(), &["name"]).and_then(|object| string(&object, "name")).unwrap_err();
        serde_json::to_value(problem).unwrap()["detail"].as_str().unwrap().to_owned()
    }

    #[test]
    fn each_mistake_is_named() {
        for (body, expected) in [
            ("", "the body is empty"),
            ("[1]", "the body is an array, not an object"),
            (r#"{"nmae":"x"}"#, r#"the field "nmae" is unknown; did you mean "name"?"#),
            (r#"{"name":7}"#, r#"the field "name" is a number, expected a string"#),
            ("{}", r#"the field "name" is missing"#),
        ] {
            assert_eq!(detail(body), expected, "{body}");
        }
        assert!(detail("{\"name\":\n x}").contains("line 2 column 2"));
    }
}
