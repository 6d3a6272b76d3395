//! Clusters and their registration tokens.

use super::{Client, RancherError};
use crate::config::Secret;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A cluster as Rancher shows it.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct Cluster {
    /// Rancher's own name of it, `c-xxxxx`.
    pub id: String,
    /// The display name.
    pub name: String,
    /// `pending`, `provisioning`, `active`, …
    #[serde(default, deserialize_with = "brief")]
    pub state: String,
    /// What Rancher waits for or complains about, in its own words.
    #[serde(default, rename = "transitioningMessage", deserialize_with = "brief")]
    pub message: String,
    /// What Rancher found out of the cluster, step by step.
    #[serde(default, deserialize_with = "null_as_default")]
    pub conditions: Vec<Condition>,
    /// Labels; ours are among them on what we created.
    #[serde(default, deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// When Rancher created it.
    #[serde(default)]
    pub created: Option<Timestamp>,
}

/// One of a cluster's conditions.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct Condition {
    /// `Connected`, `Ready`, `AgentDeployed`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    #[serde(default)]
    pub status: String,
    /// When Rancher wrote it last.
    #[serde(default, rename = "lastUpdateTime", deserialize_with = "time")]
    pub updated: Option<Timestamp>,
}

/// A page of the list of clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPage {
    /// Everybody's clusters that the API token may see.
    pub clusters: Vec<Cluster>,
    /// Where the next page is; `None` on the last.
    pub next: Option<String>,
}

/// What an attempt to create a cluster came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation {
    /// Rancher created it, or had created it for us before.
    Ours(Cluster),
    /// Somebody else's cluster has this name.
    NameTaken(Cluster),
    /// Somebody else's cluster has this name, and it may not be adopted: something is connected for it.
    InUse(Cluster),
}

impl Cluster {
    /// Whether Rancher calls the cluster Active.
    pub fn is_active(&self) -> bool {
        self.state == "active"
    }

    /// Since when a condition is `True`, as far as Rancher tells.
    pub fn true_since(&self, condition: &str) -> Option<Timestamp> {
        let found = self.conditions.iter().find(|found| found.kind == condition && found.status == "True");
        found.and_then(|found| found.updated)
    }

    /// Whether a condition is `True`.
    pub fn is_true(&self, condition: &str) -> bool {
        self.conditions.iter().any(|found| found.kind == condition && found.status == "True")
    }

    fn has(&self, (name, value): (&str, &str)) -> bool {
        self.labels.get(name).is_some_and(|found| found == value)
    }
}

impl ClusterPage {
    /// Reads an answer's JSON.
    pub fn read(mut page: Value) -> Result<ClusterPage, RancherError> {
        let data = page.get_mut("data").map(Value::take).unwrap_or_default();
        let clusters = parse("GET /v3/clusters", data)?;
        let next = page["pagination"]["next"].as_str().filter(|next| !next.is_empty()).map(str::to_owned);
        Ok(ClusterPage { clusters, next })
    }
}

impl Client {
    /// Creates an imported cluster with the label `label`, and a `further` one; a cluster of that name that carries the label already is ours.
    /// With `adopt` another one gets the label and becomes ours, unless something is connected for it.
    pub fn create_cluster(
        &self,
        name: &str,
        label: (&str, &str),
        further: Option<(&str, &str)>,
        adopt: bool,
    ) -> Result<Creation, RancherError> {
        let labels: BTreeMap<&str, &str> = [label].into_iter().chain(further).collect();
        let body = json!({ "type": "cluster", "name": name, "labels": labels });
        match self.post("/v3/clusters", &body) {
            Ok(cluster) => Ok(Creation::Ours(parse("POST /v3/clusters", cluster)?)),
            Err(RancherError::Refused { code, .. }) if code == "NotUnique" => {
                match self.find_cluster(name)? {
                    Some(cluster) if cluster.has(label) => Ok(Creation::Ours(cluster)),
                    Some(cluster) if !adopt => Ok(Creation::NameTaken(cluster)),
                    Some(cluster) if cluster.id == LOCAL || cluster.is_true("Connected") => {
                        Ok(Creation::InUse(cluster))
                    }
                    Some(cluster) => self.label_cluster(cluster, label).map(Creation::Ours),
                    // Deleted in between, or not visible to this token.
                    None => Err(RancherError::Refused {
                        status: 422,
                        code: "NotUnique".into(),
                        message: format!("a cluster named {name} exists that this token cannot see"),
                        call: "POST /v3/clusters".into(),
                    }),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Adds a label to a cluster. norman keeps of the labels only those that the update names, and wants the name in each.
    fn label_cluster(&self, mut cluster: Cluster, label: (&str, &str)) -> Result<Cluster, RancherError> {
        cluster.labels.insert(label.0.to_owned(), label.1.to_owned());
        let body = json!({ "type": "cluster", "name": cluster.name, "labels": cluster.labels });
        parse("PUT /v3/clusters/ID", self.put(&format!("/v3/clusters/{}", cluster.id), &body)?)
    }

    /// The cluster whose display name is `name`.
    pub fn find_cluster(&self, name: &str) -> Result<Option<Cluster>, RancherError> {
        let mut target = format!("/v3/clusters?name={name}");
        for _ in 0..MAX_PAGES {
            let page = self.page(&target)?;
            if let Some(cluster) = page.clusters.into_iter().find(|cluster| cluster.name.eq_ignore_ascii_case(name)) {
                return Ok(Some(cluster));
            }
            match page.next {
                Some(next) => target = next,
                None => return Ok(None),
            }
        }
        Err(RancherError::Unexpected { call: "GET /v3/clusters".into(), found: format!("more than {MAX_PAGES} pages") })
    }

    /// A page of all clusters: the first, or the one that [`ClusterPage::next`] leads to.
    pub fn list_clusters(&self, next: Option<&str>) -> Result<ClusterPage, RancherError> {
        match next {
            Some(next) => self.page(next),
            None => self.page(&format!("/v3/clusters?limit={PAGE_LENGTH}")),
        }
    }

    fn page(&self, target: &str) -> Result<ClusterPage, RancherError> {
        ClusterPage::read(self.get(target)?)
    }

    /// All clusters that carry the label.
    pub fn own_clusters(&self, label: (&str, &str)) -> Result<Vec<Cluster>, RancherError> {
        let mut own = Vec::new();
        let mut next = None;
        for _ in 0..MAX_LIST_PAGES {
            let page = self.list_clusters(next.as_deref())?;
            own.extend(page.clusters.into_iter().filter(|cluster| cluster.has(label)));
            match page.next {
                Some(more) => next = Some(more),
                None => return Ok(own),
            }
        }
        let found = format!("more than {MAX_LIST_PAGES} pages");
        Err(RancherError::Unexpected { call: "GET /v3/clusters".into(), found })
    }

    /// The cluster whose display name is `name`, if it carries the label.
    pub fn find_own_cluster(&self, name: &str, label: (&str, &str)) -> Result<Option<Cluster>, RancherError> {
        Ok(self.find_cluster(name)?.filter(|cluster| cluster.has(label)))
    }

    /// The cluster `id`; `None` if Rancher knows it no more.
    pub fn cluster(&self, id: &str) -> Result<Option<Cluster>, RancherError> {
        match self.get(&format!("/v3/clusters/{id}")) {
            Ok(cluster) => parse("GET /v3/clusters/ID", cluster).map(Some),
            Err(RancherError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks Rancher to delete the cluster; one that is gone already is no error.
    pub fn delete_cluster(&self, id: &str) -> Result<(), RancherError> {
        match self.delete(&format!("/v3/clusters/{id}")) {
            Err(RancherError::Refused { status: 404, .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// The cluster's registration token; `None` until Rancher has made one.
    pub fn registration_token(&self, id: &str) -> Result<Option<Secret>, RancherError> {
        Ok(registration_token_in(&self.get(&format!("/v3/clusterregistrationtokens?clusterId={id}"))?))
    }

    /// Asks Rancher for another registration token, for when it made none by itself.
    pub fn create_registration_token(&self, id: &str) -> Result<(), RancherError> {
        let body = json!({ "type": "clusterRegistrationToken", "clusterId": id });
        self.post("/v3/clusterregistrationtokens", &body).map(drop)
    }

    /// Checks that Rancher answers and accepts the token.
    pub fn probe(&self) -> Result<(), RancherError> {
        let call = || "GET /v3/clusters".to_owned();
        match self.get("/v3/clusters?limit=1") {
            Ok(list) if list["data"].is_array() => Ok(()),
            Ok(_) => Err(RancherError::Unexpected { call: call(), found: "JSON without a list of clusters".into() }),
            // Every Rancher has this list, so whoever says so in JSON is something else.
            Err(RancherError::Refused { status: 404, .. }) => Err(RancherError::NotARancher { call: call() }),
            Err(error) => Err(error),
        }
    }
}

/// The first token of a list of registration tokens.
pub fn registration_token_in(list: &Value) -> Option<Secret> {
    let tokens = list["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    tokens.iter().filter_map(|item| item["token"].as_str()).find(|token| !token.is_empty()).map(Secret::new)
}

fn parse<T: for<'de> Deserialize<'de>>(call: &str, json: Value) -> Result<T, RancherError> {
    serde_json::from_value(json)
        .map_err(|error| RancherError::Unexpected { call: call.to_owned(), found: error.to_string() })
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// As much of a text as anybody reads, since it is kept of every cluster; null is none.
fn brief<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    let text = text.unwrap_or_default();
    Ok(if text.len() > BRIEF_CHARS { text.chars().take(BRIEF_CHARS).collect() } else { text })
}

/// Rancher writes no time as an empty text.
fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Longer than what Rancher says of a cluster in earnest.
const BRIEF_CHARS: usize = 1_000;
/// The cluster that Rancher itself runs in.
const LOCAL: &str = "local";
/// A cluster is some 20 kB, so that a page is 2 MB: little enough to be read while other calls wait.
const PAGE_LENGTH: usize = 100;
/// A million clusters: no Rancher has them.
const MAX_LIST_PAGES: usize = 10_000;
/// A filtered list has one page; this bounds a server that always promises another.
const MAX_PAGES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rancher_says_of_a_cluster_is_kept_in_brief() {
        let page = |message: Value| {
            let cluster = json!({"id": "c-1", "name": "edge", "state": null, "transitioningMessage": message});
            ClusterPage::read(json!({"data": [cluster], "pagination": {"next": ""}})).unwrap()
        };
        let read = page("ü".repeat(100_000).into());
        assert_eq!((read.clusters[0].message.chars().count(), read.next), (1_000, None));
        let read = page(Value::Null);
        assert_eq!((read.clusters[0].message.as_str(), read.clusters[0].state.as_str()), ("", ""));
        assert!(ClusterPage::read(json!({})).is_err() && ClusterPage::read(json!(5)).is_err());
    }
}
