//! What an API server checks of an object before it stores it, as far as every kind shares it.

use super::{Resource, Status};
use serde_json::Value;

/// Checks that the body is an object of `resource` (`apiVersion`, `kind`) that may stand under `namespace` and `name` of the path, and fills in
/// what the path knows and the body leaves out (kind, apiVersion, namespace, name). Errors are the 400 to answer.
pub fn fit_to_path(
    _resource: &Resource,
    _namespace: Option<&str>,
    _name: Option<&str>,
    _object: &mut Value,
) -> Result<(), Status> {
    todo!()
}

/// Checks the metadata that every kind shares (name or generateName, labels, annotations, owner references, finalizers). An error is the 422 to answer.
pub fn check_metadata(_resource: &Resource, _object: &Value) -> Result<(), Status> {
    todo!()
}
