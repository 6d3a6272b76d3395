//! What Rancher says of itself, of the clock and of the API token.

use super::Finding;
use crate::config::ServerSettings;
use crate::rancher::{ApiToken, Client, RancherError};
use jiff::{SignedDuration, Timestamp};

/// What the rest of the examination wants to know.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How many clusters it has already.
    pub(super) clusters: Option<u64>,
}

/// Asks Rancher.
pub(super) fn examine(client: &Client, server: &ServerSettings, findings: &mut Vec<Finding>) -> Seen {
    let version = hello(client, findings);
    if let Err(error) = client.probe() {
        let check = if matches!(error, RancherError::Unauthorized) { "token" } else { "Rancher" };
        findings.push(Finding::fail(check, error.to_string(), error.remedy()));
        return Seen::default();
    }
    findings.push(token(client));
    findings.push(rights(client));
    findings.extend(server_url(client, server));
    if version.is_some_and(|version| version >= FIRST_WITH_CLUSTER_API) {
        findings.push(cluster_api(client));
    }
    Seen { clusters: client.count_clusters().ok().flatten() }
}

/// What is told to anybody: version and time.
fn hello(client: &Client, findings: &mut Vec<Finding>) -> Option<(u32, u32)> {
    let hello = match client.hello() {
        Ok(hello) => hello,
        Err(error) => {
            findings.push(Finding::warn("version", format!("it is not told: {error}"), error.remedy()));
            return None;
        }
    };
    let version = hello.version.as_deref().and_then(major_minor);
    findings.push(match (&hello.version, version) {
        (Some(text), Some(version)) if version < OLDEST_KNOWN => Finding::warn(
            "version",
            format!("Rancher {text}"),
            "this agent follows Rancher 2.9 and newer; older ones may ask for something else",
        ),
        (Some(text), _) => Finding::ok("version", format!("Rancher {text}")),
        (None, _) => Finding::warn("version", "it is not told", "see that RancherURL leads to Rancher itself"),
    });
    findings.extend(hello.skew.map(clock));
    version
}

/// `skew` is how far Rancher's clock is ahead of this host's.
fn clock(skew: SignedDuration) -> Finding {
    let seconds = skew.as_secs().unsigned_abs();
    let ahead = if skew.is_negative() { "behind" } else { "ahead of" };
    let detail = match seconds {
        0..=1 => "Rancher's clock and this host's agree".to_owned(),
        _ => format!("Rancher's clock is {seconds} s {ahead} this host's"),
    };
    let remedy = "set both clocks by NTP: times of the report, tokens and certificates depend on them";
    match seconds {
        0..=5 => Finding::ok("clock", detail),
        6..=300 => Finding::warn("clock", detail, remedy),
        _ => Finding::fail("clock", detail, remedy),
    }
}

fn token(client: &Client) -> Finding {
    let now = Timestamp::now();
    match client.api_token() {
        Ok(Some(ApiToken { expires: Some(expires), .. })) if expires <= now => {
            Finding::fail("token", format!("it expired at {expires}"), "create a new API key in Rancher")
        }
        Ok(Some(ApiToken { expires: Some(expires), .. })) if expires.duration_since(now) < EXPIRES_SOON => {
            Finding::warn(
                "token",
                format!("it is accepted until {expires}"),
                "create an API key that outlives the test",
            )
        }
        Ok(Some(ApiToken { expires: Some(expires), user })) => {
            Finding::ok("token", format!("it is accepted, of {user}, until {expires}"))
        }
        Ok(Some(ApiToken { expires: None, user })) => {
            Finding::ok("token", format!("it is accepted, of {user}, and does not expire"))
        }
        Ok(None) => Finding::ok("token", "it is accepted; Rancher does not tell until when"),
        Err(error) => Finding::warn("token", format!("it is accepted; until when is unknown: {error}"), error.remedy()),
    }
}

fn rights(client: &Client) -> Finding {
    let remedy =
        "use the API key of a user who may create clusters (global role Create New Clusters, or Standard User)";
    match client.may_create_clusters() {
        Ok(true) => Finding::ok("rights", "the token's user may create clusters"),
        Ok(false) => Finding::fail("rights", "the token's user may not create clusters", remedy),
        Err(error) => Finding::warn("rights", format!("they cannot be asked for: {error}"), remedy),
    }
}

fn server_url(client: &Client, server: &ServerSettings) -> Option<Finding> {
    let url = client.setting("server-url").ok()?;
    let same = |one: &str, other: &str| one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'));
    Some(match url.as_str() {
        "" => Finding::warn(
            "server-url",
            "Rancher's setting server-url is empty",
            "set it in Rancher: without it there are no import commands and agents cannot be deployed",
        ),
        url if same(url, &server.url) => Finding::ok("server-url", "RancherURL is what Rancher calls itself"),
        url => Finding::warn(
            "server-url",
            format!("Rancher calls itself {url}"),
            "use that as RancherURL if clusters are to come by the way that real agents come",
        ),
    })
}

fn cluster_api(client: &Client) -> Finding {
    match client.has_cluster_api() {
        Ok(true) => Finding::ok("Cluster API", "its kinds are there: nodes of imported clusters will be synced"),
        Ok(false) => Finding::fail(
            "Cluster API",
            "Rancher 2.13 and newer sync the nodes of imported clusters only once the kinds of Cluster API are there",
            "enable the feature turtles in Rancher and wait until its chart is installed: without it no cluster gets Active",
        ),
        Err(error) => Finding::warn("Cluster API", format!("it cannot be asked for: {error}"), error.remedy()),
    }
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The versions whose sources this agent was written after.
const OLDEST_KNOWN: (u32, u32) = (2, 9);
/// Since then the controllers for nodes wait for Cluster API (feature `turtles`).
const FIRST_WITH_CLUSTER_API: (u32, u32) = (2, 13);
/// A fleet is seldom held for longer.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn versions_are_compared_by_numbers() {
        assert_eq!(major_minor("v2.13.0-rc1"), Some((2, 13)));
        assert_eq!(major_minor("2.9.2"), Some((2, 9)));
        assert_eq!(major_minor("dev"), None);
        assert!(major_minor("v2.9.0").unwrap() < FIRST_WITH_CLUSTER_API);
    }

    #[test]
    fn clocks_may_differ_a_little() {
        for (seconds, verdict) in [(0, Verdict::Ok), (-5, Verdict::Ok), (60, Verdict::Warn), (-3_600, Verdict::Fail)] {
            assert_eq!(clock(SignedDuration::from_secs(seconds)).verdict, verdict, "{seconds} s");
        }
        assert!(clock(SignedDuration::from_secs(-60)).detail.contains("60 s behind this host's"));
    }
}
