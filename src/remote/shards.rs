//! Several agents that share one fleet: whether their shards make a whole, and how their ramp stands in one view.

use super::{Client, ClientError};
use crate::config::Shard;
use crate::manager::{FailureView, MilestoneView, RampState, RampView};
use std::collections::BTreeMap;

/// Why agents cannot do a ramp together.
#[derive(Debug, thiserror::Error)]
pub enum ShardsError {
    /// One of them cannot be asked.
    #[error(transparent)]
    Agent(#[from] ClientError),
    /// What it says of itself is not understood.
    #[error("the agent at {url} does not say which shard it has: {problem}")]
    Unknown {
        /// Its URL.
        url: String,
        /// Why.
        problem: String,
    },
    /// Two of them are the same.
    #[error("{one} and {other} are the same agent")]
    Same {
        /// The URL of one.
        one: String,
        /// The URL of the other.
        other: String,
    },
    /// Two of them would create the same clusters.
    #[error("{one} has Shard {of_one} and {other} has Shard {of_other}: they overlap")]
    Overlap {
        /// The URL of one.
        one: String,
        /// Its shard.
        of_one: Shard,
        /// The URL of the other.
        other: String,
        /// Its shard.
        of_other: Shard,
    },
    /// Some clusters would be nobody's.
    #[error("no agent is given for Shard {0}")]
    Missing(String),
}

impl ShardsError {
    /// What to do about it.
    pub fn remedy(&self) -> &str {
        match self {
            ShardsError::Agent(error) => error.remedy(),
            ShardsError::Unknown { .. } => "see that --agent leads to an agent of this version",
            ShardsError::Same { .. } => "give --agent once for each agent",
            ShardsError::Overlap { .. } => {
                "give each agent a Shard of its own, such as 1/3, 2/3 and 3/3, and restart it"
            }
            ShardsError::Missing(_) => "give --agent for every one, or start the agents with fewer shards",
        }
    }
}

/// Checks that these agents are different ones and that each cluster of a ramp is one agent's.
pub fn check_shards(agents: &[Client]) -> Result<(), ShardsError> {
    check(&agents.iter().map(Part::of).collect::<Result<Vec<_>, _>>()?)
}

/// What an agent says of itself.
struct Part {
    url: String,
    instance: String,
    shard: Shard,
}

impl Part {
    fn of(agent: &Client) -> Result<Part, ShardsError> {
        let health = agent.health()?;
        let field = |name: &str| health[name].as_str().unwrap_or_default().to_owned();
        let url = agent.url().to_owned();
        match Shard::parse(&field("shard"), "") {
            Ok(shard) => Ok(Part { url, instance: field("instance"), shard }),
            Err(problem) => Err(ShardsError::Unknown { url, problem }),
        }
    }
}

fn check(parts: &[Part]) -> Result<(), ShardsError> {
    for (position, part) in parts.iter().enumerate() {
        for other in &parts[..position] {
            let (one, other_url) = (other.url.clone(), part.url.clone());
            if part.instance == other.instance {
                return Err(ShardsError::Same { one, other: other_url });
            }
            // Of different counts, too: 1/2 and 2/3 have the fifth cluster both.
            if part.shard == other.shard || part.shard.count() != other.shard.count() {
                let (of_one, of_other) = (other.shard, part.shard);
                return Err(ShardsError::Overlap { one, of_one, other: other_url, of_other });
            }
        }
    }
    let count = parts.first().map_or(0, |part| part.shard.count());
    let is_there = |number: &u32| parts.iter().any(|part| part.shard.position(0) + 1 == *number);
    let missing: Vec<String> =
        (1..=count).filter(|number| !is_there(number)).map(|number| format!("{number}/{count}")).collect();
    if missing.is_empty() { Ok(()) } else { Err(ShardsError::Missing(missing.join(", "))) }
}

/// The parts of one ramp in one view, for as long as it is under way. Counts are sums; times, which have no sum, are those of the
/// slowest part, and no threshold is judged.
pub(super) fn together(views: &[RampView]) -> Option<RampView> {
    let (first, rest) = views.split_first()?;
    if rest.is_empty() {
        return Some(first.clone());
    }
    let state = if views.iter().all(|view| view.state.is_over()) {
        views.iter().map(|view| view.state).max()
    } else {
        views.iter().map(|view| view.state).min()
    };
    let mut milestones: Vec<MilestoneView> = Vec::new();
    let mut failures: BTreeMap<&str, u64> = BTreeMap::new();
    for view in views {
        for own in &view.milestones {
            match milestones.iter_mut().find(|known| known.name == own.name) {
                Some(known) => {
                    known.count += own.count;
                    known.p50_seconds = known.p50_seconds.max(own.p50_seconds);
                    known.p95_seconds = known.p95_seconds.max(own.p95_seconds);
                    known.p99_seconds = known.p99_seconds.max(own.p99_seconds);
                    known.max_seconds = known.max_seconds.max(own.max_seconds);
                }
                None => milestones.push(own.clone()),
            }
        }
        view.failures.iter().for_each(|own| *failures.entry(&own.cause).or_default() += own.count);
    }
    let sum = |field: fn(&RampView) -> u64| views.iter().map(field).sum::<u64>();
    let sum_32 = |field: fn(&RampView) -> u32| views.iter().map(field).fold(0, u32::saturating_add);
    let sum_of_rates = |field: fn(&RampView) -> f64| views.iter().map(field).sum::<f64>();
    Some(RampView {
        state: state.unwrap_or(RampState::Starting),
        clusters: sum_32(|view| view.clusters),
        elapsed_seconds: views.iter().map(|view| view.elapsed_seconds).fold(0.0, f64::max),
        due: sum_32(|view| view.due),
        started: sum_32(|view| view.started),
        created: sum(|view| view.created),
        active: sum(|view| view.active),
        active_now: sum(|view| view.active_now),
        failed: sum(|view| view.failed),
        under_way: sum(|view| view.under_way),
        already: sum(|view| view.already),
        in_flight: sum_32(|view| view.in_flight),
        behind: sum_32(|view| view.behind),
        behind_max: sum_32(|view| view.behind_max),
        disconnects: sum(|view| view.disconnects),
        starts_per_second: sum_of_rates(|view| view.starts_per_second),
        disconnects_per_second: sum_of_rates(|view| view.disconnects_per_second),
        rss_bytes: sum(|view| view.rss_bytes),
        milestones,
        failures: failures.into_iter().map(|(cause, count)| FailureView { cause: cause.to_owned(), count }).collect(),
        thresholds: Vec::new(),
        finished_at: None,
        ..first.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(parts: &[(&str, &str)]) -> String {
        let part = |(position, (instance, shard)): (usize, &(&str, &str))| Part {
            url: format!("http://{position}"),
            instance: (*instance).to_owned(),
            shard: Shard::parse(shard, "").unwrap(),
        };
        let parts: Vec<Part> = parts.iter().enumerate().map(part).collect();
        check(&parts).map_or_else(|error| error.to_string(), |()| "whole".to_owned())
    }

    #[test]
    fn shards_have_to_be_complete_and_apart() {
        assert_eq!(verdict(&[("a", "2/3"), ("b", "1/3"), ("c", "3/3")]), "whole");
        assert_eq!(verdict(&[("a", "1/3"), ("b", "3/3")]), "no agent is given for Shard 2/3");
        assert_eq!(verdict(&[("a", "2/4"), ("b", "3/4")]), "no agent is given for Shard 1/4, 4/4");
        assert_eq!(
            verdict(&[("a", "1/3"), ("b", "2/3"), ("c", "1/3")]),
            "http://0 has Shard 1/3 and http://2 has Shard 1/3: they overlap"
        );
        assert_eq!(
            verdict(&[("a", "1/2"), ("b", "2/3")]),
            "http://0 has Shard 1/2 and http://1 has Shard 2/3: they overlap"
        );
        assert_eq!(verdict(&[("a", "1/2"), ("a", "2/2")]), "http://0 and http://1 are the same agent");
    }
}
