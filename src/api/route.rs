//! What a route is, and which one takes a request.

use super::call::{Call, Reaction};
use super::field::Field;
use super::problem::{Kind, Problem};
use super::routes::ROUTES;
use crate::config::Role;
use percent_encoding::percent_decode_str;
use schemars::{Schema, SchemaGenerator};

/// A method at a path: who may use it, what it takes, what it answers and who answers. Requests are checked against it before
/// its handler sees them, and `/openapi.json` is made from it.
pub(super) struct Route {
    /// The method; HEAD goes with GET.
    pub(super) method: &'static str,
    /// The path; a segment in braces stands for any.
    pub(super) path: &'static str,
    /// The least role that may use it; `None` is anybody, for what tells nothing of the fleet.
    pub(super) role: Option<Role>,
    /// What it does; one sentence.
    pub(super) summary: &'static str,
    /// The query parameters it takes.
    pub(super) query: &'static [Field],
    /// The fields of the JSON object it takes as body; `None` reads no body.
    pub(super) body: Option<&'static [Field]>,
    /// What it answers when all is well, and 503 where its answer then has the same shape.
    pub(super) answers: &'static [Answered],
    /// The problems that are its own, beyond those that every route has.
    pub(super) problems: &'static [Kind],
    /// Turns a request into what is to be done.
    pub(super) handle: fn(&Call) -> Result<Reaction, Problem>,
}

/// An answer of a route.
pub(super) struct Answered {
    /// The HTTP status.
    pub(super) status: u16,
    /// When it is given.
    pub(super) help: &'static str,
    /// What it carries.
    pub(super) content: Content,
}

/// What an answer carries.
pub(super) enum Content {
    /// No body.
    Nothing,
    /// JSON of the type whose schema this makes: `json::<View>()`.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Text of this media type.
    Text(&'static str),
}

/// JSON of a type.
pub(super) const fn json<T: schemars::JsonSchema>() -> Content {
    Content::Json(SchemaGenerator::subschema_for::<T>)
}

/// The route that takes a request.
pub(super) struct Found {
    /// Its position in the table.
    pub(super) index: usize,
    pub(super) route: &'static Route,
    /// What its path's `{…}` stand for.
    pub(super) names: Vec<(&'static str, String)>,
}

impl Route {
    /// The route that takes `method` at `path`, which is percent-encoded and has no query.
    pub(super) fn find(method: &str, path: &str) -> Result<Found, Problem> {
        let decoded = percent_decode_str(path.trim_end_matches('/')).decode_utf8_lossy().into_owned();
        let here = ROUTES.iter().enumerate();
        let here = here.filter_map(|(index, route)| Some(Found { index, route, names: route.names(&decoded)? }));
        let here: Vec<Found> = here.collect();
        // What is spelt out wins over what stands for any.
        let fewest = here.iter().map(|found| found.names.len()).min();
        let mut here: Vec<Found> = here.into_iter().filter(|found| Some(found.names.len()) == fewest).collect();
        if here.is_empty() {
            return Err(Problem::new(
                Kind::UnknownRoute,
                format!("there is nothing at {:?}", if decoded.is_empty() { "/" } else { &decoded }),
                "GET /openapi.json lists every path",
            ));
        }
        let wanted = if method == "HEAD" { "GET" } else { method };
        if let Some(position) = here.iter().position(|found| found.route.method == wanted) {
            return Ok(here.swap_remove(position));
        }
        let allowed =
            here.iter().map(|found| if found.route.method == "GET" { "GET, HEAD" } else { found.route.method });
        let allowed = allowed.collect::<Vec<_>>().join(", ");
        let detail = format!("{method} is not known at {path}");
        Err(Problem::new(Kind::MethodNotAllowed, detail, format!("use one of {allowed}")).with_header("Allow", allowed))
    }

    /// What the braces in its path stand for, if the path is its own.
    fn names(&self, path: &str) -> Option<Vec<(&'static str, String)>> {
        let mut segments = path.split('/');
        let mut names = Vec::new();
        for pattern in self.path.trim_end_matches('/').split('/') {
            let segment = segments.next()?;
            match brace(pattern) {
                Some(name) if !segment.is_empty() => names.push((name, segment.to_owned())),
                None if segment == pattern => {}
                _ => return None,
            }
        }
        segments.next().is_none().then_some(names)
    }

    /// Every problem that its callers may meet.
    pub(super) fn all_problems(&self) -> impl Iterator<Item = Kind> {
        let with_body: &[Kind] = if self.body.is_some() { &[Kind::TooLarge, Kind::UnsupportedMediaType] } else { &[] };
        let behind_a_key: &[Kind] = if self.role.is_some() { &BEHIND_A_KEY } else { &[] };
        EVERYWHERE.iter().chain(behind_a_key).chain(with_body).chain(self.problems).copied()
    }

    /// The names in braces in its path.
    pub(super) fn braces(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(brace)
    }
}

fn brace(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Problems that any request may meet.
const EVERYWHERE: [Kind; 6] =
    [Kind::BadRequest, Kind::Forbidden, Kind::TooSlow, Kind::HeadTooLarge, Kind::NotSpoken, Kind::Unavailable];
/// Problems that callers without a key meet.
const BEHIND_A_KEY: [Kind; 2] = [Kind::Unauthorized, Kind::TooManyFailures];
