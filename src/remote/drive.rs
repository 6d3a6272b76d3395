//! Drives a ramp through an agent's REST API, from the plan to the results.

use super::{Client, ClientError};
use crate::manager::RampView;
use crate::ramp::Spec;
use crate::report::{Injected, Run};
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
pub fn drive(
    client: &Client,
    plan: &Plan,
    stop: &AtomicBool,
    mut watch: impl FnMut(&RampView),
) -> Result<Run, ClientError> {
    let begin = Instant::now();
    let mut view = client.start_ramp(&plan.spec)?;
    let mut faults = plan.faults.iter().peekable();
    let mut injected = Vec::new();
    let mut interrupted = false;
    watch(&view);
    while !view.state.is_over() {
        thread::sleep(if view.clusters > LARGE { LARGE_LOOK_INTERVAL } else { LOOK_INTERVAL });
        while let Some(fault) = faults.next_if(|fault| begin.elapsed() >= fault.at) {
            let problem = client.inject(&fault.body).err().map(|error| error.to_string());
            if let Some(problem) = &problem {
                log::warn!("{}: {problem}", fault.text);
            }
            injected.push(Injected { at_seconds: begin.elapsed().as_secs_f64(), fault: fault.text.clone(), problem });
        }
        view = if stop.load(Ordering::Relaxed) {
            interrupted = true;
            match client.stop_ramp(view.id) {
                // It ended by itself meanwhile.
                Err(ClientError::Refused { .. }) => client.ramp(view.id)?,
                outcome => outcome?,
            }
        } else {
            client.ramp(view.id)?
        };
        watch(&view);
    }
    let mut run = Run::new(plan.name.clone(), client.results(view.id)?, interrupted);
    run.faults = injected;
    run.refresh();
    // An agent that does not record them has none.
    run.requests = client.requests().unwrap_or_default();
    Ok(run)
}

/// Quick enough for the eye, and nothing for the agent.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// The figures of a large fleet cost its manager milliseconds each time.
const LARGE_LOOK_INTERVAL: Duration = Duration::from_secs(1);
const LARGE: u32 = 2_000;
