//! Errors as `application/problem+json` (RFC 9457), with the next step as an extension member.

use crate::manager::{Refusal, RefusalKind};
use schemars::JsonSchema;
use serde::Serialize;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    /// The HTTP status.
    pub(super) status: u16,
    /// What happened, to what.
    pub(super) detail: String,
    /// What to do next.
    remedy: String,
    /// Header fields that go with it: `Allow`, `Retry-After`.
    #[serde(skip)]
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Problem {
    /// A problem of one of the kinds below.
    pub(super) fn new(kind: Kind, detail: impl Into<String>, remedy: impl Into<String>) -> Problem {
        let (status, name, title) = kind.facts();
        Problem { kind: name, title, status, detail: detail.into(), remedy: remedy.into(), headers: Vec::new() }
    }

    /// Adds a header field.
    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Problem {
        self.headers.push((name, value.into()));
        self
    }

    /// The queue to the manager, or ours, is full.
    pub(super) fn overloaded() -> Problem {
        Problem::new(Kind::Unavailable, "the agent has more requests waiting than it can hold", "try again in a second")
            .with_header("Retry-After", "1")
    }
}

/// What kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    BadRequest,
    Unauthorized,
    Forbidden,
    TooManyFailures,
    TooSlow,
    HeadTooLarge,
    NotSpoken,
    UnknownRoute,
    UnknownCluster,
    UnknownServer,
    UnknownTemplate,
    UnknownOperation,
    UnknownRamp,
    UnknownFault,
    NothingSelected,
    MethodNotAllowed,
    Conflict,
    WrongState,
    TooLarge,
    UnsupportedMediaType,
    InvalidName,
    LimitReached,
    OutOfReach,
    RancherRefuses,
    Unavailable,
}

impl Kind {
    /// The kind that the gate means by a status of HTTP's own.
    pub(super) fn of_gate(status: u16) -> Kind {
        match status {
            408 => Kind::TooSlow,
            413 => Kind::TooLarge,
            431 => Kind::HeadTooLarge,
            501 | 505 => Kind::NotSpoken,
            503 => Kind::Unavailable,
            _ => Kind::BadRequest,
        }
    }

    /// Its HTTP status.
    pub(super) fn status(self) -> u16 {
        self.facts().0
    }

    /// What it is, for people.
    pub(super) fn title(self) -> &'static str {
        self.facts().2
    }

    fn facts(self) -> (u16, &'static str, &'static str) {
        match self {
            Kind::BadRequest => (400, "urn:scale-cluster-agent:bad-request", "The request cannot be understood"),
            Kind::Unauthorized => (401, "urn:scale-cluster-agent:unauthorized", "The caller is not known"),
            Kind::Forbidden => (403, "urn:scale-cluster-agent:forbidden", "The caller may not do this"),
            Kind::TooManyFailures => {
                (429, "urn:scale-cluster-agent:too-many-failures", "Too many callers are not known")
            }
            Kind::TooSlow => (408, "urn:scale-cluster-agent:too-slow", "The request did not come in time"),
            Kind::HeadTooLarge => (431, "urn:scale-cluster-agent:head-too-large", "The head is too large"),
            Kind::NotSpoken => (501, "urn:scale-cluster-agent:not-spoken", "That is not spoken here"),
            Kind::UnknownRoute => (404, "urn:scale-cluster-agent:unknown-route", "There is nothing at this path"),
            Kind::UnknownCluster => (404, "urn:scale-cluster-agent:unknown-cluster", "There is no such cluster"),
            Kind::OutOfReach => (422, "urn:scale-cluster-agent:out-of-reach", "The cluster cannot have that size"),
            Kind::UnknownTemplate => (422, "urn:scale-cluster-agent:unknown-template", "There is no such template"),
            Kind::UnknownOperation => (404, "urn:scale-cluster-agent:unknown-operation", "There is no such operation"),
            Kind::UnknownRamp => (404, "urn:scale-cluster-agent:unknown-ramp", "There is no such ramp"),
            Kind::UnknownFault => (404, "urn:scale-cluster-agent:unknown-fault", "There is no such fault"),
            Kind::NothingSelected => {
                (422, "urn:scale-cluster-agent:nothing-selected", "The selection meets no cluster that runs")
            }
            Kind::UnknownServer => (422, "urn:scale-cluster-agent:unknown-server", "There is no such Rancher server"),
            Kind::MethodNotAllowed => {
                (405, "urn:scale-cluster-agent:method-not-allowed", "The path does not know this method")
            }
            Kind::Conflict => (409, "urn:scale-cluster-agent:conflict", "The name is in use"),
            Kind::WrongState => (409, "urn:scale-cluster-agent:wrong-state", "Its state does not allow this"),
            Kind::TooLarge => (413, "urn:scale-cluster-agent:too-large", "The body is too large"),
            Kind::UnsupportedMediaType => (415, "urn:scale-cluster-agent:media-type", "The body is not JSON"),
            Kind::InvalidName => (422, "urn:scale-cluster-agent:invalid-name", "The name cannot be a cluster's"),
            Kind::LimitReached => (409, "urn:scale-cluster-agent:limit-reached", "A limit of the agent is reached"),
            Kind::RancherRefuses => (502, "urn:scale-cluster-agent:rancher-refuses", "Rancher refuses"),
            Kind::Unavailable => (503, "urn:scale-cluster-agent:unavailable", "Not now"),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let kind = match refusal.kind {
            RefusalKind::UnknownCluster => Kind::UnknownCluster,
            RefusalKind::UnknownServer => Kind::UnknownServer,
            RefusalKind::OutOfReach => Kind::OutOfReach,
            RefusalKind::UnknownTemplate => Kind::UnknownTemplate,
            RefusalKind::UnknownOperation => Kind::UnknownOperation,
            RefusalKind::UnknownRamp => Kind::UnknownRamp,
            RefusalKind::UnknownFault => Kind::UnknownFault,
            RefusalKind::NothingSelected => Kind::NothingSelected,
            RefusalKind::InvalidName => Kind::InvalidName,
            RefusalKind::Conflict => Kind::Conflict,
            RefusalKind::WrongState => Kind::WrongState,
            RefusalKind::LimitReached => Kind::LimitReached,
            RefusalKind::RancherRefuses => Kind::RancherRefuses,
            RefusalKind::Unavailable => Kind::Unavailable,
        };
        let problem = Problem::new(kind, refusal.detail, refusal.remedy);
        if kind == Kind::Unavailable { problem.with_header("Retry-After", "1") } else { problem }
    }
}
