//! Answers on the wire.

use super::problem::Problem;
use crate::manager::Answer;
use serde_json::{Value, json};
use std::io::Cursor;
use tiny_http::{Header, Request, Response};

/// Writes the manager's answer.
pub(super) fn answer(request: Request, answer: Answer) {
    let (status, body, location) = match answer {
        Answer::Created(view) => (201, to_json(&view), Some(view.name.clone())),
        Answer::Accepted(view) => (202, to_json(&view), Some(view.name.clone())),
        Answer::Cluster(view) => (200, to_json(&view), None),
        Answer::Clusters { clusters, total, more } => {
            let next = if more { clusters.last().map(|view| view.name.clone()) } else { None };
            let mut list = json!({ "count": total, "clusters": clusters });
            if let Some(next) = next {
                list["continue"] = next.into();
            }
            (200, list, None)
        }
        Answer::OperationStarted(view) => {
            let location = format!("/operations/{}", view.id);
            return send(request, 202, to_line(&to_json(&view)), &[json_type(), ("Location", location)]);
        }
        Answer::Operation(view) => (200, to_json(&view), None),
        Answer::Operations(views) => (200, json!({ "operations": views }), None),
        Answer::RampStarted(view) => {
            let location = format!("/ramps/{}", view.id);
            return send(request, 202, to_line(&to_json(&view)), &[json_type(), ("Location", location)]);
        }
        Answer::Ramp(view) => (200, to_json(&view), None),
        Answer::Ramps(views) => (200, json!({ "ramps": views }), None),
        Answer::RampResults(results) => (200, to_json(&results), None),
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
