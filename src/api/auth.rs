//! Who calls, and whether they may.

use super::audit::Refusals;
use super::body::header;
use super::method::changes_something;
use super::problem::{Kind, Problem};
use crate::config::{ApiKey, Role};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::RwLock;
use ring::digest::{SHA256, digest};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use tiny_http::Request;

/// The keys, and who failed to show one lately.
pub(super) struct Auth {
    keys: RwLock<Vec<ApiKey>>,
    refusals: Arc<Refusals>,
}

/// Whoever sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The name of the key that was shown; `anyone` where no keys are configured.
    pub(super) name: String,
    /// What the caller may do; `None` as long as nothing is known.
    pub(super) role: Option<Role>,
}

/// A caller that is turned away.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) caller: Caller,
    pub(super) denial: Denial,
    pub(super) problem: Problem,
    /// False where so many were recorded lately that more would push what matters out of the audit log: those are summed up.
    pub(super) is_worth_a_record: bool,
}

/// Why a caller is turned away, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// No key was shown.
    Missing,
    /// The key is not known.
    Wrong,
    /// The same address failed too often lately.
    Limited,
    /// The key's role does not reach that far.
    Role,
    /// A browser sends it on behalf of another site.
    CrossSite,
}

impl Auth {
    /// One with these keys; without any, everybody may do everything.
    pub(super) fn new(keys: Vec<ApiKey>, refusals: Arc<Refusals>) -> Auth {
        Auth { keys: RwLock::new(keys), refusals }
    }

    /// Uses these keys from now on.
    pub(super) fn set_keys(&self, keys: Vec<ApiKey>) {
        *self.keys.write() = keys;
    }

    /// Who sent a request that came from `source`, as far as that matters for something that takes `role`.
    pub(super) fn admit(
        &self,
        request: &Request,
        source: IpAddr,
        role: Option<Role>,
        now: Instant,
    ) -> Result<Caller, Box<Refused>> {
        let refused = |caller, denial, problem, is_worth_a_record| {
            Box::new(Refused { caller, denial, problem, is_worth_a_record })
        };
        let is_open = self.keys.read().is_empty();
        if let Some(problem) = cross_site(request, is_open) {
            let standing = self.refusals.count(source, now);
            return Err(refused(Caller::nobody(), Denial::CrossSite, problem, standing.is_worth_a_record));
        }
        let Some(needed) = role else { return Ok(Caller::nobody()) };
        if is_open {
            return Ok(Caller::anyone());
        }
        let shown = shown_key(request);
        let caller = shown.as_deref().and_then(|key| self.holder(key));
        let Some(caller) = caller else {
            let denial = if shown.is_some() { Denial::Wrong } else { Denial::Missing };
            // Whoever has a key is never kept waiting by others at the same address: a key has 256 random bits, so the limit is there to
            // spare the logs, not to stop guessing.
            let standing = self.refusals.count_keyless(source, now);
            return Err(match standing.wait {
                Some(wait) => refused(Caller::nobody(), Denial::Limited, limited(wait), standing.is_worth_a_record),
                None => refused(Caller::nobody(), denial, unauthorized(denial), standing.is_worth_a_record),
            });
        };
        if caller.role < Some(needed) {
            let detail = format!("the key {} is a {}'s", caller.name, caller.role.map_or("", Role::as_str));
            let remedy = format!("use a key whose role is {needed}");
            let standing = self.refusals.count(source, now);
            return Err(refused(
                caller,
                Denial::Role,
                Problem::new(Kind::Forbidden, detail, remedy),
                standing.is_worth_a_record,
            ));
        }
        Ok(caller)
    }

    /// Whose key this is. Every key is compared whole, so that the time tells nothing.
    fn holder(&self, key: &str) -> Option<Caller> {
        let shown = digest(&SHA256, key.as_bytes());
        let mut found = None;
        for known in self.keys.read().iter() {
            if bool::from(shown.as_ref().ct_eq(&known.hash)) {
                found = Some(Caller { name: known.name.clone(), role: Some(known.role) });
            }
        }
        found
    }

    /// Who sent a request that asks for nothing there is.
    pub(super) fn caller(&self, request: &Request) -> Caller {
        if self.keys.read().is_empty() {
            return Caller::anyone();
        }
        shown_key(request).and_then(|key| self.holder(&key)).unwrap_or_else(Caller::nobody)
    }
}

impl Caller {
    /// Whoever shows no key.
    pub(super) fn nobody() -> Caller {
        Caller { name: "-".into(), role: None }
    }

    /// Whoever calls an agent without keys.
    fn anyone() -> Caller {
        Caller { name: "anyone".into(), role: Some(Role::Admin) }
    }
}

impl Denial {
    /// All of them, in the order in which they are numbered.
    pub(super) const ALL: [Denial; 5] =
        [Denial::Missing, Denial::Wrong, Denial::Limited, Denial::Role, Denial::CrossSite];

    /// As a label.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Denial::Missing => "missing",
            Denial::Wrong => "wrong",
            Denial::Limited => "limited",
            Denial::Role => "role",
            Denial::CrossSite => "cross_site",
        }
    }
}

/// The key that a request shows: `Authorization: Bearer KEY`, `X-API-Key: KEY`, or as the password of `curl --user :KEY`.
fn shown_key(request: &Request) -> Option<String> {
    if let Some(key) = header(request, "X-API-Key") {
        return Some(key);
    }
    let value = header(request, "Authorization")?;
    let (scheme, rest) = value.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(rest.trim().to_owned()),
        "basic" => {
            let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
            text.split_once(':').map(|(_, password)| password.to_owned())
        }
        _ => None,
    }
}

/// What a page of another site has a browser send. Without keys this is all that keeps such a page from driving an agent on
/// loopback: it may not change anything, and not read under a name of its own that leads here (DNS rebinding).
fn cross_site(request: &Request, is_open: bool) -> Option<Problem> {
    let host = header(request, "Host").unwrap_or_default();
    let foreign = |origin: String| origin.split_once("://").is_none_or(|(_, authority)| authority != host);
    let is_foreign = header(request, "Origin").is_some_and(foreign)
        || header(request, "Sec-Fetch-Site").is_some_and(|site| site == "cross-site");
    if changes_something(request.method().as_str()) && is_foreign {
        let detail = "a browser sends this on behalf of another site";
        return Some(Problem::new(Kind::Forbidden, detail, "call the agent from its own page, or with curl"));
    }
    if is_open && !is_own_name(&host) {
        let detail = format!("the agent is not known as {host:?}");
        let remedy = "call it by address or as localhost; with APIKeys configured any name will do";
        return Some(Problem::new(Kind::Forbidden, detail, remedy));
    }
    None
}

/// Whether no stranger can have registered the name: an address, or a name without a dot.
fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    !name.contains('.') || name.parse::<IpAddr>().is_ok()
}

fn unauthorized(denial: Denial) -> Problem {
    let detail = if denial == Denial::Wrong { "the API key is not known" } else { "this needs an API key" };
    let remedy = "send `Authorization: Bearer KEY`; `scale-cluster-agent api-key create` makes a key";
    Problem::new(Kind::Unauthorized, detail, remedy).with_header("WWW-Authenticate", CHALLENGE)
}

fn limited(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    Problem::new(
        Kind::TooManyFailures,
        "too many requests without a valid API key came from this address",
        "use a valid key",
    )
    .with_header("Retry-After", seconds.to_string())
}

/// Not Basic, though that is taken too: browsers would ask for a password before the status page can ask for the key.
const CHALLENGE: &str = "Bearer realm=\"scale-cluster-agent\"";

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_http::{Header, TestRequest};

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn key(name: &str, role: Role, key: &str) -> ApiKey {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
        ApiKey { name: name.into(), role, hash }
    }

    fn auth() -> Auth {
        Auth::new(vec![key("watcher", Role::Viewer, "sca_v"), key("ci", Role::Operator, "sca_o")], Arc::default())
    }

    fn request(fields: &[(&str, &str)]) -> Request {
        let start = TestRequest::new().with_method(tiny_http::Method::Post);
        let add = |request: TestRequest, (name, value): &(&str, &str)| {
            request.with_header(Header::from_bytes(*name, *value).unwrap())
        };
        fields.iter().chain(&[("Host", "localhost:9090")]).fold(start, add).into()
    }

    fn denied(auth: &Auth, fields: &[(&str, &str)], role: Role) -> Option<(u16, Denial)> {
        let admitted = auth.admit(&request(fields), SOURCE, Some(role), Instant::now());
        admitted.err().map(|refused| (refused.problem.status, refused.denial))
    }

    #[test]
    fn a_key_is_taken_in_each_form_and_reaches_as_far_as_its_role() {
        let auth = auth();
        let basic = format!("Basic {}", STANDARD.encode("anybody:sca_v"));
        for fields in [
            ("Authorization", "Bearer sca_v"),
            ("authorization", "bearer  sca_v"),
            ("X-API-Key", "sca_v"),
            ("Authorization", basic.as_str()),
        ] {
            let caller = auth.admit(&request(&[fields]), SOURCE, Some(Role::Viewer), Instant::now());
            assert_eq!(caller.ok(), Some(Caller { name: "watcher".into(), role: Some(Role::Viewer) }), "{fields:?}");
            assert_eq!(denied(&auth, &[fields], Role::Operator), Some((403, Denial::Role)), "{fields:?}");
        }
        assert_eq!(denied(&auth, &[("X-API-Key", "sca_o")], Role::Operator), None);
        assert_eq!(denied(&auth, &[("X-API-Key", "sca_o")], Role::Admin), Some((403, Denial::Role)));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let auth = auth();
        assert_eq!(denied(&auth, &[], Role::Viewer), Some((401, Denial::Missing)));
        for value in ["Bearer sca_", "Bearer", "Bearer sca_v2", "Digest sca_v", "Basic sca_v"] {
            let status = denied(&auth, &[("Authorization", value)], Role::Viewer).map(|(status, _)| status);
            assert_eq!(status, Some(401), "{value}");
        }
    }

    #[test]
    fn an_address_that_fails_often_is_told_to_wait_but_a_key_still_counts() {
        let auth = auth();
        for _ in 0..10 {
            assert_eq!(denied(&auth, &[("X-API-Key", "guess")], Role::Viewer), Some((401, Denial::Wrong)));
        }
        assert_eq!(denied(&auth, &[("X-API-Key", "guess")], Role::Viewer), Some((429, Denial::Limited)));
        assert_eq!(denied(&auth, &[("X-API-Key", "sca_v")], Role::Viewer), None);
    }

    #[test]
    fn whatever_the_refusal_a_flood_is_not_worth_a_record_each() {
        let auth = auth();
        let now = Instant::now();
        let crossing = [("Origin", "http://evil.test"), ("X-API-Key", "sca_o")];
        let reaching = [("X-API-Key", "sca_v")];
        let mut recorded = 0;
        for fields in [&crossing[..], &reaching[..]] {
            for _ in 0..100 {
                let refused = auth.admit(&request(fields), SOURCE, Some(Role::Operator), now).unwrap_err();
                assert_eq!(refused.problem.status, 403, "never 429: it is no guess");
                recorded += usize::from(refused.is_worth_a_record);
            }
        }
        assert_eq!(recorded, 11);
    }

    #[test]
    fn who_asks_for_what_is_nowhere_is_known_by_the_key() {
        let auth = auth();
        let name = |fields: &[(&str, &str)]| auth.caller(&request(fields)).name;
        assert_eq!(
            (name(&[]), name(&[("X-API-Key", "sca_o")]), name(&[("X-API-Key", "guess")])),
            ("-".into(), "ci".into(), "-".into())
        );
        assert_eq!(Auth::new(Vec::new(), Arc::default()).caller(&request(&[])).name, "anyone");
    }

    #[test]
    fn other_sites_drive_nothing_through_a_browser() {
        let open = Auth::new(Vec::new(), Arc::default());
        for (fields, expected) in [
            (&[][..], None),
            (&[("Origin", "http://localhost:9090")], None),
            (&[("Origin", "http://evil.test")], Some((403, Denial::CrossSite))),
            (&[("Origin", "null")], Some((403, Denial::CrossSite))),
            (&[("Sec-Fetch-Site", "cross-site")], Some((403, Denial::CrossSite))),
            (&[("Sec-Fetch-Site", "same-origin")], None),
        ] {
            assert_eq!(denied(&open, fields, Role::Operator), expected, "{fields:?}");
        }
        for (host, own) in [
            ("localhost:9090", true),
            ("127.0.0.1:9090", true),
            ("[::1]:9090", true),
            ("agent", true),
            ("rebound.evil.test:9090", false),
            ("evil.test", false),
        ] {
            assert_eq!(is_own_name(host), own, "{host}");
        }
    }
}
