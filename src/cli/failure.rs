//! How a subcommand fails, and how that is shown.

use crate::config::ConfigError;
use crate::template::TemplateError;
use std::io::Write;

/// What happened, why, and what to do next.
#[derive(Debug)]
pub struct Failure {
    what: String,
    causes: Vec<String>,
    remedy: Option<String>,
}

impl Failure {
    /// What happened and to what, in one line.
    pub fn new(what: impl Into<String>) -> Failure {
        Failure { what: what.into(), causes: Vec::new(), remedy: None }
    }

    /// Adds a cause.
    pub fn cause(mut self, cause: impl std::fmt::Display) -> Failure {
        self.causes.push(cause.to_string());
        self
    }

    /// Says what to do about it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Failure {
        self.remedy = Some(remedy.into());
        self
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

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::new(error.to_string()).remedy(error.remedy())
    }
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Failure {
        Failure::new(error.to_string()).remedy(format!("expected {}", error.expected))
    }
}
