//! What the gate counts.

use crate::telemetry::{Counter, Exposition, Gauge, Source};

/// What is counted of the clients' connections.
#[derive(Default)]
pub(super) struct Stats {
    pub(super) open: Gauge,
    pub(super) accepted: Counter,
    /// Closed to make room for another.
    pub(super) evicted: Counter,
    /// Closed because the client was too slow.
    pub(super) timed_out: Counter,
    /// Requests that went no further.
    pub(super) refused: Counter,
}

impl Source for Stats {
    fn expose(&self, out: &mut Exposition) {
        let open = self.open.get() as f64;
        out.gauge("scale_agent_api_connections_open", "Clients of the REST API that are connected.", &[(&[], open)]);
        let mut counter = |name, help, counter: &Counter| out.counter(name, help, &[(&[], counter.get())]);
        let help = "Clients of the REST API that connected.";
        counter("scale_agent_api_connections_total", help, &self.accepted);
        let help = "Clients of the REST API that kept the agent waiting and had to make room for others.";
        counter("scale_agent_api_connections_evicted_total", help, &self.evicted);
        let help = "Clients of the REST API that were too slow.";
        counter("scale_agent_api_connections_timed_out_total", help, &self.timed_out);
        let help = "Requests to the REST API that broke HTTP or a limit.";
        counter("scale_agent_api_requests_refused_total", help, &self.refused);
    }
}
