//! What the workers count: each its own, so that counting needs no lock and no message.

use super::{Cause, Tunnel};
use crate::telemetry::{Counter, Exposition, Gauge, Histogram, Source};
use std::sync::Arc;

/// What one worker counts.
#[derive(Debug)]
pub(super) struct Stats {
    /// Clusters it holds.
    pub(super) clusters: Gauge,
    /// Tunnels that wait for a free dial.
    pub(super) waiting_dials: Gauge,
    /// How late its timers ran in the last second, at most.
    pub(super) lag_micros: Gauge,
    /// By tunnel.
    pub(super) tunnels: [TunnelStats; 2],
    pub(super) frames_received: Counter,
    pub(super) frames_sent: Counter,
    pub(super) bytes_received: Counter,
    pub(super) bytes_sent: Counter,
    pub(super) streams: Counter,
    pub(super) streams_open: Gauge,
    /// Streams that were refused or broke.
    pub(super) stream_errors: Counter,
    /// Lines that were sent on watches.
    pub(super) watch_events: Counter,
    pub(super) pings: Counter,
    pub(super) ping_round_trip: Histogram,
}

/// What one worker counts of its tunnels of one kind.
#[derive(Debug, Default)]
pub(super) struct TunnelStats {
    pub(super) open: Gauge,
    pub(super) connects: Counter,
    /// Open ones that were lost, by cause.
    pub(super) disconnects: [Counter; Cause::ALL.len()],
    /// Attempts to open one that failed, by cause.
    pub(super) failures: [Counter; Cause::ALL.len()],
}

/// Counts something in a gauge for as long as it is there.
pub(super) struct Open(Arc<Stats>, fn(&Stats) -> &Gauge);

/// What all workers count.
pub(super) struct EngineStats {
    pub(super) workers: Vec<Arc<Stats>>,
}

impl Default for Stats {
    fn default() -> Stats {
        Stats {
            clusters: Gauge::default(),
            waiting_dials: Gauge::default(),
            lag_micros: Gauge::default(),
            tunnels: Default::default(),
            frames_received: Counter::default(),
            frames_sent: Counter::default(),
            bytes_received: Counter::default(),
            bytes_sent: Counter::default(),
            streams: Counter::default(),
            streams_open: Gauge::default(),
            stream_errors: Counter::default(),
            watch_events: Counter::default(),
            pings: Counter::default(),
            ping_round_trip: Histogram::new(ROUND_TRIP_BOUNDS_SECONDS),
        }
    }
}

impl Stats {
    /// Those of the tunnels of this kind.
    pub(super) fn of(&self, tunnel: Tunnel) -> &TunnelStats {
        &self.tunnels[tunnel as usize]
    }
}

impl Open {
    /// One more of what this gauge counts.
    pub(super) fn new(stats: &Arc<Stats>, gauge: fn(&Stats) -> &Gauge) -> Open {
        gauge(stats).add(1);
        Open(stats.clone(), gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        (self.1)(&self.0).add(-1);
    }
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Open")
    }
}

impl EngineStats {
    fn sum(&self, of: impl Fn(&Stats) -> &Counter) -> u64 {
        self.workers.iter().map(|stats| of(stats).get()).sum()
    }

    fn level(&self, of: impl Fn(&Stats) -> &Gauge) -> f64 {
        self.workers.iter().map(|stats| of(stats).get()).sum::<i64>() as f64
    }

    /// Counters of both tunnels by cause.
    fn by_cause(&self, out: &mut Exposition, name: &str, help: &str, of: fn(&TunnelStats) -> &[Counter]) {
        let mut samples = Vec::new();
        for tunnel in [Tunnel::Api, Tunnel::Steve] {
            for (index, cause) in Cause::ALL.iter().enumerate() {
                let labels = [("tunnel", tunnel.as_str()), ("cause", cause.as_str())];
                samples.push((labels, self.sum(|stats| &of(stats.of(tunnel))[index])));
            }
        }
        let samples: Vec<_> = samples.iter().map(|(labels, count)| (&labels[..], *count)).collect();
        out.counter(name, help, &samples);
    }

    fn by_worker(&self, out: &mut Exposition, name: &str, help: &str, of: impl Fn(&Stats) -> f64) {
        let names: Vec<String> = (0..self.workers.len()).map(|worker| worker.to_string()).collect();
        let labels: Vec<[(&str, &str); 1]> = names.iter().map(|name| [("worker", name.as_str())]).collect();
        let samples: Vec<_> =
            labels.iter().zip(&self.workers).map(|(labels, stats)| (&labels[..], of(stats))).collect();
        out.gauge(name, help, &samples);
    }
}

impl Source for EngineStats {
    fn expose(&self, out: &mut Exposition) {
        let [api, steve] = [Tunnel::Api, Tunnel::Steve].map(|tunnel| [("tunnel", tunnel.as_str())]);
        let both = [(&api[..], Tunnel::Api), (&steve[..], Tunnel::Steve)];
        let open = both.map(|(labels, tunnel)| (labels, self.level(|stats| &stats.of(tunnel).open)));
        out.gauge("scale_agent_tunnels_open", "Tunnels to Rancher that are open.", &open);
        let connects = both.map(|(labels, tunnel)| (labels, self.sum(|stats| &stats.of(tunnel).connects)));
        out.counter("scale_agent_tunnel_connects_total", "Tunnels that were opened.", &connects);
        let name = "scale_agent_tunnel_disconnects_total";
        self.by_cause(out, name, "Open tunnels that were lost, by cause.", |stats| &stats.disconnects);
        let name = "scale_agent_tunnel_connect_failures_total";
        self.by_cause(out, name, "Attempts to open a tunnel that failed, by cause.", |stats| &stats.failures);

        let [received, sent] = ["received", "sent"].map(|direction| [("direction", direction)]);
        let frames = [(&received[..], self.sum(|s| &s.frames_received)), (&sent[..], self.sum(|s| &s.frames_sent))];
        out.counter("scale_agent_tunnel_frames_total", "Frames on tunnels.", &frames);
        let bytes = [(&received[..], self.sum(|s| &s.bytes_received)), (&sent[..], self.sum(|s| &s.bytes_sent))];
        out.counter(
            "scale_agent_tunnel_bytes_total",
            "Bytes in frames on tunnels, headers of websockets left out.",
            &bytes,
        );
        let gauge = |of: fn(&Stats) -> &Gauge| [(&[][..], self.level(of))];
        let counter = |of: fn(&Stats) -> &Counter| [(&[][..], self.sum(of))];
        let help = "Connections of Rancher through tunnels that are open.";
        out.gauge("scale_agent_streams_open", help, &gauge(|s| &s.streams_open));
        out.counter("scale_agent_streams_total", "Connections that Rancher opened.", &counter(|s| &s.streams));
        let help = "Connections of Rancher that were refused or broke.";
        out.counter("scale_agent_stream_errors_total", help, &counter(|s| &s.stream_errors));
        let help = "Events that were sent on watches.";
        out.counter("scale_agent_watch_events_total", help, &counter(|s| &s.watch_events));
        out.counter("scale_agent_pings_total", "Pings that were sent.", &counter(|s| &s.pings));
        let round_trips: Vec<&Histogram> = self.workers.iter().map(|stats| &stats.ping_round_trip).collect();
        let help = "Time from a ping to its pong.";
        out.histogram("scale_agent_ping_round_trip_seconds", help, &[(&[], &round_trips)]);
        let help = "Tunnels that wait for their turn to be opened.";
        out.gauge("scale_agent_dials_waiting", help, &gauge(|s| &s.waiting_dials));

        let help = "How late a worker's timers ran in the last second, at most.";
        self.by_worker(out, "scale_agent_worker_lag_seconds", help, |stats| stats.lag_micros.get() as f64 / 1e6);
        let help = "Clusters that a worker holds.";
        self.by_worker(out, "scale_agent_worker_clusters", help, |stats| stats.clusters.get() as f64);
    }
}

/// From a local network's round trip to the moment a tunnel counts as dead.
const ROUND_TRIP_BOUNDS_SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
