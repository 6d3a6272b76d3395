//! What pods are told: `eviction`, `binding`.

use crate::kube::admission::fit_to_path;
use crate::kube::object::time;
use crate::kube::request::dispatch::Call;
use crate::kube::store::path_of;
use crate::kube::verbs::{DeleteOptions, Keep};
use crate::kube::{Cause, Cluster, Response, Status, tree};
use serde_json::{Value, json};

impl Cluster {
    /// Deletes a pod the way `kubectl drain` asks for; unless a budget forbids it.
    pub(super) fn evict(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        let below = call.served.subresource("eviction").ok_or_else(Status::unknown_route)?;
        let mut eviction = self.body_of(call, below)?;
        fit_to_path(below, call.namespace(), None, &mut eviction)?;
        let own = eviction["metadata"]["name"].as_str().unwrap_or_default();
        if !own.is_empty() && own != call.name() {
            return Err(Status::bad_request("name in URL does not match name in Eviction object"));
        }
        let found = self.store.get(call.served.storage, &call.key());
        let version = found.ok_or_else(|| Status::not_found(&call.served, call.name()))?;
        if let Some(why) = self.forbidden_by_budget(&version) {
            let mut status =
                Status::too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", 0);
            if let Some(details) = &mut status.details {
                details.causes.push(Cause { reason: "DisruptionBudget", message: why, field: String::new() });
            }
            return Err(status);
        }
        let mut options = DeleteOptions::from_body(&eviction["deleteOptions"])?;
        if Keep::of(call) == Keep::DryRun {
            options = options.dry();
        }
        self.delete_object(&call.served, &version, &options, call.now)?;
        Ok(created())
    }

    /// Puts a pod on a node, as a scheduler does.
    pub(super) fn bind(&mut self, call: &Call<'_>) -> Result<Response, Status> {
        let below = call.served.subresource("binding").ok_or_else(Status::unknown_route)?;
        let mut binding = self.body_of(call, below)?;
        fit_to_path(below, call.namespace(), None, &mut binding)?;
        let target = &binding["target"]["kind"];
        if !matches!(target.as_str(), None | Some("" | "Node")) {
            let problem = format!("target.kind: Unsupported value: {target}: supported values: \"Node\", \"<empty>\"");
            return Err(Status::unknown(problem));
        }
        self.assign(call, call.name(), &binding)
    }

    /// The same, asked as `bindings` of the namespace.
    pub(in crate::kube) fn bind_by_name(&mut self, call: &Call<'_>, binding: &Value) -> Result<Response, Status> {
        let name = binding["metadata"]["name"].as_str().unwrap_or_default();
        self.assign(call, name, binding)
    }

    fn assign(&mut self, call: &Call<'_>, name: &str, binding: &Value) -> Result<Response, Status> {
        let pods = Cluster::built_in("", "pods").ok_or_else(Status::unknown_route)?;
        let found = self.store.get(pods.storage, &path_of(call.namespace(), name));
        let before = found.ok_or_else(|| Status::not_found(&pods, name))?;
        let old = self.value(&pods, &before);
        let mut pod = old.clone();
        if let Some(node) = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()) {
            let why = format!("pod {name} is already assigned to node \"{node}\"");
            let mut status = Status::conflict(&pods, name, &why);
            status.message = status.message.replacen("pods ", "pods/binding ", 1);
            if let Some(details) = &mut status.details {
                details.kind = "pods/binding".into();
            }
            return Err(status);
        }
        tree::set(&mut pod, &["spec", "nodeName"], binding["target"]["name"].clone());
        let scheduled = json!({
            "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": time(call.now.as_second())
        });
        match tree::at(&mut pod, &["status", "conditions"]) {
            Value::Array(conditions) => {
                conditions.retain(|condition| condition["type"] != "PodScheduled");
                conditions.push(scheduled);
            }
            other => *other = json!([scheduled]),
        }
        self.store_changed(&pods, &before, old, pod, Keep::of(call))?;
        Ok(created())
    }
}

/// The bare `Success` of calls that make nothing to show.
fn created() -> Response {
    let status = Status { code: 201, reason: "", message: String::new(), details: None, continue_token: None };
    let mut object = status.to_json();
    object["code"] = json!(201);
    crate::kube::response::render::json(201, format!("{object}\n").into_bytes())
}
