//! The registrar threads: they make the calls that block.

use super::job::{Called, Job, JobError, JobErrorKind, Outcome};
use super::stats::Stats;
use super::thread::RUN_LABEL;
use crate::config::Shard;
use crate::rancher::{Client, Cluster, Creation, RancherError};
use crossbeam_channel::{Receiver, Sender};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Instant;

/// What a registrar works with.
#[derive(Debug, Clone)]
pub(super) struct Registrar {
    pub(super) client: Client,
    /// Label that marks what this agent created.
    pub(super) label: (&'static str, String),
    /// Which part of a fleet is this agent's.
    pub(super) shard: Shard,
    /// Which of the Ranchers it works for.
    pub(super) rancher: usize,
    /// Host and port to resolve.
    pub(super) server: (String, u16),
    pub(super) stats: Arc<Stats>,
}

impl Registrar {
    /// Works until the manager is gone.
    pub(super) fn run(self, jobs: Receiver<Job>, outcomes: Sender<(usize, Outcome, Called)>) {
        for job in jobs {
            let (call, begun) = (job.call(), Instant::now());
            let outcome = self.work(job);
            let took = begun.elapsed();
            self.stats.called(call, took, outcome.error());
            let called = Called { endpoint: call.endpoint(), took, failed: outcome.error().is_some() };
            if outcomes.send((self.rancher, outcome, called)).is_err() {
                return;
            }
        }
    }

    fn work(&self, job: Job) -> Outcome {
        match job {
            Job::Create { name, adopt, run } => {
                let mark = (self.label.0, self.label.1.as_str());
                let run = run.as_deref().map(|run| (RUN_LABEL, run));
                let result = self.client.create_cluster(&name.to_string(), mark, run, adopt);
                let result = match result {
                    Ok(Creation::Ours(cluster)) => Ok((cluster.id, cluster.created)),
                    Ok(Creation::NameTaken(cluster)) => Err(self.taken(&cluster)),
                    Ok(Creation::InUse(cluster)) => Err(JobError {
                        message: format!("the cluster {name} in Rancher ({}) cannot be adopted: it is connected", cluster.id),
                        remedy: "stop the agent in it first: two would fight over its tunnel, and a deletion here would delete it".into(),
                        kind: JobErrorKind::NameTaken,
                        reached: true,
                    }),
                    Err(error) => Err(error.into()),
                };
                Outcome::Created(name, result)
            }
            Job::FetchToken { name, id, make } => {
                let made = if make { self.client.create_registration_token(&id) } else { Ok(()) };
                let token = made.and_then(|()| self.client.registration_token(&id));
                Outcome::Token(name, token.map_err(JobError::from))
            }
            Job::Delete { name, id } => Outcome::Deleted(name, self.client.delete_cluster(&id).map_err(JobError::from)),
            Job::Find(name) => {
                let found = self.client.find_own_cluster(&name.to_string(), (self.label.0, &self.label.1));
                Outcome::Found(name, found.map(|cluster| cluster.map(|cluster| cluster.id)).map_err(JobError::from))
            }
            Job::LookUp { name, id } => Outcome::LookedUp(name, self.client.cluster(&id).map_err(JobError::from)),
            Job::List(next) => Outcome::Listed(self.client.list_clusters(next.as_deref()).map_err(JobError::from)),
            Job::Probe => Outcome::Probed(self.client.probe().map_err(JobError::from)),
            Job::Resolve => {
                let (host, port) = &self.server;
                let addresses = (host.as_str(), *port).to_socket_addrs().map(Vec::from_iter);
                Outcome::Resolved(addresses.map_err(|error| JobError {
                    message: format!("{host} cannot be resolved: {error}"),
                    remedy: "check RancherURL and this host's name resolution".into(),
                    kind: JobErrorKind::Transient(None),
                    reached: false,
                }))
            }
        }
    }
}

impl Registrar {
    /// Somebody else has a cluster of the name; another agent, if it carries the label of one.
    fn taken(&self, cluster: &Cluster) -> JobError {
        let known = format!("Rancher has a cluster named {} already ({}), which", cluster.name, cluster.id);
        let (message, remedy) = match cluster.labels.get(self.label.0) {
            None => (
                format!("{known} this agent did not create"),
                "choose another name, delete that cluster in Rancher, or make it this agent's with \"adopt\": true".into(),
            ),
            Some(other) if self.shard.is_whole() => (
                format!("{known} another agent created ({}={other})", self.label.0),
                "choose another name, or delete it with that agent; where several agents share a fleet, give each a Shard of \
                 its own; if that agent's directory is lost, make the cluster this agent's with \"adopt\": true"
                    .into(),
            ),
            Some(other) => (
                format!("{known} another agent created ({}={other}), though it is of this agent's shard", self.label.0),
                format!(
                    "see that no other agent has Shard {}, and that all were started with the same number of shards",
                    self.shard
                ),
            ),
        };
        JobError { message, remedy, kind: JobErrorKind::NameTaken, reached: true }
    }
}

impl From<RancherError> for JobError {
    fn from(error: RancherError) -> JobError {
        let kind = match &error {
            RancherError::Unauthorized => JobErrorKind::TokenRefused,
            error if error.is_transient() => JobErrorKind::Transient(error.retry_after()),
            error if error.is_misconfiguration() => JobErrorKind::Misconfigured,
            _ => JobErrorKind::Permanent,
        };
        JobError { message: error.to_string(), remedy: error.remedy().to_owned(), kind, reached: error.was_reached() }
    }
}
