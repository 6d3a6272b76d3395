//! The agent's directory and what lies in it.

use super::ConfigError;
use std::path::{Path, PathBuf};

/// The agent's directory, `~/.scale-cluster-agent` unless moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    pub(super) fn locate(
        flag: Option<PathBuf>,
        variable: Option<PathBuf>,
        user_home: Option<PathBuf>,
    ) -> Result<Home, ConfigError> {
        let given = flag.or(variable).filter(|path| !path.as_os_str().is_empty());
        let default = || user_home.filter(|path| !path.as_os_str().is_empty()).map(|home| home.join(DIRECTORY));
        given.or_else(default).map(Home).ok_or(ConfigError::NoHome)
    }

    /// The directory itself; it may not exist yet.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The configuration file, if there is one: `config`, or `config/config` where `config` is a directory.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        let config = self.0.join("config");
        let file = if config.is_dir() { config.join("config") } else { config };
        file.exists().then_some(file)
    }

    /// The user's own template, if there is one: `cluster.yaml` beside the configuration file, or in `config/`.
    pub(super) fn template_file(&self, config_file: Option<&Path>) -> Option<PathBuf> {
        let beside = config_file.and_then(Path::parent).map(Path::to_path_buf);
        beside
            .into_iter()
            .chain([self.0.join("config"), self.0.clone()])
            .map(|directory| directory.join("cluster.yaml"))
            .find(|template| template.is_file())
    }
}

const DIRECTORY: &str = ".scale-cluster-agent";
