//! ResourceQuotas: what of a namespace is used, and what a new object would use (admission `ResourceQuota`).

use super::quantity::Quantity;
use super::served::Served;
use super::{Cluster, Status};
use serde_json::{Map, Value, json};

impl Cluster {
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
}
