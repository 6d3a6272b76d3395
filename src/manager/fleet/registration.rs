//! From a request to a cluster that a worker holds.

use super::keeping::seed;
use super::queries::unknown;
use super::{Effect, Fleet, Now, Timer};
use crate::config::Secret;
use crate::engine::Assignment;
use crate::manager::answer::{Answer, Refusal, RefusalKind};
use crate::manager::command::Reply;
use crate::manager::job::{JobError, JobErrorKind};
use crate::manager::record::Record;
use crate::manager::{ClusterName, State, Wanted, retry};
use crate::ramp::Milestone;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

impl Fleet {
    pub(super) fn create(&mut self, name: ClusterName, wanted: Wanted, wait: bool, reply: Reply, now: Now) {
        let refusal = if let Some(record) = self.records.get(&name) {
            let detail = format!("a cluster named {name} exists already, in state {}", record.state.as_str());
            Some(Refusal::new(RefusalKind::Conflict, detail, format!("GET /clusters/{name} shows it")))
        } else if self.records.len() >= self.config.max_clusters {
            let detail = format!("the agent holds {} clusters, as many as MaxClusters allows", self.records.len());
            let remedy = "delete some, raise MaxClusters, or start another agent";
            Some(Refusal::new(RefusalKind::LimitReached, detail, remedy))
        } else {
            self.cannot_create(&wanted)
        };
        if let Some(refusal) = refusal {
            return reply.send(Answer::Refused(refusal));
        }
        self.enlist(&name, wanted, now);
        self.await_step(&name, wait, reply, now);
    }

    /// What stands against creating any such cluster.
    pub(super) fn cannot_create(&self, wanted: &Wanted) -> Option<Refusal> {
        let server = wanted.server.as_deref();
        if let Some(template) =
            wanted.template.as_deref().filter(|template| !self.config.templates.contains_key(*template))
        {
            let known: Vec<&str> = self.config.templates.keys().map(String::as_str).collect();
            let detail = format!("there is no template named {template:?}");
            let remedy =
                format!("there are {}; more go into templates/NAME.yaml beside the configuration", known.join(", "));
            return Some(Refusal::new(RefusalKind::UnknownTemplate, detail, remedy));
        }
        let chosen = match server {
            Some(name) => self.upstreams.iter().find(|upstream| upstream.config.name == name),
            // Any of them may be chosen: that one refuses by itself.
            None => self.upstreams.first(),
        };
        let Some(upstream) = chosen else {
            let names: Vec<&str> = self.upstreams.iter().map(|upstream| upstream.config.name.as_str()).collect();
            let detail = format!("there is no server named {:?}", server.unwrap_or_default());
            let remedy = format!("the configuration has {}", names.join(", "));
            return Some(Refusal::new(RefusalKind::UnknownServer, detail, remedy));
        };
        let paused = !upstream.reachability.token_accepted();
        paused.then(|| {
            let remedy = "create an API key in Rancher and put it into BearerToken";
            Refusal::new(RefusalKind::RancherRefuses, upstream.reachability.problem().unwrap_or_default(), remedy)
        })
    }

    /// Takes a new cluster into the registry; its first step follows once it is on disk.
    pub(super) fn enlist(&mut self, name: &ClusterName, wanted: Wanted, now: Now) {
        let chosen = self.choose_upstream(wanted.server.as_deref(), seed(&self.config.instance_id, &name.to_string()));
        let Some((index, upstream)) = chosen.and_then(|index| Some((index, self.upstreams.get(index)?))) else {
            return;
        };
        let server = (index, upstream.config.name.as_str().into());
        let mut record = Record::new(name.clone(), server, now.wall);
        record.stats = Some(self.stats.clone());
        record.template = wanted.template;
        record.adopt = wanted.adopt;
        record.run = wanted.run.map(Arc::from);
        self.records.insert(name.clone(), record);
        self.keep(name);
    }

    /// Lets `reply` wait for the cluster's next step, or only until what was asked is on disk.
    pub(super) fn await_step(&mut self, name: &ClusterName, wait: bool, reply: Reply, now: Now) {
        let patience = if wait { self.config.create_wait } else { Duration::ZERO };
        if let Some(record) = self.records.get_mut(name) {
            record.waiters.push((reply, now.instant + patience));
            self.set_timer(patience, Timer::Waited(name.clone()), now);
            self.set_timer(patience + STORE_WAIT, Timer::Waited(name.clone()), now);
        }
    }

    pub(super) fn created(
        &mut self,
        name: ClusterName,
        result: Result<(String, Option<Timestamp>), JobError>,
        now: Now,
    ) {
        let Some(record) = self.records.get_mut(&name) else { return };
        record.job_under_way = false;
        match result {
            Ok((id, created_in_rancher)) => {
                if let Some(upstream) = self.upstreams.get_mut(record.server) {
                    upstream.has_ours = true;
                }
                record.id = Some(id);
                record.may_exist = false;
                record.reach(Milestone::Created, now.instant);
                self.stats.created.increment();
                record.created_in_rancher = created_in_rancher;
                if record.state != State::Deleting {
                    record.succeeded();
                    record.enter(State::Registered, now.wall);
                }
                self.keep(&name);
                self.step(&name, now);
            }
            Err(error) => {
                let transient = matches!(error.kind, JobErrorKind::Transient(_));
                record.may_exist |= transient && error.reached;
                match error.kind {
                    _ if record.state == State::Deleting => self.step(&name, now),
                    JobErrorKind::Transient(asked) => self.retry(&name, error.message, asked, now),
                    // Whoever asked has gone with a 202: the cluster stays, so that they find the reason where they look.
                    _ if record.waiters.is_empty() => {
                        log::warn!("cluster {name} is not created: {}", error.message);
                        self.fail(&name, error.message, now);
                    }
                    // Whoever asked knows, so nothing is kept: here at once, in Rancher if an earlier attempt left something.
                    _ => {
                        log::warn!("cluster {name} is not created: {}", error.message);
                        for (reply, _) in record.waiters.drain(..) {
                            reply.send(Answer::Refused(error.clone().into()));
                        }
                        record.enter(State::Deleting, now.wall);
                        self.step(&name, now);
                    }
                }
            }
        }
    }

    pub(super) fn token(&mut self, name: ClusterName, result: Result<Option<Secret>, JobError>, now: Now) {
        let Some(record) = self.records.get_mut(&name) else { return };
        record.job_under_way = false;
        if record.state == State::Deleting {
            return self.step(&name, now);
        }
        match result {
            Ok(Some(token)) => {
                record.token_read = Some(now.instant);
                record.reach(Milestone::Token, now.instant);
                record.succeeded();
                let changed = record.token.as_ref() != Some(&token);
                record.token = Some(token.clone());
                if !record.attached {
                    self.attach(&name, now);
                } else if changed {
                    log::info!("cluster {name}: Rancher gave it a new registration token");
                    let key = name.as_arc().clone();
                    self.effects.push(Effect::Assign(key.clone(), Assignment::UpdateToken(key, token)));
                } else if record.unknown_to_tunnel {
                    self.look_up(&name);
                }
                if changed {
                    self.keep(&name);
                }
            }
            // A cluster that is attached keeps trying with the token it has.
            Ok(None) | Err(_) if record.attached => {
                record.token_read = Some(now.instant);
                if record.unknown_to_tunnel {
                    self.look_up(&name);
                }
            }
            Ok(None) => {
                record.attempts += 1;
                let bound = TOKEN_POLL_FIRST.saturating_mul(1 << record.attempts.min(8)).min(TOKEN_POLL_LAST);
                let delay = bound.mul_f64(0.5 + self.random.f64() / 2.0);
                record.next_attempt = now.wall_after(delay);
                self.set_timer(delay, Timer::Step(name), now);
            }
            Err(error) => match error.kind {
                JobErrorKind::Transient(asked) => self.retry(&name, error.message, asked, now),
                _ => self.fail(&name, error.message, now),
            },
        }
    }

    /// Rancher says no: that changes when somebody mends what it complains about, so there is no hurry.
    fn fail(&mut self, name: &ClusterName, message: String, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        record.enter(State::Failed, now.wall);
        record.last_error = Some(message);
        record.attempts += 1;
        if !self.config.failed_retry.is_zero() {
            let delay = self.config.failed_retry.mul_f64(0.8 + 0.4 * self.random.f64());
            record.next_attempt = now.wall_after(delay);
            self.set_timer(delay, Timer::Step(name.clone()), now);
        }
    }

    /// An operator does not want to wait for the next attempt.
    pub(super) fn retry_now(&mut self, name: &str, reply: Reply, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return reply.send(unknown(name)) };
        let name = record.name.clone();
        match record.state {
            State::Connected | State::Active => {
                let detail = format!("cluster {name} is {}", record.state.as_str());
                let refusal = Refusal::new(RefusalKind::WrongState, detail, "there is nothing to try again");
                return reply.send(Answer::Refused(refusal));
            }
            State::Connecting | State::Disconnected => {
                let key = name.as_arc().clone();
                self.effects.push(Effect::Assign(key.clone(), Assignment::Hasten(key)));
            }
            State::Pending | State::Registering | State::Registered | State::Failed | State::Deleting => {
                record.attempts = 0;
                self.step(&name, now);
            }
        }
        if let Some(record) = self.records.get(&name) {
            reply.send(Answer::Accepted(record.view(None)));
        } else {
            reply.send(Answer::Gone);
        }
    }

    /// Gives a cluster another service account token; Rancher learns of it when the tunnels are opened again.
    pub(super) fn rotate_token(&mut self, name: &str, reply: Reply, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return reply.send(unknown(name)) };
        if record.state == State::Deleting {
            let refusal = Refusal::new(RefusalKind::WrongState, format!("{name} is being deleted"), "leave it");
            return reply.send(Answer::Refused(refusal));
        }
        record.rotation += 1;
        let name = record.name.clone();
        self.await_step(&name, false, reply, now);
        self.keep(&name);
    }

    pub(super) fn retry(&mut self, name: &ClusterName, message: String, asked: Option<Duration>, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        log::debug!("cluster {name}: {message}");
        record.last_error = Some(message);
        record.attempts += 1;
        let delay = retry::delay(record.attempts, asked, &mut self.random);
        record.next_attempt = now.wall_after(delay);
        self.set_timer(delay, Timer::Step(name.clone()), now);
    }
}

/// How much longer than for Rancher an operator waits for the disk.
pub(super) const STORE_WAIT: Duration = Duration::from_secs(5);
/// Rancher makes a token a moment after the cluster: looked for soon, then more and more rarely.
const TOKEN_POLL_FIRST: Duration = Duration::from_millis(125);
const TOKEN_POLL_LAST: Duration = Duration::from_secs(2);
