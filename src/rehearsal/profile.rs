//! What Rancher asks of a cluster, as data: which requests in which order, which watches, which writes, and what is asked
//! again and again.

use super::Channel;
use crate::yaml::{DEPTH_LIMIT, too_deep};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The load that one cluster gets. Read from YAML; `config/profiles/rancher.yaml` explains each key by example.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The name that the report shows.
    pub name: String,
    /// Requests made one after the other as soon as the API tunnel is up.
    pub first: Vec<Call>,
    /// Watches opened together after these, each on a connection of its own.
    pub watches: Watches,
    /// Requests made one after the other once every watch has delivered its initial list.
    pub writes: Vec<Call>,
    /// Requests made for as long as the tunnel that carries them is up.
    pub probes: Vec<Probe>,
    /// How long after a failure a request is made again.
    pub retry_seconds: u64,
}

/// One request, made again until it succeeds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The method.
    pub method: Verb,
    /// Path and query; `${name:/pointer}` stands for a piece of a saved reply.
    pub path: String,
    /// The `Accept` header; JSON when absent.
    pub accept: Option<String>,
    /// The JSON body, with the same placeholders in any string. With [`Verb::Amend`], what is merged into the object.
    pub body: Option<Value>,
    /// Status codes that count as success; any 2xx when empty.
    #[serde(default)]
    pub expect: Vec<u16>,
    /// JSON pointers that must lead to a non-empty string in the reply.
    #[serde(default)]
    pub require: Vec<String>,
    /// The name under which the reply is kept for later placeholders.
    pub save: Option<String>,
    /// What the reply says about the cluster.
    pub observes: Option<Observation>,
}

/// What is done to the resource at [`Call::path`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verb {
    /// GET.
    Get,
    /// POST.
    Post,
    /// GET, then PUT of the object with the body merged into it: how Rancher's controllers write (optimistic concurrency).
    Amend,
}

/// A fact about the cluster that Rancher keeps in its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Observation {
    /// The reply is a `/version` document.
    Version,
    /// The reply, or the initial list of the watch, holds the cluster's nodes.
    Nodes,
}

/// The long watches of a cluster.
#[derive(Debug, Clone)]
pub struct Watches {
    /// How the initial list is had.
    pub form: WatchForm,
    /// The least that is asked for as `timeoutSeconds`, and half of the most; afterwards the list is watched again.
    pub timeout_seconds: u64,
    /// The lists that are watched.
    pub lists: Vec<WatchedList>,
}

/// How an informer gets its initial list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchForm {
    /// `sendInitialEvents=true`, as client-go from 0.35 on (Rancher 2.14).
    WatchList,
    /// LIST, then WATCH from its resourceVersion, as client-go before.
    ListThenWatch,
}

/// A list that is watched.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchedList {
    /// Path and, if any, query of the list.
    pub path: String,
    /// What its initial list says about the cluster.
    pub observes: Option<Observation>,
}

/// A request that is repeated.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The tunnel that carries it.
    pub tunnel: Channel,
    /// The path; anything but a 2xx counts against the cluster.
    pub path: String,
    /// How often.
    pub every_seconds: u64,
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not YAML, or not these keys.
    #[error(transparent)]
    Yaml(#[from] serde_yaml::Error),
    /// It is neither built in nor a file.
    #[error("neither one of {names} nor a file that can be read: {0}", names = BUILT_IN.map(|(name, _)| name).join(", "))]
    Unreadable(std::io::Error),
    /// It nests too deep.
    #[error("line {0}: brackets nest more than {DEPTH_LIMIT} deep")]
    Deep(usize),
    /// It extends one that is not there.
    #[error("extends: there is no profile {0:?}; it can be {names}", names = BUILT_IN.map(|(name, _)| name).join(", "))]
    Unknown(String),
}

impl Profile {
    /// What Rancher does to a plain imported cluster.
    pub fn rancher() -> Profile {
        Profile::named("rancher").expect("a test reads each profile that is built in")
    }

    /// Both tunnels and the probes, no watches and no writes: the cost of the tunnels alone.
    pub fn idle() -> Profile {
        Profile::named("idle").expect("a test reads each profile that is built in")
    }

    /// A profile that is built in.
    pub fn named(name: &str) -> Option<Profile> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Profile::from_yaml(text).ok()
    }

    /// The profile that people mean by this: one that is built in, or the one in a file.
    pub fn read(name: &str) -> Result<Profile, ProfileError> {
        if let Some(profile) = Profile::named(name) {
            return Ok(profile);
        }
        Profile::from_yaml(&std::fs::read_to_string(name).map_err(ProfileError::Unreadable)?)
    }

    /// Reads a profile; errors name the place and the key.
    pub fn from_yaml(text: &str) -> Result<Profile, ProfileError> {
        if let Some(line) = too_deep(text.as_bytes()) {
            return Err(ProfileError::Deep(line));
        }
        let written: Written = serde_yaml::from_str(text)?;
        let base = match &written.extends {
            None => Profile::empty(),
            // A profile that extends itself is none that is built in.
            Some(name) => Profile::named(name).ok_or_else(|| ProfileError::Unknown(name.clone()))?,
        };
        Ok(base.extended(written))
    }

    fn empty() -> Profile {
        let watches = Watches { form: WatchForm::WatchList, timeout_seconds: 300, lists: Vec::new() };
        Profile {
            name: String::new(),
            first: Vec::new(),
            watches,
            writes: Vec::new(),
            probes: Vec::new(),
            retry_seconds: 5,
        }
    }

    fn extended(mut self, written: Written) -> Profile {
        self.name = written.name;
        self.first.extend(written.first);
        self.watches.form = written.watches.form.unwrap_or(self.watches.form);
        self.watches.timeout_seconds = written.watches.timeout_seconds.unwrap_or(self.watches.timeout_seconds);
        self.watches.lists.extend(written.watches.lists);
        self.writes.extend(written.writes);
        self.probes.extend(written.probes);
        self.retry_seconds = written.retry_seconds.unwrap_or(self.retry_seconds);
        self
    }

    /// How long after a failure a request is made again.
    pub fn retry(&self) -> Duration {
        Duration::from_secs(self.retry_seconds)
    }
}

impl WatchedList {
    /// The path with `query` added to whatever query it has.
    pub fn with_query(&self, query: &str) -> String {
        let separator = if self.path.contains('?') { '&' } else { '?' };
        format!("{}{separator}{query}", self.path)
    }
}

/// A profile as its file has it: what it does not say is as in the profile that it extends, and lists come after that one's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    extends: Option<String>,
    #[serde(default)]
    first: Vec<Call>,
    #[serde(default)]
    watches: WrittenWatches,
    #[serde(default)]
    writes: Vec<Call>,
    #[serde(default)]
    probes: Vec<Probe>,
    retry_seconds: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct WrittenWatches {
    form: Option<WatchForm>,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    lists: Vec<WatchedList>,
}

const BUILT_IN: [(&str, &str); 5] = [
    ("rancher", include_str!("../../config/profiles/rancher.yaml")),
    ("rancher-2.13", include_str!("../../config/profiles/rancher-2.13.yaml")),
    ("explorer", include_str!("../../config/profiles/explorer.yaml")),
    ("storm", include_str!("../../config/profiles/storm.yaml")),
    ("idle", include_str!("../../config/profiles/idle.yaml")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rancher_opens_the_twelve_watches_of_a_plain_imported_cluster() {
        let profile = Profile::rancher();
        assert_eq!(profile.watches.lists.len(), 12);
        assert_eq!(profile.first[0].path, "/api/v1/namespaces/kube-system");
        assert_eq!(profile.watches.form, WatchForm::WatchList);
    }

    #[test]
    fn what_is_no_profile_is_named_with_those_there_are() {
        let error = Profile::read("/nonexistent/profile.yaml").unwrap_err().to_string();
        assert!(error.starts_with("neither one of rancher, ") && error.contains("No such file"), "{error}");
        assert_eq!(Profile::read("idle").unwrap().name, "idle");
    }

    #[test]
    fn every_profile_learns_what_the_updated_condition_needs() {
        for (name, text) in BUILT_IN {
            let profile = Profile::from_yaml(text).unwrap();
            assert_eq!(profile.name, name);
            let calls = profile.first.iter().filter_map(|call| call.observes);
            let watches = profile.watches.lists.iter().filter_map(|list| list.observes);
            let observed: Vec<Observation> = calls.chain(watches).collect();
            assert_eq!(observed, [Observation::Version, Observation::Nodes], "{name}");
            assert!(profile.probes.iter().any(|probe| probe.tunnel == Channel::Steve), "{name}");
            assert!(profile.probes.iter().any(|probe| probe.tunnel == Channel::Api), "{name}");
        }
    }

    #[test]
    fn a_profile_adds_to_the_one_that_it_extends() {
        let text = "{name: mine, extends: rancher, watches: {form: list-then-watch, lists: [{path: /api/v1/pods}]}}";
        let profile = Profile::from_yaml(text).unwrap();
        assert_eq!((profile.name.as_str(), profile.watches.lists.len()), ("mine", 13));
        assert_eq!((profile.watches.form, profile.watches.timeout_seconds), (WatchForm::ListThenWatch, 300));
        assert_eq!(profile.writes.len(), Profile::rancher().writes.len());
        let error = Profile::from_yaml("{name: mine, extends: mine}").unwrap_err().to_string();
        assert!(error.contains("\"mine\"") && error.contains("rancher, rancher-2.13"), "{error}");
    }

    #[test]
    fn the_explorer_has_twenty_watches_in_all() {
        assert_eq!(Profile::named("explorer").unwrap().watches.lists.len(), 20);
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        let error = serde_yaml::from_str::<Probe>("{tunnel: api, path: /readyz, every_second: 15}").unwrap_err();
        assert!(error.to_string().contains("every_second"), "{error}");
    }

    #[test]
    fn a_query_joins_the_one_that_is_there() {
        let plain = WatchedList { path: "/api/v1/nodes".into(), observes: None };
        assert_eq!(plain.with_query("watch=true"), "/api/v1/nodes?watch=true");
        let selected = WatchedList { path: "/api/v1/secrets?fieldSelector=a%3Db".into(), observes: None };
        assert_eq!(selected.with_query("watch=true"), "/api/v1/secrets?fieldSelector=a%3Db&watch=true");
    }
}
