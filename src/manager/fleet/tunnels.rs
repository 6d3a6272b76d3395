//! What follows from tunnels that go up and down.

use super::{Effect, Fleet, Now};
use crate::engine::{Refused, Tunnel};
use crate::manager::State;
use crate::manager::job::Job;
use std::time::Duration;

impl Fleet {
    pub(super) fn tunnel_up(&mut self, name: &str, tunnel: Tunnel, now: Now) {
        let Some(record) = self.records.get_mut(name) else { return };
        record.tunnel_changed(tunnel, None, now);
        record.unknown_to_tunnel = false;
        if record.take_news() {
            let name = record.name.clone();
            self.keep(&name);
        }
    }

    pub(super) fn tunnel_down(
        &mut self,
        name: &str,
        tunnel: Tunnel,
        cause: String,
        refused: Option<Refused>,
        now: Now,
    ) {
        let Some(record) = self.records.get_mut(name) else { return };
        let server = record.server;
        record.tunnel_changed(tunnel, Some(cause), now);
        record.unknown_to_tunnel = refused.is_some_and(|refused| refused.cluster_unknown);
        // Rancher says so while its cache lags behind, but also when it has rotated the token.
        let token_doubtful = refused.is_some_and(|refused| matches!(refused.status, 400 | 401))
            && record.state != State::Deleting
            && !record.job_under_way;
        let long_ago = record.token_read.is_none_or(|read| now.instant.duration_since(read) >= TOKEN_AGE);
        match record.id.clone() {
            Some(id) if token_doubtful && long_ago => {
                record.job_under_way = true;
                let name = record.name.clone();
                self.effects.push(Effect::Work(server, Job::FetchToken { name, id, make: false }));
            }
            _ => {}
        }
        let resolved = self.upstreams.get(server).and_then(|upstream| upstream.resolved);
        if refused.is_none() && resolved.is_none_or(|at| now.instant.duration_since(at) >= RESOLVE_INTERVAL) {
            self.resolve(server, now);
        }
    }

    pub(super) fn resolve(&mut self, server: usize, now: Now) {
        if let Some(upstream) = self.upstreams.get_mut(server) {
            upstream.resolved = Some(now.instant);
            self.effects.push(Effect::Work(server, Job::Resolve));
        }
    }
}

/// A token read longer ago than this is read again when a tunnel is refused.
const TOKEN_AGE: Duration = Duration::from_secs(15);
/// How often a name is resolved at most.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);
