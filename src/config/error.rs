//! Why a configuration cannot be used.

use super::Origin;
use std::io;
use std::path::PathBuf;

/// What is wrong with a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misread {
    /// With which entry of it, from 0, if it is a list.
    pub(super) entry: Option<usize>,
    pub(super) problem: String,
}

impl Misread {
    /// Something is wrong with an entry of a list.
    pub(super) fn in_entry(entry: usize, problem: impl std::fmt::Display) -> Misread {
        Misread { entry: Some(entry), problem: format!("entry {}: {problem}", entry + 1) }
    }
}

impl From<String> for Misread {
    fn from(problem: String) -> Misread {
        Misread { entry: None, problem }
    }
}

impl From<&str> for Misread {
    fn from(problem: &str) -> Misread {
        problem.to_owned().into()
    }
}

/// Why a configuration cannot be used: what is wrong and where. [`ConfigError::remedy`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither `$HOME` nor another home is known.
    #[error("the home directory is unknown: HOME is not set")]
    NoHome,
    /// A file cannot be read.
    #[error("cannot read {what} {}: {source}", path.display())]
    Unreadable {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration file is not a YAML mapping of keys to values.
    #[error("{}:{line}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the YAML reader says.
        problem: String,
    },
    /// A key that no setting has.
    #[error("{origin}: unknown key `{key}`")]
    UnknownKey {
        /// File and line.
        origin: Origin,
        /// The key as written.
        key: String,
        /// The setting that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A key that is given twice in the file.
    #[error("{origin}: `{key}` was given in line {first_line} already")]
    Duplicate {
        /// File and line of the second.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// Line of the first.
        first_line: usize,
    },
    /// A value of the wrong type, out of range, or at odds with another.
    #[error("{origin}: {key}: {problem}")]
    BadValue {
        /// Where the value comes from.
        origin: Origin,
        /// The setting.
        key: &'static str,
        /// What is wrong with the value.
        problem: String,
        /// What a good value looks like, with an example.
        expected: String,
    },
    /// A setting that this subcommand cannot do without.
    #[error("{}{key} is not set", of(server))]
    Missing {
        /// The setting.
        key: &'static str,
        /// The one of several servers that lacks it.
        server: Option<String>,
        /// How to set it.
        remedy: String,
    },
}

fn of(server: &Option<String>) -> String {
    server.as_ref().map(|name| format!("server {name}: ")).unwrap_or_default()
}

impl ConfigError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            ConfigError::NoHome => "give --home DIR or set SCALE_AGENT_HOME".into(),
            ConfigError::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check the path, or leave it out to use the default".into()
            }
            ConfigError::Unreadable { .. } => "check that it is a text file and that this user may read it".into(),
            ConfigError::Malformed { .. } => "write one `Key: value` a line, as in config/config.yaml".into(),
            ConfigError::UnknownKey { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            ConfigError::UnknownKey { .. } => "remove it; --help lists all keys".into(),
            ConfigError::Duplicate { .. } => "keep one of the two".into(),
            ConfigError::BadValue { expected, .. } => format!("expected {expected}"),
            ConfigError::Missing { remedy, .. } => remedy.clone(),
        }
    }
}
