//! What each kind's registry strategy does to an object on its way in (`PrepareForCreate`, `PrepareForUpdate` and the checks after).
//!
//! Only what clients depend on: what the server decides of an object, and what of it may not change.

pub(in crate::kube) mod convert;
mod defaults;
pub(in crate::kube) mod generation;
mod pod;
mod secret;
mod service;
mod shape;

use super::controllers::{namespace, node_taints, volumes};
use super::object::{Uid, time};
use super::{Cause, Cluster, Status, tree, types};
use crate::kube::custom::{definition, structural};
use crate::kube::request::served::Served;
use defaults::default_spec;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Which part of an object an update is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything but what has an endpoint of its own.
    Whole,
    /// `status`.
    Status,
    /// All of a namespace but its status: the one way to change `spec.finalizers`.
    Finalize,
}

impl Cluster {
    /// Prepares a new object.
    pub(super) fn prepare_new(
        &mut self,
        served: &Served,
        object: &mut Value,
        uid: &Uid,
        now: Timestamp,
    ) -> Result<(), Status> {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in [
                "uid",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "generation",
                "selfLink",
            ] {
                metadata.remove(field);
            }
        }
        shape::check(served, object)?;
        reset_status(served, object);
        default_spec(served, object);
        defaults::default_metadata(served, object);
        self.fit_schema(served, object)?;
        match (served.group.as_ref(), served.plural.as_ref()) {
            ("", "namespaces") => namespace::complete(object),
            ("", "nodes") => node_taints::taint_new(object),
            ("", "secrets") => {
                secret::complete(object);
                self.fill_token(object);
            }
            ("", "services") => self.complete_service(object, None)?,
            ("", "pods") => {
                self.complete_pod(served, object)?;
                pod::hold(object, now);
            }
            ("batch", "jobs") => name_job(object, uid),
            ("", "persistentvolumeclaims") => tree::include(object, &["metadata", "finalizers"], volumes::CLAIM_IN_USE),
            ("", "persistentvolumes") => {
                tree::include(object, &["metadata", "finalizers"], volumes::VOLUME_IN_USE);
                tree::set(object, &["status", "lastPhaseTransitionTime"], time(now.as_second()));
            }
            ("apiextensions.k8s.io", "customresourcedefinitions") => {
                definition::complete(object);
                definition::store_versions(object);
            }
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
                let is_ending = !old["metadata"]["deletionTimestamp"].is_null();
                if served.is("", "namespaces") && object["status"]["phase"] == "Terminating" && !is_ending {
                    let problem = "may only be 'Active' if `deletionTimestamp` is empty";
                    let cause = Cause::invalid("status.Phase", &object["status"]["phase"], problem);
                    return refuse(served, object, vec![cause]);
                }
                if served.is("", "services") && old["spec"]["type"] != "LoadBalancer" {
                    let ingress = &object["status"]["loadBalancer"]["ingress"];
                    if ingress.as_array().is_some_and(|ingress| !ingress.is_empty()) {
                        let problem = "may only be used when `spec.type` is 'LoadBalancer'";
                        let cause = Cause::forbidden("status.loadBalancer.ingress", problem);
                        return refuse(served, object, vec![cause]);
                    }
                }
                only_status(served, old, object);
                return self.fit_schema(served, object);
            }
            Part::Finalize => {
                restore(object, old, "status");
                if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
                    // Nothing shows as nothing.
                    spec.retain(|_, value| !value.is_null() && *value != json!([]));
                }
                let name = old["metadata"]["name"].clone();
                tree::set(object, &["metadata", "labels", "kubernetes.io/metadata.name"], name);
                return Ok(());
            }
            Part::Whole => {}
        }
        if served.has_status() {
            restore(object, old, "status");
        }
        default_spec(served, object);
        self.fit_schema(served, object)?;
        match (served.group.as_ref(), served.plural.as_ref()) {
            ("", "namespaces") => {
                let name = object["metadata"]["name"].clone();
                tree::set(object, &["metadata", "labels", "kubernetes.io/metadata.name"], name);
                tree::set(object, &["spec", "finalizers"], old["spec"]["finalizers"].clone());
            }
            ("", "secrets") => {
                secret::complete(object);
                frozen(served, old, object)?;
            }
            ("", "configmaps") => frozen(served, old, object)?,
            ("apps", "daemonsets") => defaults::default_metadata(served, object),
            ("", "services") => self.complete_service(object, Some(old))?,
            ("apiextensions.k8s.io", "customresourcedefinitions") => {
                definition::complete(object);
                definition::store_versions(object);
            }
            _ => {}
        }
        Ok(())
    }

    /// Defaults an object of a custom kind by its schema and by that of the version it is stored in, and validates it.
    fn fit_schema(&self, served: &Served, object: &mut Value) -> Result<(), Status> {
        let Some(custom) = served.as_custom() else { return Ok(()) };
        structural::default(&custom.schema, object);
        structural::drop_nulls(&custom.schema, object);
        let stored = self.kinds.stored(served.storage);
        if let Some(stored) =
            stored.as_ref().and_then(Served::as_custom).filter(|stored| stored.resource.version != served.version)
        {
            structural::default(&stored.schema, object);
        }
        refuse(served, object, structural::validate(&custom.schema, object))
    }
}

/// Fills in the defaults of an object's kind.
pub(super) fn defaulted(served: &Served, object: &mut Value) {
    default_spec(served, object);
}

/// Gives an object of a built-in kind the form and the defaults that it has once it is written.
pub(super) fn in_full(served: &Served, object: &mut Value) {
    let mut full = object.clone();
    let message = types::find(&served.api_version(), &served.kind);
    if message.is_some_and(|message| types::conform(message, &mut full).is_ok()) {
        default_spec(served, &mut full);
        // These the decoder keeps apart.
        for field in ["creationTimestamp", "managedFields"] {
            if let Some(value) = object["metadata"].get(field) {
                full["metadata"][field] = value.clone();
            }
        }
        *object = full;
    }
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
    if let Some(message) = types::find(&served.api_version(), &served.kind) {
        // Shows what such a status always shows; the object was checked before.
        _ = types::conform(message, object);
    }
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

/// What ties the pods of a job to it (batch `jobStrategy.PrepareForCreate`).
fn name_job(job: &mut Value, uid: &Uid) {
    if job["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (uid.to_string(), job["metadata"]["name"].clone());
    for (label, value) in [
        ("batch.kubernetes.io/controller-uid", json!(uid)),
        ("controller-uid", json!(uid)),
        ("batch.kubernetes.io/job-name", name.clone()),
        ("job-name", name),
    ] {
        tree::set(job, &["spec", "template", "metadata", "labels", label], value);
    }
    if job["metadata"]["labels"].as_object().is_none_or(Map::is_empty) {
        let labels = job["spec"]["template"]["metadata"]["labels"].clone();
        tree::set(job, &["metadata", "labels"], labels);
    }
    tree::set(job, &["spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"], uid);
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

fn refuse(served: &Served, object: &Value, causes: Vec<Cause>) -> Result<(), Status> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(served, name, causes)) }
}
