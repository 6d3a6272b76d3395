//! Request targets: which API a path names.

use super::{Query, Status};

/// What a request's path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/version`.
    Version,
    /// `/livez`, `/readyz`, `/healthz` and their single checks below them.
    Health {
        /// `livez`, `readyz` or `healthz`.
        endpoint: &'static str,
        /// The single check asked for, such as `ping` or `etcd`.
        check: Option<String>,
    },
    /// `/api`.
    ApiVersions,
    /// `/apis`.
    ApiGroups,
    /// `/apis/<group>`.
    ApiGroup(String),
    /// `/api/v1` or `/apis/<group>/<version>`.
    ApiResources {
        /// Empty for the core group.
        group: String,
        /// The version.
        version: String,
    },
    /// `/openapi/v2`.
    OpenApiV2,
    /// `/openapi/v3`.
    OpenApiV3Index,
    /// `/openapi/v3/api/v1` or `/openapi/v3/apis/<group>/<version>`.
    OpenApiV3 {
        /// Empty for the core group.
        group: String,
        /// The version.
        version: String,
    },
    /// A collection, an object or a subresource.
    Resource(ResourcePath),
    /// A path outside the API: 404.
    Unknown,
}

/// The path of a collection, an object or a subresource; whether the resource exists is not checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourcePath {
    /// Empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The namespace in the path. For the namespaces resource itself this is `None` and the name is in `name`.
    pub namespace: Option<String>,
    /// The resource's plural.
    pub plural: String,
    /// The object's name; `None` for a collection.
    pub name: Option<String>,
    /// What is asked below the object.
    pub subresource: Option<String>,
    /// What follows the subresource, as in `services/x/proxy/<rest>`; only `proxy` may carry it.
    pub rest: Option<String>,
}

/// Splits a request target into what its path names and its query; percent-encoding is undone in both.
///
/// The deprecated `/api/v1/watch/…` prefix turns into [`Query::watch`]. Errors are answers to send: 400 for a query
/// parameter of the wrong type.
pub fn parse(_target: &str) -> Result<(Route, Query), Status> {
    todo!()
}
