//! Which part of every ramp an agent takes, where several share a fleet.

use std::fmt;

/// One of `count` agents: of all that is created by plan it takes every `count`-th cluster. The default takes them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0, and below `count`.
    index: u32,
    count: u32,
}

impl Default for Shard {
    fn default() -> Shard {
        Shard { index: 0, count: 1 }
    }
}

impl Shard {
    /// Reads `2/3`, the second of three; `auto/3` takes the number at the end of the host's name, from 0, as the pods of a
    /// StatefulSet have it: `agent-1` is `2/3`.
    pub fn parse(text: &str, host_name: &str) -> Result<Shard, String> {
        let (number, count) = text.split_once('/').ok_or_else(|| format!("`{text}` is not NUMBER/COUNT"))?;
        let whole = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= MOST);
        let count = whole(count).filter(|count| *count > 0);
        let count = count.ok_or_else(|| format!("`{text}` does not end with a number from 1 to {MOST}"))?;
        if number == "auto" {
            let digits = host_name.len() - host_name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            let ordinal = whole(&host_name[host_name.len() - digits..]);
            let index = ordinal.ok_or_else(|| format!("the host's name {host_name:?} does not end with a number"))?;
            if index >= count {
                return Err(format!("the host's name {host_name:?} ends with {index}, beyond the last of {count}"));
            }
            return Ok(Shard { index, count });
        }
        let number = whole(number).filter(|number| (1..=count).contains(number));
        number
            .map(|number| Shard { index: number - 1, count })
            .ok_or_else(|| format!("`{text}` does not begin with a number from 1 to {count}"))
    }

    /// Whether this agent takes everything.
    pub fn is_whole(self) -> bool {
        self.count == 1
    }

    /// How many agents share the fleet.
    pub fn count(self) -> u32 {
        self.count
    }

    /// How many of the first `total` clusters of a plan are its own.
    pub fn share(self, total: u32) -> u32 {
        total.saturating_sub(self.index).div_ceil(self.count)
    }

    /// Where in the whole plan its own cluster at `own` stands, both from 0.
    pub fn position(self, own: u32) -> u32 {
        own.saturating_mul(self.count).saturating_add(self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

/// More agents than clusters of one Rancher were ever spread over.
const MOST: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_shard_is_written_as_it_is_read() {
        for text in ["1/1", "2/3", "3/3", "1000/1000"] {
            assert_eq!(Shard::parse(text, "host").map(|shard| shard.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(Shard::parse("auto/3", "agent-2").unwrap().to_string(), "3/3");
        assert_eq!(Shard::parse("auto/20", "agent-10").unwrap().to_string(), "11/20");
    }

    #[test]
    fn what_is_no_shard_says_why() {
        for (text, host, problem) in [
            ("2", "h", "`2` is not NUMBER/COUNT"),
            ("0/3", "h", "`0/3` does not begin with a number from 1 to 3"),
            ("4/3", "h", "`4/3` does not begin with a number from 1 to 3"),
            ("1/0", "h", "`1/0` does not end with a number from 1 to 1000"),
            ("1/2000", "h", "`1/2000` does not end with a number from 1 to 1000"),
            ("auto/3", "agent", "the host's name \"agent\" does not end with a number"),
            ("auto/3", "agent-3", "the host's name \"agent-3\" ends with 3, beyond the last of 3"),
        ] {
            assert_eq!(Shard::parse(text, host), Err(problem.into()));
        }
    }

    proptest! {
        #[test]
        fn shards_have_every_position_once(count in 1u32..20, total in 0u32..200) {
            let mut positions = Vec::new();
            for index in 0..count {
                let shard = Shard { index, count };
                positions.extend((0..shard.share(total)).map(|own| shard.position(own)));
            }
            positions.sort_unstable();
            prop_assert_eq!(positions, (0..total).collect::<Vec<_>>());
        }
    }
}
