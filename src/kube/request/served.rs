//! A resource as one request sees it: under one version, stored under one id.

use crate::kube::custom::CustomVersion;
use crate::kube::ownership::Shape;
use crate::kube::strategy::convert::Conversion;
use crate::kube::{Resource, ResourceId, catalog, types};
use serde_json::Value;
use std::ops::Deref;
use std::sync::Arc;

/// A resource under the version that a request names. Versions of one resource share their objects.
#[derive(Debug, Clone)]
pub(in crate::kube) struct Served {
    /// Where its objects are stored.
    pub storage: ResourceId,
    resource: Definition,
}

#[derive(Debug, Clone)]
enum Definition {
    BuiltIn(&'static Resource),
    Custom(Arc<CustomVersion>),
}

impl Served {
    /// A built-in resource.
    pub(in crate::kube) fn built_in(id: ResourceId, resource: &'static Resource) -> Served {
        let stored_as = resource.stored_as.as_ref();
        let storage = stored_as.and_then(|(group, version)| catalog::lookup(group, version, &resource.plural));
        Served { storage: storage.map_or(id, |(id, _)| id), resource: Definition::BuiltIn(resource) }
    }

    /// A version of a custom resource.
    pub(in crate::kube) fn custom(storage: ResourceId, version: Arc<CustomVersion>) -> Served {
        Served { storage, resource: Definition::Custom(version) }
    }

    /// What its CustomResourceDefinition says of it; `None` for a built-in one.
    pub(in crate::kube) fn as_custom(&self) -> Option<&CustomVersion> {
        match &self.resource {
            Definition::BuiltIn(_) => None,
            Definition::Custom(version) => Some(version),
        }
    }

    /// How its objects differ from what is stored, if they do.
    pub(in crate::kube) fn conversion(&self) -> Option<Conversion> {
        // All others are stored as they are served.
        self.stored_as.as_ref().and_then(|_| Conversion::of(self))
    }

    /// How an object of it begins.
    pub(in crate::kube) fn head(&self) -> String {
        // Both are strings, and strings serialise.
        format!("{{\"apiVersion\":{},\"kind\":{}", Value::from(self.api_version()), Value::from(self.kind.as_ref()))
    }

    /// What is known of the form of its objects.
    pub(in crate::kube) fn shape(&self) -> Shape<'_> {
        let message = types::find(&self.api_version(), &self.kind);
        Shape::of(message, self.as_custom().map(|custom| &custom.schema))
    }

    /// Whether it is the resource of this group and plural.
    pub(in crate::kube) fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }
}

impl Deref for Served {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        match &self.resource {
            Definition::BuiltIn(resource) => resource,
            Definition::Custom(version) => &version.resource,
        }
    }
}
