//! Ramps: clusters that are brought up by a plan, and measured.

use super::clusters::invalid_name;
use crate::api::call::{Call, Reaction};
use crate::api::problem::{Kind, Problem};
use crate::manager::{Action, Steer, check_names};
use crate::ramp::{Spec, SpecError};

pub(in crate::api) fn start(call: &Call) -> Result<Reaction, Problem> {
    let spec = Spec::from_json(call.body.object()).map_err(|error| bad_ramp(&error))?;
    check_names(&spec).map_err(|error| invalid_name(&error))?;
    Ok(Reaction::Ask(Action::StartRamp(Box::new(spec))))
}

pub(in crate::api) fn list(_: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Ramps))
}

pub(in crate::api) fn show(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Ramp(number(call)?)))
}

pub(in crate::api) fn results(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::RampResults(number(call)?)))
}

pub(in crate::api) fn pause(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::SteerRamp(number(call)?, Steer::Pause)))
}

pub(in crate::api) fn resume(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::SteerRamp(number(call)?, Steer::Resume)))
}

pub(in crate::api) fn stop(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::SteerRamp(number(call)?, Steer::Stop)))
}

pub(super) fn bad_ramp(error: &SpecError) -> Problem {
    let remedy = r#"send for example {"prefix": "edge-", "clusters": 2000, "rate": "5/s", "hold": "1h"}"#;
    Problem::new(Kind::BadRequest, error.to_string(), remedy)
}

fn number(call: &Call) -> Result<u64, Problem> {
    let text = call.name("id");
    text.parse().map_err(|_| {
        let detail = format!("{text:?} is no ramp's number");
        Problem::new(Kind::UnknownRamp, detail, "GET /ramps lists the latest")
    })
}
