//! Turns the calls of a profile into requests and judges the replies, without I/O.

use super::{Call, Verb};
use crate::http1::Method;
use serde_json::Value;
use std::collections::BTreeMap;

/// Replies that were saved and the call that is half done.
#[derive(Debug, Default)]
pub struct Script {
    saved: BTreeMap<String, Value>,
    /// The object that an [`Verb::Amend`] has read and will write.
    amending: Option<Value>,
}

/// A request to a cluster's API; authentication and framing are the caller's.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The `Accept` header.
    pub accept: String,
    /// The JSON body.
    pub body: Option<Vec<u8>>,
}

/// What a reply means for the call it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The call has a second request: prepare it again.
    Again,
    /// The call is done.
    Done,
}

impl Script {
    /// The next request of `call`. Fails when a placeholder leads nowhere.
    pub fn prepare(&self, call: &Call) -> Result<Prepared, String> {
        let body = || call.body.as_ref().map(|body| self.fill_value(body)).transpose();
        let (method, body) = match (call.method, &self.amending) {
            (Verb::Get, _) | (Verb::Amend, None) => (Method::Get, None),
            (Verb::Post, _) => (Method::Post, body()?),
            (Verb::Amend, Some(object)) => {
                let mut object = object.clone();
                json_patch::merge(&mut object, &body()?.unwrap_or_default());
                (Method::Put, Some(object))
            }
        };
        let accept = call.accept.clone().unwrap_or_else(|| "application/json".to_owned());
        Ok(Prepared {
            method,
            target: self.fill(&call.path)?,
            accept,
            body: body.map(|body| body.to_string().into_bytes()),
        })
    }

    /// Judges the reply to what [`prepare`](Self::prepare) prepared. After an error the call starts anew.
    pub fn judge(&mut self, call: &Call, status: u16, body: &[u8]) -> Result<Step, String> {
        let written = self.amending.take().is_some();
        if call.method == Verb::Amend && !written {
            if status != 200 {
                return Err(format!("GET answered {status}"));
            }
            self.amending = Some(parse(body)?);
            return Ok(Step::Again);
        }
        let expected =
            if call.expect.is_empty() { (200..300).contains(&status) } else { call.expect.contains(&status) };
        if !expected {
            return Err(format!("answered {status}"));
        }
        if call.require.is_empty() && call.save.is_none() {
            return Ok(Step::Done);
        }
        let reply = parse(body)?;
        for pointer in &call.require {
            if reply.pointer(pointer).and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(format!("has no {pointer} in its reply"));
            }
        }
        if let Some(name) = &call.save {
            self.saved.insert(name.clone(), reply);
        }
        Ok(Step::Done)
    }

    fn fill_value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill(text)?),
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.fill_value(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.fill_value(value)?)))
                    .collect::<Result<_, String>>()?,
            ),
            scalar => scalar.clone(),
        })
    }

    fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (placeholder, after) = after.split_once('}').ok_or("has a placeholder without an end")?;
            let (name, pointer) = placeholder.split_once(':').ok_or("has a placeholder without a pointer")?;
            let value = self.saved.get(name).and_then(|reply| reply.pointer(pointer)).and_then(Value::as_str);
            filled.push_str(before);
            filled.push_str(value.ok_or_else(|| format!("needs {placeholder}, which no reply had"))?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

fn parse(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("answered no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(yaml: &str) -> Call {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn body_of(prepared: &Prepared) -> Value {
        serde_json::from_slice(prepared.body.as_ref().unwrap()).unwrap()
    }

    #[test]
    fn a_saved_reply_fills_later_requests() {
        let mut script = Script::default();
        let get = call("{method: GET, path: /account, save: account}");
        assert_eq!(script.judge(&get, 200, br#"{"metadata":{"uid":"42","name":"a"}}"#), Ok(Step::Done));
        let post = call(
            r#"{method: POST, path: "/x/${account:/metadata/name}", body: {refs: [{uid: "u-${account:/metadata/uid}"}]}}"#,
        );
        let prepared = script.prepare(&post).unwrap();
        assert_eq!((prepared.method.clone(), prepared.target.as_str()), (Method::Post, "/x/a"));
        assert_eq!(body_of(&prepared), json!({"refs": [{"uid": "u-42"}]}));
    }

    #[test]
    fn a_placeholder_that_leads_nowhere_is_an_error() {
        let post = call(r#"{method: POST, path: "/x/${account:/metadata/name}"}"#);
        let error = Script::default().prepare(&post).unwrap_err();
        assert_eq!(error, "needs account:/metadata/name, which no reply had");
    }

    #[test]
    fn amend_reads_merges_and_writes_the_whole_object() {
        let mut script = Script::default();
        let amend = call("{method: AMEND, path: /ns, body: {metadata: {annotations: {seen: 'true'}}}}");
        assert_eq!(script.prepare(&amend).unwrap().method, Method::Get);
        let object = br#"{"metadata":{"name":"ns","resourceVersion":"7","annotations":{"old":"1"}},"spec":{}}"#;
        assert_eq!(script.judge(&amend, 200, object), Ok(Step::Again));
        let put = script.prepare(&amend).unwrap();
        assert_eq!(put.method, Method::Put);
        let expected = json!({
            "metadata": {"name": "ns", "resourceVersion": "7", "annotations": {"old": "1", "seen": "true"}}, "spec": {}
        });
        assert_eq!(body_of(&put), expected);
        assert_eq!(script.judge(&amend, 200, b"{}"), Ok(Step::Done));
    }

    #[test]
    fn a_conflict_starts_an_amend_anew() {
        let mut script = Script::default();
        let amend = call("{method: AMEND, path: /ns, body: {}}");
        script.judge(&amend, 200, b"{}").unwrap();
        assert_eq!(script.judge(&amend, 409, b"{}"), Err("answered 409".to_owned()));
        assert_eq!(script.prepare(&amend).unwrap().method, Method::Get);
    }

    #[test]
    fn what_is_required_must_be_in_the_reply() {
        let mut script = Script::default();
        let post = call("{method: POST, path: /secrets, body: {}, require: [/data/token]}");
        assert_eq!(script.judge(&post, 201, br#"{"data":{"token":"dA=="}}"#), Ok(Step::Done));
        let error = Err("has no /data/token in its reply".to_owned());
        assert_eq!(script.judge(&post, 201, br#"{"data":{"token":""}}"#), error);
        assert_eq!(script.judge(&post, 201, br#"{"data":{}}"#), error);
        assert!(script.judge(&post, 201, b"<html>").unwrap_err().starts_with("answered no JSON"));
    }

    #[test]
    fn only_expected_codes_are_success() {
        let mut script = Script::default();
        let absent = call("{method: GET, path: /apis/k3s.cattle.io/v1, expect: [404]}");
        assert_eq!(script.judge(&absent, 404, b""), Ok(Step::Done));
        assert_eq!(script.judge(&absent, 200, b""), Err("answered 200".to_owned()));
    }
}
