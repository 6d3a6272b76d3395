//! Types of `authorization.k8s.io/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::{FIELD_SELECTOR_REQUIREMENT, LABEL_SELECTOR_REQUIREMENT, OBJECT_META};

messages! {
    FIELD_SELECTOR_ATTRIBUTES {
        1 rawSelector text, 2 requirements [FIELD_SELECTOR_REQUIREMENT]
    }
    LABEL_SELECTOR_ATTRIBUTES {
        1 rawSelector text, 2 requirements [LABEL_SELECTOR_REQUIREMENT]
    }
    LOCAL_SUBJECT_ACCESS_REVIEW {
        1 metadata OBJECT_META shown, 2 spec SUBJECT_ACCESS_REVIEW_SPEC shown,
        3 status SUBJECT_ACCESS_REVIEW_STATUS shown
    }
    NON_RESOURCE_ATTRIBUTES {
        1 path text, 2 verb text
    }
    NON_RESOURCE_RULE {
        1 verbs [text] shown, 2 nonResourceURLs [text]
    }
    RESOURCE_ATTRIBUTES {
        1 namespace text, 2 verb text, 3 group text, 4 version text, 5 resource text, 6 subresource text, 7 name text,
        8 fieldSelector FIELD_SELECTOR_ATTRIBUTES, 9 labelSelector LABEL_SELECTOR_ATTRIBUTES
    }
    RESOURCE_RULE {
        1 verbs [text] shown, 2 apiGroups [text], 3 resources [text], 4 resourceNames [text]
    }
    SELF_SUBJECT_ACCESS_REVIEW {
        1 metadata OBJECT_META shown, 2 spec SELF_SUBJECT_ACCESS_REVIEW_SPEC shown,
        3 status SUBJECT_ACCESS_REVIEW_STATUS shown
    }
    SELF_SUBJECT_ACCESS_REVIEW_SPEC {
        1 resourceAttributes RESOURCE_ATTRIBUTES, 2 nonResourceAttributes NON_RESOURCE_ATTRIBUTES
    }
    SELF_SUBJECT_RULES_REVIEW {
        1 metadata OBJECT_META shown, 2 spec SELF_SUBJECT_RULES_REVIEW_SPEC shown,
        3 status SUBJECT_RULES_REVIEW_STATUS shown
    }
    SELF_SUBJECT_RULES_REVIEW_SPEC {
        1 namespace text
    }
    SUBJECT_ACCESS_REVIEW {
        1 metadata OBJECT_META shown, 2 spec SUBJECT_ACCESS_REVIEW_SPEC shown,
        3 status SUBJECT_ACCESS_REVIEW_STATUS shown
    }
    SUBJECT_ACCESS_REVIEW_SPEC {
        1 resourceAttributes RESOURCE_ATTRIBUTES, 2 nonResourceAttributes NON_RESOURCE_ATTRIBUTES, 3 user text,
        4 groups [text], 5 extra {items}, 6 uid text
    }
    SUBJECT_ACCESS_REVIEW_STATUS {
        1 allowed bool shown, 4 denied bool, 2 reason text, 3 evaluationError text
    }
    SUBJECT_RULES_REVIEW_STATUS {
        1 resourceRules [RESOURCE_RULE] shown, 2 nonResourceRules [NON_RESOURCE_RULE] shown, 3 incomplete bool shown,
        4 evaluationError text
    }
}
