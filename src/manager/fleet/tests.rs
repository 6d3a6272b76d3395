//! The registry driven by hand: the test plays operator, registrars, workers and clock.

use super::*;
use crate::config::{Secret, Shard};
use crate::engine::{Refused, Tunnel};
use crate::kube::Source;
use crate::manager::Wanted;
use crate::manager::job::{JobError, JobErrorKind};
use crate::rancher::Cluster;
use crossbeam_channel::{Receiver, unbounded};

pub(super) struct Play {
    pub fleet: Fleet,
    pub now: Now,
    /// Whether the journal stores what it is given.
    pub disk_full: bool,
    /// The records that it holds.
    pub journal: BTreeMap<Arc<str>, Vec<u8>>,
    effects: Vec<Effect>,
}

impl Play {
    pub fn new() -> Play {
        let source = Source { objects: Vec::new(), ca_pem: "PEM", kubernetes_version: "v1.31.4" };
        let now = Now { instant: Instant::now(), wall: "2026-01-01T00:00:00Z".parse().unwrap() };
        let config = FleetConfig {
            ranchers: vec![RancherConfig { name: "default".into(), url: "https://rancher.test".into(), weight: 1 }],
            instance_id: "0123456789abcdef".into(),
            shard: Shard::default(),
            epoch: 0,
            templates: BTreeMap::new(),
            baseline: Arc::new(Baseline::compile(source).unwrap()),
            create_wait: Duration::from_secs(10),
            poll_interval: Duration::from_secs(15),
            ramp_poll_interval: Duration::from_secs(2),
            failed_retry: Duration::from_secs(60),
            max_clusters: 2,
            workers: 1,
            registrars: 4,
            about: serde_json::Value::Null,
            seed: 7,
        };
        let mut play = Play {
            fleet: Fleet::new(config, now),
            now,
            disk_full: false,
            journal: BTreeMap::new(),
            effects: Vec::new(),
        };
        assert_eq!(play.jobs(), [Job::Resolve]);
        play
    }

    pub fn ask(&mut self, action: Action) -> Receiver<Answer> {
        let (sender, answers) = unbounded();
        // A test that does not look at the answer drops the receiver.
        let reply = Reply::new(move |answer| drop(sender.send(answer)));
        self.fleet.command(Command { action, reply }, self.now);
        self.keep();
        answers
    }

    pub fn create(&mut self, name: &str) -> Receiver<Answer> {
        self.ask(Action::Create { name: cluster(name), wanted: Wanted::default(), wait: true })
    }

    pub fn delete(&mut self, name: &str) -> Receiver<Answer> {
        self.ask(Action::Delete { name: name.into(), wait: true })
    }

    pub fn outcome(&mut self, outcome: Outcome) {
        self.fleet.outcome(0, outcome, self.now);
        self.keep();
    }

    pub fn event(&mut self, event: Event) {
        self.fleet.event(event, self.now);
        self.keep();
    }

    /// Plays the journal.
    pub fn keep(&mut self) {
        loop {
            let effects = self.fleet.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Keep { name, version, record } => {
                        let outcome = if self.disk_full { Err("no space left".into()) } else { Ok(()) };
                        match record.filter(|_| !self.disk_full) {
                            Some(record) => _ = self.journal.insert(name.clone(), record),
                            None if !self.disk_full => _ = self.journal.remove(&name),
                            None => {}
                        }
                        self.fleet.kept(&name, version, outcome, self.now);
                    }
                    other => self.effects.push(other),
                }
            }
        }
    }

    pub fn take_effects(&mut self) -> Vec<Effect> {
        self.keep();
        std::mem::take(&mut self.effects)
    }

    pub fn created(&mut self, name: &str, id: &str) {
        self.outcome(Outcome::Created(cluster(name), Ok((id.into(), None))));
    }

    pub fn token(&mut self, name: &str, token: Option<&str>) {
        self.outcome(Outcome::Token(cluster(name), Ok(token.map(Secret::new))));
    }

    pub fn tunnel(&mut self, name: &str, tunnel: Tunnel, refused: Option<Refused>, up: bool) {
        let name = name.into();
        let event = match up {
            true => Event::TunnelUp { name, tunnel },
            false => {
                Event::TunnelDown { name, tunnel, cause: "lost".into(), refused, retry_in: Duration::from_secs(1) }
            }
        };
        self.event(event);
    }

    /// A cluster with both tunnels up.
    pub fn connected(&mut self, name: &str) {
        let answers = self.create(name);
        self.created(name, "c-1");
        self.token(name, Some("token"));
        assert!(matches!(answers.try_recv(), Ok(Answer::Created(_))));
        self.tunnel(name, Tunnel::Api, None, true);
        self.tunnel(name, Tunnel::Steve, None, true);
        self.take_effects();
        assert_eq!(self.state(name), "connected");
    }

    pub fn pass(&mut self, seconds: u64) {
        self.now.instant += Duration::from_secs(seconds);
        self.now.wall += Duration::from_secs(seconds);
        self.fleet.on_time(self.now);
        // As workers do each second.
        self.fleet.event(Event::Lag { worker: 0, late_by: Duration::ZERO }, self.now);
        self.keep();
    }

    pub fn jobs(&mut self) -> Vec<Job> {
        let work = |effect| if let Effect::Work(_, job) = effect { Some(job) } else { None };
        self.take_effects()
            .into_iter()
            .filter_map(work)
            .filter(|job| !matches!(job, Job::Probe | Job::List(_)))
            .collect()
    }

    pub fn state(&self, name: &str) -> &'static str {
        self.fleet.records.get(name).map_or("gone", |record| record.state.as_str())
    }
}

/// A cluster as Rancher shows it.
pub(super) fn shown(name: &str, id: &str, state: &str) -> Cluster {
    let json = serde_json::json!({"id": id, "name": name, "state": state});
    serde_json::from_value(json).unwrap()
}

pub(super) fn cluster(name: &str) -> ClusterName {
    ClusterName::parse(name).unwrap()
}

pub(super) fn error(kind: JobErrorKind) -> JobError {
    JobError { message: "Rancher says no".into(), remedy: "ask again".into(), kind, reached: true }
}

pub(super) fn refusal(answers: &Receiver<Answer>) -> RefusalKind {
    match answers.try_recv() {
        Ok(Answer::Refused(refusal)) => refusal.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cluster_goes_from_request_to_connected() {
    let mut play = Play::new();
    let answers = play.create("edge-1");
    assert_eq!(play.state("edge-1"), "registering");
    assert_eq!(play.jobs(), [Job::Create { name: cluster("edge-1"), adopt: false, run: None }]);
    assert!(answers.try_recv().is_err(), "nothing is promised before Rancher has accepted it");

    play.created("edge-1", "c-abcde");
    match answers.try_recv() {
        Ok(Answer::Created(view)) => assert_eq!(view.rancher_id.as_deref(), Some("c-abcde")),
        other => panic!("{other:?}"),
    }
    let fetch = Job::FetchToken { name: cluster("edge-1"), id: "c-abcde".into(), make: false };
    assert_eq!(play.jobs(), std::slice::from_ref(&fetch));
    play.token("edge-1", None);
    play.pass(2);
    assert_eq!(play.jobs(), [fetch]);
    play.token("edge-1", Some("secret"));
    assert_eq!(play.state("edge-1"), "connecting");
    let effects = play.take_effects();
    assert!(
        matches!(&effects[..], [Effect::Assign(name, Assignment::Attach(_))] if &**name == "edge-1"),
        "{effects:?}"
    );

    play.tunnel("edge-1", Tunnel::Api, None, true);
    assert_eq!(play.state("edge-1"), "connecting");
    play.tunnel("edge-1", Tunnel::Steve, None, true);
    assert_eq!(play.state("edge-1"), "connected");
    play.tunnel("edge-1", Tunnel::Api, None, false);
    assert_eq!(play.state("edge-1"), "disconnected");
    play.tunnel("edge-1", Tunnel::Api, None, true);
    assert_eq!(play.state("edge-1"), "connected");
}

#[test]
fn a_token_is_asked_for_when_rancher_makes_none() {
    let mut play = Play::new();
    play.create("edge-1");
    play.created("edge-1", "c-1");
    let mut makes = Vec::new();
    for _ in 0..12 {
        for job in play.jobs() {
            if let Job::FetchToken { make, .. } = job {
                makes.push(make);
                play.token("edge-1", None);
            }
        }
        play.pass(2);
    }
    assert_eq!(makes.iter().filter(|make| **make).count(), 1, "{makes:?}");
    assert_eq!(makes.iter().position(|make| *make), Some(10));
}

#[test]
fn a_token_that_could_not_be_asked_for_is_asked_for_again() {
    let mut play = Play::new();
    play.create("edge-1");
    play.created("edge-1", "c-1");
    let mut makes = 0;
    for _ in 0..60 {
        for job in play.jobs() {
            if let Job::FetchToken { make, .. } = job {
                makes += usize::from(make);
                let result = if make { Err(error(JobErrorKind::Transient(None))) } else { Ok(None) };
                play.outcome(Outcome::Token(cluster("edge-1"), result));
            } else if let Job::LookUp { name, id } = job {
                let known = shown("edge-1", &id, "pending");
                play.outcome(Outcome::LookedUp(name, Ok(Some(known))));
            }
        }
        play.pass(2);
    }
    assert!(makes > 1, "{makes}");
}

#[test]
fn what_rancher_refuses_leaves_nothing_behind() {
    for kind in [JobErrorKind::Permanent, JobErrorKind::NameTaken] {
        let mut play = Play::new();
        let answers = play.create("edge-1");
        play.outcome(Outcome::Created(cluster("edge-1"), Err(error(kind))));
        let expected =
            if kind == JobErrorKind::NameTaken { RefusalKind::Conflict } else { RefusalKind::RancherRefuses };
        assert_eq!(refusal(&answers), expected);
        assert_eq!(play.state("edge-1"), "gone");
    }
}

#[test]
fn a_rancher_that_is_away_is_asked_again_while_the_operator_gets_202() {
    let mut play = Play::new();
    let answers = play.create("edge-1");
    assert_eq!(play.jobs().len(), 1);
    play.outcome(Outcome::Created(cluster("edge-1"), Err(error(JobErrorKind::Transient(None)))));
    play.pass(1);
    assert_eq!(
        play.jobs(),
        [Job::Create { name: cluster("edge-1"), adopt: false, run: None }],
        "the first retry comes within a second"
    );
    play.pass(9);
    match answers.try_recv() {
        Ok(Answer::Accepted(view)) => assert_eq!(view.last_error.as_deref(), Some("Rancher says no")),
        other => panic!("{other:?}"),
    }
    play.created("edge-1", "c-1");
    assert_eq!(play.state("edge-1"), "registered");
}

#[test]
fn a_refused_api_token_pauses_registration_until_it_is_accepted_again() {
    let mut play = Play::new();
    let first = play.create("edge-1");
    play.outcome(Outcome::Created(cluster("edge-1"), Err(error(JobErrorKind::TokenRefused))));
    assert_eq!(refusal(&first), RefusalKind::RancherRefuses);
    let second = play.create("edge-2");
    assert_eq!(refusal(&second), RefusalKind::RancherRefuses);
    assert_eq!(play.state("edge-2"), "gone");
    assert_eq!(play.fleet.health(play.now).status, "failing");

    play.outcome(Outcome::Probed(Ok(())));
    assert_eq!(play.fleet.health(play.now).status, "ok");
    play.create("edge-2");
    assert_eq!(play.state("edge-2"), "registering");
}

#[test]
fn names_and_numbers_are_limited() {
    let mut play = Play::new();
    play.create("edge-1");
    let again = play.create("edge-1");
    assert_eq!(refusal(&again), RefusalKind::Conflict);
    play.create("edge-2");
    let third = play.create("edge-3");
    assert_eq!(refusal(&third), RefusalKind::LimitReached);
}

#[test]
fn a_deleted_cluster_keeps_its_tunnels_until_rancher_has_forgotten_it() {
    let mut play = Play::new();
    play.connected("edge-1");
    let answers = play.delete("edge-1");
    let (name, id) = (cluster("edge-1"), "c-1".to_owned());
    assert_eq!(play.jobs(), [Job::Delete { name: name.clone(), id: id.clone() }]);
    play.outcome(Outcome::Deleted(name.clone(), Ok(())));
    play.pass(1);
    assert_eq!(play.jobs(), [Job::LookUp { name: name.clone(), id: id.clone() }]);
    play.outcome(Outcome::LookedUp(name.clone(), Ok(Some(shown("edge-1", "c-1", "removing")))));
    play.pass(5);
    assert_eq!(play.jobs(), [Job::LookUp { name: name.clone(), id }]);
    play.outcome(Outcome::LookedUp(name, Ok(None)));
    let effects = play.take_effects();
    assert!(matches!(&effects[..], [Effect::Assign(_, Assignment::Detach(_))]), "{effects:?}");
    assert!(answers.try_recv().is_err());
    play.event(Event::Detached("edge-1".into()));
    assert!(matches!(answers.try_recv(), Ok(Answer::Gone)));
    assert_eq!(play.state("edge-1"), "gone");
}

#[test]
fn a_cluster_deleted_while_rancher_creates_it_is_deleted_there_too() {
    let mut play = Play::new();
    let creating = play.create("edge-1");
    assert_eq!(play.jobs().len(), 1);
    let deleting = play.delete("edge-1");
    assert_eq!(refusal(&creating), RefusalKind::Conflict);
    assert!(play.jobs().is_empty(), "one job at a time");
    play.created("edge-1", "c-1");
    assert_eq!(play.jobs(), [Job::Delete { name: cluster("edge-1"), id: "c-1".into() }]);
    play.outcome(Outcome::Deleted(cluster("edge-1"), Ok(())));
    play.pass(1);
    play.outcome(Outcome::LookedUp(cluster("edge-1"), Ok(None)));
    assert!(matches!(deleting.try_recv(), Ok(Answer::Gone)));
}

#[test]
fn a_second_request_to_delete_waits_with_the_first() {
    let mut play = Play::new();
    play.connected("edge-1");
    let first = play.delete("edge-1");
    assert_eq!(play.jobs().len(), 1);
    play.outcome(Outcome::Deleted(cluster("edge-1"), Ok(())));
    let second = play.delete("edge-1");
    assert!(play.jobs().is_empty(), "Rancher is asked once");
    play.pass(1);
    play.outcome(Outcome::LookedUp(cluster("edge-1"), Ok(None)));
    play.event(Event::Detached("edge-1".into()));
    assert!(matches!((first.try_recv(), second.try_recv()), (Ok(Answer::Gone), Ok(Answer::Gone))));
}

#[test]
fn what_rancher_may_have_created_unseen_is_looked_for_before_it_is_forgotten() {
    for (reached, found, jobs) in [
        (
            true,
            Some("c-1"),
            vec![Job::Find(cluster("edge-1")), Job::Delete { name: cluster("edge-1"), id: "c-1".into() }],
        ),
        (true, None, vec![Job::Find(cluster("edge-1"))]),
        (false, None, vec![]),
    ] {
        let mut play = Play::new();
        play.create("edge-1");
        assert_eq!(play.jobs().len(), 1);
        let lost = JobError { reached, ..error(JobErrorKind::Transient(None)) };
        play.outcome(Outcome::Created(cluster("edge-1"), Err(lost)));
        let deleting = play.delete("edge-1");
        let mut done = play.jobs();
        if reached {
            play.outcome(Outcome::Found(cluster("edge-1"), Ok(found.map(str::to_owned))));
            done.extend(play.jobs());
        }
        assert_eq!(done, jobs);
        assert_eq!(deleting.try_recv().is_ok(), found.is_none());
    }
}

#[test]
fn what_was_accepted_with_202_and_then_refused_shows_why() {
    let mut play = Play::new();
    play.ask(Action::Create { name: cluster("edge-1"), wanted: Wanted::default(), wait: false });
    play.outcome(Outcome::Created(cluster("edge-1"), Err(error(JobErrorKind::Permanent))));
    assert_eq!(play.state("edge-1"), "failed");
    match play.ask(Action::Get("edge-1".into())).try_recv() {
        Ok(Answer::Cluster(view)) => assert_eq!(view.last_error.as_deref(), Some("Rancher says no")),
        other => panic!("{other:?}"),
    }
    play.jobs();
    play.pass(47);
    assert!(play.jobs().is_empty());
    play.pass(25);
    assert_eq!(play.jobs(), [Job::Create { name: cluster("edge-1"), adopt: false, run: None }]);
}

#[test]
fn a_deletion_that_finds_no_rancher_backs_off() {
    let mut play = Play::new();
    play.connected("edge-1");
    play.delete("edge-1");
    let mut waits = Vec::new();
    for _ in 0..8 {
        play.outcome(Outcome::Deleted(cluster("edge-1"), Err(error(JobErrorKind::Transient(None)))));
        play.jobs();
        let began = play.now.instant;
        while play.jobs().is_empty() {
            play.pass(1);
        }
        waits.push(play.now.instant.duration_since(began).as_secs());
    }
    assert!(waits.iter().any(|wait| *wait > 4), "{waits:?}");
}

#[test]
fn a_deletion_that_rancher_has_accepted_is_not_called_off() {
    let mut play = Play::new();
    play.connected("edge-1");
    play.delete("edge-1");
    play.outcome(Outcome::Deleted(cluster("edge-1"), Ok(())));
    play.pass(1);
    play.outcome(Outcome::LookedUp(cluster("edge-1"), Err(error(JobErrorKind::Permanent))));
    assert_eq!(play.state("edge-1"), "deleting");
    play.jobs();
    play.pass(2);
    assert_eq!(play.jobs(), [Job::LookUp { name: cluster("edge-1"), id: "c-1".into() }]);
}

#[test]
fn a_deletion_that_rancher_refuses_is_called_off() {
    let mut play = Play::new();
    play.connected("edge-1");
    let answers = play.delete("edge-1");
    play.outcome(Outcome::Deleted(cluster("edge-1"), Err(error(JobErrorKind::Permanent))));
    assert_eq!(refusal(&answers), RefusalKind::RancherRefuses);
    assert_eq!(play.state("edge-1"), "connected");
}

#[test]
fn a_refused_tunnel_makes_the_token_doubtful_but_not_at_once() {
    let mut play = Play::new();
    play.connected("edge-1");
    play.tunnel("edge-1", Tunnel::Api, Some(UNKNOWN), false);
    assert!(play.jobs().is_empty(), "right after registration Rancher's cache lags");
    play.pass(31);
    play.tunnel("edge-1", Tunnel::Api, Some(UNKNOWN), false);
    assert_eq!(play.jobs(), [Job::FetchToken { name: cluster("edge-1"), id: "c-1".into(), make: false }]);
    play.token("edge-1", Some("rotated"));
    let effects = play.take_effects();
    let updated = |effect: &Effect| matches!(effect, Effect::Assign(_, Assignment::UpdateToken(_, token)) if token.expose() == "rotated");
    assert!(effects.iter().any(updated), "{effects:?}");
    assert_eq!(play.state("edge-1"), "disconnected");
}

#[test]
fn a_failed_cluster_is_tried_again_when_an_operator_says_so() {
    let mut play = Play::new();
    let waiting = play.create("edge-1");
    play.outcome(Outcome::Created(cluster("edge-1"), Err(error(JobErrorKind::Transient(None)))));
    play.pass(10);
    assert!(matches!(waiting.try_recv(), Ok(Answer::Accepted(_))));
    play.jobs();
    play.outcome(Outcome::Created(cluster("edge-1"), Err(error(JobErrorKind::Permanent))));
    assert_eq!(play.state("edge-1"), "failed");
    play.pass(40);
    assert_eq!(play.jobs(), [], "a refusal is not asked for again at once");
    let answers = play.ask(Action::Retry("edge-1".into()));
    assert!(matches!(answers.try_recv(), Ok(Answer::Accepted(view)) if view.state == State::Registering));
    assert_eq!(play.jobs(), [Job::Create { name: cluster("edge-1"), adopt: false, run: None }]);
    play.outcome(Outcome::Created(cluster("edge-1"), Err(error(JobErrorKind::Permanent))));
    play.pass(73);
    assert_eq!(
        play.jobs(),
        [Job::Create { name: cluster("edge-1"), adopt: false, run: None }],
        "by itself it is tried within 60 s, a fifth more or less"
    );
}

#[test]
fn a_backoff_is_cut_short_and_a_connected_cluster_has_none() {
    let mut play = Play::new();
    play.connected("edge-1");
    assert_eq!(refusal(&play.ask(Action::Retry("edge-1".into()))), RefusalKind::WrongState);
    play.tunnel("edge-1", Tunnel::Api, None, false);
    play.take_effects();
    play.ask(Action::Retry("edge-1".into()));
    let effects = play.take_effects();
    assert!(
        matches!(&effects[..], [Effect::Assign(_, Assignment::Hasten(name))] if &**name == "edge-1"),
        "{effects:?}"
    );
    assert_eq!(refusal(&play.ask(Action::Retry("nobody".into()))), RefusalKind::UnknownCluster);
}

#[test]
fn seeds_depend_on_agent_and_name_alone() {
    let seed = super::keeping::seed;
    // First eight bytes of the SHA-256 of "0123456789abcdef/edge-1", by sha256sum.
    assert_eq!(seed("0123456789abcdef", "edge-1"), EDGE_1_SEED);
    assert_ne!(seed("0123456789abcdef", "edge-2"), EDGE_1_SEED);
}

const EDGE_1_SEED: u64 = 0x7bcec5c5eb307691;
/// What Rancher answers to the registration token of a cluster that it does not know.
pub(super) const UNKNOWN: Refused = Refused { status: 400, cluster_unknown: true, retry_after: None };

#[test]
fn a_cluster_that_rancher_lost_before_it_had_a_token_is_retired() {
    let mut play = Play::new();
    play.create("edge-1");
    play.created("edge-1", "c-1");
    assert_eq!(play.jobs().len(), 2, "created, and asked for its token");
    play.token("edge-1", None);
    for second in 0..600 {
        for job in play.jobs() {
            match job {
                Job::FetchToken { name, .. } => play.outcome(Outcome::Token(name, Ok(None))),
                Job::LookUp { name, .. } => play.outcome(Outcome::LookedUp(name, Ok(None))),
                other => panic!("{other:?}"),
            }
        }
        if play.state("edge-1") == "gone" {
            assert!(second >= 60, "never one created a moment ago: {second} s");
            return;
        }
        play.pass(1);
    }
    panic!("it is {} still", play.state("edge-1"));
}
