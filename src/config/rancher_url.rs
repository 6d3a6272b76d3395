//! The base URL of a Rancher server, taken apart.

use std::net::IpAddr;
use ureq::http::Uri;

/// `http[s]://HOST[:PORT][/PREFIX]`, with the port filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RancherUrl {
    /// Whether it is `https`.
    pub https: bool,
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// The port, 443 or 80 if the URL has none.
    pub port: u16,
    /// The path without a trailing slash; empty for a Rancher at the root.
    pub path_prefix: String,
}

impl RancherUrl {
    /// Takes a URL apart; the error says what is wrong with it.
    ///
    /// Plain `http` is accepted for loopback only: the API token would cross the network in clear text.
    pub fn parse(text: &str) -> Result<RancherUrl, String> {
        if !text.contains("://") {
            return Err(format!("`{text}` has no scheme"));
        }
        let uri: Uri = text.parse().map_err(|error| format!("`{text}` is not a URL ({error})"))?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(format!("the scheme of `{text}` is neither https nor http")),
        };
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        if authority.contains('@') {
            return Err("it contains a user name; the token belongs into BearerToken".into());
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(format!("`{text}` has something after its path"));
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_string();
        let host_name = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if host.is_empty() || !(host_name || host.parse::<IpAddr>().is_ok()) {
            return Err(format!("`{text}` has no valid host"));
        }
        if !https && !loopback {
            return Err("plain http would send the token in clear text".into());
        }
        let port = match (authority.rsplit_once(':'), uri.port_u16()) {
            (_, Some(0)) => return Err(format!("`{text}` has port 0")),
            (_, Some(port)) => port,
            (Some((_, after)), None) if !after.ends_with(']') => return Err(format!("`{text}` has no valid port")),
            (_, None) if https => 443,
            (_, None) => 80,
        };
        Ok(RancherUrl { https, host, port, path_prefix: uri.path().trim_end_matches('/').to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(https: bool, host: &str, port: u16, path_prefix: &str) -> RancherUrl {
        RancherUrl { https, host: host.into(), port, path_prefix: path_prefix.into() }
    }

    #[test]
    fn takes_urls_apart() {
        for (text, expected) in [
            ("https://rancher.example.com", url(true, "rancher.example.com", 443, "")),
            ("https://rancher.example.com/", url(true, "rancher.example.com", 443, "")),
            ("https://10.0.0.7:8443/rancher/", url(true, "10.0.0.7", 8443, "/rancher")),
            ("https://[2001:db8::1]:444", url(true, "2001:db8::1", 444, "")),
            ("https://[2001:db8::1]", url(true, "2001:db8::1", 443, "")),
            ("http://localhost:8080", url(false, "localhost", 8080, "")),
            ("http://[::1]", url(false, "::1", 80, "")),
        ] {
            assert_eq!(RancherUrl::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_base_url() {
        for (text, problem) in [
            ("rancher.example.com", "`rancher.example.com` has no scheme"),
            ("wss://rancher", "the scheme of `wss://rancher` is neither https nor http"),
            ("https://a:secret@rancher", "it contains a user name; the token belongs into BearerToken"),
            ("https://rancher?x=1", "`https://rancher?x=1` has something after its path"),
            ("https://rancher/#x", "`https://rancher/#x` has something after its path"),
            ("http://rancher.example.com", "plain http would send the token in clear text"),
            ("https://rancher:0", "`https://rancher:0` has port 0"),
            ("https://rancher:", "`https://rancher:` has no valid port"),
            ("https://rancher:99999", "`https://rancher:99999` has no valid port"),
            ("https://ran_cher!", "`https://ran_cher!` has no valid host"),
        ] {
            assert_eq!(RancherUrl::parse(text), Err(problem.into()), "{text}");
        }
        for text in ["https://", "https:///path", "https://ran cher", "https://rancher\n"] {
            assert!(RancherUrl::parse(text).is_err(), "{text}");
        }
    }
}
