//! What runs pods, and what limits, scales and schedules them.

use super::resource::NameRule;
use super::row::{Field, GroupVersion, SCALE, STATUS, cluster, namespaced};

pub(super) const APPS_V1: GroupVersion = GroupVersion {
    group: "apps",
    version: "v1",
    rows: &[
        namespaced("controllerrevisions", "ControllerRevision"),
        namespaced("daemonsets", "DaemonSet").short(&["ds"]).category(&["all"]).with(&[STATUS]),
        namespaced("deployments", "Deployment").short(&["deploy"]).category(&["all"]).with(&[SCALE, STATUS]),
        namespaced("replicasets", "ReplicaSet").short(&["rs"]).category(&["all"]).with(&[SCALE, STATUS]),
        namespaced("statefulsets", "StatefulSet")
            .short(&["sts"])
            .category(&["all"])
            .with(&[SCALE, STATUS])
            .named(NameRule::Label),
    ],
};

pub(super) const BATCH_V1: GroupVersion = GroupVersion {
    group: "batch",
    version: "v1",
    rows: &[
        namespaced("cronjobs", "CronJob").short(&["cj"]).category(&["all"]).with(&[STATUS]),
        namespaced("jobs", "Job").category(&["all"]).with(&[STATUS]).selectable(&[Field(
            "status.successful",
            "status.succeeded",
            "0",
        )]),
    ],
};

pub(super) const AUTOSCALING_V2: GroupVersion = GroupVersion {
    group: "autoscaling",
    version: "v2",
    rows: &[namespaced("horizontalpodautoscalers", "HorizontalPodAutoscaler")
        .short(&["hpa"])
        .category(&["all"])
        .with(&[STATUS])],
};

pub(super) const AUTOSCALING_V1: GroupVersion = GroupVersion {
    group: "autoscaling",
    version: "v1",
    rows: &[namespaced("horizontalpodautoscalers", "HorizontalPodAutoscaler")
        .short(&["hpa"])
        .category(&["all"])
        .with(&[STATUS])
        .stored_as("autoscaling", "v2")],
};

pub(super) const POLICY_V1: GroupVersion = GroupVersion {
    group: "policy",
    version: "v1",
    rows: &[namespaced("poddisruptionbudgets", "PodDisruptionBudget").short(&["pdb"]).with(&[STATUS])],
};

pub(super) const SCHEDULING_V1: GroupVersion = GroupVersion {
    group: "scheduling.k8s.io",
    version: "v1",
    rows: &[cluster("priorityclasses", "PriorityClass").short(&["pc"])],
};

pub(super) const NODE_V1: GroupVersion =
    GroupVersion { group: "node.k8s.io", version: "v1", rows: &[cluster("runtimeclasses", "RuntimeClass")] };
