//! The shapes of norman, Rancher's API framework: errors, collections, queries (`norman/httperror/error.go`,
//! `norman/types/types.go`).

use crate::http1::Headers;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// Header fields without framing.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// A norman error: the status that its code maps to, the code, the field and the message.
pub(super) struct NormanError {
    status: u16,
    code: &'static str,
    field: Option<&'static str>,
    message: String,
}

impl Reply {
    /// A reply in plain text.
    pub fn text(status: u16, text: &str) -> Reply {
        let headers = [("Content-Type", "text/plain; charset=utf-8")].into_iter().collect();
        Reply { status, headers, body: text.as_bytes().to_vec() }
    }

    /// A reply in JSON.
    pub(super) fn json(status: u16, value: &Value) -> Reply {
        let headers = [("Content-Type", "application/json")].into_iter().collect();
        Reply { status, headers, body: value.to_string().into_bytes() }
    }
}

impl NormanError {
    /// An error with the status that norman maps `code` to.
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> NormanError {
        NormanError { status, code, field: None, message: message.into() }
    }

    /// Names the field that is wrong.
    pub(super) fn about(mut self, field: &'static str) -> NormanError {
        self.field = Some(field);
        self
    }
}

impl From<NormanError> for Reply {
    fn from(error: NormanError) -> Reply {
        let mut value = json!({"type": "error", "status": error.status, "code": error.code, "message": error.message});
        if let Some(field) = error.field {
            value["fieldName"] = field.into();
        }
        let mut reply = Reply::json(error.status, &value);
        if error.status == 401 {
            reply.headers.push("X-API-Cattle-Auth", "false");
        }
        reply
    }
}

/// The parameters of a query string; the first of each name counts.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind the `?`.
    pub(super) fn parse(query: &str) -> Query {
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Query(pairs.map(|(name, value)| (decode(name), decode(value))).collect())
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A page of a list; `next` is the URL of the page after it.
pub(super) fn collection(base: &str, kind: &str, data: Vec<Value>, limit: usize, next: Option<String>) -> Value {
    let mut pagination = json!({"limit": limit});
    if let Some(next) = next {
        pagination["next"] = next.into();
    }
    json!({
        "type": "collection",
        "resourceType": kind,
        "links": {"self": format!("{base}/v3/{kind}s")},
        "pagination": pagination,
        "data": data,
    })
}

/// Reads the body of a create.
pub(super) fn parse_object(body: &[u8]) -> Result<Value, NormanError> {
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(NormanError::new(422, "InvalidBodyContent", "Failed to parse body: not an object")),
        Err(error) => Err(NormanError::new(422, "InvalidBodyContent", format!("Failed to parse body: {error}"))),
    }
}

/// The answer to whatever does not exist.
pub(super) fn not_found() -> NormanError {
    NormanError::new(404, "NotFound", "not found")
}
