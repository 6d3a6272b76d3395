//! What Rancher asks of a cluster, as data: which requests in which order, which watches, which writes, and what is asked
//! again and again.

use super::Channel;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The load that one cluster gets. Read from YAML; `config/profiles/rancher.yaml` explains each key by example.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
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

impl Profile {
    /// What Rancher does to a plain imported cluster.
    pub fn rancher() -> Profile {
        serde_yaml::from_str(RANCHER_YAML).expect("a test reads this constant")
    }

    /// Both tunnels and the probes, no watches and no writes: the cost of the tunnels alone.
    pub fn idle() -> Profile {
        serde_yaml::from_str(IDLE_YAML).expect("a test reads this constant")
    }

    /// Reads a profile; errors name the place and the key.
    pub fn from_yaml(text: &str) -> Result<Profile, serde_yaml::Error> {
        serde_yaml::from_str(text)
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

const RANCHER_YAML: &str = include_str!("../../config/profiles/rancher.yaml");
const IDLE_YAML: &str = include_str!("../../config/profiles/idle.yaml");

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
    fn both_profiles_learn_what_the_updated_condition_needs() {
        for profile in [Profile::rancher(), Profile::idle()] {
            let calls = profile.first.iter().filter_map(|call| call.observes);
            let watches = profile.watches.lists.iter().filter_map(|list| list.observes);
            let observed: Vec<Observation> = calls.chain(watches).collect();
            assert_eq!(observed, [Observation::Version, Observation::Nodes], "{}", profile.name);
            assert!(profile.probes.iter().any(|probe| probe.tunnel == Channel::Steve), "{}", profile.name);
            assert!(profile.probes.iter().any(|probe| probe.tunnel == Channel::Api), "{}", profile.name);
        }
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
