//! A request as its handler sees it, and what the handler makes of it.

use super::field::Values;
use super::surroundings::Surroundings;
use crate::manager::{Action, Answer};
use serde::Serialize;

/// A request that a route takes: everything in it is what the route says.
pub(super) struct Call {
    /// What the path's `{…}` stand for.
    pub(super) names: Vec<(&'static str, String)>,
    /// The query parameters.
    pub(super) query: Values,
    /// The fields of the body; none where the route takes no body.
    pub(super) body: Values,
}

/// What a handler makes of a request.
pub(super) enum Reaction {
    /// The manager is asked; its answer is sent when it comes.
    Ask(Action),
    /// The manager is asked; what this makes of its answer is sent when it comes.
    AskFor(Action, Present),
    /// This is the answer.
    Show(Page),
}

/// Makes a page of an answer, or gives back what is no answer to the question, such as a refusal.
pub(super) type Present = fn(&Surroundings, Answer) -> Result<Page, Answer>;

/// An answer on its way to the client.
pub(super) struct Page {
    /// The HTTP status.
    pub(super) status: u16,
    /// Header fields beside the media type.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The media type of the body.
    pub(super) media_type: &'static str,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl Call {
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
        Page::new(status, "application/json", format!("{value:#}\n"))
    }

    /// A body of some type.
    pub(super) fn new(status: u16, media_type: &'static str, body: impl Into<Vec<u8>>) -> Page {
        Page { status, headers: Vec::new(), media_type, body: body.into() }
    }

    /// Adds a header field.
    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Page {
        self.headers.push((name, value.into()));
        self
    }
}
