//! From a summary's entries to whole Kubernetes objects, as a cluster that runs for a while would show them.

mod container;
mod data;
mod deployment;
mod digest;
mod metadata;
mod node;
mod pod;
mod scheduler;
mod service;

use super::parse::Template;
use super::summary::Entry;
use metadata::metadata;
use scheduler::Scheduler;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What objects need to know beside the template.
#[derive(Debug, Clone, Copy)]
pub struct Variables<'a> {
    /// The version of nodes that name none, such as `v1.31.4`.
    pub kubernetes_version: &'a str,
    /// What is written where an object tells when something happened (RFC 3339, or a placeholder of the caller).
    pub created: &'a str,
}

/// All objects, those first that others need: namespaces, nodes, workloads, the rest, manifests.
///
/// `ownerReferences` carry no uid, since uids differ between clusters: whoever makes a cluster of them fills it in.
pub(super) fn build(template: &Template, variables: &Variables<'_>) -> Vec<Value> {
    let nodes: Vec<Value> = template
        .nodes
        .iter()
        .enumerate()
        .map(|(position, node)| node::node(&node.entry, position, variables))
        .collect();
    let raw_nodes = template.manifests.iter().filter(|manifest| manifest.is("v1", "Node"));
    let mut scheduler = Scheduler::new(nodes.iter().chain(raw_nodes.map(|manifest| &manifest.object)));

    let mut workloads = Vec::new();
    for deployment in &template.deployments {
        workloads.extend(deployment::deployment(&deployment.entry, &mut scheduler, variables));
    }
    workloads.extend(template.pods.iter().map(|pod| pod::pod(&pod.entry, &mut scheduler, variables)));

    let services = template.services.iter().filter(|service| !is_made_by_apiserver(&service.entry));
    let configmaps = template.configmaps.iter().filter(|configmap| !is_made_by_apiserver(&configmap.entry));
    let mut objects = namespaces(template);
    objects.extend(nodes);
    objects.extend(workloads);
    objects.extend(services.enumerate().map(|(position, service)| service::service(&service.entry, position)));
    objects.extend(configmaps.map(|configmap| data::configmap(&configmap.entry)));
    objects.extend(template.secrets.iter().map(|secret| data::secret(&secret.entry)));
    objects.extend(template.manifests.iter().map(|manifest| manifest.object.clone()));
    objects
}

/// The namespaces listed, and those that are only named by other objects.
fn namespaces(template: &Template) -> Vec<Value> {
    let mut named: BTreeSet<&str> = template.manifests.iter().map(|manifest| manifest.namespace()).collect();
    named.extend(template.pods.iter().map(|placed| placed.entry.namespace()));
    named.extend(template.services.iter().map(|placed| placed.entry.namespace()));
    named.extend(template.secrets.iter().map(|placed| placed.entry.namespace()));
    named.extend(template.configmaps.iter().map(|placed| placed.entry.namespace()));
    named.extend(template.deployments.iter().map(|placed| placed.entry.namespace()));
    let raw =
        template.manifests.iter().filter(|manifest| manifest.is("v1", "Namespace")).map(|manifest| manifest.name());
    let listed = template.namespaces.iter().map(|placed| placed.entry.name());
    let present: BTreeSet<&str> = raw.chain(listed).chain(SYSTEM_NAMESPACES).chain([""]).collect();

    let object = |metadata: Value| {
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": metadata,
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        })
    };
    let listed = template.namespaces.iter().map(|placed| {
        let entry = &placed.entry;
        let mut labels = entry.labels.iter().map(|(key, value)| (key.0.clone(), value.0.clone())).collect();
        name_label(&mut labels, &entry.name.0);
        object(metadata(&entry.name.0, "", &labels, &entry.annotations))
    });
    let implied = named.difference(&present).map(|name| {
        let mut labels = metadata::Labels::new();
        name_label(&mut labels, name);
        object(metadata(name, "", &labels, &Default::default()))
    });
    listed.chain(implied).collect()
}

/// The label that an apiserver gives to every namespace.
fn name_label(labels: &mut metadata::Labels, name: &str) {
    labels.insert("kubernetes.io/metadata.name".into(), name.into());
}

/// Objects that listings of real clusters show but that nobody has to make.
fn is_made_by_apiserver<T: Entry>(entry: &T) -> bool {
    match T::KIND {
        "Service" => (entry.namespace(), entry.name()) == ("default", "kubernetes"),
        "ConfigMap" => entry.name() == "kube-root-ca.crt",
        _ => false,
    }
}

/// An apiserver makes these by itself.
const SYSTEM_NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];
