//! Types of `storage.k8s.io/v1`, as of Kubernetes 1.31.

use super::core_pods::TOPOLOGY_SELECTOR_TERM;
use super::core_volumes::PERSISTENT_VOLUME_SPEC;
use super::message::messages;
use super::meta::{LABEL_SELECTOR, OBJECT_META};

messages! {
    CSI_DRIVER {
        1 metadata OBJECT_META shown, 2 spec CSI_DRIVER_SPEC shown
    }
    CSI_DRIVER_SPEC {
        1 attachRequired bool kept, 2 podInfoOnMount bool kept, 3 volumeLifecycleModes [text],
        4 storageCapacity bool kept, 5 fsGroupPolicy text kept, 6 tokenRequests [TOKEN_REQUEST],
        7 requiresRepublish bool kept, 8 seLinuxMount bool kept
    }
    CSI_NODE {
        1 metadata OBJECT_META shown, 2 spec CSI_NODE_SPEC shown
    }
    CSI_NODE_DRIVER {
        1 name text shown, 2 nodeID text shown, 3 topologyKeys [text] shown, 4 allocatable VOLUME_NODE_RESOURCES
    }
    CSI_NODE_SPEC {
        1 drivers [CSI_NODE_DRIVER] shown
    }
    CSI_STORAGE_CAPACITY {
        1 metadata OBJECT_META shown, 2 nodeTopology LABEL_SELECTOR, 3 storageClassName text shown, 4 capacity quantity,
        5 maximumVolumeSize quantity
    }
    STORAGE_CLASS {
        1 metadata OBJECT_META shown, 2 provisioner text shown, 3 parameters {text}, 4 reclaimPolicy text kept,
        5 mountOptions [text], 6 allowVolumeExpansion bool kept, 7 volumeBindingMode text kept,
        8 allowedTopologies [TOPOLOGY_SELECTOR_TERM]
    }
    TOKEN_REQUEST {
        1 audience text shown, 2 expirationSeconds long kept
    }
    VOLUME_ATTACHMENT {
        1 metadata OBJECT_META shown, 2 spec VOLUME_ATTACHMENT_SPEC shown, 3 status VOLUME_ATTACHMENT_STATUS shown
    }
    VOLUME_ATTACHMENT_SOURCE {
        1 persistentVolumeName text kept, 2 inlineVolumeSpec PERSISTENT_VOLUME_SPEC
    }
    VOLUME_ATTACHMENT_SPEC {
        1 attacher text shown, 2 source VOLUME_ATTACHMENT_SOURCE shown, 3 nodeName text shown
    }
    VOLUME_ATTACHMENT_STATUS {
        1 attached bool shown, 2 attachmentMetadata {text}, 3 attachError VOLUME_ERROR, 4 detachError VOLUME_ERROR
    }
    VOLUME_ERROR {
        1 time time shown, 2 message text
    }
    VOLUME_NODE_RESOURCES {
        1 count int kept
    }
}
