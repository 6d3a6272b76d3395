//! Finds and reads the cluster template.

use super::Failure;
use crate::config::{Loaded, read_text_file};
use crate::template::{Template, parse};
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

const BUILT_IN: &str = include_str!("../../config/cluster.yaml");

/// Room for a dump of a real cluster; a wrong path may name something huge.
const TEMPLATE_LIMIT_BYTES: u64 = 64 << 20;
