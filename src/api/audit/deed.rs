//! What there is to say of a request, and how a line of it looks.

use crate::api::auth::Caller;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::Formatter;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

/// What is known of a request before its outcome is.
#[derive(Debug)]
pub(in crate::api) struct Deed {
    /// What all its lines have in common and no others, those of other runs of the agent included.
    pub(in crate::api) id: String,
    pub(in crate::api) source: IpAddr,
    pub(in crate::api) caller: Caller,
    pub(in crate::api) method: String,
    /// The path without its query.
    pub(in crate::api) path: String,
    /// The cluster it is about, the beginning of the names of many with a star, or a selection of them.
    pub(in crate::api) cluster: Option<String>,
}

/// How far a request got.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::api) enum Outcome {
    /// The manager is about to be told.
    Begun,
    /// It was answered with this status, after so long if that is known; why, where it was refused.
    Answered { status: u16, detail: Option<String>, took: Option<Duration> },
    /// Nobody will say: the agent stopped before.
    Unknown { took: Duration },
}

/// A line.
#[derive(Serialize)]
struct Record<'a> {
    ts: Timestamp,
    id: &'a str,
    source: IpAddr,
    caller: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
}

impl Deed {
    /// Its line.
    pub(super) fn line(&self, outcome: &Outcome) -> io::Result<Vec<u8>> {
        let (status, detail, took) = match outcome {
            Outcome::Begun => (None, None, None),
            Outcome::Answered { status, detail, took } => (Some(*status), detail.as_deref(), *took),
            Outcome::Unknown { took } => (None, Some("the agent stopped before it was known"), Some(*took)),
        };
        line(&Record {
            ts: Timestamp::now(),
            id: &self.id,
            source: self.source,
            caller: &self.caller.name,
            role: self.caller.role.map(|role| role.as_str()),
            method: clip(&self.method),
            path: clip(&self.path),
            cluster: self.cluster.as_deref().map(clip),
            outcome: outcome.as_str(),
            status,
            detail: detail.map(clip),
            took_ms: took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        })
    }
}

impl Outcome {
    fn as_str(&self) -> &'static str {
        match self {
            Outcome::Begun => "begun",
            Outcome::Unknown { .. } => "unknown",
            Outcome::Answered { status, .. } => match status {
                202 => "accepted",
                200..=299 => "done",
                500..=599 => "failed",
                _ => "refused",
            },
        }
    }
}

/// A line of JSON, of printable ASCII only.
pub(super) fn line(record: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    record.serialize(&mut serde_json::Serializer::with_formatter(&mut line, Ascii))?;
    line.push(b'\n');
    Ok(line)
}

/// What a client makes up must not speak to the terminal of whoever reads the log, nor turn its direction.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        fragment.chars().try_for_each(|char| match char {
            ' '..='~' => write!(writer, "{char}"),
            _ => char.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(writer, "\\u{unit:04x}")),
        })
    }
}

/// What a client makes up must not fill the log.
fn clip(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_TEXT).map_or(text.len(), |(end, _)| end);
    &text[..end]
}

const MAX_TEXT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;
    use serde_json::{Value, json};

    fn deed(path: &str, cluster: Option<&str>) -> Deed {
        Deed {
            id: "18-1".into(),
            source: IpAddr::from([192, 0, 2, 1]),
            caller: Caller { name: "ci".into(), role: Some(Role::Operator) },
            method: "POST".into(),
            path: path.into(),
            cluster: cluster.map(str::to_owned),
        }
    }

    fn answered(status: u16, detail: Option<&str>) -> Outcome {
        Outcome::Answered { status, detail: detail.map(str::to_owned), took: Some(Duration::from_millis(42)) }
    }

    fn shown(deed: &Deed, outcome: &Outcome) -> Value {
        let mut shown: Value = serde_json::from_slice(&deed.line(outcome).unwrap()).unwrap();
        let ts = shown.as_object_mut().unwrap().remove("ts").unwrap();
        assert!(ts.as_str().unwrap().parse::<Timestamp>().is_ok(), "{ts}");
        shown
    }

    #[test]
    fn a_line_says_who_did_what_to_which_cluster_from_where_with_what_outcome() {
        let deed = deed("/clusters", Some("edge-1"));
        let mut expected = json!({"id": "18-1", "source": "192.0.2.1", "caller": "ci", "role": "operator", "method": "POST",
            "path": "/clusters", "cluster": "edge-1", "outcome": "begun"});
        assert_eq!(shown(&deed, &Outcome::Begun), expected);
        for (status, outcome) in [(201, "done"), (202, "accepted"), (409, "refused"), (503, "failed")] {
            expected["outcome"] = outcome.into();
            expected["status"] = status.into();
            expected["took_ms"] = 42.into();
            assert_eq!(shown(&deed, &answered(status, None)), expected);
        }
        let unknown = shown(&deed, &Outcome::Unknown { took: Duration::ZERO });
        assert_eq!((&unknown["outcome"], &unknown["status"]), (&"unknown".into(), &Value::Null));
        assert_eq!(shown(&deed, &answered(409, Some("in use")))["detail"], "in use");
    }

    #[test]
    fn what_a_client_makes_up_is_clipped_and_speaks_to_no_terminal() {
        let evil = "a\n{\"id\":1}\x1b[2J\u{9b}2J\u{7f}\u{202e}\u{1f600}";
        let deed = deed(evil, Some(&"é".repeat(1000)));
        let line = deed.line(&answered(404, Some(evil))).unwrap();
        let (end, text) = line.split_last().unwrap();
        assert!(*end == b'\n' && text.iter().all(|byte| (b' '..=b'~').contains(byte)), "{line:?}");
        let shown = shown(&deed, &answered(404, Some(evil)));
        assert_eq!((&shown["path"], &shown["detail"]), (&evil.into(), &evil.into()));
        assert_eq!(shown["cluster"], "é".repeat(MAX_TEXT));
    }
}
