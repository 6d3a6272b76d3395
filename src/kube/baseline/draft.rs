//! The objects of a baseline while they are still trees.

use super::{BaselineError, Source, bootstrap};
use crate::kube::custom::CustomKinds;
use crate::kube::custom::definition;
use crate::kube::object::{CREATED, owner_uid};
use crate::kube::request::served::Served;
use crate::kube::store::{namespace_of, path_of};
use crate::kube::strategy::generation::has_generation;
use crate::kube::{ResourceId, catalog, tree};
use serde_json::Value;
use std::collections::BTreeMap;

/// Objects by resource and path: the order they are compiled in.
pub(super) struct Draft {
    pub(super) objects: BTreeMap<(ResourceId, String), Value>,
    kinds: CustomKinds,
}

/// An object ready to be serialised.
pub(super) struct Finished {
    pub(super) resource: ResourceId,
    pub(super) path: String,
    pub(super) value: Value,
    pub(super) generation: u32,
}

impl Draft {
    /// Takes the source's objects, and makes those of the control plane that it does not give itself. A large template is tens of
    /// megabytes of trees: there is one of each, which ends once it is compiled.
    pub(super) fn new(source: &mut Source<'_>) -> Result<Draft, BaselineError> {
        let mut draft = Draft { objects: BTreeMap::new(), kinds: CustomKinds::default() };
        let bootstrap = bootstrap::objects(source);
        let given = std::mem::take(&mut source.objects).into_iter().enumerate();
        let (definitions, others): (Vec<_>, Vec<_>) = given.partition(|(_, object)| is_definition(object));
        for (position, mut definition) in definitions {
            let title = title(&definition, position);
            let refuse = |problem: String| BaselineError::new(title.clone(), problem);
            definition::complete(&mut definition);
            definition::store_versions(&mut definition);
            let mut causes = definition::misnamed(&definition).into_iter().chain(definition::problems(&definition));
            if let Some(cause) = causes.next() {
                return Err(refuse(format!("{}: {}", cause.field, cause.message)));
            }
            let taken = draft.kinds.taken(text(&definition["spec"], "group"));
            if !definition::accept(&mut definition, &taken, CREATED) {
                return Err(refuse("spec.names: another definition has one of them".into()));
            }
            draft.kinds.define(&definition).ok_or_else(|| refuse("spec.versions: too many custom kinds".into()))?;
            draft.add(definition, position)?;
        }
        for (position, object) in others {
            draft.add(object, position)?;
        }
        for object in bootstrap {
            draft.add_unless_given(object);
        }
        Ok(draft)
    }

    /// Adds an object of the control plane unless the source has one in its place.
    pub(super) fn add_unless_given(&mut self, object: Value) {
        // The control plane's own objects are of built-in kinds and have names.
        if let Ok(key) = self.key(&object, 0) {
            self.objects.entry(key).or_insert(object);
        }
    }

    /// The objects of a built-in resource of version v1, with their paths.
    pub(super) fn of(&self, group: &str, plural: &str) -> impl Iterator<Item = (&str, &Value)> {
        let id = catalog::lookup(group, "v1", plural).map(|(id, _)| id);
        self.objects.iter().filter(move |((of, _), _)| Some(*of) == id).map(|((_, path), value)| (path.as_str(), value))
    }

    /// The same, to change.
    pub(super) fn of_mut(&mut self, group: &str, plural: &str) -> impl Iterator<Item = (&str, &mut Value)> {
        let id = catalog::lookup(group, "v1", plural).map(|(id, _)| id);
        let objects = self.objects.iter_mut().filter(move |((of, _), _)| Some(*of) == id);
        objects.map(|((_, path), value)| (path.as_str(), value))
    }

    /// Hands over the objects in order, their owners' uids marked; the custom kinds.
    pub(super) fn finish(mut self, mut take: impl FnMut(Finished)) -> Result<CustomKinds, BaselineError> {
        let ordinals: BTreeMap<(ResourceId, String), u32> = self.objects.keys().cloned().zip(0..).collect();
        while let Some(((resource, path), mut value)) = self.objects.pop_first() {
            let owners = value.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut);
            let mut problem = None;
            for (position, owner) in
                owners.into_iter().flatten().enumerate().filter(|(_, owner)| text(owner, "uid").is_empty())
            {
                let owner_key = self.owner(owner, namespace_of(&path));
                let ordinal = owner_key.and_then(|key| ordinals.get(&key).copied());
                match ordinal {
                    Some(ordinal) => tree::set(owner, &["uid"], owner_uid(ordinal)),
                    None => {
                        let (kind, name) = (text(owner, "kind"), text(owner, "name"));
                        let wanted = "expected an object of the template, or a uid";
                        problem =
                            Some(format!("metadata.ownerReferences[{position}]: there is no {kind} {name}; {wanted}"));
                    }
                }
            }
            if let Some(problem) = problem {
                return Err(BaselineError::new(title(&value, 0), problem));
            }
            // Compared by the stored version: that is what its id stands for.
            let counts = self.served(&value).is_some_and(|served| has_generation(&served));
            let given = value["metadata"]["generation"].as_u64().and_then(|given| u32::try_from(given).ok());
            let generation = given.unwrap_or(u32::from(counts));
            take(Finished { resource, path, value, generation });
        }
        Ok(self.kinds)
    }

    fn add(&mut self, object: Value, position: usize) -> Result<(), BaselineError> {
        let key = self.key(&object, position)?;
        if self.objects.contains_key(&key) {
            return Err(BaselineError::new(title(&object, position), "metadata.name: a second object of this name"));
        }
        self.objects.insert(key, object);
        Ok(())
    }

    /// Where an object is stored.
    fn key(&self, object: &Value, position: usize) -> Result<(ResourceId, String), BaselineError> {
        let title = || title(object, position);
        let served = self.served(object).ok_or_else(|| {
            let problem = format!(
                "kind: expected one that Kubernetes has or a CustomResourceDefinition of the template makes, not {} {}",
                text(object, "apiVersion"),
                text(object, "kind")
            );
            BaselineError::new(title(), problem)
        })?;
        let metadata = &object["metadata"];
        let (name, namespace) = (text(metadata, "name"), text(metadata, "namespace"));
        if name.is_empty() {
            return Err(BaselineError::new(title(), "metadata.name: expected a name"));
        }
        match (served.namespaced, namespace) {
            (true, "") => Err(BaselineError::new(title(), "metadata.namespace: expected a namespace")),
            (true, namespace) => Ok((served.storage, path_of(Some(namespace), name))),
            (false, "") => Ok((served.storage, path_of(None, name))),
            (false, _) => {
                let problem = format!("metadata.namespace: expected none, as a {} lives in no namespace", served.kind);
                Err(BaselineError::new(title(), problem))
            }
        }
    }

    fn owner(&self, owner: &Value, namespace: Option<&str>) -> Option<(ResourceId, String)> {
        let served = self.served(owner)?;
        let namespace = if served.namespaced { Some(namespace?) } else { None };
        Some((served.storage, path_of(namespace, text(owner, "name"))))
    }

    /// The resource of what carries an `apiVersion` and a `kind`.
    fn served(&self, object: &Value) -> Option<Served> {
        let (api_version, kind) = (text(object, "apiVersion"), text(object, "kind"));
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let built_in = catalog::by_kind(group, version, kind).map(|(id, resource)| Served::built_in(id, resource));
        built_in.or_else(|| self.kinds.find(|r| r.group == group && r.version == version && r.kind == kind))
    }
}

/// `Kind namespace/name` of an object, or its position where it has no name.
pub(super) fn title(object: &Value, position: usize) -> String {
    let metadata = &object["metadata"];
    let (kind, name) = (text(object, "kind"), text(metadata, "name"));
    match (name, metadata["namespace"].as_str()) {
        ("", _) => format!("object {} ({kind})", position + 1),
        (name, None) => format!("{kind} {name}"),
        (name, Some(namespace)) => format!("{kind} {namespace}/{name}"),
    }
}

fn is_definition(object: &Value) -> bool {
    object["apiVersion"] == "apiextensions.k8s.io/v1" && object["kind"] == "CustomResourceDefinition"
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
