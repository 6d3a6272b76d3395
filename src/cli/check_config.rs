//! `check-config`: every setting with its value and origin.

use super::agent::compile;
use super::args::{CheckConfigArgs, ReportFormat};
use super::{Failure, load_template, named_templates, print_stdout, print_warnings, serve};
use crate::config::Loaded;
use crate::rancher::Trust;
use serde_json::json;
use std::process::ExitCode;

/// Prints the merged configuration, which has passed all checks of its own, and fails where `run` would before it asks any Rancher.
pub(super) fn run(loaded: &Loaded, args: &CheckConfigArgs) -> Result<ExitCode, Failure> {
    let ready = can_run(loaded);
    match args.output {
        ReportFormat::Text => {
            print_stdout(&text(loaded))?;
            print_warnings(&loaded.warnings);
        }
        ReportFormat::Json => print_stdout(&format!("{:#}\n", json(loaded, ready.as_ref().err())))?,
    }
    ready.map(|()| ExitCode::SUCCESS)
}

/// Looks whether everything is there that the agent needs of this host.
fn can_run(loaded: &Loaded) -> Result<(), Failure> {
    loaded.settings.require_rancher()?;
    serve::certificate(&loaded.settings)?;
    let templates = named_templates(loaded)?.into_values();
    for file in [load_template(None, loaded)?].into_iter().chain(templates) {
        // Whose CA it is makes no difference.
        compile(file, &loaded.settings.kubernetes_version, "")?;
    }
    for (server, _) in loaded.settings.rancher_servers() {
        let trust = Trust::load(server.ca_file.as_deref(), false);
        trust.map_err(|error| Failure::new(error.to_string()).remedy(error.remedy()))?;
    }
    Ok(())
}

fn text(loaded: &Loaded) -> String {
    let width = |part: fn(&crate::config::Resolved) -> &str| {
        loaded.origins.iter().map(|resolved| part(resolved).chars().count()).max().unwrap_or(0)
    };
    let (keys, values) = (width(|resolved| resolved.key), width(|resolved| shown(&resolved.text)));
    let mut text = String::new();
    for resolved in &loaded.origins {
        text += &format!("{:keys$}  {:values$}  {}\n", resolved.key, shown(&resolved.text), resolved.origin);
    }
    text
}

/// An unset value as people see it.
fn shown(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn json(loaded: &Loaded, problem: Option<&Failure>) -> serde_json::Value {
    let settings: serde_json::Map<String, serde_json::Value> = loaded
        .origins
        .iter()
        .map(|resolved| {
            let value = Some(&resolved.text).filter(|text| !text.is_empty());
            (resolved.key.to_string(), json!({"value": value, "origin": resolved.origin.to_string()}))
        })
        .collect();
    json!({"settings": settings, "warnings": loaded.warnings, "problem": problem.map(ToString::to_string)})
}
