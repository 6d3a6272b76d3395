//! The agent without its REST API: home, journal, workers and manager, started in order and ended in order.

use super::about::about;
use super::{Failure, TemplateFile, instance, load_template, named_templates};
use crate::config::{Loaded, Proxy, RancherUrl, Secret, ServerSettings, Settings};
use crate::engine::{self, Authority, Engine, Event, Server, Via};
use crate::journal::{Journal, JournalError, JournalFile};
use crate::kube::{Baseline, CREATED_PLACEHOLDER, Source};
use crate::manager::{Command, FleetConfig, Manager, ManagerConfig, ManagerHandle, Rancher, RancherConfig};
use crate::rancher::{Client, RancherError, Trust};
use crate::telemetry::{Metrics, Process, QUEUE_LINES, waiting_lines};
use crate::template::Variables;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::collections::BTreeMap;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Duration;

/// A running agent.
pub(super) struct Agent {
    /// The Ranchers it is configured with, and how they are talked to.
    pub(super) ranchers: Vec<(ServerSettings, Client)>,
    /// What marks its clusters in Rancher.
    pub(super) instance_id: String,
    manager: ManagerHandle,
    journal: Journal,
    /// Where the workers tell what happens: looked at, never used.
    events: Sender<Event>,
}

impl Agent {
    /// Starts the agent, its clusters of earlier runs with it; nothing if it is told to stop before. `in_use` is what to do where
    /// another agent runs in its directory.
    pub(super) fn start(loaded: &Loaded, stop: &Receiver<()>, in_use: &str) -> Result<Option<Agent>, Failure> {
        let settings = Arc::new(loaded.settings.clone());
        let home = loaded.home.path();
        instance::prepare_home(home)?;
        let instance_id = instance::load_or_create_id(home)?;
        let (journal_file, kept) = JournalFile::open(home).map_err(|error| {
            let remedy = if let JournalError::InUse(_) = error { in_use } else { error.remedy() };
            Failure::new(error.to_string()).remedy(remedy)
        })?;
        let authority = Arc::new(Authority::load_or_create(home).map_err(|error| Failure::new(error.to_string()))?);
        let compile = |file: TemplateFile| compile(file, &settings.kubernetes_version, authority.certificate_pem());
        let baseline = compile(load_template(None, loaded)?)?;
        let templates = named_templates(loaded)?.into_iter().map(|(name, file)| Ok((name, compile(file)?)));
        let templates = templates.collect::<Result<BTreeMap<_, _>, Failure>>()?;
        let servers = settings.rancher_servers();
        // A Rancher that accepts connections and says nothing must not outlast a signal, nor keep the agent from the others.
        let meetings = servers.iter().map(|(server, _)| {
            let (server, settings) = (server.clone(), settings.clone());
            move || meet(&server, &settings)
        });
        let Some(ranchers) = unless_stopped(stop, meetings)? else { return Ok(None) };

        if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
            log::warn!("the limit of open files stays as it is: {error}");
        }
        let (past_sender, past) = bounded(PAST_QUEUE_LENGTH);
        let journal = Journal::start(journal_file, past_sender)
            .map_err(|error| Failure::new("the journal cannot start").cause(error))?;
        let (event_sender, events) = bounded(EVENT_QUEUE_LENGTH);
        let engine = Engine::start(
            engine::Config {
                settings: settings.clone(),
                servers: ranchers.iter().map(|rancher| Arc::new(rancher.server.clone())).collect(),
                authority,
                journal: journal.handle(),
            },
            event_sender.clone(),
        )
        .map_err(|error| Failure::new(error.to_string()))?;
        let rancher_configs = servers.iter().map(|(server, weight)| RancherConfig {
            name: server.name.clone(),
            url: server.url.clone(),
            weight: *weight,
        });
        let fleet = FleetConfig {
            ranchers: rancher_configs.collect(),
            instance_id: instance_id.clone(),
            shard: settings.shard,
            epoch: kept.epoch,
            baseline,
            templates,
            create_wait: settings.create_wait,
            poll_interval: settings.poll_interval,
            ramp_poll_interval: settings.ramp_poll_interval,
            failed_retry: settings.failed_retry_interval,
            max_clusters: settings.max_clusters,
            workers: engine.workers(),
            registrars: settings.registration_parallelism,
            about: about(loaded),
            seed: fastrand::u64(..),
        };
        let clients = ranchers.iter().map(|rancher| rancher.client.clone());
        let known = servers.iter().map(|(server, _)| server.clone()).zip(clients).collect();
        let manager = Manager::start(ManagerConfig {
            fleet,
            ranchers,
            registrars: settings.registration_parallelism,
            engine,
            events,
            journal: journal.handle(),
            records: kept.records,
            performance_interval: settings.performance_interval,
            past,
        })
        .map_err(|error| Failure::new("the manager cannot start").cause(error))?;
        Ok(Some(Agent { ranchers: known, instance_id, manager, journal, events: event_sender }))
    }

    /// Takes commands for its manager.
    pub(super) fn commands(&self) -> Sender<Command> {
        self.manager.sender()
    }

    /// What its parts count, and the process.
    pub(super) fn metrics(&self) -> Metrics {
        let mut metrics = self.manager.metrics().clone();
        self.journal.add_to(&mut metrics);
        metrics.add_queue("events", EVENT_QUEUE_LENGTH, {
            let events = self.events.clone();
            move || events.len()
        });
        metrics.add_queue("log", QUEUE_LINES, waiting_lines);
        metrics.add(Arc::new(Process::new(jiff::Timestamp::now())));
        metrics
    }

    /// Closes every tunnel with a close frame and puts everything on disk.
    pub(super) fn stop(self) -> Result<(), Failure> {
        let left = self.manager.stop(SHUTDOWN);
        if left > 0 {
            let within = SHUTDOWN.as_secs();
            return Err(Failure::new(format!("{left} workers did not close their tunnels within {within} s")));
        }
        self.journal.join();
        Ok(())
    }
}

/// Makes of a template what all its clusters share; the CA is what they show as their own.
pub(super) fn compile(file: TemplateFile, kubernetes_version: &str, ca_pem: &str) -> Result<Arc<Baseline>, Failure> {
    let objects = file.template.objects(&Variables { kubernetes_version, created: CREATED_PLACEHOLDER });
    let source = Source { objects, ca_pem, kubernetes_version };
    let baseline = Baseline::compile(source)
        .map_err(|error| Failure::new(format!("{}: {error}", file.name)).remedy("mend the object in the template"))?;
    Ok(Arc::new(baseline))
}

/// Asks a Rancher once, and finds out whom to trust there and where it is.
fn meet(server: &ServerSettings, settings: &Settings) -> Result<Rancher, Failure> {
    let rancher_failure = |error: RancherError| {
        let failure = Failure::new(error.to_string()).remedy(error.remedy());
        if settings.servers.is_empty() { failure } else { failure.context(format!("server {}", server.name)) }
    };
    let url = RancherUrl::parse(&server.url).map_err(|problem| Failure::new(format!("{}: {problem}", server.url)))?;
    let trust = Trust::load(server.ca_file.as_deref(), settings.insecure_skip_tls_verify).map_err(rancher_failure)?;
    let proxy = Proxy::for_url(&url, |name| std::env::var(name).ok()).map_err(Failure::new)?;
    if let Some(proxy) = &proxy {
        log::info!("{} is reached through the proxy {} ({})", server.url, proxy.authority(), proxy.variable);
    }
    let client = Client::new(&server.url, server.api_token()?, trust, proxy.as_ref(), settings.request_timeout);
    let mut client = client.map_err(rancher_failure)?;
    let mut probed = client.probe();
    if let (Err(RancherError::Untrusted { .. }), Some(checksum)) = (&probed, &server.ca_checksum) {
        client.trust_announced(checksum, settings.request_timeout).map_err(rancher_failure)?;
        probed = client.probe();
    }
    let probed = match probed {
        // With others beside it the agent has something to do, and `/health` tells.
        Err(error) if error.is_misconfiguration() && settings.servers.len() < 2 => return Err(rancher_failure(error)),
        probed => probed,
    };
    if let Err(error) = &probed {
        // It may come back, or accept the token later: no reason not to start either.
        log::warn!("{error}; {}", error.remedy());
    }
    let server = tunnel_server(&url, proxy, &client)?;
    Ok(Rancher { client, probed, server })
}

fn tunnel_server(url: &RancherUrl, proxy: Option<Proxy>, client: &Client) -> Result<Server, Failure> {
    let tls = match url.https {
        true => Some(client.trust().for_tunnels().map_err(|error| Failure::new(error.to_string()))?),
        false => None,
    };
    let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
    let via = proxy.map(|proxy| Via {
        authority: proxy.authority(),
        target: format!("{host}:{}", url.port),
        authorization: proxy.credentials.map(|(user, password)| {
            Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
        }),
        location: (proxy.host, proxy.port),
    });
    let path_prefix = url.path_prefix.clone();
    let mut server = Server { host, port: url.port, path_prefix, tls, via, addresses: Vec::new() };
    // Unresolved is not fatal either: the manager asks again.
    server.addresses = server.next_hop().to_socket_addrs().map(Vec::from_iter).unwrap_or_default();
    Ok(server)
}

/// What each piece of work comes to, all at once, or nothing if the agent is told to stop before.
fn unless_stopped<T: Send + 'static, W: FnOnce() -> Result<T, Failure> + Send + 'static>(
    stop: &Receiver<()>,
    work: impl Iterator<Item = W>,
) -> Result<Option<Vec<T>>, Failure> {
    let mut waiting = Vec::new();
    for piece in work {
        let (sender, done) = bounded(1);
        std::thread::Builder::new()
            .name("start".into())
            // Nobody listens any more once the agent is told to stop.
            .spawn(move || drop(sender.send(piece())))
            .map_err(|error| Failure::new("cannot start a thread").cause(error))?;
        waiting.push(done);
    }
    let mut outcomes = Vec::new();
    for done in waiting {
        outcomes.push(select! {
            recv(stop) -> _ => return Ok(None),
            recv(done) -> outcome => outcome.unwrap_or_else(|_| Err(Failure::new("the start broke off")))?,
        });
    }
    Ok(Some(outcomes))
}

/// How long an orderly end may take.
const SHUTDOWN: Duration = Duration::from_secs(9);
/// Clusters whose past was read and waits for a worker: enough to keep the workers busy.
const PAST_QUEUE_LENGTH: usize = 64;
/// Events that may wait for the manager: a burst of every tunnel of a large fleet.
const EVENT_QUEUE_LENGTH: usize = 65_536;
