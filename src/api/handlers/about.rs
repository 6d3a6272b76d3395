//! The agent itself.

use crate::api::call::{Call, Page, Reaction};
use crate::api::problem::Problem;
use crate::api::server::Shared;
use crate::api::{metrics, openapi, page, respond};
use crate::manager::{Action, Answer};

pub(in crate::api) fn page(_: &Call<'_>) -> Result<Reaction, Problem> {
    Ok(Reaction::Show(page::page()))
}

pub(in crate::api) fn overview(_: &Call<'_>) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Overview))
}

pub(in crate::api) fn livez(_: &Call<'_>) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Alive))
}

pub(in crate::api) fn health(_: &Call<'_>) -> Result<Reaction, Problem> {
    Ok(Reaction::AskFor(Action::Health, show_health))
}

fn show_health(shared: &Shared, answer: Answer) -> Result<Page, Answer> {
    let Answer::Health(mut health) = answer else { return Err(answer) };
    shared.complete(&mut health);
    Ok(respond::health(&health))
}

pub(in crate::api) fn requests(_: &Call<'_>) -> Result<Reaction, Problem> {
    Ok(Reaction::Ask(Action::Requests))
}

pub(in crate::api) fn metrics(_: &Call<'_>) -> Result<Reaction, Problem> {
    Ok(Reaction::AskFor(Action::Metrics, metrics::page))
}

pub(in crate::api) fn openapi(_: &Call<'_>) -> Result<Reaction, Problem> {
    Ok(Reaction::Show(openapi::page()))
}
