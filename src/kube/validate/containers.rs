//! Rules of the containers of a pod and of what they mount (core `ValidatePodSpec`).

use crate::kube::Cause;
use crate::kube::names::{check_env_name, check_label_value, check_port_name, check_qualified_name};
use crate::kube::quantity::Quantity;
use crate::kube::tree::{items, text};
use serde_json::Value;
use std::collections::HashSet;

/// What is wrong with a pod's spec at `field`.
pub(super) fn problems(field: &str, spec: &Value, causes: &mut Vec<Cause>) {
    let mut volumes = HashSet::new();
    for (index, volume) in items(&spec["volumes"]).enumerate() {
        check_once(format!("{field}.volumes[{index}].name"), &volume["name"], &mut volumes, causes);
    }
    // A name that an init container shares with another is told of the init container.
    let mut names = HashSet::new();
    for list in ["containers", "initContainers"] {
        for (index, container) in items(&spec[list]).enumerate() {
            let at = format!("{field}.{list}[{index}]");
            ports(&at, &container["ports"], causes);
            environment(&at, &container["env"], causes);
            mounts(&at, &container["volumeMounts"], &volumes, causes);
            resources(&format!("{at}.resources"), &container["resources"], causes);
            check_once(format!("{at}.name"), &container["name"], &mut names, causes);
        }
    }
    for (key, value) in spec["nodeSelector"].as_object().into_iter().flatten() {
        let at = || format!("{field}.nodeSelector");
        let keys = check_qualified_name(key);
        causes.extend(keys.iter().map(|problem| Cause::invalid(at(), &key.as_str().into(), problem)));
        let values = check_label_value(text(value));
        causes.extend(values.iter().map(|problem| Cause::invalid(at(), value, problem)));
    }
}

/// Refuses a name that was there before; that there is one is another rule.
fn check_once<'a>(at: String, name: &'a Value, before: &mut HashSet<&'a str>, causes: &mut Vec<Cause>) {
    if !text(name).is_empty() && !before.insert(text(name)) {
        causes.push(Cause::duplicate(at, name));
    }
}

fn ports(at: &str, ports: &Value, causes: &mut Vec<Cause>) {
    let mut names = HashSet::new();
    for (index, port) in items(ports).enumerate() {
        let at = |field: &str| format!("{at}.ports[{index}].{field}");
        let name = text(&port["name"]);
        let problems = if name.is_empty() { Vec::new() } else { check_port_name(name) };
        causes.extend(problems.iter().map(|problem| Cause::invalid(at("name"), &port["name"], problem)));
        if problems.is_empty() {
            check_once(at("name"), &port["name"], &mut names, causes);
        }
        for field in ["containerPort", "hostPort"] {
            match port[field].as_i64().unwrap_or_default() {
                0 if field == "containerPort" => causes.push(Cause::required(at(field), "")),
                0..=65_535 => {}
                _ => causes.push(Cause::invalid(at(field), &port[field], "must be between 1 and 65535, inclusive")),
            }
        }
    }
}

fn environment(at: &str, variables: &Value, causes: &mut Vec<Cause>) {
    for (index, name) in items(variables).map(|variable| &variable["name"]).enumerate() {
        let at = format!("{at}.env[{index}].name");
        if text(name).is_empty() {
            causes.push(Cause::required(at, ""));
        } else {
            let problems = check_env_name(text(name));
            causes.extend(problems.iter().map(|problem| Cause::invalid(at.clone(), name, problem)));
        }
    }
}

fn mounts(at: &str, mounts: &Value, volumes: &HashSet<&str>, causes: &mut Vec<Cause>) {
    let mut paths = HashSet::new();
    for (index, mount) in items(mounts).enumerate() {
        let at = |field: &str| format!("{at}.volumeMounts[{index}].{field}");
        let (name, path) = (text(&mount["name"]), text(&mount["mountPath"]));
        if name.is_empty() {
            causes.push(Cause::required(at("name"), ""));
        }
        if !volumes.contains(name) {
            causes.push(Cause::not_found(at("name"), &name.into()));
        }
        if path.is_empty() {
            causes.push(Cause::required(at("mountPath"), ""));
        }
        if !paths.insert(path) {
            causes.push(Cause::invalid(at("mountPath"), &path.into(), "must be unique"));
        }
    }
}

fn resources(at: &str, resources: &Value, causes: &mut Vec<Cause>) {
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let limit = &resources["limits"][name];
        // What others have made up, and large pages, are given whole or not at all.
        let is_shared = (!name.contains('/') || name.contains("kubernetes.io/")) && !name.starts_with("hugepages-");
        let (Some(asked), Some(most)) = (Quantity::of(request), Quantity::of(limit)) else {
            if !is_shared {
                let problem = "Limit must be set for non overcommitable resources";
                causes.push(Cause::required(format!("{at}.limits"), problem));
            }
            continue;
        };
        let problem = match is_shared {
            true if asked > most => "less than or equal to",
            false if asked != most => "equal to",
            _ => continue,
        };
        let problem = format!("must be {problem} {name} limit of {}", text(limit));
        causes.push(Cause::invalid(format!("{at}.requests"), request, &problem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(spec: Value) -> Vec<String> {
        let mut causes = Vec::new();
        problems("spec", &spec, &mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    fn of_container(fields: Value) -> Vec<String> {
        let mut container = json!({"name": "a", "image": "a:1"});
        container.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        told(json!({"containers": [container], "volumes": [{"name": "v"}]}))
    }

    #[test]
    fn names_are_given_once() {
        let named = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
        assert_eq!(
            told(json!({
                "volumes": named(&["v", "v"]), "containers": named(&["a", "b", "a"]), "initContainers": named(&["i", "b"])
            })),
            [
                "spec.volumes[1].name: Duplicate value: \"v\"",
                "spec.containers[2].name: Duplicate value: \"a\"",
                "spec.initContainers[1].name: Duplicate value: \"b\""
            ]
        );
    }

    #[test]
    fn a_mount_names_a_volume_and_has_its_place_alone() {
        let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
        assert_eq!(of_container(json!({"volumeMounts": [mount("v", "/a"), mount("v", "/b")]})), [""; 0]);
        assert_eq!(
            of_container(json!({"volumeMounts": [mount("v", "/a"), mount("w", "/a")]})),
            [
                "spec.containers[0].volumeMounts[1].name: Not found: \"w\"",
                "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique"
            ]
        );
        assert_eq!(
            of_container(json!({"volumeMounts": [{"name": "v"}]})),
            ["spec.containers[0].volumeMounts[0].mountPath: Required value"]
        );
    }

    #[test]
    fn ports_and_variables_have_good_names() {
        assert_eq!(
            of_container(json!({"ports": [{"name": "http", "containerPort": 80}, {"containerPort": 81}]})),
            [""; 0]
        );
        assert_eq!(
            of_container(json!({"ports": [
                {"name": "http", "containerPort": 80}, {"name": "http", "containerPort": 0},
                {"name": "a--b", "containerPort": 70000}, {"name": "much-too-long-name", "containerPort": 1, "hostPort": -1}
            ]})),
            [
                "spec.containers[0].ports[1].name: Duplicate value: \"http\"",
                "spec.containers[0].ports[1].containerPort: Required value",
                "spec.containers[0].ports[2].name: Invalid value: \"a--b\": must not contain consecutive hyphens",
                "spec.containers[0].ports[2].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
                "spec.containers[0].ports[3].name: Invalid value: \"much-too-long-name\": must be no more than 15 characters",
                "spec.containers[0].ports[3].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive"
            ]
        );
        assert_eq!(of_container(json!({"env": [{"name": "A.b-C_1"}]})), [""; 0]);
        assert_eq!(
            of_container(json!({"env": [{"name": "1A"}, {}]})),
            [
                "spec.containers[0].env[0].name: Invalid value: \"1A\": a valid environment variable name must consist of alphabetic characters, \
                 digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used \
                 for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')",
                "spec.containers[0].env[1].name: Required value"
            ]
        );
    }

    #[test]
    fn a_request_is_within_its_limit() {
        let of = |name: &str, request: &str, limit: Value| {
            of_container(json!({"resources": {"requests": {name: request}, "limits": {name: limit}}}))
        };
        assert_eq!(of("cpu", "1000m", json!("1")), [""; 0]);
        assert_eq!(
            of("cpu", "2", json!("1")),
            [
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"
            ]
        );
        assert_eq!(
            of("example.com/gpu", "1", json!("2")),
            [
                "spec.containers[0].resources.requests: Invalid value: \"1\": must be equal to example.com/gpu limit of 2"
            ]
        );
        assert_eq!(
            of("example.com/gpu", "1", Value::Null),
            ["spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources"]
        );
    }

    #[test]
    fn nodes_are_picked_by_labels() {
        let spec = |selector: Value| json!({"nodeSelector": selector});
        assert_eq!(told(spec(json!({"kubernetes.io/os": "linux"}))), [""; 0]);
        let refused = told(spec(json!({"a b": "c d"})));
        assert_eq!(refused.len(), 2);
        assert!(
            refused[0].starts_with("spec.nodeSelector: Invalid value: \"a b\": name part must consist of"),
            "{refused:?}"
        );
        assert!(
            refused[1].starts_with("spec.nodeSelector: Invalid value: \"c d\": a valid label must be"),
            "{refused:?}"
        );
    }
}
