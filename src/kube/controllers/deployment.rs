//! Deployments: a ReplicaSet for each template, and rollouts from one to the next (`kube-controller-manager` deployment controller).

use super::agenda::Work;
use super::owned::controlled_by;
use super::pods::{after, condition, hash_of, moment, number, remove_condition, scaled, set_condition, set_counts};
use super::replica_set::REPLICA_FAILURE;
use crate::kube::request::served::Served;
use crate::kube::strategy::defaulted;
use crate::kube::tree::text;
use crate::kube::{Cluster, tree};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A deployment and its replica sets at one moment.
struct Rollout {
    path: String,
    deployment: Value,
    /// The oldest first.
    sets: Vec<Value>,
    /// Which of them has the deployment's template.
    newest: Option<usize>,
}

impl Cluster {
    /// Takes a deployment's next step, or else brings its status up to date.
    pub(super) fn keep_deployment(&mut self, path: &str, now: Timestamp) {
        let Some((deployments, version, deployment)) = self.living("apps", "deployments", path) else { return };
        let Some(sets) = Cluster::built_in("apps", "replicasets") else { return };
        if self.adopt_sets(path, &deployment) {
            // Their coming is heard.
            return self.agenda.add(Work::Deployment(path.into()));
        }
        let owner = self.as_owner(&deployments, &version);
        let controlled = self.controlled(&sets, path, &owner);
        let owned = self.release(&sets, controlled, &deployment, &owner, &|_| true);
        let mut owned: Vec<Value> = owned.into_iter().map(|(_, set)| set).collect();
        owned.sort_by_key(revision);
        let wanted = comparable(&deployments, &deployment);
        let newest = owned.iter().rposition(|set| comparable(&sets, set) == wanted);
        let rollout = Rollout { path: path.to_owned(), deployment, sets: owned, newest };
        let is_paused = rollout.deployment["spec"]["paused"] == true;
        let acted = match rollout.newest {
            None if !is_paused => {
                rollout.is_recreated() && self.scale_old(&sets, &rollout, now) || self.make_set(&sets, &rollout, now)
            }
            Some(newest) if !is_paused => {
                self.number_revision(&sets, &rollout, newest)
                    || self.scale_new(&sets, &rollout, newest, now)
                    || self.scale_old(&sets, &rollout, now)
            }
            _ => self.scale_paused(&sets, &rollout, now),
        };
        if !acted {
            self.report_deployment(&rollout, now);
            self.forget_sets(&sets, &rollout, now);
        }
    }

    fn make_set(&mut self, sets: &Served, rollout: &Rollout, now: Timestamp) -> bool {
        let deployment = &rollout.deployment;
        let template = &deployment["spec"]["template"];
        let collisions = number(&deployment["status"]["collisionCount"]).max(0);
        let hash = if collisions > 0 { hash_of(&json!([template, collisions])) } else { hash_of(template) };
        let name = format!("{}-{hash}", text(&deployment["metadata"]["name"]));
        let replicas = (rollout.most() - rollout.total()).clamp(0, rollout.replicas());
        let mut annotations = deployment["metadata"]["annotations"].clone();
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.retain(|name, _| name != LAST_APPLIED && !name.starts_with("deployment.kubernetes.io/"));
        }
        let mut set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": name, "namespace": deployment["metadata"]["namespace"], "annotations": annotations,
                "labels": deployment["spec"]["template"]["metadata"]["labels"],
                "ownerReferences": controlled_by("apps/v1", "Deployment", deployment)
            },
            "spec": {"replicas": replicas, "selector": deployment["spec"]["selector"], "template": deployment["spec"]["template"]}
        });
        if let Some(seconds) = deployment["spec"].get("minReadySeconds") {
            tree::set(&mut set, &["spec", "minReadySeconds"], seconds.clone());
        }
        for labels in [
            &["metadata", "labels"][..],
            &["spec", "selector", "matchLabels"],
            &["spec", "template", "metadata", "labels"],
        ] {
            tree::set(tree::at(&mut set, labels), &[HASH], hash.as_str());
        }
        tree::set(&mut set, &["metadata", "annotations", REVISION], (rollout.last_revision() + 1).to_string());
        rollout.annotate(&mut set);
        if let Err(status) = self.spawn(sets, set, now) {
            let work = Work::Deployment(rollout.path.as_str().into());
            if status.reason == "AlreadyExists" {
                // Somebody else's set has the name: there is another for every count.
                let revision = self.store.revision();
                self.set_status("apps", "deployments", &rollout.path, now, |status, _| {
                    tree::set(status, &["collisionCount"], collisions.saturating_add(1));
                });
                if self.store.revision() != revision {
                    self.agenda.add(work);
                }
                return true;
            }
            let words = format!("Failed to create new replica set \"{name}\": ");
            let problem = format!("{words}{}", status.message);
            self.set_status("apps", "deployments", &rollout.path, now, |status, now| {
                put(tree::at(status, &["conditions"]), "Progressing", ("False", CREATE_ERROR, &problem), now);
            });
            self.refused(work, deployment, &status, (CREATE_ERROR, &words), CONTROLLER, now);
            return true;
        }
        if replicas > 0 {
            self.tell_scaled(rollout, &name, (0, replicas), now);
        }
        true
    }

    /// Gives the newest set a revision above all others (`SetNewReplicaSetAnnotations`).
    fn number_revision(&mut self, sets: &Served, rollout: &Rollout, newest: usize) -> bool {
        let set = &rollout.sets[newest];
        let others = rollout.sets.iter().enumerate().filter(|(at, _)| *at != newest).map(|(_, set)| revision(set));
        let (own, last) = (revision(set), others.max().unwrap_or(0));
        if own > last {
            return false;
        }
        self.rewrite(sets, &rollout.set_path(set), |set| {
            let annotations = tree::at(set, &["metadata", "annotations"]);
            if own > 0 {
                let past = annotations
                    .get(REVISION_HISTORY)
                    .and_then(Value::as_str)
                    .map_or_else(String::new, |past| format!("{past},"));
                tree::set(annotations, &[REVISION_HISTORY], format!("{past}{own}"));
            }
            tree::set(annotations, &[REVISION], (last + 1).to_string());
        })
    }

    fn scale_new(&mut self, sets: &Served, rollout: &Rollout, newest: usize, now: Timestamp) -> bool {
        let set = &rollout.sets[newest];
        let (now_wanted, wanted) = (size(set), rollout.replicas());
        let target = if now_wanted >= wanted {
            wanted
        } else if rollout.is_recreated() {
            if rollout.old().any(|set| number(&set["status"]["replicas"]) > 0 || size(set) > 0) {
                now_wanted
            } else {
                wanted
            }
        } else {
            now_wanted + (rollout.most() - rollout.total()).clamp(0, wanted - now_wanted)
        };
        self.scale_set(sets, rollout, set, target, now)
    }

    /// Shrinks the other sets as far as enough pods are available (`reconcileOldReplicaSets`).
    fn scale_old(&mut self, sets: &Served, rollout: &Rollout, now: Timestamp) -> bool {
        let mut spare = if rollout.is_recreated() {
            i64::MAX
        } else {
            let newest = rollout.newest.map(|newest| &rollout.sets[newest]);
            let unavailable = newest.map_or(0, |set| size(set) - number(&set["status"]["availableReplicas"]));
            rollout.total() - rollout.fewest() - unavailable
        };
        let mut healthy =
            rollout.sets.iter().map(|set| number(&set["status"]["availableReplicas"])).sum::<i64>() - rollout.fewest();
        let mut acted = false;
        for set in rollout.old().filter(|set| size(set) > 0) {
            let ill = (size(set) - number(&set["status"]["availableReplicas"])).clamp(0, spare.max(0));
            let well = if rollout.is_recreated() {
                size(set) - ill
            } else {
                (size(set) - ill).min(healthy).min(spare - ill).max(0)
            };
            spare -= ill + well;
            healthy -= well;
            acted |= self.scale_set(sets, rollout, set, size(set) - ill - well, now);
        }
        acted
    }

    /// A paused deployment is still scaled, as long as one set has all the pods.
    fn scale_paused(&mut self, sets: &Served, rollout: &Rollout, now: Timestamp) -> bool {
        let mut active = rollout.sets.iter().filter(|set| size(set) > 0);
        match (active.next().or(rollout.sets.last()), active.next()) {
            (Some(set), None) => self.scale_set(sets, rollout, set, rollout.replicas(), now),
            _ => false,
        }
    }

    fn scale_set(&mut self, sets: &Served, rollout: &Rollout, set: &Value, target: i64, now: Timestamp) -> bool {
        let before = size(set);
        let changed = self.rewrite(sets, &rollout.set_path(set), |set| {
            tree::set(set, &["spec", "replicas"], target);
            rollout.annotate(set);
        });
        if changed && before != target {
            self.tell_scaled(rollout, text(&set["metadata"]["name"]), (before, target), now);
        }
        changed
    }

    fn tell_scaled(&mut self, rollout: &Rollout, set: &str, (from, to): (i64, i64), now: Timestamp) {
        let direction = if to > from { "up" } else { "down" };
        let message = format!("Scaled {direction} replica set {set} from {from} to {to}");
        self.tell(&rollout.deployment, "Normal", "ScalingReplicaSet", &message, CONTROLLER, now);
    }

    fn report_deployment(&mut self, rollout: &Rollout, now: Timestamp) {
        let newest = rollout.newest.map(|newest| rollout.sets[newest].clone()).unwrap_or_default();
        let sum = |field: &str| rollout.sets.iter().map(|set| number(&set["status"][field])).sum::<i64>();
        let (replicas, available) = (sum("replicas"), sum("availableReplicas"));
        let updated = number(&newest["status"]["replicas"]);
        let counts = [
            ("replicas", replicas),
            ("updatedReplicas", updated),
            ("readyReplicas", sum("readyReplicas")),
            ("availableReplicas", available),
            ("unavailableReplicas", (rollout.total() - available).max(0)),
            ("terminatingReplicas", 0),
        ];
        let wanted = rollout.replicas();
        let is_complete = updated == wanted && replicas == wanted && available == wanted;
        let deployment = &rollout.deployment;
        let has_progressed = counts.iter().any(|(field, count)| number(&deployment["status"][field]) != *count);
        let progress = progress(
            deployment,
            text(&newest["metadata"]["name"]),
            is_complete,
            replicas == updated,
            has_progressed,
            now,
        );
        if let Err(deadline) = progress {
            self.agenda.add_at(deadline, Work::Deployment(rollout.path.as_str().into()));
        }
        if deployment["spec"]["paused"] == true {
            self.tell_paused(rollout, &progress, now);
        }
        let failure = rollout.failure().cloned();
        let has_minimum = available >= rollout.fewest();
        let Some(deployments) = Cluster::built_in("apps", "deployments") else { return };
        let stamp = crate::kube::object::time(now.as_second());
        self.rewrite(&deployments, &rollout.path, |deployment| {
            if let Some(revision) = newest["metadata"]["annotations"].get(REVISION) {
                tree::set(deployment, &["metadata", "annotations", REVISION], revision.clone());
            }
            let generation = deployment["metadata"]["generation"].clone();
            let status = tree::at(deployment, &["status"]);
            if !status.is_object() {
                *status = json!({});
            }
            status["observedGeneration"] = generation;
            set_counts(status, &counts);
            let conditions = tree::at(status, &["conditions"]);
            let available = match has_minimum {
                true => ("True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
                false => ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
            };
            put(conditions, "Available", available, &stamp);
            if let Ok(Some((status, reason, message))) = &progress {
                put(conditions, "Progressing", (status, reason, message), &stamp);
            }
            match &failure {
                Some(failure) => show_failure(conditions, failure),
                None => remove_condition(status, REPLICA_FAILURE),
            }
        });
    }

    /// That it is paused is said before anything else (`checkPausedConditions`).
    fn tell_paused(&mut self, rollout: &Rollout, progress: &Progress, now: Timestamp) {
        let Ok(Some((status, reason, message))) = progress else { return };
        self.set_status("apps", "deployments", &rollout.path, now, |shown, now| {
            put(tree::at(shown, &["conditions"]), "Progressing", (status, reason, message), now);
        });
    }

    /// Deletes the oldest sets beyond the revisions to be kept, once nothing rolls.
    fn forget_sets(&mut self, sets: &Served, rollout: &Rollout, now: Timestamp) {
        let limit = rollout.deployment["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10) as usize;
        let is_empty = |set: &&Value| size(set) == 0 && number(&set["status"]["replicas"]) == 0;
        let old: Vec<&Value> = rollout.old().filter(is_empty).collect();
        for set in old.iter().take(old.len().saturating_sub(limit)) {
            if let Some(version) = self.store.get(sets.storage, &rollout.set_path(set)) {
                self.withdraw(sets, &version, now);
            }
        }
    }
}

impl Rollout {
    fn replicas(&self) -> i64 {
        number(&self.deployment["spec"]["replicas"])
    }

    /// How many pods its sets want.
    fn total(&self) -> i64 {
        self.sets.iter().map(size).sum()
    }

    fn old(&self) -> impl Iterator<Item = &Value> {
        self.sets.iter().enumerate().filter(|(at, _)| Some(*at) != self.newest).map(|(_, set)| set)
    }

    /// What its sets fail at, the newest before the others.
    fn failure(&self) -> Option<&Value> {
        let newest = self.newest.map(|newest| &self.sets[newest]);
        newest.into_iter().chain(&self.sets).find_map(|set| condition(set, REPLICA_FAILURE))
    }

    fn is_recreated(&self) -> bool {
        self.deployment["spec"]["strategy"]["type"] == "Recreate"
    }

    /// The most pods there may be.
    fn most(&self) -> i64 {
        if self.is_recreated() { self.replicas() } else { self.replicas() + self.surge_and_unavailable().0 }
    }

    /// The fewest pods that have to be available.
    fn fewest(&self) -> i64 {
        if self.is_recreated() { self.replicas() } else { self.replicas() - self.surge_and_unavailable().1 }
    }

    fn surge_and_unavailable(&self) -> (i64, i64) {
        let rolling = &self.deployment["spec"]["strategy"]["rollingUpdate"];
        let surge = scaled(&rolling["maxSurge"], self.replicas(), true);
        let unavailable = scaled(&rolling["maxUnavailable"], self.replicas(), false).min(self.replicas());
        // With neither nothing would ever move (`ResolveFenceposts`).
        if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
    }

    fn last_revision(&self) -> i64 {
        self.sets.iter().map(revision).max().unwrap_or(0)
    }

    fn set_path(&self, set: &Value) -> String {
        crate::kube::store::path_of(set["metadata"]["namespace"].as_str(), text(&set["metadata"]["name"]))
    }

    /// What a set tells of its deployment's size.
    fn annotate(&self, set: &mut Value) {
        let annotations = tree::at(set, &["metadata", "annotations"]);
        tree::set(annotations, &["deployment.kubernetes.io/desired-replicas"], self.replicas().to_string());
        tree::set(annotations, &["deployment.kubernetes.io/max-replicas"], self.most().to_string());
    }
}

/// What the condition `Progressing` says, if anything new; `Err` with the time at which it is to be looked at again.
type Progress = Result<Option<(&'static str, &'static str, String)>, Timestamp>;

fn progress(
    deployment: &Value,
    set: &str,
    is_complete: bool,
    nothing_old: bool,
    has_progressed: bool,
    now: Timestamp,
) -> Progress {
    let known = condition(deployment, "Progressing");
    if deployment["spec"]["paused"] == true {
        // What came to a stop before stays said (`checkPausedConditions`).
        let is_late = known.is_some_and(|known| known["reason"] == "ProgressDeadlineExceeded");
        return Ok((!is_late).then(|| ("Unknown", "DeploymentPaused", "Deployment is paused".into())));
    }
    let was_complete = known.is_some_and(|known| known["reason"] == "NewReplicaSetAvailable");
    if is_complete {
        return Ok(Some((
            "True",
            "NewReplicaSetAvailable",
            format!("ReplicaSet \"{set}\" has successfully progressed."),
        )));
    }
    let names_it = |known: &Value| text(&known["message"]).contains(&format!("\"{set}\""));
    let same_set = known.is_some_and(|known| known["reason"] != CREATE_ERROR && names_it(known));
    // A deployment that was complete and lost or gained pods is not rolled out anew.
    if was_complete && nothing_old && same_set {
        return Ok(None);
    }
    let since = known.and_then(|known| moment(&known["lastUpdateTime"])).unwrap_or(now);
    let deadline = after(since, deployment["spec"]["progressDeadlineSeconds"].as_i64().unwrap_or(600));
    if has_progressed || known.is_none() || !same_set {
        return Ok(Some(("True", "ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing."))));
    }
    if known.is_some_and(|known| known["reason"] == "ProgressDeadlineExceeded") {
        return Ok(None);
    }
    if deadline <= now {
        return Ok(Some((
            "False",
            "ProgressDeadlineExceeded",
            format!("ReplicaSet \"{set}\" has timed out progressing."),
        )));
    }
    Err(deadline)
}

/// Puts a condition that also tells when it was updated.
fn put(conditions: &mut Value, kind: &str, (status, reason, message): (&str, &str, &str), now: &str) {
    let known = conditions.as_array().and_then(|list| list.iter().find(|known| known["type"] == kind));
    let same =
        known.filter(|known| known["status"] == status && known["reason"] == reason && known["message"] == message);
    if same.is_none() || (kind == "Progressing" && reason == "ReplicaSetUpdated") {
        let condition =
            json!({"type": kind, "status": status, "reason": reason, "message": message, "lastUpdateTime": now});
        set_condition(conditions, condition, now);
    }
}

/// Shows the failure of a set (`ReplicaSetToDeploymentCondition`); one of the same reason is known already.
fn show_failure(conditions: &mut Value, failure: &Value) {
    let same = |known: &Value| ["type", "status", "reason"].into_iter().all(|field| known[field] == failure[field]);
    if conditions.as_array().is_some_and(|list| list.iter().any(same)) {
        return;
    }
    let mut shown = failure.clone();
    let at = text(&failure["lastTransitionTime"]).to_owned();
    tree::set(&mut shown, &["lastUpdateTime"], at.as_str());
    set_condition(conditions, shown, &at);
}

/// A template with its defaults and without the label that tells sets apart.
fn comparable(served: &Served, object: &Value) -> Value {
    let mut object = json!({"spec": {"template": object["spec"]["template"]}});
    defaulted(served, &mut object);
    let mut template = object["spec"]["template"].take();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|_, value| !value.is_null());
    }
    template
}

fn size(set: &Value) -> i64 {
    number(&set["spec"]["replicas"])
}

fn revision(set: &Value) -> i64 {
    set["metadata"]["annotations"][REVISION].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

const CONTROLLER: &str = "deployment-controller";
/// Why a rollout does not begin (`FailedRSCreateReason`).
const CREATE_ERROR: &str = "ReplicaSetCreateError";
const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
const HASH: &str = "pod-template-hash";
/// `kubectl apply` keeps here what it applied; it is the deployment's own.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::{Value, json};

    const TARGET: &str = "/apis/apps/v1/namespaces/web/deployments/api";
    const SETS: &str = "/apis/apps/v1/namespaces/web/replicasets";

    fn deployment() -> Value {
        let template =
            json!({"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}});
        json!({"metadata": {"name": "api"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "api"}}, "template": template}})
    }

    fn names(bench: &mut Bench) -> Vec<String> {
        bench.get(SETS).names().into_iter().filter(|name| name.starts_with("api-")).collect()
    }

    #[test]
    fn a_set_of_somebody_else_is_avoided() {
        let mut bench = Bench::new();
        bench.post("/apis/apps/v1/namespaces/web/deployments", deployment()).ok();
        let own = names(&mut bench);
        bench.delete(TARGET).ok();
        assert_eq!(names(&mut bench), [""; 0]);
        let mut foreign = deployment();
        foreign["metadata"]["name"] = json!(own[0]);
        foreign["spec"]["selector"]["matchLabels"] = json!({"app": "other"});
        foreign["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});
        bench.post(SETS, foreign).ok();
        bench.post("/apis/apps/v1/namespaces/web/deployments", deployment()).ok();
        for _ in 0..5 {
            bench.pass(1);
        }
        assert_eq!(names(&mut bench).len(), 2);
        let status = bench.get(TARGET).ok()["status"].clone();
        assert_eq!((&status["collisionCount"], &status["availableReplicas"]), (&json!(1), &json!(1)));
    }

    #[test]
    fn a_count_of_collisions_that_is_none_counts_from_the_beginning() {
        let mut bench = Bench::new();
        bench.post("/apis/apps/v1/namespaces/web/deployments", deployment()).ok();
        let own = bench.get("/apis/apps/v1/namespaces/web/replicasets").ok()["items"][0].clone();
        bench.delete(TARGET).ok();
        (0..5).for_each(|_| bench.pass(1));
        let set = json!({"metadata": {"name": own["metadata"]["name"]}, "spec": own["spec"]});
        bench.post("/apis/apps/v1/namespaces/web/replicasets", set).ok();
        let mut deployment = deployment();
        deployment["spec"]["paused"] = json!(true);
        bench.post("/apis/apps/v1/namespaces/web/deployments", deployment).ok();
        bench.merge(&format!("{TARGET}/status"), json!({"status": {"collisionCount": i32::MIN}})).ok();
        let before = bench.cluster.start_revision();
        bench.merge(TARGET, json!({"spec": {"paused": null}})).ok();
        (0..5).for_each(|_| bench.pass(1));
        assert_eq!(bench.get(TARGET).ok()["status"]["collisionCount"], 1);
        assert!(bench.get(TARGET).revision() - before < 200, "it is no endless search");
    }

    #[test]
    fn a_rollout_that_cannot_begin_says_so() {
        let mut bench = Bench::new();
        let quotas = "/api/v1/namespaces/web/resourcequotas";
        let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": {"count/replicasets.apps": "0"}}});
        bench.post(quotas, quota).ok();
        bench.post("/apis/apps/v1/namespaces/web/deployments", deployment()).ok();
        let progress = |bench: &mut Bench| {
            let deployment = bench.get(TARGET).ok();
            let conditions = deployment["status"]["conditions"].as_array().unwrap().clone();
            conditions.into_iter().find(|condition| condition["type"] == "Progressing").unwrap()
        };
        let stuck = progress(&mut bench);
        assert_eq!((&stuck["status"], &stuck["reason"]), (&json!("False"), &json!("ReplicaSetCreateError")));
        let message = stuck["message"].as_str().unwrap();
        assert!(message.starts_with("Failed to create new replica set \"api-"), "{message}");
        assert!(message.contains("exceeded quota: none"), "{message}");
        bench.delete(&format!("{quotas}/none")).ok();
        for _ in 0..8 {
            bench.pass(1);
        }
        assert_eq!(progress(&mut bench)["reason"], "NewReplicaSetAvailable");
    }
}
