//! A whole rehearsal: stand-in, agent and clusters, from the first request to the results.

use super::{Agent, AgentConfig, AgentError, Behaviour, Fleet, Profile, StandIn, StandInError, StandInOptions};
use crate::manager::{RampState, RampView};
use crate::remote::{Client, ClientError, Plan, drive};
use crate::report::{Cpu, Failure, Hold, Memory, Run};
use crate::telemetry::Usage;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What to rehearse.
#[derive(Debug, Clone)]
pub struct Options {
    /// The agent's program.
    pub agent: PathBuf,
    /// The ramp, and what is to go wrong.
    pub plan: Plan,
    /// The load that each cluster gets.
    pub profile: Profile,
    /// What the stand-in takes its time for.
    pub behaviour: Behaviour,
    /// Threads of the stand-in.
    pub threads: usize,
    /// The template that the agent uses; its own default when absent.
    pub template: Option<PathBuf>,
    /// Further settings of the agent as `key: value`.
    pub settings: Vec<(String, String)>,
}

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The stand-in could not start.
    #[error(transparent)]
    StandIn(#[from] StandInError),
    /// The agent could not start.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The agent does not do as it is asked.
    #[error(transparent)]
    Call(#[from] ClientError),
    /// The agent ended before its work was done.
    #[error("the agent ended ({status}) before its work was done; its last words:\n{log}")]
    Ended {
        /// Its exit status.
        status: String,
        /// The end of its log.
        log: String,
    },
}

/// A stand-in and an agent that drives clusters for it. Dropping it ends both and leaves nothing behind.
pub struct Stage {
    /// What plays Rancher.
    pub stand_in: StandIn,
    /// The agent under test.
    pub agent: Agent,
    /// The agent's REST API.
    pub client: Client,
    profile: String,
}

/// Runs a rehearsal. `watch` is called several times a second; setting `stop` ends the rehearsal early, with the results there are.
/// Nothing is left behind: neither process nor file.
pub fn rehearse(options: &Options, stop: &AtomicBool, watch: impl FnMut(&RampView)) -> Result<Run, RehearsalError> {
    Stage::set(options)?.play(&options.plan, stop, watch)
}

impl Stage {
    /// Starts both.
    pub fn set(options: &Options) -> Result<Stage, RehearsalError> {
        let stand_in = StandIn::start(StandInOptions {
            profile: options.profile.clone(),
            behaviour: options.behaviour,
            threads: options.threads,
            seed: options.plan.spec.seed,
        })?;
        // Nothing else asks the stand-in: it can say every moment what it thinks of its clusters.
        let often = ("RampPollInterval".to_owned(), "100ms".to_owned());
        let agent = Agent::start(
            &options.agent,
            &AgentConfig {
                rancher_url: stand_in.url.clone(),
                bearer: stand_in.fleet.bearer.clone(),
                ca_pem: stand_in.ca_pem.clone(),
                template: options.template.clone(),
                settings: [often].into_iter().chain(options.settings.iter().cloned()).collect(),
            },
        )?;
        let client = Client::new(&agent.url);
        Ok(Stage { stand_in, agent, client, profile: options.profile.name.clone() })
    }

    /// Runs a ramp and measures what it costs.
    pub fn play(
        &mut self,
        plan: &Plan,
        stop: &AtomicBool,
        mut watch: impl FnMut(&RampView),
    ) -> Result<Run, RehearsalError> {
        let before = self.agent.usage();
        let begin = Instant::now();
        let mut settled = None;
        let mut look = |view: &RampView| {
            if settled.is_none() && matches!(view.state, RampState::Holding | RampState::Done) {
                settled = Some(Moment::now(&self.agent, &self.stand_in.fleet));
            }
            watch(view);
        };
        let outcome = drive(&self.client, plan, stop, &mut look);
        if let Some(status) = self.agent.exit_status() {
            return Err(RehearsalError::Ended { status, log: self.agent.last_words() });
        }
        let mut run = outcome?;
        let end = Moment::now(&self.agent, &self.stand_in.fleet);
        let settled = settled.unwrap_or(end);
        let active = run.figures.active;
        let usages = before.zip(settled.usage);
        run.profile = Some(self.profile.clone());
        run.memory = usages.map(|(before, after)| {
            Memory::new((before.rss_bytes, after.rss_bytes), (before.pss_bytes, after.pss_bytes), active)
        });
        let took = settled.at.duration_since(begin);
        run.cpu = usages.map(|(before, after)| Cpu::new(after.cpu.saturating_sub(before.cpu), took));
        if !plan.spec.hold.is_zero() && end.at > settled.at {
            run.hold = Some(held(&settled, &end, run.figures.active_at_end));
        }
        run.complaints = complaints(&self.stand_in.fleet);
        Ok(run)
    }
}

/// What was known at one moment.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    usage: Option<Usage>,
    seen: super::Counts,
}

impl Moment {
    fn now(agent: &Agent, fleet: &Fleet) -> Moment {
        Moment { at: Instant::now(), usage: agent.usage(), seen: fleet.seen.counts() }
    }
}

fn held(begin: &Moment, end: &Moment, active_at_end: u64) -> Hold {
    let elapsed = end.at.duration_since(begin.at);
    let usages = begin.usage.zip(end.usage);
    let (before, after) = (&begin.seen, &end.seen);
    Hold {
        seconds: elapsed.as_secs_f64(),
        cpu: usages.map(|(before, after)| Cpu::new(after.cpu.saturating_sub(before.cpu), elapsed)),
        rss_growth: usages.map(|(before, after)| after.rss_bytes as i64 - before.rss_bytes as i64),
        watch_events: after.watch_events - before.watch_events,
        heartbeats: after.heartbeats - before.heartbeats,
        pings: after.pings - before.pings,
        probes: after.probes - before.probes,
        tunnels_lost: after.tunnels_lost - before.tunnels_lost,
        active_at_end,
    }
}

fn complaints(fleet: &Fleet) -> Vec<Failure> {
    let problems = fleet.problems().into_iter();
    let mut complaints: Vec<Failure> =
        problems.map(|(cause, count)| Failure { cause, count, examples: Vec::new() }).collect();
    complaints.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.cause.cmp(&other.cause)));
    complaints
}

/// How long the clusters of a rehearsal have to become Active, unless the user says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(300);
