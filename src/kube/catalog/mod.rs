//! Every kind a Kubernetes 1.31 API server serves by itself, as rows of one table.
//!
//! Discovery, paths, OpenAPI, printing and storage are all derived from these rows: adding a kind is adding a row.

mod resource;
mod verbs;

pub use resource::{Resource, ResourceId, Subresource};
pub use verbs::{Verb, Verbs};

/// The first [`ResourceId`] that is not a built-in row: a cluster numbers its custom resources from here.
pub const FIRST_CUSTOM: u16 = 1024;

/// All built-in resources, in the order of an API server's discovery: the core group first, then by group priority.
pub fn builtin() -> &'static [Resource] {
    todo!()
}

/// The built-in resource served under `group` (empty for the core group), `version` and `plural`.
pub fn lookup(_group: &str, _version: &str, _plural: &str) -> Option<(ResourceId, &'static Resource)> {
    todo!()
}

/// The built-in resource whose objects carry `group`/`version` and `kind`.
pub fn by_kind(_group: &str, _version: &str, _kind: &str) -> Option<(ResourceId, &'static Resource)> {
    todo!()
}

/// The built-in resource with this id; `None` for a custom one.
pub fn get(_id: ResourceId) -> Option<&'static Resource> {
    todo!()
}
