//! Faults on a selection of clusters.

use crate::api::call::{Call, Reaction};
use crate::api::problem::{Kind, Problem};
use crate::faults::{Injection, KINDS, PRESETS};
use crate::manager::Action;
use serde_json::{Value, json};

pub(in crate::api) fn list(_: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Faults))
}

pub(in crate::api) fn start(call: &Call) -> Result<Reaction, Problem> {
    let injection = Injection::from_json(call.body.object()).map_err(|error| {
        let remedy =
            r#"mend that field, as in {"fault":"errors","status":503,"select":"prefix=edge-,10%","duration":"5m"}"#;
        Problem::new(Kind::BadRequest, error.to_string(), remedy)
    })?;
    Ok(Reaction::Ask(Action::Inject(Box::new(injection))))
}

pub(in crate::api) fn show(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Fault(id(call)?)))
}

pub(in crate::api) fn end(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::EndFault(id(call)?)))
}

/// Every fault and preset.
pub(in crate::api) fn names() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.name).chain(PRESETS.iter().map(|preset| preset.name)).collect()
}

/// What a parameter looks like: text such as `30s`, `20%` or `503`, or a bare number.
pub(in crate::api) fn scalar() -> Value {
    json!({ "type": ["string", "number"] })
}

fn id(call: &Call) -> Result<u64, Problem> {
    let text = call.name("id");
    text.parse().map_err(|_| {
        let detail = format!("{text:?} is no fault's number");
        Problem::new(Kind::UnknownFault, detail, "GET /faults lists the latest")
    })
}
