//! OpenAPI documents: enough for `kubectl apply` to validate with, with loose schemas.

use super::{Resource, Response, Status};

/// `/openapi/v3`: where each group version's document is.
pub fn index(_custom: &[&Resource]) -> Response {
    todo!()
}

/// `/openapi/v3/api/v1` or `/openapi/v3/apis/<group>/<version>`; 404 for one that does not exist.
pub fn group_version(_group: &str, _version: &str, _custom: &[&Resource]) -> Result<Response, Status> {
    todo!()
}

/// `/openapi/v2`, as JSON or protobuf.
pub fn v2(_accept: Option<&str>, _custom: &[&Resource]) -> Result<Response, Status> {
    todo!()
}
