//! Server-side apply.

use super::compare::{compare, fields_of};
use super::conflict::{Conflict, conflicts, refuse};
use super::field_set::FieldSet;
use super::merge::{merge, prune};
use super::owner::{Author, Owner, decode};
use super::shape::Shape;
use super::update::{put_managed, take_managed, updated};
use crate::kube::Status;
use crate::kube::tree;
use serde_json::{Value, json};

/// What is applied, onto what.
#[derive(Debug)]
pub(in crate::kube) struct Applied<'a> {
    /// The object as it is; as little as its type allows if there is none.
    pub live: &'a Value,
    /// The least that an object of the type says.
    pub empty: &'a Value,
    /// What its author wants of it.
    pub config: &'a Value,
    pub shape: Shape<'a>,
    /// Fields that this endpoint does not write.
    pub ignored: &'a [&'a [&'a str]],
    /// Whether the author takes over what others own.
    pub force: bool,
}

/// The object once `author` applied a configuration to it, with its owners; 409 if others own what would change.
pub(in crate::kube) fn apply(applied: &Applied<'_>, author: &Author<'_>) -> Result<Value, Status> {
    let conflicts = match attempt(applied, author, applied.force) {
        Ok(object) => return Ok(synchronised(object, applied, author)),
        Err(conflicts) => conflicts,
    };
    // Whoever changes from client-side to server-side apply conflicts with themselves.
    let allowed = if author.manager == KUBECTL { once_applied(applied) } else { None };
    let Some(allowed) = allowed else { return Err(refuse(&conflicts)) };
    let allowed = allowed.paths();
    let left: Vec<Conflict> = conflicts.into_iter().filter(|conflict| !allowed.contains(&conflict.path)).collect();
    if !left.is_empty() {
        return Err(refuse(&left));
    }
    attempt(applied, author, true)
        .map(|object| synchronised(object, applied, author))
        .map_err(|conflicts| refuse(&conflicts))
}

fn attempt(applied: &Applied<'_>, author: &Author<'_>, force: bool) -> Result<Value, Vec<Conflict>> {
    let Applied { config, shape, .. } = *applied;
    let ignored = FieldSet::of(applied.ignored);
    let mut live = applied.live.clone();
    let mut owners = take_managed(&mut live).and_then(|managed| decode(&managed)).unwrap_or_default();
    if owners.is_empty() && live != *applied.empty {
        let before = Author { manager: BEFORE.into(), ..author.clone() };
        owners = updated(applied.empty, &live, shape, &before, owners, &ignored);
    }
    let mut own = Owner { fields: fields_of(config, shape).outside(&ignored), ..author.owner(true) };
    let last = owners.extract_if(.., |owner| owner.is(&own)).next();
    let mut object = live.clone();
    merge(&mut object, config, shape);
    if let Some(last) = &last {
        let mut owned = own.fields.clone();
        owners.iter().for_each(|owner| owned.add(&owner.fields));
        prune(&mut object, shape, &last.fields, &owned);
    }
    let changes = compare(Some(&live), Some(&object), shape).outside(&ignored);
    let written = changes.written();
    let taken = owners.iter().map(|owner| (owner, owner.fields.and(&written).paths()));
    let found: Vec<Conflict> = taken.flat_map(|(owner, paths)| conflicts(owner, paths)).collect();
    if !force && !found.is_empty() {
        return Err(found);
    }
    for owner in &mut owners {
        owner.fields = owner.fields.without(&written).without(&changes.removed);
    }
    own.strip();
    own.time = if object == live { last.and_then(|last| last.time) } else { author.time() };
    owners.push(own);
    put_managed(&mut object, owners);
    Ok(object)
}

/// The fields of `kubectl apply`'s last configuration that are as it left them.
fn once_applied(applied: &Applied<'_>) -> Option<FieldSet> {
    let last = applied.live["metadata"]["annotations"][LAST_APPLIED].as_str()?;
    let last: Value = serde_json::from_str(last).ok()?;
    let changes = compare(Some(&last), Some(applied.live), applied.shape);
    let fields = fields_of(&last, applied.shape);
    Some(fields.without(&changes.modified).without(&changes.added).without(&changes.removed))
}

/// Keeps the annotation of client-side apply true where there is one, for a user who goes back to it.
fn synchronised(mut object: Value, applied: &Applied<'_>, author: &Author<'_>) -> Value {
    let has_one = object["metadata"]["annotations"][LAST_APPLIED].as_str().is_some_and(|last| !last.is_empty());
    if author.manager == KUBECTL && has_one {
        let mut config = applied.config.clone();
        if let Some(Value::Object(annotations)) = config.pointer_mut("/metadata/annotations") {
            annotations.remove(LAST_APPLIED);
        }
        let mut last = config.to_string();
        last.push('\n');
        tree::set(&mut object, &["metadata", "annotations", LAST_APPLIED], json!(last));
    }
    object
}

const KUBECTL: &str = "kubectl";
/// Who owns what was there before anybody applied the object.
const BEFORE: &str = "before-first-apply";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
