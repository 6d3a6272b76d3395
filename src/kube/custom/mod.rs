//! Kinds that CustomResourceDefinitions make.

pub(in crate::kube) mod definition;
pub(in crate::kube) mod structural;

use super::catalog::{FIRST_CUSTOM, NameRule, SelectableField, Subresource, Text};
use super::{Resource, ResourceId, Verb, Verbs};
use crate::kube::request::served::Served;
use crate::kube::tree::text;
use definition::Taken;
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
    /// The served versions; none of a kind that has not got its names.
    versions: Vec<Arc<CustomVersion>>,
    /// The version objects are stored in, served or not.
    storage: Arc<CustomVersion>,
    /// Whether it waits for names that others have.
    is_contested: bool,
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
    /// Makes, or changes, the kind of a definition with the names that it was given; `None` when there are no more ids.
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
        let given = &definition["status"]["acceptedNames"];
        let is_contested = *given != definition["spec"]["names"];
        let named = is_contested.then(|| {
            let mut spec = definition["spec"].clone();
            spec["names"] = given.clone();
            spec
        });
        let spec = named.as_ref().unwrap_or(&definition["spec"]);
        let whole = spec.to_string();
        let is_ending = definition::is_ending(definition);
        let make = |version: &Value| CustomVersion::shared(spec, &whole, version, is_ending);
        let storage = all().find(|version| version["storage"] == true)?;
        let kind = CustomKind {
            name: name.into(),
            id,
            versions: match definition::is_established(definition) {
                true => all().filter(|version| version["served"] == true).map(make).collect(),
                false => Vec::new(),
            },
            storage: make(storage),
            is_contested,
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

    /// The names that kinds of a group have.
    pub(super) fn taken(&self, group: &str) -> Taken {
        let mut taken = Taken::default();
        for resource in self.kinds.iter().map(|kind| &kind.storage.resource).filter(|kind| kind.group == group) {
            let names = [&resource.plural, &resource.singular].into_iter().chain(&resource.short_names);
            taken.resources.extend(names.filter(|name| !name.is_empty()).map(ToString::to_string));
            let kinds = [&resource.kind, &resource.list_kind].into_iter();
            taken.kinds.extend(kinds.filter(|name| !name.is_empty()).map(ToString::to_string));
        }
        taken
    }

    /// The definitions in a group that wait for names.
    pub(super) fn contested(&self, group: &str) -> Vec<Box<str>> {
        let kinds = self.kinds.iter().filter(|kind| kind.is_contested && kind.storage.resource.group == group);
        kinds.map(|kind| kind.name.clone()).collect()
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
    fn shared(spec: &Value, whole: &str, version: &Value, is_ending: bool) -> Arc<CustomVersion> {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        hash.update(text(&version["name"]).as_bytes());
        hash.update(if is_ending { b"|" } else { b"/" });
        hash.update(whole.as_bytes());
        let mut digest = Digest::default();
        digest.copy_from_slice(hash.finish().as_ref());
        KNOWN.with_borrow_mut(|known| {
            if let Some(found) = known.get(&digest).and_then(Weak::upgrade) {
                return found;
            }
            known.retain(|_, version| version.strong_count() > 0);
            let made = Arc::new(CustomVersion { digest, ..CustomVersion::new(spec, version, is_ending) });
            known.insert(digest, Arc::downgrade(&made));
            made
        })
    }

    fn new(spec: &Value, version: &Value, is_ending: bool) -> CustomVersion {
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
            list_kind: or(&names["listKind"], if kind.is_empty() { String::new() } else { format!("{kind}List") }),
            namespaced: spec["scope"] == "Namespaced",
            short_names: list(&names["shortNames"]),
            categories: list(&names["categories"]),
            verbs: if is_ending { ENDING } else { Verbs::ALL },
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

/// What discovery says can be done with a kind whose definition was deleted.
const ENDING: Verbs = Verbs::of(&[Verb::Delete, Verb::DeleteCollection, Verb::Get, Verb::List, Verb::Watch]);

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
        CustomVersion::shared(&spec, &spec.to_string(), &spec["versions"][0], false)
    }

    #[test]
    fn equal_definitions_are_held_once() {
        let (mut one, mut other) = (CustomKinds::default(), CustomKinds::default());
        one.define(&widgets()).unwrap();
        other.define(&widgets()).unwrap();
        assert!(Arc::ptr_eq(&one.versions()[0], &other.versions()[0]));
        let mut changed = widgets();
        changed["spec"]["names"]["shortNames"] = json!(["w"]);
        other.define(&accepted(changed)).unwrap();
        assert!(!Arc::ptr_eq(&one.versions()[0], &other.versions()[0]));
        assert_ne!(one.versions()[0].digest, other.versions()[0].digest);
    }

    fn widgets() -> Value {
        accepted(json!({
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
        }))
    }

    fn accepted(mut definition: Value) -> Value {
        definition::complete(&mut definition);
        definition["status"] = json!({});
        assert!(definition::accept(&mut definition, &Taken::default(), "2026-01-01T00:00:00Z"));
        definition
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

    #[test]
    fn who_waits_for_names_is_not_served_and_has_those_that_were_free() {
        let mut kinds = CustomKinds::default();
        kinds.define(&widgets()).unwrap();
        let mut gadgets = widgets();
        gadgets["metadata"]["name"] = json!("gadgets.example.com");
        gadgets["spec"]["names"]["plural"] = json!("gadgets");
        gadgets["status"] = json!({});
        assert!(!definition::accept(&mut gadgets, &kinds.taken("example.com"), "2026-01-01T00:00:00Z"));
        kinds.define(&gadgets).unwrap();
        assert!(kinds.find(|resource| resource.plural == "gadgets").is_none());
        assert_eq!(kinds.contested("example.com"), ["gadgets.example.com".into()]);
        assert_eq!(kinds.contested("other.com"), []);
        let taken = kinds.taken("example.com");
        assert_eq!(taken.resources.iter().collect::<Vec<_>>(), ["gadgets", "wd", "widget", "widgets"]);
        assert_eq!(taken.kinds.iter().collect::<Vec<_>>(), ["Widget", "WidgetList"]);
    }
}
