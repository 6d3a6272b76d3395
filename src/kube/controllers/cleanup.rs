//! Rancher's farewell: the Job with which it has a cluster clean up after itself.

use super::Happening;
use crate::kube::Cluster;

impl Cluster {
    /// Notes a Job that runs the agent's clean-up (rancher/rancher `pkg/controllers/management/usercontrollers`).
    pub(super) fn note_cleanup(&mut self, happening: &Happening<'_>) {
        if happening.is_new() && happening.served.is("batch", "jobs") {
            self.cleanup_asked |= happening.write.object.body.mentions(CLEANUP_VARIABLE);
        }
    }
}

/// The environment variable that makes the agent's image clean up instead of connecting.
const CLEANUP_VARIABLE: &str = "\"CLUSTER_CLEANUP\"";

#[cfg(test)]
mod tests {
    use crate::kube::testing::Bench;
    use serde_json::json;

    #[test]
    fn only_the_cleanup_job_is_a_farewell() {
        let mut bench = Bench::new();
        let job = |variable: &str| {
            let container = json!({"name": "agent", "image": "agent:1", "env": [{"name": variable, "value": "true"}]});
            json!({
                "metadata": {"generateName": "cattle-cleanup-"},
                "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
            })
        };
        for (variable, asked) in [("CATTLE_CLUSTER", false), ("CLUSTER_CLEANUP", true)] {
            bench.post("/apis/batch/v1/namespaces/default/jobs", job(variable)).ok();
            assert_eq!(bench.cluster.is_cleanup_asked(), asked, "{variable}");
        }
    }
}
