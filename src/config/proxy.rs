//! The HTTP proxy that the environment prescribes for a URL.

use super::{RancherUrl, Secret};
use std::net::IpAddr;
use ureq::http::Uri;

/// A proxy that connections are asked of by `CONNECT` (RFC 9110, section 9.3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name and password, if the URL has them.
    pub credentials: Option<(String, Secret)>,
    /// The variable that names it.
    pub variable: &'static str,
}

impl Proxy {
    /// The proxy for `url` by the variables that every program reads: `HTTPS_PROXY` (`HTTP_PROXY` for plain http) unless
    /// `NO_PROXY` lists the host. `variable` looks one up; lower case counts as well. Nothing leads to loopback but itself.
    /// The error says what is wrong with the variable.
    pub fn for_url(url: &RancherUrl, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>, String> {
        let lookup = |upper: &str, lower: &str| {
            let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
            given(upper).or_else(|| given(lower))
        };
        let (name, value) = match url.https {
            true => ("HTTPS_PROXY", lookup("HTTPS_PROXY", "https_proxy")),
            // Upper case is what a CGI program gets of a request's `Proxy` header; this is none, and Go reads it too.
            false => ("HTTP_PROXY", lookup("HTTP_PROXY", "http_proxy")),
        };
        let Some(value) = value else { return Ok(None) };
        let exceptions = lookup("NO_PROXY", "no_proxy").unwrap_or_default();
        if is_loopback(&url.host) || exceptions.split(',').any(|exception| excepts(exception.trim(), url)) {
            return Ok(None);
        }
        parse(name, value.trim()).map(Some)
    }

    /// Where it is, for people: never with its password.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

fn parse(variable: &'static str, value: &str) -> Result<Proxy, String> {
    let text = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    // Not the value itself: it may hold a password.
    let problem = |what: &str| format!("{variable} {what}; expected http://[USER:PASSWORD@]HOST[:PORT]");
    let uri: Uri = text.parse().map_err(|_| problem("is no URL"))?;
    if uri.scheme_str() != Some("http") {
        return Err(problem(&format!("has the scheme {}", uri.scheme_str().unwrap_or_default())));
    }
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    if host.is_empty() {
        return Err(problem("names no host"));
    }
    let user = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@')).map(|(user, _)| user);
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let credentials = user.map(|user| {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        (decode(name), Secret::new(decode(password)))
    });
    Ok(Proxy { host, port: uri.port_u16().unwrap_or(80), credentials, variable })
}

/// Whether an entry of `NO_PROXY` means this URL: `*`, a host or its domain, `.domain`, an address, a network; each perhaps with a
/// port (the rules of Go's `httpproxy`, which the real agent follows).
fn excepts(exception: &str, url: &RancherUrl) -> bool {
    if exception == "*" {
        return true;
    }
    if let Some((network, bits)) = exception.split_once('/') {
        return network.parse().is_ok_and(|network| bits.parse().is_ok_and(|bits| is_in(&url.host, network, bits)));
    }
    let (host, port) = match exception.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (exception, None),
    };
    if port.is_some_and(|port| port.parse() != Ok(url.port)) {
        return false;
    }
    let (exception, host) = (host.trim_matches(['[', ']']).to_ascii_lowercase(), url.host.to_ascii_lowercase());
    if exception.is_empty() {
        return false;
    }
    match (exception.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => {
            let domain = exception.trim_start_matches("*.");
            let domain = domain.strip_prefix('.').unwrap_or(domain);
            let is_below = host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
            is_below || (host == exception)
        }
    }
}

fn is_in(host: &str, network: IpAddr, bits: u32) -> bool {
    let (address, network, width) = match (host.parse(), network) {
        (Ok(IpAddr::V4(address)), IpAddr::V4(network)) => {
            (u128::from(u32::from(address)), u128::from(u32::from(network)), 32)
        }
        (Ok(IpAddr::V6(address)), IpAddr::V6(network)) => (u128::from(address), u128::from(network), 128),
        _ => return false,
    };
    // All 128 bits are shifted out for a network of no bits.
    bits <= width && (address ^ network).checked_shr(width - bits).unwrap_or(0) == 0
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let url = RancherUrl::parse(url).unwrap();
        let lookup = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
        Ok(Proxy::for_url(&url, lookup)?.map(|proxy| proxy.authority()))
    }

    #[test]
    fn the_scheme_chooses_the_variable() {
        let both = [("HTTP_PROXY", "http://plain:1"), ("HTTPS_PROXY", "http://secure:2")];
        assert_eq!(proxy("https://rancher.test", &both), Ok(Some("secure:2".into())));
        assert_eq!(proxy("https://rancher.test", &both[..1]), Ok(None));
        assert_eq!(proxy("https://rancher.test", &[("https_proxy", "low")]), Ok(Some("low:80".into())));
        assert_eq!(proxy("https://rancher.test", &[("HTTPS_PROXY", "")]), Ok(None));
        assert_eq!(proxy("https://127.0.0.1:8443", &both), Ok(None), "loopback");
    }

    #[test]
    fn exceptions_are_hosts_domains_addresses_and_networks() {
        for (url, no_proxy, through) in [
            ("https://rancher.corp.test", "corp.test", false),
            ("https://rancher.corp.test", ".corp.test", false),
            ("https://rancher.corp.test", "*.corp.test", false),
            ("https://rancher.corp.test", "other, RANCHER.corp.test", false),
            ("https://rancher.corp.test", "orp.test", true),
            ("https://corp.test", "corp.test", false),
            ("https://corp.test", ".corp.test", true),
            ("https://rancher.test", "*", false),
            ("https://rancher.test", "rancher.test:443", false),
            ("https://rancher.test", "rancher.test:8443", true),
            ("https://10.1.2.3", "10.1.2.3", false),
            ("https://10.1.2.3", "10.1.0.0/16", false),
            ("https://10.2.2.3", "10.1.0.0/16", true),
            ("https://10.2.2.3", "0.0.0.0/0", false),
            ("https://10.2.2.3", "10.1.0.0/99", true),
            ("https://[2001:db8::1]", "2001:db8::/32", false),
            ("https://[2001:db8::1]", "2001:db8::1", false),
            ("https://rancher.test", "", true),
        ] {
            let found = proxy(url, &[("HTTPS_PROXY", "p:3128"), ("NO_PROXY", no_proxy)]).unwrap();
            assert_eq!(found.is_some(), through, "{url} with NO_PROXY={no_proxy}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_named_without_its_password() {
        let error = |value: &str| proxy("https://rancher.test", &[("HTTPS_PROXY", value)]).unwrap_err();
        assert!(error("socks5://me:hunter2@p:1").starts_with("HTTPS_PROXY has the scheme socks5; expected"));
        assert!(error("http://me:hunter2@ p").starts_with("HTTPS_PROXY is no URL"));
        assert!(!error("socks5://me:hunter2@p:1").contains("hunter2"));
    }

    #[test]
    fn credentials_are_decoded() {
        let url = RancherUrl::parse("https://rancher.test").unwrap();
        let found = Proxy::for_url(&url, |name| (name == "HTTPS_PROXY").then(|| "http://me:p%40ss@[::1]:8080".into()));
        let found = found.unwrap().unwrap();
        assert_eq!(found.authority(), "[::1]:8080");
        assert_eq!(found.credentials, Some(("me".into(), Secret::new("p@ss"))));
    }
}
