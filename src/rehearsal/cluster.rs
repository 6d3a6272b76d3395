//! One cluster as the stand-in sees it: what is known of it, Rancher's conditions and the state they add up to.

use super::Params;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Instant;

/// How far a cluster has come, in the usual order. The tunnels come up in either order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// `POST /v3/clusters` was answered.
    Created,
    /// The registration token was read.
    Token,
    /// The API tunnel was admitted.
    ApiTunnel,
    /// The steve tunnel was admitted.
    SteveTunnel,
    /// The cluster's API answered for the first time.
    FirstResponse,
    /// Every watch has delivered its initial list.
    Synced,
    /// Every write was accepted.
    Written,
    /// Rancher's conditions are all met.
    Active,
}

/// Something the stand-in learnt about a cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// Somebody read the registration token.
    TokenRead,
    /// A tunnel was admitted; the API tunnel announces how the cluster's API is reached.
    TunnelUp(Channel, Option<Params>),
    /// The last session of a tunnel ended.
    TunnelDown(Channel),
    /// The cluster's API answered a request.
    Responded,
    /// `/ping` through the steve tunnel was answered with 200, or not.
    Pinged(bool),
    /// `/readyz` through the API tunnel was answered with a 2xx, or not.
    Healthy(bool),
    /// What `/version` says.
    Version(String),
    /// How many nodes the cluster has.
    Nodes(usize),
    /// Every watch has delivered its initial list.
    Synced,
    /// Every write was accepted.
    Written,
}

/// One of the two tunnels of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Carries the Kubernetes API under TLS (session key `<cluster id>`).
    Api,
    /// Carries steve in plain HTTP (session key `stv-cluster-<cluster id>`).
    Steve,
}

/// A cluster and everything known of it: facts and instants come in, conditions come out.
#[derive(Debug)]
pub struct Cluster {
    /// `c-xxxxx`.
    pub id: String,
    /// The name its creator gave it.
    pub name: String,
    /// The labels its creator gave it.
    pub labels: Labels,
    /// The registration token, whether or not it can be read yet.
    pub token: String,
    /// When it was created.
    pub created: Instant,
    /// The same as its object shows it.
    pub created_at: Timestamp,
    /// When its removal was asked for.
    pub removal: Option<Instant>,
    /// How its API is reached, as announced by the latest API tunnel.
    pub params: Option<Params>,
    reached: [Option<Instant>; Stage::ALL.len()],
    connected: Option<bool>,
    ready: Option<bool>,
    version: Option<String>,
    nodes: usize,
}

/// Labels of a cluster object.
pub type Labels = BTreeMap<String, String>;

/// A condition of the `management.cattle.io/v3` Cluster: its type, and its status (`None` is `Unknown`).
pub type Condition = (&'static str, Option<bool>);

impl Stage {
    /// Every stage in order.
    pub const ALL: [Stage; 8] = [
        Stage::Created,
        Stage::Token,
        Stage::ApiTunnel,
        Stage::SteveTunnel,
        Stage::FirstResponse,
        Stage::Synced,
        Stage::Written,
        Stage::Active,
    ];

    /// As the report names it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Created => "created",
            Stage::Token => "token",
            Stage::ApiTunnel => "API tunnel",
            Stage::SteveTunnel => "steve tunnel",
            Stage::FirstResponse => "first response",
            Stage::Synced => "all watches synced",
            Stage::Written => "written",
            Stage::Active => "Active",
        }
    }
}

impl Cluster {
    /// A cluster that was just created.
    pub fn new(id: String, name: String, labels: Labels, token: String, now: Instant) -> Cluster {
        let mut cluster = Cluster {
            id,
            name,
            labels,
            token,
            created: now,
            created_at: Timestamp::now(),
            removal: None,
            params: None,
            reached: [None; Stage::ALL.len()],
            connected: None,
            ready: None,
            version: None,
            nodes: 0,
        };
        cluster.reach(Stage::Created, now);
        cluster
    }

    /// Takes in a fact.
    pub fn learn(&mut self, fact: Fact, now: Instant) {
        match fact {
            Fact::TokenRead => self.reach(Stage::Token, now),
            Fact::TunnelUp(Channel::Api, params) => {
                self.params = params;
                self.reach(Stage::ApiTunnel, now);
            }
            Fact::TunnelUp(Channel::Steve, _) => self.reach(Stage::SteveTunnel, now),
            Fact::TunnelDown(Channel::Api) => self.ready = Some(false),
            Fact::TunnelDown(Channel::Steve) => self.connected = Some(false),
            Fact::Responded => self.reach(Stage::FirstResponse, now),
            Fact::Pinged(answered) => self.connected = Some(answered),
            Fact::Healthy(healthy) => self.ready = Some(healthy),
            Fact::Version(version) => self.version = Some(version),
            Fact::Nodes(nodes) => self.nodes = nodes,
            Fact::Synced => self.reach(Stage::Synced, now),
            Fact::Written => self.reach(Stage::Written, now),
        }
        if self.is_active() {
            self.reach(Stage::Active, now);
        }
    }

    /// When `stage` was first reached.
    pub fn reached(&self, stage: Stage) -> Option<Instant> {
        self.reached[stage as usize]
    }

    /// The last stage, in order, that was reached.
    pub fn furthest(&self) -> Stage {
        Stage::ALL.into_iter().rev().find(|&stage| self.reached(stage).is_some()).unwrap_or(Stage::Created)
    }

    /// Rancher's conditions, as far as an agent can influence them (rancher/rancher `pkg/controllers/management`:
    /// `clusterprovisioner`, `clusterconnected`, `clusterdeploy`; `pkg/controllers/managementuser/healthsyncer`).
    pub fn conditions(&self) -> [Condition; 6] {
        // While the steve tunnel does not answer, nobody asks whether the API does: Rancher shows "Disconnected".
        let ready = match self.connected {
            Some(false) => Some(false),
            _ => self.ready,
        };
        [
            ("Provisioned", self.reached(Stage::ApiTunnel).map(|_| true)),
            ("Connected", self.connected),
            ("Ready", ready),
            ("Updated", (self.version.is_some() && self.nodes > 0).then_some(true)),
            ("AgentDeployed", self.reached(Stage::Written).map(|_| true)),
            // Not a condition of Rancher's: there an informer that never syncs ends the cluster's controllers after 10 min.
            ("Synced", self.reached(Stage::Synced).map(|_| true)),
        ]
    }

    /// Whether Rancher would show the cluster as Active.
    pub fn is_active(&self) -> bool {
        self.removal.is_none() && self.conditions().iter().all(|&(_, status)| status == Some(true))
    }

    /// The `state` of the norman object (rancher/wrangler `pkg/summary`).
    pub fn state(&self) -> &'static str {
        if self.removal.is_some() {
            return "removing";
        }
        let [provisioned, connected, ready, updated, deployed, synced] = self.conditions().map(|(_, status)| status);
        if ready == Some(false) {
            "unavailable"
        } else if provisioned.is_none() {
            "pending"
        } else if updated.is_none() {
            "updating"
        } else if deployed.is_none() || synced.is_none() {
            "provisioning"
        } else if ready.is_none() || connected.is_none() {
            "waiting"
        } else {
            "active"
        }
    }

    fn reach(&mut self, stage: Stage, now: Instant) {
        self.reached[stage as usize].get_or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn cluster(now: Instant) -> Cluster {
        Cluster::new("c-abcde".into(), "edge".into(), Labels::new(), "secret".into(), now)
    }

    fn every_fact() -> Vec<Fact> {
        vec![
            Fact::TokenRead,
            Fact::TunnelUp(Channel::Api, None),
            Fact::TunnelUp(Channel::Steve, None),
            Fact::Responded,
            Fact::Pinged(true),
            Fact::Healthy(true),
            Fact::Version("v1.31.4".into()),
            Fact::Nodes(1),
            Fact::Synced,
            Fact::Written,
        ]
    }

    #[test]
    fn becomes_active_with_the_last_fact_and_remembers_when() {
        let start = Instant::now();
        let mut cluster = cluster(start);
        assert_eq!(cluster.state(), "pending");
        for (step, fact) in (1..).zip(every_fact()) {
            assert!(!cluster.is_active(), "active before {fact:?}");
            cluster.learn(fact, start + Duration::from_secs(step));
        }
        assert_eq!(cluster.state(), "active");
        assert_eq!(cluster.reached(Stage::Active), Some(start + Duration::from_secs(10)));
        assert_eq!(cluster.reached(Stage::ApiTunnel), Some(start + Duration::from_secs(2)));
    }

    #[test]
    fn any_missing_fact_keeps_it_from_being_active() {
        let now = Instant::now();
        // The token need not be seen to be read, and whoever is healthy has responded.
        let optional = [Fact::TokenRead, Fact::TunnelUp(Channel::Steve, None), Fact::Responded];
        for missing in every_fact().into_iter().filter(|fact| !optional.contains(fact)) {
            let mut cluster = cluster(now);
            for fact in every_fact().into_iter().filter(|fact| *fact != missing) {
                cluster.learn(fact, now);
            }
            assert!(!cluster.is_active(), "active without {missing:?}");
        }
    }

    #[test]
    fn a_cluster_without_nodes_stays_updating() {
        let now = Instant::now();
        let mut cluster = cluster(now);
        for fact in every_fact() {
            cluster.learn(fact, now);
        }
        cluster.learn(Fact::Nodes(0), now);
        assert_eq!(cluster.state(), "updating");
    }

    #[test]
    fn a_lost_steve_tunnel_makes_it_unavailable_and_the_next_ping_active_again() {
        let start = Instant::now();
        let mut cluster = cluster(start);
        for fact in every_fact() {
            cluster.learn(fact, start);
        }
        let later = start + Duration::from_secs(60);
        cluster.learn(Fact::TunnelDown(Channel::Steve), later);
        assert_eq!(cluster.state(), "unavailable");
        cluster.learn(Fact::Pinged(true), later);
        assert_eq!(cluster.state(), "active");
        assert_eq!(cluster.reached(Stage::Active), Some(start), "the first time counts");
    }

    #[test]
    fn names_the_stage_it_is_stuck_at() {
        let now = Instant::now();
        let mut cluster = cluster(now);
        assert_eq!(cluster.furthest(), Stage::Created);
        cluster.learn(Fact::TunnelUp(Channel::Api, None), now);
        assert_eq!(cluster.furthest(), Stage::ApiTunnel);
    }
}
