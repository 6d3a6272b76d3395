//! What is known of Rancher and of the workers, and whether the agent can do its job.

use super::answer::RancherView;
use super::job::{JobError, JobErrorKind};
use jiff::Timestamp;
use std::time::Duration;

/// The manager's view of its surroundings.
#[derive(Debug)]
pub(super) struct Surroundings {
    rancher: RancherView,
    lag_ms: Vec<u64>,
}

impl Surroundings {
    /// Before anything is known: Rancher counts as reachable until it is not.
    pub(super) fn new(url: String, workers: usize) -> Surroundings {
        let rancher = RancherView { url, reachable: true, token_accepted: true, ..RancherView::default() };
        Surroundings { rancher, lag_ms: vec![0; workers] }
    }

    /// A call to Rancher ended.
    pub(super) fn called(&mut self, error: Option<&JobError>, now: Timestamp) {
        match error {
            Some(JobError { kind: JobErrorKind::Transient(_), message, .. }) => {
                self.rancher.reachable = false;
                self.rancher.last_error = Some(message.clone());
            }
            Some(JobError { kind: JobErrorKind::TokenRefused, message, .. }) => {
                if self.rancher.token_accepted {
                    log::warn!("registration is paused: {message}");
                }
                self.rancher.reachable = true;
                self.rancher.token_accepted = false;
                self.rancher.last_answer = Some(now);
                self.rancher.last_error = Some(message.clone());
            }
            other => {
                if !self.rancher.token_accepted {
                    log::info!("registration goes on: Rancher accepts the API token again");
                }
                self.rancher.reachable = true;
                self.rancher.token_accepted = true;
                self.rancher.last_answer = Some(now);
                self.rancher.last_error = other.map(|error| error.message.clone());
            }
        }
    }

    /// A worker told how late it was.
    pub(super) fn lagged(&mut self, worker: usize, late_by: Duration) {
        if let Some(lag_ms) = self.lag_ms.get_mut(worker) {
            *lag_ms = u64::try_from(late_by.as_millis()).unwrap_or(u64::MAX);
        }
    }

    /// Whether registration may go on.
    pub(super) fn token_accepted(&self) -> bool {
        self.rancher.token_accepted
    }

    /// What keeps the agent from doing its job.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let last_error = || self.rancher.last_error.clone().unwrap_or_default();
        if !self.rancher.token_accepted {
            problems.push(format!("registration is paused: {}", last_error()));
        } else if !self.rancher.reachable {
            problems.push(last_error());
        }
        for (worker, lag_ms) in self.lag_ms.iter().enumerate().filter(|(_, lag_ms)| **lag_ms > LAG_LIMIT_MS) {
            problems.push(format!("worker {worker} runs {lag_ms} ms late: this host is too small for the load"));
        }
        problems
    }

    /// Rancher as health shows it.
    pub(super) fn rancher(&self) -> RancherView {
        self.rancher.clone()
    }

    /// Each worker's lag in milliseconds.
    pub(super) fn lag_ms(&self) -> Vec<u64> {
        self.lag_ms.clone()
    }
}

/// A ping that is this late is still within the deadline, but the next ones may not be.
const LAG_LIMIT_MS: u64 = 5_000;
