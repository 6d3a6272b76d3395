//! What pages show beside the manager's answer.

use super::audit::Auditor;
use crate::manager::HealthView;
use crate::telemetry::Metrics;
use std::sync::Arc;

/// What the manager does not know of.
pub(super) struct Surroundings {
    /// What the agent counts.
    pub(super) metrics: Metrics,
    /// Who keeps the audit log.
    pub(super) auditor: Arc<Auditor>,
}

impl Surroundings {
    /// Adds to the agent's health.
    pub(super) fn complete(&self, health: &mut HealthView) {
        if let Some(problem) = self.auditor.problem() {
            health.problems.push(problem);
            health.status = "failing";
        }
    }
}
