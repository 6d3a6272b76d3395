//! What of the registry outlives the process. Nobody is told anything before it is on disk.

use super::{Effect, Fleet, Now, Timer};
use crate::engine::{Assignment, Attachment};
use crate::journal::KeptCluster;
use crate::kube::{Baseline, Identity, Past};
use crate::manager::answer::{Answer, Refusal, RefusalKind};
use crate::manager::record::Record;
use crate::manager::{ClusterName, State};
use ring::digest;
use std::sync::Arc;
use std::time::Duration;

impl Fleet {
    /// Takes over the records of an earlier run; each cluster goes on once [`Fleet::resume`] has brought what was written in it.
    /// The error names the record that cannot be read.
    pub fn restore(&mut self, records: Vec<(String, Vec<u8>)>, now: Now) -> Result<(), String> {
        for (name, bytes) in records {
            let servers: Vec<Arc<str>> = self.upstreams.iter().map(|u| Arc::from(u.config.name.as_str())).collect();
            let record = Record::from_bytes(&name, &bytes, &servers, now.wall)
                .map_err(|error| format!("the record of cluster {name} cannot be read: {error}"))?;
            if let Some(template) = record.template.as_ref().filter(|name| !self.config.templates.contains_key(*name)) {
                return Err(format!("cluster {name} is made from the template {template}, which is not there"));
            }
            self.records.insert(record.name.clone(), record);
        }
        Ok(())
    }

    /// A cluster of an earlier run goes on where it was.
    pub fn resume(&mut self, kept: KeptCluster, now: Now) {
        let Some(record) = self.records.get_mut(kept.name.as_str()) else { return };
        record.past = kept.places;
        let name = record.name.clone();
        match record.state {
            State::Registered if record.token.is_some() => self.attach(&name, now),
            // The tunnels stay until Rancher has deleted the cluster.
            State::Deleting if record.token.is_some() && record.id.is_some() => {
                self.attach(&name, now);
                self.step(&name, now);
            }
            _ => self.step(&name, now),
        }
    }

    /// Gives a worker a cluster that has its token.
    pub(super) fn attach(&mut self, name: &ClusterName, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        let Some(registration_token) = record.token.clone().filter(|_| !record.attached) else { return };
        record.attached = true;
        record.announced_rotation = record.rotation;
        if record.state != State::Deleting {
            record.enter(State::Connecting, now.wall);
        }
        let past = std::mem::take(&mut record.past);
        let key = name.as_arc().clone();
        let Some(record) = self.records.get(name) else { return };
        let attachment = Attachment {
            identity: Identity {
                name: key.clone(),
                seed: seed(&self.config.instance_id, &key),
                created: record.created_in_rancher.unwrap_or(record.created),
                rotation: record.rotation,
            },
            baseline: self.baseline_of(record).clone(),
            server: record.server,
            past: Past { epoch: self.config.epoch, places: past },
            registration_token,
        };
        self.effects.push(Effect::Assign(key, Assignment::Attach(Box::new(attachment))));
    }

    fn baseline_of(&self, record: &Record) -> &Arc<Baseline> {
        let named = record.template.as_ref().and_then(|template| self.config.templates.get(template));
        named.unwrap_or(&self.config.baseline)
    }

    /// A worker cannot take on a cluster as it was.
    pub(super) fn not_attached(&mut self, name: &str, problem: String, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        log::error!("cluster {name}: {problem}");
        record.attached = false;
        record.last_error = Some(problem);
        record.enter(State::Failed, now.wall);
    }

    /// Has the journal keep a record as it is now.
    pub(super) fn keep(&mut self, name: &ClusterName) {
        let Some(record) = self.records.get_mut(name) else { return };
        self.last_version += 1;
        record.version = self.last_version;
        let (name, version) = (name.as_arc().clone(), record.version);
        self.effects.push(Effect::Keep { name, version, record: Some(record.to_bytes()) });
    }

    /// Has the journal try again what it could not store.
    pub(super) fn keep_again(&mut self, name: &ClusterName) {
        if self.records.contains_key(name) { self.keep(name) } else { self.erase(name) }
    }

    /// Has the journal forget a cluster.
    pub(super) fn erase(&mut self, name: &ClusterName) {
        self.last_version += 1;
        let (name, version) = (name.as_arc().clone(), self.last_version);
        self.effects.push(Effect::Keep { name, version, record: None });
    }

    /// The journal has a record as it was at `version`, or could not store it.
    pub fn kept(&mut self, name: &str, version: u64, outcome: Result<(), String>, now: Now) {
        match outcome {
            Ok(()) => self.host.stored(None),
            Err(ref problem) => self.host.stored(Some(problem.clone())),
        }
        let record = match self.records.get_mut(name) {
            Some(record) if record.version == version => record,
            // A later state of it is on its way.
            Some(_) => return,
            None => {
                if let (Err(_), Ok(name)) = (outcome, ClusterName::parse(name)) {
                    self.set_timer(KEEP_AGAIN, Timer::Keep(name), now);
                }
                return;
            }
        };
        let name = record.name.clone();
        match outcome {
            Ok(()) => {
                record.kept = version;
                self.go_on(&name, now);
            }
            // Nothing was done yet but to take the request: whoever asked is told that it came to nothing.
            Err(problem) if record.state == State::Pending && record.kept == 0 => {
                let refusal =
                    Refusal::new(RefusalKind::Unavailable, problem, "see that the agent can write its directory");
                for (reply, _) in record.waiters.drain(..) {
                    reply.send(Answer::Refused(refusal.clone()));
                }
                self.records.remove(&name);
                // One of its name from before may still have to be erased.
                self.set_timer(KEEP_AGAIN, Timer::Keep(name), now);
            }
            Err(_) => self.set_timer(KEEP_AGAIN, Timer::Keep(name), now),
        }
    }

    /// What had to be on disk first.
    fn go_on(&mut self, name: &ClusterName, now: Now) {
        self.waited(name, now);
        let Some(record) = self.records.get_mut(name) else { return };
        if record.attached && record.announced_rotation != record.rotation {
            record.announced_rotation = record.rotation;
            let (key, rotation) = (name.as_arc().clone(), record.rotation);
            self.effects.push(Effect::Assign(key.clone(), Assignment::RotateToken(key, rotation)));
        }
        match record.state {
            State::Pending => self.step(name, now),
            State::Deleting if !record.deletion_accepted => self.step(name, now),
            State::Deleting => {}
            _ if record.id.is_some() && !record.waiters.is_empty() => {
                let view = record.view(None);
                for (reply, _) in record.waiters.drain(..) {
                    reply.send(Answer::Created(view.clone()));
                }
            }
            _ => {}
        }
    }
}

/// A cluster's seed: the same for this agent and name for ever, so that a restart announces the same credentials.
pub(super) fn seed(instance_id: &str, name: &str) -> u64 {
    let hash = digest::digest(&digest::SHA256, format!("{instance_id}/{name}").as_bytes());
    hash.as_ref().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

/// How soon a record that could not be stored is tried again: by then there may be room.
const KEEP_AGAIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::super::tests::{Play, cluster, shown};
    use super::*;
    use crate::engine::{Event, Tunnel};
    use crate::manager::Wanted;
    use crate::manager::command::Action;
    use crate::manager::job::{Job, Outcome};
    use crate::rancher::ClusterPage;

    impl Play {
        /// Another run of the agent with what the journal holds of this one.
        pub fn restarted(&self) -> Play {
            let mut next = Play::new();
            let records = self.journal.iter().map(|(name, record)| (name.to_string(), record.clone())).collect();
            next.now = self.now;
            next.journal.clone_from(&self.journal);
            next.fleet.restore(records, next.now).unwrap();
            let names: Vec<String> = next.fleet.records.keys().map(ToString::to_string).collect();
            for name in names {
                next.fleet.resume(KeptCluster { name, places: Vec::new() }, next.now);
            }
            next
        }

        fn attachment(&mut self) -> Option<Box<Attachment>> {
            self.take_effects().into_iter().find_map(|effect| match effect {
                Effect::Assign(_, Assignment::Attach(attachment)) => Some(attachment),
                _ => None,
            })
        }
    }

    #[test]
    fn a_connected_cluster_goes_on_with_the_same_identity_and_without_a_call() {
        let mut play = Play::new();
        play.create("edge-1");
        play.created("edge-1", "c-1");
        play.token("edge-1", Some("token"));
        let before = play.attachment().unwrap();
        play.tunnel("edge-1", Tunnel::Api, None, true);
        play.tunnel("edge-1", Tunnel::Steve, None, true);
        let mut next = play.restarted();
        let after = next.attachment().unwrap();
        assert_eq!(after.identity.seed, before.identity.seed);
        assert_eq!(after.identity.created, before.identity.created);
        assert_eq!(after.registration_token, before.registration_token);
        assert_eq!(next.state("edge-1"), "connecting");
        assert_eq!(next.jobs(), []);
    }

    #[test]
    fn whatever_was_under_way_is_taken_up() {
        let name = || cluster("edge-1");
        let mut play = Play::new();
        play.create("edge-1");
        assert_eq!(
            play.restarted().jobs(),
            [Job::Create { name: name(), adopt: false, run: None }],
            "Rancher may have created it: it is found as ours"
        );
        play.created("edge-1", "c-1");
        let fetch = Job::FetchToken { name: name(), id: "c-1".into(), make: false };
        assert_eq!(play.restarted().jobs(), [fetch]);
        play.token("edge-1", Some("token"));
        play.delete("edge-1");
        let mut next = play.restarted();
        let effects = next.take_effects();
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Assign(_, Assignment::Attach(_)))), "{effects:?}");
        assert!(
            effects.iter().any(|effect| matches!(effect, Effect::Work(_, Job::Delete { id, .. }) if id == "c-1")),
            "{effects:?}"
        );
        assert_eq!(next.state("edge-1"), "deleting");
    }

    #[test]
    fn the_time_until_active_is_that_of_the_first_coming_up_or_unknown() {
        let up = |play: &mut Play| {
            play.tunnel("edge-1", Tunnel::Api, None, true);
            play.tunnel("edge-1", Tunnel::Steve, None, true);
            play.pass(20);
            let clusters = vec![shown("edge-1", "c-1", "active")];
            play.outcome(Outcome::Listed(Ok(ClusterPage { clusters, next: None })));
            assert_eq!(play.state("edge-1"), "active");
        };
        let reached = |play: &mut Play| match play.ask(Action::List { state: None, limit: 1, after: None }).try_recv() {
            Ok(Answer::Clusters { clusters, .. }) => clusters[0].reached.clone(),
            other => panic!("{other:?}"),
        };
        let mut play = Play::new();
        play.outcome(Outcome::Probed(Ok(())));
        play.create("edge-1");
        play.created("edge-1", "c-1");
        play.token("edge-1", Some("token"));
        let mut killed_before = play.restarted();
        up(&mut play);
        let first = reached(&mut play);
        assert_eq!(first["active"].duration_since(first["registering"]).as_secs(), 20);
        play.pass(3600);
        let mut next = play.restarted();
        up(&mut next);
        next.tunnel("edge-1", Tunnel::Api, None, false);
        assert_eq!(reached(&mut next), first, "an outage in another run is not known to be the first");

        up(&mut killed_before);
        let known: Vec<&str> = reached(&mut killed_before).into_keys().collect();
        assert_eq!(known, ["connecting", "registered", "registering"], "it may have been up before");
    }

    #[test]
    fn nothing_is_promised_that_is_not_on_disk() {
        let mut play = Play::new();
        play.disk_full = true;
        for wait in [true, false] {
            let answers = play.ask(Action::Create { name: cluster("edge-1"), wanted: Wanted::default(), wait });
            match answers.try_recv() {
                Ok(Answer::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::Unavailable),
                other => panic!("{other:?}"),
            }
            assert_eq!((play.state("edge-1"), play.jobs()), ("gone", vec![]));
        }
        let problems = |play: &mut Play| match play.ask(Action::Health).try_recv() {
            Ok(Answer::Health(health)) => health.problems,
            other => panic!("{other:?}"),
        };
        assert_eq!(problems(&mut play), ["the state cannot be stored: no space left"]);

        play.disk_full = false;
        let answers = play.create("edge-1");
        play.disk_full = true;
        play.created("edge-1", "c-1");
        play.pass(11);
        assert!(answers.try_recv().is_err(), "Rancher has it, but a restart would not know");
        play.pass(4);
        match answers.try_recv() {
            Ok(Answer::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::Unavailable),
            other => panic!("{other:?}"),
        }
        play.disk_full = false;
        play.pass(5);
        assert_eq!(play.state("edge-1"), "registered");
        assert_eq!(problems(&mut play), [""; 0]);
    }

    #[test]
    fn a_cluster_that_cannot_be_taken_on_says_why() {
        let mut play = Play::new();
        play.connected("edge-1");
        play.event(Event::NotAttached("edge-1".into(), "the object x in the journal cannot be read".into()));
        assert_eq!(play.state("edge-1"), "failed");
    }

    #[test]
    fn a_record_of_another_make_is_refused_by_name() {
        let mut play = Play::new();
        let error = play.fleet.restore(vec![("edge-1".into(), b"{}".to_vec())], play.now).unwrap_err();
        assert!(error.starts_with("the record of cluster edge-1 cannot be read: missing field"), "{error}");
    }
}
