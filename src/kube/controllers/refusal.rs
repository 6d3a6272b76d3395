//! What controllers do about a create that was refused: they say so, and try again later (client-go `workqueue`).

use super::agenda::Work;
use crate::kube::{Cluster, Status};
use jiff::Timestamp;
use serde_json::Value;

/// How a controller tells of a refusal: a reason, and the words before what the API server said.
pub(super) type Words<'a> = (&'static str, &'a str);

impl Cluster {
    /// Plans another look for the sake of what was refused, and tells of it unless that was done before.
    pub(super) fn refused(
        &mut self,
        work: Work,
        about: &Value,
        status: &Status,
        (reason, words): Words<'_>,
        by: &str,
        now: Timestamp,
    ) {
        if !is_final(status) && self.agenda.retry(work, now) {
            self.tell(about, "Warning", reason, &format!("{words}{}", status.message), by, now);
        }
    }
}

/// Whether no later try can succeed: the namespace is going, and the controlled object with it.
pub(super) fn is_final(status: &Status) -> bool {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == "NamespaceTerminating")
}

/// What most controllers say.
pub(super) const FAILED_CREATE: Words<'static> = ("FailedCreate", "Error creating: ");

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::{Value, json};

    const ACCOUNTS: &str = "/api/v1/namespaces/late/serviceaccounts";

    /// A namespace of its own, where nothing but the test makes pods.
    fn bench() -> Bench {
        let mut bench = Bench::new();
        bench.post("/api/v1/namespaces", json!({"metadata": {"name": "late"}})).ok();
        bench
    }

    fn live(bench: &mut Bench, seconds: u32) {
        (0..seconds).for_each(|_| bench.pass(1));
    }

    fn template(restart: &str) -> Value {
        json!({"metadata": {"labels": {"app": "late"}}, "spec": {
            "serviceAccountName": "runner", "restartPolicy": restart, "containers": [{"name": "main", "image": "i:1"}]
        }})
    }

    fn workload() -> Value {
        let selector = json!({"matchLabels": {"app": "late"}});
        json!({"metadata": {"name": "late"}, "spec": {"selector": selector, "template": template("Always")}})
    }

    fn pods(bench: &mut Bench) -> usize {
        bench.get("/api/v1/namespaces/late/pods").names().len()
    }

    fn told(bench: &mut Bench, reason: &str) -> Vec<String> {
        let list = bench.get("/api/v1/namespaces/late/events").ok();
        let events = list["items"].as_array().unwrap().iter().filter(|event| event["reason"] == *reason);
        events.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_controller_tries_again_until_the_account_is_there() {
        let job = json!({"metadata": {"name": "late"}, "spec": {"template": template("Never")}});
        let cron = json!({"metadata": {"name": "late"}, "spec": {"schedule": "* * * * *", "jobTemplate": job}});
        for (collection, object, count) in [
            ("apps/v1/namespaces/late/deployments", workload(), 1),
            ("apps/v1/namespaces/late/replicasets", workload(), 1),
            ("apps/v1/namespaces/late/daemonsets", workload(), 3),
            ("apps/v1/namespaces/late/statefulsets", workload(), 1),
            ("batch/v1/namespaces/late/jobs", job.clone(), 1),
            ("batch/v1/namespaces/late/cronjobs", cron, 1),
        ] {
            let mut bench = bench();
            bench.post(&format!("/apis/{collection}"), object).ok();
            live(&mut bench, 100);
            assert_eq!(pods(&mut bench), 0, "{collection}");
            let messages = told(&mut bench, "FailedCreate");
            assert!(messages.iter().all(|message| message.contains("late/runner")), "{collection}: {messages:?}");
            assert!((1..=2).contains(&messages.len()), "{collection} says it once a pod-maker: {messages:?}");
            bench.post(ACCOUNTS, json!({"metadata": {"name": "runner"}})).ok();
            live(&mut bench, 60);
            assert!(pods(&mut bench) >= count, "{collection}");
        }
    }

    #[test]
    fn what_is_fixed_early_comes_up_within_seconds() {
        let mut bench = bench();
        bench.post("/apis/apps/v1/namespaces/late/replicasets", workload()).ok();
        live(&mut bench, 5);
        bench.post(ACCOUNTS, json!({"metadata": {"name": "runner"}})).ok();
        live(&mut bench, 8);
        let target = "/apis/apps/v1/namespaces/late/replicasets/late";
        assert_eq!(bench.get(target).ok()["status"]["readyReplicas"], 1);
        live(&mut bench, 70);
        assert_eq!(bench.cluster.wake_at(), None, "nothing is left to be tried again");
    }

    #[test]
    fn a_deployment_shows_what_its_sets_fail_at() {
        let mut bench = bench();
        let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}});
        bench.post("/api/v1/namespaces/late/resourcequotas", quota).ok();
        bench.post(ACCOUNTS, json!({"metadata": {"name": "runner"}})).ok();
        let mut object = workload();
        object["spec"]["replicas"] = json!(3);
        bench.post("/apis/apps/v1/namespaces/late/deployments", object).ok();
        let failure = |bench: &mut Bench, target: &str| {
            let object = bench.get(target).ok();
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.into_iter().find(|condition| condition["type"] == "ReplicaFailure")
        };
        live(&mut bench, 10);
        let deployment = "/apis/apps/v1/namespaces/late/deployments/late";
        let sets = bench.get("/apis/apps/v1/namespaces/late/replicasets").names();
        let set = format!("/apis/apps/v1/namespaces/late/replicasets/{}", sets[0]);
        let of_set = failure(&mut bench, &set).unwrap();
        let shown = failure(&mut bench, deployment).unwrap();
        for field in ["status", "reason", "message", "lastTransitionTime"] {
            assert_eq!(shown[field], of_set[field], "{field}");
        }
        assert!(shown["message"].as_str().unwrap().contains("exceeded quota: few"), "{shown}");
        assert_eq!(
            (&shown["reason"], &shown["lastUpdateTime"]),
            (&json!("FailedCreate"), &of_set["lastTransitionTime"])
        );
        let revision = bench.cluster.revision();
        live(&mut bench, 60);
        assert_eq!(bench.cluster.revision(), revision, "another refusal of the same kind is nothing new");
        bench.merge("/api/v1/namespaces/late/resourcequotas/few", json!({"spec": {"hard": {"pods": "9"}}})).ok();
        live(&mut bench, 65);
        assert_eq!(bench.get(deployment).ok()["status"]["readyReplicas"], 3);
        assert_eq!((failure(&mut bench, deployment), failure(&mut bench, &set)), (None, None));
    }

    #[test]
    fn a_restart_forgets_no_refusal() {
        let controller = json!({"metadata": {"name": "late"}, "spec": {
            "replicas": 1, "selector": {"app": "late"}, "template": template("Always")
        }});
        for (collection, object) in [
            ("api/v1/namespaces/late/replicationcontrollers", controller),
            ("apis/apps/v1/namespaces/late/deployments", workload()),
        ] {
            let mut before = bench();
            before.post(&format!("/{collection}"), object).ok();
            live(&mut before, 100);
            let start = before.cluster.start_revision();
            let mut after = before.restarted(1, before.cluster.written_since(start).places).unwrap();
            after.post(ACCOUNTS, json!({"metadata": {"name": "runner"}})).ok();
            live(&mut after, 10);
            assert_eq!(pods(&mut after), 1, "{collection}");
        }
    }

    #[test]
    fn a_controller_gives_up_on_what_is_gone() {
        let mut bench = bench();
        bench.post("/apis/apps/v1/namespaces/late/replicasets", workload()).ok();
        live(&mut bench, 10);
        assert!(bench.cluster.wake_at().is_some());
        bench.delete("/api/v1/namespaces/late").ok();
        live(&mut bench, 70);
        assert_eq!(bench.cluster.wake_at(), None);
    }
}
