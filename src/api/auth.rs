//! Who calls, and whether they may.

use super::body::header;
use super::problem::{Kind, Problem};
use crate::config::{ApiKey, Role};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::{Mutex, RwLock};
use ring::digest::{SHA256, digest};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use tiny_http::Request;

/// The keys, and who failed to show one lately.
pub(super) struct Auth {
    keys: RwLock<Vec<ApiKey>>,
    refusals: Mutex<Refusals>,
}

/// Whoever sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The name of the key that was shown; `anyone` where no keys are configured.
    pub(super) name: String,
    /// What the caller may do; `None` as long as nothing is known.
    pub(super) role: Option<Role>,
}

/// Who was refused within the present minute.
#[derive(Default)]
struct Refusals {
    since: Option<Instant>,
    /// How often, by address.
    by_source: HashMap<IpAddr, u32>,
    /// How many of them are on record.
    recorded: u32,
    /// Those that are not, of this minute and of earlier ones that nobody has asked for yet.
    unrecorded: Unrecorded,
}

/// Refusals that were not put on record one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unrecorded {
    /// How many.
    pub(super) count: u64,
    /// The address that the last of them came from.
    pub(super) last: Option<IpAddr>,
}

/// How an address stands after one more refusal.
struct Standing {
    /// How long it has to wait, if it was refused too often.
    wait: Option<Duration>,
    is_worth_a_record: bool,
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
    pub(super) fn new(keys: Vec<ApiKey>) -> Auth {
        Auth { keys: RwLock::new(keys), refusals: Mutex::default() }
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
        let stranger = || Caller { name: NOBODY.into(), role: None };
        let refused = |caller, denial, problem, standing: &Standing| {
            Box::new(Refused { caller, denial, problem, is_worth_a_record: standing.is_worth_a_record })
        };
        let is_open = self.keys.read().is_empty();
        if let Some(problem) = cross_site(request, is_open) {
            let standing = self.refusals.lock().count(source, now);
            return Err(refused(stranger(), Denial::CrossSite, problem, &standing));
        }
        let Some(needed) = role else { return Ok(stranger()) };
        if is_open {
            return Ok(Caller { name: ANYONE.into(), role: Some(Role::Admin) });
        }
        let shown = shown_key(request);
        let caller = shown.as_deref().and_then(|key| self.holder(key));
        let Some(caller) = caller else {
            let denial = if shown.is_some() { Denial::Wrong } else { Denial::Missing };
            // Whoever has a key is never kept waiting by others at the same address: a key has 256 random bits, so the limit is there to
            // spare the logs, not to stop guessing.
            let standing = self.refusals.lock().count(source, now);
            return Err(match standing.wait {
                Some(wait) => refused(stranger(), Denial::Limited, limited(wait), &standing),
                None => refused(stranger(), denial, unauthorized(denial), &standing),
            });
        };
        if caller.role < Some(needed) {
            let detail = format!("the key {} is a {}'s", caller.name, caller.role.map_or("", Role::as_str));
            let remedy = format!("use a key whose role is {needed}");
            let standing = self.refusals.lock().count(source, now);
            return Err(refused(caller, Denial::Role, Problem::new(Kind::Forbidden, detail, remedy), &standing));
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

    /// What was refused and not recorded until a minute ago; each is told once. With `all`, up to now.
    pub(super) fn unrecorded(&self, now: Instant, all: bool) -> Option<Unrecorded> {
        let mut refusals = self.refusals.lock();
        if !all && refusals.since.is_some_and(|since| now.saturating_duration_since(since) < WINDOW) {
            return None;
        }
        refusals.begin(now);
        Some(std::mem::take(&mut refusals.unrecorded)).filter(|unrecorded| unrecorded.count > 0)
    }
}

impl Refusals {
    fn count(&mut self, source: IpAddr, now: Instant) -> Standing {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            self.begin(now);
        }
        // One who has a network of IPv6 has as many addresses as he likes.
        let source = network(source);
        let has_room = self.by_source.len() < MAX_ADDRESSES || self.by_source.contains_key(&source);
        let count = if has_room {
            let count = self.by_source.entry(source).or_default();
            *count = count.saturating_add(1);
            *count
        } else {
            1
        };
        let over = self.since.map_or(WINDOW, |since| (since + WINDOW).saturating_duration_since(now));
        let is_worth_a_record = count <= REFUSALS_EACH + 1 && self.recorded < RECORDS;
        if is_worth_a_record {
            self.recorded += 1;
        } else {
            self.unrecorded.count += 1;
            self.unrecorded.last = Some(source);
        }
        Standing { wait: (count > REFUSALS_EACH).then_some(over), is_worth_a_record }
    }

    fn begin(&mut self, now: Instant) {
        self.since = Some(now);
        self.by_source.clear();
        self.recorded = 0;
    }
}

/// The address itself, or the /64 it is in.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) >> 64 << 64).to_be_bytes()),
        v4 => v4,
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
    let changes = !matches!(request.method().as_str(), "GET" | "HEAD");
    let foreign = |origin: String| origin.split_once("://").is_none_or(|(_, authority)| authority != host);
    let is_foreign = header(request, "Origin").is_some_and(foreign)
        || header(request, "Sec-Fetch-Site").is_some_and(|site| site == "cross-site");
    if changes && is_foreign {
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

/// Whoever shows no key.
const NOBODY: &str = "-";
/// Whoever calls an agent without keys.
const ANYONE: &str = "anyone";
/// Not Basic, though that is taken too: browsers would ask for a password before the status page can ask for the key.
const CHALLENGE: &str = "Bearer realm=\"scale-cluster-agent\"";
/// Refusals of an address that are answered as what they are: a person who mistypes stays below it, a script that tries does not.
const REFUSALS_EACH: u32 = 10;
/// Refusals that are recorded one by one in a window, whoever they are of: the audit log keeps what was done for days rather than for
/// as long as it takes to fill it.
const RECORDS: u32 = 200;
/// What these limits are for, and after which all begins again.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are counted; those of others are no reason to keep anybody waiting.
const MAX_ADDRESSES: usize = 1024;

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
        Auth::new(vec![key("watcher", Role::Viewer, "sca_v"), key("ci", Role::Operator, "sca_o")])
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
        for _ in 0..REFUSALS_EACH {
            assert_eq!(denied(&auth, &[("X-API-Key", "guess")], Role::Viewer), Some((401, Denial::Wrong)));
        }
        assert_eq!(denied(&auth, &[("X-API-Key", "guess")], Role::Viewer), Some((429, Denial::Limited)));
        assert_eq!(denied(&auth, &[("X-API-Key", "sca_v")], Role::Viewer), None);
        let later = Instant::now() + WINDOW;
        let refused = auth.admit(&request(&[]), SOURCE, Some(Role::Viewer), later).unwrap_err();
        assert_eq!(refused.denial, Denial::Missing, "a window later");
    }

    #[test]
    fn the_table_of_refusals_is_bounded_and_mutes_nobody() {
        let auth = auth();
        let now = Instant::now();
        let mut recorded = 0;
        let sources = 2 * MAX_ADDRESSES as u32;
        for number in 0..sources {
            let source = IpAddr::from(number.to_be_bytes());
            let refused = auth.admit(&request(&[]), source, Some(Role::Viewer), now).unwrap_err();
            assert_eq!(refused.denial, Denial::Missing, "the first of {source}");
            recorded += u32::from(refused.is_worth_a_record);
        }
        assert_eq!(auth.refusals.lock().by_source.len(), MAX_ADDRESSES);
        assert_eq!(recorded, RECORDS);
        assert_eq!(auth.unrecorded(now, false), None, "not before the minute is over");
        let unrecorded = auth.unrecorded(now + WINDOW, false).unwrap();
        assert_eq!(unrecorded.count, u64::from(sources - RECORDS));
        assert_eq!(unrecorded.last, Some(IpAddr::from((sources - 1).to_be_bytes())));
        assert_eq!(auth.unrecorded(now + 2 * WINDOW, false), None, "told once");
        let refused = auth.admit(&request(&[]), SOURCE, Some(Role::Viewer), now + 2 * WINDOW).unwrap_err();
        assert!(refused.is_worth_a_record, "a minute later");
    }

    #[test]
    fn whatever_the_refusal_a_flood_is_summed_up() {
        let auth = auth();
        let now = Instant::now();
        let crossing = [("Origin", "http://evil.test"), ("X-API-Key", "sca_o")];
        let reaching = [("X-API-Key", "sca_v")];
        for fields in [&crossing[..], &reaching[..]] {
            for number in 0..100 {
                let refused = auth.admit(&request(fields), SOURCE, Some(Role::Operator), now).unwrap_err();
                assert_eq!(refused.problem.status, 403, "never 429: it is no guess");
                if number > REFUSALS_EACH {
                    assert!(!refused.is_worth_a_record, "{number}");
                }
            }
        }
        let unrecorded = auth.unrecorded(now, true).unwrap();
        assert_eq!(unrecorded.count, u64::from(200 - REFUSALS_EACH - 1));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let auth = auth();
        let now = Instant::now();
        let mut denials = Vec::new();
        for number in 0..=REFUSALS_EACH {
            let source = format!("2001:db8:1:2::{number:x}").parse().unwrap();
            denials.push(auth.admit(&request(&[]), source, Some(Role::Viewer), now).unwrap_err().denial);
        }
        assert_eq!(denials.last(), Some(&Denial::Limited));
        let elsewhere = "2001:db8:1:3::1".parse().unwrap();
        assert_eq!(auth.admit(&request(&[]), elsewhere, Some(Role::Viewer), now).unwrap_err().denial, Denial::Missing);
    }

    #[test]
    fn other_sites_drive_nothing_through_a_browser() {
        let open = Auth::new(Vec::new());
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
