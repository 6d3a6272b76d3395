//! What must hold for settings beyond the range of each.

use super::{ConfigError, Settings};
use std::net::IpAddr;

/// A value that is wrong by itself or at odds with another.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// The setting to change.
    pub key: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What would be right.
    pub expected: String,
    /// The setting that it is at odds with, if that may be the one that somebody set.
    pub against: Option<&'static str>,
    /// The entry of a list that it is about, from 0.
    pub entry: Option<usize>,
}

impl Violation {
    pub(super) fn new(key: &'static str, problem: impl Into<String>, expected: &str) -> Violation {
        Violation { key, problem: problem.into(), expected: expected.into(), against: None, entry: None }
    }
}

impl Settings {
    /// Checks every value that is set. What is absent is checked by [`Settings::require_rancher`], so that subcommands
    /// without a Rancher do not demand one.
    pub fn validate(&self) -> Result<(), Violation> {
        let violation = |key, problem: String, expected: &str| Err(Violation::new(key, problem, expected));
        if !self.servers.is_empty() && !self.rancher_url.is_empty() {
            return violation("Servers", "RancherURL is given too".into(), "one of the two");
        }
        let key = if self.servers.is_empty() { "RancherURL" } else { "Servers" };
        for (position, (server, _)) in self.rancher_servers().iter().enumerate() {
            let at_entry = |violation| Violation { entry: Some(position), ..violation };
            server.validate(key).map_err(at_entry)?;
        }
        if self.servers.len() > 1 && self.rancher_servers().iter().all(|(_, weight)| *weight == 0) {
            return violation("Servers", "every Weight is 0".into(), "at least one server that takes clusters");
        }
        if !self.listens_on_loopback() && self.api_keys.is_empty() {
            let problem = format!("`{}` is not a loopback address, and there are no APIKeys", self.listen_address);
            let expected =
                "127.0.0.1 or ::1, or a key: `scale-cluster-agent api-key create --role admin --name NAME` makes one";
            return violation("ListenAddress", problem, expected);
        }
        if self.tls_cert_file.is_some() != self.tls_key_file.is_some() {
            let (given, missing) = match self.tls_cert_file {
                Some(_) => ("TLSCertFile", "TLSKeyFile"),
                None => ("TLSKeyFile", "TLSCertFile"),
            };
            return violation(given, format!("{missing} is missing beside it"), "both, or neither");
        }
        if self.ping_timeout <= self.ping_interval {
            let problem = "PingTimeout is not longer than PingInterval";
            let expected = "a PingTimeout of several times PingInterval, such as 60s for 5s";
            return Err(Violation {
                against: Some("PingInterval"),
                ..Violation::new("PingTimeout", problem, expected)
            });
        }
        if self.reconnect_max < self.reconnect_min {
            let problem = "ReconnectMax is shorter than ReconnectMin";
            let expected = "a ReconnectMax of ReconnectMin or longer, such as 30s for 1s";
            return Err(Violation {
                against: Some("ReconnectMin"),
                ..Violation::new("ReconnectMax", problem, expected)
            });
        }
        if !is_host_and_port(&self.api_address) {
            let problem = format!("`{}` is not HOST:PORT", self.api_address);
            return violation("APIAddress", problem, "an address with its port such as 10.43.0.1:443");
        }
        if !is_kubernetes_version(&self.kubernetes_version) {
            let problem = format!("`{}` is not a Kubernetes version", self.kubernetes_version);
            return violation("KubernetesVersion", problem, "vMAJOR.MINOR.PATCH such as v1.31.4");
        }
        Ok(())
    }

    /// Whether only this host reaches the REST API.
    pub fn listens_on_loopback(&self) -> bool {
        is_loopback(&self.listen_address)
    }

    /// Checks that there is a Rancher to talk to and a token for each.
    pub fn require_rancher(&self) -> Result<(), ConfigError> {
        if self.rancher_url.is_empty() && self.servers.is_empty() {
            let remedy = "give --rancher-url URL, or write `RancherURL: https://…` into the configuration file".into();
            return Err(ConfigError::Missing { key: "RancherURL", server: None, remedy });
        }
        self.rancher_servers().iter().try_for_each(|(server, _)| match server.api_token() {
            Err(ConfigError::Missing { key, .. }) if !self.servers.is_empty() => {
                let remedy = "give its entry in Servers a BearerToken, or a BearerTokenFile".into();
                Err(ConfigError::Missing { key, server: Some(server.name.clone()), remedy })
            }
            token => token.map(drop),
        })
    }
}

pub(super) fn is_header_text(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_loopback(address: &str) -> bool {
    address == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_host_and_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host_name = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    (host_name || (bare != host && bare.parse::<IpAddr>().is_ok())) && port.parse::<u16>().is_ok_and(|port| port != 0)
}

fn is_kubernetes_version(version: &str) -> bool {
    let Some(version) = version.strip_prefix('v') else { return false };
    let (core, suffix) = version.find(['-', '+']).map_or((version, ""), |at| version.split_at(at));
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() == 3
        && numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        && suffix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ApiKey, Role, Secret};
    use std::time::Duration;

    fn violated(change: impl FnOnce(&mut Settings)) -> Option<&'static str> {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.validate().err().map(|violation| violation.key)
    }

    #[test]
    fn defaults_are_valid_but_lack_a_rancher() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let error = Settings::default().require_rancher().unwrap_err();
        assert!(matches!(error, ConfigError::Missing { key: "RancherURL", .. }), "{error}");
        let with_url = Settings { rancher_url: "https://r".into(), ..Settings::default() };
        let error = with_url.require_rancher().unwrap_err();
        assert!(matches!(error, ConfigError::Missing { key: "BearerToken", .. }), "{error}");
        let mut server = with_url.rancher_servers().remove(0).0;
        server.name = "east".into();
        let several = Settings { servers: vec![server], ..Settings::default() };
        let error = several.require_rancher().unwrap_err();
        assert_eq!(error.to_string(), "server east: BearerToken is not set");
        assert!(error.remedy().contains("its entry in Servers"), "{}", error.remedy());
    }

    #[test]
    fn each_rule_names_its_key() {
        assert_eq!(violated(|s| s.rancher_url = "rancher".into()), Some("RancherURL"));
        assert_eq!(violated(|s| s.bearer_token = Secret::new("a b")), Some("BearerToken"));
        assert_eq!(violated(|s| s.ca_checksum = Some("abc".into())), Some("CAChecksum"));
        assert_eq!(violated(|s| s.listen_address = "0.0.0.0".into()), Some("ListenAddress"));
        assert_eq!(violated(|s| s.listen_address = "::1".into()), None);
        let with_key = violated(|s| {
            s.listen_address = "0.0.0.0".into();
            s.api_keys = vec![ApiKey { name: "a".into(), role: Role::Viewer, hash: [0; 32] }];
        });
        assert_eq!(with_key, None);
        assert_eq!(violated(|s| s.tls_cert_file = Some("c".into())), Some("TLSCertFile"));
        assert_eq!(violated(|s| s.tls_key_file = Some("k".into())), Some("TLSKeyFile"));
        assert_eq!(violated(|s| s.ping_timeout = s.ping_interval), Some("PingTimeout"));
        assert_eq!(violated(|s| s.reconnect_max = Duration::from_millis(999)), Some("ReconnectMax"));
        for address in ["10.43.0.1", "10.43.0.1:0", ":443", "::1:443", "[x]:443"] {
            assert_eq!(violated(|s| s.api_address = address.into()), Some("APIAddress"), "{address}");
        }
        assert_eq!(violated(|s| s.api_address = "[fd00::1]:443".into()), None);
        for version in ["1.31.4", "v1.31", "v1.31.x", "v1..4", "v1.31.4 k3s"] {
            assert_eq!(violated(|s| s.kubernetes_version = version.into()), Some("KubernetesVersion"), "{version}");
        }
        assert_eq!(violated(|s| s.kubernetes_version = "v1.28.5+k3s1".into()), None);
        let both = violated(|s| {
            s.bearer_token = Secret::new("token-a:b");
            s.bearer_token_file = Some("/token".into());
        });
        assert_eq!(both, Some("BearerTokenFile"));
    }

    #[test]
    fn the_token_file_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let settings = Settings { bearer_token_file: Some(path.clone()), ..Settings::default() };
        assert!(matches!(settings.rancher_servers()[0].0.api_token(), Err(ConfigError::Unreadable { .. })));
        std::fs::write(&path, "token-abcde:xyz\n").unwrap();
        assert_eq!(settings.rancher_servers()[0].0.api_token().unwrap().expose(), "token-abcde:xyz");
        std::fs::write(&path, "a\nb\n").unwrap();
        assert!(settings.rancher_servers()[0].0.api_token().is_err());
    }
}
