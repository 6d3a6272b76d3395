//! A line now and then that says how the agent fares, for those who have the log and nothing else.

use super::answer::HealthView;
use crate::telemetry::{ProcessUsage, RequestTotals};
use std::time::{Duration, Instant};

/// When the next line is due, and what the last one saw.
#[derive(Debug)]
pub(super) struct Performance {
    interval: Duration,
    last: Instant,
    cpu_seconds: f64,
    requests: u64,
}

impl Performance {
    /// A line each `interval` from `now` on; none if that is zero.
    pub(super) fn new(interval: Duration, usage: ProcessUsage, now: Instant) -> Performance {
        Performance { interval, last: now, cpu_seconds: usage.cpu_seconds, requests: 0 }
    }

    /// When the next line is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        (!self.interval.is_zero()).then(|| self.last + self.interval)
    }

    /// The line of the time since the last one.
    pub(super) fn line(
        &mut self,
        health: &HealthView,
        requests: &RequestTotals,
        usage: ProcessUsage,
        now: Instant,
    ) -> String {
        let seconds = now.saturating_duration_since(self.last).as_secs_f64().max(f64::EPSILON);
        let cpu_percent = 100.0 * (usage.cpu_seconds - self.cpu_seconds).max(0.0) / seconds;
        let requests_per_second = requests.count.saturating_sub(self.requests) as f64 / seconds;
        *self = Performance {
            interval: self.interval,
            last: now,
            cpu_seconds: usage.cpu_seconds,
            requests: requests.count,
        };
        let states = health.clusters.iter().filter(|(_, count)| **count > 0);
        let states: Vec<String> = states.map(|(state, count)| format!("{count} {state}")).collect();
        format!(
            "performance: clusters {} ({}), tunnels {}, requests {requests_per_second:.1}/s, watches {}, cpu {cpu_percent:.1} %, \
             memory {} MiB, files {}, lag {} ms",
            health.clusters.values().sum::<usize>(),
            if states.is_empty() { "none".to_owned() } else { states.join(", ") },
            health.tunnels_up,
            requests.watches_open,
            usage.resident_bytes >> 20,
            usage.open_files,
            health.worker_lag_ms.iter().max().copied().unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_line_tells_of_the_time_since_the_last() {
        let start = Instant::now();
        let usage = |cpu_seconds| ProcessUsage {
            cpu_seconds,
            resident_bytes: 180 << 20,
            open_files: 2042,
            ..ProcessUsage::default()
        };
        let mut performance = Performance::new(Duration::from_secs(60), usage(10.0), start);
        let health = HealthView {
            status: "ok",
            problems: Vec::new(),
            version: "1",
            instance: "0123456789abcdef".into(),
            shard: "1/1".into(),
            uptime_seconds: 60,
            clusters: BTreeMap::from([("active", 998), ("connecting", 2), ("failed", 0)]),
            tunnels_up: 1998,
            ranchers: Vec::new(),
            worker_lag_ms: vec![1, 3],
        };
        let requests = |count| RequestTotals { count, watches_open: 19_960, ..RequestTotals::default() };
        let minute = |number: u32| start + number * Duration::from_secs(60);
        assert_eq!(performance.next_due(), Some(minute(1)));
        let expected = |rate, cpu| {
            format!(
                "performance: clusters 1000 (998 active, 2 connecting), tunnels 1998, requests {rate}/s, watches 19960, cpu {cpu} %, \
                 memory 180 MiB, files 2042, lag 3 ms"
            )
        };
        assert_eq!(performance.line(&health, &requests(600), usage(16.0), minute(1)), expected("10.0", "10.0"));
        assert_eq!(performance.line(&health, &requests(660), usage(16.6), minute(2)), expected("1.0", "1.0"));
    }
}
