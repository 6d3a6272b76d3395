//! `GET /metrics`: what everybody counts, and the registry as it is now.

use super::call::Page;
use super::server::Shared;
use crate::manager::{Answer, HealthView};
use crate::telemetry::{Exposition, Latency, RequestTotals};
use std::collections::BTreeMap;

/// The page, made from the manager's answer to [`crate::manager::Action::Metrics`].
pub(super) fn page(shared: &Shared, answer: Answer) -> Result<Page, Answer> {
    let Answer::Metrics(both) = answer else { return Err(answer) };
    let (mut health, requests) = *both;
    shared.complete(&mut health);
    let mut out = Exposition::default();
    expose_health(&health, &mut out);
    expose_requests(&requests, &mut out);
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

fn expose_requests(totals: &RequestTotals, out: &mut Exposition) {
    let codes: Vec<String> = totals.requests.iter().map(|row| row.code.to_string()).collect();
    let rows: Vec<_> = totals
        .requests
        .iter()
        .zip(&codes)
        .map(|(row, code)| ([("verb", &*row.verb), ("resource", &*row.resource), ("code", code)], row.count))
        .collect();
    let samples: Vec<_> = rows.iter().map(|(labels, count)| (&labels[..], *count)).collect();
    out.counter("scale_agent_kube_requests_total", "Requests to the clusters, by verb, resource and status.", &samples);
    let mut by_verb: BTreeMap<&str, Latency> = BTreeMap::new();
    for row in &totals.requests {
        by_verb.entry(&row.verb).or_default().merge(&row.latency_ms);
    }
    let labels: Vec<[(&str, &str); 1]> = by_verb.keys().map(|verb| [("verb", *verb)]).collect();
    let samples: Vec<_> = labels.iter().map(|labels| &labels[..]).zip(by_verb.values()).collect();
    let help = "Time from a request to a cluster to the end of its answer, by verb.";
    out.latencies("scale_agent_kube_request_seconds", help, &samples);
    let watches = totals.watches_open as f64;
    out.gauge("scale_agent_watches_open", "Watches of Rancher that are open.", &[(&[], watches)]);
}
