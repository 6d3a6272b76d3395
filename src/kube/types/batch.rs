//! Types of `batch/v1`, as of Kubernetes 1.31.

use super::core::OBJECT_REFERENCE;
use super::core_pods::POD_TEMPLATE_SPEC;
use super::message::messages;
use super::meta::{LABEL_SELECTOR, OBJECT_META};

messages! {
    CRON_JOB {
        1 metadata OBJECT_META shown, 2 spec CRON_JOB_SPEC shown, 3 status CRON_JOB_STATUS shown
    }
    CRON_JOB_SPEC {
        1 schedule text shown, 8 timeZone text kept, 2 startingDeadlineSeconds long kept, 3 concurrencyPolicy text,
        4 suspend bool kept, 5 jobTemplate JOB_TEMPLATE_SPEC shown, 6 successfulJobsHistoryLimit int kept,
        7 failedJobsHistoryLimit int kept
    }
    CRON_JOB_STATUS {
        1 active [OBJECT_REFERENCE], 4 lastScheduleTime time, 5 lastSuccessfulTime time
    }
    JOB {
        1 metadata OBJECT_META shown, 2 spec JOB_SPEC shown, 3 status JOB_STATUS shown
    }
    JOB_CONDITION {
        1 type text shown, 2 status text shown, 3 lastProbeTime time shown, 4 lastTransitionTime time shown,
        5 reason text, 6 message text
    }
    JOB_SPEC {
        1 parallelism int kept, 2 completions int kept, 3 activeDeadlineSeconds long kept,
        11 podFailurePolicy POD_FAILURE_POLICY, 16 successPolicy SUCCESS_POLICY, 7 backoffLimit int kept,
        12 backoffLimitPerIndex int kept, 13 maxFailedIndexes int kept, 4 selector LABEL_SELECTOR,
        5 manualSelector bool kept, 6 template POD_TEMPLATE_SPEC shown, 8 ttlSecondsAfterFinished int kept,
        9 completionMode text kept, 10 suspend bool kept, 14 podReplacementPolicy text kept, 15 managedBy text kept
    }
    JOB_STATUS {
        1 conditions [JOB_CONDITION], 2 startTime time, 3 completionTime time, 4 active int, 5 succeeded int,
        6 failed int, 11 terminating int kept, 7 completedIndexes text, 10 failedIndexes text kept,
        8 uncountedTerminatedPods UNCOUNTED_TERMINATED_PODS, 9 ready int kept
    }
    JOB_TEMPLATE_SPEC {
        1 metadata OBJECT_META shown, 2 spec JOB_SPEC shown
    }
    POD_FAILURE_POLICY {
        1 rules [POD_FAILURE_POLICY_RULE] shown
    }
    POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT {
        1 containerName text kept, 2 operator text shown, 3 values [int] shown
    }
    POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN {
        1 type text shown, 2 status text shown
    }
    POD_FAILURE_POLICY_RULE {
        1 action text shown, 2 onExitCodes POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT,
        3 onPodConditions [POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN]
    }
    SUCCESS_POLICY {
        1 rules [SUCCESS_POLICY_RULE] shown
    }
    SUCCESS_POLICY_RULE {
        1 succeededIndexes text kept, 2 succeededCount int kept
    }
    UNCOUNTED_TERMINATED_PODS {
        1 succeeded [text], 2 failed [text]
    }
}
