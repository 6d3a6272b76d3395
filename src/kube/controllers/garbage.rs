//! Garbage collection by owner references (`kube-controller-manager` garbage collector).

use super::Happening;
use super::agenda::Work;
use super::pods::after;
use crate::kube::request::served::Served;
use crate::kube::store::{Version, namespace_of, path_of};
use crate::kube::strategy::Part;
use crate::kube::tree::text;
use crate::kube::verbs::DeleteOptions;
use crate::kube::{Cluster, ResourceId, tree};
use jiff::Timestamp;
use serde_json::Value;

/// How the object stands that an owner reference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    There,
    /// It goes once what it owns is gone.
    Leaving,
    Gone,
    /// Nobody can tell: its kind is not served, or has namespaces where what it owns has none.
    Unknown,
}

impl Cluster {
    /// Deletes what a deleted object leaves without an owner, and sees to the owners of what was written.
    pub(super) fn collect_garbage(&mut self, happening: &Happening<'_>) {
        let version = happening.version();
        if happening.write.is_delete {
            let uid = happening.write.object.stamp.uid.to_string();
            for (served, dependent) in self.dependents(&happening.served, &version) {
                let options = DeleteOptions::default();
                self.drop_dependent(&served, &dependent, &uid, &options, happening.now);
            }
        } else if happening.is_deleting() {
            self.finish_deletion(&happening.served, &version, happening.now);
        }
        self.note_owners(happening);
    }

    /// Looks whether any owner of an object is there; without one it goes, and those that are not there it does not keep.
    pub(super) fn keep_owned(&mut self, resource: ResourceId, path: &str, now: Timestamp) {
        let Some(served) = self.stored_as(resource) else { return };
        let Some(version) = self.store.get(resource, path) else { return };
        if self.store.stamp(&version).deleted_s.is_some() {
            return;
        }
        let owners = owners(&self.value(&served, &version));
        let standings: Vec<Standing> = owners.iter().map(|owner| self.standing(owner, namespace_of(path))).collect();
        if standings.contains(&Standing::There) {
            for (owner, standing) in owners.iter().zip(standings) {
                if [Standing::Gone, Standing::Leaving].contains(&standing) {
                    self.disown(&served, path, text(&owner["uid"]));
                }
            }
        } else if !owners.is_empty() && !standings.contains(&Standing::Unknown) {
            self.withdraw(&served, &version, now);
        }
    }

    /// Where the owners of an object changed: those that are not there are looked for again in a while, those that wait for the object
    /// may be let go.
    fn note_owners(&mut self, happening: &Happening<'_>) {
        let write = happening.write;
        let owned = |version: &Version| {
            let is_owned = self.store.body(version).mentions("\"ownerReferences\"");
            if is_owned { owners(&self.value(&happening.served, version)) } else { Vec::new() }
        };
        let last = owned(&happening.version());
        let (before, now) = match &write.previous {
            _ if write.is_delete => (last, Vec::new()),
            Some(previous) => (owned(previous), last),
            // What a template's object is owned by is the template's to say.
            None if self.is_of_template(&happening.served, &happening.version()) => return,
            None => (Vec::new(), last),
        };
        if before == now {
            return;
        }
        let namespace = namespace_of(&write.object.path);
        let is_missed = |owner: &Value| {
            let standing = self.standing(owner, namespace);
            standing == Standing::Gone || standing == Standing::Leaving
        };
        if now.iter().any(is_missed) {
            let work = Work::Owned(write.resource, write.object.path.clone());
            self.agenda.add_at(after(happening.now, LATENCY_S), work);
        }
        for owner in before {
            if self.standing(&owner, namespace) == Standing::Leaving
                && let Some((served, version)) = self.owner(&owner, namespace)
            {
                self.finish_deletion(&served, &version, happening.now);
            }
        }
    }

    /// Does what the finalizers `foregroundDeletion` and `orphan` wait for, and removes them.
    fn finish_deletion(&mut self, served: &Served, version: &Version, now: Timestamp) {
        let object = self.value(served, version);
        let uid = text(&object["metadata"]["uid"]);
        let finalizer = if has_finalizer(&object, FOREGROUND) {
            for (served, dependent) in self.blocking(served, version) {
                // What an owner waits for waits in turn for what it owns itself.
                let is_owner = !self.dependents(&served, &dependent).is_empty();
                let options = if is_owner { DeleteOptions::foreground() } else { DeleteOptions::default() };
                self.drop_dependent(&served, &dependent, uid, &options, now);
            }
            // Those that something holds hold their owner.
            if !self.blocking(served, version).is_empty() {
                return;
            }
            FOREGROUND
        } else if has_finalizer(&object, ORPHAN) {
            for (served, dependent) in self.dependents(served, version) {
                let path = self.store.path(&dependent).into_owned();
                self.disown(&served, &path, uid);
            }
            ORPHAN
        } else {
            return;
        };
        let path = self.store.path(version).into_owned();
        self.amend(served, &path, Part::Whole, |object| {
            tree::exclude(object, &["metadata", "finalizers"], finalizer);
        });
    }

    /// Lets go of a dependent of the owner `uid`, which is going: it stays for another owner, if there is one.
    fn drop_dependent(
        &mut self,
        served: &Served,
        version: &Version,
        uid: &str,
        options: &DeleteOptions,
        now: Timestamp,
    ) {
        if self.store.stamp(version).deleted_s.is_some() {
            return;
        }
        let path = self.store.path(version).into_owned();
        let mut others = owners(&self.value(served, version));
        others.retain(|owner| owner["uid"] != *uid);
        let others: Vec<Standing> = others.iter().map(|owner| self.standing(owner, namespace_of(&path))).collect();
        if others.contains(&Standing::There) {
            self.disown(served, &path, uid);
        } else if !others.contains(&Standing::Unknown) {
            // Nothing but a namespace that may not be deleted refuses, and that has no owner.
            _ = self.delete_object(served, version, options, now);
        }
    }

    /// The dependents without which an object is to be gone only after they are (`blockOwnerDeletion`).
    fn blocking(&self, served: &Served, version: &Version) -> Vec<(Served, Version)> {
        let uid = self.store.stamp(version).uid.to_string();
        let mut dependents = self.dependents(served, version);
        dependents.retain(|(served, dependent)| {
            let owners = owners(&self.value(served, dependent));
            owners.iter().any(|owner| owner["uid"] == *uid && owner["blockOwnerDeletion"] == true)
        });
        dependents
    }

    /// The objects that name an object as an owner.
    fn dependents(&self, served: &Served, version: &Version) -> Vec<(Served, Version)> {
        let path = self.store.path(version);
        let owner = self.as_owner(served, version);
        let mut dependents = Vec::new();
        for id in self.store.resources() {
            let Some(served) = self.stored_as(id) else { continue };
            let namespace = namespace_of(&path).filter(|_| served.namespaced);
            for found in self.store.list(id, namespace) {
                let is_owned = || owners(&self.value(&served, &found.version)).iter().any(|by| by["uid"] == *owner.uid);
                if self.mentions(&found.version, &owner) && is_owned() {
                    dependents.push((served.clone(), found.version));
                }
            }
        }
        dependents
    }

    /// How the owner stands that an object in a namespace, or in none, refers to.
    fn standing(&self, owner: &Value, namespace: Option<&str>) -> Standing {
        match self.resolve_kind(text(&owner["apiVersion"]), text(&owner["kind"])) {
            None => return Standing::Unknown,
            Some(served) if served.namespaced && namespace.is_none() => return Standing::Unknown,
            Some(_) => {}
        }
        match self.owner(owner, namespace) {
            None => Standing::Gone,
            Some((served, version)) => {
                let is_deleted = self.store.stamp(&version).deleted_s.is_some();
                let waits = is_deleted && has_finalizer(&self.value(&served, &version), FOREGROUND);
                if waits { Standing::Leaving } else { Standing::There }
            }
        }
    }

    /// The object that an owner reference means.
    fn owner(&self, owner: &Value, namespace: Option<&str>) -> Option<(Served, Version)> {
        let served = self.resolve_kind(text(&owner["apiVersion"]), text(&owner["kind"]))?;
        let path = path_of(namespace.filter(|_| served.namespaced), text(&owner["name"]));
        let found = self.store.get(served.storage, &path)?;
        let is_it = self.store.stamp(&found).uid.to_string() == text(&owner["uid"]);
        is_it.then_some((served, found))
    }

    /// Removes an owner from an object that stays.
    fn disown(&mut self, served: &Served, path: &str, uid: &str) {
        self.amend(served, path, Part::Whole, |object| {
            if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
                owners.retain(|owner| owner["uid"] != *uid);
            }
        });
    }
}

fn owners(object: &Value) -> Vec<Value> {
    object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default()
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|list| list.iter().any(|own| own == finalizer))
}

/// What waits for its dependents has this finalizer.
const FOREGROUND: &str = "foregroundDeletion";
/// What leaves its dependents to themselves has this one until they are told.
const ORPHAN: &str = "orphan";
/// The garbage collector hears of an object a moment after its client.
const LATENCY_S: i64 = 1;

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::{Value, json};

    const CONFIGMAPS: &str = "/api/v1/namespaces/web/configmaps";
    const SECRETS: &str = "/api/v1/namespaces/web/secrets";

    fn live(bench: &mut Bench, seconds: u32) {
        (0..seconds).for_each(|_| bench.pass(1));
    }

    fn reference(name: &str, uid: &Value, blocks: bool) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, "blockOwnerDeletion": blocks})
    }

    fn own(bench: &mut Bench, name: &str, owners: Value, finalizers: Value) {
        let metadata = json!({"name": name, "ownerReferences": owners, "finalizers": finalizers});
        bench.post(SECRETS, json!({"metadata": metadata})).ok();
    }

    #[test]
    fn what_nobody_owns_goes_after_a_moment() {
        let mut bench = Bench::new();
        let there = bench.configmap("there")["metadata"]["uid"].clone();
        let gone = json!("00000000-0000-4000-8000-000000000001");
        let unknown = json!({"apiVersion": "example.com/v1", "kind": "Thing", "name": "x", "uid": gone});
        own(&mut bench, "lost", json!([reference("nobody", &gone, false)]), json!([]));
        own(&mut bench, "mistaken", json!([reference("there", &gone, false)]), json!([]));
        own(
            &mut bench,
            "kept",
            json!([reference("there", &there, false), reference("nobody", &gone, false)]),
            json!([]),
        );
        own(&mut bench, "of-a-stranger", json!([unknown, reference("nobody", &gone, false)]), json!([]));
        let cluster_wide =
            json!({"metadata": {"name": "wide", "ownerReferences": [reference("nobody", &gone, false)]}});
        bench.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", cluster_wide).ok();
        assert_eq!(bench.get(SECRETS).names(), ["kept", "lost", "mistaken", "of-a-stranger"], "not at once");
        live(&mut bench, 2);
        assert_eq!(bench.get(SECRETS).names(), ["kept", "of-a-stranger"]);
        let kept = bench.get(&format!("{SECRETS}/kept")).ok();
        assert_eq!(kept["metadata"]["ownerReferences"], json!([reference("there", &there, false)]));
        assert_eq!(bench.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/wide").code, 200);
        // An update counts as a create does.
        let owners = json!([reference("nobody", &gone, false)]);
        bench.merge(&format!("{SECRETS}/kept"), json!({"metadata": {"ownerReferences": owners}})).ok();
        live(&mut bench, 2);
        assert_eq!(bench.get(SECRETS).names(), ["of-a-stranger"]);
        assert_eq!(bench.cluster.wake_at(), None);
    }

    #[test]
    fn what_is_owned_outlives_a_restart() {
        let mut bench = Bench::new();
        let start = bench.cluster.revision();
        let owner = bench.configmap("z")["metadata"]["uid"].clone();
        let gone = json!("00000000-0000-4000-8000-000000000001");
        for (name, uid) in [("a", &owner), ("b", &gone)] {
            let metadata = json!({"name": name, "ownerReferences": [reference("z", uid, true)]});
            let spec = json!({"containers": [{"name": "c", "image": "i"}]});
            bench.post("/api/v1/namespaces/web/pods", json!({"metadata": metadata, "spec": spec})).ok();
        }
        let mut after = bench.restarted(1, bench.cluster.written_since(start).places).unwrap();
        live(&mut after, 5);
        let there = ["a", "b"].map(|name| after.get(&format!("/api/v1/namespaces/web/pods/{name}")).code);
        assert_eq!(there, [200, 404]);
    }

    #[test]
    fn an_owner_waits_for_what_holds_it_and_for_nothing_else() {
        let mut bench = Bench::new();
        let owner = bench.configmap("owner")["metadata"]["uid"].clone();
        own(&mut bench, "free", json!([reference("owner", &owner, false)]), json!([]));
        for name in ["held", "let-go"] {
            own(&mut bench, name, json!([reference("owner", &owner, true)]), json!(["example.com/wait"]));
        }
        let target = format!("{CONFIGMAPS}/owner");
        bench.delete(&format!("{target}?propagationPolicy=Foreground")).ok();
        live(&mut bench, 5);
        let waiting = bench.get(&target).ok();
        assert!(waiting["metadata"]["deletionTimestamp"].is_string());
        assert_eq!(waiting["metadata"]["finalizers"], json!(["foregroundDeletion"]));
        for (name, is_going) in [("free", false), ("held", true), ("let-go", true)] {
            let secret = bench.get(&format!("{SECRETS}/{name}")).ok();
            assert_eq!(secret["metadata"]["deletionTimestamp"].is_string(), is_going, "{name}");
        }
        bench.merge(&format!("{SECRETS}/let-go"), json!({"metadata": {"ownerReferences": null}})).ok();
        assert_eq!(bench.get(&target).code, 200);
        bench.merge(&format!("{SECRETS}/held"), json!({"metadata": {"finalizers": null}})).ok();
        assert_eq!(bench.get(&target).code, 404);
        assert_eq!(bench.get(SECRETS).names(), ["let-go"]);
    }

    #[test]
    fn a_foreground_delete_goes_down_the_chain() {
        let mut bench = Bench::new();
        let template =
            json!({"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let spec = json!({"replicas": 2, "selector": {"matchLabels": {"app": "api"}}, "template": template});
        let deployments = "/apis/apps/v1/namespaces/web/deployments";
        bench.post(deployments, json!({"metadata": {"name": "api"}, "spec": spec})).ok();
        live(&mut bench, 4);
        let pods = "/api/v1/namespaces/web/pods?labelSelector=app%3Dapi";
        let name = bench.get(pods).names().remove(0);
        let pod = format!("/api/v1/namespaces/web/pods/{name}");
        bench.merge(&pod, json!({"metadata": {"finalizers": ["example.com/wait"]}})).ok();
        bench.delete(&format!("{deployments}/api?propagationPolicy=Foreground")).ok();
        live(&mut bench, 5);
        assert_eq!(bench.get(pods).names(), [name]);
        for kind in ["replicasets", "deployments"] {
            let list = bench.get(&format!("/apis/apps/v1/namespaces/web/{kind}")).ok();
            let mut items = list["items"].as_array().unwrap().iter();
            let waiting = items.find(|item| item["metadata"]["deletionTimestamp"].is_string()).unwrap();
            assert_eq!(waiting["metadata"]["finalizers"], json!(["foregroundDeletion"]), "{kind}");
        }
        bench.merge(&pod, json!({"metadata": {"finalizers": null}})).ok();
        assert_eq!(bench.get(&format!("{deployments}/api")).code, 404);
        assert_eq!(bench.get("/apis/apps/v1/namespaces/web/replicasets").names(), [""; 0]);
    }
}
