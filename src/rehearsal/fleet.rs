//! Every cluster of the stand-in, and what happened to them.

use super::{Channel, Cluster, Fact, Labels, Params, Seen, Stage};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the stand-in takes where Rancher is asynchronous, and how long it waits.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// From a cluster's creation until its registration token can be read.
    pub token_delay: Duration,
    /// From then until a tunnel with that token is admitted: Rancher's authorizer reads from a cache.
    pub authorizer_lag: Duration,
    /// From the DELETE of a cluster until it is gone.
    pub removal_delay: Duration,
    /// How long a tunnel may be without a websocket ping or pong from the agent.
    pub read_deadline: Duration,
}

/// All clusters, shared by the threads of the stand-in. Every method takes one short lock.
#[derive(Debug)]
pub struct Fleet {
    /// The API token that clients of `/v3` have to present.
    pub bearer: String,
    /// What was seen on the tunnels.
    pub seen: Seen,
    /// How long things take.
    pub behaviour: Behaviour,
    state: Mutex<State>,
}

/// How far the fleet is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Clusters in existence.
    pub created: usize,
    /// Clusters whose API tunnel was up at least once.
    pub connected: usize,
    /// Clusters that are Active now.
    pub active: usize,
}

/// What a live session is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The oldest of its tunnel: Rancher dials through this one.
    InUse,
    /// There is an older one, which Rancher uses until its end.
    Spare,
    /// Its cluster is gone.
    Orphaned,
}

/// The name belongs to another cluster.
#[derive(Debug, PartialEq, Eq)]
pub struct NameTaken;

#[derive(Debug, Default)]
struct State {
    clusters: BTreeMap<String, Cluster>,
    by_name: HashMap<String, String>,
    by_token: HashMap<String, String>,
    /// Live sessions by cluster and tunnel, oldest first: the oldest is the one in use.
    sessions: HashMap<(String, Channel), Vec<u64>>,
    problems: BTreeMap<String, u64>,
    next_session: u64,
    /// Clusters being removed, in the order in which they were asked to go.
    leaving: VecDeque<(Instant, String)>,
    random: fastrand::Rng,
}

impl Behaviour {
    /// Nothing is asynchronous.
    pub fn immediate() -> Behaviour {
        let zero = Duration::ZERO;
        Behaviour { token_delay: zero, authorizer_lag: zero, removal_delay: zero, ..Behaviour::default() }
    }
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            // Long enough that a client which reads the token only once is found out.
            token_delay: Duration::from_millis(100),
            authorizer_lag: Duration::ZERO,
            removal_delay: Duration::from_millis(500),
            // remotedialer's `PingWaitDuration`.
            read_deadline: Duration::from_secs(60),
        }
    }
}

impl Fleet {
    /// A fleet without clusters. `seed` decides ids and tokens.
    pub fn new(bearer: &str, behaviour: Behaviour, seed: u64) -> Fleet {
        let state = State { random: fastrand::Rng::with_seed(seed), ..State::default() };
        Fleet { bearer: bearer.to_owned(), seen: Seen::default(), behaviour, state: Mutex::new(state) }
    }

    /// Creates a cluster; its id. Names are compared without regard to case.
    pub fn create(&self, name: &str, labels: Labels, now: Instant) -> Result<String, NameTaken> {
        let mut state = self.state.lock();
        state.purge(now);
        let key = name.to_lowercase();
        if state.by_name.contains_key(&key) {
            return Err(NameTaken);
        }
        let mut id = format!("c-{}", state.letters(ID_LETTERS));
        while state.clusters.contains_key(&id) {
            id = format!("c-{}", state.letters(ID_LETTERS));
        }
        let token = state.letters(TOKEN_LETTERS);
        state.by_name.insert(key, id.clone());
        state.by_token.insert(token.clone(), id.clone());
        state.clusters.insert(id.clone(), Cluster::new(id.clone(), name.to_owned(), labels, token, now));
        Ok(id)
    }

    /// What `look` makes of a cluster; `None` if there is no such cluster.
    pub fn read<R>(&self, id: &str, now: Instant, look: impl FnOnce(&Cluster) -> R) -> Option<R> {
        let mut state = self.state.lock();
        state.purge(now);
        state.clusters.get(id).map(look)
    }

    /// What `look` makes of those clusters that `pick` picks, by id: at most `limit` of them from id `from` on, and the id
    /// of the next if there are more.
    pub fn page<R>(
        &self,
        (from, limit): (&str, usize),
        now: Instant,
        pick: impl Fn(&Cluster) -> bool,
        look: impl Fn(&Cluster) -> R,
    ) -> (Vec<R>, Option<String>) {
        let mut state = self.state.lock();
        state.purge(now);
        let mut picked =
            state.clusters.range(from.to_owned()..).map(|(_, cluster)| cluster).filter(|cluster| pick(cluster));
        let page = picked.by_ref().take(limit).map(look).collect();
        (page, picked.next().map(|cluster| cluster.id.clone()))
    }

    /// Asks for a cluster's removal; whether there is such a cluster.
    pub fn remove(&self, id: &str, now: Instant) -> bool {
        let mut state = self.state.lock();
        state.purge(now);
        let Some(cluster) = state.clusters.get_mut(id) else {
            return false;
        };
        if cluster.removal.is_none() {
            cluster.removal = Some(now);
            state.leaving.push_back((now + self.behaviour.removal_delay, id.to_owned()));
        }
        true
    }

    /// The registration token of a cluster, once it can be read; reading it counts as a stage.
    pub fn token(&self, id: &str, now: Instant) -> Option<String> {
        let mut state = self.state.lock();
        let cluster = state.clusters.get_mut(id)?;
        if now < cluster.created + self.behaviour.token_delay {
            return None;
        }
        cluster.learn(Fact::TokenRead, now);
        Some(cluster.token.clone())
    }

    /// The cluster that a registration token belongs to, as far as the tunnels' authorizer knows by now.
    pub fn authenticate(&self, token: &str, now: Instant) -> Option<String> {
        let mut state = self.state.lock();
        state.purge(now);
        let id = state.by_token.get(token)?;
        let known_from = state.clusters.get(id)?.created + self.behaviour.token_delay + self.behaviour.authorizer_lag;
        (now >= known_from).then(|| id.clone())
    }

    /// Takes in a fact about a cluster; a cluster that is gone has none.
    pub fn learn(&self, id: &str, fact: Fact, now: Instant) {
        if let Some(cluster) = self.state.lock().clusters.get_mut(id) {
            cluster.learn(fact, now);
        }
    }

    /// Counts something that went wrong.
    pub fn problem(&self, cause: impl Into<String>) {
        let mut state = self.state.lock();
        let cause = cause.into();
        let known = state.problems.len() < DIFFERENT_PROBLEMS_AT_MOST || state.problems.contains_key(&cause);
        let cause = if known { cause } else { "other".to_owned() };
        *state.problems.entry(cause).or_default() += 1;
    }

    /// What went wrong and how often.
    pub fn problems(&self) -> BTreeMap<String, u64> {
        self.state.lock().problems.clone()
    }

    /// Notes a session that was admitted; its number. A cluster whose parameters changed is a problem: Rancher restarts
    /// every controller of that cluster.
    pub fn session_started(&self, id: &str, channel: Channel, params: Option<Params>, now: Instant) -> u64 {
        let mut state = self.state.lock();
        state.next_session += 1;
        let session = state.next_session;
        state.sessions.entry((id.to_owned(), channel)).or_default().push(session);
        let mut changed = false;
        if let Some(cluster) = state.clusters.get_mut(id) {
            changed = channel == Channel::Api && cluster.params.is_some() && cluster.params != params;
            cluster.learn(Fact::TunnelUp(channel, params), now);
        }
        drop(state);
        if changed {
            self.problem("tunnel parameters changed between connects");
        }
        session
    }

    /// What a session is good for.
    pub fn standing(&self, id: &str, channel: Channel, session: u64, now: Instant) -> Standing {
        let mut state = self.state.lock();
        state.purge(now);
        if !state.clusters.contains_key(id) {
            return Standing::Orphaned;
        }
        match state.sessions.get(&(id.to_owned(), channel)) {
            Some(alive) if alive.first() == Some(&session) => Standing::InUse,
            _ => Standing::Spare,
        }
    }

    /// Notes that a session ended.
    pub fn session_ended(&self, id: &str, channel: Channel, session: u64, now: Instant) {
        self.seen.tunnels_lost.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        let key = (id.to_owned(), channel);
        let alive = state.sessions.entry(key.clone()).or_default();
        alive.retain(|&other| other != session);
        if alive.is_empty() {
            state.sessions.remove(&key);
            if let Some(cluster) = state.clusters.get_mut(id) {
                cluster.learn(Fact::TunnelDown(channel), now);
            }
        }
    }

    /// How far the fleet is.
    pub fn progress(&self) -> Progress {
        let state = self.state.lock();
        let clusters = state.clusters.values();
        clusters.fold(Progress::default(), |progress, cluster| Progress {
            created: progress.created + 1,
            connected: progress.connected + usize::from(cluster.reached(Stage::ApiTunnel).is_some()),
            active: progress.active + usize::from(cluster.is_active()),
        })
    }
}

impl State {
    /// Forgets the clusters whose removal is complete.
    fn purge(&mut self, now: Instant) {
        while self.leaving.front().is_some_and(|(gone, _)| *gone <= now) {
            let Some((_, id)) = self.leaving.pop_front() else { return };
            if let Some(cluster) = self.clusters.remove(&id) {
                self.by_name.remove(&cluster.name.to_lowercase());
                self.by_token.remove(&cluster.token);
            }
        }
    }

    fn letters(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(LETTERS[self.random.usize(..LETTERS.len())])).collect()
    }
}

/// As Rancher's: `c-` and five characters.
const ID_LETTERS: usize = 5;
/// As Rancher's registration tokens.
const TOKEN_LETTERS: usize = 54;
/// Without the look-alikes, as Kubernetes generates names.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Bounds the report and the memory of a run in which everything fails differently.
const DIFFERENT_PROBLEMS_AT_MOST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> Fleet {
        Fleet::new("bearer", Behaviour::immediate(), 1)
    }

    #[test]
    fn a_name_belongs_to_one_cluster_until_that_is_gone() {
        let now = Instant::now();
        let fleet = fleet();
        let id = fleet.create("edge", Labels::new(), now).unwrap();
        assert!(id.starts_with("c-") && id.len() == 7, "{id}");
        assert_eq!(fleet.create("EDGE", Labels::new(), now), Err(NameTaken));
        assert!(fleet.remove(&id, now));
        assert!(fleet.create("edge", Labels::new(), now).is_ok());
        assert!(!fleet.remove(&id, now));
    }

    #[test]
    fn the_token_and_then_the_authorizer_come_late() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let behaviour = Behaviour {
            token_delay: Duration::from_millis(100),
            authorizer_lag: Duration::from_millis(50),
            removal_delay: Duration::from_millis(500),
            ..Behaviour::default()
        };
        let fleet = Fleet::new("bearer", behaviour, 1);
        let id = fleet.create("edge", Labels::new(), start).unwrap();
        assert_eq!(fleet.token(&id, at(99)), None);
        let token = fleet.token(&id, at(100)).unwrap();
        assert_eq!(fleet.authenticate(&token, at(149)), None);
        assert_eq!(fleet.authenticate(&token, at(150)), Some(id.clone()));
        assert!(fleet.remove(&id, at(200)));
        assert_eq!(fleet.authenticate(&token, at(699)), Some(id));
        assert_eq!(fleet.authenticate(&token, at(700)), None);
    }

    #[test]
    fn pages_join_without_gap_or_overlap() {
        let now = Instant::now();
        let fleet = fleet();
        let mut names: Vec<String> = (0..25).map(|number| format!("edge-{number:02}")).collect();
        for name in &names {
            fleet.create(name, Labels::new(), now).unwrap();
        }
        let mut listed = Vec::new();
        let mut from = Some(String::new());
        while let Some(marker) = from {
            let (page, next) = fleet.page((&marker, 10), now, |_| true, |cluster| cluster.name.clone());
            assert!(page.len() <= 10);
            listed.extend(page);
            from = next;
        }
        listed.sort();
        names.sort();
        assert_eq!(listed, names);
    }

    #[test]
    fn the_oldest_session_is_in_use_until_it_ends() {
        let now = Instant::now();
        let fleet = fleet();
        let id = fleet.create("edge", Labels::new(), now).unwrap();
        let first = fleet.session_started(&id, Channel::Steve, None, now);
        let second = fleet.session_started(&id, Channel::Steve, None, now);
        assert_eq!(fleet.standing(&id, Channel::Steve, first, now), Standing::InUse);
        assert_eq!(fleet.standing(&id, Channel::Steve, second, now), Standing::Spare);
        fleet.session_ended(&id, Channel::Steve, first, now);
        assert_eq!(fleet.standing(&id, Channel::Steve, second, now), Standing::InUse);
        assert_eq!(fleet.read(&id, now, |cluster| cluster.state()), Some("pending"), "one session is left");
        fleet.remove(&id, now);
        assert_eq!(fleet.standing(&id, Channel::Steve, second, now), Standing::Orphaned);
    }

    #[test]
    fn parameters_that_change_are_a_problem() {
        let now = Instant::now();
        let fleet = fleet();
        let id = fleet.create("edge", Labels::new(), now).unwrap();
        let params = |token: &str| {
            Some(Params { address: "10.43.0.1:443".into(), token: token.into(), ca_pem: b"PEM".as_slice().into() })
        };
        fleet.session_started(&id, Channel::Api, params("a"), now);
        fleet.session_started(&id, Channel::Api, params("a"), now);
        assert!(fleet.problems().is_empty());
        fleet.session_started(&id, Channel::Api, params("b"), now);
        assert_eq!(fleet.problems().into_values().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn progress_counts_clusters() {
        let now = Instant::now();
        let fleet = fleet();
        fleet.create("edge", Labels::new(), now).unwrap();
        assert_eq!(fleet.progress(), Progress { created: 1, connected: 0, active: 0 });
    }

    #[test]
    fn different_problems_are_bounded() {
        let fleet = fleet();
        for number in 0..300 {
            fleet.problem(format!("problem {number}"));
        }
        assert_eq!(fleet.problems().len(), 201);
        assert_eq!(fleet.problems()["other"], 100);
    }
}
