//! What is known of a resource before any object of it exists.

use super::{Verb, Verbs};
use std::borrow::Cow;

/// A string that is static for built-in resources and owned for custom ones.
type Text = Cow<'static, str>;

/// A resource under one group and version: what discovery's `APIResource` says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: Text,
    /// Version within the group, such as `v1`.
    pub version: Text,
    /// The name in paths, such as `pods`.
    pub plural: Text,
    /// The lower-case singular, such as `pod`.
    pub singular: Text,
    /// The kind of one object, such as `Pod`.
    pub kind: Text,
    /// The kind of a list, such as `PodList`.
    pub list_kind: Text,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Abbreviations for kubectl, such as `po`.
    pub short_names: Vec<Text>,
    /// Groups of kinds for kubectl, such as `all`.
    pub categories: Vec<Text>,
    /// What the resource itself allows.
    pub verbs: Verbs,
    /// What is served below an object.
    pub subresources: Vec<Subresource>,
    /// Whether a CustomResourceDefinition made it: no strategic merge patch, no protobuf.
    pub custom: bool,
}

/// What is served below an object of a resource, such as `status` or `scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subresource {
    /// The last path segment.
    pub name: Text,
    /// Group of the kind it is spoken in; differs from the resource's for `scale`, `eviction`, `token`.
    pub group: Text,
    /// Version of the kind it is spoken in.
    pub version: Text,
    /// The kind it is spoken in.
    pub kind: Text,
    /// What it allows.
    pub verbs: Verbs,
}

/// A resource's number: an index into [`super::builtin`], or from [`super::FIRST_CUSTOM`] on one that a cluster gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(pub u16);

impl Resource {
    /// The `apiVersion` of its objects: `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        match self.group.as_ref() {
            "" => self.version.to_string(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The name errors use: `pods` or `deployments.apps`.
    pub fn qualified_name(&self) -> String {
        match self.group.as_ref() {
            "" => self.plural.to_string(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// Whether the resource itself allows `verb`.
    pub fn allows(&self, verb: Verb) -> bool {
        self.verbs.contains(verb)
    }

    /// The subresource of this name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }

    /// Whether `status` is written apart from the rest of the object.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }
}
