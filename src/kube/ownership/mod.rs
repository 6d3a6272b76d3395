//! Who owns which field: `metadata.managedFields` and server-side apply (KEP-555, sigs.k8s.io/structured-merge-diff).
//!
//! Owners are kept of objects that somebody applied, from then on, as a kube-apiserver does that tracks nothing on create
//! (`DefaultTrackOnCreateProbability` 0): what others had written before belongs to `before-first-apply`. Thousands of clusters could not
//! keep them of every object. Controllers' own writes leave the owners as they are. This room must not know the store or requests.

mod apply;
mod compare;
mod conflict;
mod field_set;
mod merge;
mod owner;
mod shape;
mod update;

pub(super) use apply::{Applied, apply};
pub(super) use owner::Author;
pub(super) use shape::Shape;
pub(super) use update::update;
