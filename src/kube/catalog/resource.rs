//! What is known of a resource before any object of it exists.

use super::{Verb, Verbs};
use std::borrow::Cow;

/// A string that is static for built-in resources and owned for custom ones.
pub type Text = Cow<'static, str>;

/// A resource under one group and version: what discovery's `APIResource` says of it, and the rules of its objects' names and
/// selectors.
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
    /// What a name must look like.
    pub name_rule: NameRule,
    /// What a field selector may name besides `metadata.name` and `metadata.namespace`.
    pub selectable_fields: Vec<SelectableField>,
    /// The group version an API server keeps objects in, where it differs from the one served; discovery's `storageVersionHash` tells.
    pub stored_as: Option<(Text, Text)>,
    /// Whether a delete that removes at once answers with the object; most kinds answer with a `Status`.
    pub returns_deleted: bool,
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

/// What an object's name must look like (apimachinery `api/validation` and each kind's own).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// An RFC 1123 subdomain: most kinds.
    Subdomain,
    /// An RFC 1123 label: namespaces, stateful sets.
    Label,
    /// An RFC 1035 label: services.
    Label1035,
    /// Anything that fits one path segment: RBAC.
    PathSegment,
}

/// A field that a selector may name, and where its value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectableField {
    /// The name in selectors, such as `spec.nodeName`.
    pub label: Text,
    /// Where it is in the object, as a dotted path.
    pub path: Text,
    /// Its value where the object does not have it: empty, or what Go prints for the type's zero value.
    pub zero: Text,
}

/// A resource's number: an index into [`super::builtin`], or from [`super::FIRST_CUSTOM`] on one that a cluster gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(pub u16);

impl Resource {
    /// The `apiVersion` of its objects: `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// The name errors use: `pods` or `deployments.apps`.
    pub fn qualified_name(&self) -> String {
        qualify(&self.plural, &self.group)
    }

    /// The kind as validation errors use it: `Pod` or `Deployment.apps`.
    pub fn qualified_kind(&self) -> String {
        qualify(&self.kind, &self.group)
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

/// `version` in the core group, else `group/version`.
pub fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

fn qualify(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}
