//! The compiled form, and the way to it.

use super::complete::complete;
use super::draft::Draft;
use super::{BaselineError, Source};
use crate::kube::ResourceId;
use crate::kube::custom::CustomKinds;
use crate::kube::object::{CLUSTER_NAME, Holes, ObjectBody};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// A compiled set of objects: serialised, sorted, with holes for what differs between clusters.
#[derive(Debug)]
pub struct Baseline {
    /// By resource, then path; the position is the ordinal.
    entries: Box<[Entry]>,
    /// The ordinals of each resource.
    ranges: BTreeMap<ResourceId, Range<u32>>,
    /// Whether a cluster's name can change the order of paths.
    is_order_open: bool,
    /// The objects that show a heartbeat.
    beating: Box<[u32]>,
    kinds: Arc<CustomKinds>,
    ca_pem: Box<str>,
    kubernetes_version: Box<str>,
}

#[derive(Debug)]
struct Entry {
    resource: ResourceId,
    /// `namespace/name` or `name`; may hold the mark of the cluster's name.
    path: Box<str>,
    body: Arc<ObjectBody>,
    generation: u32,
}

impl Baseline {
    /// Compiles `source` together with what a kube-apiserver creates by itself (system namespaces, bootstrap RBAC, …).
    pub fn compile(mut source: Source<'_>) -> Result<Baseline, BaselineError> {
        let (ca_pem, kubernetes_version) = (source.ca_pem.into(), source.kubernetes_version.into());
        let mut draft = Draft::new(&mut source)?;
        complete(&mut draft, &source)?;
        let mut entries = Vec::with_capacity(draft.objects.len());
        let kinds = draft.finish(|object| {
            entries.push(Entry {
                resource: object.resource,
                path: object.path.into(),
                generation: object.generation,
                body: Arc::new(ObjectBody::compile(&object.value, Holes::Marks)),
            });
        })?;
        let entries: Box<[Entry]> = entries.into();
        let mut ranges: BTreeMap<ResourceId, Range<u32>> = BTreeMap::new();
        for (ordinal, entry) in (0..).zip(&entries) {
            ranges.entry(entry.resource).or_insert(ordinal..ordinal).end = ordinal + 1;
        }
        Ok(Baseline {
            ranges,
            is_order_open: entries.iter().any(|entry| entry.path.contains(CLUSTER_NAME)),
            beating: (0..).zip(&entries).filter(|(_, entry)| entry.body.beats()).map(|(ordinal, _)| ordinal).collect(),
            entries,
            kinds: Arc::new(kinds),
            ca_pem,
            kubernetes_version,
        })
    }

    /// How many objects there are.
    pub(in crate::kube) fn len(&self) -> u32 {
        // Bounded by memory long before: every object takes more than a byte.
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// What was written of an object.
    pub(in crate::kube) fn body(&self, ordinal: u32) -> &Arc<ObjectBody> {
        &self.entry(ordinal).body
    }

    /// An object's first `generation`; 0 for kinds without one.
    pub(in crate::kube) fn generation(&self, ordinal: u32) -> u32 {
        self.entry(ordinal).generation
    }

    /// What kind an object is of.
    pub(in crate::kube) fn resource(&self, ordinal: u32) -> ResourceId {
        self.entry(ordinal).resource
    }

    /// An object's path in the cluster of this name.
    pub(in crate::kube) fn path(&self, ordinal: u32, cluster_name: &str) -> Cow<'_, str> {
        let path = &self.entry(ordinal).path;
        if path.contains(CLUSTER_NAME) { path.replace(CLUSTER_NAME, cluster_name).into() } else { path.as_ref().into() }
    }

    /// The ordinals of a resource.
    pub(in crate::kube) fn range(&self, resource: ResourceId) -> Range<u32> {
        self.ranges.get(&resource).cloned().unwrap_or_default()
    }

    /// The resources that have objects.
    pub(in crate::kube) fn resources(&self) -> impl Iterator<Item = ResourceId> {
        self.ranges.keys().copied()
    }

    /// The ordinals in the order of their paths in the cluster of this name; `None` where they are in order already.
    pub(in crate::kube) fn order_under(&self, cluster_name: &str) -> Option<Box<[u32]>> {
        if !self.is_order_open {
            return None;
        }
        let mut order: Vec<u32> = (0..self.len()).collect();
        for range in self.ranges.values() {
            order[range.start as usize..range.end as usize]
                .sort_by_cached_key(|ordinal| self.path(*ordinal, cluster_name));
        }
        let in_order = order.iter().zip(0..).all(|(ordinal, position)| *ordinal == position);
        (!in_order).then(|| order.into())
    }

    /// The objects that show a heartbeat.
    pub(in crate::kube) fn beating(&self) -> &[u32] {
        &self.beating
    }

    /// The custom kinds that its CustomResourceDefinitions make.
    pub(in crate::kube) fn kinds(&self) -> &Arc<CustomKinds> {
        &self.kinds
    }

    /// PEM of the clusters' authority.
    pub(in crate::kube) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Such as `v1.31.4`.
    pub(in crate::kube) fn kubernetes_version(&self) -> &str {
        &self.kubernetes_version
    }

    fn entry(&self, ordinal: u32) -> &Entry {
        // Ordinals come from this baseline alone.
        &self.entries[ordinal as usize]
    }
}

#[cfg(test)]
mod tests {
    use crate::kube::Limits;
    use crate::kube::testing::{Bench, compile, objects};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn error(change: impl FnOnce(&mut Vec<Value>)) -> String {
        let mut objects = objects();
        change(&mut objects);
        compile(objects).unwrap_err().to_string()
    }

    fn configmap(namespace: &str, name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}})
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert_eq!(
            error(|objects| objects.push(objects[4].clone())),
            "Pod web/web-1: metadata.name: a second object of this name"
        );
        assert_eq!(
            error(|objects| objects[4]["spec"]["nodeName"] = json!("n9")),
            "Pod web/web-1: spec.nodeName: there is no node n9; expected one of {{cluster-name}}-control-1, {{cluster-name}}-worker-1, \
             {{cluster-name}}-worker-2"
        );
        assert_eq!(
            error(|objects| objects.push(configmap("nope", "a"))),
            "ConfigMap nope/a: metadata.namespace: there is no namespace nope; add one to the template"
        );
        assert_eq!(
            error(|objects| objects.push(json!({"apiVersion": "a.b/v1", "kind": "C", "metadata": {"name": "c"}}))),
            "C c: kind: expected one that Kubernetes has or a CustomResourceDefinition of the template makes, not a.b/v1 C"
        );
        assert_eq!(
            error(|objects| objects.push(json!({"apiVersion": "v1", "kind": "Node"}))),
            "object 9 (Node): metadata.name: expected a name"
        );
        assert_eq!(
            error(|objects| objects[7]["metadata"]["ownerReferences"] =
                json!([{"apiVersion": "v1", "kind": "Pod", "name": "x"}])),
            "Deployment web/web: metadata.ownerReferences[0]: there is no Pod x; expected an object of the template, or a uid"
        );
        assert!(error(|objects| objects.push(json!("x"))).starts_with("object 9 ()"));
        assert!(
            error(|objects| objects.push(configmap("", "a"))).ends_with("metadata.namespace: expected a namespace")
        );
    }

    #[test]
    fn a_control_plane_has_made_its_objects() {
        let mut bench = Bench::new();
        assert_eq!(
            bench.get("/api/v1/namespaces").names(),
            ["cattle-system", "default", "kube-node-lease", "kube-public", "kube-system", "web"]
        );
        assert_eq!(bench.get("/api/v1/namespaces/default/services/kubernetes").ok()["spec"]["clusterIP"], "10.43.0.1");
        assert_eq!(bench.get("/api/v1/serviceaccounts").names(), ["default"; 6]);
        let admin = bench.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin").ok();
        assert_eq!(admin["rules"][0]["verbs"], json!(["*"]));
        let service = bench.get("/apis/apiregistration.k8s.io/v1/apiservices/v1.apps").ok();
        assert_eq!(service["status"]["conditions"][0]["reason"], "Local");
        assert_eq!(service["status"]["conditions"][0]["lastTransitionTime"], "2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_template_may_replace_what_the_control_plane_makes() {
        let mut objects = objects();
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fleet-default"}}));
        objects.push(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "labels": {"a": "b"}}}),
        );
        let mut bench =
            Bench::of(compile(objects).unwrap(), Limits { watch_history: 9, objects: 9, object_bytes: 9_999 });
        let labels = bench.get("/api/v1/namespaces/kube-system").ok()["metadata"]["labels"].clone();
        assert_eq!(labels, json!({"a": "b", "kubernetes.io/metadata.name": "kube-system"}));
        let fleet = bench.get("/api/v1/namespaces/fleet-default").ok();
        assert!(
            fleet["metadata"]["annotations"].is_object(),
            "Rancher writes into the annotations of such a namespace"
        );
    }

    #[test]
    fn custom_kinds_of_the_template_are_served() {
        let mut objects = objects();
        objects.push(
            json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "web"}}),
        );
        objects.push(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]
            }
        }));
        let limits = Limits { watch_history: 9, objects: 9, object_bytes: 9_999 };
        let mut bench = Bench::of(compile(objects).unwrap(), limits);
        let widget = bench.get("/apis/example.com/v1/namespaces/web/widgets/w").ok();
        assert_eq!((&widget["kind"], &widget["metadata"]["generation"]), (&json!("Widget"), &json!(1)));
        let definition = bench.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com").ok();
        assert_eq!(definition["status"]["conditions"][1]["lastTransitionTime"], "2026-01-01T00:00:00Z");
    }

    #[test]
    fn every_object_has_a_revision_of_its_own_below_the_clusters() {
        let mut bench = Bench::new();
        let mut revisions = Vec::new();
        for target in
            ["/api/v1/pods", "/api/v1/nodes", "/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1/clusterroles"]
        {
            let list = bench.get(target).ok();
            let items = list["items"].as_array().unwrap();
            revisions.extend(
                items.iter().map(|item| item["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap()),
            );
        }
        let count = revisions.len();
        revisions.sort_unstable();
        revisions.dedup();
        assert_eq!(revisions.len(), count);
        assert!(revisions.last().unwrap() <= &bench.cluster.revision());
    }

    proptest! {
        #[test]
        fn a_list_is_in_order_under_any_cluster_name(name in "[a-z]([a-z0-9-]{0,8}[a-z0-9])?") {
            let objects = ["{{cluster-name}}", "a-{{cluster-name}}", "m", "{{cluster-name}}-z", "z", "b-{{cluster-name}}-c"];
            let objects = objects.map(|name| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})).to_vec();
            let mut bench = Bench::of(compile(objects).unwrap(), Limits { watch_history: 9, objects: 9, object_bytes: 9_999 });
            bench.rename(&name);
            let names = bench.get("/api/v1/nodes").names();
            prop_assert_eq!(names.len(), 6);
            prop_assert!(names.is_sorted(), "{:?}", names);
            for node in names {
                prop_assert_eq!(bench.get(&format!("/api/v1/nodes/{node}")).code, 200);
            }
        }
    }
}
