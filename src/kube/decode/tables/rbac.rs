//! Messages of `rbac.authorization.k8s.io`, from its `generated.proto` in Kubernetes 1.31.

use super::messages;
use super::meta::{LABEL_SELECTOR, OBJECT_META};

messages! {
    AGGREGATION_RULE {
        1 clusterRoleSelectors [LABEL_SELECTOR]
    }
    CLUSTER_ROLE {
        1 metadata OBJECT_META, 2 rules [POLICY_RULE], 3 aggregationRule AGGREGATION_RULE
    }
    CLUSTER_ROLE_BINDING {
        1 metadata OBJECT_META, 2 subjects [SUBJECT], 3 roleRef ROLE_REF
    }
    POLICY_RULE {
        1 verbs [text], 2 apiGroups [text], 3 resources [text], 4 resourceNames [text], 5 nonResourceURLs [text]
    }
    ROLE {
        1 metadata OBJECT_META, 2 rules [POLICY_RULE]
    }
    ROLE_BINDING {
        1 metadata OBJECT_META, 2 subjects [SUBJECT], 3 roleRef ROLE_REF
    }
    ROLE_REF {
        1 apiGroup text kept, 2 kind text kept, 3 name text kept
    }
    SUBJECT {
        1 kind text kept, 2 apiGroup text, 3 name text kept, 4 namespace text
    }
}
