//! The configuration file: a flat YAML mapping.

use super::{ConfigError, read_text_file};
use crate::yaml::{self, line_of};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::path::Path;

/// One `Key: value` of the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: serde_yaml::Value,
    /// The line of the key, from 1.
    pub(super) line: usize,
}

/// Reads a file's entries in order; duplicates stay, for the caller to refuse. An empty file has none.
pub(super) fn read_entries(path: &Path) -> Result<Vec<Entry>, ConfigError> {
    let text = read_text_file("the configuration file", path, FILE_LIMIT_BYTES)?;
    if let Some(line) = yaml::too_deep(text.as_bytes()) {
        let problem = format!("brackets nest more than {} deep", yaml::DEPTH_LIMIT);
        return Err(ConfigError::Malformed { path: path.into(), line, problem });
    }
    let malformed = |error: serde_yaml::Error| ConfigError::Malformed {
        path: path.into(),
        line: error.location().map_or(1, |location| location.line()),
        problem: without_position(&error.to_string()),
    };
    let Flat(entries) = serde_yaml::from_str::<Option<Flat>>(&text).map_err(malformed)?.unwrap_or_default();
    let line = |position| line_of(&text, 0, &yaml::Path::default().entry(position)).unwrap_or(1);
    Ok(entries
        .into_iter()
        .enumerate()
        .map(|(position, (key, value))| Entry { key, value, line: line(position) })
        .collect())
}

/// A mapping in the order of the file, with its duplicates.
#[derive(Default)]
struct Flat(Vec<(String, serde_yaml::Value)>);

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Flat, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Flat;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("lines of `Key: value`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Flat, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Flat(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// The YAML reader's message without its position, which stands in front already.
fn without_position(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_string()
}

/// No configuration comes near it; a wrong path may name something huge.
const FILE_LIMIT_BYTES: u64 = 1 << 20;
