//! What is asked of new clusters.

use super::{ClusterName, NameError};
use crate::ramp::Spec;

/// What a new cluster is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The Rancher to register it with; `None` leaves the choice to the agent.
    pub server: Option<String>,
    /// The template it is made from; `None` is the configured one.
    pub template: Option<String>,
    /// Whether a cluster of its name that Rancher has already, and that nothing is connected for, becomes this agent's.
    pub adopt: bool,
    /// The run that it belongs to.
    pub run: Option<String>,
}

/// Which of the clusters something is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// Those whose names begin so.
    pub prefix: String,
    /// Those of this run only.
    pub run: Option<String>,
}

/// A cluster in Rancher that this agent created and knows no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Its name.
    pub name: ClusterName,
    /// The Rancher it is in.
    pub server: String,
}

impl Which {
    /// Whether the cluster of this name and run is one of them.
    pub fn picks(&self, name: &str, run: Option<&str>) -> bool {
        name.starts_with(&self.prefix) && (self.run.is_none() || self.run.as_deref() == run)
    }
}

impl Wanted {
    /// What a ramp wants of each of its clusters.
    pub(super) fn by(spec: &Spec) -> Wanted {
        Wanted {
            server: spec.server.clone(),
            template: spec.template.clone(),
            adopt: spec.adopt,
            run: spec.run.clone(),
        }
    }
}

/// Whether every name of a ramp is one: the first and the last have the fewest and the most digits.
pub fn check_names(spec: &Spec) -> Result<(), NameError> {
    ClusterName::parse(&spec.name(0))?;
    ClusterName::parse(&spec.name(spec.clusters.saturating_sub(1))).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_name_is_checked_too() {
        let mut spec = Spec { prefix: "x".repeat(62), clusters: 9, width: 0, ..Spec::default() };
        assert_eq!(check_names(&spec), Ok(()));
        spec.clusters = 10;
        assert_eq!(check_names(&spec), Err(NameError::TooLong(64)), "the first fits, the last does not");
    }
}
