//! Which clusters a fault hits.

use super::{FaultError, Share};
use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Which clusters: those that meet every condition, and of these as many as are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// What their names begin with.
    pub prefix: Option<String>,
    /// Their names; empty for any.
    pub names: BTreeSet<String>,
    /// The Rancher that they are registered with, as the configuration calls it.
    pub server: Option<String>,
    /// How many of them.
    pub amount: Amount,
}

/// How many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Amount {
    /// All.
    #[default]
    All,
    /// A share, rounded up.
    Share(Share),
    /// So many, or all if there are fewer.
    Count(u32),
}

impl Selection {
    /// The clusters among `candidates` (name and server, in the order of their names); the same seed takes the same ones.
    pub fn resolve<'a, N: Borrow<str> + Clone + 'a>(
        &self,
        candidates: impl Iterator<Item = (&'a N, &'a str)>,
        seed: u64,
    ) -> Vec<N> {
        let matching = candidates.filter(|(name, server)| {
            let name = Borrow::<str>::borrow(*name);
            self.prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
                && (self.names.is_empty() || self.names.contains(name))
                && self.server.as_ref().is_none_or(|wanted| wanted == server)
        });
        let mut names: Vec<N> = matching.map(|(name, _)| name.clone()).collect();
        let count = match self.amount {
            Amount::All => return names,
            Amount::Share(share) => share.of(names.len()),
            Amount::Count(count) => names.len().min(count as usize),
        };
        fastrand::Rng::with_seed(seed).shuffle(&mut names);
        names.truncate(count);
        names
    }
}

impl FromStr for Selection {
    type Err = FaultError;

    /// Reads `prefix=edge-,10%`: conditions and an amount, with commas between them; `all` is no condition.
    fn from_str(text: &str) -> Result<Selection, FaultError> {
        let bad = |part: &str, expected: &str| FaultError::bad_value("select", part, expected);
        let mut selection = Selection::default();
        if text.trim().is_empty() {
            return Err(bad(text, EXPECTED));
        }
        for part in text.split(',').map(str::trim) {
            match part.split_once('=').map_or((part, ""), |(key, value)| (key.trim(), value.trim())) {
                ("all", "") => {}
                ("prefix", prefix) if !prefix.is_empty() => selection.prefix = Some(prefix.into()),
                ("name", name) if !name.is_empty() => drop(selection.names.insert(name.into())),
                ("server", server) if !server.is_empty() => selection.server = Some(server.into()),
                ("count", count) => {
                    let count = count.parse().ok().filter(|count| *count > 0);
                    selection.amount = Amount::Count(count.ok_or_else(|| bad(part, "count= and a number from 1"))?);
                }
                (share, "") if share.ends_with('%') => {
                    selection.amount = Amount::Share(share.parse().map_err(|expected| bad(part, expected))?);
                }
                _ => return Err(bad(part, EXPECTED)),
            }
        }
        Ok(selection)
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix.iter().map(|prefix| format!("prefix={prefix}"));
        let names = self.names.iter().map(|name| format!("name={name}"));
        let server = self.server.iter().map(|server| format!("server={server}"));
        let mut parts: Vec<String> = prefix.chain(names).chain(server).collect();
        match self.amount {
            Amount::Share(share) => parts.push(share.to_string()),
            Amount::Count(count) => parts.push(format!("count={count}")),
            Amount::All if parts.is_empty() => parts.push("all".into()),
            Amount::All => {}
        }
        f.write_str(&parts.join(","))
    }
}

const EXPECTED: &str = "a selection such as all, prefix=edge-,10% or name=edge-1,name=edge-2 or server=east,count=50";

#[cfg(test)]
mod tests {
    use super::*;

    fn names(selection: &str, seed: u64) -> Vec<String> {
        let fleet: Vec<(String, &str)> = (0..100)
            .map(|number| match number % 2 {
                0 => (format!("edge-{number:02}"), "east"),
                _ => (format!("far-{number:02}"), "west"),
            })
            .collect();
        let selection: Selection = selection.parse().unwrap();
        selection.resolve(fleet.iter().map(|(name, server)| (name, *server)), seed)
    }

    #[test]
    fn conditions_come_before_the_amount() {
        assert_eq!(names("all", 1).len(), 100);
        assert_eq!(names("prefix=edge-", 1).len(), 50);
        assert_eq!(names("server=west,count=3", 1).len(), 3);
        assert_eq!(names("count=1000", 1).len(), 100);
        assert_eq!(names("name=edge-02,name=far-03,name=none", 1), ["edge-02", "far-03"]);
        let chosen = names("prefix=edge-,10%", 1);
        assert_eq!(chosen.len(), 5);
        assert!(chosen.iter().all(|name| name.starts_with("edge-")), "{chosen:?}");
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(names("10%", 7), names("10%", 7));
        assert_ne!(names("10%", 7), names("10%", 8));
    }

    #[test]
    fn selections_are_written_as_they_are_read() {
        for text in ["all", "prefix=edge-,10%", "name=a,name=b", "prefix=e,server=east,count=50"] {
            assert_eq!(text.parse::<Selection>().unwrap().to_string(), text);
        }
        for (text, part) in
            [("", ""), ("prefix=", "prefix="), ("10", "10"), ("prefix=a,200%", "200%"), ("count=0", "count=0")]
        {
            match text.parse::<Selection>() {
                Err(FaultError::BadValue { field, value, .. }) => {
                    assert_eq!((field.as_str(), value.as_str()), ("select", part))
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
