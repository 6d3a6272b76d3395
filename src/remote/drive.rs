//! Drives a ramp through an agent's REST API, from the plan to the results.

use super::shards::together;
use super::{Client, ClientError};
use crate::manager::{RampState, RampView};
use crate::ramp::{Results, Spec};
use crate::report::{Failure, Injected, Run};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the run is called.
    pub name: String,
    /// The ramp.
    pub spec: Spec,
    /// What is to go wrong, in the order of its times.
    pub faults: Vec<Planned>,
}

/// Something that is to go wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// When, since the begin.
    pub at: Duration,
    /// What, in a few words.
    pub text: String,
    /// The same as `POST /faults` takes it.
    pub body: Value,
}

impl Plan {
    /// A ramp and nothing else, called after the prefix of its clusters.
    pub fn of(spec: Spec) -> Plan {
        Plan { name: spec.prefix.trim_end_matches('-').to_owned(), spec, faults: Vec::new() }
    }
}

/// Starts the ramp, injects the faults as they fall due, and brings home the results once it has ended. `watch` is called several
/// times a second; setting `stop` ends the ramp early, with the results there are.
pub fn drive(agent: &Client, plan: &Plan, stop: &AtomicBool, watch: impl FnMut(&RampView)) -> Result<Run, ClientError> {
    let mut parts = [Part::begin(agent, plan)?];
    let injected = follow(plan, &mut parts, stop, watch)?;
    await_requests(&parts);
    parts[0].run(plan, injected)
}

/// The same with several agents, each of which takes a part of the ramp, as its shard says; the results of each.
pub fn drive_all(
    agents: &[Client],
    plan: &Plan,
    stop: &AtomicBool,
    watch: impl FnMut(&RampView),
) -> Result<Vec<Run>, ClientError> {
    let (mut parts, mut same) = (Vec::<Part<'_>>::new(), plan.clone());
    let begun = agents.iter().try_for_each(|agent| {
        let part = Part::begin(agent, &same)?;
        // The clusters of all of them are of one run.
        same.spec.run = part.view.spec["run"].as_str().map(str::to_owned);
        parts.push(part);
        Ok(())
    });
    let outcome = begun.and_then(|()| follow(plan, &mut parts, stop, watch));
    if outcome.is_err() {
        // Nobody looks after the others any more.
        for part in parts.iter().filter(|part| part.lost.is_none() && !part.is_over()) {
            let _ = part.agent.stop_ramp(part.view.id);
        }
    }
    let injected = outcome?;
    await_requests(&parts);
    parts.iter().map(|part| part.run(plan, injected.clone())).collect()
}

/// What one agent does of a ramp.
struct Part<'a> {
    agent: &'a Client,
    view: RampView,
    /// Whether it was stopped by a signal.
    interrupted: bool,
    /// Its results when they were looked at last: what is left if it does not live to its end.
    kept: Option<Results>,
    next_keep: Instant,
    /// Why its last call failed.
    lost: Option<ClientError>,
}

fn follow(
    plan: &Plan,
    parts: &mut [Part<'_>],
    stop: &AtomicBool,
    mut watch: impl FnMut(&RampView),
) -> Result<Vec<Injected>, ClientError> {
    let begin = Instant::now();
    let mut faults = plan.faults.iter().peekable();
    let mut injected = Vec::new();
    let mut show = |parts: &[Part<'_>]| {
        let views: Vec<RampView> = parts.iter().map(|part| part.view.clone()).collect();
        together(&views).iter().for_each(&mut watch);
    };
    show(parts);
    while !parts.iter().all(Part::is_over) {
        thread::sleep(if plan.spec.clusters > LARGE { LARGE_LOOK_INTERVAL } else { LOOK_INTERVAL });
        while let Some(fault) = faults.next_if(|fault| begin.elapsed() >= fault.at) {
            let refused = |part: &Part<'_>| part.agent.inject(&fault.body).err().map(|error| error.to_string());
            let problem = parts.iter().filter_map(refused).next_back();
            if let Some(problem) = &problem {
                log::warn!("{}: {problem}", fault.text);
            }
            injected.push(Injected { at_seconds: begin.elapsed().as_secs_f64(), fault: fault.text.clone(), problem });
        }
        let interrupted = stop.load(Ordering::Relaxed);
        // A threshold that one part cannot meet any more ends all of them.
        let aborted = parts.iter().any(|part| part.view.state == RampState::Aborted);
        for part in parts.iter_mut().filter(|part| !part.is_over()) {
            part.interrupted |= interrupted;
            part.look(interrupted || aborted)?;
        }
        show(parts);
    }
    Ok(injected)
}

/// Lets the agents hear of the last requests, unless somebody wants to be gone.
fn await_requests(parts: &[Part<'_>]) {
    if parts.iter().any(|part| part.lost.is_none() && !part.interrupted) {
        thread::sleep(REQUESTS_AGE);
    }
}

impl<'a> Part<'a> {
    fn begin(agent: &'a Client, plan: &Plan) -> Result<Part<'a>, ClientError> {
        let view = agent.start_ramp(&plan.spec)?;
        Ok(Part { agent, view, interrupted: false, kept: None, next_keep: Instant::now(), lost: None })
    }

    fn is_over(&self) -> bool {
        self.lost.is_some() || self.view.state.is_over()
    }

    fn look(&mut self, stop: bool) -> Result<(), ClientError> {
        let id = self.view.id;
        let view = match if stop { self.agent.stop_ramp(id) } else { self.agent.ramp(id) } {
            // It ended by itself meanwhile.
            Err(ClientError::Refused { .. }) if stop => self.agent.ramp(id),
            outcome => outcome,
        };
        match view {
            Ok(view) => self.view = view,
            Err(error) => {
                self.lost = Some(error.clone());
                // What it had measured by then is worth a report.
                return if self.kept.is_some() { Ok(()) } else { Err(error) };
            }
        }
        if self.next_keep <= Instant::now() {
            self.next_keep += if self.view.clusters > LARGE { LARGE_KEEP_INTERVAL } else { KEEP_INTERVAL };
            self.kept = self.agent.results(id).ok().or(self.kept.take());
        }
        Ok(())
    }

    fn run(&self, plan: &Plan, faults: Vec<Injected>) -> Result<Run, ClientError> {
        let results = match (&self.lost, &self.kept) {
            (Some(_), Some(kept)) => kept.clone(),
            _ => self.agent.results(self.view.id)?,
        };
        let mut run = Run::new(plan.name.clone(), results, self.interrupted);
        run.complaints = self
            .lost
            .iter()
            .map(|error| Failure { cause: error.to_string(), count: 1, examples: Vec::new() })
            .collect();
        run.faults = faults;
        run.refresh();
        Ok(run)
    }
}

/// How old an agent's totals of requests are at most, and a little.
const REQUESTS_AGE: Duration = Duration::from_millis(1_100);
/// Quick enough for the eye, and nothing for the agent.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// The figures of a large fleet cost its manager milliseconds each time.
const LARGE_LOOK_INTERVAL: Duration = Duration::from_secs(1);
const LARGE: u32 = 2_000;
/// What is lost at most with an agent that dies; each look costs its manager milliseconds.
const KEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Results of a large fleet are megabytes.
const LARGE_KEEP_INTERVAL: Duration = Duration::from_secs(30);
