//! Which request asks for what.

use super::body::{flag, number, read_object, string};
use super::problem::{Kind, Problem};
use crate::kube::Size;
use crate::manager::{Action, ClusterName, NameError, State, Steer, Wanted, check_names};
use crate::ramp::{InFlightUntil, MAX_CLUSTERS, Rate, Spec, SpecError};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use tiny_http::{Method, Request};

/// What a request asks of the manager.
pub(super) fn route(request: &mut Request, max_body_bytes: usize) -> Result<Action, Problem> {
    let url = request.url().to_owned();
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let path = percent_decode_str(path.trim_end_matches('/')).decode_utf8_lossy().into_owned();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method(), segments.as_slice()) {
        (Method::Get | Method::Head, ["health"]) => {
            parameters(query, &[])?;
            Ok(Action::Health)
        }
        (Method::Get | Method::Head, ["clusters"]) => list(query),
        (Method::Post, ["clusters"]) => {
            let wait = wait(query)?;
            create(&read_object(request, max_body_bytes, &CREATE_FIELDS)?, wait)
        }
        (Method::Delete, ["clusters"]) => {
            let prefix = parameters(query, &["prefix"])?.into_iter().map(|(_, prefix)| prefix).next_back();
            let prefix = prefix.filter(|prefix| !prefix.is_empty()).ok_or_else(|| {
                let remedy = "say which: DELETE /clusters?prefix=edge-";
                Problem::new(Kind::BadRequest, "the query parameter \"prefix\" is missing", remedy)
            })?;
            Ok(Action::DeleteMany(prefix))
        }
        (Method::Post, ["ramps"]) => {
            parameters(query, &[])?;
            ramp(&read_object(request, max_body_bytes, &Spec::FIELDS)?)
        }
        (Method::Get | Method::Head, ["ramps"]) => parameters(query, &[]).map(|_| Action::Ramps),
        (Method::Get | Method::Head, ["ramps", number]) => Ok(Action::Ramp(operation_number(number)?)),
        (Method::Get | Method::Head, ["ramps", number, "results"]) => {
            Ok(Action::RampResults(operation_number(number)?))
        }
        (Method::Post, ["ramps", number, "pause"]) => Ok(Action::SteerRamp(operation_number(number)?, Steer::Pause)),
        (Method::Post, ["ramps", number, "resume"]) => Ok(Action::SteerRamp(operation_number(number)?, Steer::Resume)),
        (Method::Post, ["ramps", number, "stop"]) => Ok(Action::SteerRamp(operation_number(number)?, Steer::Stop)),
        (Method::Get | Method::Head, ["operations"]) => parameters(query, &[]).map(|_| Action::Operations),
        (Method::Get | Method::Head, ["operations", number]) => Ok(Action::Operation(operation_number(number)?)),
        (Method::Delete, ["operations", number]) => Ok(Action::Cancel(operation_number(number)?)),
        (Method::Get | Method::Head, ["clusters", name]) => {
            parameters(query, &[])?;
            Ok(Action::Get((*name).to_owned()))
        }
        (Method::Post, ["clusters", name, "retry"]) => {
            parameters(query, &[])?;
            Ok(Action::Retry((*name).to_owned()))
        }
        (Method::Post, ["clusters", name, "rotate-token"]) => {
            parameters(query, &[])?;
            Ok(Action::RotateToken((*name).to_owned()))
        }
        (Method::Patch, ["clusters", name]) => {
            parameters(query, &[])?;
            resize(name, &read_object(request, max_body_bytes, &SIZE_FIELDS)?)
        }
        (Method::Delete, ["clusters", name]) => Ok(Action::Delete { name: (*name).to_owned(), wait: wait(query)? }),
        (_, ["health"]) => Err(not_allowed(request, "GET, HEAD")),
        (_, ["clusters"]) => Err(not_allowed(request, "GET, HEAD, POST, DELETE")),
        (_, ["operations"] | ["ramps", _] | ["ramps", _, "results"]) => Err(not_allowed(request, "GET, HEAD")),
        (_, ["ramps"]) => Err(not_allowed(request, "GET, HEAD, POST")),
        (_, ["operations", _]) => Err(not_allowed(request, "GET, HEAD, DELETE")),
        (_, ["clusters", _]) => Err(not_allowed(request, "GET, HEAD, PATCH, DELETE")),
        (_, ["clusters", _, "retry" | "rotate-token"] | ["ramps", _, "pause" | "resume" | "stop"]) => {
            Err(not_allowed(request, "POST"))
        }
        _ => Err(Problem::new(
            Kind::UnknownRoute,
            format!("there is nothing at {path:?}"),
            "the paths are /health, /clusters, /clusters/NAME, /clusters/NAME/retry, /clusters/NAME/rotate-token, /operations, /operations/ID, /ramps, /ramps/ID and /ramps/ID/results|pause|resume|stop",
        )),
    }
}

fn create(object: &Map<String, Value>, wait: bool) -> Result<Action, Problem> {
    let optional = |field| object.contains_key(field).then(|| string(object, field)).transpose();
    let wanted = Wanted { server: optional("server")?, template: optional("template")?, adopt: flag(object, "adopt")? };
    if !object.contains_key("prefix") {
        if let Some(field) = BULK_FIELDS.into_iter().find(|field| object.contains_key(*field)) {
            let problem = format!("the field {field:?} goes with \"prefix\"");
            return Err(Problem::new(Kind::BadRequest, problem, "give a prefix for many clusters, or a name for one"));
        }
        let name = ClusterName::parse(&string(object, "name")?).map_err(|error| invalid_name(&error))?;
        return Ok(Action::Create { name, wanted, wait });
    }
    if object.contains_key("name") {
        let remedy = "give a prefix for many clusters, or a name for one";
        return Err(Problem::new(Kind::BadRequest, "both \"name\" and \"prefix\" are given", remedy));
    }
    let rate = optional("rate")?.map(|rate| Rate::parse(&rate)).transpose().map_err(|misread| {
        let remedy = "give clusters a second or minute: \"10/s\", \"90/m\"";
        Problem::new(Kind::BadRequest, format!("the field \"rate\": {misread}"), remedy)
    })?;
    let mut spec = Spec {
        prefix: string(object, "prefix")?,
        clusters: number(object, "count", 1, MAX_CLUSTERS)?
            .ok_or_else(|| Problem::new(Kind::BadRequest, "the field \"count\" is missing", "say how many clusters"))?,
        start: number(object, "start", 0, u32::MAX)?.unwrap_or(1),
        // A label has 63 characters.
        width: number(object, "width", 0, 63)?.map_or(0, |width| width as u8),
        // As many at once as keep Rancher's registrars busy, however they are paced.
        max_in_flight: Some(Spec::UNPACED_IN_FLIGHT),
        in_flight_until: InFlightUntil::Created,
        server: wanted.server,
        template: wanted.template,
        adopt: wanted.adopt,
        ..Spec::default()
    };
    spec.pace(rate).map_err(|error| bad_ramp(&error))?;
    check_names(&spec).map_err(|error| invalid_name(&error))?;
    Ok(Action::CreateMany(Box::new(spec)))
}

fn ramp(object: &Map<String, Value>) -> Result<Action, Problem> {
    let spec = Spec::from_json(object).map_err(|error| bad_ramp(&error))?;
    check_names(&spec).map_err(|error| invalid_name(&error))?;
    Ok(Action::StartRamp(Box::new(spec)))
}

fn bad_ramp(error: &SpecError) -> Problem {
    let remedy = r#"send for example {"prefix": "edge-", "clusters": 2000, "rate": "5/s", "hold": "1h"}"#;
    Problem::new(Kind::BadRequest, error.to_string(), remedy)
}

fn resize(name: &str, object: &Map<String, Value>) -> Result<Action, Problem> {
    let size = Size { nodes: number(object, "nodes", 0, MAX_SIZE)?, pods: number(object, "pods", 0, MAX_SIZE)? };
    if size == Size::default() {
        let remedy = r#"send for example {"nodes": 5, "pods": 40}"#;
        return Err(Problem::new(Kind::BadRequest, "neither \"nodes\" nor \"pods\" is given", remedy));
    }
    Ok(Action::Resize(name.to_owned(), size))
}

fn invalid_name(error: &NameError) -> Problem {
    let remedy = "choose a DNS-1123 label: up to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit";
    Problem::new(Kind::InvalidName, error.to_string(), remedy)
}

fn operation_number(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| {
        let detail = format!("{text:?} is no operation's number");
        Problem::new(Kind::UnknownOperation, detail, "GET /operations lists the latest")
    })
}

fn list(query: &str) -> Result<Action, Problem> {
    let mut action = (None, DEFAULT_PAGE, None);
    for (name, value) in parameters(query, &["state", "limit", "continue"])? {
        match name.as_str() {
            "state" => {
                let state = State::ALL.into_iter().find(|state| state.as_str() == value);
                let names = State::ALL.map(State::as_str).join(", ");
                action.0 = Some(state.ok_or_else(|| bad_parameter(&name, &value, &format!("one of {names}")))?);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
                action.1 =
                    limit.ok_or_else(|| bad_parameter(&name, &value, &format!("a number from 1 to {MAX_PAGE}")))?;
            }
            _ => action.2 = Some(value),
        }
    }
    Ok(Action::List { state: action.0, limit: action.1, after: action.2 })
}

fn wait(query: &str) -> Result<bool, Problem> {
    parameters(query, &["wait"])?.into_iter().try_fold(true, |_, (name, value)| match value.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(bad_parameter(&name, &value, "true or false")),
    })
}

fn parameters(query: &str, known: &[&str]) -> Result<Vec<(String, String)>, Problem> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name), decode(value));
            if known.contains(&name.as_str()) {
                return Ok((name, value));
            }
            let remedy = match known {
                [] => "leave it out".to_owned(),
                known => format!("known here: {}", known.join(", ")),
            };
            Err(Problem::new(Kind::BadRequest, format!("the query parameter {name:?} is unknown"), remedy))
        })
        .collect()
}

fn bad_parameter(name: &str, value: &str, expected: &str) -> Problem {
    let detail = format!("the query parameter {name:?} is {value:?}");
    Problem::new(Kind::BadRequest, detail, format!("give {expected}"))
}

fn not_allowed(request: &Request, allowed: &'static str) -> Problem {
    let detail = format!("{} is not known at {}", request.method(), request.url());
    Problem::new(Kind::MethodNotAllowed, detail, format!("use one of {allowed}")).with_header("Allow", allowed)
}

const CREATE_FIELDS: [&str; 9] = ["name", "server", "template", "adopt", "prefix", "count", "start", "width", "rate"];
const SIZE_FIELDS: [&str; 2] = ["nodes", "pods"];
/// More than MaxObjects lets a cluster hold.
const MAX_SIZE: u32 = 1_000_000;
const BULK_FIELDS: [&str; 4] = ["count", "start", "width", "rate"];
/// Clusters in an answer unless the caller says otherwise: everything a person would read, and a few megabytes.
const DEFAULT_PAGE: usize = 10_000;
/// The largest page.
const MAX_PAGE: usize = 10_000;
