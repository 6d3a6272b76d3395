//! Clusters, one and many.

use super::ramps::bad_ramp;
use crate::api::call::{Call, Reaction};
use crate::api::field::{Values, missing};
use crate::api::problem::{Kind, Problem};
use crate::api::routes::MAX_PAGE;
use crate::kube::Size;
use crate::manager::{Action, ClusterName, NameError, State, Wanted, Which, check_names};
use crate::ramp::{InFlightUntil, Rate, Spec, parse_run};

pub(in crate::api) fn list(call: &Call) -> Result<Reaction, Problem> {
    let state = call.query.text("state");
    Ok(Reaction::Ask(Action::List {
        state: State::ALL.into_iter().find(|known| state.as_deref() == Some(known.as_str())),
        limit: call.query.whole("limit").unwrap_or(MAX_PAGE) as usize,
        after: call.query.text("continue"),
    }))
}

pub(in crate::api) fn create(call: &Call) -> Result<Reaction, Problem> {
    let body = &call.body;
    let wanted = Wanted {
        server: body.text("server"),
        template: body.text("template"),
        adopt: body.flag("adopt").unwrap_or(false),
        run: None,
    };
    let Some(prefix) = body.text("prefix") else { return create_one(body, wanted, wait(call)) };
    if body.has("name") {
        return Err(Problem::new(Kind::BadRequest, "both \"name\" and \"prefix\" are given", ONE_OR_MANY));
    }
    let rate = body.text("rate").map(|rate| Rate::parse(&rate)).transpose().map_err(|misread| {
        let remedy = "give clusters a second or minute: \"10/s\", \"90/m\"";
        Problem::new(Kind::BadRequest, format!("the field \"rate\": {misread}"), remedy)
    })?;
    let mut spec = Spec {
        prefix,
        clusters: body.whole("count").ok_or_else(|| missing("count"))?,
        start: body.whole("start").unwrap_or(1),
        width: body.whole("width").map_or(0, |width| width as u8),
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
    Ok(Reaction::Ask(Action::CreateMany(Box::new(spec))))
}

fn create_one(body: &Values, wanted: Wanted, wait: bool) -> Result<Reaction, Problem> {
    if let Some(field) = ["count", "start", "width", "rate"].into_iter().find(|field| body.has(field)) {
        return Err(Problem::new(Kind::BadRequest, format!("the field {field:?} goes with \"prefix\""), ONE_OR_MANY));
    }
    let name = ClusterName::parse(&body.need_text("name")?).map_err(|error| invalid_name(&error))?;
    Ok(Reaction::Ask(Action::Create { name, wanted, wait }))
}

pub(in crate::api) fn delete_many(call: &Call) -> Result<Reaction, Problem> {
    let prefix = call.query.text("prefix").unwrap_or_default();
    let run = call.query.text("run");
    if prefix.is_empty() && run.is_none() {
        let remedy = "say which: DELETE /clusters?prefix=edge-, or ?run=ID";
        return Err(Problem::new(Kind::BadRequest, "neither \"prefix\" nor \"run\" says which clusters", remedy));
    }
    if !prefix.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) || prefix.starts_with('-') {
        let detail = format!("no cluster's name begins with {prefix:?}");
        return Err(Problem::new(Kind::BadRequest, detail, "names hold a-z, 0-9 and '-' only"));
    }
    let run = run.map(|run| parse_run(&run)).transpose().map_err(|problem| {
        Problem::new(Kind::BadRequest, problem, "GET /clusters/NAME and GET /ramps/ID show the run")
    })?;
    Ok(Reaction::Ask(Action::DeleteMany(Which { prefix, run })))
}

pub(in crate::api) fn show(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Get(call.name("name"))))
}

pub(in crate::api) fn requests(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::ClusterRequests(call.name("name"))))
}

pub(in crate::api) fn resize(call: &Call) -> Result<Reaction, Problem> {
    let size = Size { nodes: call.body.whole("nodes"), pods: call.body.whole("pods") };
    if size == Size::default() {
        let remedy = r#"send for example {"nodes": 5, "pods": 40}"#;
        return Err(Problem::new(Kind::BadRequest, "neither \"nodes\" nor \"pods\" is given", remedy));
    }
    Ok(Reaction::Ask(Action::Resize(call.name("name"), size)))
}

pub(in crate::api) fn delete(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Delete { name: call.name("name"), wait: wait(call) }))
}

pub(in crate::api) fn retry(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Retry(call.name("name"))))
}

pub(in crate::api) fn rotate_token(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::RotateToken(call.name("name"))))
}

fn wait(call: &Call) -> bool {
    call.query.flag("wait").unwrap_or(true)
}

pub(super) fn invalid_name(error: &NameError) -> Problem {
    let remedy = "choose a DNS-1123 label: up to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit";
    Problem::new(Kind::InvalidName, error.to_string(), remedy)
}

const ONE_OR_MANY: &str = "give a prefix for many clusters, or a name for one";
