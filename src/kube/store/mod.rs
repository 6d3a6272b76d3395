//! What one cluster holds: a shared baseline, an overlay of what was written since, and the history of changes.
//!
//! Knows objects by resource and path (`namespace/name`, or `name` for what lives in no namespace: the order of etcd's keys), and
//! revisions; it knows no kinds. Every change takes the next revision and is one event of the history.

mod durable;
mod history;
mod layered;
mod overlay;
mod version;

pub(super) use history::{Event, Resumption, Write};
pub(super) use layered::{Found, Store};
pub(super) use version::{Stored, Touched, Version};

/// The namespace of a path; `None` for an object in none.
pub(super) fn namespace_of(path: &str) -> Option<&str> {
    path.split_once('/').map(|(namespace, _)| namespace)
}

/// The name in a path.
pub(super) fn name_of(path: &str) -> &str {
    path.split_once('/').map_or(path, |(_, name)| name)
}

/// The path of an object.
pub(super) fn path_of(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}
