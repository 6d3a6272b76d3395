//! Faults under way in one cluster: what each does to its tunnels and requests, and when it acts next.

use crate::faults::Fault;
use crate::http1::Request;
use crate::kube::Status;
use crate::kube::request::path::{self, Route};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Faults that a cluster is to suffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imposition {
    /// The number by which it is counted and lifted.
    pub id: u64,
    /// They begin and end together.
    pub faults: Vec<Fault>,
    /// Everything random follows from it and from the cluster.
    pub seed: u64,
    /// When it ends by itself.
    pub until: Instant,
}

/// The faults of one cluster.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) active: Vec<Active>,
    /// How often each fault made itself felt since that was asked last, by number.
    effects: BTreeMap<u64, u64>,
}

/// One fault under way.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) id: u64,
    pub(super) fault: Fault,
    pub(super) until: Instant,
    /// When it acts next by itself.
    pub(super) next: Option<Instant>,
    pub(super) random: fastrand::Rng,
    /// Whether a flap holds the tunnels down, or a node was added.
    pub(super) is_on: bool,
    /// How often it acted.
    pub(super) steps: u32,
    /// The nodes or pods that it changed.
    pub(super) touched: Vec<String>,
}

/// What faults do to a tunnel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// Nothing.
    #[default]
    Free,
    /// Whatever it is doing, it does not go on.
    Frozen,
    /// It is not open, and is not opened.
    Down,
}

/// How a new connection to the API server is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    /// As ever.
    Usual,
    /// Not at all.
    Refuse,
    /// With a certificate that has expired.
    Expired,
}

impl Faults {
    /// Nothing is under way and nothing is left to be told.
    pub(super) fn is_over(&self) -> bool {
        self.active.is_empty() && self.effects.is_empty()
    }

    /// What all of them together do to the tunnels.
    pub(super) fn hold(&self) -> Hold {
        let hold = |active: &Active| match active.fault {
            Fault::Refuse => Hold::Down,
            Fault::Flap { .. } if active.is_on => Hold::Down,
            Fault::Stall | Fault::Vanish => Hold::Frozen,
            _ => Hold::Free,
        };
        self.active.iter().map(hold).max().unwrap_or_default()
    }

    /// How many bytes a second a tunnel carries, if that is limited.
    pub(super) fn bytes_per_second(&self) -> Option<u64> {
        let limit = |active: &Active| match active.fault {
            Fault::Slow { bytes_per_second } => Some(bytes_per_second),
            _ => None,
        };
        self.active.iter().filter_map(limit).min()
    }

    /// When something is to be done by itself.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.active.iter().map(|active| active.next.map_or(active.until, |next| next.min(active.until))).min()
    }

    /// Counts that a fault made itself felt.
    pub(super) fn felt(&mut self, id: u64, times: u64) {
        if times > 0 {
            *self.effects.entry(id).or_default() += times;
        }
    }

    /// Adds up how often each fault made itself felt since the last call.
    pub(super) fn take_effects(&mut self, sums: &mut BTreeMap<u64, u64>) {
        for (id, times) in std::mem::take(&mut self.effects) {
            *sums.entry(id).or_default() += times;
        }
    }

    /// How the API server receives a new connection.
    pub(super) fn greet(&mut self) -> Greeting {
        for (fault, greeting) in [(Fault::ApiDown, Greeting::Refuse), (Fault::ExpiredCertificate, Greeting::Expired)] {
            if let Some(id) = self.active.iter().find(|active| active.fault == fault).map(|active| active.id) {
                self.felt(id, 1);
                return greeting;
            }
        }
        Greeting::Usual
    }

    /// How long the answer to a request takes, if that is felt.
    pub(super) fn delay(&mut self, request: &Request) -> Option<Duration> {
        let mut sum = Duration::ZERO;
        for active in &mut self.active {
            let delay = match active.fault {
                Fault::Latency { p50, p99 } => log_normal(p50, p99, &mut active.random),
                Fault::SlowLists { p50, p99 } if asks_for(request).0 => log_normal(p50, p99, &mut active.random),
                _ => continue,
            };
            *self.effects.entry(active.id).or_default() += 1;
            sum += delay;
        }
        (sum > Duration::ZERO).then_some(sum)
    }

    /// What a request is answered instead of what it asks for.
    pub(super) fn refusal(&mut self, request: &Request) -> Option<Status> {
        for active in &mut self.active {
            let (share, status) = match active.fault {
                Fault::Errors { status: 429, share } => {
                    (share, Status::too_many_requests("the server has received too many requests", 1))
                }
                Fault::Errors { status: 503, share } => (share, Status::service_unavailable()),
                Fault::Errors { share, .. } => (share, Status::internal("etcdserver: request timed out")),
                Fault::ExpireWatches { share } if asks_for(request).1 => (share, Status::expired(TOO_OLD)),
                _ => continue,
            };
            if active.random.f64() < share.probability() {
                *self.effects.entry(active.id).or_default() += 1;
                return Some(status);
            }
        }
        None
    }
}

/// Whether a request is a LIST, and whether it is a watch.
fn asks_for(request: &Request) -> (bool, bool) {
    match path::parse(&request.target) {
        Ok((Route::Resource(path), query)) => (path.name.is_none() && !query.watch, query.watch),
        _ => (false, false),
    }
}

/// A time from the log-normal distribution with this median and 99th percentile.
fn log_normal(p50: Duration, p99: Duration, random: &mut fastrand::Rng) -> Duration {
    let sigma = (p99.as_secs_f64() / p50.as_secs_f64()).ln() / NORMAL_P99;
    // Box and Muller, "A note on the generation of random normal deviates", 1958.
    let normal = (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos();
    let seconds = p50.as_secs_f64() * (sigma * normal).exp();
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY)
}

/// The 99th percentile of the standard normal distribution.
const NORMAL_P99: f64 = 2.326_347_874;
/// Every client has given up by then.
const LONGEST_DELAY: Duration = Duration::from_secs(600);
/// The words of an apiserver whose watch cache begins later.
const TOO_OLD: &str = "too old resource version: 1 (2)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{Headers, Method};

    fn faults(words: &[&str]) -> Faults {
        let now = Instant::now();
        let mut faults = Faults::default();
        for (id, text) in words.iter().enumerate() {
            let injection: crate::faults::Injection = text.parse().unwrap();
            faults.active.extend(injection.faults.into_iter().map(|fault| Active {
                id: id as u64,
                fault,
                until: now + injection.duration,
                next: None,
                random: fastrand::Rng::with_seed(7),
                is_on: false,
                steps: 0,
                touched: Vec::new(),
            }));
        }
        faults
    }

    fn get(target: &str) -> Request {
        Request { method: Method::Get, target: target.into(), headers: Headers::default(), body: Vec::new() }
    }

    #[test]
    fn times_have_the_median_and_the_percentile_that_were_asked_for() {
        let mut random = fastrand::Rng::with_seed(3);
        let (p50, p99) = (Duration::from_millis(200), Duration::from_secs(2));
        let mut times: Vec<Duration> = (0..100_000).map(|_| log_normal(p50, p99, &mut random)).collect();
        times.sort();
        let median_ms = times[50_000].as_millis();
        let p99_ms = times[99_000].as_millis();
        assert!((190..210).contains(&median_ms), "{median_ms} ms");
        assert!((1_800..2_200).contains(&p99_ms), "{p99_ms} ms");
        assert_eq!(log_normal(p50, p50, &mut random), p50);
    }

    #[test]
    fn only_lists_are_slow_and_only_watches_expire() {
        let mut faults = faults(&["slow-lists p50=5s p99=5s", "expire-watches"]);
        let (list, watch, one) = ("/api/v1/nodes", "/api/v1/nodes?watch=true", "/api/v1/nodes/a");
        assert_eq!(faults.delay(&get(list)), Some(Duration::from_secs(5)));
        assert_eq!(
            (faults.delay(&get(watch)), faults.delay(&get(one)), faults.delay(&get("/version"))),
            (None, None, None)
        );
        assert_eq!(faults.refusal(&get(watch)).map(|status| status.code), Some(410));
        assert!(faults.refusal(&get(list)).is_none());
        let mut sums = BTreeMap::new();
        faults.take_effects(&mut sums);
        assert_eq!(sums, BTreeMap::from([(0, 1), (1, 1)]));
    }

    #[test]
    fn a_share_of_the_requests_fails() {
        for status in [429, 500, 503] {
            let mut faults = faults(&[&format!("errors status={status} share=20%")]);
            let failed = (0..1_000).filter_map(|_| faults.refusal(&get("/api/v1/nodes"))).inspect(|refusal| {
                assert_eq!(refusal.code, status);
            });
            let failed = failed.count();
            assert!((150..250).contains(&failed), "{failed} of 1000");
        }
    }

    #[test]
    fn the_strongest_hold_and_the_smallest_rate_count() {
        assert_eq!(faults(&["latency"]).hold(), Hold::Free);
        assert_eq!(faults(&["latency", "stall"]).hold(), Hold::Frozen);
        assert_eq!(faults(&["stall", "refuse"]).hold(), Hold::Down);
        assert_eq!(faults(&["slow", "slow bytes-per-second=100"]).bytes_per_second(), Some(100));
        assert_eq!(faults(&["stall"]).bytes_per_second(), None);
    }
}
