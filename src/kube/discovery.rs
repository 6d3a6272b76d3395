//! What the API says of itself: `/version`, `/api`, `/apis` and below.
//!
//! The answers for built-in kinds alone are made once for the whole process; custom kinds are merged in per answer.

use super::{Resource, Response, Status};

/// `/version`, for a `gitVersion` such as `v1.31.4`.
pub fn version(_kubernetes_version: &str) -> Response {
    todo!()
}

/// `/api`: the core group's versions, or its aggregated discovery if `accept` asks for it.
pub fn api_versions(_accept: Option<&str>) -> Result<Response, Status> {
    todo!()
}

/// `/apis`: every group, or the aggregated discovery of all of them if `accept` asks for it.
pub fn api_groups(_accept: Option<&str>, _custom: &[&Resource]) -> Result<Response, Status> {
    todo!()
}

/// `/apis/<group>`; 404 for a group that does not exist.
pub fn api_group(_group: &str, _custom: &[&Resource]) -> Result<Response, Status> {
    todo!()
}

/// `/api/v1` or `/apis/<group>/<version>`; 404 for one that does not exist.
pub fn api_resources(_group: &str, _version: &str, _custom: &[&Resource]) -> Result<Response, Status> {
    todo!()
}
