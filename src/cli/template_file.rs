//! Finds and reads the cluster template.

use super::Failure;
use crate::config::{Loaded, read_text_file};
use crate::template::{Template, parse};
use std::collections::BTreeMap;
use std::path::Path;

/// A template and where it came from.
#[derive(Debug)]
pub struct TemplateFile {
    /// The template.
    pub template: Template,
    /// Its file, or a name for the built-in one; for messages.
    pub name: String,
}

/// Reads the template: `flag` if given, else the configured one, else `cluster.yaml` beside the configuration, else the
/// built-in one.
pub fn load_template(flag: Option<&Path>, loaded: &Loaded) -> Result<TemplateFile, Failure> {
    let path = flag.map(Path::to_path_buf).or_else(|| loaded.template_file());
    let (name, text) = match path {
        Some(path) => {
            let text = read_text_file("the template", &path, TEMPLATE_LIMIT_BYTES)?;
            (path.display().to_string(), text)
        }
        None => ("built-in cluster.yaml".into(), BUILT_IN.into()),
    };
    Ok(TemplateFile { template: parse(&name, &text)?, name })
}

/// The templates that clusters may name: the built-in ones and `templates/NAME.yaml` beside the configuration, which win.
pub(super) fn named_templates(loaded: &Loaded) -> Result<BTreeMap<String, TemplateFile>, Failure> {
    let mut templates = BTreeMap::new();
    for (name, text) in NAMED {
        let file = format!("built-in {name}.yaml");
        templates.insert(name.to_owned(), TemplateFile { template: parse(&file, text)?, name: file });
    }
    let beside = loaded.file.as_deref().and_then(Path::parent).unwrap_or(loaded.home.path()).join("templates");
    let Ok(entries) = std::fs::read_dir(&beside) else { return Ok(templates) };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            templates.insert(stem.to_owned(), load_template(Some(&path), loaded)?);
        }
    }
    Ok(templates)
}

const NAMED: [(&str, &str); 2] = [
    ("large", include_str!("../../config/templates/large.yaml")),
    ("small", include_str!("../../config/templates/small.yaml")),
];
const BUILT_IN: &str = include_str!("../../config/cluster.yaml");

/// Room for a dump of a real cluster; a wrong path may name something huge.
const TEMPLATE_LIMIT_BYTES: u64 = 64 << 20;
