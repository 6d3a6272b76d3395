//! Persistent volume claims are bound to volumes (`kube-controller-manager` persistentvolume controller and a provisioner).

use super::agenda::Work;
use super::pods::has_ended;
use crate::kube::quantity::Quantity;
use crate::kube::request::served::Served;
use crate::kube::store::{Version, name_of, namespace_of};
use crate::kube::tree::text;
use crate::kube::{Cluster, Status, tree};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

impl Cluster {
    /// Binds a claim to a volume that suits, or to a new one where its class has a provisioner.
    pub(super) fn keep_claim(&mut self, path: &str, now: Timestamp) {
        let Some((claims, _, claim)) = self.living("", "persistentvolumeclaims", path) else {
            return self.let_claim_go(path);
        };
        let Some(volumes) = Cluster::built_in("", "persistentvolumes") else { return };
        if claim["status"]["phase"] == "Bound" {
            return self.grow(path, &claim, now);
        }
        let class = self.class_of(&claim);
        let reference = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": claim["metadata"]["name"], "namespace": claim["metadata"]["namespace"],
            "uid": claim["metadata"]["uid"], "resourceVersion": claim["metadata"]["resourceVersion"]
        });
        let listed = self.store.list(volumes.storage, None).into_iter();
        let mut known = listed.map(|found| self.value(&volumes, &found.version));
        let is_found = text(&claim["spec"]["volumeName"]).is_empty();
        let found = known
            .find(|volume| suits(volume, &claim, &class))
            .map(|volume| text(&volume["metadata"]["name"]).to_owned());
        let name = match found {
            Some(name) => name,
            None if class.is_empty() => return,
            None => {
                let name = format!("pvc-{}", text(&claim["metadata"]["uid"]));
                let volume = json!({
                    "apiVersion": "v1", "kind": "PersistentVolume",
                    "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
                    "spec": {
                        "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                        "accessModes": claim["spec"]["accessModes"], "persistentVolumeReclaimPolicy": "Delete",
                        "storageClassName": class, "volumeMode": "Filesystem", "claimRef": reference,
                        "hostPath": {"path": format!("/opt/local-path-provisioner/{name}"), "type": "DirectoryOrCreate"}
                    }
                });
                _ = self.spawn(&volumes, volume, now);
                name
            }
        };
        let Some(volume) = self.store.get(volumes.storage, &name).map(|version| self.value(&volumes, &version)) else {
            return;
        };
        // Who is found is told from who was asked for.
        self.rewrite(&volumes, &name, |volume| {
            if volume["spec"]["claimRef"].is_null() {
                tree::set(volume, &["metadata", "annotations", BOUND_HERE], "yes");
            }
            if volume["spec"]["claimRef"]["uid"] != reference["uid"] {
                tree::set(volume, &["spec", "claimRef"], reference);
            }
            tree::set(volume, &["status", "phase"], "Bound");
        });
        self.rewrite(&claims, path, |claim| {
            tree::set(claim, &["spec", "volumeName"], name.as_str());
            tree::set(claim, &["spec", "storageClassName"], class.as_str());
            if is_found {
                tree::set(claim, &["metadata", "annotations", BOUND_HERE], "yes");
            }
            tree::set(claim, &["metadata", "annotations", "pv.kubernetes.io/bind-completed"], "yes");
            let status = json!({
                "phase": "Bound", "accessModes": volume["spec"]["accessModes"], "capacity": volume["spec"]["capacity"]
            });
            tree::set(claim, &["status"], status);
        });
    }

    /// Offers a new volume to the claims that wait for one.
    pub(super) fn offer_volume(&mut self, path: &str) {
        let (Some(volumes), Some(claims)) =
            (Cluster::built_in("", "persistentvolumes"), Cluster::built_in("", "persistentvolumeclaims"))
        else {
            return;
        };
        let is_offered = self.rewrite(&volumes, path, |volume| {
            if volume["status"]["phase"] == "Pending" && volume["metadata"]["deletionTimestamp"].is_null() {
                tree::set(volume, &["status", "phase"], "Available");
            }
        });
        if !is_offered {
            return;
        }
        let waits = |version: &Version| self.value(&claims, version)["status"]["phase"] == "Pending";
        let listed = self.store.list(claims.storage, None).into_iter().filter(|found| waits(&found.version));
        let waiting: Vec<Arc<str>> = listed.map(|found| found.path.as_ref().into()).collect();
        waiting.into_iter().for_each(|claim| self.agenda.add(Work::Claim(claim)));
    }

    /// Gives a bound claim the size that it asks for (`external-resizer`); that its class lets it grow was checked when it asked.
    fn grow(&mut self, path: &str, claim: &Value, now: Timestamp) {
        let (wanted, held) =
            (&claim["spec"]["resources"]["requests"]["storage"], &claim["status"]["capacity"]["storage"]);
        if Quantity::of(wanted) <= Quantity::of(held) || !self.is_expandable(claim) {
            return;
        }
        let (Some(claims), Some(volumes)) =
            (Cluster::built_in("", "persistentvolumeclaims"), Cluster::built_in("", "persistentvolumes"))
        else {
            return;
        };
        let size = |object: &mut Value, part| tree::set(object, &[part, "capacity", "storage"], wanted.clone());
        self.rewrite(&volumes, text(&claim["spec"]["volumeName"]), |volume| size(volume, "spec"));
        self.rewrite(&claims, path, |claim| size(claim, "status"));
        let by = format!("external-resizer {PROVISIONER}");
        self.tell(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded", &by, now);
    }

    /// Refuses a claim that asks for more, unless it is bound and its class lets it grow (admission `PersistentVolumeClaimResize`).
    pub(in crate::kube) fn check_growth(&self, served: &Served, old: &Value, claim: &Value) -> Result<(), Status> {
        let wanted = |claim: &Value| Quantity::of(&claim["spec"]["resources"]["requests"]["storage"]);
        let why = if wanted(claim) <= wanted(old) {
            return Ok(());
        } else if old["status"]["phase"] != "Bound" {
            "Only bound persistent volume claims can be expanded"
        } else if !self.is_expandable(claim) {
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
        } else {
            return Ok(());
        };
        Err(Status::forbidden(served, text(&claim["metadata"]["name"]), why))
    }

    fn is_expandable(&self, claim: &Value) -> bool {
        let Some(classes) = Cluster::built_in("storage.k8s.io", "storageclasses") else { return false };
        let found = self.store.get(classes.storage, text(&claim["spec"]["storageClassName"]));
        found.is_some_and(|class| self.value(&classes, &class)["allowVolumeExpansion"] == true)
    }

    /// Lets go of a deleted claim that no pod uses.
    fn let_claim_go(&mut self, path: &str) {
        let (Some(claims), Some(pods)) =
            (Cluster::built_in("", "persistentvolumeclaims"), Cluster::built_in("", "pods"))
        else {
            return;
        };
        let listed = self.store.list(pods.storage, namespace_of(path)).into_iter();
        let mut running = listed.map(|found| self.value(&pods, &found.version)).filter(|pod| !has_ended(pod));
        if !running.any(|pod| claims_of(&pod).any(|claim| claim == name_of(path))) {
            self.rewrite(&claims, path, |claim| tree::exclude(claim, &["metadata", "finalizers"], CLAIM_IN_USE));
        }
    }

    /// Lets go of a deleted volume that no claim has.
    pub(super) fn let_volume_go(&mut self, path: &str) {
        let Some(volumes) = Cluster::built_in("", "persistentvolumes") else { return };
        self.rewrite(&volumes, path, |volume| {
            if volume["status"]["phase"] != "Bound" {
                tree::exclude(volume, &["metadata", "finalizers"], VOLUME_IN_USE);
            }
        });
    }

    /// Lets a volume go with its claim, or keeps it as released.
    pub(super) fn release_volume(&mut self, claim: &Value, now: Timestamp) {
        let Some(volumes) = Cluster::built_in("", "persistentvolumes") else { return };
        let name = text(&claim["spec"]["volumeName"]);
        let Some(version) = self.store.get(volumes.storage, name) else { return };
        if self.value(&volumes, &version)["spec"]["claimRef"]["uid"] != claim["metadata"]["uid"] {
            return;
        }
        let is_deleted = self.value(&volumes, &version)["spec"]["persistentVolumeReclaimPolicy"] == "Delete";
        self.rewrite(&volumes, name, |volume| tree::set(volume, &["status", "phase"], "Released"));
        if let Some(version) = self.store.get(volumes.storage, name).filter(|_| is_deleted) {
            self.withdraw(&volumes, &version, now);
        }
    }

    /// The class a claim asks for, or the default one; empty for none.
    fn class_of(&self, claim: &Value) -> String {
        if let Some(class) = claim["spec"]["storageClassName"].as_str() {
            return class.to_owned();
        }
        let Some(classes) = Cluster::built_in("storage.k8s.io", "storageclasses") else { return String::new() };
        let listed = self.store.list(classes.storage, None).into_iter();
        let mut classes = listed.map(|found| self.value(&classes, &found.version));
        let default = classes
            .find(|class| class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true");
        default.map_or_else(|| DEFAULT_CLASS.into(), |class| text(&class["metadata"]["name"]).to_owned())
    }
}

/// The names of the claims that a pod uses.
pub(super) fn claims_of(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
}

/// Whether a volume that nobody has is what a claim asks for.
fn suits(volume: &Value, claim: &Value, class: &str) -> bool {
    let wanted = Quantity::of(&claim["spec"]["resources"]["requests"]["storage"]).unwrap_or_default();
    let holds = Quantity::of(&volume["spec"]["capacity"]["storage"]).unwrap_or_default();
    let modes = |object: &Value| object["spec"]["accessModes"].as_array().cloned().unwrap_or_default();
    let named = text(&claim["spec"]["volumeName"]);
    let reference = &volume["spec"]["claimRef"];
    let is_free = reference.is_null()
        || (reference["name"] == claim["metadata"]["name"]
            && reference["namespace"] == claim["metadata"]["namespace"]
            // One of another uid is a claim that is gone: its volume is released, not free.
            && (text(&reference["uid"]).is_empty() || reference["uid"] == claim["metadata"]["uid"]));
    is_free
        && (named.is_empty() || volume["metadata"]["name"] == *named)
        && text(&volume["spec"]["storageClassName"]) == class
        && holds >= wanted
        && modes(claim).iter().all(|mode| modes(volume).contains(mode))
}

/// What keeps a claim while a pod uses it, and a volume while a claim has it (admission `StorageObjectInUseProtection`).
pub(in crate::kube) const CLAIM_IN_USE: &str = "kubernetes.io/pvc-protection";
pub(in crate::kube) const VOLUME_IN_USE: &str = "kubernetes.io/pv-protection";
/// On what the binder has put together by itself.
const BOUND_HERE: &str = "pv.kubernetes.io/bound-by-controller";
/// Who made the volumes that are made here.
const PROVISIONER: &str = "rancher.io/local-path";
/// What stands for a class where the cluster has none: claims of clusters in a lab are expected to bind.
const DEFAULT_CLASS: &str = "local-path";

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::{Value, json};

    #[test]
    fn a_claim_grows_if_its_class_lets_it() {
        let mut bench = Bench::new();
        for (name, grows) in [("elastic", true), ("stiff", false)] {
            let class =
                json!({"metadata": {"name": name}, "provisioner": "example.com/disk", "allowVolumeExpansion": grows});
            bench.post("/apis/storage.k8s.io/v1/storageclasses", class).ok();
            let spec = json!({
                "storageClassName": name, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}
            });
            let claim = json!({"metadata": {"name": name}, "spec": spec});
            bench.post("/api/v1/namespaces/web/persistentvolumeclaims", claim).ok();
        }
        let target = |name: &str| format!("/api/v1/namespaces/web/persistentvolumeclaims/{name}");
        let more = || json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
        let refused = bench.merge(&target("stiff"), more());
        assert_eq!(
            (refused.code, refused.message()),
            (
                403,
                "persistentvolumeclaims \"stiff\" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that \
                 provisions the pvc must support resize"
            )
        );
        bench.merge(&target("elastic"), more()).ok();
        let claim: Value = bench.get(&target("elastic")).ok();
        assert_eq!(claim["status"]["capacity"]["storage"], "2Gi");
        let volume =
            bench.get(&format!("/api/v1/persistentvolumes/{}", claim["spec"]["volumeName"].as_str().unwrap())).ok();
        assert_eq!(volume["spec"]["capacity"]["storage"], "2Gi");
    }

    #[test]
    fn a_volume_that_a_claim_left_is_not_for_another_of_its_name() {
        let mut bench = Bench::new();
        let claims = "/api/v1/namespaces/web/persistentvolumeclaims";
        let spec = json!({"storageClassName": "", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let volume = json!({"metadata": {"name": "kept"}, "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/kept"}
        }});
        bench.post("/api/v1/persistentvolumes", volume).ok();
        let claim = json!({"metadata": {"name": "data"}, "spec": spec});
        for (phase, volume) in [("Bound", json!("kept")), ("Pending", Value::Null)] {
            bench.post(claims, claim.clone()).ok();
            bench.pass(1);
            let claim = bench.get(&format!("{claims}/data")).ok();
            assert_eq!((&claim["status"]["phase"], &claim["spec"]["volumeName"]), (&phase.into(), &volume));
            bench.delete(&format!("{claims}/data")).ok();
            bench.pass(1);
        }
    }
}
