//! Kinds that CustomResourceDefinitions make.

use super::catalog::{FIRST_CUSTOM, NameRule, SelectableField, Subresource, Text};
use super::served::Served;
use super::{Resource, ResourceId, Verbs};
use crate::kube::tree::text;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The custom kinds of a cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct CustomKinds {
    kinds: Vec<CustomKind>,
    /// How many ids were ever given; none is given twice, as the history may still speak of it.
    given: u16,
}

/// What one CustomResourceDefinition made.
#[derive(Debug, Clone)]
struct CustomKind {
    /// The definition's name.
    name: Box<str>,
    id: ResourceId,
    /// The served versions.
    versions: Vec<Arc<CustomVersion>>,
    /// The version objects are stored in, served or not.
    storage: Arc<CustomVersion>,
}

/// A version of a custom kind.
#[derive(Debug)]
pub(super) struct CustomVersion {
    /// What discovery says of it.
    pub resource: Resource,
    /// `additionalPrinterColumns`.
    pub columns: Option<Value>,
    /// Where `scale` finds its numbers.
    pub scale: Option<ScalePaths>,
    /// `schema.openAPIV3Schema`.
    pub schema: Value,
    /// What a client is told that still uses it, if it is deprecated.
    pub deprecation: Option<String>,
    /// Of all that the definition says.
    pub digest: Digest,
}

type Digest = [u8; 32];

/// `subresources.scale` of a version, as JSON pointers.
#[derive(Debug, Clone)]
pub(super) struct ScalePaths {
    /// Where the wanted replicas are.
    pub spec_replicas: String,
    /// Where the replicas are.
    pub status_replicas: String,
    /// Where the serialised selector is.
    pub selector: Option<String>,
}

impl CustomKinds {
    /// Makes, or changes, the kind of a definition; `None` when there are no more ids.
    pub(super) fn define(&mut self, definition: &Value) -> Option<ResourceId> {
        let name = text(&definition["metadata"]["name"]);
        let known = self.kinds.iter().position(|kind| *kind.name == *name);
        let id = match known {
            Some(at) => self.kinds[at].id,
            None => {
                let id = ResourceId(FIRST_CUSTOM.checked_add(self.given)?);
                self.given += 1;
                id
            }
        };
        let versions = definition["spec"]["versions"].as_array();
        let all = || versions.into_iter().flatten();
        let whole = definition["spec"].to_string();
        let make = |version: &Value| CustomVersion::shared(&definition["spec"], &whole, version);
        let storage = all().find(|version| version["storage"] == true)?;
        let kind = CustomKind {
            name: name.into(),
            id,
            versions: all().filter(|version| version["served"] == true).map(make).collect(),
            storage: make(storage),
        };
        match known {
            Some(at) => self.kinds[at] = kind,
            None => self.kinds.push(kind),
        }
        Some(id)
    }

    /// Forgets the kind of the definition `name`, and tells its id.
    pub(super) fn forget(&mut self, name: &str) -> Option<ResourceId> {
        let at = self.kinds.iter().position(|kind| *kind.name == *name)?;
        Some(self.kinds.remove(at).id)
    }

    /// The id of the kind of the definition `name`.
    pub(super) fn id(&self, name: &str) -> Option<ResourceId> {
        self.kinds.iter().find(|kind| *kind.name == *name).map(|kind| kind.id)
    }

    /// The served resource that `is_it` picks.
    pub(super) fn find(&self, is_it: impl Fn(&Resource) -> bool) -> Option<Served> {
        let versions = self.kinds.iter().flat_map(|kind| kind.versions.iter().map(|version| (kind.id, version)));
        let mut versions = versions.filter(|(_, version)| is_it(&version.resource));
        versions.next().map(|(id, version)| Served::custom(id, version.clone()))
    }

    /// The resource of an id, in the version it is stored in.
    pub(super) fn stored(&self, id: ResourceId) -> Option<Served> {
        self.kinds.iter().find(|kind| kind.id == id).map(|kind| Served::custom(id, kind.storage.clone()))
    }

    /// Every served version.
    pub(super) fn versions(&self) -> Vec<Arc<CustomVersion>> {
        self.kinds.iter().flat_map(|kind| kind.versions.iter().cloned()).collect()
    }

    /// Every served resource.
    pub(super) fn resources(&self) -> Vec<&Resource> {
        self.kinds.iter().flat_map(|kind| kind.versions.iter().map(|version| &version.resource)).collect()
    }
}

impl CustomVersion {
    /// The one for all clusters of this thread with an equal definition: its schema is a tree, and Rancher defines the same kinds in
    /// each of them.
    fn shared(spec: &Value, whole: &str, version: &Value) -> Arc<CustomVersion> {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        hash.update(text(&version["name"]).as_bytes());
        hash.update(b"/");
        hash.update(whole.as_bytes());
        let mut digest = Digest::default();
        digest.copy_from_slice(hash.finish().as_ref());
        KNOWN.with_borrow_mut(|known| {
            if let Some(found) = known.get(&digest).and_then(Weak::upgrade) {
                return found;
            }
            known.retain(|_, version| version.strong_count() > 0);
            let made = Arc::new(CustomVersion { digest, ..CustomVersion::new(spec, version) });
            known.insert(digest, Arc::downgrade(&made));
            made
        })
    }

    fn new(spec: &Value, version: &Value) -> CustomVersion {
        let owned = |value: &Value| -> Text { text(value).to_owned().into() };
        let list = |value: &Value| value.as_array().into_iter().flatten().map(owned).collect();
        let names = &spec["names"];
        let kind = text(&names["kind"]);
        let or = |value: &Value, otherwise: String| -> Text {
            value.as_str().filter(|text| !text.is_empty()).map_or(otherwise, str::to_owned).into()
        };
        let (group, own_version) = (owned(&spec["group"]), owned(&version["name"]));
        let below = |name: &'static str, group: Text, version: Text, kind: Text| Subresource {
            name: name.into(),
            group,
            version,
            kind,
            verbs: Verbs::GET_PATCH_UPDATE,
        };
        let mut subresources = Vec::new();
        if version["subresources"]["status"].is_object() {
            subresources.push(below("status", group.clone(), own_version.clone(), owned(&names["kind"])));
        }
        let scale = ScalePaths::new(&version["subresources"]["scale"]);
        if scale.is_some() {
            subresources.push(below("scale", "autoscaling".into(), "v1".into(), "Scale".into()));
        }
        let selectable = version["selectableFields"].as_array().into_iter().flatten().map(|field| {
            let path = text(&field["jsonPath"]).trim_start_matches('.').to_owned();
            SelectableField { label: path.clone().into(), path: path.into(), zero: "".into() }
        });
        let resource = Resource {
            plural: owned(&names["plural"]),
            singular: or(&names["singular"], kind.to_lowercase()),
            kind: kind.to_owned().into(),
            list_kind: or(&names["listKind"], format!("{kind}List")),
            namespaced: spec["scope"] == "Namespaced",
            short_names: list(&names["shortNames"]),
            categories: list(&names["categories"]),
            verbs: Verbs::ALL,
            subresources,
            name_rule: NameRule::Subdomain,
            selectable_fields: selectable.collect(),
            stored_as: None,
            returns_deleted: false,
            custom: true,
            group,
            version: own_version,
        };
        let deprecation = (version["deprecated"] == true).then(|| {
            let own = version["deprecationWarning"].as_str().map(str::to_owned);
            let versions = spec["versions"].as_array().into_iter().flatten();
            let better = versions
                .filter(|other| other["served"] == true && other["deprecated"] != true)
                .map(|v| text(&v["name"]))
                .next();
            let (kind, group) = (&resource.kind, &resource.group);
            let instead = better.map_or_else(String::new, |better| format!("; use {group}/{better} {kind}"));
            own.unwrap_or_else(|| format!("{} {kind} is deprecated{instead}", resource.api_version()))
        });
        let schema = version["schema"]["openAPIV3Schema"].clone();
        CustomVersion {
            resource,
            columns: version.get("additionalPrinterColumns").cloned(),
            scale,
            schema,
            deprecation,
            digest: Digest::default(),
        }
    }
}

impl ScalePaths {
    fn new(scale: &Value) -> Option<ScalePaths> {
        let pointer = |field: &str| scale[field].as_str().map(|path| path.replace('.', "/"));
        Some(ScalePaths {
            spec_replicas: pointer("specReplicasPath")?,
            status_replicas: pointer("statusReplicasPath")?,
            selector: pointer("labelSelectorPath"),
        })
    }
}

thread_local! {
    static KNOWN: RefCell<HashMap<Digest, Weak<CustomVersion>>> = RefCell::default();
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// `plans.upgrade.cattle.io` with a schema.
    pub(in crate::kube) fn plans(schema: Value) -> Arc<CustomVersion> {
        let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
        let names = json!({"plural": "plans", "kind": "Plan"});
        let spec = json!({"group": "upgrade.cattle.io", "scope": "Namespaced", "names": names, "versions": [version]});
        CustomVersion::shared(&spec, &spec.to_string(), &spec["versions"][0])
    }

    #[test]
    fn equal_definitions_are_held_once() {
        let (mut one, mut other) = (CustomKinds::default(), CustomKinds::default());
        one.define(&widgets()).unwrap();
        other.define(&widgets()).unwrap();
        assert!(Arc::ptr_eq(&one.versions()[0], &other.versions()[0]));
        let mut changed = widgets();
        changed["spec"]["names"]["shortNames"] = json!(["w"]);
        other.define(&changed).unwrap();
        assert!(!Arc::ptr_eq(&one.versions()[0], &other.versions()[0]));
        assert_ne!(one.versions()[0].digest, other.versions()[0].digest);
    }

    fn widgets() -> Value {
        json!({
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced",
                "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
                "versions": [
                    {"name": "v1", "served": true, "storage": true,
                     "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}}},
                    {"name": "v1beta1", "served": true, "storage": false},
                    {"name": "v1alpha1", "served": false, "storage": false}
                ]
            }
        })
    }

    #[test]
    fn every_served_version_is_a_resource() {
        let mut kinds = CustomKinds::default();
        let id = kinds.define(&widgets()).unwrap();
        assert_eq!(id, ResourceId(FIRST_CUSTOM));
        let served: Vec<&str> = kinds.resources().iter().map(|resource| resource.version.as_ref()).collect();
        assert_eq!(served, ["v1", "v1beta1"]);
        let v1 = kinds.find(|resource| resource.version == "v1").unwrap();
        assert_eq!((v1.storage, v1.singular.as_ref(), v1.list_kind.as_ref()), (id, "widget", "WidgetList"));
        assert!(v1.has_status() && v1.subresource("scale").is_some());
        assert_eq!(v1.as_custom().unwrap().scale.as_ref().unwrap().spec_replicas, "/spec/n");
        assert_eq!(v1.head(), r#"{"apiVersion":"example.com/v1","kind":"Widget""#);
        assert!(!kinds.find(|resource| resource.version == "v1beta1").unwrap().has_status());
    }

    #[test]
    fn an_id_is_never_given_twice() {
        let mut kinds = CustomKinds::default();
        let first = kinds.define(&widgets()).unwrap();
        assert_eq!(kinds.define(&widgets()), Some(first));
        assert_eq!(kinds.forget("widgets.example.com"), Some(first));
        assert_eq!(kinds.forget("widgets.example.com"), None);
        assert!(kinds.stored(first).is_none());
        assert_ne!(kinds.define(&widgets()), Some(first));
    }
}
