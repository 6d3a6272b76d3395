//! Types of `discovery.k8s.io/v1`, as of Kubernetes 1.31.

use super::core::OBJECT_REFERENCE;
use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    ENDPOINT {
        1 addresses [text] shown, 2 conditions ENDPOINT_CONDITIONS shown, 3 hostname text kept,
        4 targetRef OBJECT_REFERENCE, 5 deprecatedTopology {text}, 6 nodeName text kept, 7 zone text kept,
        8 hints ENDPOINT_HINTS
    }
    ENDPOINT_CONDITIONS {
        1 ready bool kept, 2 serving bool kept, 3 terminating bool kept
    }
    ENDPOINT_HINTS {
        1 forZones [FOR_ZONE]
    }
    ENDPOINT_PORT {
        1 name text kept, 2 protocol text kept, 3 port int kept, 4 appProtocol text kept
    }
    ENDPOINT_SLICE {
        1 metadata OBJECT_META shown, 4 addressType text shown, 2 endpoints [ENDPOINT] shown,
        3 ports [ENDPOINT_PORT] shown
    }
    FOR_ZONE {
        1 name text shown
    }
}
