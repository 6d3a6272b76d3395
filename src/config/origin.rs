//! Where a value comes from.

use std::fmt;
use std::path::PathBuf;

/// The source that won for one setting; displayed as people look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// An environment variable.
    Environment(String),
    /// A line of the configuration file, from 1.
    File(PathBuf, usize),
    /// A command-line flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Environment(variable) => write!(f, "environment {variable}"),
            Origin::File(path, line) => write!(f, "file {}:{line}", path.display()),
            Origin::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}
