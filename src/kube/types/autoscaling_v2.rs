//! Types of `autoscaling/v2`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::{LABEL_SELECTOR, OBJECT_META};

messages! {
    CONTAINER_RESOURCE_METRIC_SOURCE {
        1 name text shown, 2 target METRIC_TARGET shown, 3 container text shown
    }
    CONTAINER_RESOURCE_METRIC_STATUS {
        1 name text shown, 2 current METRIC_VALUE_STATUS shown, 3 container text shown
    }
    CROSS_VERSION_OBJECT_REFERENCE {
        1 kind text shown, 2 name text shown, 3 apiVersion text
    }
    EXTERNAL_METRIC_SOURCE {
        1 metric METRIC_IDENTIFIER shown, 2 target METRIC_TARGET shown
    }
    EXTERNAL_METRIC_STATUS {
        1 metric METRIC_IDENTIFIER shown, 2 current METRIC_VALUE_STATUS shown
    }
    HORIZONTAL_POD_AUTOSCALER {
        1 metadata OBJECT_META shown, 2 spec HORIZONTAL_POD_AUTOSCALER_SPEC shown,
        3 status HORIZONTAL_POD_AUTOSCALER_STATUS shown
    }
    HORIZONTAL_POD_AUTOSCALER_BEHAVIOR {
        1 scaleUp HPA_SCALING_RULES, 2 scaleDown HPA_SCALING_RULES
    }
    HORIZONTAL_POD_AUTOSCALER_CONDITION {
        1 type text shown, 2 status text shown, 3 lastTransitionTime time shown, 4 reason text, 5 message text
    }
    HORIZONTAL_POD_AUTOSCALER_SPEC {
        1 scaleTargetRef CROSS_VERSION_OBJECT_REFERENCE shown, 2 minReplicas int kept, 3 maxReplicas int shown,
        4 metrics [METRIC_SPEC], 5 behavior HORIZONTAL_POD_AUTOSCALER_BEHAVIOR
    }
    HORIZONTAL_POD_AUTOSCALER_STATUS {
        1 observedGeneration long kept, 2 lastScaleTime time, 3 currentReplicas int, 4 desiredReplicas int shown,
        5 currentMetrics [METRIC_STATUS] shown, 6 conditions [HORIZONTAL_POD_AUTOSCALER_CONDITION]
    }
    HPA_SCALING_POLICY {
        1 type text shown, 2 value int shown, 3 periodSeconds int shown
    }
    HPA_SCALING_RULES {
        3 stabilizationWindowSeconds int kept, 1 selectPolicy text kept, 2 policies [HPA_SCALING_POLICY]
    }
    METRIC_IDENTIFIER {
        1 name text shown, 2 selector LABEL_SELECTOR
    }
    METRIC_SPEC {
        1 type text shown, 2 object OBJECT_METRIC_SOURCE, 3 pods PODS_METRIC_SOURCE, 4 resource RESOURCE_METRIC_SOURCE,
        7 containerResource CONTAINER_RESOURCE_METRIC_SOURCE, 5 external EXTERNAL_METRIC_SOURCE
    }
    METRIC_STATUS {
        1 type text shown, 2 object OBJECT_METRIC_STATUS, 3 pods PODS_METRIC_STATUS, 4 resource RESOURCE_METRIC_STATUS,
        7 containerResource CONTAINER_RESOURCE_METRIC_STATUS, 5 external EXTERNAL_METRIC_STATUS
    }
    METRIC_TARGET {
        1 type text shown, 2 value quantity, 3 averageValue quantity, 4 averageUtilization int kept
    }
    METRIC_VALUE_STATUS {
        1 value quantity, 2 averageValue quantity, 3 averageUtilization int kept
    }
    OBJECT_METRIC_SOURCE {
        1 describedObject CROSS_VERSION_OBJECT_REFERENCE shown, 2 target METRIC_TARGET shown,
        3 metric METRIC_IDENTIFIER shown
    }
    OBJECT_METRIC_STATUS {
        1 metric METRIC_IDENTIFIER shown, 2 current METRIC_VALUE_STATUS shown,
        3 describedObject CROSS_VERSION_OBJECT_REFERENCE shown
    }
    PODS_METRIC_SOURCE {
        1 metric METRIC_IDENTIFIER shown, 2 target METRIC_TARGET shown
    }
    PODS_METRIC_STATUS {
        1 metric METRIC_IDENTIFIER shown, 2 current METRIC_VALUE_STATUS shown
    }
    RESOURCE_METRIC_SOURCE {
        1 name text shown, 2 target METRIC_TARGET shown
    }
    RESOURCE_METRIC_STATUS {
        1 name text shown, 2 current METRIC_VALUE_STATUS shown
    }
}
