//! Which pods a quota is about (`scopes` and `scopeSelector`).

use crate::kube::request::served::Served;
use crate::kube::tree::{items, text};
use serde_json::Value;

/// Whether an object is within the scopes of a quota's spec. Only pods are in any; a quota without scopes is about everything.
pub(super) fn is_within(quota: &Value, served: &Served, object: &Value) -> bool {
    let is_pod = served.is("", "pods");
    let is_in = |scope: &Value, operator: &str, values: &Value| is_pod && is(scope, operator, values, object);
    items(&quota["scopes"]).all(|scope| is_in(scope, "Exists", &Value::Null))
        && items(&quota["scopeSelector"]["matchExpressions"])
            .all(|term| is_in(&term["scopeName"], text(&term["operator"]), &term["values"]))
}

fn is(scope: &Value, operator: &str, values: &Value, pod: &Value) -> bool {
    let spec = &pod["spec"];
    match text(scope) {
        "Terminating" => is_terminating(spec),
        "NotTerminating" => !is_terminating(spec),
        "BestEffort" => is_best_effort(spec),
        "NotBestEffort" => !is_best_effort(spec),
        "PriorityClass" => {
            let class = text(&spec["priorityClassName"]);
            let is_named = || items(values).any(|value| *value == class);
            match operator {
                "In" => !class.is_empty() && is_named(),
                "NotIn" => class.is_empty() || !is_named(),
                "DoesNotExist" => class.is_empty(),
                _ => !class.is_empty(),
            }
        }
        "CrossNamespacePodAffinity" => ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
            let affinity = &spec["affinity"][kind];
            let required = items(&affinity["requiredDuringSchedulingIgnoredDuringExecution"]);
            let preferred = items(&affinity["preferredDuringSchedulingIgnoredDuringExecution"]);
            let mut terms = required.chain(preferred.map(|preferred| &preferred["podAffinityTerm"]));
            terms.any(|term| items(&term["namespaces"]).next().is_some() || !term["namespaceSelector"].is_null())
        }),
        _ => false,
    }
}

fn is_terminating(spec: &Value) -> bool {
    spec["activeDeadlineSeconds"].as_i64().is_some_and(|seconds| seconds >= 0)
}

/// Whether no container asks for a processor or for memory.
fn is_best_effort(spec: &Value) -> bool {
    let mut containers = items(&spec["containers"]).chain(items(&spec["initContainers"]));
    let asks = |container: &Value| {
        let amounts = ["requests", "limits"].into_iter().flat_map(|field| container["resources"][field].as_object());
        amounts.flatten().any(|(name, amount)| ["cpu", "memory"].contains(&name.as_str()) && *amount != "0")
    };
    !containers.any(asks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Cluster;
    use serde_json::json;

    fn is_about(quota: Value, spec: Value) -> bool {
        is_within(&quota, &Cluster::built_in("", "pods").unwrap(), &json!({"spec": spec}))
    }

    #[test]
    fn a_scope_and_its_opposite_share_the_pods() {
        let plain = json!({"containers": [{"name": "a"}]});
        let asking =
            json!({"containers": [{"name": "a", "resources": {"requests": {"cpu": "1"}}}], "activeDeadlineSeconds": 9});
        for (scope, is_plain) in
            [("Terminating", false), ("NotTerminating", true), ("BestEffort", true), ("NotBestEffort", false)]
        {
            assert_eq!(is_about(json!({"scopes": [scope]}), plain.clone()), is_plain, "{scope}");
            assert_eq!(is_about(json!({"scopes": [scope]}), asking.clone()), !is_plain, "{scope}");
        }
        assert!(is_about(json!({}), plain.clone()));
        assert!(!is_about(json!({"scopes": ["NotTerminating", "NotBestEffort"]}), plain));
    }

    #[test]
    fn priorities_are_selected_by_their_class() {
        let selecting = |operator: &str, values: Value| {
            let term = json!({"scopeName": "PriorityClass", "operator": operator, "values": values});
            json!({"scopeSelector": {"matchExpressions": [term]}})
        };
        let (high, none) = (json!({"priorityClassName": "high"}), json!({}));
        for (operator, values, of_high, of_none) in [
            ("In", json!(["high", "low"]), true, false),
            ("In", json!(["low"]), false, false),
            ("NotIn", json!(["high"]), false, true),
            ("Exists", Value::Null, true, false),
            ("DoesNotExist", Value::Null, false, true),
        ] {
            let quota = selecting(operator, values);
            assert_eq!(is_about(quota.clone(), high.clone()), of_high, "{quota}");
            assert_eq!(is_about(quota.clone(), none.clone()), of_none, "{quota}");
        }
        assert!(is_about(json!({"scopes": ["PriorityClass"]}), high));
    }

    #[test]
    fn affinities_across_namespaces_are_found() {
        let term = |namespaces: Value| {
            json!({"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": {"topologyKey": "z", "namespaces": namespaces}}
            ]}}})
        };
        let quota = json!({"scopes": ["CrossNamespacePodAffinity"]});
        assert!(is_about(quota.clone(), term(json!(["other"]))));
        assert!(!is_about(quota, term(Value::Null)));
    }

    #[test]
    fn what_is_no_pod_is_in_no_scope() {
        let services = Cluster::built_in("", "services").unwrap();
        assert!(is_within(&json!({}), &services, &json!({})));
        assert!(!is_within(&json!({"scopes": ["NotTerminating"]}), &services, &json!({})));
    }
}
