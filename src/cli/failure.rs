//! How a subcommand fails, and how that is shown.

use crate::config::{ConfigError, Origin};
use crate::template::TemplateError;
use std::io::Write;
use std::process::ExitCode;

/// What happened, why, and what to do next.
#[derive(Debug)]
pub struct Failure {
    what: String,
    causes: Vec<String>,
    remedy: Option<String>,
    usage: bool,
}

impl Failure {
    /// What happened and to what, in one line.
    pub fn new(what: impl Into<String>) -> Failure {
        Failure { what: what.into(), causes: Vec::new(), remedy: None, usage: false }
    }

    /// Adds a cause.
    pub fn cause(mut self, cause: impl std::fmt::Display) -> Failure {
        self.causes.push(cause.to_string());
        self
    }

    /// Says what it is about, in front.
    pub fn context(mut self, context: impl std::fmt::Display) -> Failure {
        self.what = format!("{context}: {}", self.what);
        self
    }

    /// Says what to do about it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Failure {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says that the command line itself is wrong.
    pub fn usage(mut self) -> Failure {
        self.usage = true;
        self
    }

    /// 2 for wrong usage, else 1.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.usage { 2 } else { 1 })
    }

    /// Writes it to standard error.
    pub(super) fn print(&self) {
        let mut text = format!("error: {}\n", self.what);
        for line in self.causes.iter().chain(&self.remedy).flat_map(|part| part.lines()) {
            text.push_str("  ");
            text.push_str(line);
            text.push('\n');
        }
        // Nothing is left to be told if standard error is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        self.causes.iter().chain(&self.remedy).try_for_each(|part| write!(f, "; {part}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        let failure = Failure::new(error.to_string()).remedy(error.remedy());
        match error {
            ConfigError::BadValue { origin: Origin::Flag(_), .. } => failure.usage(),
            _ => failure,
        }
    }
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Failure {
        Failure::new(error.to_string()).remedy(format!("expected {}", error.expected))
    }
}
