//! What was written since the baseline.

use super::Stored;
use crate::kube::ResourceId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands over the baseline, by resource and path.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    slots: BTreeMap<ResourceId, BTreeMap<Arc<str>, Slot>>,
    /// How many slots hold an object.
    objects: usize,
}

/// An object, or the absence of a baseline object that was deleted.
#[derive(Debug)]
pub(super) struct Slot {
    /// The baseline object of the same path.
    pub ordinal: Option<u32>,
    /// `None` if it is deleted.
    pub object: Option<Arc<Stored>>,
}

impl Overlay {
    pub(super) fn get(&self, resource: ResourceId, path: &str) -> Option<&Slot> {
        self.slots.get(&resource)?.get(path)
    }

    /// Puts an object where there may be one.
    pub(super) fn put(&mut self, resource: ResourceId, ordinal: Option<u32>, object: Arc<Stored>) {
        let slot = Slot { ordinal, object: Some(object.clone()) };
        let before = self.slots.entry(resource).or_default().insert(object.path.clone(), slot);
        self.objects += usize::from(before.is_none_or(|slot| slot.object.is_none()));
    }

    /// Takes an object away; a baseline object leaves its absence behind.
    pub(super) fn remove(&mut self, resource: ResourceId, path: &Arc<str>, ordinal: Option<u32>) {
        let slots = self.slots.entry(resource).or_default();
        let before = match ordinal {
            Some(_) => slots.insert(path.clone(), Slot { ordinal, object: None }),
            None => slots.remove(path),
        };
        self.objects -= usize::from(before.is_some_and(|slot| slot.object.is_some()));
        if slots.is_empty() {
            self.slots.remove(&resource);
        }
    }

    /// The slots of a resource in the order of their paths, from `prefix` on as long as it is one.
    pub(super) fn range<'a>(
        &'a self,
        resource: ResourceId,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Slot)> {
        let from = (std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded);
        let slots = self.slots.get(&resource).into_iter().flat_map(move |slots| slots.range::<str, _>(from));
        slots.take_while(move |(path, _)| path.starts_with(prefix))
    }

    /// The resources that something was written of.
    pub(super) fn resources(&self) -> impl Iterator<Item = ResourceId> {
        self.slots.keys().copied()
    }

    /// How many objects it holds.
    pub(super) fn len(&self) -> usize {
        self.objects
    }
}
