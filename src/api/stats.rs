//! What the REST API counts.

use super::auth::Denial;
use super::routes::ROUTES;
use crate::telemetry::{Counter, Exposition, Histogram, Source};
use std::time::Duration;

/// What is counted of the requests.
pub(super) struct Stats {
    /// By route.
    routes: Vec<RouteStats>,
    /// Requests that no route takes, by status.
    elsewhere: [Counter; STATUSES.len()],
    /// Callers that were turned away, by [`Denial`].
    denied: [Counter; Denial::ALL.len()],
}

struct RouteStats {
    /// By status.
    answers: [Counter; STATUSES.len()],
    took: Histogram,
}

impl Default for Stats {
    fn default() -> Stats {
        let route = || RouteStats { answers: Default::default(), took: Histogram::new(BOUNDS_SECONDS) };
        Stats {
            routes: ROUTES.iter().map(|_| route()).collect(),
            elsewhere: Default::default(),
            denied: Default::default(),
        }
    }
}

impl Stats {
    /// A caller was turned away.
    pub(super) fn denied(&self, denial: Denial) {
        self.denied[denial as usize].increment();
    }

    /// A request was answered; `route` is the position of its route in the table, if it has one.
    pub(super) fn answered(&self, route: Option<usize>, status: u16, took: Duration) {
        // What is not in the table counts as the last, which is none of ours.
        let status = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
        match route.and_then(|route| self.routes.get(route)) {
            Some(route) => {
                route.answers[status].increment();
                route.took.observe(took);
            }
            None => self.elsewhere[status].increment(),
        }
    }
}

impl Source for Stats {
    fn expose(&self, out: &mut Exposition) {
        let codes = STATUSES.map(|status| status.to_string());
        let routes = ROUTES.iter().map(|route| (route.method, route.path)).zip(&self.routes);
        let answers = routes.clone().map(|(route, stats)| (route, &stats.answers)).chain([(NOWHERE, &self.elsewhere)]);
        let labelled: Vec<([(&str, &str); 3], u64)> = answers
            .flat_map(|((method, path), answers)| {
                let seen = codes.iter().zip(answers).filter(|(_, count)| count.get() > 0);
                seen.map(move |(code, count)| ([("method", method), ("path", path), ("code", code)], count.get()))
            })
            .collect();
        let samples: Vec<_> = labelled.iter().map(|(labels, count)| (&labels[..], *count)).collect();
        out.counter(
            "scale_agent_api_requests_total",
            "Requests to the agent's REST API, by route and status.",
            &samples,
        );
        let labelled = Denial::ALL.map(|denial| ([("reason", denial.as_str())], self.denied[denial as usize].get()));
        let samples: Vec<_> = labelled.iter().map(|(labels, count)| (&labels[..], *count)).collect();
        out.counter(
            "scale_agent_api_denied_total",
            "Callers of the REST API that were turned away, by reason.",
            &samples,
        );
        let asked = routes.filter(|(_, stats)| stats.answers.iter().any(|count| count.get() > 0));
        let labelled: Vec<_> =
            asked.map(|((method, path), stats)| ([("method", method), ("path", path)], [&stats.took])).collect();
        let samples: Vec<_> = labelled.iter().map(|(labels, took)| (&labels[..], &took[..])).collect();
        let help = "Time from a request to the agent's REST API to its answer.";
        out.histogram("scale_agent_api_request_seconds", help, &samples);
    }
}

/// Every status that the API answers with, and at last what stands for any other.
const STATUSES: [u16; 20] =
    [200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 502, 503, 999];
/// How what no route takes is labelled.
const NOWHERE: (&str, &str) = ("-", "-");
/// From an answer out of memory to CreateWait.
const BOUNDS_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
