//! `GET /metrics`: what everybody counts, and the registry as it is now.

use super::call::Page;
use super::server::Shared;
use crate::manager::{Answer, HealthView};
use crate::telemetry::Exposition;

/// The page, made from the manager's answer to [`crate::manager::Action::Health`].
pub(super) fn page(shared: &Shared, answer: Answer) -> Result<Page, Answer> {
    let Answer::Health(health) = answer else { return Err(answer) };
    let mut out = Exposition::default();
    expose_health(&health, &mut out);
    let queues = [("commands", shared.commands.len())];
    let labels = queues.map(|(queue, length)| ([("queue", queue)], length as f64));
    let samples: Vec<_> = labels.iter().map(|(labels, length)| (&labels[..], *length)).collect();
    out.gauge("scale_agent_queue_length", "What waits in a queue of the agent.", &samples);
    shared.metrics.expose(&mut out);
    Ok(Page::new(200, Exposition::MEDIA_TYPE, out.into_text()))
}

fn expose_health(health: &HealthView, out: &mut Exposition) {
    out.gauge("scale_agent_build_info", "The agent's version.", &[(&[("version", health.version)], 1.0)]);
    let healthy = f64::from(u8::from(health.problems.is_empty()));
    out.gauge("scale_agent_healthy", "Whether the agent can do its job.", &[(&[], healthy)]);
    let states: Vec<_> = health.clusters.iter().map(|(state, count)| ([("state", *state)], *count as f64)).collect();
    let samples: Vec<_> = states.iter().map(|(labels, count)| (&labels[..], *count)).collect();
    out.gauge("scale_agent_clusters", "Clusters by state.", &samples);
    let servers: Vec<[(&str, &str); 1]> =
        health.ranchers.iter().map(|rancher| [("server", rancher.name.as_str())]).collect();
    let mut by_server = |name, help, of: fn(&crate::manager::RancherView) -> bool| {
        let values = health.ranchers.iter().map(|rancher| f64::from(u8::from(of(rancher))));
        let samples: Vec<_> = servers.iter().map(|labels| &labels[..]).zip(values).collect();
        out.gauge(name, help, &samples);
    };
    let help = "Whether Rancher answered the last call.";
    by_server("scale_agent_rancher_reachable", help, |rancher| rancher.reachable);
    let help = "Whether Rancher accepts the agent's API token.";
    by_server("scale_agent_rancher_token_accepted", help, |rancher| rancher.token_accepted);
}
