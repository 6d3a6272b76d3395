//! The four patch formats of the Kubernetes API.

mod configuration;
mod json;
mod order;
mod schema;
mod strategic;
#[cfg(test)]
mod vectors;

pub use configuration::configuration;

use super::{Resource, Status};
use schema::Schema;
use serde_json::{Map, Value};

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
    pub fn from_content_type(content_type: Option<&str>, resource: &Resource) -> Result<PatchKind, Status> {
        let kinds = [
            (PatchKind::Json, "application/json-patch+json"),
            (PatchKind::Merge, "application/merge-patch+json"),
            (PatchKind::Strategic, "application/strategic-merge-patch+json"),
            (PatchKind::Apply, "application/apply-patch+yaml"),
        ];
        // Merge keys are known for built-in types only.
        let kinds = kinds.into_iter().filter(|(kind, _)| !resource.custom || *kind != PatchKind::Strategic);
        let kinds: Vec<_> = kinds.collect();
        let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let found = kinds.iter().find(|(_, name)| *name == media_type).map(|(kind, _)| *kind);
        found.ok_or_else(|| {
            if resource.custom {
                Status::unsupported_media_type(&kinds.iter().map(|(_, name)| *name).collect::<Vec<_>>())
            } else {
                Status::unsupported_patch()
            }
        })
    }
}

/// `current` with `patch` applied; what may not change (name, uid, …) is for the caller to check.
///
/// [`PatchKind::Apply`] merges here, for what has no owners of its own, such as a scale.
pub fn apply(kind: PatchKind, resource: &Resource, current: &Value, patch: &[u8]) -> Result<Value, Status> {
    let mut patched = current.clone();
    match kind {
        PatchKind::Json => {
            let patch: json_patch::Patch = serde_json::from_slice(patch).map_err(bad_json)?;
            json::apply(&mut patched, &patch)?;
        }
        PatchKind::Merge => json_patch::merge(&mut patched, &Value::Object(object(patch)?)),
        PatchKind::Strategic => {
            let Value::Object(fields) = &mut patched else { return Err(Status::unprocessable()) };
            strategic::merge(fields, object(patch)?, Schema::of(resource))?;
        }
        PatchKind::Apply => json_patch::merge(&mut patched, &configuration(patch)?),
    }
    if patched.is_object() { Ok(patched) } else { Err(Status::unprocessable()) }
}

fn object(patch: &[u8]) -> Result<Map<String, Value>, Status> {
    serde_json::from_slice(patch).map_err(bad_json)
}

fn bad_json(error: serde_json::Error) -> Status {
    Status::bad_request(format!("error decoding patch: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;
    use crate::kube::discovery::tests::custom;
    use serde_json::json;

    fn configmaps() -> &'static Resource {
        lookup("", "v1", "configmaps").unwrap().1
    }

    fn patched(kind: PatchKind, current: Value, patch: Value) -> Result<Value, Status> {
        apply(kind, configmaps(), &current, patch.to_string().as_bytes())
    }

    #[test]
    fn the_content_type_says_the_format() {
        let kind = |content_type| PatchKind::from_content_type(content_type, configmaps());
        assert_eq!(kind(Some("application/json-patch+json")), Ok(PatchKind::Json));
        assert_eq!(kind(Some("application/merge-patch+json; charset=utf-8")), Ok(PatchKind::Merge));
        assert_eq!(kind(Some("application/strategic-merge-patch+json")), Ok(PatchKind::Strategic));
        assert_eq!(kind(Some("application/apply-patch+yaml")), Ok(PatchKind::Apply));
        let status = kind(Some("application/json")).unwrap_err();
        assert_eq!(status.code, 415);
        assert_eq!(status.message, "415: Unsupported Media Type");
        assert_eq!(kind(None).unwrap_err().code, 415);
    }

    #[test]
    fn custom_kinds_do_not_merge_strategically() {
        let plans = custom("upgrade.cattle.io", "v1", "plans", "Plan");
        let kind = |content_type| PatchKind::from_content_type(Some(content_type), &plans);
        assert_eq!(kind("application/merge-patch+json"), Ok(PatchKind::Merge));
        assert_eq!(
            kind("application/strategic-merge-patch+json").unwrap_err().message,
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, \
             application/merge-patch+json, application/apply-patch+yaml"
        );
    }

    #[test]
    fn json_patches_follow_rfc_6902() {
        let current = json!({"data": {"a": "1"}});
        let patch =
            json!([{"op": "test", "path": "/data/a", "value": "1"}, {"op": "add", "path": "/data/b", "value": "2"}]);
        assert_eq!(patched(PatchKind::Json, current.clone(), patch), Ok(json!({"data": {"a": "1", "b": "2"}})));
        let failing = json!([{"op": "test", "path": "/data/a", "value": "2"}]);
        let status = patched(PatchKind::Json, current.clone(), failing).unwrap_err();
        assert_eq!((status.code, status.reason), (422, "Invalid"));
        assert_eq!(status.message, "the server rejected our request due to an error in our request");
        assert_eq!(patched(PatchKind::Json, current.clone(), json!({"a": 1})).unwrap_err().code, 400);
        assert_eq!(
            patched(PatchKind::Json, current, json!([{"op": "replace", "path": "", "value": 1}])).unwrap_err().code,
            422
        );
    }

    #[test]
    fn merge_patches_follow_rfc_7396() {
        let current = json!({"data": {"a": "1", "b": "2"}});
        assert_eq!(
            patched(PatchKind::Merge, current.clone(), json!({"data": {"a": null}})),
            Ok(json!({"data": {"b": "2"}}))
        );
        assert_eq!(patched(PatchKind::Merge, current, json!(["a"])).unwrap_err().code, 400);
    }
}
