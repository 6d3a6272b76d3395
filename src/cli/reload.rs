//! What changes while the agent runs: API tokens that are renewed in their files, and the configuration after a SIGHUP.

use super::Failure;
use crate::api::Api;
use crate::config::{Loaded, Secret, ServerSettings};
use crate::rancher::Client;
use crate::telemetry;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::Duration;

/// Keeps what can change up to date.
pub(super) struct Reloader {
    loaded: Loaded,
    /// Reads the configuration again, with the flags the agent was started with.
    read: Box<dyn Fn() -> Result<Loaded, Failure> + Send>,
    servers: Vec<Watched>,
    api: Arc<Api>,
}

/// A server and the token its client has.
struct Watched {
    server: ServerSettings,
    client: Client,
    token: Secret,
    /// Whether its file could not be read last, so that this is said once.
    failing: bool,
}

impl Reloader {
    /// One for these servers, each with its client.
    pub(super) fn new(
        loaded: Loaded,
        read: impl Fn() -> Result<Loaded, Failure> + Send + 'static,
        servers: impl Iterator<Item = (ServerSettings, Client)>,
        api: Arc<Api>,
    ) -> Reloader {
        let watch = |(server, client): (ServerSettings, Client)| {
            let token = server.api_token().unwrap_or_default();
            Watched { server, client, token, failing: false }
        };
        Reloader { loaded, read: Box::new(read), servers: servers.map(watch).collect(), api }
    }

    /// Works until nobody can ask for a reload any more.
    pub(super) fn run(mut self, reload: &Receiver<()>) {
        loop {
            match reload.recv_timeout(LOOK_INTERVAL) {
                Ok(()) => self.reload(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.servers.iter_mut().for_each(Watched::look);
            self.api.tend();
        }
    }

    fn reload(&mut self) {
        telemetry::reopen();
        let mut fresh = match (self.read)() {
            Ok(fresh) => fresh,
            Err(failure) => return log::error!("the configuration stays as it was: {failure}"),
        };
        for (server, _) in fresh.settings.rancher_servers() {
            if let Some(watched) = self.servers.iter_mut().find(|watched| watched.server.name == server.name) {
                watched.server.bearer_token = server.bearer_token;
                watched.server.bearer_token_file = server.bearer_token_file;
            }
        }
        fresh.warnings.iter().for_each(|warning| log::warn!("{warning}"));
        let keeps_keys = fresh.settings.api_keys.is_empty() && !self.loaded.settings.api_keys.is_empty();
        if keeps_keys {
            // A file that is gone or half written names none either.
            log::error!(
                "the APIKeys stay as they were: the configuration names none any more, and without any whoever reaches this agent could \
                 drive it; restart it if that is meant"
            );
            fresh.settings.api_keys = self.loaded.settings.api_keys.clone();
        }
        self.api.set_keys(fresh.settings.api_keys.clone());
        telemetry::set_levels(fresh.settings.log_level.clone());
        let mut changed = self.changed(&fresh);
        changed.retain(|key| !(keeps_keys && *key == "APIKeys"));
        let (now, later): (Vec<&str>, Vec<&str>) = changed.into_iter().partition(|key| RELOADED.contains(key));
        log::info!("configuration read again; in force now: {}", list(&now));
        if !later.is_empty() {
            log::warn!("these settings changed too and need a restart: {}", list(&later));
        }
    }

    /// The keys whose values differ from those the agent was started with, beyond what was reloaded before.
    fn changed(&mut self, fresh: &Loaded) -> Vec<&'static str> {
        let (old, new) = (&self.loaded.settings, &fresh.settings);
        let texts = self.loaded.origins.iter().zip(&fresh.origins).filter(|(old, new)| old.text != new.text);
        let mut changed: Vec<&'static str> = texts.map(|(_, new)| new.key).collect();
        // Secrets read the same when they are masked.
        if old.bearer_token != new.bearer_token && !changed.contains(&"BearerToken") {
            changed.push("BearerToken");
        }
        if old.api_keys != new.api_keys && !changed.contains(&"APIKeys") {
            changed.push("APIKeys");
        }
        let without_tokens = |servers: &[ServerSettings]| -> Vec<ServerSettings> {
            let plain = |server: &ServerSettings| ServerSettings {
                bearer_token: Secret::default(),
                bearer_token_file: None,
                ..server.clone()
            };
            servers.iter().map(plain).collect()
        };
        if old.servers != new.servers && !changed.contains(&"Servers") {
            let same = without_tokens(&old.servers) == without_tokens(&new.servers);
            changed.push(if same { "BearerToken" } else { "Servers" });
        }
        self.loaded.settings.api_keys = new.api_keys.clone();
        self.loaded.settings.log_level = new.log_level.clone();
        self.loaded.settings.bearer_token = new.bearer_token.clone();
        for (old, new) in self.loaded.origins.iter_mut().zip(&fresh.origins) {
            if RELOADED.contains(&new.key) {
                old.text.clone_from(&new.text);
            }
        }
        changed
    }
}

impl Watched {
    fn look(&mut self) {
        match self.server.api_token() {
            Ok(token) => {
                self.failing = false;
                if token != self.token {
                    log::info!("server {}: the API token changed", self.server.name);
                    self.client.set_token(token.clone());
                    self.token = token;
                }
            }
            Err(error) if !self.failing => {
                self.failing = true;
                log::warn!("server {}: the API token stays as it was: {error}; {}", self.server.name, error.remedy());
            }
            Err(_) => {}
        }
    }
}

fn list(keys: &[&str]) -> String {
    if keys.is_empty() { "nothing".into() } else { keys.join(", ") }
}

/// What a SIGHUP brings into force.
const RELOADED: [&str; 4] = ["BearerToken", "BearerTokenFile", "APIKeys", "LogLevel"];
/// How often the token files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
