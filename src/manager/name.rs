//! Names of clusters.

use std::fmt;
use std::sync::Arc;

/// A DNS-1123 label (RFC 1123 §2.1), which is what Rancher accepts as a cluster's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterName(Arc<str>);

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("the name is empty")]
    Empty,
    /// Longer than a label may be.
    #[error("the name has {0} characters, at most {MAX_LENGTH} are allowed")]
    TooLong(usize),
    /// A character outside the label's alphabet.
    #[error("character {position} of the name is {found:?}; only a-z, 0-9 and '-' are allowed")]
    Character {
        /// Counted from 1.
        position: usize,
        /// The offender.
        found: char,
    },
    /// A hyphen at either end.
    #[error("the name {0} with '-'; it must begin and end with a letter or digit")]
    Hyphen(&'static str),
}

impl ClusterName {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<ClusterName, NameError> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some((index, found)) = text.chars().enumerate().find(|(_, c)| !is_allowed(*c)) {
            return Err(NameError::Character { position: index + 1, found });
        }
        if text.len() > MAX_LENGTH {
            return Err(NameError::TooLong(text.len()));
        }
        match (text.starts_with('-'), text.ends_with('-')) {
            (true, _) => Err(NameError::Hyphen("begins")),
            (_, true) => Err(NameError::Hyphen("ends")),
            _ => Ok(ClusterName(text.into())),
        }
    }

    /// The name as shared text.
    pub fn as_arc(&self) -> &Arc<str> {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ClusterName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 1035 §2.3.4.
const MAX_LENGTH: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_accepted() {
        for name in ["a", "edge-0001", "0", &"x".repeat(63)] {
            assert_eq!(ClusterName::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn the_error_points_at_the_character() {
        for (name, error) in [
            ("", NameError::Empty),
            ("Edge", NameError::Character { position: 1, found: 'E' }),
            ("a_b", NameError::Character { position: 2, found: '_' }),
            ("kä", NameError::Character { position: 2, found: 'ä' }),
            ("-a", NameError::Hyphen("begins")),
            ("a-", NameError::Hyphen("ends")),
            (&"x".repeat(64), NameError::TooLong(64)),
        ] {
            assert_eq!(ClusterName::parse(name), Err(error), "{name}");
        }
    }
}
