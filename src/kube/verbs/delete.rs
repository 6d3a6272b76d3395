//! Deletes of single objects and of collections.

use super::list::filter;
use super::write::{Keep, is_held};
use crate::kube::dispatch::Call;
use crate::kube::listing::Listing;
use crate::kube::quote::quote;
use crate::kube::served::Served;
use crate::kube::store::{Version, name_of};
use crate::kube::{Cause, Cluster, Response, Status, decode};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How an object is to be deleted (`metav1.DeleteOptions`). Grace periods are over at once: nothing runs here.
#[derive(Debug, Clone, Default)]
pub(in crate::kube) struct DeleteOptions {
    uid: Option<String>,
    revision: Option<String>,
    propagation: Propagation,
    /// The deprecated `orphanDependents: false`, which is answered with 202 while something holds the object.
    is_asked_to_cascade: bool,
    is_dry_run: bool,
}

/// What becomes of the objects that the deleted one owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::kube) enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// What a delete came to.
#[derive(Debug)]
pub(in crate::kube) struct Deleted {
    /// The object's last state.
    pub version: Version,
    /// Whether nothing holds it any more.
    pub is_gone: bool,
}

impl DeleteOptions {
    /// What the body says, or without one the query.
    fn of(call: &Call<'_>) -> Result<DeleteOptions, Status> {
        let query = &call.query;
        query.check_write("DeleteOptions")?;
        let body = if call.request.body.is_empty() {
            json!({
                "propagationPolicy": query.propagation_policy, "orphanDependents": query.orphan_dependents,
                "dryRun": query.dry_run
            })
        } else {
            decode::body(call.content_type(), &call.request.body, "DeleteOptions")?
        };
        DeleteOptions::from_body(&body)
    }

    /// What a decoded `DeleteOptions` says.
    pub(in crate::kube) fn from_body(body: &Value) -> Result<DeleteOptions, Status> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let orphan = body["orphanDependents"].as_bool();
        let propagation = match (body["propagationPolicy"].as_str(), orphan) {
            (Some("Foreground"), _) => Propagation::Foreground,
            (Some("Orphan"), _) | (None, Some(true)) => Propagation::Orphan,
            (Some("Background" | ""), _) | (None, _) => Propagation::Background,
            (Some(other), _) => {
                let known = ["Background", "Foreground", "Orphan"];
                let cause = Cause::not_supported("propagationPolicy", &json!(other), &known);
                return Err(Status::invalid_options("DeleteOptions", vec![cause]));
            }
        };
        Ok(DeleteOptions {
            uid: text(&body["preconditions"]["uid"]),
            revision: text(&body["preconditions"]["resourceVersion"]),
            propagation,
            is_asked_to_cascade: orphan == Some(false),
            is_dry_run: body["dryRun"].as_array().is_some_and(|values| values.iter().any(|value| value == "All")),
        })
    }

    /// The same, with nothing kept.
    pub(in crate::kube) fn dry(self) -> DeleteOptions {
        DeleteOptions { is_dry_run: true, ..self }
    }

    fn keep(&self) -> Keep {
        if self.is_dry_run { Keep::DryRun } else { Keep::Yes }
    }
}

impl Cluster {
    /// Deletes the object in the path.
    pub(in crate::kube) fn delete(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        let options = DeleteOptions::of(call)?;
        let found = self.store.get(call.served.storage, &call.key());
        let version = found.ok_or_else(|| Status::not_found(&call.served, call.name()))?;
        let deleted = self.delete_object(&call.served, &version, &options, call.now)?;
        if deleted.is_gone && !call.served.returns_deleted {
            let uid = self.store.stamp(&deleted.version).uid.to_string();
            return Ok(Status::success(&call.served, call.name(), &uid).into());
        }
        let code = if !deleted.is_gone && options.is_asked_to_cascade { 202 } else { 200 };
        self.answer(code, &call.asked, &call.served, &deleted.version)
    }

    /// Deletes what the selectors pick of a collection, and answers with the list of it.
    pub(in crate::kube) fn delete_collection(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        let options = DeleteOptions::of(call)?;
        let filter = filter(call)?;
        let found = self.store.list(call.served.storage, call.namespace());
        let picked: Vec<Version> = found
            .into_iter()
            .filter(|found| filter.matches(self, &call.served, &found.version))
            .map(|found| found.version)
            .collect();
        let mut deleted = Vec::with_capacity(picked.len());
        for version in picked {
            deleted.push(self.delete_object(&call.served, &version, &options, call.now)?.version);
        }
        let metadata = json!({"resourceVersion": self.revision().to_string()});
        self.respond(call, Listing::new(call.served.clone(), call.asked, metadata, deleted))
    }

    /// Deletes an object, or marks it as deleted while finalizers hold it.
    pub(in crate::kube) fn delete_object(
        &mut self,
        served: &Served,
        version: &Version,
        options: &DeleteOptions,
        now: Timestamp,
    ) -> Result<Deleted, Status> {
        let path = self.store.path(version).into_owned();
        let name = name_of(&path);
        self.check_preconditions(served, version, name, options)?;
        if served.is("", "namespaces") && IMMORTAL_NAMESPACES.contains(&name) {
            return Err(Status::forbidden(served, name, "this namespace may not be deleted"));
        }
        let mut object = self.value(served, version);
        let finalizer = match options.propagation {
            Propagation::Background => None,
            Propagation::Foreground => Some("foregroundDeletion"),
            Propagation::Orphan => Some("orphan"),
        };
        if let Some(finalizer) = finalizer.filter(|_| self.store.stamp(version).deleted_s.is_none()) {
            let finalizers = &mut object["metadata"]["finalizers"];
            match finalizers {
                Value::Array(finalizers) if finalizers.iter().any(|known| known == finalizer) => {}
                Value::Array(finalizers) => finalizers.push(json!(finalizer)),
                other => *other = json!([finalizer]),
            }
        }
        if is_held(served, &object) {
            if self.store.stamp(version).deleted_s.is_some() {
                return Ok(Deleted { version: version.clone(), is_gone: false });
            }
            if served.is("", "namespaces") {
                object["status"]["phase"] = json!("Terminating");
            }
            let version = self.store_deleting(served, version, &object, options.keep(), now)?;
            return Ok(Deleted { version, is_gone: false });
        }
        let version = match options.keep() {
            Keep::DryRun => version.clone(),
            Keep::Yes => self.store_removed(served, &path).unwrap_or_else(|| version.clone()),
        };
        Ok(Deleted { version, is_gone: true })
    }

    fn check_preconditions(
        &self,
        served: &Served,
        version: &Version,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        let stamp = self.store.stamp(version);
        let (uid, revision) = (stamp.uid.to_string(), stamp.revision.to_string());
        let why = match (&options.uid, &options.revision) {
            (Some(wanted), _) if *wanted != uid => format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have been deleted and then \
                 recreated"
            ),
            (_, Some(wanted)) if *wanted != revision => format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({revision}). The object might \
                 have been modified"
            ),
            _ => return Ok(()),
        };
        let mut status = Status::conflict(served, name, &why);
        // Here, and only here, an API server names the kind instead of the resource.
        status.message = format!("Operation cannot be fulfilled on {} {}: {why}", served.qualified_kind(), quote(name));
        if let Some(details) = &mut status.details {
            details.kind = served.kind.to_string();
        }
        Err(status)
    }
}

/// Namespaces that admission `NamespaceLifecycle` keeps.
const IMMORTAL_NAMESPACES: [&str; 3] = ["default", "kube-public", "kube-system"];
