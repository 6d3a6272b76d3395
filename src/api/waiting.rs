//! A request under way, from tiny_http to its answer.

use super::audit::{Deed, Outcome};
use super::auth::Refused;
use super::body::{header, read_object};
use super::call::{Call, Page, Reaction};
use super::field::Values;
use super::gate::SOURCE_FIELD;
use super::method::changes_something;
use super::problem::{Kind, Problem};
use super::respond;
use super::route::{Found, Route};
use super::server::Shared;
use super::subject;
use crate::telemetry::Gauge;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;
use tiny_http::Request;

/// It waits to be read, for the manager, or for its answer to be written. Whatever becomes of it, it is answered, and its deed has an end on record.
pub(super) struct Waiting {
    /// None once it is answered.
    request: Option<Request>,
    /// The position of its route in the table, if it has one.
    route: Option<usize>,
    begun: Instant,
    /// What the audit log says of it, if anything.
    pub(super) deed: Option<Box<Deed>>,
    shared: Arc<Shared>,
    _place: Place,
}

/// One of the requests that may be under way at once.
pub(super) struct Place(Arc<Gauge>);

impl Waiting {
    /// A request that has just come.
    pub(super) fn new(request: Request, shared: &Arc<Shared>, place: Place) -> Waiting {
        let (request, shared) = (Some(request), shared.clone());
        Waiting { request, route: None, begun: Instant::now(), deed: None, shared, _place: place }
    }

    /// Checks a request and its caller against the route, and lets the handler have it.
    pub(super) fn take(&mut self) -> Result<Reaction, Problem> {
        let Waiting { request, route, begun, deed, shared, .. } = self;
        // Invariant: it is there until it is answered.
        let Some(request) = request else { return Err(Problem::overloaded()) };
        let (method, path) = (request.method().as_str().to_owned(), without_query(request.url()).to_owned());
        let changes = changes_something(&method);
        let source = source(request);
        let found = Route::find(&method, &path);
        *route = found.as_ref().ok().map(|found| found.index);
        // What is nowhere tells nothing, so anybody may hear of it.
        let role = found.as_ref().ok().and_then(|found| found.route.role);
        let on_record = |caller| Some(Box::new(shared.auditor.deed(source, caller, method, path)));
        let caller = match shared.auth.admit(request, source, role, *begun) {
            Ok(caller) => caller,
            Err(refused) => {
                let Refused { caller, denial, problem, is_worth_a_record } = *refused;
                shared.stats.denied(denial);
                if is_worth_a_record {
                    *deed = on_record(caller);
                }
                return Err(problem);
            }
        };
        let Found { route, names, .. } = match found {
            Ok(found) => found,
            Err(problem) => {
                if changes && shared.auditor.is_worth_a_record(source, *begun) {
                    *deed = on_record(shared.auth.caller(request));
                }
                return Err(problem);
            }
        };
        if changes {
            *deed = on_record(caller);
        }
        let query = request.url().split_once('?').map_or("", |(_, query)| query);
        let query = Values::from_query(query, route.query)?;
        let body = match route.body {
            Some(fields) => Values::from_object(read_object(request, shared.max_body_bytes)?, fields)?,
            None => Values::default(),
        };
        let call = Call { names, query, body };
        if let Some(deed) = deed {
            deed.cluster = subject::of_call(&call);
        }
        (route.handle)(&call)
    }

    /// Answers with a problem.
    pub(super) fn refuse(self, problem: Problem) {
        let detail = problem.detail.clone();
        let page = respond::problem(problem, self.request.as_ref().map_or("/", Request::url));
        self.end(page, Some(detail));
    }

    /// Answers, once the audit log says so.
    pub(super) fn end(mut self, page: Page, detail: Option<String>) {
        let took = self.begun.elapsed();
        self.shared.stats.answered(self.route, page.status, took);
        if let Some(deed) = self.deed.take() {
            self.shared.auditor.write(&deed, &Outcome::Answered { status: page.status, detail, took: Some(took) });
        }
        if let Some(request) = self.request.take() {
            respond::send(request, page);
        }
    }
}

impl Drop for Waiting {
    /// The manager has stopped without an answer. The thread is its own, so nothing here waits.
    fn drop(&mut self) {
        let Some(request) = self.request.take() else { return };
        let took = self.begun.elapsed();
        if let Some(deed) = self.deed.take() {
            self.shared.auditor.note(*deed, Outcome::Unknown { took });
        }
        let problem = Problem::new(
            Kind::Unavailable,
            "the agent stops, and does not know what becomes of this",
            "look for it once the agent runs again",
        );
        let page = respond::problem(problem, request.url());
        self.shared.stats.answered(self.route, page.status, took);
        respond::send(request, page);
    }
}

impl Place {
    /// One of those that this counts, if one is left for such a request. For one thread to ask.
    pub(super) fn among(under_way: &Arc<Gauge>, method: &str, max_changing: i64) -> Option<Place> {
        let limit = if changes_something(method) { max_changing } else { MAX_UNDER_WAY };
        (under_way.get() < limit).then(|| {
            under_way.add(1);
            Place(under_way.clone())
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

/// The path of a request.
pub(super) fn without_query(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// Where a request came from, as the gate says.
pub(super) fn source(request: &Request) -> IpAddr {
    let said = header(request, SOURCE_FIELD).and_then(|address| address.parse().ok());
    // The gate always says it.
    said.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// Requests that may be under way at once. Clients that leave do not end what they asked for, so it may be more than there are clients.
pub(super) const MAX_UNDER_WAY: i64 = 4096;
/// Where so many are under way, those that change something are refused: they may wait long for Rancher, and must not take the place
/// of those that look, which are answered at once. Of the connections too they leave a quarter.
pub(super) fn max_changing(max_connections: usize) -> i64 {
    let connections = i64::try_from(max_connections).unwrap_or(MAX_UNDER_WAY).min(MAX_UNDER_WAY);
    (connections * 3 / 4).max(1)
}
