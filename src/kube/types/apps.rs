//! Types of `apps/v1`, as of Kubernetes 1.31.

use super::core_pods::POD_TEMPLATE_SPEC;
use super::core_volumes::PERSISTENT_VOLUME_CLAIM;
use super::message::messages;
use super::meta::{LABEL_SELECTOR, OBJECT_META};

messages! {
    CONTROLLER_REVISION {
        1 metadata OBJECT_META shown, 2 data raw shown, 3 revision long shown
    }
    DAEMON_SET {
        1 metadata OBJECT_META shown, 2 spec DAEMON_SET_SPEC shown, 3 status DAEMON_SET_STATUS shown
    }
    DAEMON_SET_CONDITION {
        1 type text shown, 2 status text shown, 3 lastTransitionTime time shown, 4 reason text, 5 message text
    }
    DAEMON_SET_SPEC {
        1 selector LABEL_SELECTOR, 2 template POD_TEMPLATE_SPEC shown, 3 updateStrategy DAEMON_SET_UPDATE_STRATEGY shown,
        4 minReadySeconds int, 6 revisionHistoryLimit int kept
    }
    DAEMON_SET_STATUS {
        1 currentNumberScheduled int shown, 2 numberMisscheduled int shown, 3 desiredNumberScheduled int shown,
        4 numberReady int shown, 5 observedGeneration long, 6 updatedNumberScheduled int, 7 numberAvailable int,
        8 numberUnavailable int, 9 collisionCount int kept, 10 conditions [DAEMON_SET_CONDITION]
    }
    DAEMON_SET_UPDATE_STRATEGY {
        1 type text, 2 rollingUpdate ROLLING_UPDATE_DAEMON_SET
    }
    DEPLOYMENT {
        1 metadata OBJECT_META shown, 2 spec DEPLOYMENT_SPEC shown, 3 status DEPLOYMENT_STATUS shown
    }
    DEPLOYMENT_CONDITION {
        1 type text shown, 2 status text shown, 6 lastUpdateTime time shown, 7 lastTransitionTime time shown,
        4 reason text, 5 message text
    }
    DEPLOYMENT_SPEC {
        1 replicas int kept, 2 selector LABEL_SELECTOR, 3 template POD_TEMPLATE_SPEC shown,
        4 strategy DEPLOYMENT_STRATEGY shown, 5 minReadySeconds int, 6 revisionHistoryLimit int kept, 7 paused bool,
        9 progressDeadlineSeconds int kept
    }
    DEPLOYMENT_STATUS {
        1 observedGeneration long, 2 replicas int, 3 updatedReplicas int, 7 readyReplicas int, 4 availableReplicas int,
        5 unavailableReplicas int, 6 conditions [DEPLOYMENT_CONDITION], 8 collisionCount int kept
    }
    DEPLOYMENT_STRATEGY {
        1 type text, 2 rollingUpdate ROLLING_UPDATE_DEPLOYMENT
    }
    REPLICA_SET {
        1 metadata OBJECT_META shown, 2 spec REPLICA_SET_SPEC shown, 3 status REPLICA_SET_STATUS shown
    }
    REPLICA_SET_CONDITION {
        1 type text shown, 2 status text shown, 3 lastTransitionTime time shown, 4 reason text, 5 message text
    }
    REPLICA_SET_SPEC {
        1 replicas int kept, 4 minReadySeconds int, 2 selector LABEL_SELECTOR, 3 template POD_TEMPLATE_SPEC shown
    }
    REPLICA_SET_STATUS {
        1 replicas int shown, 2 fullyLabeledReplicas int, 4 readyReplicas int, 5 availableReplicas int,
        3 observedGeneration long, 6 conditions [REPLICA_SET_CONDITION]
    }
    ROLLING_UPDATE_DAEMON_SET {
        1 maxUnavailable int_or_string, 2 maxSurge int_or_string
    }
    ROLLING_UPDATE_DEPLOYMENT {
        1 maxUnavailable int_or_string, 2 maxSurge int_or_string
    }
    ROLLING_UPDATE_STATEFUL_SET_STRATEGY {
        1 partition int kept, 2 maxUnavailable int_or_string
    }
    STATEFUL_SET {
        1 metadata OBJECT_META shown, 2 spec STATEFUL_SET_SPEC shown, 3 status STATEFUL_SET_STATUS shown
    }
    STATEFUL_SET_CONDITION {
        1 type text shown, 2 status text shown, 3 lastTransitionTime time shown, 4 reason text, 5 message text
    }
    STATEFUL_SET_ORDINALS {
        1 start int shown
    }
    STATEFUL_SET_PERSISTENT_VOLUME_CLAIM_RETENTION_POLICY {
        1 whenDeleted text, 2 whenScaled text
    }
    STATEFUL_SET_SPEC {
        1 replicas int kept, 2 selector LABEL_SELECTOR, 3 template POD_TEMPLATE_SPEC shown,
        4 volumeClaimTemplates [PERSISTENT_VOLUME_CLAIM], 5 serviceName text shown, 6 podManagementPolicy text,
        7 updateStrategy STATEFUL_SET_UPDATE_STRATEGY shown, 8 revisionHistoryLimit int kept, 9 minReadySeconds int,
        10 persistentVolumeClaimRetentionPolicy STATEFUL_SET_PERSISTENT_VOLUME_CLAIM_RETENTION_POLICY,
        11 ordinals STATEFUL_SET_ORDINALS
    }
    STATEFUL_SET_STATUS {
        1 observedGeneration long, 2 replicas int shown, 3 readyReplicas int, 4 currentReplicas int,
        5 updatedReplicas int, 6 currentRevision text, 7 updateRevision text, 9 collisionCount int kept,
        10 conditions [STATEFUL_SET_CONDITION], 11 availableReplicas int shown
    }
    STATEFUL_SET_UPDATE_STRATEGY {
        1 type text, 2 rollingUpdate ROLLING_UPDATE_STATEFUL_SET_STRATEGY
    }
}
