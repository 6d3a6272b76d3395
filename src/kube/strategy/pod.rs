//! What admission does to a new pod: its account, its token, its priority and its tolerations.

use crate::kube::object::time;
use crate::kube::request::served::Served;
use crate::kube::tree::items;
use crate::kube::{Cluster, Status, names, tree};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// Completes a new pod (admission `ServiceAccount`, `Priority` and `DefaultTolerationSeconds`).
    pub(super) fn complete_pod(&mut self, served: &Served, pod: &mut Value) -> Result<(), Status> {
        if !pod["spec"].is_object() {
            return Ok(());
        }
        self.give_account(served, pod)?;
        self.give_priority(served, pod)?;
        tolerate(pod);
        Ok(())
    }

    fn give_account(&mut self, served: &Served, pod: &mut Value) -> Result<(), Status> {
        let Some(accounts) = Cluster::built_in("", "serviceaccounts") else { return Ok(()) };
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        let account = pod["spec"]["serviceAccountName"].as_str().unwrap_or_default().to_owned();
        let Some(found) = self.store.get(accounts.storage, &format!("{namespace}/{account}")) else {
            let why = format!(
                "error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found"
            );
            return Err(Status::forbidden(served, &name, &why));
        };
        let account = self.value(&accounts, &found);
        let secrets = &account["imagePullSecrets"];
        if pod["spec"]["imagePullSecrets"].as_array().is_none_or(Vec::is_empty) && secrets.is_array() {
            tree::set(pod, &["spec", "imagePullSecrets"], secrets.clone());
        }
        let of_account = &account["automountServiceAccountToken"];
        let own = &pod["spec"]["automountServiceAccountToken"];
        if *own == false || (own.is_null() && *of_account == false) {
            return Ok(());
        }
        let volume = names::generate("kube-api-access-", &mut self.random);
        let mount = json!({"name": volume, "readOnly": true, "mountPath": TOKEN_PATH});
        for list in ["containers", "initContainers"] {
            let containers = pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
            for container in containers.filter(|container| container.is_object()) {
                if !container["volumeMounts"].is_array() {
                    container["volumeMounts"] = json!([]);
                }
                let mounts = container["volumeMounts"].as_array_mut().into_iter();
                mounts.for_each(|mounts| {
                    if !mounts.iter().any(|own| own["mountPath"] == TOKEN_PATH) {
                        mounts.push(mount.clone());
                    }
                });
            }
        }
        let field = json!({"apiVersion": "v1", "fieldPath": "metadata.namespace"});
        let source = json!({"name": volume, "projected": {"defaultMode": 0o644, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3_607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}}
        ]}});
        match tree::at(pod, &["spec", "volumes"]) {
            Value::Array(volumes) => volumes.push(source),
            other => *other = json!([source]),
        }
        Ok(())
    }

    fn give_priority(&self, served: &Served, pod: &mut Value) -> Result<(), Status> {
        let Some(classes) = Cluster::built_in("scheduling.k8s.io", "priorityclasses") else { return Ok(()) };
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let (mut value, mut policy) = (json!(0), json!("PreemptLowerPriority"));
        if let Some(class) = pod["spec"]["priorityClassName"].as_str().filter(|class| !class.is_empty()) {
            let found = self.store.get(classes.storage, class);
            let why = format!("no PriorityClass with name {class} was found");
            let found = found.ok_or_else(|| Status::forbidden(served, &name, &why))?;
            let class = self.value(&classes, &found);
            value = class["value"].clone();
            if class["preemptionPolicy"].is_string() {
                policy = class["preemptionPolicy"].clone();
            }
        }
        tree::set(pod, &["spec", "priority"], value);
        tree::set(pod, &["spec", "preemptionPolicy"], policy);
        Ok(())
    }
}

/// Says of a pod with scheduling gates that it is held (core `podStrategy.PrepareForCreate`).
pub(super) fn hold(pod: &mut Value, now: Timestamp) {
    if items(&pod["spec"]["schedulingGates"]).next().is_some() {
        let condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "lastProbeTime": null,
            "lastTransitionTime": time(now.as_second()), "message": "Scheduling is blocked due to non-empty scheduling gates"
        });
        tree::set(pod, &["status", "conditions"], json!([condition]));
    }
}

/// A pod stays for a while on a node that is lost.
fn tolerate(pod: &mut Value) {
    if !pod["spec"]["tolerations"].is_array() {
        tree::set(pod, &["spec", "tolerations"], json!([]));
    }
    let Some(own) = pod["spec"]["tolerations"].as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let is_tolerated = own.iter().any(|toleration| {
            let covers = |field: &str, wanted: &str| {
                toleration[field].as_str().is_none_or(|own| own.is_empty() || own == wanted)
            };
            covers("key", key) && covers("effect", "NoExecute")
        });
        if !is_tolerated {
            own.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
}

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
