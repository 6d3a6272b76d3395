//! Rules of ports and paths: Services, Ingresses and NetworkPolicies.

use crate::kube::Cause;
use crate::kube::names::{check_label, check_port_name};
use crate::kube::response::quote::quote;
use crate::kube::tree::{items, text};
use serde_json::{Value, json};
use std::collections::HashSet;

/// What is wrong with a Service, with what its table has found.
pub(super) fn service(spec: &Value, causes: &mut Vec<Cause>) {
    let ports: Vec<&Value> = items(&spec["ports"]).collect();
    let mut first = Vec::new();
    if ports.is_empty() && spec["type"] != "ExternalName" && spec["clusterIP"] != "None" {
        first.push(Cause::required("spec.ports", ""));
    }
    if spec["type"] == "ExternalName" && text(&spec["externalName"]).is_empty() {
        first.push(Cause::required("spec.externalName", ""));
    }
    // An API server reports port by port.
    let mut rest = std::mem::take(causes);
    let mut names = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = |field: &str| format!("spec.ports[{index}].{field}");
        let name = text(&port["name"]);
        if name.is_empty() {
            if ports.len() > 1 {
                first.push(Cause::required(at("name"), ""));
            }
        } else {
            first.extend(check_label(name).iter().map(|problem| Cause::invalid(at("name"), &port["name"], problem)));
            if !names.insert(name) {
                first.push(Cause::duplicate(at("name"), &port["name"]));
            }
        }
        let (of_port, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|cause| cause.field.starts_with(&at("")));
        first.extend(of_port);
        rest = others;
        if let Some(target) = port["targetPort"].as_str() {
            let problems = check_port_name(target);
            first.extend(problems.iter().map(|problem| Cause::invalid(at("targetPort"), &target.into(), problem)));
        }
    }
    first.extend(rest);
    let mut numbers = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let (protocol, number) = (text(&port["protocol"]), port["port"].as_i64().unwrap_or_default());
        if !numbers.insert((protocol, number)) {
            first.push(Cause::duplicate_go(format!("spec.ports[{index}]"), &shown(protocol, number)));
        }
    }
    *causes = first;
}

/// A port of a Service as Go shows it that has nothing but its number and protocol.
fn shown(protocol: &str, number: i64) -> String {
    format!(
        "core.ServicePort{{Name:\"\", Protocol:{}, AppProtocol:(*string)(nil), Port:{number}, TargetPort:intstr.IntOrString{{Type:0, IntVal:0, \
         StrVal:\"\"}}, NodePort:0}}",
        quote(protocol)
    )
}

/// What is wrong with the paths of an Ingress and with what is behind them.
pub(super) fn ingress(spec: &Value, causes: &mut Vec<Cause>) {
    for (rule, own) in items(&spec["rules"]).enumerate() {
        for (index, path) in items(&own["http"]["paths"]).enumerate() {
            let at = |field: &str| format!("spec.rules[{rule}].http.paths[{index}].{field}");
            let (own, kind) = (text(&path["path"]), text(&path["pathType"]));
            let is_strict = ["Exact", "Prefix"].contains(&kind);
            let mut refuse = |problem: &str| causes.push(Cause::invalid(at("path"), &own.into(), problem));
            if (is_strict || (kind == "ImplementationSpecific" && !own.is_empty())) && !own.starts_with('/') {
                refuse("must be an absolute path");
            }
            if is_strict {
                for part in ["//", "/./", "/../", "%2f", "%2F"].iter().filter(|part| own.contains(**part)) {
                    refuse(&format!("must not contain '{part}'"));
                }
                for end in ["/..", "/."].iter().filter(|end| own.ends_with(**end)) {
                    refuse(&format!("cannot end with '{end}'"));
                }
            }
            if path["backend"]["service"].is_null() && path["backend"]["resource"].is_null() {
                causes.push(Cause::invalid(at("backend"), &json!(""), "resource or service backend is required"));
            }
        }
    }
}

/// What is wrong with the ports of a NetworkPolicy.
pub(super) fn policy(spec: &Value, causes: &mut Vec<Cause>) {
    for direction in ["ingress", "egress"] {
        for (rule, own) in items(&spec[direction]).enumerate() {
            for (index, port) in items(&own["ports"]).enumerate() {
                policy_port(&format!("spec.{direction}[{rule}].ports[{index}]"), port, causes);
            }
        }
    }
}

fn policy_port(at: &str, port: &Value, causes: &mut Vec<Cause>) {
    let known = ["TCP", "UDP", "SCTP"];
    if !port["protocol"].is_null() && !known.contains(&text(&port["protocol"])) {
        causes.push(Cause::not_supported(format!("{at}.protocol"), &port["protocol"], &known));
    }
    let (number, end) = (&port["port"], &port["endPort"]);
    let mut refuse = |field: &str, value: &Value, problem: &str| {
        causes.push(Cause::invalid(format!("{at}.{field}"), value, problem));
    };
    let is_port = |value: &Value| value.as_i64().is_none_or(|number| (1..=65_535).contains(&number));
    match number {
        Value::Null if end.is_null() => {}
        Value::Null => refuse("endPort", end, "may not be specified when `port` is not specified"),
        Value::String(name) => {
            if !end.is_null() {
                refuse("endPort", end, "may not be specified when `port` is non-numeric");
            }
            check_port_name(name).iter().for_each(|problem| refuse("port", number, problem));
        }
        number => {
            if !is_port(number) {
                refuse("port", number, NO_PORT);
            }
            if end.as_i64().is_some_and(|end| end < number.as_i64().unwrap_or_default()) {
                // The server shows where the range begins.
                refuse("endPort", number, "must be greater than or equal to `port`");
            }
            if !is_port(end) {
                refuse("endPort", end, NO_PORT);
            }
        }
    }
}

const NO_PORT: &str = "must be between 1 and 65535, inclusive";

#[cfg(test)]
mod tests {
    use super::*;

    fn told(check: fn(&Value, &mut Vec<Cause>), spec: Value) -> Vec<String> {
        let mut causes = Vec::new();
        check(&spec, &mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn the_ports_of_a_service_are_told_apart() {
        let port = |name: &str, protocol: &str, port: u16| json!({"name": name, "protocol": protocol, "port": port});
        let of = |ports: Value| told(service, json!({"type": "ClusterIP", "ports": ports}));
        assert_eq!(of(json!([port("a", "TCP", 53), port("b", "UDP", 53)])), [""; 0]);
        assert_eq!(
            of(json!([port("a", "TCP", 80), port("a", "TCP", 80)])),
            [
                "spec.ports[1].name: Duplicate value: \"a\"",
                "spec.ports[1]: Duplicate value: core.ServicePort{Name:\"\", Protocol:\"TCP\", AppProtocol:(*string)(nil), Port:80, \
                 TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:\"\"}, NodePort:0}"
            ]
        );
        assert_eq!(
            of(json!([{"protocol": "TCP", "port": 80, "targetPort": "http_"}])),
            [
                "spec.ports[0].targetPort: Invalid value: \"http_\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
            ]
        );
    }

    #[test]
    fn the_paths_of_an_ingress_are_absolute() {
        let of = |kind: &str, path: &str| {
            let backend = json!({"service": {"name": "a", "port": {"number": 80}}});
            let path = json!({"path": path, "pathType": kind, "backend": backend});
            told(ingress, json!({"rules": [{"http": {"paths": [path]}}]}))
        };
        assert_eq!(of("Prefix", "/a"), [""; 0]);
        assert_eq!(of("ImplementationSpecific", ""), [""; 0]);
        let field = "spec.rules[0].http.paths[0].path";
        for kind in ["Prefix", "Exact", "ImplementationSpecific"] {
            assert_eq!(of(kind, "a"), [format!("{field}: Invalid value: \"a\": must be an absolute path")], "{kind}");
        }
        assert_eq!(of("Exact", ""), [format!("{field}: Invalid value: \"\": must be an absolute path")]);
        assert_eq!(of("Exact", "/a//b"), [format!("{field}: Invalid value: \"/a//b\": must not contain '//'")]);
        assert_eq!(of("Exact", "/a/.."), [format!("{field}: Invalid value: \"/a/..\": cannot end with '/..'")]);
    }

    #[test]
    fn a_policy_lets_through_a_range_of_ports() {
        let of = |port: Value| told(policy, json!({"egress": [{"ports": [port]}]}));
        for good in [json!({}), json!({"port": 80}), json!({"port": 80, "endPort": 80}), json!({"port": "http"})] {
            assert_eq!(of(good), [""; 0]);
        }
        let at = "spec.egress[0].ports[0]";
        for (bad, problem) in [
            (json!({"port": 80, "endPort": 79}), "endPort: Invalid value: 80: must be greater than or equal to `port`"),
            (json!({"endPort": 79}), "endPort: Invalid value: 79: may not be specified when `port` is not specified"),
            (
                json!({"port": "a", "endPort": 79}),
                "endPort: Invalid value: 79: may not be specified when `port` is non-numeric",
            ),
            (json!({"port": 0}), "port: Invalid value: 0: must be between 1 and 65535, inclusive"),
            (
                json!({"port": 80, "endPort": 70000}),
                "endPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            ),
            (
                json!({"protocol": "ICMP"}),
                "protocol: Unsupported value: \"ICMP\": supported values: \"TCP\", \"UDP\", \"SCTP\"",
            ),
        ] {
            assert_eq!(of(bad), [format!("{at}.{problem}")]);
        }
    }
}
