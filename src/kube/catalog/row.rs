//! The compact form the built-in tables are written in.

use super::resource::{NameRule, Resource, SelectableField, Subresource};
use super::verbs::Verbs;
use std::borrow::Cow;

/// The resources of one group version.
pub(super) struct GroupVersion {
    pub group: &'static str,
    pub version: &'static str,
    pub rows: &'static [Row],
}

/// One resource; what is not said is what most kinds have.
#[derive(Clone, Copy)]
pub(super) struct Row {
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    verbs: Verbs,
    below: &'static [Below],
    name_rule: NameRule,
    fields: &'static [Field],
    stored_as: Option<(&'static str, &'static str)>,
    returns_deleted: bool,
}

/// One subresource; without its own kind it is spoken in the resource's.
#[derive(Clone, Copy)]
pub(super) struct Below {
    name: &'static str,
    kind: Option<(&'static str, &'static str, &'static str)>,
    verbs: Verbs,
}

/// One selectable field: its label, its path (empty if it is the label) and its zero value.
#[derive(Clone, Copy)]
pub(super) struct Field(pub &'static str, pub &'static str, pub &'static str);

/// The subresource that carries an object's status.
pub(super) const STATUS: Below = below("status", Verbs::GET_PATCH_UPDATE);
/// The subresource that carries an object's replicas.
pub(super) const SCALE: Below = below("scale", Verbs::GET_PATCH_UPDATE).of("autoscaling", "v1", "Scale");

/// A resource whose objects live in namespaces.
pub(super) const fn namespaced(plural: &'static str, kind: &'static str) -> Row {
    Row {
        plural,
        kind,
        namespaced: true,
        short_names: &[],
        categories: &[],
        verbs: Verbs::ALL,
        below: &[],
        name_rule: NameRule::Subdomain,
        fields: &[],
        stored_as: None,
        returns_deleted: false,
    }
}

/// A resource whose objects belong to the whole cluster.
pub(super) const fn cluster(plural: &'static str, kind: &'static str) -> Row {
    Row { namespaced: false, ..namespaced(plural, kind) }
}

/// A subresource spoken in the resource's own kind.
pub(super) const fn below(name: &'static str, verbs: Verbs) -> Below {
    Below { name, kind: None, verbs }
}

impl Below {
    pub(super) const fn of(self, group: &'static str, version: &'static str, kind: &'static str) -> Below {
        Below { kind: Some((group, version, kind)), ..self }
    }
}

impl Row {
    pub(super) const fn short(self, short_names: &'static [&'static str]) -> Row {
        Row { short_names, ..self }
    }

    pub(super) const fn category(self, categories: &'static [&'static str]) -> Row {
        Row { categories, ..self }
    }

    pub(super) const fn verbs(self, verbs: Verbs) -> Row {
        Row { verbs, ..self }
    }

    pub(super) const fn with(self, below: &'static [Below]) -> Row {
        Row { below, ..self }
    }

    pub(super) const fn named(self, name_rule: NameRule) -> Row {
        Row { name_rule, ..self }
    }

    pub(super) const fn selectable(self, fields: &'static [Field]) -> Row {
        Row { fields, ..self }
    }

    pub(super) const fn stored_as(self, group: &'static str, version: &'static str) -> Row {
        Row { stored_as: Some((group, version)), ..self }
    }

    pub(super) const fn returns_deleted(self) -> Row {
        Row { returns_deleted: true, ..self }
    }

    /// The whole resource.
    pub(super) fn expand(&self, group: &'static str, version: &'static str) -> Resource {
        Resource {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            plural: Cow::Borrowed(self.plural),
            singular: Cow::Owned(self.kind.to_ascii_lowercase()),
            kind: Cow::Borrowed(self.kind),
            list_kind: Cow::Owned(format!("{}List", self.kind)),
            namespaced: self.namespaced,
            short_names: self.short_names.iter().copied().map(Cow::Borrowed).collect(),
            categories: self.categories.iter().copied().map(Cow::Borrowed).collect(),
            verbs: self.verbs,
            subresources: self.below.iter().map(|below| below.expand(group, version, self.kind)).collect(),
            name_rule: self.name_rule,
            selectable_fields: self.fields.iter().map(Field::expand).collect(),
            stored_as: self.stored_as.map(|(group, version)| (Cow::Borrowed(group), Cow::Borrowed(version))),
            returns_deleted: self.returns_deleted,
            custom: false,
        }
    }
}

impl Below {
    fn expand(&self, group: &'static str, version: &'static str, kind: &'static str) -> Subresource {
        let (group, version, kind) = self.kind.unwrap_or((group, version, kind));
        Subresource {
            name: Cow::Borrowed(self.name),
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            kind: Cow::Borrowed(kind),
            verbs: self.verbs,
        }
    }
}

impl Field {
    fn expand(&self) -> SelectableField {
        let Field(label, path, zero) = *self;
        SelectableField {
            label: Cow::Borrowed(label),
            path: Cow::Borrowed(if path.is_empty() { label } else { path }),
            zero: Cow::Borrowed(zero),
        }
    }
}
