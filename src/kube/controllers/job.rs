//! Jobs: pods that run to their end (`kube-controller-manager` job controller).

use super::agenda::Work;
use super::owned::controlled_by;
use super::pods::{after, condition, is_active, is_ready, moment, number, of_template, set_condition, set_counts};
use super::refusal::FAILED_CREATE;
use super::replica_set::BURST;
use crate::kube::request::served::Served;
use crate::kube::store::{Version, path_of};
use crate::kube::tree::text;
use crate::kube::{Cluster, tree};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A job's pods, sorted.
struct Pods {
    active: Vec<(Version, Value)>,
    succeeded: BTreeSet<String>,
    failed: i64,
    indexes: BTreeSet<i64>,
}

impl Cluster {
    /// Starts the pods that a job still needs, or else brings its status up to date.
    pub(super) fn keep_job(&mut self, path: &str, now: Timestamp) {
        let Some((jobs, version, job)) = self.living("batch", "jobs", path) else { return };
        if let Some(ended) = ended(&job) {
            return self.expire_job(&jobs, &version, &job, ended, now);
        }
        let Some(kind) = Cluster::built_in("", "pods") else { return };
        let pods = Pods::sort(self.claim_pods(&jobs, &version, &job, |_| true));
        let is_suspended = job["spec"]["suspend"] == true;
        let parallelism = job["spec"]["parallelism"].as_i64().map_or(1, |_| number(&job["spec"]["parallelism"]));
        let succeeded = pods.succeeded.len() as i64;
        let completions = job["spec"].get("completions").filter(|count| !count.is_null()).map(number);
        // Without completions one success is the end, once nothing runs any more.
        let is_complete = match completions {
            Some(completions) => succeeded >= completions,
            None => succeeded > 0 && pods.active.is_empty(),
        };
        let deadline = deadline(&job, now);
        let failure = if pods.failed > job["spec"]["backoffLimit"].as_i64().unwrap_or(6) {
            Some(EXCEEDED)
        } else if deadline.is_some_and(|deadline| deadline <= now) {
            Some(TOO_LATE)
        } else {
            None
        };
        if let Some(deadline) = deadline.filter(|deadline| *deadline > now) {
            self.agenda.add_at(deadline, Work::Job(path.into()));
        }
        let wanted = match completions {
            _ if is_suspended || is_complete || failure.is_some() => 0,
            Some(completions) => parallelism.min(completions - succeeded),
            None if succeeded > 0 => pods.active.len() as i64,
            None => parallelism,
        };
        let missing = wanted - pods.active.len() as i64;
        let mut acted = false;
        for _ in 0..missing.clamp(0, BURST) {
            let is_started = self.start_job_pod(&kind, &job, now);
            acted |= is_started;
            // The next index depends on the pod just made.
            if !is_started || is_indexed(&job) {
                break;
            }
        }
        for (version, _) in pods.active.iter().take(usize::try_from(-missing).unwrap_or_default()) {
            self.withdraw(&kind, version, now);
            acted = true;
        }
        if !acted {
            let outcome = if is_complete { Some(Ok(())) } else { failure.map(Err) };
            self.report_job(path, &job, &pods, outcome, now);
        }
    }

    fn start_job_pod(&mut self, kind: &Served, job: &Value, now: Timestamp) -> bool {
        let name = text(&job["metadata"]["name"]).to_owned();
        let path = path_of(job["metadata"]["namespace"].as_str(), &name);
        let mut pod =
            of_template(&job["spec"]["template"], &job["metadata"]["namespace"], controlled_by("batch/v1", "Job", job));
        for (label, value) in [
            ("batch.kubernetes.io/controller-uid", text(&job["metadata"]["uid"])),
            ("batch.kubernetes.io/job-name", &name),
            ("controller-uid", text(&job["metadata"]["uid"])),
            ("job-name", &name),
        ] {
            tree::set(&mut pod, &["metadata", "labels", label], value);
        }
        let mut prefix = format!("{name}-");
        if is_indexed(job) {
            let taken = self.living("batch", "jobs", &path).map(|(jobs, version, _)| {
                let owner = self.as_owner(&jobs, &version);
                Pods::sort(self.controlled(kind, &path, &owner)).indexes
            });
            let taken = taken.unwrap_or_default();
            let Some(index) = (0..number(&job["spec"]["completions"])).find(|index| !taken.contains(index)) else {
                return false;
            };
            prefix = format!("{name}-{index}-");
            for field in ["annotations", "labels"] {
                tree::set(&mut pod, &["metadata", field, INDEX], index.to_string());
            }
            tree::set(&mut pod, &["spec", "hostname"], format!("{name}-{index}"));
            for container in tree::at(&mut pod, &["spec", "containers"]).as_array_mut().into_iter().flatten() {
                let variable = json!({"name": "JOB_COMPLETION_INDEX", "value": index.to_string()});
                match tree::at(container, &["env"]) {
                    Value::Array(variables) => variables.push(variable),
                    other => *other = json!([variable]),
                }
            }
        }
        tree::set(&mut pod, &["metadata", "generateName"], prefix);
        match self.spawn(kind, pod, now) {
            Ok(pod) => {
                self.tell(job, "Normal", "SuccessfulCreate", &format!("Created pod: {pod}"), CONTROLLER, now);
                true
            }
            Err(status) => {
                self.refused(Work::Job(path.into()), job, &status, FAILED_CREATE, CONTROLLER, now);
                false
            }
        }
    }

    fn report_job(
        &mut self,
        path: &str,
        job: &Value,
        pods: &Pods,
        outcome: Option<Result<(), Failure>>,
        now: Timestamp,
    ) {
        let is_suspended = job["spec"]["suspend"] == true;
        let is_resumed = is_resumed(job);
        let counts =
            [("active", pods.active.len() as i64), ("succeeded", pods.succeeded.len() as i64), ("failed", pods.failed)];
        let ready = pods.active.iter().filter(|(_, pod)| is_ready(pod)).count();
        self.set_status("batch", "jobs", path, now, |status, now| {
            // The time of a resumed job begins anew.
            if status["startTime"].is_null() && !is_suspended || is_resumed {
                tree::set(status, &["startTime"], now);
            }
            set_counts(status, &counts);
            tree::set(status, &["ready"], ready);
            tree::set(status, &["terminating"], 0);
            tree::set(status, &["uncountedTerminatedPods"], json!({}));
            let conditions = match outcome {
                Some(Ok(())) => vec![
                    ("SuccessCriteriaMet", "CompletionsReached", COMPLETED),
                    ("Complete", "CompletionsReached", COMPLETED),
                ],
                Some(Err((reason, message))) => {
                    vec![("FailureTarget", reason, message), ("Failed", reason, message)]
                }
                None if is_suspended => vec![("Suspended", "JobSuspended", "Job suspended")],
                None => Vec::new(),
            };
            for (kind, reason, message) in conditions {
                let condition =
                    json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastProbeTime": now});
                set_condition(tree::at(status, &["conditions"]), condition, now);
            }
            if is_resumed {
                let condition = json!({
                    "type": "Suspended", "status": "False", "reason": "JobResumed", "message": "Job resumed", "lastProbeTime": now
                });
                set_condition(tree::at(status, &["conditions"]), condition, now);
            }
            if outcome == Some(Ok(())) {
                tree::set(status, &["completionTime"], now);
            }
        });
        if outcome.is_some() {
            // Its time to live begins.
            self.agenda.add(Work::Job(path.into()));
        }
        if is_resumed {
            self.tell(job, "Normal", "Resumed", "Job resumed", CONTROLLER, now);
        } else if is_suspended && outcome.is_none() && !was_suspended(job) {
            self.tell(job, "Normal", "Suspended", "Job suspended", CONTROLLER, now);
        }
        match outcome {
            Some(Ok(())) => self.tell(job, "Normal", "Completed", "Job completed", CONTROLLER, now),
            Some(Err((reason, message))) => self.tell(job, "Warning", reason, message, CONTROLLER, now),
            None => {}
        }
    }

    /// Deletes a job that has ended when its time to live is over.
    fn expire_job(&mut self, jobs: &Served, version: &Version, job: &Value, ended: Timestamp, now: Timestamp) {
        let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_i64() else { return };
        let at = after(ended, seconds.clamp(0, i32::MAX.into()));
        if at <= now {
            self.withdraw(jobs, version, now);
        } else {
            self.agenda.add_at(at, Work::Job(self.store.path(version).as_ref().into()));
        }
    }
}

impl Pods {
    fn sort(pods: Vec<(Version, Value)>) -> Pods {
        let mut sorted = Pods { active: Vec::new(), succeeded: BTreeSet::new(), failed: 0, indexes: BTreeSet::new() };
        for (version, pod) in pods {
            let is_succeeded = pod["status"]["phase"] == "Succeeded";
            if is_succeeded || is_active(&pod) {
                sorted.indexes.extend(text(&pod["metadata"]["annotations"][INDEX]).parse::<i64>());
            }
            if is_succeeded {
                sorted.succeeded.insert(text(&pod["metadata"]["name"]).to_owned());
            } else if pod["status"]["phase"] == "Failed" {
                sorted.failed += 1;
            } else if is_active(&pod) {
                sorted.active.push((version, pod));
            }
        }
        sorted
    }
}

/// When a job came to its end.
pub(super) fn ended(job: &Value) -> Option<Timestamp> {
    let ended = ["Complete", "Failed"]
        .into_iter()
        .find_map(|kind| condition(job, kind).filter(|ended| ended["status"] == "True"))?;
    Some(moment(&ended["lastTransitionTime"]).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// When a job has run long enough, if it is bounded; one that has not started yet, or goes on, starts `now`.
fn deadline(job: &Value, now: Timestamp) -> Option<Timestamp> {
    let seconds = job["spec"]["activeDeadlineSeconds"].as_i64().filter(|_| job["spec"]["suspend"] != true)?;
    let started = moment(&job["status"]["startTime"]).filter(|_| !is_resumed(job));
    Some(after(started.unwrap_or(now), seconds.clamp(0, i32::MAX.into())))
}

/// Whether a job's status says that it is suspended.
fn was_suspended(job: &Value) -> bool {
    condition(job, "Suspended").is_some_and(|suspended| suspended["status"] == "True")
}

/// Whether a job goes on whose status says that it is suspended.
fn is_resumed(job: &Value) -> bool {
    was_suspended(job) && job["spec"]["suspend"] != true
}

fn is_indexed(job: &Value) -> bool {
    job["spec"]["completionMode"] == "Indexed"
}

/// A new job of a template, under this name.
pub(super) fn of_cron_job(cron: &Value, name: &str, scheduled: &str) -> Value {
    let template = &cron["spec"]["jobTemplate"];
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "spec": template["spec"],
        "metadata": {
            "name": name, "namespace": cron["metadata"]["namespace"], "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"], "ownerReferences": controlled_by("batch/v1", "CronJob", cron)
        }
    });
    tree::set(&mut job, &["metadata", "annotations", "batch.kubernetes.io/cronjob-scheduled-timestamp"], scheduled);
    job
}

const CONTROLLER: &str = "job-controller";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
const COMPLETED: &str = "Reached expected number of succeeded pods";
/// Why a job failed: a reason and words for it.
type Failure = (&'static str, &'static str);
const EXCEEDED: Failure = ("BackoffLimitExceeded", "Job has reached the specified backoff limit");
const TOO_LATE: Failure = ("DeadlineExceeded", "Job was active longer than specified deadline");
