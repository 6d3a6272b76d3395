//! Containers, as pods and pod templates list them.

use super::super::ports::Port;
use super::super::values::Resources;
use super::metadata::resources;
use serde_json::{Map, Value, json};

/// A container with the defaults that an apiserver fills in.
pub(super) fn container(name: &str, image: &str, requests: &Resources, limits: &Resources, ports: &[Port]) -> Value {
    let lists = [("requests", requests), ("limits", limits)].into_iter().filter(|(_, list)| !list.is_empty());
    let lists: Map<String, Value> =
        lists.map(|(name, list)| (name.to_string(), Value::Object(resources(list)))).collect();
    let mut container = json!({
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": lists,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    });
    if !ports.is_empty() {
        container["ports"] = ports.iter().map(container_port).collect();
    }
    container
}

fn container_port(port: &Port) -> Value {
    let mut value = json!({"containerPort": port.port, "protocol": port.protocol});
    if let Some(name) = &port.name {
        value["name"] = json!(name.0);
    }
    value
}
