//! The life of namespaces.

use super::Happening;
use crate::kube::Cluster;
use crate::kube::object::time;
use crate::kube::served::Served;
use crate::kube::store::{Version, namespace_of};
use crate::kube::strategy::Part;
use crate::kube::verbs::DeleteOptions;
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// Fills new namespaces, empties deleted ones, and lets them go once they are empty.
    pub(super) fn keep_namespaces(&mut self, happening: &Happening<'_>) {
        let Some(namespaces) = Cluster::built_in("", "namespaces") else { return };
        let path = happening.write.object.path.clone();
        let now = happening.now;
        if happening.served.is("", "namespaces") {
            if happening.is_deleting() {
                self.empty(&namespaces, &path, now);
            } else if happening.is_new() {
                self.fill(&path, now);
            }
            return;
        }
        let Some(namespace) = namespace_of(&path).filter(|_| happening.write.is_delete) else { return };
        let Some(owner) = self.store.get(namespaces.storage, namespace) else { return };
        if self.store.stamp(&owner).deleted_s.is_some() {
            self.empty(&namespaces, namespace, now);
        } else if happening.served.is("", "serviceaccounts") || happening.served.is("", "configmaps") {
            self.fill(namespace, now);
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
                if let Some(finalizers) = object["spec"]["finalizers"].as_array_mut() {
                    finalizers.retain(|finalizer| finalizer != "kubernetes");
                }
            });
        } else {
            let conditions = remaining(left, &time(now.as_second()));
            self.amend(namespaces, namespace, Part::Status, |object| {
                if object["status"]["conditions"].is_null() {
                    object["status"]["conditions"] = conditions;
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
    let labels = &mut namespace["metadata"]["labels"];
    if !labels.is_object() {
        *labels = json!({});
    }
    labels["kubernetes.io/metadata.name"] = name;
    let spec = &mut namespace["spec"];
    if !spec.is_object() {
        *spec = json!({});
    }
    let finalizers = &mut spec["finalizers"];
    let own = json!("kubernetes");
    match finalizers {
        Value::Array(finalizers) if finalizers.contains(&own) => {}
        Value::Array(finalizers) => finalizers.push(own),
        other => *other = json!([own]),
    }
    namespace["status"] = json!({"phase": "Active"});
}

/// What a kube-controller-manager writes there.
const ROOT_CA_DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal \
     service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
