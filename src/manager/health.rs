//! What is known of Rancher and of the workers, and whether the agent can do its job.

use super::answer::RancherView;
use super::job::{JobError, JobErrorKind};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// What is known of one Rancher.
#[derive(Debug)]
pub(super) struct Reachability {
    rancher: RancherView,
    /// Whether no call can succeed, as far as the last one shows.
    failing: bool,
}

/// What is known of the host.
#[derive(Debug)]
pub(super) struct Host {
    lag_ms: Vec<u64>,
    /// When each worker was heard of last: they tell how late they are once a second.
    heard: Vec<Instant>,
    rss_bytes: u64,
    /// Why the state cannot be stored, if it cannot.
    not_stored: Option<String>,
}

impl Reachability {
    /// Before anything is known: a Rancher counts as reachable until it is not.
    pub(super) fn new(name: String, url: String) -> Reachability {
        let rancher = RancherView { name, url, reachable: true, token_accepted: true, ..RancherView::default() };
        Reachability { rancher, failing: false }
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

    /// Whether registration may go on.
    pub(super) fn token_accepted(&self) -> bool {
        self.rancher.token_accepted
    }

    /// What keeps the agent from registering clusters there.
    pub(super) fn problem(&self) -> Option<String> {
        if !self.rancher.token_accepted {
            return Some(format!("registration is paused: {}", self.last_error()));
        }
        self.failing.then(|| self.last_error().to_owned())
    }

    /// Rancher as health shows it.
    pub(super) fn view(&self) -> RancherView {
        self.rancher.clone()
    }
}

impl Host {
    /// A host of which nothing bad is known.
    pub(super) fn new(workers: usize, now: Instant) -> Host {
        Host { lag_ms: vec![0; workers], heard: vec![now; workers], rss_bytes: 0, not_stored: None }
    }

    /// The journal stored something, or could not for this reason.
    pub(super) fn stored(&mut self, problem: Option<String>) {
        self.not_stored = problem;
    }

    /// The process takes so much memory.
    pub(super) fn took(&mut self, rss_bytes: u64) {
        self.rss_bytes = rss_bytes;
    }

    /// Memory of the process.
    pub(super) fn rss_bytes(&self) -> u64 {
        self.rss_bytes
    }

    /// A worker told how late it was.
    pub(super) fn lagged(&mut self, worker: usize, late_by: Duration, now: Instant) {
        self.heard.get_mut(worker).into_iter().for_each(|heard| *heard = now);
        if let Some(lag_ms) = self.lag_ms.get_mut(worker) {
            *lag_ms = u64::try_from(late_by.as_millis()).unwrap_or(u64::MAX);
        }
    }

    /// What keeps the agent from doing its job.
    pub(super) fn problems(&self, now: Instant) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(self.not_stored.as_ref().map(|problem| format!("the state cannot be stored: {problem}")));
        for (worker, lag_ms) in self.lag_ms.iter().enumerate().filter(|(_, lag_ms)| **lag_ms > LAG_LIMIT_MS) {
            problems.push(format!("worker {worker} runs {lag_ms} ms late: this host is too small for the load"));
        }
        for (worker, heard) in self.heard.iter().enumerate() {
            let silent = now.saturating_duration_since(*heard);
            if silent > SILENCE_LIMIT {
                let seconds = silent.as_secs();
                problems.push(format!(
                    "worker {worker} has not been heard of for {seconds} s: see the log, and start the agent again"
                ));
            }
        }
        problems
    }

    /// Each worker's lag in milliseconds.
    pub(super) fn lag_ms(&self) -> Vec<u64> {
        self.lag_ms.clone()
    }
}

/// A ping that is this late is still within the deadline, but the next ones may not be.
const LAG_LIMIT_MS: u64 = 5_000;
/// A worker that is merely late speaks before this; one that has panicked does not speak again.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    fn after(kind: JobErrorKind, reached: bool) -> Reachability {
        let mut reachability = Reachability::new("default".into(), "https://rancher.test".into());
        let error = JobError { message: "no".into(), remedy: "mend it".into(), kind, reached };
        reachability.called(Some(&error), Timestamp::UNIX_EPOCH);
        reachability
    }

    #[test]
    fn each_kind_of_failure_says_what_it_means_for_the_agent() {
        use JobErrorKind::*;
        for (kind, reached, token_accepted, problem) in [
            (Transient(None), false, true, Some("no")),
            (Transient(None), true, true, Some("no")),
            (Misconfigured, true, true, Some("no")),
            (TokenRefused, true, false, Some("registration is paused: no")),
            (Permanent, true, true, None),
            (NameTaken, true, true, None),
        ] {
            let reachability = after(kind, reached);
            let rancher = reachability.view();
            assert_eq!((rancher.reachable, rancher.token_accepted), (reached, token_accepted), "{kind:?}");
            assert_eq!(reachability.problem().as_deref(), problem, "{kind:?}");
            assert_eq!(rancher.last_answer.is_some(), reached, "{kind:?}");
        }
    }

    #[test]
    fn a_worker_that_is_gone_is_a_problem_and_one_that_is_late_another() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut host = Host::new(2, start);
        (1..=20).for_each(|second| host.lagged(0, Duration::from_millis(3), at(second)));
        let silent = "worker 1 has not been heard of for 20 s: see the log, and start the agent again";
        assert_eq!(host.problems(at(20)), [silent]);
        host.lagged(1, Duration::from_secs(6), at(21));
        assert_eq!(host.problems(at(21)), ["worker 1 runs 6000 ms late: this host is too small for the load"]);
    }

    #[test]
    fn a_refused_token_stays_refused_while_rancher_is_away() {
        let mut reachability = after(JobErrorKind::TokenRefused, true);
        let away = JobError {
            message: "away".into(),
            remedy: "wait".into(),
            kind: JobErrorKind::Transient(None),
            reached: false,
        };
        reachability.called(Some(&away), Timestamp::UNIX_EPOCH);
        assert!(!reachability.token_accepted());
        reachability.called(None, Timestamp::UNIX_EPOCH);
        assert!(reachability.token_accepted() && reachability.problem().is_none());
    }
}
