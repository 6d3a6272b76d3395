//! The documents of a template's text, and errors that name lines in it.

use super::TemplateError;
use super::placeholder::{has_literal_cluster_name, has_mark, mask, unknown, unmask};
use crate::yaml::{DEPTH_LIMIT, Path, line_of, nearest, too_deep};
use serde::Deserialize;
use serde_yaml::Value;
use std::collections::HashSet;

/// A template's text with its placeholders masked.
pub(super) struct Text {
    file: String,
    masked: String,
}

/// One document of the text; `position` counts all documents, empty ones too.
pub(super) struct Document {
    pub(super) position: usize,
    pub(super) value: Value,
}

impl Text {
    pub(super) fn new(file: &str, yaml: &str) -> Result<Text, TemplateError> {
        let text = Text { file: file.into(), masked: mask(yaml) };
        if has_mark(yaml) {
            let line = yaml.lines().position(has_mark).map_or(1, |before| before + 1);
            let problem = "it has a character from U+10FFF0 to U+10FFF3".into();
            return Err(text.at_line(line, "", problem, "text without them".into()));
        }
        if let Some(line) = too_deep(yaml.as_bytes()) {
            let problem = format!("brackets nest more than {DEPTH_LIMIT} deep");
            return Err(text.at_line(line, "", problem, "fewer levels".into()));
        }
        Ok(text)
    }

    /// All documents that are not empty, with every placeholder known.
    pub(super) fn documents(&self) -> Result<Vec<Document>, TemplateError> {
        let mut documents = Vec::new();
        for (position, deserializer) in serde_yaml::Deserializer::from_str(&self.masked).enumerate() {
            let value = Value::deserialize(deserializer).map_err(|error| self.yaml_error(&error))?;
            if !value.is_null() {
                self.check_document(position, &value)?;
                documents.push(Document { position, value });
            }
        }
        Ok(documents)
    }

    /// Reads a document as `T`; errors name line and field.
    pub(super) fn read<'de, T: Deserialize<'de>>(&'de self, position: usize) -> Result<T, TemplateError> {
        match serde_yaml::Deserializer::from_str(&self.masked).nth(position) {
            Some(deserializer) => T::deserialize(deserializer).map_err(|error| self.yaml_error(&error)),
            None => Err(self.at_line(1, "", "there is no such document".into(), "another".into())),
        }
    }

    /// An error at a value.
    pub(super) fn error(
        &self,
        document: usize,
        path: &Path,
        problem: impl Into<String>,
        expected: impl Into<String>,
    ) -> TemplateError {
        let line = line_of(&self.masked, document, path).unwrap_or(1);
        self.at_line(line, &path.to_string(), problem.into(), expected.into())
    }

    /// An error whose text is that of a serde error, at a value.
    pub(super) fn serde_error(&self, document: usize, path: &Path, message: &str) -> TemplateError {
        let line = line_of(&self.masked, document, path).unwrap_or(1);
        let (inner, problem, expected) = take_apart(message);
        let dot = if inner.is_empty() { "" } else { "." };
        self.at_line(line, &format!("{path}{dot}{inner}"), problem, expected)
    }

    fn yaml_error(&self, error: &serde_yaml::Error) -> TemplateError {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        let line = error.location().map_or(1, |location| location.line());
        let (field, problem, expected) = take_apart(message);
        self.at_line(line, &field, problem, expected)
    }

    fn at_line(&self, line: usize, field: &str, problem: String, expected: String) -> TemplateError {
        let plain = |text: &str| unmask(text, None).unwrap_or_else(|| text.into());
        TemplateError {
            file: self.file.clone(),
            line,
            field: plain(field),
            problem: plain(&problem),
            expected: plain(&expected),
        }
    }

    fn check_document(&self, document: usize, value: &Value) -> Result<(), TemplateError> {
        let root = Path::default();
        let summary = value.as_mapping().filter(|_| !is_manifest(value));
        for (key, list) in summary.into_iter().flatten() {
            let Some((key, entries)) = key.as_str().zip(list.as_sequence()) else { continue };
            for (position, entry) in entries.iter().enumerate() {
                let counted = key != "manifests" && entry.get("count").is_some();
                let known: &[&str] = if counted { &["cluster-name", "index"] } else { &["cluster-name"] };
                self.check_placeholders(document, &root.key(key).item(position), entry, known)?;
            }
        }
        if summary.is_none() { self.check_placeholders(document, &root, value, &["cluster-name"]) } else { Ok(()) }
    }

    fn check_placeholders(
        &self,
        document: usize,
        path: &Path,
        value: &Value,
        known: &[&str],
    ) -> Result<(), TemplateError> {
        match value {
            Value::String(text) => self.check_text(document, path, text, known),
            Value::Sequence(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(position, item)| self.check_placeholders(document, &path.item(position), item, known)),
            Value::Mapping(fields) => fields.iter().try_for_each(|(key, field)| {
                let key = key.as_str().unwrap_or_default();
                self.check_text(document, &path.key(key), key, known)?;
                self.check_placeholders(document, &path.key(key), field, known)
            }),
            Value::Tagged(tagged) => self.check_placeholders(document, path, &tagged.value, known),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    fn check_text(&self, document: usize, path: &Path, text: &str, known: &[&str]) -> Result<(), TemplateError> {
        if let Some(word) = unknown(text, known) {
            let problem = match word {
                "index" => "`{{index}}` stands in an entry without `count`".into(),
                word => format!("unknown placeholder `{{{{{word}}}}}`"),
            };
            let meant = nearest(word, known.iter().copied()).unwrap_or("cluster-name");
            let expected = format!("{{{{{meant}}}}}, or {{{{{{{{{word}}}}}}}}} if the braces are meant as they are");
            return Err(self.error(document, path, problem, expected));
        }
        if has_literal_cluster_name(text) {
            let problem = "`{{cluster-name}}` cannot be kept as it is";
            return Err(self.error(document, path, problem, "another spelling: it is always filled in"));
        }
        Ok(())
    }
}

/// Whether a document is a Kubernetes object rather than a summary.
pub(super) fn is_manifest(value: &Value) -> bool {
    value.get("apiVersion").is_some() || value.get("kind").is_some()
}

/// Splits a serde message (`pods[0].cpu: `x` is not valid, expected y`) into field, problem and what was expected.
fn take_apart(message: &str) -> (String, String, String) {
    let (field, message) = match message.split_once(": ") {
        Some((field, rest)) if !field.contains([' ', '`']) => (field.to_string(), rest),
        _ => (String::new(), message),
    };
    let (problem, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    if let Some(word) = quoted_after(message, "unknown field ") {
        let dot = if field.is_empty() { "" } else { "." };
        return (format!("{field}{dot}{word}"), "unknown field".into(), known_field(word, expected));
    }
    if let Some(word) = quoted_after(message, "unknown variant ") {
        return (field, format!("`{word}` is not one of them"), expected.replace('`', ""));
    }
    let expected = match expected {
        "" if problem.starts_with("missing field ") => problem.replace("missing field ", "") + " in this entry",
        "" if problem.starts_with("duplicate ") => "each key once".into(),
        "" if problem.ends_with("limit exceeded") => "fewer levels and aliases".into(),
        "" => "valid YAML; text that begins with a special character needs quotes".into(),
        "a sequence" => "a list".into(),
        "a map" => "a mapping of keys to values".into(),
        expected => expected.into(),
    };
    (field, problem.into(), expected)
}

/// The word in backquotes after `prefix`.
fn quoted_after<'a>(message: &'a str, prefix: &str) -> Option<&'a str> {
    message.strip_prefix(prefix)?.strip_prefix('`')?.split_once('`').map(|(word, _)| word)
}

/// The field that was meant by `word`, or all of them; `list` has each in backquotes.
fn known_field(word: &str, list: &str) -> String {
    let mut known: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    // Aliases differ in case only and come after the field's own name.
    let mut seen = HashSet::new();
    known.retain(|field| seen.insert(field.to_lowercase()));
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("`{meant}`, the nearest known field"),
        None => format!("one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_messages_are_taken_apart() {
        for (message, field, problem, expected) in [
            (
                "pods[0]: unknown field `imge`, expected one of `name`, `image`",
                "pods[0].imge",
                "unknown field",
                "`image`, the nearest known field",
            ),
            ("unknown field `x`, expected `name` or `nodes`", "x", "unknown field", "one of name, nodes"),
            ("unknown field `x`, expected one of `osImage`, `osimage`", "x", "unknown field", "one of osImage"),
            ("nodes[0]: duplicate entry with key \"a\"", "nodes[0]", "duplicate entry with key \"a\"", "each key once"),
            ("pods[0].cpu: `5x` is not valid, expected a quantity", "pods[0].cpu", "`5x` is not valid", "a quantity"),
            (
                "nodes[0].status: unknown variant `Redy`, expected `Ready` or `NotReady`",
                "nodes[0].status",
                "`Redy` is not one of them",
                "Ready or NotReady",
            ),
            ("invalid type: sequence, expected struct Summary", "", "invalid type: sequence", "struct Summary"),
            ("pods[1]: missing field `name`", "pods[1]", "missing field `name`", "`name` in this entry"),
        ] {
            assert_eq!(take_apart(message), (field.into(), problem.into(), expected.into()), "{message}");
        }
    }
}
