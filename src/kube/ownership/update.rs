//! What updates, patches and creates do to the owners.

use super::compare::compare;
use super::field_set::FieldSet;
use super::owner::{Author, Owner, cap, decode, encode};
use super::shape::Shape;
use serde_json::{Value, json};

/// Gives `after` the owners that it has once `author` made it out of `before`; of an object that nobody ever applied there are none.
/// `ignored` fields are not changed by this kind of write.
pub(in crate::kube) fn update(
    before: &Value,
    after: &mut Value,
    shape: Shape<'_>,
    author: &Author<'_>,
    ignored: &[&[&str]],
) {
    let standing = &before["metadata"]["managedFields"];
    let brought = take_managed(after);
    // Below an object nobody can say whose its fields are.
    let owners = match (&brought, author.subresource) {
        (Some(brought), None) if is_reset(brought) => Vec::new(),
        (Some(brought), None) => {
            decode(brought).filter(|owners| !owners.is_empty()).or_else(|| decode(standing)).unwrap_or_default()
        }
        _ => decode(standing).unwrap_or_default(),
    };
    if owners.is_empty() {
        return;
    }
    let mut plain = before.clone();
    take_managed(&mut plain);
    put_managed(after, updated(&plain, after, shape, author, owners, &FieldSet::of(ignored)));
}

/// The owners after an update.
pub(super) fn updated(
    before: &Value,
    after: &Value,
    shape: Shape<'_>,
    author: &Author<'_>,
    mut owners: Vec<Owner>,
    ignored: &FieldSet,
) -> Vec<Owner> {
    let changes = compare(Some(before), Some(after), shape).outside(ignored);
    let written = changes.written();
    for owner in &mut owners {
        owner.fields = owner.fields.without(&written).without(&changes.removed);
    }
    let mut own = Owner { fields: written, ..author.owner(false) };
    own.strip();
    if !own.fields.is_empty() {
        own.time = author.time();
        match owners.iter_mut().find(|owner| owner.is(&own)) {
            Some(owner) => {
                owner.fields.add(&own.fields);
                owner.time = own.time;
            }
            None => owners.push(own),
        }
    }
    cap(&mut owners);
    owners
}

/// Takes `managedFields` out of an object.
pub(super) fn take_managed(object: &mut Value) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.remove("managedFields")
}

/// Puts the owners into an object, if there are any.
pub(super) fn put_managed(object: &mut Value, owners: Vec<Owner>) {
    let managed = encode(owners);
    if managed != json!([]) {
        crate::kube::tree::set(object, &["metadata", "managedFields"], managed);
    }
}

/// Whether a client asks for no owners: with an empty list, or one of an empty entry.
fn is_reset(managed: &Value) -> bool {
    managed.as_array().is_some_and(|entries| entries.is_empty() || *entries == [json!({})])
}
