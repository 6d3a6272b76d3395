//! Template text to [`Template`].

use super::TemplateError;
use super::check::check;
use super::document::{Document, Text, is_manifest};
use super::expand::{Placed, expand};
use super::objects::{Variables, build};
use super::placeholder::{map_strings, unmask};
use super::summary::{ConfigMap, Deployment, Namespace, Node, Pod, Secret, Service, Summary};
use crate::yaml::Path;
use serde_json::Value;

/// A template that passed all checks.
#[derive(Debug, Default)]
pub struct Template {
    pub(super) namespaces: Vec<Placed<Namespace>>,
    pub(super) nodes: Vec<Placed<Node>>,
    pub(super) pods: Vec<Placed<Pod>>,
    pub(super) services: Vec<Placed<Service>>,
    pub(super) secrets: Vec<Placed<Secret>>,
    pub(super) configmaps: Vec<Placed<ConfigMap>>,
    pub(super) deployments: Vec<Placed<Deployment>>,
    pub(super) manifests: Vec<Manifest>,
}

/// A whole Kubernetes object and where in the text it stands.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) object: Value,
    pub(super) document: usize,
    pub(super) path: Path,
}

/// Reads a template. `file_name` is for messages only.
pub fn parse(file_name: &str, yaml: &str) -> Result<Template, TemplateError> {
    let text = Text::new(file_name, yaml)?;
    let mut template = Template::default();
    let mut summary_seen = false;
    for document in text.documents()? {
        if is_manifest(&document.value) {
            let object = text.read(document.position)?;
            template.add_manifest(&text, document.position, Path::default(), object)?;
        } else if summary_seen {
            let problem = "this is a second summary: it has no `apiVersion`";
            let expected = "one summary; every other document is a Kubernetes object with `apiVersion` and `kind`";
            return Err(text.error(document.position, &Path::default(), problem, expected));
        } else {
            summary_seen = true;
            template.add_summary(&text, &document)?;
        }
    }
    check(&text, &template)?;
    Ok(template)
}

impl Template {
    /// The objects of one cluster, `{{cluster-name}}` still in them.
    pub fn objects(&self, variables: &Variables<'_>) -> Vec<Value> {
        build(self, variables)
    }

    fn add_summary(&mut self, text: &Text, document: &Document) -> Result<(), TemplateError> {
        let summary: Summary = text.read(document.position)?;
        self.namespaces = expand(text, document, &summary.namespaces)?;
        self.nodes = expand(text, document, &summary.nodes)?;
        self.pods = expand(text, document, &summary.pods)?;
        self.services = expand(text, document, &summary.services)?;
        self.secrets = expand(text, document, &summary.secrets)?;
        self.configmaps = expand(text, document, &summary.configmaps)?;
        self.deployments = expand(text, document, &summary.deployments)?;
        let list = Path::default().key("manifests");
        for (position, object) in summary.manifests.into_iter().enumerate() {
            self.add_manifest(text, document.position, list.item(position), object)?;
        }
        Ok(())
    }

    /// Adds an object, or each item of a `List`.
    fn add_manifest(&mut self, text: &Text, document: usize, path: Path, object: Value) -> Result<(), TemplateError> {
        let mut manifest = Manifest { object, document, path };
        for field in ["apiVersion", "kind"] {
            if manifest.text_at(&[field]).is_empty() {
                let expected = "a Kubernetes object with `apiVersion` and `kind`";
                return Err(text.error(document, &manifest.path, format!("it has no `{field}`"), expected));
            }
        }
        if manifest.kind().ends_with("List")
            && let Some(Value::Array(items)) = manifest.object.get_mut("items").map(Value::take)
        {
            let list = manifest.path.key("items");
            return items
                .into_iter()
                .enumerate()
                .try_for_each(|(position, item)| self.add_manifest(text, document, list.item(position), item));
        }
        if manifest.name().is_empty() {
            let expected = "`metadata.name`: a template's objects are the same in every cluster";
            return Err(text.error(document, &manifest.path, "it has no name", expected));
        }
        map_strings(&mut manifest.object, &|text| unmask(text, None));
        self.manifests.push(manifest);
        Ok(())
    }
}

impl Manifest {
    pub(super) fn api_version(&self) -> &str {
        self.text_at(&["apiVersion"])
    }

    pub(super) fn kind(&self) -> &str {
        self.text_at(&["kind"])
    }

    pub(super) fn name(&self) -> &str {
        self.text_at(&["metadata", "name"])
    }

    pub(super) fn namespace(&self) -> &str {
        self.text_at(&["metadata", "namespace"])
    }

    pub(super) fn is(&self, api_version: &str, kind: &str) -> bool {
        self.api_version() == api_version && self.kind() == kind
    }

    fn text_at(&self, path: &[&str]) -> &str {
        let found = path.iter().try_fold(&self.object, |value, key| value.get(key));
        found.and_then(Value::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VARIABLES: Variables<'_> = Variables { kubernetes_version: "v1.31.4", created: "2026-01-01T00:00:00Z" };

    #[test]
    fn objects_keep_the_placeholder_in_one_spelling() {
        let template = parse("t", "nodes: [{name: '{{ cluster-name }}-a'}]").unwrap();
        let node = template.objects(&VARIABLES).remove(0);
        assert_eq!(node["metadata"]["name"], "{{cluster-name}}-a");
        assert_eq!(node["metadata"]["labels"]["kubernetes.io/hostname"], "{{cluster-name}}-a");
    }

    #[test]
    fn objects_are_the_same_each_time() {
        let yaml = "nodes: [{name: a}]\ndeployments: [{name: web, replicas: 3}]";
        let objects = || parse("t", yaml).unwrap().objects(&VARIABLES);
        assert_eq!(objects(), objects());
    }

    #[test]
    fn the_number_of_objects_is_bounded() {
        let entry = "- {name: 'n{{index}}', count: 10000, replicas: 10000}\n";
        let error = parse("t", &format!("nodes: [{{name: a}}]\ndeployments:\n{entry}")).unwrap_err();
        assert_eq!(
            (error.line, error.field.as_str(), error.expected.as_str()),
            (3, "deployments[0]", "fewer `replicas`")
        );
        let entries: String = (0..16).map(|n| format!("- {{name: 'n{n}-{{{{index}}}}', count: 10000}}\n")).collect();
        let error = parse("t", &format!("nodes:\n{entries}")).unwrap_err();
        assert_eq!((error.line, error.field.as_str()), (17, "nodes[15]"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_within_its_lines(
            start in prop::sample::select(vec!["", "nodes:\n- name: a\n", "nodes: [{name: a}]\npods:\n", "apiVersion: v1\n"]),
            text in "[a{}\\[\\]:,&*!|>'\"# \n-]{0,60}",
        ) {
            let yaml = format!("{start}{text}");
            match parse("t", &yaml) {
                Ok(template) => prop_assert!(!template.objects(&VARIABLES).is_empty()),
                Err(error) => prop_assert!((1..=yaml.lines().count() + 1).contains(&error.line), "{error}"),
            }
        }
    }
}
