//! LimitRanges: what the containers of a new pod are given, and what is outside of the bounds of a namespace (admission `LimitRanger`).

use super::pod_resources::{Amounts, of_pod};
use crate::kube::quantity::Quantity;
use crate::kube::request::served::Served;
use crate::kube::strategy::defaulted;
use crate::kube::tree::{items, text};
use crate::kube::{Cluster, Status, tree};
use serde_json::Value;

impl Cluster {
    /// Gives the containers of a new pod the limits of its namespace, and refuses what is outside of them. Claims are looked at whenever
    /// they are written.
    pub(in crate::kube) fn keep_limits(&self, served: &Served, object: &mut Value) -> Result<(), Status> {
        let is_pod = served.is("", "pods");
        if !is_pod && !served.is("", "persistentvolumeclaims") {
            return Ok(());
        }
        let Some(ranges) = Cluster::built_in("", "limitranges") else { return Ok(()) };
        if self.store.count(ranges.storage) == 0 {
            return Ok(());
        }
        let Some(namespace) = object["metadata"]["namespace"].as_str().map(str::to_owned) else { return Ok(()) };
        let found = self.store.list(ranges.storage, Some(&namespace));
        let ranges: Vec<Value> = found.iter().map(|found| self.value(&ranges, &found.version)).collect();
        if is_pod {
            // What has but a limit asks for as much, whatever others are given.
            defaulted(served, object);
            ranges.iter().for_each(|range| give(range, object));
        }
        for range in &ranges {
            let problems = if is_pod { of_a_pod(range, &object["spec"]) } else { of_a_claim(range, &object["spec"]) };
            let problem = match problems.as_slice() {
                [] => continue,
                [problem] => problem.clone(),
                problems => format!("[{}]", problems.join(", ")),
            };
            return Err(Status::forbidden(served, text(&object["metadata"]["name"]), &problem));
        }
        Ok(())
    }
}

/// Gives the containers of a pod the defaults of a range, and notes what was set.
fn give(range: &Value, pod: &mut Value) {
    let mut set = Vec::new();
    for limit in items(&range["spec"]["limits"]).filter(|limit| limit["type"] == "Container") {
        for (list, kind) in [("containers", "container"), ("initContainers", "init container")] {
            let containers = pod["spec"].get_mut(list).and_then(Value::as_array_mut);
            containers.into_iter().flatten().for_each(|container| give_container(limit, kind, container, &mut set));
        }
    }
    if !set.is_empty() {
        let note = format!("LimitRanger plugin set: {}", set.join("; "));
        tree::set(pod, &["metadata", "annotations", "kubernetes.io/limit-ranger"], note);
    }
}

fn give_container(limit: &Value, kind: &str, container: &mut Value, set: &mut Vec<String>) {
    let name = text(&container["name"]).to_owned();
    for (from, field, what) in [("defaultRequest", "requests", "request"), ("default", "limits", "limit")] {
        let mut given = Vec::new();
        for (resource, amount) in limit[from].as_object().into_iter().flatten() {
            if container["resources"][field].get(resource).is_none() {
                tree::set(container, &["resources", field, resource], amount.clone());
                given.push(resource.as_str());
            }
        }
        if !given.is_empty() {
            set.push(format!("{} {what} for {kind} {name}", given.join(", ")));
        }
    }
}

fn of_a_pod(range: &Value, spec: &Value) -> Vec<String> {
    let mut problems = Problems::default();
    for limit in items(&range["spec"]["limits"]) {
        match text(&limit["type"]) {
            "Container" => {
                for container in items(&spec["containers"]).chain(items(&spec["initContainers"])) {
                    let own = |field: &str| amounts(&container["resources"][field]);
                    problems.check(limit, &own("requests"), &own("limits"));
                }
            }
            "Pod" => problems.check(limit, &of_pod(spec, "requests"), &of_pod(spec, "limits")),
            _ => {}
        }
    }
    problems.0
}

fn of_a_claim(range: &Value, spec: &Value) -> Vec<String> {
    let mut problems = Problems::default();
    let requests = amounts(&spec["resources"]["requests"]);
    for limit in items(&range["spec"]["limits"]).filter(|limit| limit["type"] == "PersistentVolumeClaim") {
        problems.check_minimum(limit, &requests, &Amounts::new());
        problems.check_maximum(limit, &requests, &[("request", &requests)]);
    }
    problems.0
}

/// What is outside of a range, each said once.
#[derive(Debug, Default)]
struct Problems(Vec<String>);

impl Problems {
    fn check(&mut self, limit: &Value, requests: &Amounts, limits: &Amounts) {
        self.check_minimum(limit, requests, limits);
        self.check_maximum(limit, limits, &[("limit", limits), ("request", requests)]);
        self.check_ratio(limit, requests, limits);
    }

    fn check_minimum(&mut self, limit: &Value, requests: &Amounts, limits: &Amounts) {
        for (name, least, shown) in bounds(&limit["min"]) {
            let start = format!("minimum {name} usage per {} is {shown}", text(&limit["type"]));
            match (requests.get(name), limits.get(name)) {
                (None, _) => self.say(format!("{start}.  No request is specified")),
                (Some(own), _) if *own < least => {
                    self.say(format!("{start}, but request is {}", own.to_string_of(name)))
                }
                (_, Some(own)) if *own < least => self.say(format!("{start}, but limit is {}", own.to_string_of(name))),
                _ => {}
            }
        }
    }

    /// `bounded` are the amounts that must be there, or else nothing is bounded.
    fn check_maximum(&mut self, limit: &Value, bounded: &Amounts, checked: &[(&str, &Amounts)]) {
        for (name, most, shown) in bounds(&limit["max"]) {
            let start = format!("maximum {name} usage per {} is {shown}", text(&limit["type"]));
            if !bounded.contains_key(name) {
                let what = checked[0].0;
                self.say(format!("{start}.  No {what} is specified"));
                continue;
            }
            let own = checked.iter().find_map(|(what, own)| Some((what, own.get(name).filter(|own| **own > most)?)));
            if let Some((what, own)) = own {
                self.say(format!("{start}, but {what} is {}", own.to_string_of(name)));
            }
        }
    }

    fn check_ratio(&mut self, limit: &Value, requests: &Amounts, limits: &Amounts) {
        for (name, most, shown) in bounds(&limit["maxLimitRequestRatio"]) {
            let start = format!("{name} max limit to request ratio per {} is {shown}", text(&limit["type"]));
            let given = |amounts: &Amounts| amounts.get(name).copied().filter(|own| *own != Quantity::default());
            match (given(requests), given(limits)) {
                (None, _) => self.say(format!("{start}, but no request is specified or request is 0")),
                (_, None) => self.say(format!("{start}, but no limit is specified or limit is 0")),
                (Some(request), Some(limit)) if limit.ratio_to(request) > most.to_number() => {
                    self.say(format!("{start}, but provided ratio is {:.6}", limit.ratio_to(request)));
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, problem: String) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }
}

/// The names of resources with their bounds, as amounts and as they were written.
fn bounds(bounds: &Value) -> impl Iterator<Item = (&str, Quantity, &str)> {
    let bounds = bounds.as_object().into_iter().flatten();
    bounds.filter_map(|(name, bound)| Some((name.as_str(), Quantity::of(bound)?, text(bound))))
}

fn amounts(resources: &Value) -> Amounts {
    let amounts = resources.as_object().into_iter().flatten();
    amounts.filter_map(|(name, amount)| Some((name.clone(), Quantity::of(amount)?))).collect()
}

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::{Value, json};

    const PODS: &str = "/api/v1/namespaces/web/pods";
    const CLAIMS: &str = "/api/v1/namespaces/web/persistentvolumeclaims";

    fn pod(name: &str, resources: Value) -> Value {
        json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "a", "image": "a:1", "resources": resources}]}})
    }

    fn limited(limits: Value) -> Bench {
        let mut bench = Bench::new();
        let range = json!({"metadata": {"name": "l"}, "spec": {"limits": limits}});
        bench.post("/api/v1/namespaces/web/limitranges", range).ok();
        bench
    }

    #[test]
    fn a_limit_range_fills_in_and_bounds() {
        let mut bench = limited(json!([
            {"type": "Container", "default": {"cpu": "500m"}, "min": {"cpu": "50m"}, "max": {"cpu": "2"}},
            {"type": "Pod", "max": {"cpu": "3"}}
        ]));
        let made = bench.post(PODS, pod("plain", json!({}))).ok();
        assert_eq!(
            made["spec"]["containers"][0]["resources"],
            json!({"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}})
        );
        assert_eq!(
            bench.post(PODS, pod("small", json!({"requests": {"cpu": "10m"}}))).message(),
            "pods \"small\" is forbidden: minimum cpu usage per Container is 50m, but request is 10m"
        );
        assert_eq!(
            bench.post(PODS, pod("big", json!({"limits": {"cpu": "4"}}))).message(),
            "pods \"big\" is forbidden: [maximum cpu usage per Container is 2, but limit is 4, maximum cpu usage per Pod is 3, but limit is 4]"
        );
    }

    #[test]
    fn init_containers_are_given_and_held_to_the_same() {
        let mut bench = limited(json!([{"type": "Container", "default": {"cpu": "500m"}, "max": {"cpu": "2"}}]));
        let with_init = |name: &str, resources: Value| {
            let mut pod = pod(name, json!({}));
            pod["spec"]["initContainers"] = json!([{"name": "i", "image": "i:1", "resources": resources}]);
            pod
        };
        let made = bench.post(PODS, with_init("plain", json!({}))).ok();
        let given = &made["spec"]["initContainers"][0]["resources"];
        assert_eq!(*given, json!({"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}}));
        assert_eq!(
            made["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
            "LimitRanger plugin set: cpu request for container a; cpu limit for container a; cpu request for init container i; cpu limit for \
             init container i"
        );
        let answer = bench.post(PODS, with_init("big", json!({"limits": {"cpu": "3"}})));
        assert_eq!(
            (answer.code, answer.message()),
            (403, "pods \"big\" is forbidden: maximum cpu usage per Container is 2, but limit is 3")
        );
    }

    #[test]
    fn a_limit_is_a_request_too() {
        let mut bench = limited(json!([{"type": "Container", "defaultRequest": {"cpu": "100m"}}]));
        let made = bench.post(PODS, pod("p", json!({"limits": {"cpu": "1"}}))).ok();
        assert_eq!(
            made["spec"]["containers"][0]["resources"],
            json!({"limits": {"cpu": "1"}, "requests": {"cpu": "1"}})
        );
    }

    #[test]
    fn what_is_bounded_must_be_said() {
        let mut bench = limited(json!([{"type": "Pod", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}]));
        assert_eq!(
            bench.post(PODS, pod("none", json!({}))).message(),
            "pods \"none\" is forbidden: [minimum memory usage per Pod is 1Mi.  No request is specified, maximum cpu usage per Pod is 2.  No \
             limit is specified]"
        );
    }

    #[test]
    fn a_limit_is_not_too_many_times_the_request() {
        let mut bench = limited(json!([{"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}]));
        let asking = |name: &str, request: &str, limit: &str| {
            pod(name, json!({"requests": {"cpu": request}, "limits": {"cpu": limit}}))
        };
        bench.post(PODS, asking("twice", "500m", "1")).ok();
        assert_eq!(
            bench.post(PODS, asking("thrice", "500m", "1500m")).message(),
            "pods \"thrice\" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"
        );
        assert_eq!(
            bench.post(PODS, pod("none", json!({}))).message(),
            "pods \"none\" is forbidden: cpu max limit to request ratio per Container is 2, but no request is specified or request is 0"
        );
    }

    #[test]
    fn claims_are_bounded_when_made_and_when_they_grow() {
        let mut bench =
            limited(json!([{"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "5Gi"}}]));
        let claim = |name: &str, size: &str| {
            let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}});
            json!({"metadata": {"name": name}, "spec": spec})
        };
        assert_eq!(
            bench.post(CLAIMS, claim("small", "512Mi")).message(),
            "persistentvolumeclaims \"small\" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 512Mi"
        );
        bench.post(CLAIMS, claim("c", "2Gi")).ok();
        let larger = json!({"spec": {"resources": {"requests": {"storage": "6Gi"}}}});
        let answer = bench.merge(&format!("{CLAIMS}/c"), larger);
        assert_eq!(
            (answer.code, answer.message()),
            (
                403,
                "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi"
            )
        );
    }
}
