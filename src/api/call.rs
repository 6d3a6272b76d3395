//! A request as its handler sees it, and what the handler makes of it.

use super::field::Values;
use super::server::Shared;
use crate::manager::Action;
use serde::Serialize;

/// A request that a route takes: everything in it is what the route says.
pub(super) struct Call<'a> {
    /// What the path's `{…}` stand for.
    pub(super) names: Vec<(&'static str, String)>,
    /// The query parameters.
    pub(super) query: Values,
    /// The fields of the body; none where the route takes no body.
    pub(super) body: Values,
    /// What every handler may use.
    #[allow(dead_code)]
    pub(super) shared: &'a Shared,
}

/// What a handler makes of a request.
pub(super) enum Reaction {
    /// The manager is asked; its answer is sent when it comes.
    Ask(Action),
    /// This is the answer.
    Show(Page),
}

/// An answer that needs no manager.
pub(super) struct Page {
    /// The HTTP status.
    pub(super) status: u16,
    /// The media type.
    pub(super) media_type: &'static str,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl Call<'_> {
    /// What `{name}` in the path stands for; empty if the path has no such part.
    pub(super) fn name(&self, name: &str) -> String {
        self.names.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone()).unwrap_or_default()
    }
}

impl Page {
    /// JSON, indented and with a line end: answers are read in terminals.
    pub(super) fn json(status: u16, value: &impl Serialize) -> Page {
        // Only maps with keys that are no strings fail, and there are none.
        let value = serde_json::to_value(value).unwrap_or_default();
        Page { status, media_type: "application/json", body: format!("{value:#}\n").into_bytes() }
    }
}
