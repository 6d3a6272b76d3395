//! What is asked of new clusters.

use super::{ClusterName, NameError};
use std::time::Duration;

/// What a new cluster is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The Rancher to register it with; `None` leaves the choice to the agent.
    pub server: Option<String>,
    /// The template it is made from; `None` is the configured one.
    pub template: Option<String>,
    /// Whether a cluster of its name that Rancher has already, and that nothing is connected for, becomes this agent's.
    pub adopt: bool,
}

/// A cluster in Rancher that this agent created and knows no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Its name.
    pub name: ClusterName,
    /// The Rancher it is in.
    pub server: String,
}

/// Which clusters to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkCreate {
    /// What their names begin with.
    pub prefix: String,
    /// How many.
    pub count: u32,
    /// The number of the first.
    pub start: u32,
    /// Digits of the number, with leading zeros; 0 writes it as it is.
    pub width: u8,
    /// What each is to be.
    pub wanted: Wanted,
    /// Time between the starts of two; `None` starts as many as Rancher keeps up with.
    pub interval: Option<Duration>,
}

impl BulkCreate {
    /// The name at `position`, from 0.
    pub fn name(&self, position: u32) -> Result<ClusterName, NameError> {
        let number = u64::from(self.start) + u64::from(position);
        ClusterName::parse(&format!("{}{number:0width$}", self.prefix, width = usize::from(self.width)))
    }

    /// Whether every name is one: the first and the last have the fewest and the most digits.
    pub fn check_names(&self) -> Result<(), NameError> {
        self.name(0)?;
        self.name(self.count.saturating_sub(1)).map(drop)
    }
}

/// Reads a rate such as `10/s`, `90/m` or `5` (a second) as the time between two.
pub fn parse_rate(text: &str) -> Result<Duration, String> {
    let problem = || format!("{text:?} is no rate");
    let (count, unit) = text.split_once('/').unwrap_or((text, "s"));
    let unit = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(problem()),
    };
    let count: f64 = count.trim().parse().map_err(|_| problem())?;
    let interval = Duration::try_from_secs_f64(unit / count).map_err(|_| problem())?;
    if interval.is_zero() || interval > LONGEST_INTERVAL { Err(problem()) } else { Ok(interval) }
}

/// One a day is no rate that anybody means.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_times_between_two() {
        for (text, interval_ms) in [("10/s", 100), ("90/m", 667), ("2", 500), ("0.5/s", 2_000), ("36/h", 100_000)] {
            let interval = parse_rate(text).unwrap();
            assert_eq!((interval.as_secs_f64() * 1000.0).round() as u64, interval_ms, "{text}");
        }
        for text in ["", "x", "10/d", "0/s", "-1/s", "inf", "NaN", "1e30/s", "0.00001/h"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_numbered() {
        let mut bulk = BulkCreate {
            prefix: "edge-".into(),
            count: 10,
            start: 8,
            width: 3,
            wanted: Wanted::default(),
            interval: None,
        };
        assert_eq!(bulk.name(0).unwrap().to_string(), "edge-008");
        assert_eq!(bulk.name(9).unwrap().to_string(), "edge-017");
        bulk.width = 0;
        assert_eq!(bulk.name(9).unwrap().to_string(), "edge-17");
        assert_eq!(bulk.check_names(), Ok(()));
        bulk.prefix = "x".repeat(62);
        assert_eq!(bulk.check_names(), Err(NameError::TooLong(64)), "the first fits, the last does not");
    }
}
