//! The Rancher servers: the entries of `Servers`, or the one that the top-level settings describe.

use super::error::Misread;
use super::validate::{Violation, is_header_text};
use super::{ConfigError, RancherUrl, Secret, Settings, read_text_file};
use crate::yaml::nearest;
use serde_yaml::Value;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// One Rancher server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// What REST and logs call it; clusters name it.
    pub name: String,
    /// Base URL.
    pub url: String,
    /// API token.
    pub bearer_token: Secret,
    /// File that holds the token instead.
    pub bearer_token_file: Option<PathBuf>,
    /// PEM file with certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 (hex) of the server's `cacerts` setting.
    pub ca_checksum: Option<String>,
    /// Its share of the clusters that name no server; unset everywhere, the first server takes them all.
    pub weight: Option<u32>,
}

impl Settings {
    /// All servers, each with its share of the clusters that name none.
    pub fn rancher_servers(&self) -> Vec<(ServerSettings, u32)> {
        if self.servers.is_empty() {
            let only = ServerSettings {
                name: DEFAULT_NAME.into(),
                url: self.rancher_url.clone(),
                bearer_token: self.bearer_token.clone(),
                bearer_token_file: self.bearer_token_file.clone(),
                ca_file: self.ca_file.clone(),
                ca_checksum: self.ca_checksum.clone(),
                weight: None,
            };
            return vec![(only, 1)];
        }
        let weighed = self.servers.iter().any(|server| server.weight.is_some());
        let share = |(position, server): (usize, &ServerSettings)| match weighed {
            true => server.weight.unwrap_or(0),
            false => u32::from(position == 0),
        };
        self.servers.iter().enumerate().map(|entry| (entry.1.clone(), share(entry))).collect()
    }
}

impl ServerSettings {
    /// The API token, or what its file holds now.
    pub fn api_token(&self) -> Result<Secret, ConfigError> {
        let Some(path) = &self.bearer_token_file else {
            if self.bearer_token.is_empty() {
                let remedy = "write `BearerToken: token-xxxxx:<secret>` into the configuration file, or name a file that \
                              holds it by BearerTokenFile";
                return Err(ConfigError::Missing { key: "BearerToken", server: None, remedy: remedy.into() });
            }
            return Ok(self.bearer_token.clone());
        };
        let text = Zeroizing::new(read_text_file(TOKEN_FILE, path, TOKEN_FILE_LIMIT_BYTES)?);
        let token = text.trim();
        if token.is_empty() || !is_header_text(token) {
            let source =
                io::Error::new(io::ErrorKind::InvalidData, "its content is not a token: one line without spaces");
            return Err(ConfigError::Unreadable { what: TOKEN_FILE, path: path.clone(), source });
        }
        Ok(Secret::new(token))
    }

    /// Checks every value by itself and against the others; `key` leads to it.
    pub(super) fn validate(&self, key: &'static str) -> Result<(), Violation> {
        let within = |field: &str| if key == "Servers" { format!("{}: {field}: ", self.name) } else { String::new() };
        let violation = |field: &'static str, problem: &str, expected: &str| {
            let key = if key == "Servers" { key } else { field };
            Err(Violation::new(key, within(field) + problem, expected))
        };
        let url_field = if key == "Servers" { "URL" } else { "RancherURL" };
        if !self.url.is_empty()
            && let Err(problem) = RancherUrl::parse(&self.url)
        {
            return violation(url_field, &problem, "https://HOST[:PORT][/PREFIX] (http for loopback only)");
        }
        if !self.bearer_token.is_empty() && self.bearer_token_file.is_some() {
            return violation("BearerTokenFile", "both BearerToken and BearerTokenFile are given", "one of the two");
        }
        if !self.bearer_token.is_empty() && !is_header_text(self.bearer_token.expose()) {
            let problem = "it contains a space or a character that no token has";
            return violation("BearerToken", problem, "the token as Rancher showed it, token-xxxxx:<secret>");
        }
        if let Some(checksum) = &self.ca_checksum
            && (checksum.len() != 64 || !checksum.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return violation("CAChecksum", &format!("`{checksum}` is no SHA-256"), "64 hex digits");
        }
        Ok(())
    }
}

/// Reads the list of the configuration file; relative paths start at `base`. The error says which entry is wrong, and how.
pub(super) fn read_servers(value: &Value, base: &Path) -> Result<Vec<ServerSettings>, Misread> {
    let Value::Sequence(entries) = value else { return Err("it is not a list".into()) };
    let mut servers: Vec<ServerSettings> = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let server = read_server(entry, base).map_err(|problem| Misread::in_entry(position, problem))?;
        if servers.iter().any(|other| other.name == server.name) {
            return Err(Misread::in_entry(position, format_args!("another one is named {} too", server.name)));
        }
        servers.push(server);
    }
    if servers.is_empty() { Err("it is empty".into()) } else { Ok(servers) }
}

fn read_server(entry: &Value, base: &Path) -> Result<ServerSettings, String> {
    let Value::Mapping(fields) = entry else { return Err("it is no mapping of `Name`, `URL` and so on".into()) };
    let mut server = ServerSettings {
        name: String::new(),
        url: String::new(),
        bearer_token: Secret::default(),
        bearer_token_file: None,
        ca_file: None,
        ca_checksum: None,
        weight: None,
    };
    for (key, value) in fields {
        let key = key.as_str().ok_or("a key is no text")?;
        let text = || value.as_str().map(str::to_owned).ok_or_else(|| format!("{key} is not text; put it in quotes"));
        match key {
            "Name" => server.name = text()?,
            "URL" => server.url = text()?,
            "BearerToken" => server.bearer_token = Secret::new(text()?),
            "BearerTokenFile" => server.bearer_token_file = Some(base.join(text()?)),
            "CAFile" => server.ca_file = Some(base.join(text()?)),
            "CAChecksum" => server.ca_checksum = Some(text()?),
            "Weight" => {
                let weight = value.as_u64().and_then(|weight| u32::try_from(weight).ok());
                server.weight = Some(weight.ok_or("Weight is not a whole number from 0 to 4294967295")?);
            }
            _ => {
                let hint = nearest(key, FIELDS).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                return Err(format!("unknown key {key}{hint}"));
            }
        }
    }
    match (server.name.is_empty(), server.url.is_empty()) {
        (true, _) => Err("it has no Name".into()),
        (_, true) => Err("it has no URL".into()),
        _ => Ok(server),
    }
}

/// What the one server of the top-level settings is called.
const DEFAULT_NAME: &str = "default";
const FIELDS: [&str; 7] = ["Name", "URL", "BearerToken", "BearerTokenFile", "CAFile", "CAChecksum", "Weight"];
const TOKEN_FILE: &str = "the token file";
/// A token has about 60 bytes; whatever is much larger is another file.
const TOKEN_FILE_LIMIT_BYTES: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<ServerSettings>, String> {
        read_servers(&serde_yaml::from_str(text).unwrap(), Path::new("/etc/agent")).map_err(|misread| misread.problem)
    }

    #[test]
    fn servers_are_read_with_paths_beside_the_file() {
        let servers = read(
            "[{Name: a, URL: 'https://a.test', BearerTokenFile: a.token, Weight: 3}, {Name: b, URL: 'https://b.test'}]",
        );
        let servers = servers.unwrap();
        assert_eq!((servers[0].name.as_str(), servers[0].weight), ("a", Some(3)));
        assert_eq!(servers[0].bearer_token_file.as_deref(), Some(Path::new("/etc/agent/a.token")));
        let shares = |servers: Vec<ServerSettings>| -> Vec<u32> {
            let settings = Settings { servers, ..Settings::default() };
            settings.rancher_servers().into_iter().map(|(_, share)| share).collect()
        };
        let mut unweighed = servers.clone();
        unweighed[0].weight = None;
        assert_eq!(shares(servers), [3, 0]);
        assert_eq!(shares(unweighed), [1, 0], "without weights the first takes all");
    }

    #[test]
    fn each_mistake_is_named_with_its_entry() {
        for (text, problem) in [
            ("{}", "it is not a list"),
            ("[]", "it is empty"),
            ("[5]", "entry 1: it is no mapping of `Name`, `URL` and so on"),
            ("[{Name: a}]", "entry 1: it has no URL"),
            ("[{URL: 'https://a.test'}]", "entry 1: it has no Name"),
            ("[{Name: a, Url: x}]", "entry 1: unknown key Url; did you mean URL?"),
            ("[{Name: a, URL: x, Weight: -1}]", "entry 1: Weight is not a whole number from 0 to 4294967295"),
            ("[{Name: a, URL: x}, {Name: a, URL: y}]", "entry 2: another one is named a too"),
        ] {
            assert_eq!(read(text), Err(problem.into()), "{text}");
        }
    }
}
