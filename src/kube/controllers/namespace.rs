//! The life of namespaces.

use super::Happening;
use crate::kube::object::time;
use crate::kube::request::served::Served;
use crate::kube::store::{Version, namespace_of};
use crate::kube::strategy::Part;
use crate::kube::verbs::DeleteOptions;
use crate::kube::{Cluster, tree};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

impl Cluster {
    /// Fills new namespaces, empties deleted ones, and lets them go once they are empty.
    pub(super) fn keep_namespaces(&mut self, happening: &Happening<'_>) {
        let Some(namespaces) = Cluster::built_in("", "namespaces") else { return };
        let path = happening.write.object.path.clone();
        let now = happening.now;
        if happening.served.is("", "namespaces") {
            let was_deleting = |before: &Version| self.store.stamp(before).deleted_s.is_some();
            if happening.is_deleting() {
                let finalizers = |version: &Version| {
                    let mut namespace = self.value(&namespaces, version);
                    namespace["spec"]["finalizers"].take()
                };
                // Somebody may have given it back what emptying it took away.
                let is_known =
                    |before: &Version| was_deleting(before) && finalizers(before) == finalizers(&happening.version());
                if happening.write.previous.as_ref().is_some_and(is_known) {
                    return;
                }
                let delay = SignedDuration::from_millis(TERMINATION_DELAY_MS);
                self.terminating.entry(path).or_insert(now.saturating_add(delay).unwrap_or(now));
            } else if happening.is_new() {
                self.fill(&path, now);
            }
            return;
        }
        let Some(namespace) = namespace_of(&path).filter(|_| happening.write.is_delete) else { return };
        let Some(owner) = self.store.get(namespaces.storage, namespace) else { return };
        if self.terminating.contains_key(namespace) {
            return;
        }
        if self.store.stamp(&owner).deleted_s.is_some() {
            self.empty(&namespaces, namespace, now);
        } else if happening.served.is("", "serviceaccounts") || happening.served.is("", "configmaps") {
            self.fill(namespace, now);
        }
    }

    /// Empties the deleted namespaces whose time has come.
    pub(in crate::kube) fn end_namespaces(&mut self, now: Timestamp) {
        let Some(namespaces) = Cluster::built_in("", "namespaces") else { return };
        let due = self.terminating.iter().filter(|(_, at)| **at <= now).map(|(namespace, _)| namespace.clone());
        for namespace in due.collect::<Vec<_>>() {
            self.terminating.remove(&namespace);
            // Somebody may have ended it already, and made another one of its name.
            let found = self.store.get(namespaces.storage, &namespace);
            if found.is_some_and(|found| self.store.stamp(&found).deleted_s.is_some()) {
                self.empty(&namespaces, &namespace, now);
            }
        }
    }

    fn fill(&mut self, namespace: &str, now: Timestamp) {
        let ca_pem = self.baseline.ca_pem().to_owned();
        let [account, certificate] = first_objects(namespace, &ca_pem);
        for (plural, object) in [("serviceaccounts", account), ("configmaps", certificate)] {
            if let Some(served) = Cluster::built_in("", plural) {
                self.ensure(&served, object, now);
            }
        }
    }

    /// Deletes what is in a namespace; when nothing is left, the namespace itself is no longer held.
    fn empty(&mut self, namespaces: &Served, namespace: &str, now: Timestamp) {
        let contents = self.contents(namespace);
        let mut left = 0;
        for (served, version) in contents {
            let is_deleting = self.store.stamp(&version).deleted_s.is_some();
            let deleted = (!is_deleting).then(|| self.delete_object(&served, &version, &DeleteOptions::default(), now));
            left += usize::from(!deleted.is_some_and(|deleted| deleted.is_ok_and(|deleted| deleted.is_gone)));
        }
        if left == 0 {
            self.amend(namespaces, namespace, Part::Finalize, |object| {
                tree::exclude(object, &["spec", "finalizers"], "kubernetes");
            });
        } else {
            let conditions = remaining(left, &time(now.as_second()));
            self.amend(namespaces, namespace, Part::Status, |object| {
                if object["status"]["conditions"].is_null() {
                    tree::set(object, &["status", "conditions"], conditions);
                }
            });
        }
    }

    fn contents(&self, namespace: &str) -> Vec<(Served, Version)> {
        let kinds = self.store.resources().into_iter().filter_map(|id| self.stored_as(id));
        let in_namespace = kinds.filter(|served| served.namespaced);
        in_namespace
            .flat_map(|served| {
                let found = self.store.list(served.storage, Some(namespace));
                found.into_iter().map(move |found| (served.clone(), found.version)).collect::<Vec<_>>()
            })
            .collect()
    }
}

/// Why a namespace is still there (`kube-controller-manager` namespace deletion).
fn remaining(left: usize, now: &str) -> Value {
    json!([
        {
            "type": "NamespaceContentRemaining", "status": "True", "reason": "SomeResourcesRemain", "lastTransitionTime": now,
            "message": format!("Some resources are remaining: {left} resource instances")
        },
        {
            "type": "NamespaceFinalizersRemaining", "status": "True", "reason": "SomeFinalizersRemain", "lastTransitionTime": now,
            "message": format!("Some content in the namespace has finalizers remaining: {left} resource instances")
        }
    ])
}

/// What every namespace is given: its `default` service account and the cluster's root certificate.
pub(in crate::kube) fn first_objects(namespace: &str, ca_pem: &str) -> [Value; 2] {
    [
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace}
        }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "kube-root-ca.crt", "namespace": namespace,
                "annotations": {"kubernetes.io/description": ROOT_CA_DESCRIPTION}
            },
            "data": {"ca.crt": ca_pem}
        }),
    ]
}

/// Fills in what every namespace has (core `namespaceStrategy.PrepareForCreate` and `NamespaceDefaultLabelName`).
pub(in crate::kube) fn complete(namespace: &mut Value) {
    let name = namespace["metadata"]["name"].clone();
    tree::set(namespace, &["metadata", "labels", "kubernetes.io/metadata.name"], name);
    tree::include(namespace, &["spec", "finalizers"], "kubernetes");
    tree::set(namespace, &["status"], json!({"phase": "Active"}));
}

/// What a kube-controller-manager writes there.
const ROOT_CA_DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal \
     service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/// How long a deleted namespace keeps what is in it. kube-controller-manager takes about as long, and clients that delete a
/// namespace together with its contents (`kubectl delete -f`) count on still finding them.
const TERMINATION_DELAY_MS: i64 = 1_000;

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::json;

    #[test]
    fn a_deleted_namespace_is_emptied_and_goes() {
        let mut bench = Bench::new();
        let revision = bench.cluster.revision();
        let mut watch = bench.watch(&format!("/api/v1/namespaces?watch=1&resourceVersion={revision}"));
        let answer = bench.delete("/api/v1/namespaces/web").ok();
        assert_eq!((&answer["kind"], &answer["status"]["phase"]), (&json!("Namespace"), &json!("Terminating")));
        assert_eq!(bench.cluster.counts().deployments, 1, "its contents stay for a moment");
        bench.pass(1);
        assert_eq!(bench.get("/api/v1/namespaces/web").code, 404);
        assert_eq!(bench.get("/api/v1/namespaces/web/pods").names(), [""; 0]);
        assert_eq!(bench.cluster.counts().deployments, 0);
        assert_eq!(watch.told(&bench), ["MODIFIED web", "DELETED web"]);
    }

    #[test]
    fn what_is_held_holds_its_namespace() {
        let mut bench = Bench::new();
        bench.configmap("a");
        let target = "/api/v1/namespaces/web/configmaps/a";
        bench.merge(target, json!({"metadata": {"finalizers": ["example.com/hold"]}})).ok();
        bench.delete("/api/v1/namespaces/web").ok();
        bench.pass(1);
        let namespace = bench.get("/api/v1/namespaces/web").ok();
        assert_eq!(namespace["status"]["conditions"][0]["type"], "NamespaceContentRemaining");
        let answer = bench.post("/api/v1/namespaces/web/secrets", json!({"metadata": {"name": "s"}}));
        assert_eq!(answer.code, 403);
        assert_eq!(answer.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
        bench.merge(target, json!({"metadata": {"finalizers": []}})).ok();
        assert_eq!(bench.get("/api/v1/namespaces/web").code, 404);
    }

    #[test]
    fn a_namespaces_own_finalizers_hold_it() {
        let mut bench = Bench::new();
        let target = "/api/v1/namespaces/web";
        bench.merge(target, json!({"metadata": {"finalizers": ["controller.cattle.io/namespace-auth"]}})).ok();
        bench.delete(target).ok();
        bench.pass(1);
        let mut namespace = bench.get(target).ok();
        assert_eq!(namespace["spec"].get("finalizers"), None);
        namespace["metadata"]["finalizers"] = json!([]);
        bench.put(target, &namespace).ok();
        assert_eq!(bench.get(target).code, 404);
    }

    #[test]
    fn finalize_writes_the_finalizers_of_the_spec() {
        let mut bench = Bench::new();
        let target = "/api/v1/namespaces/web/finalize";
        let object = json!({"metadata": {"name": "web"}, "spec": {"finalizers": ["kubernetes", "example.com/x"]}});
        let finalized = bench.put(target, &object).ok();
        assert_eq!(finalized["spec"]["finalizers"], json!(["kubernetes", "example.com/x"]));
        let object = json!({"metadata": {"name": "web"}, "spec": {"finalizers": []}});
        let updated = bench.put("/api/v1/namespaces/web", &object).ok();
        assert_eq!(updated["spec"]["finalizers"], json!(["kubernetes", "example.com/x"]));
    }

    #[test]
    fn a_namespace_made_again_keeps_its_contents() {
        let mut bench = Bench::new();
        bench.delete("/api/v1/namespaces/web?propagationPolicy=Background").ok();
        for target in ["/api/v1/namespaces/web/configmaps", "/api/v1/namespaces/web/pods"] {
            bench.delete(target).ok();
        }
        bench.put("/api/v1/namespaces/web/finalize", &json!({"metadata": {"name": "web"}})).ok();
        assert_eq!(bench.get("/api/v1/namespaces/web").code, 404);
        bench.post("/api/v1/namespaces", json!({"metadata": {"name": "web"}})).ok();
        bench.configmap("a");
        bench.pass(5);
        assert_eq!(bench.get("/api/v1/namespaces/web/configmaps/a").code, 200);
    }

    #[test]
    fn some_namespaces_stay_and_so_do_their_objects() {
        let mut bench = Bench::new();
        let answer = bench.delete("/api/v1/namespaces/kube-system");
        assert_eq!(answer.code, 403);
        assert_eq!(answer.message(), "namespaces \"kube-system\" is forbidden: this namespace may not be deleted");
        bench.delete("/api/v1/namespaces/web/configmaps/kube-root-ca.crt").ok();
        bench.delete("/api/v1/namespaces/web/serviceaccounts/default").ok();
        assert_eq!(bench.get("/api/v1/namespaces/web/configmaps").names(), ["kube-root-ca.crt"]);
        assert_eq!(bench.get("/api/v1/namespaces/web/serviceaccounts").names(), ["default"]);
    }
}
