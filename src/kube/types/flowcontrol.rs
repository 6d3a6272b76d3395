//! Types of `flowcontrol.apiserver.k8s.io/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    EXEMPT_PRIORITY_LEVEL_CONFIGURATION {
        1 nominalConcurrencyShares int kept, 2 lendablePercent int kept
    }
    FLOW_DISTINGUISHER_METHOD {
        1 type text shown
    }
    FLOW_SCHEMA {
        1 metadata OBJECT_META shown, 2 spec FLOW_SCHEMA_SPEC shown, 3 status FLOW_SCHEMA_STATUS shown
    }
    FLOW_SCHEMA_CONDITION {
        1 type text, 2 status text, 3 lastTransitionTime time shown, 4 reason text, 5 message text
    }
    FLOW_SCHEMA_SPEC {
        1 priorityLevelConfiguration PRIORITY_LEVEL_CONFIGURATION_REFERENCE shown, 2 matchingPrecedence int shown,
        3 distinguisherMethod FLOW_DISTINGUISHER_METHOD, 4 rules [POLICY_RULES_WITH_SUBJECTS]
    }
    FLOW_SCHEMA_STATUS {
        1 conditions [FLOW_SCHEMA_CONDITION]
    }
    GROUP_SUBJECT {
        1 name text shown
    }
    LIMITED_PRIORITY_LEVEL_CONFIGURATION {
        1 nominalConcurrencyShares int kept, 2 limitResponse LIMIT_RESPONSE shown, 3 lendablePercent int kept,
        4 borrowingLimitPercent int kept
    }
    LIMIT_RESPONSE {
        1 type text shown, 2 queuing QUEUING_CONFIGURATION
    }
    NON_RESOURCE_POLICY_RULE {
        1 verbs [text] shown, 6 nonResourceURLs [text] shown
    }
    POLICY_RULES_WITH_SUBJECTS {
        1 subjects [SUBJECT] shown, 2 resourceRules [RESOURCE_POLICY_RULE],
        3 nonResourceRules [NON_RESOURCE_POLICY_RULE]
    }
    PRIORITY_LEVEL_CONFIGURATION {
        1 metadata OBJECT_META shown, 2 spec PRIORITY_LEVEL_CONFIGURATION_SPEC shown,
        3 status PRIORITY_LEVEL_CONFIGURATION_STATUS shown
    }
    PRIORITY_LEVEL_CONFIGURATION_CONDITION {
        1 type text, 2 status text, 3 lastTransitionTime time shown, 4 reason text, 5 message text
    }
    PRIORITY_LEVEL_CONFIGURATION_REFERENCE {
        1 name text shown
    }
    PRIORITY_LEVEL_CONFIGURATION_SPEC {
        1 type text shown, 2 limited LIMITED_PRIORITY_LEVEL_CONFIGURATION, 3 exempt EXEMPT_PRIORITY_LEVEL_CONFIGURATION
    }
    PRIORITY_LEVEL_CONFIGURATION_STATUS {
        1 conditions [PRIORITY_LEVEL_CONFIGURATION_CONDITION]
    }
    QUEUING_CONFIGURATION {
        1 queues int shown, 2 handSize int shown, 3 queueLengthLimit int shown
    }
    RESOURCE_POLICY_RULE {
        1 verbs [text] shown, 2 apiGroups [text] shown, 3 resources [text] shown, 4 clusterScope bool,
        5 namespaces [text] shown
    }
    SERVICE_ACCOUNT_SUBJECT {
        1 namespace text shown, 2 name text shown
    }
    SUBJECT {
        1 kind text shown, 2 user USER_SUBJECT, 3 group GROUP_SUBJECT, 4 serviceAccount SERVICE_ACCOUNT_SUBJECT
    }
    USER_SUBJECT {
        1 name text shown
    }
}
