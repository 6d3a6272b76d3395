//! What is known of Rancher and of the workers, and whether the agent can do its job.

use super::answer::RancherView;
use super::job::{JobError, JobErrorKind};
use jiff::Timestamp;
use std::time::Duration;

/// The manager's view of its surroundings.
#[derive(Debug)]
pub(super) struct Surroundings {
    rancher: RancherView,
    /// Whether no call can succeed, as far as the last one shows.
    failing: bool,
    lag_ms: Vec<u64>,
    /// Why the state cannot be stored, if it cannot.
    not_stored: Option<String>,
}

impl Surroundings {
    /// Before anything is known: Rancher counts as reachable until it is not.
    pub(super) fn new(url: String, workers: usize) -> Surroundings {
        let rancher = RancherView { url, reachable: true, token_accepted: true, ..RancherView::default() };
        Surroundings { rancher, failing: false, lag_ms: vec![0; workers], not_stored: None }
    }

    /// A call to Rancher ended.
    pub(super) fn called(&mut self, error: Option<&JobError>, now: Timestamp) {
        let kind = error.map(|error| error.kind);
        self.rancher.last_error = error.map(|error| error.message.clone());
        self.rancher.reachable = error.is_none_or(|error| error.reached);
        if self.rancher.reachable {
            self.rancher.last_answer = Some(now);
        }
        self.failing = matches!(kind, Some(JobErrorKind::Transient(_) | JobErrorKind::Misconfigured));
        // A call that failed otherwise was refused to somebody whom Rancher knows.
        let token_accepted = match kind {
            _ if self.failing => self.rancher.token_accepted,
            kind => kind != Some(JobErrorKind::TokenRefused),
        };
        match (self.rancher.token_accepted, token_accepted) {
            (true, false) => log::warn!("registration is paused: {}", self.last_error()),
            (false, true) => log::info!("registration goes on: Rancher accepts the API token again"),
            _ => {}
        }
        self.rancher.token_accepted = token_accepted;
    }

    fn last_error(&self) -> &str {
        self.rancher.last_error.as_deref().unwrap_or_default()
    }

    /// The journal stored something, or could not for this reason.
    pub(super) fn stored(&mut self, problem: Option<String>) {
        self.not_stored = problem;
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
        if !self.rancher.token_accepted {
            problems.push(format!("registration is paused: {}", self.last_error()));
        } else if self.failing {
            problems.push(self.last_error().to_owned());
        }
        problems.extend(self.not_stored.as_ref().map(|problem| format!("the state cannot be stored: {problem}")));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn after(kind: JobErrorKind, reached: bool) -> Surroundings {
        let mut surroundings = Surroundings::new("https://rancher.test".into(), 1);
        let error = JobError { message: "no".into(), remedy: "mend it".into(), kind, reached };
        surroundings.called(Some(&error), Timestamp::UNIX_EPOCH);
        surroundings
    }

    #[test]
    fn each_kind_of_failure_says_what_it_means_for_the_agent() {
        use JobErrorKind::*;
        for (kind, reached, token_accepted, problems) in [
            (Transient(None), false, true, &["no"][..]),
            (Transient(None), true, true, &["no"]),
            (Misconfigured, true, true, &["no"]),
            (TokenRefused, true, false, &["registration is paused: no"]),
            (Permanent, true, true, &[]),
            (NameTaken, true, true, &[]),
        ] {
            let surroundings = after(kind, reached);
            let rancher = surroundings.rancher();
            assert_eq!((rancher.reachable, rancher.token_accepted), (reached, token_accepted), "{kind:?}");
            assert_eq!(surroundings.problems(), problems, "{kind:?}");
            assert_eq!(rancher.last_answer.is_some(), reached, "{kind:?}");
        }
    }

    #[test]
    fn a_refused_token_stays_refused_while_rancher_is_away() {
        let mut surroundings = after(JobErrorKind::TokenRefused, true);
        let away = JobError {
            message: "away".into(),
            remedy: "wait".into(),
            kind: JobErrorKind::Transient(None),
            reached: false,
        };
        surroundings.called(Some(&away), Timestamp::UNIX_EPOCH);
        assert!(!surroundings.token_accepted());
        surroundings.called(None, Timestamp::UNIX_EPOCH);
        assert!(surroundings.token_accepted() && surroundings.problems().is_empty());
    }
}
