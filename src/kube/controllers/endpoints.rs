//! Endpoints and EndpointSlices: the pods behind a service (`kube-controller-manager` endpoint and endpointslice controllers).

use super::owned::controlled_by;
use super::pods::{has_ended, is_ready};
use crate::kube::store::{Version, namespace_of};
use crate::kube::tree::text;
use crate::kube::{Cluster, LabelSelector, names, tree};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

impl Cluster {
    /// Brings the endpoints of a service up to date.
    pub(super) fn keep_endpoints(&mut self, path: &str, now: Timestamp) {
        let Some((_, _, service)) = self.living("", "services", path) else { return };
        let Some(pods) = Cluster::built_in("", "pods") else { return };
        let Some(selector) = selector(&service) else { return };
        let listed = self.store.list(pods.storage, namespace_of(path)).into_iter();
        let picked = listed.filter(|found| self.has_labels(&found.version, &selector));
        let picked: Vec<Value> = picked.map(|found| self.value(&pods, &found.version)).collect();
        let serving: Vec<&Value> = picked.iter().filter(|pod| is_behind(pod)).collect();
        self.keep_endpoints_object(path, endpoints(&service, &serving, true), now);
        self.keep_slice(path, &service, slice(&service, &serving, true), now);
    }

    /// Whether an object's labels are those that a selector wants.
    pub(super) fn has_labels(&self, version: &Version, selector: &LabelSelector) -> bool {
        let labels = self.store.body(version).labels(&self.store.stamp(version), self.store.particulars());
        selector.matches(labels.as_ref())
    }

    fn keep_endpoints_object(&mut self, path: &str, wanted: Value, now: Timestamp) {
        let Some(kind) = Cluster::built_in("", "endpoints") else { return };
        if self.store.get(kind.storage, path).is_none() {
            _ = self.spawn(&kind, wanted, now);
            return;
        }
        self.rewrite(&kind, path, |object| {
            if untold(&object["subsets"]) != untold(&wanted["subsets"]) {
                tree::set(object, &["subsets"], wanted["subsets"].clone());
            }
        });
    }

    fn keep_slice(&mut self, path: &str, service: &Value, mut wanted: Value, now: Timestamp) {
        let Some(kind) = Cluster::built_in("discovery.k8s.io", "endpointslices") else { return };
        let name = text(&service["metadata"]["name"]);
        let of_service =
            LabelSelector::from_object(&json!({"matchLabels": {NAME_LABEL: name, MANAGED_LABEL: MANAGER}}));
        let of_service = of_service.unwrap_or_default();
        let mut listed = self.store.list(kind.storage, namespace_of(path)).into_iter();
        let known =
            listed.find(|found| self.has_labels(&found.version, &of_service)).map(|found| found.path.into_owned());
        match known {
            None => {
                tree::set(&mut wanted, &["metadata", "name"], names::generate(&format!("{name}-"), &mut self.random));
                _ = self.spawn(&kind, wanted, now);
            }
            Some(path) => {
                self.rewrite(&kind, &path, |object| {
                    for field in ["endpoints", "ports"] {
                        if untold(&object[field]) != untold(&wanted[field]) {
                            tree::set(object, &[field], wanted[field].clone());
                        }
                    }
                });
            }
        }
    }
}

/// What a service selects pods by; `None` for one that selects none.
pub(in crate::kube) fn selector(service: &Value) -> Option<LabelSelector> {
    let labels = service["spec"]["selector"].as_object().filter(|labels| !labels.is_empty())?;
    (service["spec"]["type"] != "ExternalName")
        .then(|| LabelSelector::from_object(&json!({"matchLabels": labels})).ok())?
}

/// Whether a pod counts among those behind a service.
pub(in crate::kube) fn is_behind(pod: &Value) -> bool {
    !has_ended(pod) && !text(&pod["status"]["podIP"]).is_empty()
}

/// The Endpoints of a service; pods are referred to by uid where these are known.
pub(in crate::kube) fn endpoints(service: &Value, pods: &[&Value], with_uids: bool) -> Value {
    let address = |pod: &Value| json!({"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target(pod, with_uids)});
    let mut subset = Map::new();
    let (ready, unready): (Vec<&Value>, Vec<&Value>) = pods.iter().copied().partition(|pod| serves(service, pod));
    for (field, pods) in [("addresses", ready), ("notReadyAddresses", unready)] {
        if !pods.is_empty() {
            subset.insert(field.into(), pods.into_iter().map(address).collect());
        }
    }
    let subsets = match subset.is_empty() {
        true => Value::Null,
        false => {
            subset.insert("ports".into(), ports(service, pods.first().copied()));
            json!([subset])
        }
    };
    let mut object = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata(service)});
    if !subsets.is_null() {
        object["subsets"] = subsets;
    }
    object
}

/// The EndpointSlice of a service, without a name.
pub(in crate::kube) fn slice(service: &Value, pods: &[&Value], with_uids: bool) -> Value {
    let endpoint = |pod: &&Value| {
        let ready = serves(service, pod);
        json!({
            "addresses": [pod["status"]["podIP"]], "nodeName": pod["spec"]["nodeName"], "targetRef": target(pod, with_uids),
            "conditions": {"ready": ready, "serving": ready, "terminating": false}
        })
    };
    let name = text(&service["metadata"]["name"]);
    let mut object = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": metadata(service),
        "endpoints": null, "ports": null
    });
    // One without endpoints holds the place.
    if let Some(first) = pods.first() {
        object["endpoints"] = pods.iter().take(MAX_ENDPOINTS).map(endpoint).collect();
        object["ports"] = ports(service, Some(first));
    }
    let mut owner = controlled_by("v1", "Service", service);
    if !with_uids {
        // Whoever makes a cluster of it fills it in.
        owner.pointer_mut("/0").and_then(Value::as_object_mut).map(|owner| owner.remove("uid"));
    }
    tree::set(&mut object, &["metadata", "generateName"], format!("{name}-"));
    tree::set(&mut object, &["metadata", "ownerReferences"], owner);
    tree::set(&mut object, &["metadata", "labels", NAME_LABEL], name);
    tree::set(&mut object, &["metadata", "labels", MANAGED_LABEL], MANAGER);
    object
}

fn metadata(service: &Value) -> Value {
    let metadata = &service["metadata"];
    json!({"name": metadata["name"], "namespace": metadata["namespace"], "labels": metadata["labels"]})
}

fn target(pod: &Value, with_uid: bool) -> Value {
    let metadata = &pod["metadata"];
    let mut target = json!({"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"]});
    if with_uid {
        target["uid"] = metadata["uid"].clone();
    }
    target
}

/// The same without the uids of pods, which those of a template do not tell.
fn untold(list: &Value) -> Value {
    let mut list = list.clone();
    for entry in list.as_array_mut().into_iter().flatten() {
        let addresses = ["addresses", "notReadyAddresses"].map(|field| entry[field].as_array().map_or(0, Vec::len));
        if let Some(target) = entry.get_mut("targetRef").and_then(Value::as_object_mut) {
            target.remove("uid");
        }
        for (field, count) in ["addresses", "notReadyAddresses"].into_iter().zip(addresses) {
            for at in 0..count {
                let target = entry.pointer_mut(&format!("/{field}/{at}/targetRef")).and_then(Value::as_object_mut);
                target.map(|target| target.remove("uid"));
            }
        }
    }
    list
}

fn serves(service: &Value, pod: &Value) -> bool {
    is_ready(pod) || service["spec"]["publishNotReadyAddresses"] == true
}

/// The ports of a service as its pods know them.
fn ports(service: &Value, pod: Option<&Value>) -> Value {
    let containers = || pod.into_iter().flat_map(|pod| pod["spec"]["containers"].as_array().into_iter().flatten());
    let named = |name: &str| {
        let mut ports = containers().flat_map(|container| container["ports"].as_array().into_iter().flatten());
        ports.find(|port| port["name"] == *name).map(|port| port["containerPort"].clone())
    };
    let ports = service["spec"]["ports"].as_array().into_iter().flatten().filter_map(|port| {
        let number = match &port["targetPort"] {
            Value::String(name) => named(name)?,
            Value::Null => port["port"].clone(),
            number => number.clone(),
        };
        let mut shown = json!({"port": number, "protocol": port["protocol"]});
        if let Some(name) = port.get("name") {
            shown["name"] = name.clone();
        }
        Some(shown)
    });
    ports.collect()
}

const NAME_LABEL: &str = "kubernetes.io/service-name";
const MANAGED_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
/// The most that the API lets one slice hold.
const MAX_ENDPOINTS: usize = 1_000;
