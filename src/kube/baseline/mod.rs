//! The objects every cluster of one template starts with, compiled once and shared.
//!
//! A template's objects together with what a Kubernetes control plane creates by itself, sorted, checked and serialised, with holes
//! for what differs between clusters. An object's place in the order is its ordinal, which clusters derive its uid and its first
//! resourceVersion from.

mod bootstrap;
mod compiled;
mod complete;
mod draft;
mod source;

pub(super) use bootstrap::api_service;
pub use compiled::Baseline;
pub use source::{BaselineError, CREATED_PLACEHOLDER, Source};
