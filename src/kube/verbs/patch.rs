//! Patches.

use super::update::{By, written_elsewhere};
use super::write::{Keep, typed};
use crate::kube::admission::{Expected, fit_to_path};
use crate::kube::ownership::{self, Applied};
use crate::kube::patch::{self, PatchKind};
use crate::kube::request::dispatch::Call;
use crate::kube::store::Version;
use crate::kube::strategy::{Part, in_full};
use crate::kube::{Cause, Cluster, Response, Status, types};
use serde_json::{Value, json};

impl Cluster {
    /// Changes the object in the path as the patch in the body says; an apply patch makes it if it is not there.
    pub(in crate::kube) fn patch(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        self.patch_part(call, Part::Whole)
    }

    /// The same for one part of an object.
    pub(in crate::kube) fn patch_part(&mut self, call: &Call<'_>, part: Part) -> Result<Response, Status> {
        let kind = PatchKind::from_content_type(call.content_type(), &call.served)?;
        call.query.check_patch(kind == PatchKind::Apply)?;
        self.check_size(call.request.body.len())?;
        let before = self.store.get(call.served.storage, &call.key());
        if kind == PatchKind::Apply {
            return self.apply(call, before, part);
        }
        let before = before.ok_or_else(|| Status::not_found(&call.served, call.name()))?;
        let current = self.value(&call.served, &before);
        let patched = patch::apply(kind, &call.served, &current, &call.request.body)?;
        let patched = self.fitted(call, Some(&current), patched)?;
        self.replace(call, &before, patched, part)
    }

    /// Applies the configuration in the body to an object, or makes it.
    fn apply(&mut self, call: &Call<'_>, before: Option<Version>, part: Part) -> Result<Response, Status> {
        if before.is_none() && part != Part::Whole {
            return Err(Status::not_found(&call.served, call.name()));
        }
        let config = patch::configuration(&call.request.body)?;
        check_type(call, &config)?;
        let mut live = before.as_ref().map_or_else(|| json!({}), |before| self.value(&call.served, before));
        let mut empty = json!({});
        if before.is_some() {
            in_full(&call.served, &mut live);
            if let Some(message) = types::find(&call.served.api_version(), &call.served.kind) {
                empty = types::empty(message);
            }
        }
        let applied = Applied {
            live: &live,
            empty: &empty,
            config: &config,
            shape: call.served.shape(),
            ignored: written_elsewhere(&call.served, part),
            force: call.query.force == Some(true),
        };
        let object = ownership::apply(&applied, &call.author())?;
        let object = self.fitted(call, before.is_some().then_some(&live), object)?;
        let (code, version) = match &before {
            Some(before) => (200, self.change(&call.served, before, object, part, Keep::of(call), By::Settled)?),
            None => (201, self.make(&call.served, object, Keep::of(call), call.now)?),
        };
        self.advise(call, before.as_ref(), &version);
        self.answer(code, &call.asked, &call.served, &version)
    }

    /// A patched object in the form of its type and at its place.
    fn fitted(&self, call: &Call<'_>, current: Option<&Value>, mut patched: Value) -> Result<Value, Status> {
        fit_to_path(&*call.served, call.namespace(), Some(call.name()), &mut patched)?;
        let uid = &patched["metadata"]["uid"];
        if current.is_some_and(|current| *uid != current["metadata"]["uid"]) && !uid.is_null() && *uid != "" {
            let cause = Cause::invalid("metadata.uid", uid, "field is immutable");
            // It is checked twice.
            return Err(Status::invalid(&call.served, call.name(), vec![cause.clone(), cause]));
        }
        let shown = patched.to_string();
        typed(call, Expected::from(&*call.served), &mut patched, Vec::new()).map_err(|problem| {
            let cause = Cause::invalid("patch", &Value::from(shown), &problem);
            Status::invalid_patch(cause)
        })?;
        Ok(patched)
    }
}

/// Refuses a configuration of another kind, and one with fields that the kind has not.
fn check_type(call: &Call<'_>, config: &Value) -> Result<(), Status> {
    let text = |field: &str| config[field].as_str().unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let slash = if version.contains('/') { "" } else { "/" };
    let title = format!("{slash}{version}, Kind={kind}");
    if version != call.served.api_version() || kind != call.served.kind {
        return Err(Status::bad_request(format!("invalid object type: {title}")));
    }
    let metadata = &config["metadata"];
    let name = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
    match call.served.shape().stranger(config) {
        None => Ok(()),
        Some(path) => Err(Status::unknown(format!(
            "failed to create typed patch object ({}/{}; {title}): {path}: field not declared in schema",
            name("namespace"),
            name("name")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use crate::http1::Method;
    use crate::kube::testing::Bench;
    use serde_json::json;

    const TARGET: &str = "/api/v1/namespaces/web/configmaps/a";

    fn patch(bench: &mut Bench, kind: &str, query: &str, body: &str) -> crate::kube::testing::Answer {
        let headers = [("Content-Type", kind)];
        bench.call(Method::Patch, &format!("{TARGET}{query}"), &headers, body.as_bytes())
    }

    #[test]
    fn every_format_is_taken() {
        let mut bench = Bench::new();
        bench.configmap("a");
        patch(&mut bench, "application/json-patch+json", "", r#"[{"op": "add", "path": "/data/b", "value": "2"}]"#)
            .ok();
        patch(&mut bench, "application/merge-patch+json", "", r#"{"data": {"a": null}}"#).ok();
        patch(&mut bench, "application/strategic-merge-patch+json", "", r#"{"data": {"c": "3"}}"#).ok();
        let apply = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {d: '4'}\n";
        let applied = patch(&mut bench, "application/apply-patch+yaml", "?fieldManager=me", apply).ok();
        assert_eq!(applied["data"], json!({"b": "2", "c": "3", "d": "4"}));
        assert_eq!(patch(&mut bench, "application/json", "", "{}").code, 415);
        assert_eq!(patch(&mut bench, "application/apply-patch+yaml", "", apply).code, 422);
    }

    #[test]
    fn an_apply_patch_creates() {
        let mut bench = Bench::new();
        let apply = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        assert_eq!(patch(&mut bench, "application/merge-patch+json", "", "{}").code, 404);
        assert_eq!(patch(&mut bench, "application/apply-patch+yaml", "?fieldManager=me", apply).code, 201);
        let again = patch(&mut bench, "application/apply-patch+yaml", "?fieldManager=me", apply);
        assert_eq!(again.code, 200);
        assert_eq!(again.revision(), bench.cluster.revision());
    }

    #[test]
    fn a_patch_may_ask_for_a_revision_but_not_for_another_name() {
        let mut bench = Bench::new();
        bench.configmap("a");
        assert_eq!(bench.merge(TARGET, json!({"metadata": {"resourceVersion": "1"}})).code, 409);
        assert_eq!(bench.merge(TARGET, json!({"metadata": {"name": "b"}})).code, 400);
        assert_eq!(bench.merge(TARGET, json!({"metadata": {"uid": "b"}})).code, 422);
        assert_eq!(bench.merge(TARGET, json!({"metadata": {"labels": {"a b": "c"}}})).code, 422);
        assert_eq!(bench.merge(TARGET, json!({"metadata": "x"})).code, 400);
    }

    #[test]
    fn the_status_of_a_node_is_patched_alone() {
        let mut bench = Bench::new();
        let target = "/api/v1/nodes/edge-worker-1/status";
        let patch = json!({"spec": {"unschedulable": true}, "status": {"phase": "x"}});
        let node = bench.merge(target, patch).ok();
        assert_eq!((&node["status"]["phase"], node["spec"].get("unschedulable")), (&json!("x"), None));
    }
}
