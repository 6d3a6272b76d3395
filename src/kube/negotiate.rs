//! `Accept` headers: in which form an answer is wanted.

use super::Status;

/// The form of an answer that holds objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The objects themselves, as JSON.
    Object,
    /// The objects themselves, as YAML.
    Yaml,
    /// `meta.k8s.io` `Table`, with its version (`v1` or `v1beta1`).
    Table(&'static str),
    /// `meta.k8s.io` `PartialObjectMetadata` (for a list: `PartialObjectMetadataList`), with its version.
    Metadata(&'static str),
}

/// The form of `/api` and `/apis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscoveryForm {
    /// `APIVersions` and `APIGroupList`.
    Legacy,
    /// `APIGroupDiscoveryList` of `apidiscovery.k8s.io`, with its version (`v2` or `v2beta1`).
    Aggregated(&'static str),
}

/// The form of `/openapi/v2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenApiForm {
    /// `application/json`.
    Json,
    /// `application/com.github.proto-openapi.spec.v2.v1.0+protobuf`.
    Protobuf,
}

/// The form to answer objects in; 406 when the client accepts nothing that is served, such as protobuf alone.
pub fn objects(_accept: Option<&str>) -> Result<Form, Status> {
    todo!()
}

/// The form to answer `/api` and `/apis` in.
pub fn discovery(_accept: Option<&str>) -> Result<DiscoveryForm, Status> {
    todo!()
}

/// The form to answer `/openapi/v2` in.
pub fn openapi_v2(_accept: Option<&str>) -> Result<OpenApiForm, Status> {
    todo!()
}
