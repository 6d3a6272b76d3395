//! What differs between two answers, field by field.

use scale_cluster_agent::http1::Headers;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One place where two answers differ; an absent value is null.
#[derive(Debug, Clone)]
pub struct Difference {
    /// JSON pointer into the body, `status`, or `header NAME`.
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
        (Value::String(pattern), Value::Number(port)) if pattern == "<port>" && port.is_u64() => {}
        (Value::String(pattern), Value::String(text)) if matches(pattern, text) => {}
        (a, b) if a == b => {}
        (a, b) => out.push(Difference::new(at, a, b)),
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
        "<ip>" => text.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.octets()[..2] == [10, 43]),
        "<age>" => all("0123456789smhd"),
        // Tokens, certificates and continue tokens are the server's own matter.
        _ => true,
    }
}

const MARKS: [&str; 12] = [
    "<object>",
    "<pointer>",
    "<uid>",
    "<rv>",
    "<time>",
    "<microtime>",
    "<generated>",
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
