//! Finds and reads the cluster template.

use super::Failure;
use crate::config::{Loaded, read_text_file};
use crate::template::{Template, parse};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A template and where it came from.
#[derive(Debug)]
pub struct TemplateFile {
    /// The template.
    pub template: Template,
    /// Its file, or a name for the built-in one; for messages.
    pub name: String,
}

/// Where a template that a flag names is found.
pub(super) enum Place {
    /// A built-in one, which every agent has by this name.
    BuiltIn(&'static str),
    File(PathBuf),
}

/// A name without `/` means what it means for a cluster that is made from it; if there is no such template, and with `/`, it is a
/// file.
pub(super) fn find_template(flag: &Path, loaded: &Loaded) -> Place {
    let Some(name) = flag.to_str().filter(|name| !name.contains('/')) else { return Place::File(flag.to_owned()) };
    let beside = EXTENSIONS.map(|extension| folder(loaded).join(format!("{name}.{extension}")));
    if let Some(file) = beside.into_iter().find(|file| file.is_file()) {
        return Place::File(file);
    }
    match NAMED.iter().find(|(known, _)| *known == name) {
        Some((name, _)) => Place::BuiltIn(name),
        None => Place::File(flag.to_owned()),
    }
}

/// Reads the template: `flag` if given, a file or the name of one; else the configured one, else `cluster.yaml` beside the
/// configuration, else the built-in one.
pub fn load_template(flag: Option<&Path>, loaded: &Loaded) -> Result<TemplateFile, Failure> {
    let place = flag.map(|flag| find_template(flag, loaded)).or_else(|| loaded.template_file().map(Place::File));
    let (name, text) = match place {
        Some(Place::File(path)) => {
            let text = read_text_file("the template", &path, TEMPLATE_LIMIT_BYTES).map_err(|error| {
                let there_are = NAMED.map(|(name, _)| name).join(", ");
                let remedy = format!("{}; a name without `/` may be one of {there_are}", error.remedy());
                let failure = Failure::from(error);
                if flag.is_some_and(|flag| flag == path) { failure.remedy(remedy) } else { failure }
            })?;
            (path.display().to_string(), text)
        }
        Some(Place::BuiltIn(name)) => return built_in(name),
        None => ("built-in cluster.yaml".into(), BUILT_IN.into()),
    };
    Ok(TemplateFile { template: parse(&name, &text)?, name })
}

fn built_in(name: &str) -> Result<TemplateFile, Failure> {
    let file = format!("built-in {name}.yaml");
    let text = NAMED.iter().find(|(known, _)| *known == name).map_or(BUILT_IN, |(_, text)| text);
    Ok(TemplateFile { template: parse(&file, text)?, name: file })
}

/// Where the user's named templates are.
fn folder(loaded: &Loaded) -> PathBuf {
    loaded.file.as_deref().and_then(Path::parent).unwrap_or(loaded.home.path()).join("templates")
}

/// The templates that clusters may name: the built-in ones and `templates/NAME.yaml` beside the configuration, which win.
pub(super) fn named_templates(loaded: &Loaded) -> Result<BTreeMap<String, TemplateFile>, Failure> {
    let mut templates = BTreeMap::new();
    for (name, _) in NAMED {
        templates.insert(name.to_owned(), built_in(name)?);
    }
    let Ok(entries) = std::fs::read_dir(folder(loaded)) else { return Ok(templates) };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known)) {
            templates.insert(stem.to_owned(), load_template(Some(&path), loaded)?);
        }
    }
    Ok(templates)
}

const EXTENSIONS: [&str; 2] = ["yaml", "yml"];
const NAMED: [(&str, &str); 2] = [
    ("large", include_str!("../../config/templates/large.yaml")),
    ("small", include_str!("../../config/templates/small.yaml")),
];
const BUILT_IN: &str = include_str!("../../config/cluster.yaml");

/// Room for a dump of a real cluster; a wrong path may name something huge.
const TEMPLATE_LIMIT_BYTES: u64 = 64 << 20;
