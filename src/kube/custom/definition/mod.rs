//! CustomResourceDefinitions as trees: what an API server fills in, what it refuses, and what its controllers report of them
//! (apiextensions-apiserver of Kubernetes 1.31). Rules in CEL are not compiled.
//!
//! Knows neither the cluster nor what else is in it: names that others have are an argument.

mod complete;
mod conversion;
mod defaults;
mod names;
mod problems;
mod report;
mod schema;
mod structural;
mod version;

pub(in crate::kube) use complete::{complete, store_versions};
pub(in crate::kube) use names::Taken;
pub(in crate::kube) use problems::{misnamed, problems};
pub(in crate::kube) use report::{
    CLEANUP, accept, ended, ends_soon, is_ending, is_established, never_served, under_way,
};

use serde_json::Value;

/// The versions of a definition.
fn versions(definition: &Value) -> &[Value] {
    definition["spec"]["versions"].as_array().map_or(&[], Vec::as_slice)
}

/// What is in a field of every version alike; `None` if they differ. An API server keeps it once, and reports what is wrong with it there.
fn common<'a>(versions: &'a [Value], field: &str) -> Option<&'a Value> {
    let first = &versions.first()?[field];
    versions.iter().all(|version| version[field] == *first).then_some(first)
}
