//! ResourceQuotas: what of a namespace is used, and what a write would use (admission `ResourceQuota`).

mod counted;
mod scope;

use crate::kube::quantity::Quantity;
use crate::kube::request::served::Served;
use crate::kube::tree::text;
use crate::kube::{Cluster, Status};
use counted::{kind_of, unsaid, use_of};
use scope::is_within;
use serde_json::{Map, Value, json};

impl Cluster {
    /// Refuses a new object, or a change of the `old` one, that a quota of its namespace has no room for.
    pub(in crate::kube) fn check_quotas(
        &self,
        served: &Served,
        old: Option<&Value>,
        object: &Value,
    ) -> Result<(), Status> {
        let Some(quotas) = Cluster::built_in("", "resourcequotas").filter(|_| served.namespaced) else { return Ok(()) };
        // Of all others an API server counts what is made alone.
        if old.is_some() && !served.is("", "services") && !served.is("", "persistentvolumeclaims") {
            return Ok(());
        }
        let Some(namespace) = object["metadata"]["namespace"].as_str() else { return Ok(()) };
        if self.store.count(quotas.storage) == 0 {
            return Ok(());
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        for found in self.store.list(quotas.storage, Some(namespace)) {
            let quota = self.value(&quotas, &found.version);
            if !is_within(&quota["spec"], served, object) {
                continue;
            }
            let quota_name = quota["metadata"]["name"].as_str().unwrap_or_default();
            let hard = quota["spec"]["hard"].as_object();
            let keys = || hard.into_iter().flatten().map(|(key, _)| key.as_str());
            let missing = unsaid(served, object, keys());
            let mut over = Vec::new();
            for (key, hard) in hard.into_iter().flatten() {
                if self.counted(key).is_none_or(|counted| counted.storage != served.storage) {
                    continue;
                }
                let before = old.map_or(Quantity::default(), |old| use_of(old, key));
                let asked = use_of(object, key).minus(before);
                if asked <= Quantity::default() {
                    continue;
                }
                let used = self.used(namespace, &quota["spec"], key);
                if Quantity::of(hard).is_some_and(|hard| used.plus(asked) > hard) {
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
    pub(in crate::kube) fn quota_status(&self, namespace: &str, quota: &Value) -> Value {
        let hard = quota["spec"]["hard"].as_object().cloned().unwrap_or_default();
        let used: Map<String, Value> =
            hard.keys().map(|key| (key.clone(), json!(self.used(namespace, &quota["spec"], key).shown(key)))).collect();
        json!({"hard": hard, "used": used})
    }

    /// How much of `key` a namespace uses within the scopes of a quota.
    fn used(&self, namespace: &str, quota: &Value, key: &str) -> Quantity {
        let Some(served) = self.counted(key) else { return Quantity::default() };
        let found = self.store.list(served.storage, Some(namespace));
        let objects = found.iter().map(|found| self.value(&served, &found.version));
        let amounts = objects.filter(|object| is_within(quota, &served, object)).map(|object| use_of(&object, key));
        amounts.fold(Quantity::default(), Quantity::plus)
    }

    /// The kind whose objects a quota counts under `key`, be it a custom one.
    fn counted(&self, key: &str) -> Option<Served> {
        let (group, plural) = kind_of(key);
        let built_in = Cluster::built_in(group, plural);
        built_in.or_else(|| self.kinds.find(|resource| resource.group == group && resource.plural == plural))
    }
}

impl Quantity {
    /// Its form under a quota's key.
    fn shown(self, key: &str) -> String {
        self.to_string_of(key.rsplit('.').next().filter(|_| !key.starts_with("count/")).unwrap_or(key))
    }
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
    fn a_scope_counts_some_pods_alone() {
        let mut bench = Bench::new();
        bench.delete(PODS);
        let quotas = "/api/v1/namespaces/web/resourcequotas";
        bench
            .post(
                quotas,
                json!({"metadata": {"name": "best"}, "spec": {"hard": {"pods": "1"}, "scopes": ["BestEffort"]}}),
            )
            .ok();
        let asking = json!({"requests": {"cpu": "1"}});
        bench.post(PODS, pod("asks", asking.clone())).ok();
        bench.post(PODS, pod("one", json!({}))).ok();
        assert_eq!(
            bench.post(PODS, pod("two", json!({}))).message(),
            "pods \"two\" is forbidden: exceeded quota: best, requested: pods=1, used: pods=1, limited: pods=1"
        );
        bench.post(PODS, pod("asks-too", asking)).ok();
        assert_eq!(bench.get(&format!("{quotas}/best")).ok()["status"]["used"], json!({"pods": "1"}));
    }

    #[test]
    fn a_service_that_opens_more_is_counted_again() {
        let mut bench = Bench::new();
        let hard = json!({"services": "1", "services.nodeports": "1", "services.loadbalancers": "0"});
        let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
        bench.post("/api/v1/namespaces/web/resourcequotas", quota).ok();
        let port = |number: u16| json!({"name": format!("p{number}"), "port": number});
        let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [port(80), port(81)]}});
        bench.post("/api/v1/namespaces/web/services", service).ok();
        let target = "/api/v1/namespaces/web/services/s";
        let answer = bench.merge(target, json!({"spec": {"type": "NodePort"}}));
        assert_eq!(
            (answer.code, answer.message()),
            (
                403,
                "services \"s\" is forbidden: exceeded quota: q, requested: services.nodeports=2, used: services.nodeports=0, limited: \
                 services.nodeports=1"
            )
        );
        bench.merge(target, json!({"spec": {"ports": [port(80)], "type": "NodePort"}})).ok();
        bench.merge(target, json!({"metadata": {"labels": {"a": "b"}}})).ok();
        assert!(
            bench
                .merge(target, json!({"spec": {"type": "LoadBalancer"}}))
                .message()
                .contains("services.loadbalancers=1")
        );
    }

    #[test]
    fn objects_of_a_custom_kind_are_counted() {
        let mut bench = Bench::new();
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
        let definition = json!({
            "metadata": {"name": "things.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                "versions": [version]
            }
        });
        bench.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).ok();
        let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"count/things.example.com": "1"}}});
        bench.post("/api/v1/namespaces/web/resourcequotas", quota).ok();
        let mut make = |name: &str| {
            let thing = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name}});
            bench.post("/apis/example.com/v1/namespaces/web/things", thing)
        };
        make("one").ok();
        assert_eq!(
            make("two").message(),
            "things.example.com \"two\" is forbidden: exceeded quota: q, requested: count/things.example.com=1, used: \
             count/things.example.com=1, limited: count/things.example.com=1"
        );
    }
}
