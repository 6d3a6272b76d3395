//! Messages of `discovery.k8s.io`, from its `generated.proto` in Kubernetes 1.31.

use super::core::OBJECT_REFERENCE;
use super::messages;
use super::meta::OBJECT_META;

messages! {
    DISCOVERY_ENDPOINT_PORT {
        1 name text kept, 2 protocol text kept, 3 port int kept, 4 appProtocol text kept
    }
    ENDPOINT {
        1 addresses [text], 2 conditions ENDPOINT_CONDITIONS, 3 hostname text kept, 4 targetRef OBJECT_REFERENCE,
        5 deprecatedTopology {text}, 6 nodeName text kept, 7 zone text kept, 8 hints ENDPOINT_HINTS
    }
    ENDPOINT_CONDITIONS {
        1 ready bool kept, 2 serving bool kept, 3 terminating bool kept
    }
    ENDPOINT_HINTS {
        1 forZones [FOR_ZONE]
    }
    ENDPOINT_SLICE {
        1 metadata OBJECT_META, 4 addressType text kept, 2 endpoints [ENDPOINT], 3 ports [DISCOVERY_ENDPOINT_PORT]
    }
    FOR_ZONE {
        1 name text kept
    }
}
