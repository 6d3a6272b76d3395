//! On which line a value stands.
//!
//! serde_yaml keeps no positions in the values it returns, but its errors carry exact ones. So the document is read once more
//! along the path to the value, and the reading fails there on purpose. It costs nothing unless there is an error to report.

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The value of a key in a mapping; as the last step, the key itself.
    Key(String),
    /// The entry of a mapping by its position, which tells duplicates of a key apart.
    Entry(usize),
    /// The item of a list by its position.
    Item(usize),
}

/// The way from the root of a document to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Vec<Step>);

impl Path {
    /// The path of the value under `key`.
    pub fn key(&self, key: impl Into<String>) -> Path {
        self.join(Step::Key(key.into()))
    }

    /// The path of the item at `index`.
    pub fn item(&self, index: usize) -> Path {
        self.join(Step::Item(index))
    }

    /// The path of the mapping entry at `index`.
    pub fn entry(&self, index: usize) -> Path {
        self.join(Step::Entry(index))
    }

    fn join(&self, step: Step) -> Path {
        Path(self.0.iter().cloned().chain([step]).collect())
    }
}

/// As people write it: `pods[2].node`. The root is empty.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => write!(f, "{key}")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Entry(index) | Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The line, from 1, of the value at `path` in document number `document` (from 0) of `text`; `None` if it is not there.
pub fn line_of(text: &str, document: usize, path: &Path) -> Option<usize> {
    let document = serde_yaml::Deserializer::from_str(text).nth(document)?;
    let stopped = Walk(&path.0).deserialize(document).err()?;
    stopped.to_string().contains(ARRIVED).then(|| stopped.location()).flatten().map(|location| location.line())
}

/// Reads a value along the rest of a path and fails with [`ARRIVED`] at its end.
struct Walk<'p>(&'p [Step]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0.first() {
            Some(Step::Item(_)) => deserializer.deserialize_seq(self),
            Some(Step::Key(_) | Step::Entry(_)) => deserializer.deserialize_map(self),
            None => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { ARRIVED } else { "another kind of value" })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((Step::Item(wanted), rest)) = self.0.split_first() else {
            return Err(de::Error::custom(ARRIVED));
        };
        for _ in 0..*wanted {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        items.next_element_seed(Walk(rest)).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.0.split_first() else {
            return Err(de::Error::custom(ARRIVED));
        };
        let mut position = 0;
        while let Some(found) = entries.next_key_seed(Key { step, position, last: rest.is_empty() })? {
            if found {
                return entries.next_value_seed(Walk(rest));
            }
            entries.next_value::<IgnoredAny>()?;
            position += 1;
        }
        Ok(())
    }
}

/// Tells whether a key is the wanted one, and fails on it if the path ends here.
struct Key<'p> {
    step: &'p Step,
    position: usize,
    last: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        let found = match self.step {
            Step::Key(wanted) => wanted == key,
            Step::Entry(wanted) => *wanted == self.position,
            Step::Item(_) => false,
        };
        if found && self.last { Err(E::custom(ARRIVED)) } else { Ok(found) }
    }
}

/// Marks the failure that is wanted; no YAML error of its own contains it.
const ARRIVED: &str = "\u{1}arrived";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a comment
nodes:
  - name: a
    capacity: {cpu: 4,
      memory: 8Gi}

  -
    name: b
twice: 1
twice: 2
text: |
  nodes:
    - name: not this one
---
second: [x,
  y]
";

    #[test]
    fn finds_keys_items_and_flow_collections() {
        let nodes = Path::default().key("nodes");
        for (path, line) in [
            (nodes.clone(), 2),
            (nodes.item(0), 3),
            (nodes.item(0).key("capacity"), 4),
            (nodes.item(0).key("capacity").key("memory"), 5),
            (nodes.item(1).key("name"), 8),
            (Path::default().key("text"), 11),
        ] {
            assert_eq!(line_of(TEXT, 0, &path), Some(line), "{path}");
        }
    }

    #[test]
    fn tells_duplicates_apart_by_position() {
        assert_eq!(line_of(TEXT, 0, &Path::default().entry(1)), Some(9));
        assert_eq!(line_of(TEXT, 0, &Path::default().entry(2)), Some(10));
    }

    #[test]
    fn counts_lines_over_documents() {
        assert_eq!(line_of(TEXT, 1, &Path::default().key("second").item(1)), Some(16));
    }

    #[test]
    fn what_is_not_there_has_no_line() {
        for path in [Path::default().key("pods"), Path::default().key("nodes").item(2), Path::default().item(0)] {
            assert_eq!(line_of(TEXT, 0, &path), None, "{path}");
        }
        assert_eq!(line_of(TEXT, 2, &Path::default()), None);
        assert_eq!(line_of("{", 0, &Path::default().key("a")), None);
    }

    #[test]
    fn paths_read_as_people_write_them() {
        assert_eq!(Path::default().key("pods").item(2).key("node").to_string(), "pods[2].node");
    }
}
