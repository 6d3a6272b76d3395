//! What is served below an object: each file one subresource or a few that are alike.

mod account_token;
mod connect;
mod log;
mod pod_calls;
mod scale;

pub(super) use log::Log;

use super::strategy::Part;
use super::{Cluster, Response, Status, Verb};
use crate::kube::admission::fit_to_path;
use crate::kube::request::dispatch::Call;

impl Cluster {
    /// Answers a request below an object; the subresource exists and allows the verb.
    pub(super) fn subresource(&mut self, call: &Call<'_>, verb: Verb) -> Result<Response, Status> {
        let below = call.path.subresource.as_deref().unwrap_or_default();
        match (below, verb) {
            ("scale", _) => self.scale(call, verb),
            ("token", _) => self.token_request(call),
            ("eviction", _) => self.evict(call),
            ("binding", _) => self.bind(call),
            ("log", _) => self.pod_log(call),
            ("exec" | "attach" | "portforward" | "proxy", _) => self.connect(call),
            (_, Verb::Get) => self.get(call),
            (_, Verb::Update) => self.update_part(call, part_of(below)),
            (_, Verb::Patch) => self.patch_part(call, part_of(below)),
            _ => Err(Status::method_not_allowed()),
        }
    }

    /// Replaces one part of the object in the path.
    fn update_part(&mut self, call: &Call<'_>, part: Part) -> Result<Response, Status> {
        call.query.check_write("UpdateOptions")?;
        let mut object = self.body_of(call, &*call.served)?;
        fit_to_path(&*call.served, call.namespace(), Some(call.name()), &mut object)?;
        let before = self.store.get(call.served.storage, &call.key());
        let before = before.ok_or_else(|| Status::not_found(&call.served, call.name()))?;
        self.replace(call, &before, object, part)
    }
}

/// The part of the object that a subresource in the object's own kind is about.
fn part_of(below: &str) -> Part {
    match below {
        "finalize" => Part::Finalize,
        // Containers that are added to a running pod are part of its spec.
        "ephemeralcontainers" => Part::Whole,
        _ => Part::Status,
    }
}

#[cfg(test)]
mod tests {
    use crate::http1::Method;
    use crate::kube::testing::Bench;
    use serde_json::json;

    #[test]
    fn a_deployment_is_scaled() {
        let mut bench = Bench::new();
        let target = "/apis/apps/v1/namespaces/web/deployments/web/scale";
        let mut scale = bench.get(target).ok();
        assert_eq!((&scale["apiVersion"], &scale["kind"]), (&json!("autoscaling/v1"), &json!("Scale")));
        assert_eq!((&scale["spec"]["replicas"], &scale["status"]["selector"]), (&json!(3), &json!("app=web")));
        scale["spec"]["replicas"] = json!(0);
        assert!(bench.put(target, &scale).ok()["spec"].get("replicas").is_none());
        assert_eq!(bench.put(target, &scale).code, 409, "the revision is stale");
        assert_eq!(bench.merge(target, json!({"spec": {"replicas": -1}})).code, 422);
        let deployment = bench.get("/apis/apps/v1/namespaces/web/deployments/web").ok();
        assert_eq!((&deployment["spec"]["replicas"], &deployment["metadata"]["generation"]), (&json!(0), &json!(2)));
        assert_eq!(bench.get("/apis/apps/v1/namespaces/web/daemonsets/web/scale").code, 404);
    }

    #[test]
    fn a_token_is_made_on_request() {
        let mut bench = Bench::new();
        let target = "/api/v1/namespaces/web/serviceaccounts/default/token";
        let answer = bench.post(target, json!({"spec": {"expirationSeconds": 600}}));
        assert_eq!(answer.code, 201);
        assert_eq!(answer.body["kind"], "TokenRequest");
        assert_eq!(answer.body["status"]["expirationTimestamp"], "2026-01-01T00:10:00Z");
        let token = answer.body["status"]["token"].as_str().unwrap().to_owned();
        let headers = [("Authorization", format!("Bearer {token}"))];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let me = bench.call(Method::Post, "/apis/authentication.k8s.io/v1/selfsubjectreviews", &headers, b"{}").ok();
        assert_eq!(me["status"]["userInfo"]["username"], "system:serviceaccount:web:default");
        assert_eq!(bench.post(target, json!({"spec": {"expirationSeconds": 1}})).code, 422);
        assert_eq!(bench.post("/api/v1/namespaces/web/serviceaccounts/x/token", json!({})).code, 404);
    }

    #[test]
    fn a_pod_is_bound_evicted_and_logs() {
        let mut bench = Bench::new();
        bench
            .post(
                "/api/v1/namespaces/web/pods",
                json!({"metadata": {"name": "p"}, "spec": {"schedulerName": "mine", "containers": [{"name": "c", "image": "c:1"}]}}),
            )
            .ok();
        let target = "/api/v1/namespaces/web/pods/p";
        let binding = json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "edge-worker-2"}});
        assert_eq!(bench.post(&format!("{target}/binding"), binding.clone()).code, 201);
        assert_eq!(bench.post(&format!("{target}/binding"), binding).code, 409);
        assert_eq!(bench.get(target).ok()["spec"]["nodeName"], "edge-worker-2");
        let waiting = bench.get(&format!("{target}/log"));
        assert_eq!(waiting.message(), "container \"c\" in pod \"p\" is waiting to start: ContainerCreating");
        bench.pass(4);
        let log = bench.get(&format!("{target}/log")).ok();
        assert!(log.as_str().unwrap().contains("starting c"), "{log}");
        assert_eq!(bench.get(&format!("{target}/log?container=x")).message(), "container x is not valid for pod p");
        let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}});
        assert_eq!(bench.post(&format!("{target}/eviction"), eviction).code, 201);
        assert_eq!(bench.get(target).code, 404);
    }

    #[test]
    fn what_needs_a_kubelet_is_refused() {
        let mut bench = Bench::new();
        let target = "/api/v1/namespaces/web/pods/web-1";
        assert_eq!(bench.post(&format!("{target}/exec?command=sh"), json!({})).message(), "Upgrade request required");
        let upgrade = [("Upgrade", "SPDY/3.1"), ("Connection", "Upgrade")];
        let answer = bench.call(Method::Post, &format!("{target}/exec"), &upgrade, b"");
        assert_eq!(answer.code, 500);
        assert!(answer.message().starts_with("error dialing backend"), "{}", answer.message());
        let answer = bench.call(Method::Get, &format!("{target}/exec?container=x%2Fy"), &upgrade, b"");
        assert_eq!((answer.code, answer.message()), (400, "container x/y is not valid for pod web-1"));
        assert_eq!(bench.get("/api/v1/namespaces/default/services/https:kubernetes:443/proxy/x/y").code, 503);
        assert_eq!(bench.get("/api/v1/namespaces/web/pods/nope/exec").code, 404);
    }

    #[test]
    fn the_pods_of_a_node_are_summed_up_in_the_report() {
        let mut bench = Bench::new();
        let requests = |bench: &mut Bench| {
            let node = bench.get("/api/v1/nodes/edge-worker-1").ok();
            node["metadata"]["annotations"]["management.cattle.io/pod-requests"].as_str().unwrap().to_owned()
        };
        bench.delete("/api/v1/namespaces/web/pods/web-1").ok();
        assert_eq!(requests(&mut bench), r#"{"cpu":"500m","memory":"128Mi","pods":"2"}"#);
        bench.cluster.report(crate::kube::Heartbeat::Leases, bench.now);
        assert_eq!(requests(&mut bench), r#"{"cpu":"250m","memory":"64Mi","pods":"1"}"#);
        let revision = bench.get("/api/v1/nodes").revision();
        let mut watch = bench.watch(&format!("/api/v1/nodes?watch=1&resourceVersion={revision}"));
        bench.cluster.report(crate::kube::Heartbeat::Leases, bench.now);
        assert_eq!(watch.told(&bench), [""; 0], "nothing changed since");
    }
}
