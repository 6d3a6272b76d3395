//! What each kind's registry strategy does to an object on its way in (`PrepareForCreate`, `PrepareForUpdate` and the checks after).
//!
//! Only what clients depend on: what the server decides of an object, and what of it may not change.

mod defaults;
mod secret;
mod service;
mod shape;

use super::controllers::{crd, namespace};
use super::served::Served;
use super::{Cause, Cluster, Status, structural, tree};
use defaults::default_spec;
use serde_json::{Value, json};

/// Which part of an object an update is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything but what has an endpoint of its own.
    Whole,
    /// `status`.
    Status,
    /// `spec.finalizers` of a namespace.
    Finalize,
}

impl Cluster {
    /// Prepares a new object.
    pub(super) fn prepare_new(&mut self, served: &Served, object: &mut Value) -> Result<(), Status> {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in ["uid", "creationTimestamp", "deletionTimestamp", "generation", "selfLink", "managedFields"] {
                metadata.remove(field);
            }
        }
        shape::check(served, object)?;
        reset_status(served, object);
        default_spec(served, object);
        fit_schema(served, object)?;
        match (served.group.as_ref(), served.plural.as_ref()) {
            ("", "namespaces") => namespace::complete(object),
            ("", "secrets") => {
                secret::complete(object);
                self.fill_token(object);
            }
            ("", "services") => self.complete_service(object, None)?,
            ("apiextensions.k8s.io", "customresourcedefinitions") => complete_definition(served, object)?,
            _ => {}
        }
        Ok(())
    }

    /// Prepares the new state of an object: the part that is not asked for stays what it was.
    pub(super) fn prepare_change(
        &mut self,
        served: &Served,
        old: &Value,
        object: &mut Value,
        part: Part,
    ) -> Result<(), Status> {
        shape::check(served, object)?;
        match part {
            Part::Status => {
                only_status(served, old, object);
                return fit_schema(served, object);
            }
            Part::Finalize => {
                let finalizers = object["spec"]["finalizers"].clone();
                *object = old.clone();
                tree::set(object, &["spec", "finalizers"], if finalizers.is_null() { json!([]) } else { finalizers });
                return Ok(());
            }
            Part::Whole => {}
        }
        if served.has_status() {
            restore(object, old, "status");
        }
        default_spec(served, object);
        fit_schema(served, object)?;
        match (served.group.as_ref(), served.plural.as_ref()) {
            ("", "namespaces") => {
                tree::set(object, &["spec", "finalizers"], old["spec"]["finalizers"].clone());
            }
            ("", "secrets") => {
                secret::complete(object);
                unchanged(served, old, object, &["/type"], "field is immutable")?;
                frozen(served, old, object)?;
            }
            ("", "configmaps") => frozen(served, old, object)?,
            ("", "services") => self.complete_service(object, Some(old))?,
            ("apiextensions.k8s.io", "customresourcedefinitions") => complete_definition(served, object)?,
            ("apps", "deployments" | "daemonsets" | "replicasets") => {
                unchanged(served, old, object, &["/spec/selector"], "field is immutable")?;
            }
            ("rbac.authorization.k8s.io", "clusterrolebindings" | "rolebindings") => {
                unchanged(served, old, object, &["/roleRef"], "cannot change roleRef")?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Defaults and validates an object of a custom kind by its schema.
fn fit_schema(served: &Served, object: &mut Value) -> Result<(), Status> {
    let Some(custom) = served.as_custom() else { return Ok(()) };
    structural::default(&custom.schema, object);
    structural::drop_nulls(&custom.schema, object);
    refuse(served, object, structural::validate(&custom.schema, object))
}

/// A new object has the status that its kind begins with, whatever a client sends. Kubelets register nodes with theirs.
fn reset_status(served: &Served, object: &mut Value) {
    if !served.has_status() || served.is("", "nodes") {
        return;
    }
    let Some(fields) = object.as_object_mut() else { return };
    if served.custom {
        fields.remove("status");
        return;
    }
    let status = match (served.group.as_ref(), served.plural.as_ref()) {
        ("", "services") => json!({"loadBalancer": {}}),
        ("", "pods") => {
            json!({"phase": "Pending", "qosClass": defaults::qos_class(fields.get("spec").unwrap_or(&Value::Null))})
        }
        ("", "persistentvolumeclaims" | "persistentvolumes") => json!({"phase": "Pending"}),
        ("networking.k8s.io", "ingresses") => json!({"loadBalancer": {}}),
        _ => json!({}),
    };
    fields.insert("status".into(), status);
}

/// A status update changes the status, and of built-in kinds the metadata.
fn only_status(served: &Served, old: &Value, object: &mut Value) {
    let status = object.get("status").cloned();
    let metadata = object["metadata"].clone();
    *object = old.clone();
    let Some(fields) = object.as_object_mut() else { return };
    if !served.custom {
        fields.insert("metadata".into(), metadata);
    }
    match status {
        Some(status) => _ = fields.insert("status".into(), status),
        None => _ = fields.remove("status"),
    }
}

/// Puts back what a field was.
fn restore(object: &mut Value, old: &Value, field: &str) {
    let Some(fields) = object.as_object_mut() else { return };
    match old.get(field) {
        Some(value) => _ = fields.insert(field.into(), value.clone()),
        None => _ = fields.remove(field),
    }
}

/// Refuses a change at any of these JSON pointers.
fn unchanged(served: &Served, old: &Value, object: &Value, pointers: &[&str], why: &str) -> Result<(), Status> {
    let changed = pointers.iter().filter(|pointer| old.pointer(pointer) != object.pointer(pointer));
    let causes = changed.map(|pointer| {
        let field = pointer.trim_start_matches('/').replace('/', ".");
        Cause::invalid(field, object.pointer(pointer).unwrap_or(&Value::Null), why)
    });
    refuse(served, object, causes.collect())
}

/// Refuses changes of an object that says of itself that it is immutable.
fn frozen(served: &Served, old: &Value, object: &Value) -> Result<(), Status> {
    if old["immutable"] != true {
        return Ok(());
    }
    let data = ["data", "binaryData"].into_iter().filter(|field| old.get(field) != object.get(field));
    let mut causes: Vec<Cause> =
        data.map(|field| Cause::forbidden(field, "field is immutable when `immutable` is set")).collect();
    if object["immutable"] != true {
        causes.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
    }
    refuse(served, object, causes)
}

fn complete_definition(served: &Served, object: &mut Value) -> Result<(), Status> {
    crd::complete(object);
    let causes = crd::problems(object);
    refuse(served, object, causes)
}

fn refuse(served: &Served, object: &Value, causes: Vec<Cause>) -> Result<(), Status> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(served, name, causes)) }
}
