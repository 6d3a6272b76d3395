//! Request bodies into JSON trees.

mod duplicates;
mod protobuf;
mod wire;
mod yaml;

use super::Status;
use serde_json::{Value, json};
use std::fmt::Write;

pub(super) use yaml::from_yaml;

/// The object in a request body: JSON, YAML or Kubernetes protobuf by `Content-Type` (none is JSON). `kind` is what is expected there, for
/// the message. Errors are the answer to send: 400 for what cannot be read, 415 for a media type or a protobuf kind that is not known.
pub fn body(content_type: Option<&str>, body: &[u8], kind: &str) -> Result<Value, Status> {
    body_and_duplicates(content_type, body, kind).map(|(object, _)| object)
}

/// The same, with the paths of fields that stand twice in JSON.
pub(super) fn body_and_duplicates(
    content_type: Option<&str>,
    body: &[u8],
    kind: &str,
) -> Result<(Value, Vec<String>), Status> {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let decoded = match media_type.to_ascii_lowercase().as_str() {
        "" | JSON => {
            let parsed = duplicates::from_slice(body);
            parsed.map_err(|e| format!("couldn't get version/kind; json parse error: {}", json_problem(&e, body)))
        }
        YAML => from_yaml(body).map(unique).map_err(|e| yaml_problem(&e)),
        PROTOBUF => match protobuf::decode(body) {
            Err(protobuf::Problem::UnknownKind(kind)) => {
                return Err(Status::unknown_protobuf_kind(&kind, &[JSON, YAML]));
            }
            Err(protobuf::Problem::Malformed(problem)) => Err(problem),
            Ok(object) => Ok(unique(object)),
        },
        _ => return Err(Status::unsupported_media_type(&[JSON, YAML, PROTOBUF])),
    };
    let decoded = decoded.and_then(|(value, duplicates)| match value {
        Value::Null => Ok((json!({}), duplicates)),
        Value::Object(ref fields) => {
            let odd = ["apiVersion", "kind"].iter().find_map(|name| Some((name, fields.get(*name)?)));
            match odd.filter(|(_, value)| !value.is_string() && !value.is_null()) {
                Some((name, value)) => Err(format!(
                    "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go struct field .{name} of type string",
                    type_name(value)
                )),
                None => Ok((value, duplicates)),
            }
        }
        other => Err(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \
             \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
            type_name(&other)
        )),
    });
    decoded.map_err(|problem| {
        let problem =
            format!("the object provided is unrecognized (must be of type {kind}): {problem} ({})", summary(body));
        Status::bad_request(problem)
    })
}

/// What Go says of bytes that are no JSON.
pub(super) fn json_problem(error: &serde_json::Error, body: &[u8]) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".into();
    }
    let line = body.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let at = String::from_utf8_lossy(line).chars().nth(error.column().saturating_sub(1));
    match at.filter(|_| error.to_string().starts_with("expected value")) {
        Some(c) => format!("invalid character '{c}' looking for beginning of value"),
        None => error.to_string(),
    }
}

/// What Go says of text that is no YAML.
pub(super) fn yaml_problem(error: &str) -> String {
    format!("yaml: {}", error.split(" at line ").next().unwrap_or_default())
}

fn unique(object: Value) -> (Value, Vec<String>) {
    (object, Vec::new())
}

/// The beginning of a body, in hexadecimal unless it looks like JSON.
fn summary(body: &[u8]) -> String {
    let shown = &body[..body.len().min(SUMMARY_BYTES)];
    let mut summary = match shown {
        [] => return "<empty>".into(),
        [b'{', ..] => String::from_utf8_lossy(shown).into_owned(),
        bytes => bytes.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            _ = write!(hex, "{byte:02x}");
            hex
        }),
    };
    if body.len() > SUMMARY_BYTES {
        summary.push_str(" ...");
    }
    summary
}

/// What Go's JSON decoder calls a value.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// As much as an API server quotes.
const SUMMARY_BYTES: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_is_the_default() {
        let object = json!({"kind": "Pod"});
        assert_eq!(body(None, br#"{"kind":"Pod"}"#, "Pod"), Ok(object.clone()));
        assert_eq!(body(Some("application/json; charset=utf-8"), br#"{"kind":"Pod"}"#, "Pod"), Ok(object));
    }

    #[test]
    fn yaml_is_read_as_json() {
        let yaml = b"kind: ConfigMap\ndata:\n  a: \"1\"\n  2: b\nlist: [1, 2.5, true, null]\n";
        assert_eq!(
            body(Some("application/yaml"), yaml, "ConfigMap"),
            Ok(json!({"kind": "ConfigMap", "data": {"a": "1", "2": "b"}, "list": [1, 2.5, true, null]}))
        );
    }

    #[test]
    fn garbage_is_quoted_back() {
        let message = |content_type, bytes: &[u8]| {
            let status = body(content_type, bytes, "Pod").unwrap_err();
            assert_eq!(status.code, 400);
            status.message
        };
        let garbage = message(None, b"garbage");
        assert!(garbage.starts_with(
            "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: "
        ));
        assert!(garbage.ends_with("(67617262616765)"), "{garbage}");
        assert!(message(None, b"").ends_with("(<empty>)"));
        assert!(
            message(None, br#"{"kind":"Pod","metadata":{"name":12"#)
                .ends_with(r#"({"kind":"Pod","metadata":{"nam ...)"#)
        );
        assert!(message(None, b"[]").contains("cannot unmarshal array into Go value"));
        assert!(
            message(Some("application/yaml"), b"a: b: c")
                .contains(": yaml: mapping values are not allowed in this context (")
        );
    }

    #[test]
    fn other_media_types_are_refused() {
        let status = body(Some("text/plain"), b"{}", "Pod").unwrap_err();
        assert_eq!(status.code, 415);
        assert_eq!(
            status.message,
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, \
             application/vnd.kubernetes.protobuf"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, which in 0..3usize) {
            let _ = body([None, Some("application/yaml"), Some("application/vnd.kubernetes.protobuf")][which], &bytes, "Pod");
        }
    }
}
