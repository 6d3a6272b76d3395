//! Request bodies into JSON trees.

use super::Status;
use serde_json::Value;

/// The object in a request body: JSON, YAML or Kubernetes protobuf by `Content-Type` (none is JSON). Errors are the answer to send: 400 for
/// what cannot be read, 415 for a media type or a protobuf kind that is not known.
pub fn body(_content_type: Option<&str>, _body: &[u8]) -> Result<Value, Status> {
    todo!()
}
