//! Workloads as a client sees them come up, roll, shrink and go.

use crate::http1::Method;
use crate::kube::testing::Bench;
use serde_json::{Value, json};

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/web/deployments/api";

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "api"}},
        "spec": {"containers": [{"name": "main", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}]}
    })
}

fn workload(image: &str, replicas: u32) -> Value {
    json!({
        "metadata": {"name": "api"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "api"}}, "template": template(image)}
    })
}

fn deploy(bench: &mut Bench, replicas: u32) {
    bench.post("/apis/apps/v1/namespaces/web/deployments", workload("api:1", replicas)).ok();
}

/// So many seconds, one after the other, as a worker lives through them.
fn live(bench: &mut Bench, seconds: u32) {
    (0..seconds).for_each(|_| bench.pass(1));
}

fn of_app(bench: &mut Bench, kind: &str) -> Vec<Value> {
    let list = bench.get(&format!("{kind}?labelSelector=app%3Dapi")).ok();
    list["items"].as_array().unwrap().clone()
}

fn pods(bench: &mut Bench) -> Vec<Value> {
    of_app(bench, "/api/v1/namespaces/web/pods")
}

fn images(bench: &mut Bench) -> Vec<String> {
    let image = |pod: &Value| pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
    pods(bench).iter().map(image).collect()
}

fn counts(object: &Value, fields: [&str; 4]) -> [i64; 4] {
    fields.map(|field| object["status"][field].as_i64().unwrap_or(0))
}

const REPLICAS: [&str; 4] = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];

#[test]
fn a_deployment_comes_up_after_a_while_and_reports_it() {
    let mut bench = Bench::new();
    deploy(&mut bench, 3);
    let fresh = bench.get(DEPLOYMENT).ok();
    assert_eq!(counts(&fresh, REPLICAS), [3, 3, 0, 0]);
    assert_eq!(fresh["status"]["unavailableReplicas"], 3);
    assert_eq!(fresh["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    let sets = of_app(&mut bench, "/apis/apps/v1/namespaces/web/replicasets");
    assert_eq!((sets.len(), &sets[0]["metadata"]["ownerReferences"][0]["name"]), (1, &json!("api")));
    for pod in pods(&mut bench) {
        assert_eq!(
            (&pod["status"]["phase"], &pod["status"]["containerStatuses"][0]["ready"]),
            (&json!("Pending"), &json!(false))
        );
        assert_eq!(pod["metadata"]["labels"]["pod-template-hash"], sets[0]["metadata"]["labels"]["pod-template-hash"]);
    }
    live(&mut bench, 4);
    let up = bench.get(DEPLOYMENT).ok();
    assert_eq!(counts(&up, REPLICAS), [3, 3, 3, 3]);
    assert_eq!(
        (&up["status"]["observedGeneration"], &up["status"]["conditions"][0]["status"]),
        (&json!(1), &json!("True"))
    );
    assert_eq!(up["status"]["conditions"][1]["reason"], "NewReplicaSetAvailable");
    let pods = pods(&mut bench);
    let mut addresses: Vec<&str> = pods.iter().map(|pod| pod["status"]["podIP"].as_str().unwrap()).collect();
    addresses.dedup();
    assert_eq!(addresses.len(), 3, "each has its own");
    assert!(pods.iter().all(|pod| pod["status"]["phase"] == "Running" && pod["spec"]["nodeName"].is_string()));
    let revision = bench.cluster.revision();
    live(&mut bench, 60);
    assert_eq!(bench.cluster.revision(), revision, "nothing happens by itself any more");
}

#[test]
fn a_rollout_keeps_enough_pods_and_can_be_undone() {
    let mut bench = Bench::new();
    deploy(&mut bench, 4);
    live(&mut bench, 4);
    bench.merge(DEPLOYMENT, json!({"spec": {"template": template("api:2")}})).ok();
    for _ in 0..30 {
        let now = bench.get(DEPLOYMENT).ok();
        let [replicas, _, _, available] = counts(&now, REPLICAS);
        assert!(replicas <= 5 && available >= 3, "25 % more, 25 % less: {replicas} {available}");
        live(&mut bench, 1);
    }
    assert_eq!(images(&mut bench), ["api:2"; 4]);
    let rolled = bench.get(DEPLOYMENT).ok();
    assert_eq!(counts(&rolled, REPLICAS), [4; 4]);
    assert_eq!(rolled["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    // What `kubectl rollout undo` sends: the template of the set before.
    bench.merge(DEPLOYMENT, json!({"spec": {"template": template("api:1")}})).ok();
    live(&mut bench, 30);
    assert_eq!(images(&mut bench), ["api:1"; 4]);
    let sets = of_app(&mut bench, "/apis/apps/v1/namespaces/web/replicasets");
    assert_eq!(sets.len(), 2, "the set of the first template is used again");
    let undone = bench.get(DEPLOYMENT).ok();
    assert_eq!(undone["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
}

#[test]
fn a_rollout_goes_on_after_a_restart() {
    let mut bench = Bench::new();
    let start = bench.cluster.revision();
    deploy(&mut bench, 4);
    live(&mut bench, 4);
    bench.merge(DEPLOYMENT, json!({"spec": {"template": template("api:2")}})).ok();
    live(&mut bench, 2);
    let mut after = bench.restarted(1, bench.cluster.written_since(start).places).unwrap();
    assert!(after.cluster.wake_at().is_some());
    live(&mut after, 30);
    assert_eq!(images(&mut after), ["api:2"; 4]);
    assert_eq!(counts(&after.get(DEPLOYMENT).ok(), REPLICAS), [4; 4]);
}

#[test]
fn a_deployment_is_scaled_paused_and_recreated() {
    let mut bench = Bench::new();
    deploy(&mut bench, 1);
    bench.merge(&format!("{DEPLOYMENT}/scale"), json!({"spec": {"replicas": 25}})).ok();
    live(&mut bench, 5);
    assert_eq!(counts(&bench.get(DEPLOYMENT).ok(), REPLICAS), [25; 4]);
    bench.merge(&format!("{DEPLOYMENT}/scale"), json!({"spec": {"replicas": 2}})).ok();
    assert_eq!(counts(&bench.get(DEPLOYMENT).ok(), REPLICAS), [2; 4]);
    bench.merge(DEPLOYMENT, json!({"spec": {"paused": true, "template": template("api:2")}})).ok();
    live(&mut bench, 10);
    assert_eq!(images(&mut bench), ["api:1"; 2]);
    let recreate = json!({"spec": {"paused": null, "strategy": {"type": "Recreate", "rollingUpdate": null}}});
    bench.merge(DEPLOYMENT, recreate).ok();
    assert!(images(&mut bench).iter().all(|image| image == "api:2"), "the old ones go first");
    live(&mut bench, 10);
    assert_eq!(counts(&bench.get(DEPLOYMENT).ok(), REPLICAS), [2; 4]);
}

#[test]
fn deleting_takes_or_leaves_what_is_owned() {
    let mut bench = Bench::new();
    deploy(&mut bench, 2);
    live(&mut bench, 4);
    bench.delete(&format!("{DEPLOYMENT}?propagationPolicy=Orphan")).ok();
    assert_eq!(of_app(&mut bench, "/apis/apps/v1/namespaces/web/replicasets").len(), 1);
    let name = of_app(&mut bench, "/apis/apps/v1/namespaces/web/replicasets")[0]["metadata"]["name"].clone();
    bench.delete(&format!("/apis/apps/v1/namespaces/web/replicasets/{}", name.as_str().unwrap())).ok();
    assert_eq!(pods(&mut bench).len(), 0);
    deploy(&mut bench, 2);
    live(&mut bench, 4);
    bench.delete(&format!("{DEPLOYMENT}?propagationPolicy=Foreground")).ok();
    live(&mut bench, 2);
    assert_eq!((bench.get(DEPLOYMENT).code, pods(&mut bench).len()), (404, 0));
}

#[test]
fn a_deleted_pod_is_replaced() {
    let mut bench = Bench::new();
    deploy(&mut bench, 2);
    live(&mut bench, 4);
    let name = pods(&mut bench)[0]["metadata"]["name"].clone();
    bench.delete(&format!("/api/v1/namespaces/web/pods/{}", name.as_str().unwrap())).ok();
    assert_eq!(counts(&bench.get(DEPLOYMENT).ok(), REPLICAS), [2, 2, 1, 1]);
    live(&mut bench, 4);
    assert_eq!(counts(&bench.get(DEPLOYMENT).ok(), REPLICAS), [2; 4]);
}

#[test]
fn what_no_node_takes_waits_and_says_why() {
    let mut bench = Bench::new();
    let mut object = workload("api:1", 1);
    object["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "fast"});
    bench.post("/apis/apps/v1/namespaces/web/deployments", object).ok();
    live(&mut bench, 10);
    let pod = pods(&mut bench).remove(0);
    assert_eq!((&pod["status"]["phase"], &pod["spec"]["nodeName"]), (&json!("Pending"), &Value::Null));
    let condition = &pod["status"]["conditions"][0];
    assert_eq!((&condition["type"], &condition["reason"]), (&json!("PodScheduled"), &json!("Unschedulable")));
    let message = condition["message"].as_str().unwrap();
    assert!(
        message.starts_with("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."),
        "{message}"
    );
    bench.merge("/api/v1/nodes/edge-worker-2", json!({"metadata": {"labels": {"disk": "fast"}}})).ok();
    live(&mut bench, 4);
    let pod = pods(&mut bench).remove(0);
    assert_eq!((&pod["status"]["phase"], &pod["spec"]["nodeName"]), (&json!("Running"), &json!("edge-worker-2")));
}

#[test]
fn a_daemon_set_is_on_every_node_and_rolls() {
    let mut bench = Bench::new();
    let mut object = workload("api:1", 0);
    object["spec"].as_object_mut().unwrap().remove("replicas");
    bench.post("/apis/apps/v1/namespaces/web/daemonsets", object).ok();
    live(&mut bench, 4);
    let target = "/apis/apps/v1/namespaces/web/daemonsets/api";
    let fields = ["desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled"];
    assert_eq!(counts(&bench.get(target).ok(), fields), [3; 4]);
    let node =
        json!({"metadata": {"name": "edge-worker-3"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    bench.post("/api/v1/nodes", node).ok();
    live(&mut bench, 4);
    assert_eq!(counts(&bench.get(target).ok(), fields), [4; 4]);
    bench.merge(target, json!({"spec": {"template": template("api:2")}})).ok();
    live(&mut bench, 25);
    assert_eq!(images(&mut bench), ["api:2"; 4]);
    assert_eq!(counts(&bench.get(target).ok(), fields), [4; 4]);
    assert_eq!(of_app(&mut bench, "/apis/apps/v1/namespaces/web/controllerrevisions").len(), 2);
    bench.delete("/api/v1/nodes/edge-worker-3").ok();
    assert_eq!(pods(&mut bench).len(), 3);
}

#[test]
fn a_stateful_set_goes_one_by_one_with_claims_of_its_own() {
    let mut bench = Bench::new();
    let mut object = workload("api:1", 3);
    object["spec"]["serviceName"] = json!("api");
    object["spec"]["volumeClaimTemplates"] = json!([{
        "metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    }]);
    object["spec"]["template"]["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    bench.post("/apis/apps/v1/namespaces/web/statefulsets", object).ok();
    let names = |bench: &mut Bench| {
        let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
        pods(bench).iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&mut bench), ["api-0"]);
    let claims: Vec<Value> = pods(&mut bench)[0]["spec"]["volumes"].as_array().unwrap().to_vec();
    let of_data = |volume: &&Value| volume["name"] == "data";
    assert_eq!(claims.iter().filter(of_data).count(), 1, "a claim takes the place of a volume of its name");
    live(&mut bench, 12);
    assert_eq!(names(&mut bench), ["api-0", "api-1", "api-2"]);
    let target = "/apis/apps/v1/namespaces/web/statefulsets/api";
    assert_eq!(counts(&bench.get(target).ok(), REPLICAS), [3; 4]);
    let claim = bench.get("/api/v1/namespaces/web/persistentvolumeclaims/data-api-2").ok();
    assert_eq!(claim["status"]["phase"], "Bound");
    let volume =
        bench.get(&format!("/api/v1/persistentvolumes/{}", claim["spec"]["volumeName"].as_str().unwrap())).ok();
    assert_eq!(
        (&volume["status"]["phase"], &volume["spec"]["claimRef"]["name"]),
        (&json!("Bound"), &json!("data-api-2"))
    );
    bench.merge(target, json!({"spec": {"template": template("api:2")}})).ok();
    live(&mut bench, 20);
    assert_eq!(images(&mut bench), ["api:2"; 3]);
    let status = bench.get(target).ok()["status"].clone();
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    bench.merge(target, json!({"spec": {"replicas": 1}})).ok();
    live(&mut bench, 5);
    assert_eq!(names(&mut bench), ["api-0"]);
    bench.delete("/api/v1/namespaces/web/persistentvolumeclaims/data-api-2").ok();
    assert_eq!(bench.get("/api/v1/persistentvolumes").names().len(), 2);
}

fn job(name: &str, spec: Value) -> Value {
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "task:1"}]}});
    let mut job = json!({"metadata": {"name": name}, "spec": spec});
    job["spec"]["template"] = template;
    job
}

#[test]
fn a_job_runs_to_its_end_and_expires() {
    let mut bench = Bench::new();
    let spec = json!({"completions": 3, "parallelism": 2, "ttlSecondsAfterFinished": 60});
    bench.post("/apis/batch/v1/namespaces/web/jobs", job("task", spec)).ok();
    let target = "/apis/batch/v1/namespaces/web/jobs/task";
    assert_eq!(bench.get(target).ok()["status"]["active"], 2);
    live(&mut bench, 15);
    let done = bench.get(target).ok();
    assert_eq!((&done["status"]["succeeded"], &done["status"]["active"]), (&json!(3), &Value::Null));
    assert!(done["status"]["completionTime"].is_string());
    let kinds: Vec<_> =
        done["status"]["conditions"].as_array().unwrap().iter().map(|condition| condition["type"].clone()).collect();
    assert_eq!(kinds, ["SuccessCriteriaMet", "Complete"]);
    let pods = "/api/v1/namespaces/web/pods?labelSelector=job-name%3Dtask";
    assert_eq!(bench.get(pods).names().len(), 3);
    live(&mut bench, 60);
    assert_eq!((bench.get(target).code, bench.get(pods).names().len()), (404, 0));
}

#[test]
fn an_indexed_job_numbers_its_pods() {
    let mut bench = Bench::new();
    let spec = json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed"});
    bench.post("/apis/batch/v1/namespaces/web/jobs", job("task", spec)).ok();
    live(&mut bench, 10);
    let list = bench.get("/api/v1/namespaces/web/pods?labelSelector=job-name%3Dtask").ok();
    let index = |pod: &Value| pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"].clone();
    let mut indexes: Vec<Value> = list["items"].as_array().unwrap().iter().map(index).collect();
    indexes.sort_by_key(Value::to_string);
    assert_eq!(indexes, ["0", "1"]);
}

#[test]
fn a_cron_job_starts_jobs_and_keeps_the_latest() {
    let mut bench = Bench::new();
    let cron = json!({"metadata": {"name": "tick"}, "spec": {
        "schedule": "*/5 * * * *", "successfulJobsHistoryLimit": 2, "jobTemplate": {"spec": job("x", json!({}))["spec"]}
    }});
    bench.post("/apis/batch/v1/namespaces/web/cronjobs", cron).ok();
    let jobs = "/apis/batch/v1/namespaces/web/jobs";
    assert_eq!(bench.get(jobs).names(), [""; 0]);
    for _ in 0..4 * 60 + 4 {
        bench.pass(5);
    }
    assert_eq!(bench.get(jobs).names().len(), 2);
    let cron = bench.get("/apis/batch/v1/namespaces/web/cronjobs/tick").ok();
    assert_eq!(cron["status"]["lastScheduleTime"], "2026-01-01T00:20:00Z");
}

#[test]
fn endpoints_follow_the_pods() {
    let mut bench = Bench::new();
    let service = json!({"metadata": {"name": "api"}, "spec": {"selector": {"app": "api"}, "ports": [{"port": 80, "targetPort": "http"}]}});
    bench.post("/api/v1/namespaces/web/services", service).ok();
    deploy(&mut bench, 2);
    let target = "/api/v1/namespaces/web/endpoints/api";
    let fresh = bench.get(target).ok();
    assert_eq!(fresh["subsets"][0]["notReadyAddresses"].as_array().unwrap().len(), 2);
    live(&mut bench, 4);
    let up = bench.get(target).ok();
    assert_eq!(up["subsets"][0]["addresses"].as_array().unwrap().len(), 2);
    assert_eq!(up["subsets"][0]["ports"], json!([{"port": 8080, "protocol": "TCP"}]));
    let slices = bench
        .get("/apis/discovery.k8s.io/v1/namespaces/web/endpointslices?labelSelector=kubernetes.io/service-name%3Dapi")
        .ok();
    assert_eq!(slices["items"][0]["endpoints"][1]["conditions"]["ready"], true);
    bench.delete(DEPLOYMENT).ok();
    assert_eq!(bench.get(target).ok()["subsets"], Value::Null);
}

#[test]
fn a_budget_keeps_pods_from_being_evicted() {
    let mut bench = Bench::new();
    deploy(&mut bench, 2);
    live(&mut bench, 4);
    let budget =
        json!({"metadata": {"name": "api"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "api"}}}});
    bench.post("/apis/policy/v1/namespaces/web/poddisruptionbudgets", budget).ok();
    let status = bench.get("/apis/policy/v1/namespaces/web/poddisruptionbudgets/api").ok()["status"].clone();
    assert_eq!((&status["disruptionsAllowed"], &status["expectedPods"]), (&json!(1), &json!(2)));
    let names: Vec<String> =
        pods(&mut bench).iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    let mut evict = |name: &str| {
        let eviction = json!({"metadata": {"name": name, "namespace": "web"}});
        let target = format!("/api/v1/namespaces/web/pods/{name}/eviction");
        let headers = [("Content-Type", "application/json")];
        let answer = bench.call(Method::Post, &target, &headers, eviction.to_string().as_bytes());
        (answer.code, answer.body["details"]["causes"][0]["message"].clone())
    };
    assert_eq!(evict(&names[0]).0, 201);
    let wanted = "The disruption budget api needs 1 healthy pods and has 1 currently";
    assert_eq!(evict(&names[1]), (429, json!(wanted)));
}

#[test]
fn events_tell_what_was_done_and_the_oldest_go() {
    let mut bench = Bench::new();
    deploy(&mut bench, 1);
    live(&mut bench, 4);
    let list = bench.get("/api/v1/namespaces/web/events").ok();
    let mut reasons: Vec<String> =
        list["items"].as_array().unwrap().iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect();
    reasons.sort();
    assert_eq!(reasons, ["ScalingReplicaSet", "Scheduled", "Started", "SuccessfulCreate"]);
    bench.merge(&format!("{DEPLOYMENT}/scale"), json!({"spec": {"replicas": 40}})).ok();
    live(&mut bench, 6);
    assert_eq!(bench.get("/api/v1/events").names().len(), 32);
}

#[test]
fn what_was_orphaned_is_taken_on_again() {
    let mut bench = Bench::new();
    deploy(&mut bench, 2);
    live(&mut bench, 4);
    let before: Vec<Value> = pods(&mut bench).iter().map(|pod| pod["metadata"]["uid"].clone()).collect();
    let sets = "/apis/apps/v1/namespaces/web/replicasets";
    let set = of_app(&mut bench, sets)[0].clone();
    // Both go, and leave what they own to itself.
    bench.delete(&format!("{DEPLOYMENT}?propagationPolicy=Orphan")).ok();
    let name = set["metadata"]["name"].as_str().unwrap();
    bench.delete(&format!("{sets}/{name}?propagationPolicy=Orphan")).ok();
    live(&mut bench, 3);
    assert!(pods(&mut bench).iter().all(|pod| pod["metadata"].get("ownerReferences").is_none()));
    let mut again = set.clone();
    for field in ["uid", "resourceVersion", "ownerReferences"] {
        again["metadata"].as_object_mut().unwrap().remove(field);
    }
    let again = bench.post(sets, again).ok();
    live(&mut bench, 3);
    let kept = pods(&mut bench);
    assert_eq!(kept.iter().map(|pod| pod["metadata"]["uid"].clone()).collect::<Vec<_>>(), before);
    assert!(kept.iter().all(|pod| pod["metadata"]["ownerReferences"][0]["uid"] == again["metadata"]["uid"]));
    // So is a set by a deployment, and a pod that comes with the labels: that one is too many.
    deploy(&mut bench, 2);
    live(&mut bench, 3);
    let owner = bench.get(DEPLOYMENT).ok()["metadata"]["uid"].clone();
    assert_eq!(of_app(&mut bench, sets)[0]["metadata"]["ownerReferences"][0]["uid"], owner);
    let labels = again["spec"]["selector"]["matchLabels"].clone();
    let pod = json!({"metadata": {"name": "stray", "labels": labels}, "spec": {"containers": [{"name": "main", "image": "i"}]}});
    bench.post("/api/v1/namespaces/web/pods", pod).ok();
    live(&mut bench, 3);
    assert_eq!(pods(&mut bench).len(), 2);
}

#[test]
fn a_replication_controller_keeps_its_pods() {
    let mut bench = Bench::new();
    let controllers = "/api/v1/namespaces/web/replicationcontrollers";
    let spec = json!({"replicas": 2, "selector": {"app": "api"}, "template": template("api:1")});
    bench.post(controllers, json!({"metadata": {"name": "api"}, "spec": spec})).ok();
    live(&mut bench, 4);
    let status = bench.get(&format!("{controllers}/api")).ok()["status"].clone();
    assert_eq!((&status["replicas"], &status["availableReplicas"]), (&json!(2), &json!(2)));
    let names: Vec<Value> = pods(&mut bench).iter().map(|pod| pod["metadata"]["name"].clone()).collect();
    bench.delete(&format!("/api/v1/namespaces/web/pods/{}", names[0].as_str().unwrap())).ok();
    live(&mut bench, 2);
    assert_eq!(pods(&mut bench).len(), 2);
    bench.delete(&format!("{controllers}/api?propagationPolicy=Background")).ok();
    live(&mut bench, 2);
    assert_eq!(pods(&mut bench).len(), 0);
}

#[test]
fn a_job_that_takes_too_long_fails() {
    let mut bench = Bench::new();
    // Nothing runs in a pod that no node takes.
    let spec = json!({"activeDeadlineSeconds": 10, "template": {"spec": {
        "restartPolicy": "Never", "nodeSelector": {"no": "where"}, "containers": [{"name": "c", "image": "i"}]
    }}});
    bench.post("/apis/batch/v1/namespaces/web/jobs", json!({"metadata": {"name": "late"}, "spec": spec})).ok();
    live(&mut bench, 9);
    let running = bench.get("/apis/batch/v1/namespaces/web/jobs/late").ok();
    assert_eq!((&running["status"]["active"], running["status"].get("conditions")), (&json!(1), None));
    live(&mut bench, 3);
    let failed = bench.get("/apis/batch/v1/namespaces/web/jobs/late").ok();
    let conditions = failed["status"]["conditions"].as_array().unwrap();
    let told: Vec<_> = conditions.iter().map(|condition| (&condition["type"], &condition["reason"])).collect();
    let reason = json!("DeadlineExceeded");
    assert_eq!(told, [(&json!("FailureTarget"), &reason), (&json!("Failed"), &reason)]);
    let pods = bench.get("/api/v1/namespaces/web/pods?labelSelector=job-name%3Dlate").ok();
    assert_eq!(pods["items"], json!([]), "its pod went");
}

#[test]
fn a_job_that_goes_on_says_so_and_has_its_time_again() {
    let mut bench = Bench::new();
    let spec = json!({"suspend": true, "activeDeadlineSeconds": 30});
    bench.post("/apis/batch/v1/namespaces/web/jobs", job("task", spec)).ok();
    let target = "/apis/batch/v1/namespaces/web/jobs/task";
    let suspended = |bench: &mut Bench| {
        let status = bench.get(target).ok()["status"].clone();
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let condition = conditions.into_iter().find(|condition| condition["type"] == "Suspended").unwrap_or_default();
        (condition["status"].clone(), condition["reason"].clone(), status["startTime"].clone())
    };
    live(&mut bench, 5);
    assert_eq!(suspended(&mut bench), (json!("True"), json!("JobSuspended"), json!(null)));
    bench.merge(target, json!({"spec": {"suspend": false}})).ok();
    let resumed = (json!("False"), json!("JobResumed"), json!("2026-01-01T00:00:05Z"));
    assert_eq!(suspended(&mut bench), resumed);
    bench.merge(target, json!({"spec": {"suspend": true}})).ok();
    live(&mut bench, 60);
    bench.merge(target, json!({"spec": {"suspend": false}})).ok();
    live(&mut bench, 15);
    assert_eq!(suspended(&mut bench).2, "2026-01-01T00:01:05Z");
    assert_eq!(bench.get(target).ok()["status"]["succeeded"], 1, "it did not run out of time meanwhile");
}

#[test]
fn a_paused_deployment_says_so() {
    let mut bench = Bench::new();
    deploy(&mut bench, 1);
    live(&mut bench, 4);
    let progressing = |bench: &mut Bench| {
        let deployment = bench.get(DEPLOYMENT).ok();
        let mut conditions = deployment["status"]["conditions"].as_array().unwrap().iter();
        let condition = conditions.find(|condition| condition["type"] == "Progressing").unwrap();
        (condition["status"].clone(), condition["reason"].clone())
    };
    bench.merge(DEPLOYMENT, json!({"spec": {"paused": true}})).ok();
    assert_eq!(progressing(&mut bench), (json!("Unknown"), json!("DeploymentPaused")));
    bench.merge(DEPLOYMENT, json!({"spec": {"paused": null}})).ok();
    assert_eq!(progressing(&mut bench), (json!("True"), json!("NewReplicaSetAvailable")));
}

#[test]
fn a_pod_pulls_with_the_secrets_of_its_account() {
    let mut bench = Bench::new();
    let account = json!({"metadata": {"name": "puller"}, "imagePullSecrets": [{"name": "registry"}], "automountServiceAccountToken": false});
    bench.post("/api/v1/namespaces/web/serviceaccounts", account).ok();
    for (name, own, wanted) in [("plain", json!(null), "registry"), ("own", json!([{"name": "mine"}]), "mine")] {
        let pod = json!({"metadata": {"name": name}, "spec": {
            "serviceAccountName": "puller", "imagePullSecrets": own, "containers": [{"name": "c", "image": "i"}]
        }});
        let pod = bench.post("/api/v1/namespaces/web/pods", pod).ok();
        assert_eq!(pod["spec"]["imagePullSecrets"], json!([{"name": wanted}]), "{name}");
    }
}

#[test]
fn a_claim_in_use_is_kept_until_its_pod_is_gone() {
    let mut bench = Bench::new();
    let claim = "/api/v1/namespaces/web/persistentvolumeclaims/data";
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    bench
        .post("/api/v1/namespaces/web/persistentvolumeclaims", json!({"metadata": {"name": "data"}, "spec": spec}))
        .ok();
    let pod = json!({"metadata": {"name": "user"}, "spec": {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    }});
    bench.post("/api/v1/namespaces/web/pods", pod).ok();
    live(&mut bench, 3);
    let volume = bench.get(claim).ok()["spec"]["volumeName"].as_str().unwrap().to_owned();
    bench.delete(claim).ok();
    live(&mut bench, 2);
    assert!(bench.get(claim).ok()["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(bench.get(&format!("/api/v1/persistentvolumes/{volume}")).ok()["status"]["phase"], "Bound");
    bench.delete("/api/v1/namespaces/web/pods/user?gracePeriodSeconds=0").ok();
    live(&mut bench, 2);
    assert_eq!(bench.get(claim).code, 404);
    assert_eq!(bench.get(&format!("/api/v1/persistentvolumes/{volume}")).code, 404, "its class lets it go");
}
