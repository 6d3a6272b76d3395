//! Types of `certificates.k8s.io/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    CERTIFICATE_SIGNING_REQUEST {
        1 metadata OBJECT_META shown, 2 spec CERTIFICATE_SIGNING_REQUEST_SPEC shown,
        3 status CERTIFICATE_SIGNING_REQUEST_STATUS shown
    }
    CERTIFICATE_SIGNING_REQUEST_CONDITION {
        1 type text shown, 6 status text shown, 2 reason text, 3 message text, 4 lastUpdateTime time shown,
        5 lastTransitionTime time shown
    }
    CERTIFICATE_SIGNING_REQUEST_SPEC {
        1 request bytes shown, 7 signerName text shown, 8 expirationSeconds int kept, 5 usages [text], 2 username text,
        3 uid text, 4 groups [text], 6 extra {items}
    }
    CERTIFICATE_SIGNING_REQUEST_STATUS {
        1 conditions [CERTIFICATE_SIGNING_REQUEST_CONDITION], 2 certificate bytes
    }
}
