//! How the fields of built-in kinds merge in strategic merge patches.

use crate::kube::Resource;
use crate::kube::types::{self, INLINE, Kind, Message, Patch};

/// The fields of an object; nothing is known of those of a custom kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema(Option<&'static Message>);

/// One field, as far as it merges in its own way or leads to such fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub rule: Patch,
    /// What the field's map, or the maps in its list, are made of.
    pub schema: Schema,
}

/// Nothing merges in its own way.
pub(super) const PLAIN: Schema = Schema(None);

impl Schema {
    /// The schema of a kind's objects.
    pub(super) fn of(resource: &Resource) -> Schema {
        Schema(types::find(&resource.api_version(), &resource.kind))
    }

    /// The field of this name.
    pub(super) fn field(self, name: &str) -> Option<Field> {
        let message = self.0?;
        for field in message.fields {
            match field.kind {
                Kind::Message(inner) if field.json == INLINE => {
                    if let Some(found) = Schema(Some(inner)).field(name) {
                        return Some(found);
                    }
                }
                kind if field.json == name => {
                    let rule = types::row(message, name).map_or(Patch::Plain, |row| row.patch);
                    let inner = match kind {
                        Kind::Message(inner) | Kind::List(&Kind::Message(inner)) | Kind::Map(&Kind::Message(inner)) => {
                            Some(inner)
                        }
                        _ => None,
                    };
                    return Some(Field { rule, schema: Schema(inner) });
                }
                _ => {}
            }
        }
        None
    }
}

impl Field {
    /// Whether it is a list that merges.
    pub(super) fn merges_as_list(self) -> bool {
        matches!(self.rule, Patch::Merge | Patch::MergeBy(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;

    #[test]
    fn containers_are_found_wherever_pods_are_made() {
        for (group, plural, path) in [
            ("", "pods", &["spec", "containers", "env"][..]),
            ("", "pods", &["spec", "ephemeralContainers", "env"]),
            ("apps", "deployments", &["spec", "template", "spec", "containers", "env"]),
            ("batch", "cronjobs", &["spec", "jobTemplate", "spec", "template", "spec", "initContainers", "env"]),
        ] {
            let mut schema = Schema::of(lookup(group, "v1", plural).unwrap().1);
            let mut rule = Patch::Plain;
            for name in path {
                let field = schema.field(name).unwrap();
                (schema, rule) = (field.schema, field.rule);
            }
            assert_eq!(rule, Patch::MergeBy("name"), "{plural}");
        }
    }
}
