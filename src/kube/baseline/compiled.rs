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
    pub fn compile(source: Source<'_>) -> Result<Baseline, BaselineError> {
        let (ca_pem, kubernetes_version) = (source.ca_pem.into(), source.kubernetes_version.into());
        let mut draft = Draft::new(&source)?;
        complete(&mut draft, &source)?;
        let (objects, kinds) = draft.finish()?;
        let entries = objects.into_iter().map(|object| Entry {
            resource: object.resource,
            path: object.path.into(),
            generation: object.generation,
            body: Arc::new(ObjectBody::compile(&object.value, Holes::Marks)),
        });
        let entries: Box<[Entry]> = entries.collect();
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
