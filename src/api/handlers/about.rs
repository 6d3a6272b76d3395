//! The agent itself.

use crate::api::call::{Call, Page, Reaction};
use crate::api::problem::Problem;
use crate::api::surroundings::Surroundings;
use crate::api::{metrics, openapi, page, respond};
use crate::manager::{Action, Answer};

pub(in crate::api) fn page(_: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Show(page::page()))
}

pub(in crate::api) fn overview(_: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Overview))
}

pub(in crate::api) fn livez(_: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Alive))
}

pub(in crate::api) fn health(_: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::AskFor(Action::Health, show_health))
}

fn show_health(surroundings: &Surroundings, answer: Answer) -> Result<Page, Answer> {
    let Answer::Health(mut health) = answer else { return Err(answer) };
    surroundings.complete(&mut health);
    Ok(respond::health(&health))
}

pub(in crate::api) fn requests(_: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Requests))
}

pub(in crate::api) fn metrics(_: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::AskFor(Action::Metrics, metrics::page))
}

pub(in crate::api) fn openapi(_: &Call) -> Result<Reaction, Problem> {
    Ok(Reaction::Show(openapi::page()))
}
