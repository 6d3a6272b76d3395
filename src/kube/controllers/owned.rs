//! Who owns what.

use crate::kube::Cluster;
use crate::kube::object::Uid;
use crate::kube::request::served::Served;
use crate::kube::store::{Version, namespace_of};
use serde_json::{Value, json};

/// An owner as other objects refer to it.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub uid: String,
    as_bits: Uid,
    /// Which baseline object it is; those of the baseline refer to it by that.
    ordinal: Option<u32>,
}

impl Cluster {
    /// An object as an owner.
    pub(super) fn as_owner(&self, served: &Served, version: &Version) -> Owner {
        let uid = self.store.stamp(version).uid;
        let ordinal = self.store.ordinal_at(served.storage, &self.store.path(version));
        // An object that took the place of a baseline object is not the one that others of the baseline refer to.
        let ordinal = ordinal.filter(|ordinal| self.store.particulars().uid(*ordinal) == uid);
        Owner { uid: uid.to_string(), as_bits: uid, ordinal }
    }

    /// Whether the uid of an owner occurs in an object: what an owner owns is among those.
    pub(super) fn mentions(&self, version: &Version, owner: &Owner) -> bool {
        let body = self.store.body(version);
        let by_ordinal = owner.ordinal.is_some_and(|ordinal| body.mentions_baseline(ordinal));
        by_ordinal || (matches!(version, Version::Written(_)) && body.mentions_uid(owner.as_bits))
    }

    /// The objects of a kind in the namespace of `path` that the object there controls, in the order of their names.
    pub(super) fn controlled(&self, kind: &Served, path: &str, owner: &Owner) -> Vec<(Version, Value)> {
        let found = self.store.list(kind.storage, namespace_of(path)).into_iter();
        let mentioning = found.filter(|found| self.mentions(&found.version, owner)).map(|found| found.version);
        let values = mentioning.map(|version| (version.clone(), self.value(kind, &version)));
        values.filter(|(_, object)| controller(object).is_some_and(|by| by["uid"] == *owner.uid)).collect()
    }
}

/// The reference to the controller of an object.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    object["metadata"]["ownerReferences"].as_array()?.iter().find(|owner| owner["controller"] == true)
}

/// A reference to an object as the controller of another.
pub(super) fn controlled_by(api_version: &str, kind: &str, object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!([{
        "apiVersion": api_version, "kind": kind, "name": metadata["name"], "uid": metadata["uid"],
        "controller": true, "blockOwnerDeletion": true
    }])
}
