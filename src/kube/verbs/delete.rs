//! Deletes of single objects and of collections.

use super::write::{Keep, is_held};
use crate::kube::custom::definition;
use crate::kube::object::time;
use crate::kube::request::dispatch::Call;
use crate::kube::request::served::Served;
use crate::kube::response::listing::Listing;
use crate::kube::response::quote::quote;
use crate::kube::store::{Version, name_of};
use crate::kube::{Cause, Cluster, Response, Status, decode, tree};
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
            options_of(call)?
        };
        let mut options = DeleteOptions::from_body(&body)?;
        let is_silent = body["propagationPolicy"].is_null() && body["orphanDependents"].is_null();
        // These two leave their pods unless told otherwise, as their first versions did.
        if is_silent && (call.served.is("batch", "jobs") || call.served.is("", "replicationcontrollers")) {
            options.propagation = Propagation::Orphan;
            if call.served.is("batch", "jobs") {
                call.warnings.borrow_mut().push(ORPHANS.into());
            }
        }
        Ok(options)
    }

    /// What a decoded `DeleteOptions` says.
    pub(in crate::kube) fn from_body(body: &Value) -> Result<DeleteOptions, Status> {
        let preconditions = &body["preconditions"];
        if !(preconditions.is_object() || preconditions.is_null()) {
            let problem =
                "json: cannot unmarshal into Go struct field DeleteOptions.preconditions of type v1.Preconditions";
            return Err(Status::bad_request(problem));
        }
        let unknown_dry_run = body["dryRun"].as_array().into_iter().flatten().find(|value| *value != "All");
        if let Some(value) = unknown_dry_run {
            let cause = Cause::not_supported("dryRun", value, &["All"]);
            return Err(Status::invalid_options("DeleteOptions", vec![cause]));
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let orphan = body["orphanDependents"].as_bool();
        let propagation = match (body["propagationPolicy"].as_str(), orphan) {
            (Some("Foreground"), _) => Propagation::Foreground,
            (Some("Orphan"), _) | (None, Some(true)) => Propagation::Orphan,
            (Some("Background" | ""), _) | (None, _) => Propagation::Background,
            (Some(other), _) => {
                let known = ["Foreground", "Background", "Orphan", "nil"];
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

    /// What the object owns goes before it.
    pub(in crate::kube) fn foreground() -> DeleteOptions {
        DeleteOptions { propagation: Propagation::Foreground, ..DeleteOptions::default() }
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

    /// Deletes what a list with the same options would show, and answers with that list. What cannot be deleted does not save the others.
    pub(in crate::kube) fn delete_collection(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        let (metadata, found) = self.select(call)?;
        let picked: Vec<(String, Version)> =
            found.into_iter().map(|found| (found.path.into_owned(), found.version)).collect();
        let options = DeleteOptions::of(call)?;
        for (path, _) in &picked {
            // It may be gone, or another than at the revision of the list.
            let Some(version) = self.store.get(call.served.storage, path) else { continue };
            // The first that is refused ends it: kube-apiserver has one worker for it (--delete-collection-workers).
            self.delete_object(&call.served, &version, &options, call.now)?;
        }
        // What was found is told, not what became of it.
        let versions = picked.into_iter().map(|(_, version)| version).collect();
        self.respond(call, Listing::new(call.served.clone(), call.asked, metadata, versions))
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
        let is_definition = served.is("apiextensions.k8s.io", "customresourcedefinitions");
        let finalizer = match options.propagation {
            _ if is_definition => None,
            Propagation::Background => None,
            Propagation::Foreground => Some("foregroundDeletion"),
            Propagation::Orphan => Some("orphan"),
        };
        if let Some(finalizer) = finalizer.filter(|_| self.store.stamp(version).deleted_s.is_none()) {
            tree::include(&mut object, &["metadata", "finalizers"], finalizer);
        }
        if is_definition && self.store.stamp(version).deleted_s.is_none() {
            definition::ends_soon(&mut object, &time(now.as_second()));
        }
        if is_held(served, &object) {
            if self.store.stamp(version).deleted_s.is_some() {
                return Ok(Deleted { version: version.clone(), is_gone: false });
            }
            if served.is("", "namespaces") {
                tree::set(&mut object, &["status", "phase"], "Terminating");
            }
            let version = self.store_deleting(served, version, &object, options.keep(), now)?;
            return Ok(Deleted { version, is_gone: false });
        }
        let version = match served.is("", "pods") {
            // A pod shows that its grace is over before it goes.
            true => self.store_ending(served, version, options.keep(), now),
            false => version.clone(),
        };
        let version = match options.keep() {
            Keep::DryRun => version,
            Keep::Yes => self.store_removed(served, &path).unwrap_or(version),
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

/// The options in a body; what is wrong with them an API server tells in the bare words of its decoder.
fn options_of(call: &Call<'_>) -> Result<Value, Status> {
    let is_json = call.content_type().is_none_or(|own| own.starts_with("application/json"));
    if is_json && let Err(error) = serde_json::from_slice::<Value>(&call.request.body) {
        let problem = decode::json_problem(&error, &call.request.body);
        return Err(Status::unknown(format!("couldn't get version/kind; json parse error: {problem}")));
    }
    let body = decode::body(call.content_type(), &call.request.body, "DeleteOptions")?;
    match body["kind"].as_str() {
        None | Some("" | "DeleteOptions") => Ok(body),
        Some(kind) => {
            let version = body["apiVersion"].as_str().unwrap_or_default();
            Err(Status::unknown(format!(
                "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:100\"",
                quote(kind),
                quote(version)
            )))
        }
    }
}

/// What a client is told that deletes a job and does not say what of its pods.
const ORPHANS: &str = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set \
     propagationPolicy=Orphan to suppress this warning";

/// Namespaces that admission `NamespaceLifecycle` keeps.
const IMMORTAL_NAMESPACES: [&str; 3] = ["default", "kube-public", "kube-system"];

#[cfg(test)]
mod tests {
    use crate::http1::Method;
    use crate::kube::testing::Bench;
    use serde_json::json;

    const TARGET: &str = "/api/v1/namespaces/web/configmaps/a";

    #[test]
    fn most_kinds_answer_with_a_status_and_some_with_the_object() {
        let mut bench = Bench::new();
        let uid = bench.configmap("a")["metadata"]["uid"].clone();
        let answer = bench.delete(TARGET).ok();
        assert_eq!(
            answer,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {"name": "a", "kind": "configmaps", "uid": uid}
            })
        );
        assert_eq!(bench.delete(TARGET).code, 404);
        assert_eq!(bench.delete("/api/v1/namespaces/web/pods/web-1").ok()["kind"], "Pod");
        assert_eq!(bench.get("/api/v1/namespaces/web/pods").names(), ["web-2", "web-3"]);
    }

    #[test]
    fn a_baseline_object_can_be_deleted_and_made_again() {
        let mut bench = Bench::new();
        let target = "/api/v1/namespaces/web/pods/web-1";
        let before = bench.get(target).ok();
        bench.delete(target).ok();
        assert_eq!(bench.get(target).code, 404);
        assert_eq!(bench.cluster.counts().pods, 2);
        let made = bench
            .post(
                "/api/v1/namespaces/web/pods",
                json!({"metadata": {"name": "web-1"}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}),
            )
            .ok();
        assert_ne!(made["metadata"]["uid"], before["metadata"]["uid"]);
        assert_eq!(bench.get("/api/v1/namespaces/web/pods").names(), ["web-1", "web-2", "web-3"]);
        assert_eq!(bench.cluster.counts().pods, 3);
    }

    #[test]
    fn finalizers_hold_an_object() {
        let mut bench = Bench::new();
        bench.configmap("a");
        bench.merge(TARGET, json!({"metadata": {"finalizers": ["example.com/hold"]}})).ok();
        bench.pass(3);
        let held = bench.delete(TARGET).ok();
        assert_eq!(held["kind"], "ConfigMap");
        assert_eq!(held["metadata"]["deletionTimestamp"], "2026-01-01T00:00:03Z");
        assert_eq!(held["metadata"]["deletionGracePeriodSeconds"], 0);
        let again = bench.delete(TARGET).ok();
        assert_eq!(again["metadata"]["resourceVersion"], held["metadata"]["resourceVersion"]);
        assert_eq!(bench.merge(TARGET, json!({"metadata": {"finalizers": ["example.com/hold", "b.c/d"]}})).code, 422);
        bench.merge(TARGET, json!({"metadata": {"finalizers": null}})).ok();
        assert_eq!(bench.get(TARGET).code, 404);
    }

    #[test]
    fn preconditions_hold_or_conflict() {
        let mut bench = Bench::new();
        let uid = bench.configmap("a")["metadata"]["uid"].clone();
        let mut delete = |options: serde_json::Value| {
            let headers = [("Content-Type", "application/json")];
            bench.call(Method::Delete, TARGET, &headers, options.to_string().as_bytes())
        };
        assert_eq!(delete(json!({"preconditions": {"uid": "x"}})).code, 409);
        assert_eq!(delete(json!({"preconditions": {"resourceVersion": "1"}})).code, 409);
        assert_eq!(delete(json!({"propagationPolicy": "Sideways"})).code, 422);
        assert_eq!(delete(json!({"dryRun": ["All"]})).code, 200);
        let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}});
        assert_eq!(delete(options).code, 200);
        assert_eq!(bench.get(TARGET).code, 404);
    }

    #[test]
    fn a_collection_is_deleted_by_selector() {
        let mut bench = Bench::new();
        for name in ["a", "b"] {
            bench.configmap(name);
        }
        bench.merge(TARGET, json!({"metadata": {"labels": {"x": "y"}}})).ok();
        let list = bench.delete("/api/v1/namespaces/web/configmaps?labelSelector=x%3Dy");
        assert_eq!(list.body["kind"], "ConfigMapList");
        assert_eq!(list.names(), ["a"]);
        assert_eq!(bench.get("/api/v1/namespaces/web/configmaps").names(), ["b", "kube-root-ca.crt"]);
        assert_eq!(bench.delete("/api/v1/configmaps").code, 405);
        assert_eq!(bench.delete("/api/v1/namespaces").code, 405);
    }

    #[test]
    fn a_collection_that_cannot_be_listed_is_not_deleted() {
        let mut bench = Bench::new();
        bench.configmap("a");
        let target = "/api/v1/namespaces/web/configmaps";
        for (query, code) in [
            ("resourceVersionMatch=Exact", 422),
            ("resourceVersion=1&resourceVersionMatch=Sometimes", 422),
            ("resourceVersion=x", 500),
            ("resourceVersion=999999999", 504),
            ("continue=x", 400),
            ("labelSelector=a%3D%3D%3Db", 400),
        ] {
            assert_eq!(bench.delete(&format!("{target}?{query}")).code, code, "{query}");
        }
        assert_eq!(bench.get(target).names(), ["a", "kube-root-ca.crt"]);
        assert_eq!(bench.delete(&format!("{target}?limit=1")).names(), ["a"]);
        assert_eq!(bench.get(target).names(), ["kube-root-ca.crt"]);
    }

    #[test]
    fn the_first_that_cannot_be_deleted_ends_it() {
        let mut bench = Bench::new();
        bench.configmap("a");
        let uid = bench.configmap("b")["metadata"]["uid"].clone();
        let target = "/api/v1/namespaces/web/configmaps";
        let options = json!({"preconditions": {"uid": uid}}).to_string();
        let headers = [("Content-Type", "application/json")];
        let answer = bench.call(Method::Delete, target, &headers, options.as_bytes());
        assert_eq!(answer.code, 409);
        assert!(
            answer.message().starts_with("Operation cannot be fulfilled on ConfigMap \"a\""),
            "{}",
            answer.message()
        );
        assert_eq!(bench.get(target).names(), ["a", "b", "kube-root-ca.crt"]);
    }

    #[test]
    fn what_is_owned_goes_with_its_owner() {
        let mut bench = Bench::new();
        let owner = bench.configmap("owner")["metadata"]["uid"].clone();
        let other = bench.configmap("other")["metadata"]["uid"].clone();
        let reference = |name: &str, uid: &serde_json::Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid});
        for (name, owners) in [
            ("one", vec![reference("owner", &owner)]),
            ("two", vec![reference("owner", &owner), reference("other", &other)]),
        ] {
            let object = json!({"metadata": {"name": name, "ownerReferences": owners}});
            bench.post("/api/v1/namespaces/web/secrets", object).ok();
        }
        bench.delete("/api/v1/namespaces/web/configmaps/owner").ok();
        assert_eq!(bench.get("/api/v1/namespaces/web/secrets").names(), ["two"]);
        let two = bench.get("/api/v1/namespaces/web/secrets/two").ok();
        assert_eq!(two["metadata"]["ownerReferences"], json!([reference("other", &other)]));
        bench.delete("/api/v1/namespaces/web/configmaps/other?propagationPolicy=Orphan").ok();
        assert_eq!(bench.get("/api/v1/namespaces/web/configmaps/other").code, 404);
        assert!(bench.get("/api/v1/namespaces/web/secrets/two").ok()["metadata"].get("ownerReferences").is_none());
    }

    #[test]
    fn a_foreground_delete_ends_in_one_request() {
        let mut bench = Bench::new();
        let owner = bench.configmap("a")["metadata"]["uid"].clone();
        let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": owner});
        let object = json!({"metadata": {"name": "one", "ownerReferences": [reference]}});
        bench.post("/api/v1/namespaces/web/secrets", object).ok();
        let answer = bench.delete(&format!("{TARGET}?propagationPolicy=Foreground")).ok();
        assert_eq!(answer["metadata"]["finalizers"], json!(["foregroundDeletion"]));
        assert_eq!(bench.get(TARGET).code, 404);
        assert_eq!(bench.get("/api/v1/namespaces/web/secrets").names(), [""; 0]);
    }

    #[test]
    fn a_baseline_owner_takes_its_baseline_dependents() {
        let mut bench = Bench::new();
        let lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/edge-worker-1";
        let node = bench.get("/api/v1/nodes/edge-worker-1").ok();
        assert_eq!(bench.get(lease).ok()["metadata"]["ownerReferences"][0]["uid"], node["metadata"]["uid"]);
        bench.delete("/api/v1/nodes/edge-worker-1").ok();
        assert_eq!(bench.get(lease).code, 404);
        assert_eq!(bench.get("/apis/coordination.k8s.io/v1/leases").names().len(), 2);
    }
}
