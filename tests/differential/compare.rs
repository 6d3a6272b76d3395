//! What differs between two answers, field by field.

use crate::recording::Step;
use scale_cluster_agent::http1::Headers;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One place where two answers differ; an absent value is null.
#[derive(Debug, Clone)]
pub struct Difference {
    /// JSON pointer into the body (`missing/N` and `extra/N` being events that one stream has alone), `status`, or `header NAME`.
    pub at: String,
    pub recorded: String,
    pub ours: String,
}

impl Difference {
    pub fn new(at: &str, recorded: &Value, ours: &Value) -> Difference {
        let short = |value: &Value| if value.is_null() { "-".to_owned() } else { value.to_string() };
        Difference { at: at.to_owned(), recorded: short(recorded), ours: short(ours) }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} | {}", self.at, self.recorded, self.ours)
    }
}

/// Compares the headers that recordings keep.
pub fn compare_headers(recorded: &BTreeMap<String, String>, ours: &Headers, out: &mut Vec<Difference>) {
    let names = ["Content-Type", "Warning", "Retry-After", "Cache-Control", "X-Content-Type-Options", "Audit-Id"];
    for name in names {
        let all: Vec<&str> =
            ours.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect();
        let ours = if all.is_empty() { Value::Null } else { Value::from(all.join("\n")) };
        let recorded = recorded.get(name).map_or(Value::Null, |value| Value::from(value.as_str()));
        compare(&format!("header {name}"), &recorded, &ours, out);
    }
}

/// Compares two trees; a mark such as `<uid>` in the recorded one stands for anything of its form.
pub fn compare(at: &str, recorded: &Value, ours: &Value, out: &mut Vec<Difference>) {
    match (recorded, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let here = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                compare(&here, a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{at}/{index}"), a, b, out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.iter().chain(b).all(is_event) => compare_events(at, a, b, out),
        (Value::String(pattern), Value::Number(port)) if pattern == "<port>" && port.is_u64() => {}
        (Value::String(pattern), Value::String(text)) if matches(pattern, text) => {}
        (a, b) if a == b => {}
        (a, b) => out.push(Difference::new(at, a, b)),
    }
}

fn is_event(value: &Value) -> bool {
    value["type"].is_string() && value["object"].is_object()
}

/// Compares two streams of which one has more events: those that both have in the same order say which ones the other lacks.
fn compare_events(at: &str, recorded: &[Value], ours: &[Value], out: &mut Vec<Difference>) {
    let same = |i: usize, j: usize| {
        let mut differences = Vec::new();
        compare("", &recorded[i], &ours[j], &mut differences);
        differences.is_empty()
    };
    // The longest common subsequence of the rests from i and j on.
    let mut longest = vec![vec![0_usize; ours.len() + 1]; recorded.len() + 1];
    for i in (0..recorded.len()).rev() {
        for j in (0..ours.len()).rev() {
            longest[i][j] =
                if same(i, j) { longest[i + 1][j + 1] + 1 } else { longest[i + 1][j].max(longest[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < recorded.len() || j < ours.len() {
        if i < recorded.len() && j < ours.len() && same(i, j) {
            (i, j) = (i + 1, j + 1);
        } else if i < recorded.len() && (j == ours.len() || longest[i + 1][j] >= longest[i][j + 1]) {
            out.push(Difference::new(&format!("{at}/missing/{i}"), &recorded[i], &Value::Null));
            i += 1;
        } else {
            out.push(Difference::new(&format!("{at}/extra/{j}"), &Value::Null, &ours[j]));
            j += 1;
        }
    }
}

/// Every place of a recorded answer at which something may differ.
pub fn places(step: &Step) -> Vec<String> {
    let mut places: Vec<String> = step.answer.keys().map(|name| format!("header {name}")).collect();
    collect(String::new(), &step.content, &mut places);
    places
}

fn collect(at: String, value: &Value, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value));
            fields.for_each(|(name, value)| collect(format!("{at}/{name}"), value, places));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| collect(format!("{at}/{index}"), value, places));
        }
        _ => {}
    }
    places.push(at);
}

/// Events come in the order of their revisions, each with its own; recordings show only that each has one.
pub fn compare_revisions(events: &Value, out: &mut Vec<Difference>) {
    let events = events.as_array().into_iter().flatten();
    let changes = events.filter(|event| matches!(event["type"].as_str(), Some("MODIFIED" | "DELETED")));
    let revision = |event: &Value| event["object"]["metadata"]["resourceVersion"].as_str()?.parse::<u64>().ok();
    let revisions: Vec<Option<u64>> = changes.map(revision).collect();
    if !revisions.is_sorted_by(|a, b| a < b) {
        out.push(Difference::new("order of revisions", &Value::Null, &json!(revisions)));
    }
}

/// Whether a text fits a pattern with marks.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, mark, after)) = next_mark(pattern) else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    // The longest piece first: what follows a mark is seldom of its form.
    let ends = (1..=rest.len()).rev().filter(|end| rest.is_char_boundary(*end));
    ends.into_iter().any(|end| has_form(mark, &rest[..end]) && matches(after, &rest[end..]))
}

fn next_mark(pattern: &str) -> Option<(&str, &str, &str)> {
    let found = MARKS.iter().filter_map(|mark| Some((pattern.find(mark)?, *mark))).min()?;
    let (start, mark) = found;
    Some((&pattern[..start], mark, &pattern[start + mark.len()..]))
}

fn has_form(mark: &str, text: &str) -> bool {
    let all = |allowed: &str| text.chars().all(|c| allowed.contains(c));
    match mark {
        "<uid>" => text.len() == 36 && all("0123456789abcdef-"),
        "<rv>" => all("0123456789"),
        "<time>" => text.len() == 20 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(),
        "<microtime>" => text.len() == 27 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(),
        "<generated>" => text.len() == 5 && all("bcdfghjklmnpqrstvwxz2456789"),
        "<hash>" => (1..=10).contains(&text.len()) && all("bcdfghjklmnpqrstvwxz2456789"),
        "<ip>" => text.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.octets()[..2] == [10, 43]),
        "<age>" => all("0123456789smhd"),
        // Tokens, certificates and continue tokens are the server's own matter.
        _ => true,
    }
}

const MARKS: [&str; 13] = [
    "<object>",
    "<pointer>",
    "<uid>",
    "<rv>",
    "<time>",
    "<microtime>",
    "<generated>",
    "<hash>",
    "<ip>",
    "<age>",
    "<token>",
    "<pem>",
    "<continue>",
];

#[test]
fn marks_stand_for_their_forms() {
    assert!(matches("a <uid> b", "a 01234567-89ab-4cde-8f01-23456789abcd b"));
    assert!(!matches("a <uid> b", "a none b"));
    assert!(matches("x-<generated>", "x-bcdfg") && !matches("x-<generated>", "x-aeiou"));
    assert!(matches("<time>", "2026-01-01T00:00:00Z") && !matches("<time>", "2026-01-01T00:00:00.000000Z"));
}
