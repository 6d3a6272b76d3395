//! The stages of a ramp: for how long how many clusters are started a second.

use super::{Misread, Rate};
use crate::config::{duration_text, parse_duration};
use std::fmt;
use std::time::Duration;

/// Stages, one after the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stages(Vec<Stage>);

/// One stage: the rate at its begin and at its end, between which it changes evenly; without a rate nothing is started.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Stage {
    pub length: Duration,
    pub rates: Option<(Rate, Rate)>,
}

impl Stages {
    /// Reads `2m:1/s,10m:1/s..10/s,30m:hold`.
    pub fn parse(text: &str) -> Result<Stages, Misread> {
        let stages: Vec<Stage> = text.split(',').map(|part| stage(text, part)).collect::<Result<_, _>>()?;
        if stages.len() > MOST_STAGES {
            return Err(Misread::new(text, text, format!("more than {MOST_STAGES} stages")));
        }
        if stages.iter().all(|stage| stage.rates.is_none()) {
            return Err(Misread::new(text, text, "no stage starts a cluster: give at least one a rate"));
        }
        Ok(Stages(stages))
    }

    /// One stage that starts so many at a rate; `None` if it takes longer than a stage may.
    pub fn constant(rate: &Rate, clusters: u32) -> Option<Stages> {
        let length = Duration::try_from_secs_f64(f64::from(clusters) / rate.per_second()).ok()?;
        // To the microsecond, upwards, so that the text of it starts as many.
        let length = Duration::from_micros(u64::try_from(length.as_nanos().div_ceil(1_000)).ok()?);
        (length <= LONGEST).then(|| Stages(vec![Stage { length, rates: Some((rate.clone(), rate.clone())) }]))
    }

    /// The same rates in a share of the time.
    pub fn scaled(&self, factor: f64) -> Stages {
        let scaled = |stage: &Stage| {
            let length = Duration::from_millis((stage.length.as_secs_f64() * factor * 1e3).round().max(1.0) as u64);
            Stage { length, rates: stage.rates.clone() }
        };
        Stages(self.iter().map(scaled).collect())
    }

    /// The stages in order.
    pub fn iter(&self) -> impl Iterator<Item = &Stage> {
        self.0.iter()
    }

    /// How many clusters they start in all.
    pub fn clusters(&self) -> u32 {
        // What rounding takes off a whole number is given back.
        (self.iter().map(Stage::clusters).sum::<f64>() + ROUNDING).floor() as u32
    }
}

impl Stage {
    /// How many clusters it starts, as a share counts.
    pub fn clusters(&self) -> f64 {
        let (from, to) = self.per_second();
        self.length.as_secs_f64() * (from + to) / 2.0
    }

    /// Clusters a second at its begin and at its end.
    pub(super) fn per_second(&self) -> (f64, f64) {
        self.rates.as_ref().map_or((0.0, 0.0), |(from, to)| (from.per_second(), to.per_second()))
    }
}

fn stage(text: &str, part: &str) -> Result<Stage, Misread> {
    let Some((length, rates)) = part.split_once(':') else {
        return Err(Misread::new(text, part, "not a stage; write LENGTH:RATE or LENGTH:hold, such as 10m:5/s"));
    };
    let problem = |problem| Misread::new(text, length, problem);
    let length = parse_duration(length.trim()).map_err(|error| problem(error.to_string()))?;
    if length.is_zero() || length > LONGEST {
        return Err(problem("a stage takes from a millisecond to a week".into()));
    }
    let rate = |part: &str| Rate::parse(part).map_err(|misread| misread.within(text, rates));
    let rates = match rates.split_once("..") {
        _ if rates.trim() == "hold" => None,
        Some((from, to)) => {
            let to = Rate::parse(to).map_err(|misread| misread.within(text, to))?;
            Some((rate(from)?, to))
        }
        None => Some((rate(rates)?, rate(rates)?)),
    };
    Ok(Stage { length, rates })
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, stage) in self.0.iter().enumerate() {
            let comma = if position > 0 { "," } else { "" };
            write!(f, "{comma}{stage}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", duration_text(self.length))?;
        match &self.rates {
            None => f.write_str("hold"),
            Some((from, to)) if from == to => from.fmt(f),
            Some((from, to)) => write!(f, "{from}..{to}"),
        }
    }
}

/// A stage's length is exact to a nanosecond or so, and no rate is above 10,000 a second.
const ROUNDING: f64 = 1e-4;
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// More than anybody writes by hand.
const MOST_STAGES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_say_how_many_clusters_they_start() {
        for (text, clusters) in [
            ("2m:1/s,10m:10/s,30m:hold", 6_120),
            ("1m:1/s..9/s", 300),
            ("10s:0.1/s", 1),
            ("1s:hold,500ms:3/s", 1),
            ("1h:36/h", 36),
        ] {
            let stages = Stages::parse(text).unwrap();
            assert_eq!(stages.clusters(), clusters, "{text}");
            assert_eq!(Stages::parse(&stages.to_string()).unwrap(), stages, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (text, mark) in [
            ("2m:1/s,10m", "       ^^^ not a stage"),
            ("2m:1/s,10:5/s", "       ^^ "),
            ("2m:1/s,10m:fast", "           ^^^^ not a rate"),
            ("2m:1/s..9/x", "          ^ not a rate"),
            ("2m:hold", "^^^^^^^ no stage starts"),
            ("0s:1/s", "^^ a stage takes"),
            ("", "^ not a stage"),
        ] {
            let shown = Stages::parse(text).unwrap_err().pointed();
            let line = shown.lines().last().unwrap().strip_prefix("  ").unwrap();
            assert!(line.starts_with(mark), "{shown}");
        }
    }
}
