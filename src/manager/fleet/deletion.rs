//! From a request to delete to a cluster that nobody knows any more.

use super::queries::unknown;
use super::{Effect, Fleet, Now, Timer};
use crate::engine::Assignment;
use crate::manager::answer::{Answer, Refusal, RefusalKind};
use crate::manager::command::Reply;
use crate::manager::job::{JobError, JobErrorKind};
use crate::manager::{ClusterName, State};
use crate::rancher::Cluster;
use std::time::Duration;

impl Fleet {
    pub(super) fn delete(&mut self, name: &str, wait: bool, reply: Reply, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return reply.send(unknown(name)) };
        let name = record.name.clone();
        let already = record.state == State::Deleting;
        if !already {
            // Whoever waited for the cluster to come up learns that it will not.
            for (waiter, _) in record.waiters.drain(..) {
                let detail = format!("{name} is being deleted");
                let refusal = Refusal::new(RefusalKind::Conflict, detail, "create it again afterwards");
                waiter.send(Answer::Refused(refusal));
            }
            record.enter(State::Deleting, now.wall);
            record.succeeded();
        }
        let is_kept = already && record.kept == record.version;
        self.await_step(&name, wait, reply, now);
        if !is_kept {
            self.keep(&name);
        } else if !wait {
            self.waited(&name, now);
        }
    }

    pub(super) fn found(&mut self, name: ClusterName, result: Result<Option<String>, JobError>, now: Now) {
        let Some(record) = self.records.get_mut(&name) else { return };
        record.job_under_way = false;
        match result {
            Ok(id) => {
                record.id = id;
                record.may_exist = false;
                self.step(&name, now);
            }
            Err(error) => self.deletion_failed(&name, error, now),
        }
    }

    pub(super) fn deleted(&mut self, name: ClusterName, result: Result<(), JobError>, now: Now) {
        let Some(record) = self.records.get_mut(&name) else { return };
        record.job_under_way = false;
        match result {
            Ok(()) => {
                // From here on the step is to look whether it is gone; the tunnels stay, since Rancher cleans up through them.
                record.succeeded();
                record.deletion_accepted = true;
                self.keep(&name);
                self.set_timer(DELETE_POLL_MIN, Timer::Step(name), now);
            }
            Err(error) => self.deletion_failed(&name, error, now),
        }
    }

    pub(super) fn looked_up(&mut self, name: ClusterName, result: Result<Option<Cluster>, JobError>, now: Now) {
        let Some(record) = self.records.get_mut(&name) else { return };
        record.job_under_way = false;
        if record.state != State::Deleting {
            return self.found_out(&name, result, now);
        }
        match result {
            Ok(None) if record.attached => {
                let key = name.as_arc().clone();
                self.effects.push(Effect::Assign(key.clone(), Assignment::Detach(key)));
            }
            Ok(None) => self.forget(&name),
            Ok(Some(_)) => {
                record.last_error = None;
                record.attempts += 1;
                let delay = (DELETE_POLL_MIN * record.attempts).min(DELETE_POLL_MAX);
                self.set_timer(delay, Timer::Step(name), now);
            }
            Err(error) => self.deletion_failed(&name, error, now),
        }
    }

    /// A deletion that Rancher refuses is called off; one that it has accepted, or cannot answer now, goes on later.
    pub(super) fn deletion_failed(&mut self, name: &ClusterName, error: JobError, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        let asked = match error.kind {
            JobErrorKind::Transient(asked) => Some(asked),
            _ if record.deletion_accepted => Some(None),
            _ => None,
        };
        if let Some(asked) = asked {
            return self.retry(name, error.message, asked, now);
        }
        record.last_error = Some(error.message.clone());
        record.attempts = 0;
        let state = if record.attached { State::Connecting } else { State::Failed };
        record.enter(state, now.wall);
        record.observe(now);
        let waiters = std::mem::take(&mut record.waiters);
        for (reply, _) in waiters {
            reply.send(Answer::Refused(error.clone().into()));
        }
        self.keep(name);
    }

    pub(super) fn detached(&mut self, name: &str) {
        let Some(record) = self.records.get_mut(name) else { return };
        record.attached = false;
        // What a call comes to that is under way still is about this cluster, not about the next one of its name.
        if record.state == State::Deleting && !record.job_under_way {
            let name = record.name.clone();
            self.forget(&name);
        }
    }

    pub(super) fn forget(&mut self, name: &ClusterName) {
        if let Some(record) = self.records.remove(name) {
            log::info!("cluster {name} is gone");
            if record.id.is_some() {
                self.stats.deleted.increment();
            }
            self.erase(name);
            if let (Some(ramp), Some(journey)) = (record.ramp, record.journey) {
                self.bury(ramp, journey);
            }
            record.waiters.into_iter().for_each(|(reply, _)| reply.send(Answer::Gone));
        }
    }
}

/// Between two looks whether a deleted cluster is gone: the first, and the longest.
const DELETE_POLL_MIN: Duration = Duration::from_millis(500);
const DELETE_POLL_MAX: Duration = Duration::from_secs(5);
