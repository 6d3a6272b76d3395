//! What must hold between the entries of a template.

use super::TemplateError;
use super::document::Text;
use super::expand::{OBJECTS_MAX, Placed, too_many};
use super::parse::{Manifest, Template};
use super::summary::{Entry, Pod};
use crate::yaml::{Path, nearest};
use std::collections::{HashMap, HashSet};

/// Checks a template as a whole: it has a node, no name twice, and no pod on a node that does not exist.
pub(super) fn check(text: &Text, template: &Template) -> Result<(), TemplateError> {
    let mut names = Names { text, seen: HashMap::new() };
    names.add(&template.namespaces)?;
    names.add(&template.nodes)?;
    names.add(&template.pods)?;
    names.add(&template.services)?;
    names.add(&template.secrets)?;
    names.add(&template.configmaps)?;
    names.add(&template.deployments)?;
    for manifest in &template.manifests {
        names.add_manifest(manifest)?;
    }

    let raw_nodes = template.manifests.iter().filter(|manifest| manifest.is("v1", "Node")).map(Manifest::name);
    let nodes: HashSet<&str> = template.nodes.iter().map(|node| node.entry.name()).chain(raw_nodes).collect();
    if nodes.is_empty() {
        let problem = "there is no node, and Rancher never calls a cluster without nodes Active";
        return Err(text.error(0, &Path::default(), problem, "at least one entry in `nodes`"));
    }
    template.pods.iter().try_for_each(|pod| check_node_of(text, pod, &nodes))?;

    let mut pods = template.pods.len();
    for Placed { entry, document, path } in &template.deployments {
        pods += entry.replicas();
        if pods > OBJECTS_MAX {
            return Err(text.error(*document, path, too_many(), "fewer `replicas`"));
        }
    }
    Ok(())
}

fn check_node_of(text: &Text, pod: &Placed<Pod>, nodes: &HashSet<&str>) -> Result<(), TemplateError> {
    let Some(node) = &pod.entry.node else { return Ok(()) };
    if nodes.contains(node.0.as_str()) {
        return Ok(());
    }
    let mut sorted: Vec<&str> = nodes.iter().copied().collect();
    sorted.sort_unstable();
    let expected = match nearest(&node.0, sorted.iter().copied()) {
        Some(meant) => format!("`{meant}`, the nearest node"),
        None => format!("one of {}", first_few(&sorted)),
    };
    Err(text.error(pod.document, &pod.path.key("node"), format!("there is no node `{}`", node.0), expected))
}

/// The objects seen so far: kind, namespace and name, and where each stands.
struct Names<'a> {
    text: &'a Text,
    seen: HashMap<(String, String, String), (usize, Path)>,
}

impl Names<'_> {
    fn add<T: Entry>(&mut self, entries: &[Placed<T>]) -> Result<(), TemplateError> {
        entries.iter().try_for_each(|placed| {
            let key = (T::KIND.into(), placed.entry.namespace().into(), placed.entry.name().into());
            self.add_key(key, placed.document, placed.path.key("name"))
        })
    }

    fn add_manifest(&mut self, manifest: &Manifest) -> Result<(), TemplateError> {
        // The summary's kinds live in the groups `` and `apps`; the same kind in another group is another resource.
        let group = match manifest.api_version().rsplit_once('/').map_or("", |(group, _)| group) {
            "" | "apps" => String::new(),
            group => format!(".{group}"),
        };
        let namespace = match manifest.namespace() {
            "" if SUMMARY_NAMESPACED.contains(&manifest.kind()) => "default",
            namespace => namespace,
        };
        let key = (format!("{}{group}", manifest.kind()), namespace.into(), manifest.name().into());
        self.add_key(key, manifest.document, manifest.path.key("metadata").key("name"))
    }

    fn add_key(&mut self, key: (String, String, String), document: usize, path: Path) -> Result<(), TemplateError> {
        let (kind, namespace, name) = &key;
        if let Some((_, first)) = self.seen.get(&key) {
            let place = if namespace.is_empty() { String::new() } else { format!(" in namespace {namespace}") };
            let problem = format!("{kind} `{name}`{place} is there already, as {first}");
            return Err(self.text.error(document, &path, problem, "a name of its own"));
        }
        self.seen.insert(key, (document, path));
        Ok(())
    }
}

fn first_few(names: &[&str]) -> String {
    let more = if names.len() > FEW { ", …" } else { "" };
    format!("{}{more}", names.get(..FEW).unwrap_or(names).join(", "))
}

/// The summary's kinds that live in namespaces; a manifest of theirs without one means `default`.
const SUMMARY_NAMESPACED: [&str; 5] = ["Pod", "Service", "Secret", "ConfigMap", "Deployment"];

/// As many names as a line of an error holds.
const FEW: usize = 5;
