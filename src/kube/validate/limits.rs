//! Rules of LimitRanges (core `ValidateLimitRange`): what they say of one resource holds together.

use crate::kube::Cause;
use crate::kube::names::check_qualified_name;
use crate::kube::quantity::Quantity;
use crate::kube::tree::{items, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is wrong with the limits of a range.
pub(super) fn problems(limits: &Value, causes: &mut Vec<Cause>) {
    let mut kinds = BTreeSet::new();
    for (index, limit) in items(limits).enumerate() {
        let at = format!("spec.limits[{index}]");
        let kind = &limit["type"];
        let bad = check_qualified_name(text(kind));
        causes.extend(bad.iter().map(|problem| Cause::invalid(format!("{at}.type"), kind, problem)));
        if bad.is_empty() && !text(kind).contains('/') && !KINDS.contains(&text(kind)) {
            let problem = "must be a standard limit type or fully qualified";
            causes.push(Cause::invalid(format!("{at}.type"), kind, problem));
        }
        if !kinds.insert(text(kind)) {
            causes.push(Cause::duplicate(format!("{at}.type"), kind));
        }
        item(limit, &at, causes);
    }
}

fn item(limit: &Value, at: &str, causes: &mut Vec<Cause>) {
    let field = |name: &str| format!("{at}.{name}");
    let of_pods = limit["type"] == "Pod";
    let mut resources = BTreeSet::new();
    let mut names_of = |name: &str, causes: &mut Vec<Cause>| {
        for (resource, _) in limit[name].as_object().into_iter().flatten() {
            resource_name(text(&limit["type"]), resource, &format!("{at}.{name}[{resource}]"), causes);
            resources.insert(resource.as_str());
        }
    };
    names_of("max", causes);
    names_of("min", causes);
    for name in ["default", "defaultRequest"] {
        if !of_pods {
            names_of(name, causes);
        } else if limit[name].as_object().is_some_and(|amounts| !amounts.is_empty()) {
            causes.push(Cause::forbidden(field(name), "may not be specified when `type` is 'Pod'"));
        }
    }
    let is_bound = |name: &str| !limit[name]["storage"].is_null();
    if limit["type"] == "PersistentVolumeClaim" && !is_bound("min") && !is_bound("max") {
        let problem = "either minimum or maximum storage value is required, but neither was provided";
        causes.push(Cause::required(field("limits"), problem));
    }
    names_of("maxLimitRequestRatio", causes);
    for resource in resources {
        amounts(limit, resource, at, causes);
    }
}

fn amounts(limit: &Value, resource: &str, at: &str, causes: &mut Vec<Cause>) {
    let amount = |name: &str| {
        let is_read = limit["type"] != "Pod" || !name.starts_with("default");
        let shown = limit[name].get(resource).filter(|_| is_read)?;
        Some((Quantity::of(shown)?, shown))
    };
    let mut refuse = |name: &str, value: &Value, problem: String| {
        let shown = Quantity::shown_by_go(value);
        causes.push(Cause::invalid_go(format!("{at}.{name}[{resource}]"), &shown, &problem));
    };
    let [least, most, given, asked] = ["min", "max", "default", "defaultRequest"].map(amount);
    // Each may not be above the next; told are the place, the value there and what the two are called.
    for (low, high, name, is_low, called) in [
        (least, most, "min", true, ["min", "max"]),
        (least, asked, "defaultRequest", false, ["min", "default request"]),
        (asked, most, "defaultRequest", true, ["default request", "max"]),
        (asked, given, "defaultRequest", true, ["default request", "default limit"]),
        (least, given, "default", true, ["min", "default"]),
        (given, most, "default", false, ["default", "max"]),
    ] {
        let (Some((low, low_shown)), Some((high, high_shown))) = (low, high) else { continue };
        if low > high {
            let [first, second] = called;
            let (first_shown, second_shown) = (text(low_shown), text(high_shown));
            let problem = format!("{first} value {first_shown} is greater than {second} value {second_shown}");
            refuse(name, if is_low { low_shown } else { high_shown }, problem);
        }
    }
    if let Some((ratio, shown)) = amount("maxLimitRequestRatio") {
        let name = "maxLimitRequestRatio";
        if Quantity::of(&json!(1)).is_some_and(|one| ratio < one) {
            refuse(name, shown, format!("ratio {} is less than 1", text(shown)));
        }
        if let (Some((least, _)), Some((most, _))) = (least, most) {
            let widest = most.ratio_to(least);
            if ratio.to_number() > widest {
                refuse(name, shown, format!("ratio {} is greater than max/min = {widest:.6}", text(shown)));
            }
        }
    }
    if let (Some((given, given_shown)), Some((asked, asked_shown))) = (given, asked)
        && given != asked
        && (!is_native(resource) || resource.starts_with(HUGE_PAGES))
    {
        let (given, asked) = (text(given_shown), text(asked_shown));
        let problem = format!("default value {given} must equal to defaultRequest value {asked} in {resource}");
        refuse("defaultRequest", asked_shown, problem);
    }
}

fn resource_name(kind: &str, name: &str, field: &str, causes: &mut Vec<Cause>) {
    let problems = check_qualified_name(name);
    let mut refuse = |problem: &str| causes.push(Cause::invalid(field, &json!(name), problem));
    problems.iter().for_each(|problem| refuse(problem));
    let is_short = !name.contains('/');
    let is_of_containers = CONTAINER_RESOURCES.contains(&name) || name.starts_with(HUGE_PAGES);
    if problems.is_empty() && is_short && !is_of_containers && !OTHER_RESOURCES.contains(&name) {
        refuse("must be a standard resource type or fully qualified");
    }
    if ["Pod", "Container"].contains(&kind) {
        if is_short && !is_of_containers {
            refuse("must be a standard resource for containers");
        } else if !is_short && !is_native(name) && name.starts_with("requests.") {
            refuse("doesn't follow extended resource name standard");
        }
    }
}

/// Whether a resource is one of Kubernetes' own.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

const KINDS: [&str; 3] = ["Pod", "Container", "PersistentVolumeClaim"];
const CONTAINER_RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
const OTHER_RESOURCES: [&str; 17] = [
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];
const HUGE_PAGES: &str = "hugepages-";

#[cfg(test)]
mod tests {
    use super::*;

    fn told(limits: Value) -> Vec<String> {
        let mut causes = Vec::new();
        problems(&limits, &mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    fn short(limits: Value) -> Vec<String> {
        let problems = told(limits).into_iter();
        problems.map(|problem| problem.rsplit_once("}: ").map_or(problem.clone(), |(_, why)| why.to_owned())).collect()
    }

    #[test]
    fn what_a_range_says_of_a_resource_holds_together() {
        let range = json!({
            "type": "Container", "min": {"cpu": "100m"}, "max": {"cpu": "2"}, "default": {"cpu": "1"}, "defaultRequest": {"cpu": "500m"},
            "maxLimitRequestRatio": {"cpu": "4"}
        });
        assert_eq!(told(json!([range])), [""; 0]);
        // Answer of a kube-apiserver 1.31.
        let odd = json!({"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}, "default": {"cpu": "1"}, "defaultRequest": {"cpu": "1"}});
        assert_eq!(
            told(json!([odd]))[0],
            "spec.limits[0].min[cpu]: Invalid value: resource.Quantity{i:resource.int64Amount{value:2, scale:0}, \
             d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:\"2\", Format:\"DecimalSI\"}: min value 2 is greater than max value 1"
        );
        assert_eq!(
            short(json!([odd]))[1..],
            ["min value 2 is greater than default request value 1", "min value 2 is greater than default value 1"]
        );
        let ratio = |ratio: &str| {
            short(
                json!([{"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": ratio}}]),
            )
        };
        assert_eq!(ratio("2"), [""; 0]);
        assert_eq!(ratio("3"), ["ratio 3 is greater than max/min = 2.000000"]);
        assert_eq!(ratio("500m"), ["ratio 500m is less than 1"]);
    }

    #[test]
    fn each_kind_has_its_own_fields() {
        assert_eq!(
            told(json!([{"type": "Pod", "default": {"cpu": "1"}}, {"type": "Pod", "max": {"pods": "1"}}])),
            [
                "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
                "spec.limits[1].type: Duplicate value: \"Pod\"",
                "spec.limits[1].max[pods]: Invalid value: \"pods\": must be a standard resource for containers"
            ]
        );
        assert_eq!(
            told(json!([{"type": "PersistentVolumeClaim"}, {"type": "Odd"}])),
            [
                "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided",
                "spec.limits[1].type: Invalid value: \"Odd\": must be a standard limit type or fully qualified"
            ]
        );
    }

    #[test]
    fn what_is_not_shared_is_asked_for_in_full() {
        let of =
            |name: &str| short(json!([{"type": "Container", "default": {name: "2"}, "defaultRequest": {name: "1"}}]));
        assert_eq!(of("memory"), [""; 0]);
        assert_eq!(of("example.com/gpu"), ["default value 2 must equal to defaultRequest value 1 in example.com/gpu"]);
    }
}
