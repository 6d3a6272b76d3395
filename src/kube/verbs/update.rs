//! Updates of whole objects.

use super::create::other_uid;
use super::write::Keep;
use crate::kube::admission::{fit_to_path, metadata_problems};
use crate::kube::ownership::{self, Author};
use crate::kube::request::dispatch::Call;
use crate::kube::request::served::Served;
use crate::kube::response::quote::quote;
use crate::kube::store::Version;
use crate::kube::strategy::{Part, in_full};
use crate::kube::{Cause, Cluster, Response, Status, tree, validate};
use serde_json::Value;

impl Cluster {
    /// Replaces the object in the path by the one in the body.
    pub(in crate::kube) fn update(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        call.query.check_write("UpdateOptions")?;
        let mut object = self.body_of(call, &*call.served)?;
        fit_to_path(&*call.served, call.namespace(), Some(call.name()), &mut object)?;
        let Some(before) = self.store.get(call.served.storage, &call.key()) else {
            if !creates_on_update(&call.served) || has_revision(&object) {
                return Err(Status::not_found(&call.served, call.name()));
            }
            tree::at(&mut object, &["metadata", "managedFields"]).take();
            let version = self.make(&call.served, object, Keep::of(call), call.now)?;
            return self.answer(201, &call.asked, &call.served, &version);
        };
        self.replace(call, &before, object, Part::Whole)
    }

    /// Replaces `part` of an object by what a client wants of it, and answers with the whole.
    pub(in crate::kube) fn replace(
        &mut self,
        call: &Call<'_>,
        before: &Version,
        object: Value,
        part: Part,
    ) -> Result<Response, Status> {
        let version = self.change(&call.served, before, object, part, Keep::of(call), By::Author(&call.author()))?;
        self.advise(call, Some(before), &version);
        self.answer(200, &call.asked, &call.served, &version)
    }

    /// Warns of what an object says since this write, if it is of a kind that is advised on.
    pub(super) fn advise(&self, call: &Call<'_>, before: Option<&Version>, version: &Version) {
        let generation = |version| self.store.stamp(version).generation;
        if validate::pod_spec(&call.served).is_some() && before.map(generation) != Some(generation(version)) {
            let object = self.value(&call.served, version);
            call.warnings.borrow_mut().extend(validate::advice(&call.served, &object));
        }
    }

    /// Replaces `part` of an object once every check has passed.
    pub(in crate::kube) fn change(
        &mut self,
        served: &Served,
        before: &Version,
        mut object: Value,
        part: Part,
        keep: Keep,
        by: By<'_>,
    ) -> Result<Version, Status> {
        let stamp = self.store.stamp(before);
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        if !uid.is_empty() && uid != stamp.uid.to_string() {
            let why = other_uid(served, &self.store.path(before), uid, &stamp.uid.to_string());
            return Err(Status::conflict(served, &name, &why));
        }
        match object["metadata"]["resourceVersion"].as_str().unwrap_or_default() {
            "" | "0" if requires_revision(served) => {
                let problem = "must be specified for an update";
                let cause = Cause::invalid_go("metadata.resourceVersion", "0x0", problem);
                return Err(Status::invalid_update(served, &name, cause));
            }
            "" | "0" => {}
            revision if revision == stamp.revision.to_string() => {}
            revision if revision.parse::<u64>().is_err() => {
                let problem = format!("strconv.ParseUint: parsing {}: invalid syntax", quote(revision));
                return Err(Status::unknown(problem));
            }
            _ => return Err(Status::modified(served, &name)),
        }
        // What a template leaves out is no difference.
        let mut old = self.value(served, before);
        in_full(served, &mut old);
        let managed = object["metadata"].get("managedFields").cloned();
        self.prepare_change(served, &old, &mut object, part)?;
        if let Some(managed) = managed {
            // Whatever part is written, its owner is told in the metadata.
            tree::set(&mut object, &["metadata", "managedFields"], managed);
        }
        let mut causes = metadata_problems(served, &object);
        if part == Part::Whole {
            // What was wrong before, as a template's object may be, can stay so.
            let known = validate::problems(served, &old);
            let problems = validate::problems(served, &object).into_iter();
            causes.extend(problems.filter(|cause| !known.contains(cause)));
            causes.extend(validate::changes(served, &old, &object));
        }
        if !causes.is_empty() {
            return Err(Status::invalid(served, &name, causes));
        }
        if stamp.deleted_s.is_some() {
            check_no_new_finalizers(served, &name, &old, &object)?;
        }
        if part == Part::Whole {
            if served.is("", "persistentvolumeclaims") && old["spec"]["resources"] != object["spec"]["resources"] {
                self.keep_limits(served, &mut object)?;
                self.check_growth(served, &old, &object)?;
            }
            self.check_quotas(served, Some(&old), &object)?;
        }
        if let By::Author(author) = by {
            ownership::update(&old, &mut object, served.shape(), author, written_elsewhere(served, part));
        }
        self.store_changed(served, before, old, object, keep)
    }
}

/// Whose change it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::kube) enum By<'a> {
    /// A client's, who owns from now on what it writes.
    Author(&'a Author<'a>),
    /// One that has been settled: the object comes with its owners.
    Settled,
}

/// The fields that a write of this part of an object leaves alone (`GetResetFields` of the strategies).
pub(super) fn written_elsewhere(served: &Served, part: Part) -> &'static [&'static [&'static str]] {
    match part {
        Part::Whole if served.has_status() => &[&["status"]],
        Part::Status => &[&["spec"]],
        Part::Whole | Part::Finalize => &[],
    }
}

/// An object on its way out can lose finalizers, but gain none (apimachinery `ValidateFinalizersUpdate`).
fn check_no_new_finalizers(served: &Served, name: &str, old: &Value, object: &Value) -> Result<(), Status> {
    let finalizers = |object: &Value| -> Vec<String> {
        let list = object["metadata"]["finalizers"].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let known = finalizers(old);
    let new: Vec<String> = finalizers(object).into_iter().filter(|finalizer| !known.contains(finalizer)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let problem = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        new.iter().map(|finalizer| quote(finalizer)).collect::<Vec<_>>().join(", ")
    );
    let cause = Cause::forbidden("metadata.finalizers", &problem);
    // It is checked twice.
    Err(Status::invalid(served, name, vec![cause.clone(), cause]))
}

fn has_revision(object: &Value) -> bool {
    object["metadata"]["resourceVersion"].as_str().is_some_and(|revision| !["", "0"].contains(&revision))
}

/// Kinds that a PUT may create (`AllowCreateOnUpdate` of their strategies).
fn creates_on_update(served: &Served) -> bool {
    let kinds: &[&str] = match served.group.as_ref() {
        "" => &["endpoints", "events", "limitranges", "services"],
        "coordination.k8s.io" => &["leases"],
        "events.k8s.io" => &["events"],
        "rbac.authorization.k8s.io" => &["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
        "node.k8s.io" => &["runtimeclasses"],
        _ => &[],
    };
    kinds.contains(&served.plural.as_ref())
}

/// Kinds that a PUT must name the revision for (`AllowUnconditionalUpdate` of their strategies).
fn requires_revision(served: &Served) -> bool {
    let kinds: &[&str] = match served.group.as_ref() {
        "admissionregistration.k8s.io" => &[
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "validatingwebhookconfigurations",
        ],
        "apiextensions.k8s.io" => &["customresourcedefinitions"],
        "apiregistration.k8s.io" => &["apiservices"],
        "coordination.k8s.io" => &["leases"],
        "policy" => &["poddisruptionbudgets"],
        _ => &[],
    };
    served.custom || kinds.contains(&served.plural.as_ref())
}

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::json;

    const TARGET: &str = "/api/v1/namespaces/web/configmaps/a";

    #[test]
    fn a_stale_revision_is_a_conflict() {
        let mut bench = Bench::new();
        let first = bench.configmap("a");
        let mut second = first.clone();
        second["data"]["a"] = json!("2");
        let second = bench.put(TARGET, &second).ok();
        assert_ne!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
        let answer = bench.put(TARGET, &first);
        assert_eq!(answer.code, 409);
        assert_eq!(
            answer.message(),
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version \
             and try again"
        );
        let mut blind = first.clone();
        blind["metadata"].as_object_mut().unwrap().remove("resourceVersion");
        assert_eq!(bench.put(TARGET, &blind).ok()["data"], json!({"a": "1"}));
        blind["metadata"]["uid"] = json!("another");
        assert_eq!(bench.put(TARGET, &blind).code, 409);
    }

    #[test]
    fn what_changes_nothing_is_no_change() {
        let mut bench = Bench::new();
        let object = bench.configmap("a");
        assert_eq!(bench.put(TARGET, &object).ok(), object);
        let node = bench.get("/api/v1/nodes/edge-worker-1").ok();
        let revision = bench.cluster.revision();
        assert_eq!(bench.put("/api/v1/nodes/edge-worker-1", &node).ok(), node);
        assert_eq!(bench.cluster.revision(), revision);
    }

    #[test]
    fn the_servers_metadata_survives() {
        let mut bench = Bench::new();
        let object = bench.configmap("a");
        bench.pass(10);
        let replacement = json!({"metadata": {"name": "a", "creationTimestamp": null, "labels": {"x": "y"}}});
        let updated = bench.put(TARGET, &replacement).ok();
        for field in ["uid", "creationTimestamp"] {
            assert_eq!(updated["metadata"][field], object["metadata"][field]);
        }
        assert_eq!(updated["metadata"]["labels"], json!({"x": "y"}));
        assert!(updated.get("data").is_none());
        assert_eq!(bench.put(TARGET, &json!({"metadata": {"name": "b"}})).code, 400);
        assert_eq!(bench.put("/api/v1/namespaces/web/configmaps/b", &json!({"metadata": {"name": "b"}})).code, 404);
    }

    #[test]
    fn status_and_spec_are_written_apart() {
        let mut bench = Bench::new();
        let target = "/apis/apps/v1/namespaces/web/deployments/web";
        let mut object = bench.get(target).ok();
        assert_eq!(object["metadata"]["generation"], 1);
        object["spec"]["replicas"] = json!(5);
        object["status"] = json!({});
        let updated = bench.put(target, &object).ok();
        assert_eq!(updated["metadata"]["generation"], 2);
        assert_eq!(updated["status"]["readyReplicas"], 3);
        let mut object = bench.get(target).ok();
        assert_eq!(object["status"]["observedGeneration"], 2, "the controller followed");
        object["spec"]["replicas"] = json!(9);
        object["status"]["readyReplicas"] = json!(4);
        let updated = bench.put(&format!("{target}/status"), &object).ok();
        assert_eq!((&updated["spec"]["replicas"], &updated["status"]["readyReplicas"]), (&json!(5), &json!(4)));
        assert_eq!(updated["metadata"]["generation"], 2);
    }

    #[test]
    fn a_node_that_was_written_keeps_beating() {
        let mut bench = Bench::new();
        let target = "/api/v1/nodes/edge-worker-1";
        let mut node = bench.get(target).ok();
        node["spec"]["unschedulable"] = json!(true);
        bench.put(target, &node).ok();
        bench.pass(30);
        bench.cluster.report(crate::kube::Heartbeat::LeasesAndNodes, bench.now);
        let node = bench.get(target).ok();
        assert_eq!(node["spec"]["unschedulable"], true);
        assert_eq!(node["status"]["conditions"][0]["lastHeartbeatTime"], "2026-01-01T00:00:30Z");
    }

    #[test]
    fn what_may_not_change_is_refused() {
        let mut bench = Bench::new();
        let binding = json!({
            "metadata": {"name": "b"}, "subjects": [],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
        });
        let target = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        let mut binding = bench.post(target, binding).ok();
        binding["roleRef"]["name"] = json!("edit");
        let answer = bench.put(&format!("{target}/b"), &binding);
        assert_eq!(answer.code, 422);
        assert!(answer.message().contains("cannot change roleRef"), "{}", answer.message());
    }

    #[test]
    fn some_kinds_are_made_by_an_update() {
        let mut bench = Bench::new();
        let target = "/apis/rbac.authorization.k8s.io/v1/clusterroles/new";
        assert_eq!(bench.put(target, &json!({"metadata": {"name": "new"}, "rules": []})).code, 201);
        assert_eq!(bench.put(target, &json!({"metadata": {"name": "new"}, "rules": null})).code, 200);
    }
}
