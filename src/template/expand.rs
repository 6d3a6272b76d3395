//! Entries with `count: N` become N entries.

use super::TemplateError;
use super::document::{Document, Text};
use super::placeholder::{has_index, map_strings, unmask};
use super::summary::Entry;
use crate::yaml::Path;
use serde_json::Value;

/// An entry and where in the text it stands.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    pub(super) entry: T,
    pub(super) document: usize,
    pub(super) path: Path,
}

/// The entries of `T`'s list in a summary: with `count` multiplied out and placeholders in their final spelling.
///
/// `entries` are those read from the text as they stand, which proves that each is well formed.
pub(super) fn expand<T: Entry>(
    text: &Text,
    document: &Document,
    entries: &[T],
) -> Result<Vec<Placed<T>>, TemplateError> {
    let list = Path::default().key(T::LIST);
    let values = document.value.get(T::LIST).and_then(serde_yaml::Value::as_sequence);
    let mut expanded = Vec::new();
    for (position, (entry, value)) in entries.iter().zip(values.into_iter().flatten()).enumerate() {
        let path = list.item(position);
        let count = entry.count().map(|count| count.0);
        if count.is_some_and(|count| count > 1) && !has_index(entry.name()) {
            let problem = "`count` makes several objects, but all get the same name";
            return Err(text.error(document.position, &path.key("name"), problem, "{{index}} in the name"));
        }
        if expanded.len() + count.unwrap_or(1) > OBJECTS_MAX {
            return Err(text.error(document.position, &path, too_many(), "a smaller `count`"));
        }
        let value = serde_json::to_value(value)
            .map_err(|error| text.serde_error(document.position, &path, &error.to_string()))?;
        for index in 1..=count.unwrap_or(1) {
            let entry = instance(&value, count.map(|_| index))
                .map_err(|error| text.serde_error(document.position, &path, &error.to_string()))?;
            expanded.push(Placed { entry, document: document.position, path: path.clone() });
        }
    }
    Ok(expanded)
}

/// What is wrong with a template of more than [`OBJECTS_MAX`] objects of a kind.
pub(super) fn too_many() -> String {
    format!("with it, the template has more than {OBJECTS_MAX} objects of a kind")
}

/// The largest clusters that Kubernetes is tested with have this many pods.
pub(super) const OBJECTS_MAX: usize = 150_000;

fn instance<T: Entry>(value: &Value, index: Option<usize>) -> Result<T, serde_json::Error> {
    let mut value = value.clone();
    map_strings(&mut value, &|text| unmask(text, index));
    T::deserialize(value)
}
