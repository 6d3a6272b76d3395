//! `GET /metrics`: what everybody counts, and the registry as it is now.

use super::call::Page;
use super::surroundings::Surroundings;
use crate::kube::is_everywhere;
use crate::manager::{Answer, HealthView};
use crate::telemetry::{Exposition, Latency, RequestTotals};
use std::collections::BTreeMap;

/// The page, made from the manager's answer to [`crate::manager::Action::Metrics`].
pub(super) fn page(surroundings: &Surroundings, answer: Answer) -> Result<Page, Answer> {
    let Answer::Metrics(both) = answer else { return Err(answer) };
    let (mut health, requests) = *both;
    surroundings.complete(&mut health);
    let mut out = Exposition::default();
    expose_health(&health, &mut out);
    expose_requests(&requests, &mut out);
    surroundings.metrics.expose(&mut out);
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
    let mut latencies: BTreeMap<(&str, &str), Latency> = BTreeMap::new();
    // Watches have none.
    for row in totals.requests.iter().filter(|row| row.latency_ms.count() > 0) {
        // There is no end of custom kinds.
        let resource = if is_everywhere(&row.resource) { &row.resource } else { "custom" };
        latencies.entry((&row.verb, resource)).or_default().merge(&row.latency_ms);
    }
    let labels: Vec<_> = latencies.keys().map(|(verb, resource)| [("verb", *verb), ("resource", *resource)]).collect();
    let samples: Vec<_> = labels.iter().map(|labels| &labels[..]).zip(latencies.values()).collect();
    let help = "Time from a request to a cluster to the end of its answer, by verb and resource; custom ones are one.";
    out.latencies("scale_agent_kube_request_seconds", help, &samples);
    let watches = totals.watches_open as f64;
    out.gauge("scale_agent_watches_open", "Watches of Rancher that are open.", &[(&[], watches)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Recorder, Request, Tally};
    use jiff::Timestamp;

    #[test]
    fn latencies_have_the_resources_that_every_cluster_has_and_one_for_all_others() {
        let (mut recorder, mut tally) = (Recorder::default(), Tally::default());
        let mut ask = |verb, resource: &str, us| {
            let is_watch = verb == "watch";
            let request = Request { verb, resource, code: 200, is_watch, user_agent: "rancher", received_bytes: 0 };
            let recorded = recorder.begin(&mut tally, &request, Timestamp::UNIX_EPOCH);
            recorder.end(&mut tally, recorded, us);
        };
        for resource in ["v1/pods", "v1/pods", "apps/v1/deployments/scale", "/readyz", "unknown"] {
            ask("get", resource, 200);
        }
        (0..500).for_each(|number| ask("get", &format!("example.com/v1/kind-{number}"), 3_000));
        ask("watch", "v1/pods", 0);
        let mut out = Exposition::default();
        expose_requests(&recorder.take_changed().unwrap(), &mut out);
        let text = out.into_text();
        let lines =
            |start: &str| text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect::<Vec<_>>();
        let name = "scale_agent_kube_request_seconds";
        assert_eq!(
            lines(&format!("{name}_count")),
            [("/readyz", 1), ("apps/v1/deployments/scale", 1), ("custom", 500), ("unknown", 1), ("v1/pods", 2)]
                .map(|(resource, count)| format!("{name}_count{{verb=\"get\",resource=\"{resource}\"}} {count}"))
        );
        let within = |resource: &str, le: &str| {
            lines(&format!("{name}_bucket{{verb=\"get\",resource=\"{resource}\",le=\"{le}\"}}"))
        };
        assert!(within("v1/pods", "0.00025")[0].ends_with(" 2"), "{text}");
        assert!(
            within("custom", "0.001")[0].ends_with(" 0") && within("custom", "0.005")[0].ends_with(" 500"),
            "{text}"
        );
    }
}
