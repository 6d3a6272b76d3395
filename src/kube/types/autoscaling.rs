//! Types of `autoscaling/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    CROSS_VERSION_OBJECT_REFERENCE {
        1 kind text shown, 2 name text shown, 3 apiVersion text
    }
    HORIZONTAL_POD_AUTOSCALER {
        1 metadata OBJECT_META shown, 2 spec HORIZONTAL_POD_AUTOSCALER_SPEC shown,
        3 status HORIZONTAL_POD_AUTOSCALER_STATUS shown
    }
    HORIZONTAL_POD_AUTOSCALER_SPEC {
        1 scaleTargetRef CROSS_VERSION_OBJECT_REFERENCE shown, 2 minReplicas int kept, 3 maxReplicas int shown,
        4 targetCPUUtilizationPercentage int kept
    }
    HORIZONTAL_POD_AUTOSCALER_STATUS {
        1 observedGeneration long kept, 2 lastScaleTime time, 3 currentReplicas int shown, 4 desiredReplicas int shown,
        5 currentCPUUtilizationPercentage int kept
    }
    SCALE {
        1 metadata OBJECT_META shown, 2 spec SCALE_SPEC shown, 3 status SCALE_STATUS shown
    }
    SCALE_SPEC {
        1 replicas int
    }
    SCALE_STATUS {
        1 replicas int shown, 2 selector text
    }
}
