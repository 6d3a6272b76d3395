//! A whole rehearsal: stand-in, agent and clusters, from the first request to the summary.

use super::{
    Agent, AgentConfig, AgentError, Fleet, Profile, Progress, Seen, StandIn, StandInError, StandInOptions, Usage,
};
use super::{Behaviour, Stage};
use crate::report::{Cpu, Failure, Hold, Memory, Outcome, Percentiles, Summary};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What to rehearse.
#[derive(Debug, Clone)]
pub struct Options {
    /// The agent's program.
    pub agent: PathBuf,
    /// How many clusters.
    pub clusters: u64,
    /// How many are asked for at once.
    pub in_flight: usize,
    /// The load that each cluster gets.
    pub profile: Profile,
    /// What the stand-in takes its time for.
    pub behaviour: Behaviour,
    /// Threads of the stand-in.
    pub threads: usize,
    /// Decides the ids and tokens that the stand-in gives.
    pub seed: u64,
    /// The template that the agent uses; its own default when absent.
    pub template: Option<PathBuf>,
    /// Further settings of the agent as `key: value`.
    pub settings: Vec<(String, String)>,
    /// How long the clusters have to become Active.
    pub timeout: Duration,
    /// How long to watch them afterwards.
    pub hold: Option<Duration>,
}

/// How far a rehearsal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Since the first request.
    pub elapsed: Duration,
    /// How long the clusters have been held, once all are Active.
    pub held: Option<Duration>,
    /// The clusters.
    pub progress: Progress,
}

/// Why there is nothing to sum up.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The stand-in could not start.
    #[error(transparent)]
    StandIn(#[from] StandInError),
    /// The agent could not start.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

/// Runs a rehearsal. `watch` is called several times a second; setting `stop` ends the rehearsal early, with a summary of
/// what there was. Nothing is left behind: neither process nor file.
pub fn rehearse(
    options: &Options,
    stop: &AtomicBool,
    mut watch: impl FnMut(&Status),
) -> Result<Summary, RehearsalError> {
    let stand_in = StandIn::start(StandInOptions {
        profile: options.profile.clone(),
        behaviour: options.behaviour,
        threads: options.threads,
        seed: options.seed,
    })?;
    let mut agent = Agent::start(
        &options.agent,
        &AgentConfig {
            rancher_url: stand_in.url.clone(),
            bearer: stand_in.fleet.bearer.clone(),
            ca_pem: stand_in.ca_pem.clone(),
            template: options.template.clone(),
            settings: options.settings.clone(),
        },
    )?;
    let fleet = &stand_in.fleet;
    let before = agent.usage();
    let start = Instant::now();

    let next = AtomicU64::new(0);
    let rejected = AtomicU64::new(0);
    let give_up = AtomicBool::new(false);
    let api = format!("{}/clusters", agent.url);
    thread::scope(|scope| {
        for _ in 0..options.in_flight.max(1) {
            scope.spawn(|| {
                let http = http_client();
                while !give_up.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.clusters {
                        return;
                    }
                    if let Err(cause) = post(&http, &api, &format!("rehearsal-{:05}", number + 1), fleet) {
                        rejected.fetch_add(1, Ordering::Relaxed);
                        fleet.problem(cause);
                    }
                }
            });
        }
        loop {
            let status = Status { elapsed: start.elapsed(), held: None, progress: fleet.progress() };
            watch(&status);
            let settled = status.progress.active as u64 + rejected.load(Ordering::Relaxed) >= options.clusters;
            if settled || has_ended(&mut agent, fleet) || status.elapsed >= options.timeout || is_set(stop) {
                give_up.store(true, Ordering::Relaxed);
                return;
            }
            thread::sleep(WATCH_INTERVAL);
        }
    });

    let active = fleet.progress().active as u64;
    let end = if active == options.clusters { fleet.last_active() } else { None }.unwrap_or_else(Instant::now);
    let elapsed = end.saturating_duration_since(start);
    let after = agent.usage();
    let usages = before.zip(after);
    let is_complete = active == options.clusters;
    let hold = match options.hold {
        Some(hold) if is_complete && !is_set(stop) => {
            Some(hold_clusters(hold, &mut agent, fleet, start, stop, &mut watch))
        }
        _ => None,
    };
    let is_still_complete = hold.as_ref().map_or(is_complete, |hold| hold.active_at_end == options.clusters);
    Ok(Summary {
        schema: Summary::SCHEMA,
        profile: options.profile.name.clone(),
        outcome: match (is_set(stop), is_still_complete) {
            (true, _) => Outcome::Interrupted,
            (false, true) => Outcome::Passed,
            (false, false) => Outcome::Failed,
        },
        requested: options.clusters,
        active,
        elapsed_seconds: elapsed.as_secs_f64(),
        clusters_per_second: active as f64 / elapsed.as_secs_f64().max(f64::EPSILON),
        stages: Stage::ALL
            .map(|stage| crate::report::Stage {
                name: stage.name().to_owned(),
                since_request: Percentiles::of(fleet.times_to(stage)),
            })
            .into(),
        failures: failures(fleet),
        memory: usages.map(|(before, after)| {
            Memory::new((before.rss_bytes, after.rss_bytes), (before.pss_bytes, after.pss_bytes), active)
        }),
        cpu: usages.map(|(before, after)| Cpu::new(after.cpu.saturating_sub(before.cpu), elapsed)),
        hold,
    })
}

/// Asks the agent for a cluster.
fn post(http: &ureq::Agent, api: &str, name: &str, fleet: &Fleet) -> Result<(), String> {
    fleet.expect(name, Instant::now());
    let mut response = http
        .post(api)
        .send_json(serde_json::json!({"name": name}))
        .map_err(|error| format!("POST /clusters: {error}"))?;
    if response.status().is_success() {
        return Ok(());
    }
    // A problem of RFC 9457, if it is the agent that answers.
    let problem: serde_json::Value = response.body_mut().read_json().unwrap_or_default();
    let title = problem["title"].as_str().unwrap_or_default();
    Err(format!("POST /clusters: {} {title}", response.status().as_u16()).trim_end().to_owned())
}

fn http_client() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(POST_TIMEOUT)).build().into()
}

/// Watches the clusters for `duration`.
fn hold_clusters(
    duration: Duration,
    agent: &mut Agent,
    fleet: &Fleet,
    start: Instant,
    stop: &AtomicBool,
    watch: &mut impl FnMut(&Status),
) -> Hold {
    let begin = Instant::now();
    let (usage_before, seen_before) = (agent.usage(), Counts::of(&fleet.seen));
    while begin.elapsed() < duration && !is_set(stop) && !has_ended(agent, fleet) {
        watch(&Status { elapsed: start.elapsed(), held: Some(begin.elapsed()), progress: fleet.progress() });
        thread::sleep(WATCH_INTERVAL.min(duration.saturating_sub(begin.elapsed())));
    }
    let elapsed = begin.elapsed();
    let (usage_after, seen) = (agent.usage(), Counts::of(&fleet.seen));
    let usages: Option<(Usage, Usage)> = usage_before.zip(usage_after);
    Hold {
        seconds: elapsed.as_secs_f64(),
        cpu: usages.map(|(before, after)| Cpu::new(after.cpu.saturating_sub(before.cpu), elapsed)),
        rss_growth: usages.map(|(before, after)| after.rss_bytes as i64 - before.rss_bytes as i64),
        watch_events: seen.watch_events - seen_before.watch_events,
        heartbeats: seen.heartbeats - seen_before.heartbeats,
        pings: seen.pings - seen_before.pings,
        probes: seen.probes - seen_before.probes,
        tunnels_lost: seen.tunnels_lost - seen_before.tunnels_lost,
        active_at_end: fleet.progress().active as u64,
    }
}

struct Counts {
    watch_events: u64,
    heartbeats: u64,
    pings: u64,
    probes: u64,
    tunnels_lost: u64,
}

impl Counts {
    fn of(seen: &Seen) -> Counts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            watch_events: load(&seen.watch_events),
            heartbeats: load(&seen.heartbeats),
            pings: load(&seen.pings),
            probes: load(&seen.probes),
            tunnels_lost: load(&seen.tunnels_lost),
        }
    }
}

fn failures(fleet: &Fleet) -> Vec<Failure> {
    let mut failures: Vec<Failure> =
        fleet.problems().into_iter().map(|(cause, count)| Failure { cause, count }).collect();
    let stuck = fleet.stuck();
    failures.extend(
        stuck
            .into_iter()
            .map(|(stage, count)| Failure { cause: format!("never Active, got as far as: {}", stage.name()), count }),
    );
    failures.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cause.cmp(&b.cause)));
    failures
}

fn has_ended(agent: &mut Agent, fleet: &Fleet) -> bool {
    let ended = agent.exit_status();
    if let Some(status) = &ended {
        let words = agent.last_words();
        fleet.problem(format!("the agent ended ({status}): {}", words.lines().last().unwrap_or_default().trim()));
    }
    ended.is_some()
}

fn is_set(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}

const WATCH_INTERVAL: Duration = Duration::from_millis(100);
/// Above the agent's own `CreateWait` of 10 s.
const POST_TIMEOUT: Duration = Duration::from_secs(60);
