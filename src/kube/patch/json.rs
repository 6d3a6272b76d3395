//! JSON patches (RFC 6902), bounded: a few `copy` operations could double an object until nothing holds it.

use crate::kube::Status;
use crate::kube::tree::{DEPTH_LIMIT, depth};
use json_patch::{Patch, PatchOperation, patch_unsafe};
use serde_json::Value;

/// Applies `patch`, operation by operation; after an error `document` is left as far as the patch came.
pub(super) fn apply(document: &mut Value, patch: &Patch) -> Result<(), Status> {
    if patch.0.len() > OPERATIONS_LIMIT {
        let problem =
            format!("The allowed maximum operations in a JSON patch is {OPERATIONS_LIMIT}, got {}", patch.0.len());
        return Err(Status::request_entity_too_large(problem));
    }
    let mut copied_bytes = 0;
    // No document is deeper than this; measuring again after every operation would cost far more.
    let mut depth_bound = depth(document);
    for operation in &patch.0 {
        depth_bound = depth_bound.max(match operation {
            PatchOperation::Add(add) => add.path.tokens().count() + depth(&add.value),
            PatchOperation::Replace(replace) => replace.path.tokens().count() + depth(&replace.value),
            PatchOperation::Move(moved) => moved.path.tokens().count() + depth_bound,
            PatchOperation::Copy(copy) => {
                copied_bytes += document.pointer(copy.from.as_str()).map_or(0, |value| value.to_string().len());
                if copied_bytes > COPY_LIMIT_BYTES {
                    let problem = format!(
                        "Unable to complete the copy, the accumulated size increase of copy is {copied_bytes}, exceeding the limit \
                         {COPY_LIMIT_BYTES}"
                    );
                    return Err(Status::request_entity_too_large(problem));
                }
                copy.path.tokens().count() + depth_bound
            }
            PatchOperation::Remove(_) | PatchOperation::Test(_) => 0,
        });
        patch_unsafe(document, std::slice::from_ref(operation)).map_err(|_| Status::unprocessable())?;
        if depth_bound > DEPTH_LIMIT {
            depth_bound = depth(document);
            if depth_bound > DEPTH_LIMIT {
                return Err(Status::unprocessable());
            }
        }
    }
    Ok(())
}

/// `maxJSONPatchOperations` of an API server.
const OPERATIONS_LIMIT: usize = 10_000;
/// What an API server sets json-patch's `AccumulatedCopySizeLimit` to: its limit of a request body.
const COPY_LIMIT_BYTES: usize = 3 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn apply_all(document: Value, operations: Vec<Value>) -> Result<Value, Status> {
        let mut document = document;
        let patch: Patch = serde_json::from_value(Value::from(operations)).unwrap();
        apply(&mut document, &patch).map(|()| document)
    }

    #[test]
    fn copies_do_not_double_without_end() {
        let double = json!({"op": "copy", "from": "/a", "path": "/a/b"});
        let status = apply_all(json!({"a": {"x": "y"}}), vec![double; 200]).unwrap_err();
        assert_eq!(status.code, 422, "too deep");
        let fill = "x".repeat(1_000_000);
        let copies = (0..5).map(|i| json!({"op": "copy", "from": "/a", "path": format!("/{i}")}));
        let status = apply_all(json!({"a": fill}), copies.collect()).unwrap_err();
        assert_eq!(status.code, 413);
        assert!(status.message.contains("accumulated size increase of copy"), "{}", status.message);
    }

    #[test]
    fn nothing_nests_without_end() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([deep]);
        }
        let first = json!({"op": "add", "path": "/a", "value": deep});
        assert!(apply_all(json!({}), vec![first.clone()]).is_ok());
        let second = json!({"op": "add", "path": format!("/a{}", "/0".repeat(50)), "value": deep});
        assert_eq!(apply_all(json!({}), vec![first, second]).unwrap_err().code, 422);
    }

    #[test]
    fn many_honest_copies_are_fine() {
        let copies = (0..500).map(|i| json!({"op": "copy", "from": "/a", "path": format!("/b{i}")}));
        let patched = apply_all(json!({"a": {"x": [1]}}), copies.collect()).unwrap();
        assert_eq!(patched["b499"], json!({"x": [1]}));
    }
}
