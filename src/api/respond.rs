//! Answers as pages, and pages on the wire.

use super::call::Page;
use super::problem::Problem;
use crate::manager::{Answer, ClusterView, FaultView, HealthView, OperationView, RampView};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::Cursor;
use tiny_http::{Header, Request, Response};

/// A page of clusters.
#[derive(Serialize, JsonSchema)]
pub(super) struct ClusterList {
    /// How many match in all.
    count: usize,
    /// In the order of their names.
    clusters: Vec<ClusterView>,
    /// What to ask the next page with; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#continue: Option<String>,
}

/// Operations.
#[derive(Serialize, JsonSchema)]
pub(super) struct OperationList {
    /// The latest first.
    operations: Vec<OperationView>,
}

/// Ramps.
#[derive(Serialize, JsonSchema)]
pub(super) struct RampList {
    /// The latest first.
    ramps: Vec<RampView>,
}

/// Faults.
#[derive(Serialize, JsonSchema)]
pub(super) struct FaultList {
    /// The latest first.
    faults: Vec<FaultView>,
}

/// The page of the manager's answer.
pub(super) fn answer(answer: Answer) -> Result<Page, Problem> {
    Ok(match answer {
        Answer::Created(view) => located(201, &*view, format!("/clusters/{}", view.name)),
        Answer::Accepted(view) => located(202, &*view, format!("/clusters/{}", view.name)),
        Answer::Cluster(view) => Page::json(200, &*view),
        Answer::Clusters { clusters, total, more } => {
            let r#continue = if more { clusters.last().map(|view| view.name.clone()) } else { None };
            Page::json(200, &ClusterList { count: total, clusters, r#continue })
        }
        Answer::OperationStarted(view) => located(202, &*view, format!("/operations/{}", view.id)),
        Answer::Operation(view) => Page::json(200, &*view),
        Answer::Operations(views) => Page::json(200, &OperationList { operations: views }),
        Answer::RampStarted(view) => located(202, &*view, format!("/ramps/{}", view.id)),
        Answer::Ramp(view) => Page::json(200, &*view),
        Answer::Ramps(views) => Page::json(200, &RampList { ramps: views }),
        Answer::RampResults(results) => Page::json(200, &*results),
        Answer::FaultStarted(view) => located(201, &*view, format!("/faults/{}", view.id)),
        Answer::Fault(view) => Page::json(200, &*view),
        Answer::Faults(views) => Page::json(200, &FaultList { faults: views }),
        Answer::ClusterRequests(requests) => Page::json(200, &*requests),
        Answer::Requests(totals) => Page::json(200, &*totals),
        Answer::Gone => Page::new(204, "", ""),
        Answer::Overview(view) => Page::json(200, &*view),
        Answer::Alive => Page::new(200, PLAIN, "ok\n"),
        Answer::Health(view) => health(&view),
        Answer::Metrics(view) => health(&view.0),
        Answer::Refused(refusal) => return Err(refusal.into()),
    })
}

/// The page of the agent's health.
pub(super) fn health(health: &HealthView) -> Page {
    Page::json(if health.problems.is_empty() { 200 } else { 503 }, health)
}

/// The page of a problem that a request for `url` met.
pub(super) fn problem(problem: Problem, url: &str) -> Page {
    // A struct of strings and numbers always serialises.
    let mut body = serde_json::to_value(&problem).unwrap_or_default();
    body["instance"] = url.into();
    let page = Page::new(problem.status, "application/problem+json", format!("{body:#}\n"));
    Page { headers: problem.headers, ..page }
}

/// Puts a page on the wire.
pub(super) fn send(request: Request, page: Page) {
    let kind = Some(("Content-Type", page.media_type.to_owned())).filter(|(_, kind)| !kind.is_empty());
    // All names and values are ours or percent-encoded by tiny_http's own parser, so none is refused.
    let headers = kind.into_iter().chain(page.headers);
    let headers = headers.filter_map(|(name, value)| Header::from_bytes(name, value).ok()).collect();
    let length = page.body.len();
    let response = Response::new(page.status.into(), headers, Cursor::new(page.body), Some(length), None);
    // The length is known: there is no reason to send pieces.
    let response = response.with_chunked_threshold(usize::MAX);
    // A client that has gone away needs no answer.
    if let Err(error) = request.respond(response) {
        log::debug!("an answer could not be delivered: {error}");
    }
}

/// The media type of a few words.
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";

fn located(status: u16, view: &impl Serialize, location: String) -> Page {
    Page::json(status, view).with_header("Location", location)
}
