//! Settings from environment variables.

use super::{ConfigError, Origin, SETTINGS, Setting, Settings, VARIABLE_PREFIX};
use crate::yaml::nearest;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variables of ours in the environment.
pub(super) struct Environment(Vec<(String, OsString)>);

impl Environment {
    pub(super) fn new(all: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
        let ours = |(name, value): (OsString, OsString)| {
            let name = name.into_string().ok()?;
            name.starts_with(VARIABLE_PREFIX).then_some((name, value))
        };
        Environment(all.into_iter().filter_map(ours).collect())
    }

    fn get(&self, name: &str) -> Option<&OsString> {
        self.0.iter().find(|(ours, _)| ours == name).map(|(_, value)| value)
    }

    /// The agent's directory, if a variable moves it.
    pub(super) fn home(&self) -> Option<PathBuf> {
        self.get(HOME_VARIABLE).map(PathBuf::from)
    }

    /// Takes a setting's value from its variable, if it is set.
    pub(super) fn apply(
        &self,
        setting: &'static Setting,
        settings: &mut Settings,
        origin: &mut Origin,
    ) -> Result<(), ConfigError> {
        let variable = setting.variable();
        let Some(value) = self.get(&variable) else { return Ok(()) };
        let here = Origin::Environment(variable);
        if setting.flag_only {
            return Err(setting.only_by_flag(here));
        }
        let set = match value.to_str() {
            Some(text) => setting.kind.set_text(settings, text, Path::new("")),
            None => Err("it is not UTF-8".into()),
        };
        match set {
            Ok(()) => *origin = here,
            Err(problem) => return Err(setting.bad_value(here, problem)),
        }
        Ok(())
    }

    /// A warning for each variable of ours that no setting has; not an error, since others may share the prefix.
    pub(super) fn unknown(&self) -> Vec<String> {
        let known: Vec<String> = SETTINGS.iter().map(Setting::variable).chain([HOME_VARIABLE.to_string()]).collect();
        self.0
            .iter()
            .filter(|(name, _)| !known.contains(name))
            .map(|(name, _)| match nearest(name, known.iter().map(String::as_str)) {
                Some(meant) => format!("environment variable {name} is unknown and ignored; did you mean {meant}?"),
                None => format!("environment variable {name} is unknown and ignored"),
            })
            .collect()
    }
}

/// Moves the agent's directory.
const HOME_VARIABLE: &str = "SCALE_AGENT_HOME";
