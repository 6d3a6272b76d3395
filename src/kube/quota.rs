//! ResourceQuotas and LimitRanges: what of a namespace is used, what a new object would use, and what its containers are given
//! (admission `ResourceQuota` and `LimitRanger`).

use super::quantity::Quantity;
use super::served::Served;
use super::{Cluster, Status, tree};
use serde_json::{Map, Value, json};

impl Cluster {
    /// Gives the containers of a new pod the limits of its namespace, and refuses what is outside of them.
    pub(super) fn limit_pod(&self, served: &Served, pod: &mut Value) -> Result<(), Status> {
        let Some(ranges) = Cluster::built_in("", "limitranges").filter(|_| served.is("", "pods")) else {
            return Ok(());
        };
        let Some(namespace) = pod["metadata"]["namespace"].as_str().map(str::to_owned) else { return Ok(()) };
        if self.store.count(ranges.storage) == 0 {
            return Ok(());
        }
        let found = self.store.list(ranges.storage, Some(&namespace));
        let limits: Vec<Value> = found
            .iter()
            .flat_map(|found| {
                let range = self.value(&ranges, &found.version);
                range["spec"]["limits"].as_array().cloned().unwrap_or_default()
            })
            .collect();
        let of = |kind: &'static str| limits.iter().filter(move |limit| limit["type"] == kind);
        let mut set = Vec::new();
        for limit in of("Container") {
            let containers = pod.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
            containers.into_iter().flatten().for_each(|container| give(limit, container, &mut set));
        }
        if !set.is_empty() {
            let note = format!("LimitRanger plugin set: {}", set.join("; "));
            tree::set(pod, &["metadata", "annotations", "kubernetes.io/limit-ranger"], note);
        }
        let mut problems = Vec::new();
        for container in items(&pod["spec"]["containers"]) {
            of("Container").for_each(|limit| outside(limit, "Container", &container["resources"], &mut problems));
        }
        let sums = json!({"requests": sum(pod, "requests"), "limits": sum(pod, "limits")});
        of("Pod").for_each(|limit| outside(limit, "Pod", &sums, &mut problems));
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        match problems.as_slice() {
            [] => Ok(()),
            [problem] => Err(Status::forbidden(served, name, problem)),
            problems => Err(Status::forbidden(served, name, &format!("[{}]", problems.join(", ")))),
        }
    }

    /// Refuses a new object that a quota of its namespace has no room for.
    pub(super) fn check_quotas(&self, served: &Served, object: &Value) -> Result<(), Status> {
        let Some(quotas) = Cluster::built_in("", "resourcequotas").filter(|_| served.namespaced) else { return Ok(()) };
        let Some(namespace) = object["metadata"]["namespace"].as_str() else { return Ok(()) };
        if self.store.count(quotas.storage) == 0 {
            return Ok(());
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        for found in self.store.list(quotas.storage, Some(namespace)) {
            let quota = self.value(&quotas, &found.version);
            let quota_name = quota["metadata"]["name"].as_str().unwrap_or_default();
            let (mut missing, mut over) = (Vec::new(), Vec::new());
            for (key, hard) in quota["spec"]["hard"].as_object().into_iter().flatten() {
                missing.extend(unsaid(served, object, key));
                let Some(asked) = use_of(served, object, key) else { continue };
                let used = self.used(namespace, key);
                if asked > Quantity::default() && Quantity::of(hard).is_some_and(|hard| used.plus(asked) > hard) {
                    over.push((key.clone(), asked.shown(key), used.shown(key), text(hard).to_owned()));
                }
            }
            let problem = if !missing.is_empty() {
                format!("failed quota: {quota_name}: must specify {}", missing.join("; "))
            } else if !over.is_empty() {
                let list = |pick: fn(&(String, String, String, String)) -> &str| {
                    over.iter().map(|row| format!("{}={}", row.0, pick(row))).collect::<Vec<_>>().join(",")
                };
                let (asked, used, hard) = (list(|row| &row.1), list(|row| &row.2), list(|row| &row.3));
                format!("exceeded quota: {quota_name}, requested: {asked}, used: {used}, limited: {hard}")
            } else {
                continue;
            };
            return Err(Status::forbidden(served, name, &problem));
        }
        Ok(())
    }

    /// The status that a quota has now.
    pub(super) fn quota_status(&self, namespace: &str, quota: &Value) -> Value {
        let hard = quota["spec"]["hard"].as_object().cloned().unwrap_or_default();
        let used: Map<String, Value> =
            hard.keys().map(|key| (key.clone(), json!(self.used(namespace, key).shown(key)))).collect();
        json!({"hard": hard, "used": used})
    }

    /// How much of `key` a namespace uses.
    fn used(&self, namespace: &str, key: &str) -> Quantity {
        let Some(served) = counted_kind(key) else { return Quantity::default() };
        let found = self.store.list(served.storage, Some(namespace));
        let amounts = found.iter().filter_map(|found| use_of(&served, &self.value(&served, &found.version), key));
        amounts.fold(Quantity::default(), Quantity::plus)
    }
}

/// The kind whose objects a quota counts under `key`.
fn counted_kind(key: &str) -> Option<Served> {
    let (plural, group) = match key.strip_prefix("count/") {
        Some(name) => name.split_once('.').unwrap_or((name, "")),
        None => match key {
            "services.nodeports" | "services.loadbalancers" => ("services", ""),
            "requests.storage" => ("persistentvolumeclaims", ""),
            "cpu" | "memory" | "requests.cpu" | "requests.memory" | "limits.cpu" | "limits.memory" => ("pods", ""),
            plural => (plural, ""),
        },
    };
    Cluster::built_in(group, plural)
}

/// How much of `key` an object uses; `None` if it is of another kind.
fn use_of(served: &Served, object: &Value, key: &str) -> Option<Quantity> {
    counted_kind(key).filter(|counted| counted.storage == served.storage)?;
    let is_over = ["Succeeded", "Failed"].contains(&text(&object["status"]["phase"]));
    if served.is("", "pods") && is_over && !key.starts_with("count/") {
        return Some(Quantity::default());
    }
    let of_pods = |resource: &str, field: &str| {
        let amounts =
            items(&object["spec"]["containers"]).filter_map(|c| Quantity::of(&c["resources"][field][resource]));
        amounts.fold(Quantity::default(), Quantity::plus)
    };
    let number = |is_one: bool| Quantity::of(&json!(u8::from(is_one)));
    match key {
        "cpu" | "requests.cpu" => Some(of_pods("cpu", "requests")),
        "memory" | "requests.memory" => Some(of_pods("memory", "requests")),
        "limits.cpu" => Some(of_pods("cpu", "limits")),
        "limits.memory" => Some(of_pods("memory", "limits")),
        "requests.storage" => Quantity::of(&object["spec"]["resources"]["requests"]["storage"]),
        "services.loadbalancers" => number(object["spec"]["type"] == "LoadBalancer"),
        "services.nodeports" => {
            let ports = items(&object["spec"]["ports"]).filter(|port| port["nodePort"].is_u64()).count();
            Quantity::of(&json!(ports))
        }
        _ => number(true),
    }
}

/// The containers of a pod that do not say what a quota counts.
fn unsaid(served: &Served, object: &Value, key: &str) -> Option<String> {
    let (field, resource) = match key {
        "cpu" | "requests.cpu" => ("requests", "cpu"),
        "memory" | "requests.memory" => ("requests", "memory"),
        "limits.cpu" => ("limits", "cpu"),
        "limits.memory" => ("limits", "memory"),
        _ => return None,
    };
    let containers = items(&object["spec"]["containers"]).filter(|_| served.is("", "pods"));
    let silent: Vec<&str> =
        containers.filter(|c| c["resources"][field][resource].is_null()).map(|c| text(&c["name"])).collect();
    (!silent.is_empty()).then(|| format!("{key} for: {}", silent.join(",")))
}

/// Gives a container the defaults of a range, and notes what was set.
fn give(limit: &Value, container: &mut Value, set: &mut Vec<String>) {
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
            set.push(format!("{} {what} for container {name}", given.join(", ")));
        }
    }
}

/// What of some resources is outside of a range.
fn outside(limit: &Value, kind: &str, resources: &Value, problems: &mut Vec<String>) {
    let rules = [("min", "minimum", "requests", "request"), ("max", "maximum", "limits", "limit")];
    for (rule, word, field, what) in rules {
        for (name, bound) in limit[rule].as_object().into_iter().flatten() {
            let (amount, edge) = (Quantity::of(&resources[field][name]), Quantity::of(bound));
            let (Some(amount), Some(edge)) = (amount, edge) else { continue };
            let is_outside = if rule == "min" { amount < edge } else { amount > edge };
            if is_outside {
                let (bound, shown) = (text(bound), amount.shown(name));
                problems.push(format!("{word} {name} usage per {kind} is {bound}, but {what} is {shown}"));
            }
        }
    }
}

fn sum(pod: &Value, field: &str) -> Value {
    let mut sums: std::collections::BTreeMap<&String, Quantity> = std::collections::BTreeMap::new();
    for container in items(&pod["spec"]["containers"]) {
        for (name, amount) in container["resources"][field].as_object().into_iter().flatten() {
            let sum = sums.entry(name).or_default();
            *sum = sum.plus(Quantity::of(amount).unwrap_or_default());
        }
    }
    Value::Object(sums.into_iter().map(|(name, sum)| (name.clone(), json!(sum.shown(name)))).collect())
}

impl Quantity {
    /// Its form under a quota's key.
    fn shown(self, key: &str) -> String {
        self.to_string_of(key.rsplit('.').next().filter(|_| !key.starts_with("count/")).unwrap_or(key))
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::{Value, json};

    fn pod(name: &str, resources: Value) -> Value {
        json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "a", "image": "a:1", "resources": resources}]}})
    }

    const PODS: &str = "/api/v1/namespaces/web/pods";

    #[test]
    fn a_quota_counts_and_refuses_in_the_servers_words() {
        let mut bench = Bench::new();
        bench.delete(PODS);
        let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "2", "requests.cpu": "1"}}});
        bench.post("/api/v1/namespaces/web/resourcequotas", quota).ok();
        assert_eq!(
            bench.post(PODS, pod("none", json!({}))).message(),
            "pods \"none\" is forbidden: failed quota: q: must specify requests.cpu for: a"
        );
        assert_eq!(
            bench.post(PODS, pod("large", json!({"requests": {"cpu": "2"}}))).message(),
            "pods \"large\" is forbidden: exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=0, limited: requests.cpu=1"
        );
        bench.post(PODS, pod("fits", json!({"requests": {"cpu": "500m"}}))).ok();
        let status = bench.get("/api/v1/namespaces/web/resourcequotas/q").ok()["status"].clone();
        assert_eq!(status["used"], json!({"pods": "1", "requests.cpu": "500m"}));
        bench.delete(&format!("{PODS}/fits?gracePeriodSeconds=0")).ok();
        let status = bench.get("/api/v1/namespaces/web/resourcequotas/q").ok()["status"].clone();
        assert_eq!(status["used"], json!({"pods": "0", "requests.cpu": "0"}));
    }

    #[test]
    fn a_limit_range_fills_in_and_bounds() {
        let mut bench = Bench::new();
        let range = json!({"metadata": {"name": "l"}, "spec": {"limits": [
            {"type": "Container", "default": {"cpu": "500m"}, "min": {"cpu": "50m"}, "max": {"cpu": "2"}},
            {"type": "Pod", "max": {"cpu": "3"}}
        ]}});
        bench.post("/api/v1/namespaces/web/limitranges", range).ok();
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
}
