//! Which request asks for what.

use super::body::{read_object, string};
use super::problem::{Kind, Problem};
use crate::manager::{Action, ClusterName, State};
use percent_encoding::percent_decode_str;
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
            let object = read_object(request, max_body_bytes, &["name", "server"])?;
            let name = string(&object, "name")?;
            let server = object.contains_key("server").then(|| string(&object, "server")).transpose()?;
            let name = ClusterName::parse(&name).map_err(|error| {
                let remedy = "choose a DNS-1123 label: up to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit";
                Problem::new(Kind::InvalidName, error.to_string(), remedy)
            })?;
            Ok(Action::Create { name, server, wait })
        }
        (Method::Get | Method::Head, ["clusters", name]) => {
            parameters(query, &[])?;
            Ok(Action::Get((*name).to_owned()))
        }
        (Method::Post, ["clusters", name, "retry"]) => {
            parameters(query, &[])?;
            Ok(Action::Retry((*name).to_owned()))
        }
        (Method::Delete, ["clusters", name]) => Ok(Action::Delete { name: (*name).to_owned(), wait: wait(query)? }),
        (_, ["health"]) => Err(not_allowed(request, "GET, HEAD")),
        (_, ["clusters"]) => Err(not_allowed(request, "GET, HEAD, POST")),
        (_, ["clusters", _]) => Err(not_allowed(request, "GET, HEAD, DELETE")),
        (_, ["clusters", _, "retry"]) => Err(not_allowed(request, "POST")),
        _ => Err(Problem::new(
            Kind::UnknownRoute,
            format!("there is nothing at {path:?}"),
            "the paths are /health, /clusters, /clusters/NAME and /clusters/NAME/retry",
        )),
    }
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

/// Clusters in an answer unless the caller says otherwise: everything a person would read, and a few megabytes.
const DEFAULT_PAGE: usize = 10_000;
/// The largest page.
const MAX_PAGE: usize = 10_000;
