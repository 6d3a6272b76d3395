//! How many pods may be away at once, as a number or as parts of a hundred (apps `ValidatePositiveIntOrPercent`).

use crate::kube::Cause;
use crate::kube::names::check_percent;
use crate::kube::response::quote::quote;
use serde_json::Value;

/// What is wrong with the rollout of a Deployment or a DaemonSet.
pub(super) fn rollout(plural: &str, spec: &Value, causes: &mut Vec<Cause>) {
    let (field, of_daemons) = match plural {
        "deployments" => ("strategy", false),
        "daemonsets" => ("updateStrategy", true),
        _ => return,
    };
    let rolling = &spec[field]["rollingUpdate"];
    if rolling.is_null() || spec[field]["type"] != "RollingUpdate" {
        return;
    }
    let at = |name: &str| format!("spec.{field}.rollingUpdate.{name}");
    let (away, more) = (&rolling["maxUnavailable"], &rolling["maxSurge"]);
    amount(&at("maxUnavailable"), away, causes);
    amount(&at("maxSurge"), more, causes);
    match (of_daemons, value(away) == 0, value(more) == 0) {
        (false, true, true) => {
            causes.push(Cause::invalid_go(at("maxUnavailable"), &shown(away), "may not be 0 when `maxSurge` is 0"));
        }
        (true, true, true) => causes.push(Cause::required(at("maxUnavailable"), "cannot be 0 when maxSurge is 0")),
        (true, false, false) => {
            let problem = "may not be set when maxUnavailable is non-zero";
            causes.push(Cause::invalid_go(at("maxSurge"), &shown(more), problem));
        }
        _ => {}
    }
    at_most_all(&at("maxUnavailable"), away, causes);
    if of_daemons {
        at_most_all(&at("maxSurge"), more, causes);
    }
}

/// What is wrong with the numbers of a PodDisruptionBudget.
pub(super) fn budget(spec: &Value, causes: &mut Vec<Cause>) {
    for field in ["minAvailable", "maxUnavailable"] {
        amount(&format!("spec.{field}"), &spec[field], causes);
        at_most_all(&format!("spec.{field}"), &spec[field], causes);
    }
}

fn amount(at: &str, amount: &Value, causes: &mut Vec<Cause>) {
    match amount {
        Value::String(text) => {
            for problem in check_percent(text) {
                causes.push(Cause::invalid_go(at, &shown(amount), &problem));
            }
        }
        amount if amount.as_i64().is_some_and(|number| number < 0) => {
            causes.push(Cause::invalid(at, amount, "must be greater than or equal to 0"));
        }
        _ => {}
    }
}

fn at_most_all(at: &str, amount: &Value, causes: &mut Vec<Cause>) {
    if amount.is_string() && value(amount) > 100 {
        causes.push(Cause::invalid_go(at, &shown(amount), "must not be greater than 100%"));
    }
}

/// The number, of percents or not; what is neither is none.
fn value(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap_or_default();
    amount.as_i64().or_else(|| text.trim_end_matches('%').parse().ok()).unwrap_or_default()
}

/// As Go shows it.
fn shown(amount: &Value) -> String {
    let (kind, text) = (u8::from(amount.is_string()), amount.as_str().unwrap_or_default());
    format!("intstr.IntOrString{{Type:{kind}, IntVal:{}, StrVal:{}}}", amount.as_i64().unwrap_or_default(), quote(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(check: impl Fn(&mut Vec<Cause>)) -> Vec<String> {
        let mut causes = Vec::new();
        check(&mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn a_rollout_needs_room() {
        let of = |plural: &str, away: Value, more: Value| {
            let strategy =
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": away, "maxSurge": more}});
            let spec = json!({"strategy": strategy, "updateStrategy": strategy});
            told(|causes| rollout(plural, &spec, causes))
        };
        assert_eq!(of("deployments", json!("25%"), json!(0)), [""; 0]);
        assert_eq!(
            of("deployments", json!(0), json!("0%")),
            [
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:0, IntVal:0, StrVal:\"\"}: may not be 0 when \
              `maxSurge` is 0"
            ]
        );
        assert_eq!(
            of("deployments", json!(-1), json!("150%")),
            ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: -1: must be greater than or equal to 0"]
        );
        assert_eq!(of("daemonsets", json!(1), json!(0)), [""; 0]);
        assert_eq!(
            of("daemonsets", json!(0), json!(0)),
            ["spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"]
        );
        assert_eq!(of("daemonsets", json!(1), json!(1)).len(), 1);
    }

    #[test]
    fn a_budget_counts_in_numbers_or_percents() {
        let of = |least: Value| told(|causes| budget(&json!({"minAvailable": least}), causes));
        for good in [json!(0), json!(3), json!("100%"), Value::Null] {
            assert_eq!(of(good), [""; 0]);
        }
        assert_eq!(
            of(json!("half")),
            [
                "spec.minAvailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"half\"}: a valid percent string must be a \
                 numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            ]
        );
        assert_eq!(
            of(json!("101%")),
            [
                "spec.minAvailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"101%\"}: must not be greater than 100%"
            ]
        );
        assert_eq!(of(json!(-1)), ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"]);
    }
}
