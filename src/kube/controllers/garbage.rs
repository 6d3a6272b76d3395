//! Garbage collection by owner references.

use super::Happening;
use crate::kube::served::Served;
use crate::kube::store::{Version, namespace_of, path_of};
use crate::kube::strategy::Part;
use crate::kube::verbs::DeleteOptions;
use crate::kube::{Cluster, tree};
use serde_json::Value;

impl Cluster {
    /// Deletes what a deleted object leaves without an owner.
    pub(super) fn collect_garbage(&mut self, happening: &Happening<'_>) {
        if happening.write.is_delete {
            self.drop_dependents(happening);
        } else if happening.is_deleting() {
            self.finish_deletion(happening);
        }
    }

    /// Does what the finalizers `foregroundDeletion` and `orphan` wait for, and removes them.
    fn finish_deletion(&mut self, happening: &Happening<'_>) {
        let object = self.value(&happening.served, &happening.version());
        let has = |finalizer: &str| {
            object["metadata"]["finalizers"].as_array().is_some_and(|list| list.iter().any(|f| f == finalizer))
        };
        let finalizer = if has("foregroundDeletion") {
            self.drop_dependents(happening);
            "foregroundDeletion"
        } else if has("orphan") {
            let uid = happening.write.object.stamp.uid.to_string();
            for (served, version) in self.dependents(happening) {
                self.disown(&served, &version, &uid);
            }
            "orphan"
        } else {
            return;
        };
        let path = happening.write.object.path.clone();
        self.amend(&happening.served, &path, Part::Whole, |object| {
            tree::exclude(object, &["metadata", "finalizers"], finalizer);
        });
    }

    fn drop_dependents(&mut self, happening: &Happening<'_>) {
        let uid = happening.write.object.stamp.uid.to_string();
        for (served, version) in self.dependents(happening) {
            let object = self.value(&served, &version);
            let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
            let namespace = object["metadata"]["namespace"].as_str();
            if owners.filter(|owner| owner["uid"] != *uid).any(|owner| self.is_there(owner, namespace)) {
                self.disown(&served, &version, &uid);
            } else {
                // Nothing but a namespace that may not be deleted refuses, and that has no owner.
                _ = self.delete_object(&served, &version, &DeleteOptions::default(), happening.now);
            }
        }
    }

    /// The objects that name the object of a write as an owner.
    fn dependents(&self, happening: &Happening<'_>) -> Vec<(Served, Version)> {
        let path = &happening.write.object.path;
        let owner = self.as_owner(&happening.served, &happening.version());
        let mut dependents = Vec::new();
        for id in self.store.resources() {
            let Some(served) = self.stored_as(id) else { continue };
            let namespace = namespace_of(path).filter(|_| served.namespaced);
            for found in self.store.list(id, namespace) {
                if self.mentions(&found.version, &owner) && self.is_owned(&served, &found.version, &owner.uid) {
                    dependents.push((served.clone(), found.version));
                }
            }
        }
        dependents
    }

    fn is_owned(&self, served: &Served, version: &Version, uid: &str) -> bool {
        let object = self.value(served, version);
        let owners = object["metadata"]["ownerReferences"].as_array();
        owners.into_iter().flatten().any(|owner| owner["uid"] == uid)
    }

    /// Whether the object that an owner reference means exists.
    fn is_there(&self, owner: &Value, namespace: Option<&str>) -> bool {
        let text = |field: &str| owner[field].as_str().unwrap_or_default();
        let Some(served) = self.resolve_kind(text("apiVersion"), text("kind")) else { return false };
        let path = path_of(namespace.filter(|_| served.namespaced), text("name"));
        let found = self.store.get(served.storage, &path);
        found.is_some_and(|found| self.store.stamp(&found).uid.to_string() == text("uid"))
    }

    /// Removes an owner from an object that stays.
    fn disown(&mut self, served: &Served, version: &Version, uid: &str) {
        let path = self.store.path(version).into_owned();
        self.amend(served, &path, Part::Whole, |object| {
            if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
                owners.retain(|owner| owner["uid"] != *uid);
            }
        });
    }
}
