//! What was asked of the clusters from a ramp's begin to its end.

use super::ramp::Ramp;
use super::{Fleet, Now};
use crate::telemetry::RequestTotals;
use serde_json::Value;
use std::time::Duration;

/// The requests of a ramp's time.
#[derive(Debug)]
pub(super) struct Asked(Line);

#[derive(Debug)]
enum Line {
    /// Whatever comes on top of what was asked before.
    Open(Box<RequestTotals>),
    /// These.
    Drawn(Vec<Value>),
}

impl Asked {
    /// From now on, when this was asked.
    pub(super) fn since(before: RequestTotals) -> Asked {
        Asked(Line::Open(Box::new(before)))
    }

    /// Whether more may come.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.0, Line::Open(_))
    }

    /// By verb, resource and code, where the totals of now are these.
    pub(super) fn rows(&self, totals: impl FnOnce() -> RequestTotals) -> Vec<Value> {
        match &self.0 {
            // Names, numbers and times always serialise.
            Line::Open(before) => {
                totals().requests_since(before).iter().filter_map(|row| serde_json::to_value(row).ok()).collect()
            }
            Line::Drawn(rows) => rows.clone(),
        }
    }
}

impl Fleet {
    /// Draws the line under what was asked, once the workers have told of the last of it.
    pub(super) fn conclude_requests(&self, ramp: &mut Ramp, now: Now) {
        let told = |end: Now| now.instant.saturating_duration_since(end.instant) >= TOTALS_AGE;
        let is_told = ramp.finished.is_some_and(told);
        if let Some(asked) = ramp.asked.as_mut().filter(|_| is_told) {
            *asked = Asked(Line::Drawn(asked.rows(|| self.all_requests())));
        }
    }
}

/// How old the workers' totals are at most.
const TOTALS_AGE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::super::ramp::tests::{begin, results, view};
    use super::super::tests::Play;
    use crate::engine::Event;
    use crate::manager::RampState;
    use crate::telemetry::{Recorder, Request};
    use serde_json::json;

    #[test]
    fn what_was_asked_before_and_after_is_not_the_ramp_s() {
        let mut play = Play::new();
        let mut recorder = Recorder::default();
        let mut ask = |play: &mut Play, resource| {
            let user_agent = "rancher";
            let request = Request { verb: "list", resource, code: 200, is_watch: false, user_agent, received_bytes: 0 };
            recorder.begin(&mut Default::default(), &request, play.now.wall);
            let totals = Box::new(recorder.take_changed().unwrap());
            play.event(Event::Requested { worker: 0, totals });
        };
        ask(&mut play, "v1/nodes");
        ask(&mut play, "v1/pods");
        let number = begin(&mut play, &json!({"prefix": "edge-", "clusters": 1, "width": 0, "timeout": "1s"}));
        ask(&mut play, "v1/pods");
        play.pass(1);
        assert_eq!(view(&mut play, number).state, RampState::Done);
        // What the workers knew already.
        ask(&mut play, "v1/secrets");
        play.pass(1);
        ask(&mut play, "v1/pods");
        play.pass(60);
        let asked = results(&mut play, number).requests;
        let asked: Vec<_> =
            asked.iter().map(|row| (row["resource"].as_str().unwrap(), row["count"].as_u64())).collect();
        assert_eq!(asked, [("v1/pods", Some(1)), ("v1/secrets", Some(1))]);
    }
}
