//! Types of `apiregistration.k8s.io/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    API_SERVICE {
        1 metadata OBJECT_META shown, 2 spec API_SERVICE_SPEC shown, 3 status API_SERVICE_STATUS shown
    }
    API_SERVICE_CONDITION {
        1 type text shown, 2 status text shown, 3 lastTransitionTime time shown, 4 reason text, 5 message text
    }
    API_SERVICE_SPEC {
        1 service SERVICE_REFERENCE, 2 group text, 3 version text, 4 insecureSkipTLSVerify bool, 5 caBundle bytes,
        7 groupPriorityMinimum int shown, 8 versionPriority int shown
    }
    API_SERVICE_STATUS {
        1 conditions [API_SERVICE_CONDITION]
    }
    SERVICE_REFERENCE {
        1 namespace text, 2 name text, 3 port int kept
    }
}
