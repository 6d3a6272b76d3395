//! Creates.

use super::write::{Keep, path};
use crate::kube::admission::{check_metadata, fit_to_path};
use crate::kube::dispatch::Call;
use crate::kube::names;
use crate::kube::served::Served;
use crate::kube::store::Version;
use crate::kube::{Cause, Cluster, Response, Status};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// Makes the object in the body.
    pub(in crate::kube) fn create(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        call.query.check_write("CreateOptions")?;
        let mut object = self.body_of(call, &call.served.kind)?;
        fit_to_path(&*call.served, call.namespace(), None, &mut object)?;
        if let Some(reviewed) = self.review(call, &object) {
            return reviewed;
        }
        if call.served.is("", "bindings") {
            return self.bind_by_name(call, &object);
        }
        let version = self.make(&call.served, object, Keep::of(call), call.now)?;
        self.answer(201, &call.asked, &call.served, &version)
    }

    /// Makes an object that fits its path; what follows is the same for clients, patches that create, and controllers.
    pub(in crate::kube) fn make(
        &mut self,
        served: &Served,
        mut object: Value,
        keep: Keep,
        now: Timestamp,
    ) -> Result<Version, Status> {
        self.check_namespace_takes(served, &object)?;
        if object["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
            return Err(Status::unknown("resourceVersion should not be set on objects to be created"));
        }
        self.generate_name(served, &mut object);
        self.prepare_new(served, &mut object)?;
        check_metadata(served, &object)?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if self.store.get(served.storage, &path(&object)).is_some() {
            return Err(Status::already_exists(served, name));
        }
        self.store_new(served, &object, keep, now)
    }

    /// Names an object that has but a prefix, with a name that is free (KEP-4420 tries eight times).
    fn generate_name(&mut self, served: &Served, object: &mut Value) {
        let metadata = &object["metadata"];
        let prefix = metadata["generateName"].as_str().unwrap_or_default().to_owned();
        if prefix.is_empty() || metadata["name"].as_str().is_some_and(|name| !name.is_empty()) {
            return;
        }
        for _ in 0..GENERATE_ATTEMPTS {
            object["metadata"]["name"] = json!(names::generate(&prefix, &mut self.random));
            if self.store.get(served.storage, &path(object)).is_none() {
                break;
            }
        }
    }

    /// Refuses objects in namespaces that do not exist or are on their way out (admission `NamespaceLifecycle`).
    fn check_namespace_takes(&self, served: &Served, object: &Value) -> Result<(), Status> {
        let Some(namespace) = object["metadata"]["namespace"].as_str().filter(|_| served.namespaced) else {
            return Ok(());
        };
        let Some(namespaces) = Cluster::built_in("", "namespaces") else { return Ok(()) };
        let found = self.store.get(namespaces.storage, namespace);
        let found = found.ok_or_else(|| Status::not_found(&namespaces, namespace))?;
        if self.store.stamp(&found).deleted_s.is_none() {
            return Ok(());
        }
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let mut status = Status::forbidden(served, name, &why);
        if let Some(details) = &mut status.details {
            details.causes.push(Cause {
                reason: "NamespaceTerminating",
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".into(),
            });
        }
        Err(status)
    }
}

/// The message of a precondition that does not hold (apiserver `storage.Preconditions.Check`).
pub(super) fn other_uid(served: &Served, path: &str, wanted: &str, found: &str) -> String {
    let group = if served.group.is_empty() { String::new() } else { format!("{}/", served.group) };
    format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{group}{}/{path}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: \
         UID in precondition: {wanted}, UID in object meta: {found}",
        served.plural
    )
}

/// KEP-4420.
const GENERATE_ATTEMPTS: usize = 8;
