//! Answers that change nothing.

use super::registration::STORE_WAIT;
use super::upstream::Upstream;
use super::{Effect, Fleet, Now, Timer};
use crate::engine::Assignment;
use crate::kube::{ClusterInfo, Size};
use crate::manager::answer::{Answer, HealthView, Refusal, RefusalKind};
use crate::manager::command::Reply;
use crate::manager::record::Record;
use crate::manager::{ClusterName, State};
use crate::telemetry::ClusterRequests;
use crate::telemetry::RequestTotals;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::{Duration, Instant};

impl Fleet {
    pub(super) fn waited(&mut self, name: &ClusterName, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        // Whoever is told that something was accepted may rely on it: it has to be on disk.
        let is_stored = record.kept == record.version;
        let patience = if is_stored { Duration::ZERO } else { STORE_WAIT };
        let view = record.view(None);
        let (over, waiting) =
            std::mem::take(&mut record.waiters).into_iter().partition(|(_, until)| *until + patience <= now.instant);
        record.waiters = waiting;
        let over: Vec<(Reply, Instant)> = over;
        for (reply, _) in over {
            reply.send(match is_stored {
                true => Answer::Accepted(view.clone()),
                false => Answer::Refused(Refusal::new(
                    RefusalKind::Unavailable,
                    format!("{name} is under way, but that cannot be stored: after a restart the agent might not know"),
                    "see that the agent can write its directory; GET /health tells why it cannot",
                )),
            });
        }
    }

    pub(super) fn describe(&mut self, name: &str, reply: Reply, now: Now) {
        let Some(record) = self.records.get(name) else { return reply.send(unknown(name)) };
        let name = record.name.clone();
        if !record.attached || self.descriptions.len() >= DESCRIPTIONS_AT_ONCE {
            return self.answer_with(&name, None, reply);
        }
        self.description_number += 1;
        let number = self.description_number;
        let key = name.as_arc().clone();
        self.effects.push(Effect::Assign(key.clone(), Assignment::Describe(key, number)));
        self.descriptions.insert(number, (name, reply));
        self.set_timer(DESCRIBE_WAIT, Timer::Described(number), now);
    }

    /// Has the worker that holds a cluster tell what was asked of it; of others nothing was asked.
    pub(super) fn describe_requests(&mut self, name: &str, reply: Reply, now: Now) {
        let Some(record) = self.records.get(name) else { return reply.send(unknown(name)) };
        if !record.attached {
            return reply.send(Answer::ClusterRequests(Box::default()));
        }
        if self.descriptions.len() >= DESCRIPTIONS_AT_ONCE {
            return reply.send(busy());
        }
        self.description_number += 1;
        let (name, number) = (record.name.clone(), self.description_number);
        let key = name.as_arc().clone();
        self.effects.push(Effect::Assign(key.clone(), Assignment::DescribeRequests(key, number)));
        // Where a description falls back to the registry's own knowledge, there is none of this.
        let reply = Reply::new(|answer| reply.send(if matches!(answer, Answer::Cluster(_)) { busy() } else { answer }));
        self.descriptions.insert(number, (name, reply));
        self.set_timer(DESCRIBE_WAIT, Timer::Described(number), now);
    }

    pub(super) fn requests_described(&mut self, number: u64, requests: Option<Box<ClusterRequests>>) {
        if let Some((_, reply)) = self.descriptions.remove(&number) {
            reply.send(Answer::ClusterRequests(requests.unwrap_or_default()));
        }
    }

    /// Has the worker that holds a cluster give it another size; whoever asks waits as for a description.
    pub(super) fn resize(&mut self, name: &str, size: Size, reply: Reply, now: Now) {
        let Some(record) = self.records.get(name) else { return reply.send(unknown(name)) };
        let refusal = if record.state == State::Deleting {
            Some(Refusal::new(RefusalKind::WrongState, format!("{name} is being deleted"), "leave it"))
        } else if !record.attached || self.descriptions.len() >= DESCRIPTIONS_AT_ONCE {
            let detail = format!("{name} is {}: it does not run yet", record.state.as_str());
            Some(Refusal::new(RefusalKind::Unavailable, detail, "ask again once it is connecting"))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return reply.send(Answer::Refused(refusal));
        }
        self.description_number += 1;
        let (name, number) = (record.name.clone(), self.description_number);
        let key = name.as_arc().clone();
        self.effects.push(Effect::Assign(key.clone(), Assignment::Resize(key, number, size)));
        self.descriptions.insert(number, (name, reply));
        self.set_timer(DESCRIBE_WAIT, Timer::Described(number), now);
    }

    pub(super) fn resized(&mut self, number: u64, outcome: Result<Box<ClusterInfo>, String>) {
        let Some((name, reply)) = self.descriptions.remove(&number) else { return };
        match outcome {
            Ok(info) => self.answer_with(&name, Some(info), reply),
            Err(problem) => {
                let remedy = "ask for a size within reach; GET /clusters/NAME shows what it holds";
                let detail = format!("{name} cannot have that size: {problem}");
                reply.send(Answer::Refused(Refusal::new(RefusalKind::OutOfReach, detail, remedy)));
            }
        }
    }

    pub(super) fn answer_with(&self, name: &ClusterName, info: Option<Box<ClusterInfo>>, reply: Reply) {
        match self.records.get(name) {
            Some(record) => reply.send(Answer::Cluster(record.view(info))),
            None => reply.send(unknown(&name.to_string())),
        }
    }

    pub(super) fn list(&self, state: Option<State>, limit: usize, after: Option<String>) -> Answer {
        let wanted = |record: &&Record| state.is_none_or(|state| record.state == state);
        let total = self.records.values().filter(wanted).count();
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.records.range::<str, _>((from, Bound::Unbounded)).map(|(_, record)| record).filter(wanted);
        let clusters = rest.by_ref().take(limit).map(|record| *record.view(None)).collect();
        Answer::Clusters { clusters, total, more: rest.next().is_some() }
    }

    /// What was asked of all clusters.
    pub(in crate::manager) fn all_requests(&self) -> RequestTotals {
        RequestTotals::sum(self.requests.values().map(|totals| &**totals))
    }

    pub(in crate::manager) fn health(&self, now: Now) -> HealthView {
        let mut clusters: BTreeMap<&'static str, usize> =
            State::ALL.into_iter().map(|state| (state.as_str(), 0)).collect();
        for record in self.records.values() {
            *clusters.entry(record.state.as_str()).or_default() += 1;
        }
        let several = self.upstreams.len() > 1;
        let problem = |upstream: &Upstream| {
            let problem = upstream.reachability.problem()?;
            Some(if several { format!("{}: {problem}", upstream.config.name) } else { problem })
        };
        let mut problems: Vec<String> = self.upstreams.iter().filter_map(problem).collect();
        problems.extend(self.host.problems(now.instant));
        if self.stopping {
            problems.push("the agent is stopping".into());
        }
        HealthView {
            status: if problems.is_empty() { "ok" } else { "failing" },
            problems,
            version: env!("CARGO_PKG_VERSION"),
            instance: self.config.instance_id.clone(),
            shard: self.config.shard.to_string(),
            uptime_seconds: now.instant.duration_since(self.started).as_secs(),
            clusters,
            tunnels_up: self.records.values().map(Record::tunnels_up).sum(),
            ranchers: self.upstreams.iter().map(|upstream| upstream.reachability.view()).collect(),
            worker_lag_ms: self.host.lag_ms(),
        }
    }
}

pub(super) fn unknown(name: &str) -> Answer {
    let detail = format!("there is no cluster named {name:?}");
    Answer::Refused(Refusal::new(RefusalKind::UnknownCluster, detail, "GET /clusters lists them"))
}

fn busy() -> Answer {
    let detail = "the worker that holds the cluster has no time to tell";
    Answer::Refused(Refusal::new(RefusalKind::Unavailable, detail, "ask again"))
}

/// How long a worker may take to describe a cluster before it is shown without its objects.
const DESCRIBE_WAIT: Duration = Duration::from_secs(2);
/// Descriptions under way at once; beyond it clusters are shown without their objects.
const DESCRIPTIONS_AT_ONCE: usize = 64;
