//! A whole rehearsal: stand-in, agent and clusters, from the first request to the summary.

use super::{Agent, AgentConfig, AgentError, Behaviour, Fleet, Profile, Progress, Stage, Usage};
use super::{StandIn, StandInError, StandInOptions};
use crate::report::{self, Cpu, Failure, Hold, Memory, Outcome, Percentiles, Summary};
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
    let agent = Agent::start(
        &options.agent,
        &AgentConfig {
            rancher_url: stand_in.url.clone(),
            bearer: stand_in.fleet.bearer.clone(),
            ca_pem: stand_in.ca_pem.clone(),
            template: options.template.clone(),
            settings: options.settings.clone(),
        },
    )?;
    let mut run = Run { options, stop, fleet: &stand_in.fleet, agent, start: Instant::now() };
    let before = run.agent.usage();
    run.bring_up(&mut watch);
    Ok(run.sum_up(before, &mut watch))
}

/// A rehearsal under way.
struct Run<'a> {
    options: &'a Options,
    stop: &'a AtomicBool,
    fleet: &'a Fleet,
    agent: Agent,
    start: Instant,
}

impl Run<'_> {
    /// Asks for every cluster and waits until all are Active, or no more will be.
    fn bring_up(&mut self, watch: &mut impl FnMut(&Status)) {
        let clusters = self.options.clusters;
        let api = format!("{}/clusters", self.agent.url);
        let next = AtomicU64::new(1);
        let rejected = AtomicU64::new(0);
        let give_up = AtomicBool::new(false);
        let fleet = self.fleet;
        thread::scope(|scope| {
            for _ in 0..self.options.in_flight.max(1) {
                scope.spawn(|| {
                    let http = http_client();
                    while !is_set(&give_up) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number > clusters {
                            return;
                        }
                        if let Err(cause) = post(&http, &api, &format!("rehearsal-{number:05}"), fleet) {
                            rejected.fetch_add(1, Ordering::Relaxed);
                            fleet.problem(cause);
                        }
                    }
                });
            }
            loop {
                let status = Status { elapsed: self.start.elapsed(), held: None, progress: fleet.progress() };
                watch(&status);
                let settled = status.progress.active as u64 + rejected.load(Ordering::Relaxed) >= clusters;
                if settled || status.elapsed >= self.options.timeout || self.is_over() {
                    give_up.store(true, Ordering::Relaxed);
                    return;
                }
                thread::sleep(WATCH_INTERVAL);
            }
        });
    }

    /// Measures, holds the clusters if that is wanted and all are Active, and sums up.
    fn sum_up(&mut self, before: Option<Usage>, watch: &mut impl FnMut(&Status)) -> Summary {
        let (options, fleet) = (self.options, self.fleet);
        let active = fleet.progress().active as u64;
        let is_complete = active == options.clusters;
        let end = fleet.last_active().filter(|_| is_complete).unwrap_or_else(Instant::now);
        let elapsed = end.saturating_duration_since(self.start);
        let usages = before.zip(self.agent.usage());
        let hold = match options.hold {
            Some(duration) if is_complete && !is_set(self.stop) => Some(self.hold(duration, watch)),
            _ => None,
        };
        let is_still_complete = hold.as_ref().map_or(is_complete, |hold| hold.active_at_end == options.clusters);
        let stage = |stage: Stage| report::Stage {
            name: stage.name().to_owned(),
            since_request: Percentiles::of(fleet.times_to(stage)),
        };
        Summary {
            schema: Summary::SCHEMA,
            profile: options.profile.name.clone(),
            outcome: match (is_set(self.stop), is_still_complete) {
                (true, _) => Outcome::Interrupted,
                (false, true) => Outcome::Passed,
                (false, false) => Outcome::Failed,
            },
            requested: options.clusters,
            active,
            elapsed_seconds: elapsed.as_secs_f64(),
            clusters_per_second: active as f64 / elapsed.as_secs_f64().max(f64::EPSILON),
            stages: Stage::ALL.map(stage).into(),
            failures: failures(fleet),
            memory: usages.map(|(before, after)| {
                Memory::new((before.rss_bytes, after.rss_bytes), (before.pss_bytes, after.pss_bytes), active)
            }),
            cpu: usages.map(|(before, after)| Cpu::new(after.cpu.saturating_sub(before.cpu), elapsed)),
            hold,
        }
    }

    /// Watches the clusters for `duration`.
    fn hold(&mut self, duration: Duration, watch: &mut impl FnMut(&Status)) -> Hold {
        let begin = Instant::now();
        let (usage_before, seen_before) = (self.agent.usage(), self.fleet.seen.counts());
        while begin.elapsed() < duration && !self.is_over() {
            let (elapsed, held) = (self.start.elapsed(), Some(begin.elapsed()));
            watch(&Status { elapsed, held, progress: self.fleet.progress() });
            thread::sleep(WATCH_INTERVAL.min(duration.saturating_sub(begin.elapsed())));
        }
        let elapsed = begin.elapsed();
        let usages = usage_before.zip(self.agent.usage());
        let seen = self.fleet.seen.counts();
        Hold {
            seconds: elapsed.as_secs_f64(),
            cpu: usages.map(|(before, after)| Cpu::new(after.cpu.saturating_sub(before.cpu), elapsed)),
            rss_growth: usages.map(|(before, after)| after.rss_bytes as i64 - before.rss_bytes as i64),
            watch_events: seen.watch_events - seen_before.watch_events,
            heartbeats: seen.heartbeats - seen_before.heartbeats,
            pings: seen.pings - seen_before.pings,
            probes: seen.probes - seen_before.probes,
            tunnels_lost: seen.tunnels_lost - seen_before.tunnels_lost,
            active_at_end: self.fleet.progress().active as u64,
        }
    }

    /// Whether the operator stopped the rehearsal or the agent is gone.
    fn is_over(&mut self) -> bool {
        let ended = self.agent.exit_status();
        if let Some(status) = &ended {
            let words = self.agent.last_words();
            let last = words.lines().last().unwrap_or_default().trim();
            self.fleet.problem(format!("the agent ended ({status}): {last}"));
        }
        ended.is_some() || is_set(self.stop)
    }
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

fn is_set(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}

const WATCH_INTERVAL: Duration = Duration::from_millis(100);
/// Above the agent's own `CreateWait` of 10 s.
const POST_TIMEOUT: Duration = Duration::from_secs(60);
