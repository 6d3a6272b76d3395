//! Messages of apimachinery `meta/v1`, from its `generated.proto` in Kubernetes 1.31.

use super::messages;

messages! {
    CONDITION {
        1 type text kept, 2 status text kept, 3 observedGeneration int, 4 lastTransitionTime time, 5 reason text kept,
        6 message text kept
    }
    DELETE_OPTIONS {
        1 gracePeriodSeconds int kept, 2 preconditions PRECONDITIONS, 3 orphanDependents bool kept,
        4 propagationPolicy text kept, 5 dryRun [text]
    }
    FIELD_SELECTOR_REQUIREMENT {
        1 key text kept, 2 operator text kept, 3 values [text]
    }
    LABEL_SELECTOR {
        1 matchLabels {text}, 2 matchExpressions [LABEL_SELECTOR_REQUIREMENT]
    }
    LABEL_SELECTOR_REQUIREMENT {
        1 key text kept, 2 operator text kept, 3 values [text]
    }
    MANAGED_FIELDS_ENTRY {
        1 manager text, 2 operation text, 3 apiVersion text, 4 time time, 6 fieldsType text, 7 fieldsV1 raw,
        8 subresource text
    }
    OBJECT_META {
        1 name text, 2 generateName text, 3 namespace text, 4 selfLink text, 5 uid text, 6 resourceVersion text,
        7 generation int, 8 creationTimestamp time, 9 deletionTimestamp time, 10 deletionGracePeriodSeconds int kept,
        11 labels {text}, 12 annotations {text}, 13 ownerReferences [OWNER_REFERENCE], 14 finalizers [text],
        17 managedFields [MANAGED_FIELDS_ENTRY]
    }
    OWNER_REFERENCE {
        5 apiVersion text kept, 1 kind text kept, 3 name text kept, 4 uid text kept, 6 controller bool kept,
        7 blockOwnerDeletion bool kept
    }
    PRECONDITIONS {
        1 uid text kept, 2 resourceVersion text kept
    }
}
