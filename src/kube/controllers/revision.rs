//! ControllerRevisions: the templates that a DaemonSet or StatefulSet has had (`k8s.io/kubernetes/pkg/controller/history`).

use super::owned::controlled_by;
use super::pods::{hash_of, number};
use crate::kube::request::served::Served;
use crate::kube::store::Version;
use crate::kube::tree::text;
use crate::kube::{Cluster, tree};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// The hash of an object's present template, under which a revision of it is kept.
    pub(super) fn revise(&mut self, served: &Served, version: &Version, object: &Value, now: Timestamp) -> String {
        let template = &object["spec"]["template"];
        let hash = hash_of(template);
        let Some(revisions) = Cluster::built_in("apps", "controllerrevisions") else { return hash };
        let path = self.store.path(version).into_owned();
        let owner = self.as_owner(served, version);
        let mut known: Vec<Value> =
            self.controlled(&revisions, &path, &owner).into_iter().map(|(_, known)| known).collect();
        known.sort_by_key(|known| number(&known["revision"]));
        let name = format!("{}-{hash}", text(&object["metadata"]["name"]));
        let last = known.last().map_or(0, |known| number(&known["revision"]));
        match known.iter().find(|known| known["metadata"]["name"] == *name) {
            Some(same) if number(&same["revision"]) == last => {}
            Some(_) => {
                let path = path_beside(&path, &name);
                self.rewrite(&revisions, &path, |known| tree::set(known, &["revision"], last + 1));
            }
            None => {
                let mut template = template.clone();
                tree::set(&mut template, &["$patch"], "replace");
                let mut labels = object["spec"]["template"]["metadata"]["labels"].clone();
                // The daemon set controller has a history of its own.
                let label = if served.is("apps", "daemonsets") {
                    "controller-revision-hash"
                } else {
                    "controller.kubernetes.io/hash"
                };
                tree::set(&mut labels, &[label], hash.as_str());
                let revision = json!({
                    "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": last + 1,
                    "metadata": {
                        "name": name, "namespace": object["metadata"]["namespace"], "labels": labels,
                        "ownerReferences": controlled_by("apps/v1", &served.kind, object)
                    },
                    "data": {"spec": {"template": template}}
                });
                _ = self.spawn(&revisions, revision, now);
                let limit = object["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10) as usize;
                // The present one is kept beside the history.
                for old in known.iter().take(known.len().saturating_sub(limit)) {
                    if let Some(version) =
                        self.store.get(revisions.storage, &path_beside(&path, text(&old["metadata"]["name"])))
                    {
                        self.withdraw(&revisions, &version, now);
                    }
                }
            }
        }
        hash
    }
}

/// The path of another object in the namespace of `path`.
pub(super) fn path_beside(path: &str, name: &str) -> String {
    crate::kube::store::path_of(crate::kube::store::namespace_of(path), name)
}
