//! A column of a built-in kind, and what its cells are made from.

use super::duration;
use crate::kube::LabelSelector;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// A column: its head and how its cells are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub name: &'static str,
    /// OpenAPI type of the cells.
    pub kind: &'static str,
    /// OpenAPI format; `name` marks the column that names the object.
    pub format: &'static str,
    /// 0 is always shown, 1 only with `-o wide`.
    pub priority: u8,
    pub cell: fn(&Row<'_>) -> Value,
}

/// The object of a row and the time it is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub object: &'a Value,
    pub now: Timestamp,
}

/// The columns nearly every kind begins and ends with.
pub(super) const NAME: Column = Column { format: "name", ..text("Name", |row| row.text("metadata.name").into()) };
pub(super) const AGE: Column = text("Age", |row| row.since("metadata.creationTimestamp").into());
/// What kinds without printers of their own show instead of an age.
pub(super) const CREATED_AT: Column =
    Column { kind: "date", ..text("Created At", |row| row.text("metadata.creationTimestamp").into()) };

/// A column of strings.
pub(super) const fn text(name: &'static str, cell: fn(&Row<'_>) -> Value) -> Column {
    Column { name, kind: "string", format: "", priority: 0, cell }
}

/// A column of numbers.
pub(super) const fn integer(name: &'static str, cell: fn(&Row<'_>) -> Value) -> Column {
    Column { kind: "integer", ..text(name, cell) }
}

/// A column of truths.
pub(super) const fn boolean(name: &'static str, cell: fn(&Row<'_>) -> Value) -> Column {
    Column { kind: "boolean", ..text(name, cell) }
}

impl Column {
    /// The same, shown only with `-o wide`.
    pub(super) const fn wide(self) -> Column {
        Column { priority: 1, ..self }
    }
}

impl<'a> Row<'a> {
    /// What stands at a dotted path.
    pub(super) fn at(&self, path: &str) -> &'a Value {
        path.split('.').fold(self.object, |value, key| value.get(key).unwrap_or(&Value::Null))
    }

    /// The string at `path`, or nothing.
    pub(super) fn text(&self, path: &str) -> &'a str {
        self.at(path).as_str().unwrap_or_default()
    }

    /// The string at `path`, or `other` where there is none.
    pub(super) fn text_or(&self, path: &str, other: &'static str) -> &'a str {
        match self.text(path) {
            "" => other,
            text => text,
        }
    }

    /// The number at `path`, or zero.
    pub(super) fn integer(&self, path: &str) -> i64 {
        self.at(path).as_i64().unwrap_or_default()
    }

    /// The number of elements or entries at `path`.
    pub(super) fn count(&self, path: &str) -> usize {
        let value = self.at(path);
        value.as_array().map(Vec::len).or_else(|| value.as_object().map(Map::len)).unwrap_or_default()
    }

    /// The elements of the list at `path`.
    pub(super) fn items(&self, path: &str) -> &'a [Value] {
        self.at(path).as_array().map_or(&[], Vec::as_slice)
    }

    /// The time at `path`.
    pub(super) fn time(&self, path: &str) -> Option<Timestamp> {
        self.text(path).parse().ok()
    }

    /// How long ago the time at `path` was.
    pub(super) fn since(&self, path: &str) -> String {
        self.time(path).map_or_else(|| "<unknown>".into(), |at| duration::since(at, self.now))
    }

    /// The entries of the map at `path` as `a=b,c=d`, or `<none>`.
    pub(super) fn labels(&self, path: &str) -> String {
        let labels = self.at(path).as_object().into_iter().flatten();
        let labels: Vec<String> =
            labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
        if labels.is_empty() { "<none>".into() } else { labels.join(",") }
    }

    /// The label selector at `path` in the form of a query, or `<none>`.
    pub(super) fn selector(&self, path: &str) -> String {
        match LabelSelector::from_object(self.at(path)) {
            Err(_) => "<error>".into(),
            Ok(selector) if selector.is_empty() => "<none>".into(),
            Ok(selector) => selector.to_string(),
        }
    }

    /// One field of each element of the list at `path`, joined by commas.
    pub(super) fn join(&self, path: &str, field: &str) -> String {
        let texts = self.items(path).iter().filter_map(|item| item[field].as_str());
        texts.collect::<Vec<_>>().join(",")
    }

    /// The `status` of the condition of this type.
    pub(super) fn condition(&self, kind: &str) -> Option<&'a str> {
        let conditions = self.items("status.conditions");
        conditions.iter().find(|condition| condition["type"] == kind).and_then(|condition| condition["status"].as_str())
    }

    /// Whether the object is being deleted.
    pub(super) fn is_terminating(&self) -> bool {
        !self.text("metadata.deletionTimestamp").is_empty()
    }
}

/// The first three of `list`, and how many more there are; `nothing` if it is empty.
pub(super) fn first_three(list: &[String], nothing: &str) -> String {
    const SHOWN: usize = 3;
    match list {
        [] => nothing.into(),
        list if list.len() > SHOWN => format!("{} + {} more...", list[..SHOWN].join(","), list.len() - SHOWN),
        list => list.join(","),
    }
}

/// The text of each cell of an object at 08:00 on 6 May 2024: for the tests of the kinds' columns.
#[cfg(test)]
pub(super) fn cells(columns: &[Column], object: Value) -> Vec<String> {
    let row = Row { object: &object, now: "2024-05-06T08:00:00Z".parse().unwrap() };
    let cell = |column: &Column| match (column.cell)(&row) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    columns.iter().map(cell).collect()
}
