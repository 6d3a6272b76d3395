//! Answers on the wire.

use super::call::Page;
use super::problem::Problem;
use crate::manager::{Answer, ClusterView, FaultView, OperationView};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
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

/// Faults.
#[derive(Serialize, JsonSchema)]
pub(super) struct FaultList {
    /// The latest first.
    faults: Vec<FaultView>,
}

/// Writes the manager's answer.
pub(super) fn answer(request: Request, answer: Answer) {
    let (status, body, location) = match answer {
        Answer::Created(view) => (201, to_json(&view), Some(view.name.clone())),
        Answer::Accepted(view) => (202, to_json(&view), Some(view.name.clone())),
        Answer::Cluster(view) => (200, to_json(&view), None),
        Answer::Clusters { clusters, total, more } => {
            let r#continue = if more { clusters.last().map(|view| view.name.clone()) } else { None };
            (200, to_json(&ClusterList { count: total, clusters, r#continue }), None)
        }
        Answer::OperationStarted(view) => {
            let location = format!("/operations/{}", view.id);
            return send(request, 202, to_line(&to_json(&view)), &[json_type(), ("Location", location)]);
        }
        Answer::Operation(view) => (200, to_json(&view), None),
        Answer::Operations(views) => (200, to_json(&OperationList { operations: views }), None),
        Answer::FaultStarted(view) => {
            let location = format!("/faults/{}", view.id);
            return send(request, 201, to_line(&to_json(&view)), &[json_type(), ("Location", location)]);
        }
        Answer::Fault(view) => (200, to_json(&view), None),
        Answer::Faults(views) => (200, to_json(&FaultList { faults: views }), None),
        Answer::Gone => return send(request, 204, Vec::new(), &[]),
        Answer::Health(health) => {
            let status = if health.problems.is_empty() { 200 } else { 503 };
            (status, to_json(&health), None)
        }
        Answer::Refused(refusal) => return problem(request, refusal.into()),
    };
    let location = location.map(|name| ("Location", format!("/clusters/{name}")));
    let headers: Vec<_> = [json_type()].into_iter().chain(location).collect();
    send(request, status, to_line(&body), &headers);
}

/// Writes an answer that needed no manager.
pub(super) fn page(request: Request, page: Page) {
    send(request, page.status, page.body, &[("Content-Type", page.media_type.to_owned())]);
}

/// Writes an error.
pub(super) fn problem(request: Request, problem: Problem) {
    let mut headers = vec![("Content-Type", "application/problem+json".to_owned())];
    headers.extend(problem.headers.iter().cloned());
    let mut body = to_json(&problem);
    body["instance"] = request.url().into();
    send(request, problem.status, to_line(&body), &headers);
}

fn send(request: Request, status: u16, body: Vec<u8>, headers: &[(&'static str, String)]) {
    // All names and values are ours or percent-encoded by tiny_http's own parser, so none is refused.
    let headers = headers.iter().filter_map(|(name, value)| Header::from_bytes(*name, value.as_str()).ok()).collect();
    let length = body.len();
    let response = Response::new(status.into(), headers, Cursor::new(body), Some(length), None);
    // A client that has gone away needs no answer.
    if let Err(error) = request.respond(response) {
        log::debug!("an answer could not be delivered: {error}");
    }
}

fn json_type() -> (&'static str, String) {
    ("Content-Type", "application/json".to_owned())
}

fn to_json(value: &impl serde::Serialize) -> Value {
    // Only maps with keys that are no strings fail, and there are none.
    serde_json::to_value(value).unwrap_or_default()
}

/// Indented and with a line end: these answers are read in terminals.
fn to_line(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
