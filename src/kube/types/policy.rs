//! Types of `policy/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::{CONDITION, DELETE_OPTIONS, LABEL_SELECTOR, OBJECT_META};

messages! {
    EVICTION {
        1 metadata OBJECT_META shown, 2 deleteOptions DELETE_OPTIONS
    }
    POD_DISRUPTION_BUDGET {
        1 metadata OBJECT_META shown, 2 spec POD_DISRUPTION_BUDGET_SPEC shown,
        3 status POD_DISRUPTION_BUDGET_STATUS shown
    }
    POD_DISRUPTION_BUDGET_SPEC {
        1 minAvailable int_or_string, 2 selector LABEL_SELECTOR, 3 maxUnavailable int_or_string,
        4 unhealthyPodEvictionPolicy text kept
    }
    POD_DISRUPTION_BUDGET_STATUS {
        1 observedGeneration long, 2 disruptedPods {time}, 3 disruptionsAllowed int shown, 4 currentHealthy int shown,
        5 desiredHealthy int shown, 6 expectedPods int shown, 7 conditions [CONDITION]
    }
}
