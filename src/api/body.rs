//! Request bodies: bounded, JSON, with errors that point at the place.

use super::field::type_of;
use super::problem::{Kind, Problem};
use serde_json::{Map, Value};
use std::io::Read;
use tiny_http::Request;

/// Reads the body of a request as a JSON object.
pub(super) fn read_object(request: &mut Request, limit: usize) -> Result<Map<String, Value>, Problem> {
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
    parse_object(&body)
}

fn parse_object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body.is_empty() {
        return Err(bad("the body is empty"));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(bad(format!("the body is {}, not an object", type_of(&other)))),
        Err(error) => Err(bad(format!("the body is no JSON: {error}"))),
    }
}

/// The value of a header field.
pub(super) fn header(request: &Request, name: &'static str) -> Option<String> {
    request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str().to_owned())
}

/// curl sends a form's content type with `-d`, and every tester forgets the header: a form is taken for the JSON it means to be.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    JSON_TYPES.iter().any(|known| kind.eq_ignore_ascii_case(known))
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(Kind::BadRequest, detail, r#"send a JSON object such as {"name":"edge-0001"}"#)
}

const JSON_TYPES: [&str; 3] = ["application/json", "application/merge-patch+json", "application/x-www-form-urlencoded"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named() {
        let detail = |body: &str| {
            let problem = parse_object(body.as_bytes()).unwrap_err();
            serde_json::to_value(problem).unwrap()["detail"].as_str().unwrap().to_owned()
        };
        assert_eq!(detail(""), "the body is empty");
        assert_eq!(detail("[1]"), "the body is an array, not an object");
        assert!(detail("{\"name\":\n x}").contains("line 2 column 2"));
    }
}
