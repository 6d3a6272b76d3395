//! What an answer of Rancher's REST API says, whoever gave it.

use super::RancherError;
use super::client::without_query;
use serde_json::Value;
use std::time::Duration;

/// An answer as far as it matters.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Where it redirects to.
    pub location: Option<String>,
    /// What it says of its body, if anything.
    pub content_type: String,
    /// How long to wait before the next attempt.
    pub retry_after: Option<Duration>,
    /// Its body.
    pub text: String,
}

impl Answer {
    /// The JSON of an answer that grants `call`, or what it says instead.
    pub fn json(&self, call: String) -> Result<Value, RancherError> {
        if let 300..400 = self.status {
            let location = self.location.as_deref().unwrap_or("nowhere");
            return Err(RancherError::Redirected { call, location: without_query(location).to_owned() });
        }
        let json: Option<Value> = serde_json::from_str(&self.text).ok();
        let field = |name: &str| json.as_ref().and_then(|json| json[name].as_str()).unwrap_or_default().to_owned();
        match self.status {
            200..300 => match json {
                Some(json @ Value::Object(_)) => Ok(json),
                _ => Err(RancherError::Unexpected { call, found: self.describe() }),
            },
            401 => Err(RancherError::Unauthorized),
            403 => Err(RancherError::Forbidden { call, message: field("message") }),
            status @ (429 | 503) => Err(RancherError::Busy { status, call, retry_after: self.retry_after }),
            status @ 500.. => Err(RancherError::Failing { status, call, message: field("message") }),
            404 if json.is_none() => Err(RancherError::NotARancher { call }),
            _ if json.is_none() => Err(RancherError::Unexpected { call, found: self.describe() }),
            status => Err(RancherError::Refused { status, code: field("code"), message: field("message"), call }),
        }
    }

    /// What came instead of JSON: its type and first words, never the whole.
    fn describe(&self) -> String {
        let words: Vec<&str> = self.text.split_whitespace().take(8).collect();
        let start: String = words.join(" ").chars().take(60).collect();
        let kind = if self.content_type.is_empty() { "no content type" } else { &self.content_type };
        format!("{kind}, beginning \"{start}\"")
    }
}
