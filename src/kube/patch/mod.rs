//! The four patch formats of the Kubernetes API.

use super::{Resource, Status};
use serde_json::Value;

/// A patch format, as the `Content-Type` of a PATCH names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// `application/json-patch+json`, RFC 6902.
    Json,
    /// `application/merge-patch+json`, RFC 7396.
    Merge,
    /// `application/strategic-merge-patch+json`: merges lists by key; built-in kinds only.
    Strategic,
    /// `application/apply-patch+yaml`: server-side apply.
    Apply,
}

impl PatchKind {
    /// The format of a `Content-Type`; a 415 for one that `resource` cannot be patched with.
    pub fn from_content_type(_content_type: Option<&str>, _resource: &Resource) -> Result<PatchKind, Status> {
        todo!()
    }
}

/// `current` with `patch` applied; what may not change (name, uid, …) is for the caller to check.
///
/// [`PatchKind::Apply`] here is [`server_side_apply`] onto an existing object.
pub fn apply(_kind: PatchKind, _resource: &Resource, _current: &Value, _patch: &[u8]) -> Result<Value, Status> {
    todo!()
}

/// The object after `patch` (YAML or JSON) is applied by a field manager; `current` is `None` when it is to be created.
///
/// Values merge by the same list keys as a strategic merge. Ownership is not tracked: nothing conflicts and nothing is removed.
pub fn server_side_apply(
    _resource: &Resource,
    _current: Option<&Value>,
    _patch: &[u8],
    _field_manager: Option<&str>,
) -> Result<Value, Status> {
    todo!()
}
