//! `render`: the objects a cluster starts with.

use super::args::{ObjectFormat, RenderArgs};
use super::{Failure, load_template, print_stdout};
use crate::config::Loaded;
use crate::template::{Variables, fill_cluster_name, is_dns_label};
use serde_json::Value;
use std::process::ExitCode;

/// Prints the objects of the cluster `args.name`.
pub(super) fn run(loaded: &Loaded, args: &RenderArgs) -> Result<ExitCode, Failure> {
    if !is_dns_label(&args.name) {
        let remedy = "expected a DNS label: 1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends";
        return Err(Failure::new(format!("`{}` is no cluster name", args.name)).remedy(remedy).usage());
    }
    let file = load_template(args.template.as_deref(), loaded)?;
    let created = format!("{:.0}", jiff::Timestamp::now());
    let variables = Variables { kubernetes_version: &loaded.settings.kubernetes_version, created: &created };
    let mut objects = file.template.objects(&variables);
    for object in &mut objects {
        fill_cluster_name(object, &args.name);
    }
    print_stdout(&match args.output {
        ObjectFormat::Yaml => yaml(&objects)?,
        ObjectFormat::Json => format!("{:#}\n", Value::from(objects)),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn yaml(objects: &[Value]) -> Result<String, Failure> {
    let mut text = String::new();
    for object in objects {
        text += "---\n";
        text += &serde_yaml::to_string(object).map_err(|error| Failure::new("cannot write YAML").cause(error))?;
    }
    Ok(text)
}
