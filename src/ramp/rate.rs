//! How many clusters are started in a time.

use super::Misread;
use std::fmt;
use std::time::Duration;

/// A rate above zero, such as `10/s`, `90/m` or `0.5/s`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    per_second: f64,
    text: String,
}

impl Rate {
    /// Reads `10/s`, `90/m`, `36/h` or `5`, which is a second's.
    pub fn parse(text: &str) -> Result<Rate, Misread> {
        let problem =
            |part| Misread::new(text, part, "not a rate; write clusters a second, minute or hour: 10/s, 90/m, 36/h");
        let (count, unit) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(problem(unit)),
        };
        let count: f64 = count.trim().parse().map_err(|_| problem(count))?;
        let per_second = count / seconds;
        if !(SLOWEST..=FASTEST).contains(&per_second) {
            return Err(Misread::new(text, text, "not a rate from one a day to 10,000 a second"));
        }
        Ok(Rate { per_second, text: text.trim().to_owned() })
    }

    /// Clusters a second.
    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Time between two.
    pub fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.per_second)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.text.contains('/') { Ok(()) } else { f.write_str("/s") }
    }
}

/// One a day.
const SLOWEST: f64 = 1.0 / 86_400.0;
/// More than any agent starts.
const FASTEST: f64 = 10_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_times_between_two() {
        for (text, interval_ms, shown) in [
            ("10/s", 100, "10/s"),
            ("90/m", 667, "90/m"),
            ("2", 500, "2/s"),
            ("0.5/s", 2_000, "0.5/s"),
            ("36/h", 100_000, "36/h"),
        ] {
            let rate = Rate::parse(text).unwrap();
            assert_eq!((rate.interval().as_secs_f64() * 1000.0).round() as u64, interval_ms, "{text}");
            assert_eq!(rate.to_string(), shown);
        }
        for text in ["", "x", "10/d", "0/s", "-1/s", "inf", "NaN", "1e30/s", "0.00001/h", "10/"] {
            assert!(Rate::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wrong_unit_is_pointed_at() {
        assert!(Rate::parse("10/d").unwrap_err().pointed().starts_with("\n  10/d\n     ^ not a rate"));
    }
}
