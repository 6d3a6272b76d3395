//! Types of `rbac.authorization.k8s.io/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::{LABEL_SELECTOR, OBJECT_META};

messages! {
    AGGREGATION_RULE {
        1 clusterRoleSelectors [LABEL_SELECTOR]
    }
    CLUSTER_ROLE {
        1 metadata OBJECT_META shown, 2 rules [POLICY_RULE] shown, 3 aggregationRule AGGREGATION_RULE
    }
    CLUSTER_ROLE_BINDING {
        1 metadata OBJECT_META shown, 2 subjects [SUBJECT], 3 roleRef ROLE_REF shown
    }
    POLICY_RULE {
        1 verbs [text] shown, 2 apiGroups [text], 3 resources [text], 4 resourceNames [text], 5 nonResourceURLs [text]
    }
    ROLE {
        1 metadata OBJECT_META shown, 2 rules [POLICY_RULE] shown
    }
    ROLE_BINDING {
        1 metadata OBJECT_META shown, 2 subjects [SUBJECT], 3 roleRef ROLE_REF shown
    }
    ROLE_REF {
        1 apiGroup text shown, 2 kind text shown, 3 name text shown
    }
    SUBJECT {
        1 kind text shown, 2 apiGroup text, 3 name text shown, 4 namespace text
    }
}
