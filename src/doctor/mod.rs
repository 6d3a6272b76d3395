//! `doctor`: whether this host can drive so many clusters, and whether each Rancher will take them; each finding with its remedy.
//!
//! It looks and asks, and changes nothing. What it finds is data; the caller prints it.

mod cost;
mod finding;
mod host;
mod network;
mod server;
mod upstream;

pub use finding::{Examination, Finding, Verdict};
pub use host::Host;

use crate::config::Settings;

/// Examines this host and every configured Rancher for a fleet of `clusters`.
pub fn examine(settings: &Settings, clusters: u32) -> Vec<Examination> {
    let host = Examination { subject: "this host".into(), findings: Host::read().findings(settings, clusters) };
    if let Err(error) = settings.require_rancher()
        && settings.rancher_url.is_empty()
        && settings.servers.is_empty()
    {
        let findings = vec![Finding::fail("RancherURL", "not set", error.remedy())];
        return vec![host, Examination { subject: "Rancher".into(), findings }];
    }
    let servers = settings.rancher_servers();
    let weights: u64 = servers.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let servers = servers.iter().map(|(server, weight)| {
        let share = u64::from(clusters) * u64::from(*weight) / weights.max(1);
        Examination {
            subject: format!("server {} ({})", server.name, server.url),
            findings: server::examine(server, settings, u32::try_from(share).unwrap_or(u32::MAX)),
        }
    });
    std::iter::once(host).chain(servers).collect()
}
