//! Messages of `policy`, from its `generated.proto` in Kubernetes 1.31.

use super::messages;
use super::meta::{CONDITION, DELETE_OPTIONS, LABEL_SELECTOR, OBJECT_META};

messages! {
    EVICTION {
        1 metadata OBJECT_META, 2 deleteOptions DELETE_OPTIONS
    }
    POD_DISRUPTION_BUDGET {
        1 metadata OBJECT_META, 2 spec POD_DISRUPTION_BUDGET_SPEC, 3 status POD_DISRUPTION_BUDGET_STATUS
    }
    POD_DISRUPTION_BUDGET_SPEC {
        1 minAvailable int_or_string, 2 selector LABEL_SELECTOR, 3 maxUnavailable int_or_string,
        4 unhealthyPodEvictionPolicy text kept
    }
    POD_DISRUPTION_BUDGET_STATUS {
        1 observedGeneration int, 2 disruptedPods {time}, 3 disruptionsAllowed int kept, 4 currentHealthy int kept,
        5 desiredHealthy int kept, 6 expectedPods int kept, 7 conditions [CONDITION]
    }
}
