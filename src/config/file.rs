//! The configuration file: a flat YAML mapping.

use super::{ConfigError, Origin, read_text_file};
use crate::yaml::{self, line_of};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::path::{Path, PathBuf};

/// The file as it was read.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) path: PathBuf,
    text: String,
    /// In the order of the file; duplicates stay, for the caller to refuse.
    pub(super) entries: Vec<Entry>,
}

/// One `Key: value` of the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: serde_yaml::Value,
    /// The line of the key, from 1.
    pub(super) line: usize,
}

impl File {
    /// Where a value stands, or an entry of it, from 0, if it is a list.
    pub(super) fn origin(&self, key: &str, item: Option<usize>) -> Origin {
        let place = self.entries.iter().position(|entry| entry.key == key);
        let path = |position, item| yaml::Path::default().entry(position).item(item);
        let of_item = place.zip(item).and_then(|(place, item)| line_of(&self.text, 0, &path(place, item)));
        let of_key = || place.and_then(|place| self.entries.get(place)).map_or(1, |entry| entry.line);
        Origin::File(self.path.clone(), of_item.unwrap_or_else(of_key))
    }
}

/// Reads a file; an empty one has no entries.
pub(super) fn read_file(path: &Path) -> Result<File, ConfigError> {
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
    let entries = entries.into_iter().enumerate();
    let entries = entries.map(|(position, (key, value))| Entry { key, value, line: line(position) }).collect();
    Ok(File { path: path.into(), text, entries })
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
