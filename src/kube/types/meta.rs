//! Types of apimachinery `meta/v1`, as of Kubernetes 1.31.

use super::message::messages;

messages! {
    CONDITION {
        1 type text shown, 2 status text shown, 3 observedGeneration long, 4 lastTransitionTime time shown,
        5 reason text shown, 6 message text shown
    }
    DELETE_OPTIONS {
        1 gracePeriodSeconds long kept, 2 preconditions PRECONDITIONS, 3 orphanDependents bool kept,
        4 propagationPolicy text kept, 5 dryRun [text]
    }
    FIELD_SELECTOR_REQUIREMENT {
        1 key text shown, 2 operator text shown, 3 values [text]
    }
    LABEL_SELECTOR {
        1 matchLabels {text}, 2 matchExpressions [LABEL_SELECTOR_REQUIREMENT]
    }
    LABEL_SELECTOR_REQUIREMENT {
        1 key text shown, 2 operator text shown, 3 values [text]
    }
    LIST_META {
        1 selfLink text, 2 resourceVersion text, 3 continue text, 4 remainingItemCount long kept
    }
    MANAGED_FIELDS_ENTRY {
        1 manager text, 2 operation text, 3 apiVersion text, 4 time time, 6 fieldsType text, 7 fieldsV1 raw,
        8 subresource text
    }
    OBJECT_META {
        1 name text, 2 generateName text, 3 namespace text, 4 selfLink text, 5 uid text, 6 resourceVersion text,
        7 generation long, 8 creationTimestamp time shown, 9 deletionTimestamp time,
        10 deletionGracePeriodSeconds long kept, 11 labels {text}, 12 annotations {text},
        13 ownerReferences [OWNER_REFERENCE], 14 finalizers [text], 17 managedFields [MANAGED_FIELDS_ENTRY]
    }
    OWNER_REFERENCE {
        5 apiVersion text shown, 1 kind text shown, 3 name text shown, 4 uid text shown, 6 controller bool kept,
        7 blockOwnerDeletion bool kept
    }
    PRECONDITIONS {
        1 uid text kept, 2 resourceVersion text kept
    }
}
