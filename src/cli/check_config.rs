//! `check-config`: every setting with its value and origin.

use super::args::{CheckConfigArgs, ReportFormat};
use super::{Failure, print_stdout, print_warnings};
use crate::config::Loaded;
use serde_json::json;
use std::process::ExitCode;

/// Prints the merged configuration. It has passed all checks already; no Rancher is needed for it.
pub(super) fn run(loaded: &Loaded, args: &CheckConfigArgs) -> Result<ExitCode, Failure> {
    match args.output {
        ReportFormat::Text => {
            print_stdout(&text(loaded))?;
            print_warnings(&loaded.warnings);
        }
        ReportFormat::Json => print_stdout(&format!("{:#}\n", json(loaded)))?,
    }
    Ok(ExitCode::SUCCESS)
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

fn json(loaded: &Loaded) -> serde_json::Value {
    let settings: serde_json::Map<String, serde_json::Value> = loaded
        .origins
        .iter()
        .map(|resolved| {
            let value = Some(&resolved.text).filter(|text| !text.is_empty());
            (resolved.key.to_string(), json!({"value": value, "origin": resolved.origin.to_string()}))
        })
        .collect();
    json!({"settings": settings, "warnings": loaded.warnings})
}
