//! CronJobs: a Job whenever the schedule says so (`kube-controller-manager` cronjob controller).

use super::agenda::Work;
use super::job::{ended, of_cron_job};
use super::pods::{after, moment, number};
use super::refusal::Words;
use super::schedule::Schedule;
use crate::kube::tree::text;
use crate::kube::{Cluster, tree};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Cluster {
    /// Starts the job that is due, lets old ones go, and brings the status up to date.
    pub(super) fn keep_cron_job(&mut self, path: &str, now: Timestamp) {
        let Some((crons, version, cron)) = self.living("batch", "cronjobs", path) else { return };
        let Some(jobs) = Cluster::built_in("batch", "jobs") else { return };
        let owner = self.as_owner(&crons, &version);
        let owned = self.controlled(&jobs, path, &owner);
        let (done, mut active): (Vec<_>, Vec<_>) = owned.into_iter().partition(|(_, job)| ended(job).is_some());
        self.forget_jobs(&cron, done, now);
        let mut last = moment(&cron["status"]["lastScheduleTime"]);
        if cron["spec"]["suspend"] != true
            && let Ok(schedule) = Schedule::parse(text(&cron["spec"]["schedule"]), cron["spec"]["timeZone"].as_str())
        {
            let since = last.or_else(|| moment(&cron["metadata"]["creationTimestamp"])).unwrap_or(now);
            // Of those that were missed only the latest is made up for, and none of long ago.
            let due = schedule.latest(since.max(after(now, -LONGEST_MISSED_S)), now);
            let policy = text(&cron["spec"]["concurrencyPolicy"]);
            if let Some(due) = due.filter(|_| policy != "Forbid" || active.is_empty()) {
                if policy == "Replace" {
                    for (version, _) in active.drain(..) {
                        self.withdraw(&jobs, &version, now);
                    }
                }
                let name = format!("{}-{}", text(&cron["metadata"]["name"]), due.as_second() / 60);
                let job = of_cron_job(&cron, &name, &due.to_string());
                match self.spawn(&jobs, job, now) {
                    Ok(_) => {
                        last = Some(due);
                        self.tell(&cron, "Normal", "SuccessfulCreate", &format!("Created job {name}"), CONTROLLER, now);
                    }
                    // One of this name was started at this time.
                    Err(status) if status.reason == "AlreadyExists" => last = Some(due),
                    Err(status) => {
                        self.refused(Work::CronJob(path.into()), &cron, &status, FAILED_JOB, CONTROLLER, now);
                    }
                }
            }
            if let Some(next) = schedule.next(now) {
                self.agenda.add_at(next, Work::CronJob(path.into()));
            }
        }
        let refer = |(_, job): &(_, Value)| {
            let metadata = &job["metadata"];
            json!({
                "apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"]
            })
        };
        let active: Vec<Value> = active.iter().map(refer).collect();
        let succeeded = self.controlled(&jobs, path, &owner);
        let succeeded = succeeded.iter().filter_map(|(_, job)| moment(&job["status"]["completionTime"])).max();
        self.set_status("batch", "cronjobs", path, now, |status, _| {
            match active.is_empty() {
                true => _ = status.as_object_mut().and_then(|status| status.remove("active")),
                false => tree::set(status, &["active"], active),
            }
            for (field, at) in [("lastScheduleTime", last), ("lastSuccessfulTime", succeeded)] {
                if let Some(at) = at {
                    tree::set(status, &[field], crate::kube::object::time(at.as_second()));
                }
            }
        });
    }

    /// Deletes the oldest of the jobs that have ended, beyond those to be kept.
    fn forget_jobs(&mut self, cron: &Value, mut done: Vec<(crate::kube::store::Version, Value)>, now: Timestamp) {
        let Some(jobs) = Cluster::built_in("batch", "jobs") else { return };
        done.sort_by_key(|(_, job)| ended(job));
        let (failed, succeeded): (Vec<_>, Vec<_>) =
            done.into_iter().partition(|(_, job)| number(&job["status"]["succeeded"]) == 0);
        for (jobs_of_kind, limit, otherwise) in
            [(succeeded, "successfulJobsHistoryLimit", 3), (failed, "failedJobsHistoryLimit", 1)]
        {
            let limit = cron["spec"][limit].as_u64().unwrap_or(otherwise) as usize;
            for (version, _) in jobs_of_kind.iter().take(jobs_of_kind.len().saturating_sub(limit)) {
                self.withdraw(&jobs, version, now);
            }
        }
    }
}

const CONTROLLER: &str = "cronjob-controller";
const FAILED_JOB: Words<'static> = ("FailedCreate", "Error creating job: ");
/// A start that was missed by more is not made up for.
const LONGEST_MISSED_S: i64 = 3_600;
