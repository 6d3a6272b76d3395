//! A share of something, such as 10 %.

use std::fmt;
use std::str::FromStr;

/// A share in hundredths of a percent, from one of them to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// Everything.
    pub const ALL: Share = Share(WHOLE);

    /// The share as a probability.
    pub fn probability(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// How many of `total` it is, rounded up: a share of something is never nothing.
    pub fn of(self, total: usize) -> usize {
        (total as u64 * u64::from(self.0)).div_ceil(u64::from(WHOLE)) as usize
    }
}

impl FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Share, &'static str> {
        let percent: f64 = text.strip_suffix('%').and_then(|text| text.trim().parse().ok()).ok_or(Share::EXPECTED)?;
        let hundredths = (percent * 100.0).round();
        if !(1.0..=f64::from(WHOLE)).contains(&hundredths) {
            return Err(Share::EXPECTED);
        }
        Ok(Share(hundredths as u32))
    }
}

impl Share {
    pub(super) const EXPECTED: &'static str = "a share from 0.01% to 100%";
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 100.0)
    }
}

/// All of it, in hundredths of a percent.
const WHOLE: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_as_they_are_read() {
        for text in ["10%", "0.01%", "100%", "33.33%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for text in ["", "%", "10", "0%", "0.001%", "101%", "-5%", "NaN%", "inf%", "x%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_of_something_is_never_nothing() {
        let tenth: Share = "10%".parse().unwrap();
        assert_eq!([0, 1, 10, 11, 1_000].map(|total| tenth.of(total)), [0, 1, 1, 2, 100]);
        assert_eq!(Share::ALL.of(7), 7);
    }
}
