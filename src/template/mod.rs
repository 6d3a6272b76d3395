//! Cluster templates: YAML text in, the Kubernetes objects of a cluster out.
//!
//! A template is a summary (nodes, pods, services, secrets, configmaps, deployments; its fields are those of `summary.rs`),
//! whole Kubernetes manifests, or both:
//!
//! - one document without `apiVersion` is the summary; its `manifests` list holds whole objects;
//! - every document with `apiVersion` and `kind` is a manifest, as `kubectl apply` takes it.
//!
//! `{{cluster-name}}` may stand in any string, quoted or not; `{{index}}`, from 1, in any string of an entry with `count`.
//! Four braces on each side stand for two that are meant as they are. [`parse`] turns text into a [`Template`] and
//! [`Template::objects`] that into the objects a [`crate::kube::Baseline`] is compiled from; the cluster's name is still
//! a placeholder in them. This room must not know files, sockets or clocks.

mod check;
mod document;
mod error;
mod expand;
mod objects;
mod parse;
mod placeholder;
mod ports;
mod quantity;
mod summary;
mod values;

pub use error::TemplateError;
pub use objects::Variables;
pub use parse::{Template, parse};
pub use placeholder::fill_cluster_name;
pub use values::is_dns_label;
