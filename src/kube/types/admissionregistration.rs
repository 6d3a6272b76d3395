//! Types of `admissionregistration.k8s.io/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::{CONDITION, LABEL_SELECTOR, OBJECT_META};

messages! {
    AUDIT_ANNOTATION {
        1 key text shown, 2 valueExpression text shown
    }
    EXPRESSION_WARNING {
        2 fieldRef text shown, 3 warning text shown
    }
    MATCH_CONDITION {
        1 name text shown, 2 expression text shown
    }
    MATCH_RESOURCES {
        1 namespaceSelector LABEL_SELECTOR, 2 objectSelector LABEL_SELECTOR,
        3 resourceRules [NAMED_RULE_WITH_OPERATIONS], 4 excludeResourceRules [NAMED_RULE_WITH_OPERATIONS],
        7 matchPolicy text kept
    }
    MUTATING_WEBHOOK {
        1 name text shown, 2 clientConfig WEBHOOK_CLIENT_CONFIG shown, 3 rules [RULE_WITH_OPERATIONS],
        4 failurePolicy text kept, 9 matchPolicy text kept, 5 namespaceSelector LABEL_SELECTOR,
        11 objectSelector LABEL_SELECTOR, 6 sideEffects text kept, 7 timeoutSeconds int kept,
        8 admissionReviewVersions [text] shown, 10 reinvocationPolicy text kept, 12 matchConditions [MATCH_CONDITION]
    }
    MUTATING_WEBHOOK_CONFIGURATION {
        1 metadata OBJECT_META shown, 2 webhooks [MUTATING_WEBHOOK]
    }
    NAMED_RULE_WITH_OPERATIONS {
        1 resourceNames [text], 2 .. RULE_WITH_OPERATIONS
    }
    PARAM_KIND {
        1 apiVersion text, 2 kind text
    }
    PARAM_REF {
        1 name text, 2 namespace text, 3 selector LABEL_SELECTOR, 4 parameterNotFoundAction text kept
    }
    RULE {
        1 apiGroups [text], 2 apiVersions [text], 3 resources [text], 4 scope text kept
    }
    RULE_WITH_OPERATIONS {
        1 operations [text], 2 .. RULE
    }
    SERVICE_REFERENCE {
        1 namespace text shown, 2 name text shown, 3 path text kept, 4 port int kept
    }
    TYPE_CHECKING {
        1 expressionWarnings [EXPRESSION_WARNING]
    }
    VALIDATING_ADMISSION_POLICY {
        1 metadata OBJECT_META shown, 2 spec VALIDATING_ADMISSION_POLICY_SPEC shown,
        3 status VALIDATING_ADMISSION_POLICY_STATUS shown
    }
    VALIDATING_ADMISSION_POLICY_BINDING {
        1 metadata OBJECT_META shown, 2 spec VALIDATING_ADMISSION_POLICY_BINDING_SPEC shown
    }
    VALIDATING_ADMISSION_POLICY_BINDING_SPEC {
        1 policyName text, 2 paramRef PARAM_REF, 3 matchResources MATCH_RESOURCES, 4 validationActions [text]
    }
    VALIDATING_ADMISSION_POLICY_SPEC {
        1 paramKind PARAM_KIND, 2 matchConstraints MATCH_RESOURCES, 3 validations [VALIDATION],
        4 failurePolicy text kept, 5 auditAnnotations [AUDIT_ANNOTATION], 6 matchConditions [MATCH_CONDITION],
        7 variables [VARIABLE]
    }
    VALIDATING_ADMISSION_POLICY_STATUS {
        1 observedGeneration long, 2 typeChecking TYPE_CHECKING, 3 conditions [CONDITION]
    }
    VALIDATING_WEBHOOK {
        1 name text shown, 2 clientConfig WEBHOOK_CLIENT_CONFIG shown, 3 rules [RULE_WITH_OPERATIONS],
        4 failurePolicy text kept, 9 matchPolicy text kept, 5 namespaceSelector LABEL_SELECTOR,
        10 objectSelector LABEL_SELECTOR, 6 sideEffects text kept, 7 timeoutSeconds int kept,
        8 admissionReviewVersions [text] shown, 11 matchConditions [MATCH_CONDITION]
    }
    VALIDATING_WEBHOOK_CONFIGURATION {
        1 metadata OBJECT_META shown, 2 webhooks [VALIDATING_WEBHOOK]
    }
    VALIDATION {
        1 expression text shown, 2 message text, 3 reason text kept, 4 messageExpression text
    }
    VARIABLE {
        1 name text shown, 2 expression text shown
    }
    WEBHOOK_CLIENT_CONFIG {
        3 url text kept, 1 service SERVICE_REFERENCE, 2 caBundle bytes
    }
}
