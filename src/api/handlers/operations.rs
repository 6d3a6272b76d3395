//! Work on many clusters.

use crate::api::call::{Call, Reaction};
use crate::api::problem::{Kind, Problem};
use crate::manager::Action;

pub(in crate::api) fn list(_: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Operations))
}

pub(in crate::api) fn show(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Operation(number(call)?)))
}

pub(in crate::api) fn cancel(call: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Cancel(number(call)?)))
}

fn number(call: &Call) -> Result<u64, Problem> {
    let text = call.name("id");
    text.parse().map_err(|_| {
        let detail = format!("{text:?} is no operation's number");
        Problem::new(Kind::UnknownOperation, detail, "GET /operations lists the latest")
    })
}
