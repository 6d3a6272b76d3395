//! Messages of the volumes of the core group, from its `generated.proto` in Kubernetes 1.31.

use super::core::{LOCAL_OBJECT_REFERENCE, TYPED_LOCAL_OBJECT_REFERENCE, TYPED_OBJECT_REFERENCE};
use super::core_pods::{OBJECT_FIELD_SELECTOR, RESOURCE_FIELD_SELECTOR};
use super::messages;
use super::meta::{LABEL_SELECTOR, OBJECT_META};

messages! {
    ATTACHED_VOLUME {
        1 name text kept, 2 devicePath text kept
    }
    AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE {
        1 volumeID text kept, 2 fsType text, 3 partition int, 4 readOnly bool
    }
    AZURE_DISK_VOLUME_SOURCE {
        1 diskName text kept, 2 diskURI text kept, 3 cachingMode text kept, 4 fsType text kept, 5 readOnly bool kept,
        6 kind text kept
    }
    AZURE_FILE_VOLUME_SOURCE {
        1 secretName text kept, 2 shareName text kept, 3 readOnly bool
    }
    CEPH_FS_VOLUME_SOURCE {
        1 monitors [text], 2 path text, 3 user text, 4 secretFile text, 5 secretRef LOCAL_OBJECT_REFERENCE,
        6 readOnly bool
    }
    CINDER_VOLUME_SOURCE {
        1 volumeID text kept, 2 fsType text, 3 readOnly bool, 4 secretRef LOCAL_OBJECT_REFERENCE
    }
    CLUSTER_TRUST_BUNDLE_PROJECTION {
        1 name text kept, 2 signerName text kept, 3 labelSelector LABEL_SELECTOR, 5 optional bool kept,
        4 path text kept
    }
    CONFIG_MAP_PROJECTION {
        1 .. LOCAL_OBJECT_REFERENCE, 2 items [KEY_TO_PATH], 4 optional bool kept
    }
    CONFIG_MAP_VOLUME_SOURCE {
        1 .. LOCAL_OBJECT_REFERENCE, 2 items [KEY_TO_PATH], 3 defaultMode int kept, 4 optional bool kept
    }
    CSI_VOLUME_SOURCE {
        1 driver text kept, 2 readOnly bool kept, 3 fsType text kept, 4 volumeAttributes {text},
        5 nodePublishSecretRef LOCAL_OBJECT_REFERENCE
    }
    DOWNWARD_API_PROJECTION {
        1 items [DOWNWARD_API_VOLUME_FILE]
    }
    DOWNWARD_API_VOLUME_FILE {
        1 path text kept, 2 fieldRef OBJECT_FIELD_SELECTOR, 3 resourceFieldRef RESOURCE_FIELD_SELECTOR,
        4 mode int kept
    }
    DOWNWARD_API_VOLUME_SOURCE {
        1 items [DOWNWARD_API_VOLUME_FILE], 2 defaultMode int kept
    }
    EMPTY_DIR_VOLUME_SOURCE {
        1 medium text, 2 sizeLimit quantity
    }
    EPHEMERAL_VOLUME_SOURCE {
        1 volumeClaimTemplate PERSISTENT_VOLUME_CLAIM_TEMPLATE
    }
    FC_VOLUME_SOURCE {
        1 targetWWNs [text], 2 lun int kept, 3 fsType text, 4 readOnly bool, 5 wwids [text]
    }
    FLEX_VOLUME_SOURCE {
        1 driver text kept, 2 fsType text, 3 secretRef LOCAL_OBJECT_REFERENCE, 4 readOnly bool, 5 options {text}
    }
    FLOCKER_VOLUME_SOURCE {
        1 datasetName text, 2 datasetUUID text
    }
    GCE_PERSISTENT_DISK_VOLUME_SOURCE {
        1 pdName text kept, 2 fsType text, 3 partition int, 4 readOnly bool
    }
    GIT_REPO_VOLUME_SOURCE {
        1 repository text kept, 2 revision text, 3 directory text
    }
    GLUSTERFS_VOLUME_SOURCE {
        1 endpoints text kept, 2 path text kept, 3 readOnly bool
    }
    HOST_PATH_VOLUME_SOURCE {
        1 path text kept, 2 type text kept
    }
    IMAGE_VOLUME_SOURCE {
        1 reference text, 2 pullPolicy text
    }
    ISCSI_VOLUME_SOURCE {
        1 targetPortal text kept, 2 iqn text kept, 3 lun int kept, 4 iscsiInterface text, 5 fsType text,
        6 readOnly bool, 7 portals [text], 8 chapAuthDiscovery bool, 11 chapAuthSession bool,
        10 secretRef LOCAL_OBJECT_REFERENCE, 12 initiatorName text kept
    }
    KEY_TO_PATH {
        1 key text kept, 2 path text kept, 3 mode int kept
    }
    MODIFY_VOLUME_STATUS {
        1 targetVolumeAttributesClassName text, 2 status text kept
    }
    NFS_VOLUME_SOURCE {
        1 server text kept, 2 path text kept, 3 readOnly bool
    }
    PERSISTENT_VOLUME_CLAIM {
        1 metadata OBJECT_META, 2 spec PERSISTENT_VOLUME_CLAIM_SPEC, 3 status PERSISTENT_VOLUME_CLAIM_STATUS
    }
    PERSISTENT_VOLUME_CLAIM_CONDITION {
        1 type text kept, 2 status text kept, 3 lastProbeTime time, 4 lastTransitionTime time, 5 reason text,
        6 message text
    }
    PERSISTENT_VOLUME_CLAIM_SPEC {
        1 accessModes [text], 4 selector LABEL_SELECTOR, 2 resources VOLUME_RESOURCE_REQUIREMENTS, 3 volumeName text,
        5 storageClassName text kept, 6 volumeMode text kept, 7 dataSource TYPED_LOCAL_OBJECT_REFERENCE,
        8 dataSourceRef TYPED_OBJECT_REFERENCE, 9 volumeAttributesClassName text kept
    }
    PERSISTENT_VOLUME_CLAIM_STATUS {
        1 phase text, 2 accessModes [text], 3 capacity {quantity}, 4 conditions [PERSISTENT_VOLUME_CLAIM_CONDITION],
        5 allocatedResources {quantity}, 7 allocatedResourceStatuses {text},
        8 currentVolumeAttributesClassName text kept, 9 modifyVolumeStatus MODIFY_VOLUME_STATUS
    }
    PERSISTENT_VOLUME_CLAIM_TEMPLATE {
        1 metadata OBJECT_META, 2 spec PERSISTENT_VOLUME_CLAIM_SPEC
    }
    PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE {
        1 claimName text kept, 2 readOnly bool
    }
    PHOTON_PERSISTENT_DISK_VOLUME_SOURCE {
        1 pdID text kept, 2 fsType text
    }
    PORTWORX_VOLUME_SOURCE {
        1 volumeID text kept, 2 fsType text, 3 readOnly bool
    }
    PROJECTED_VOLUME_SOURCE {
        1 sources [VOLUME_PROJECTION], 2 defaultMode int kept
    }
    QUOBYTE_VOLUME_SOURCE {
        1 registry text kept, 2 volume text kept, 3 readOnly bool, 4 user text, 5 group text, 6 tenant text
    }
    RBD_VOLUME_SOURCE {
        1 monitors [text], 2 image text kept, 3 fsType text, 4 pool text, 5 user text, 6 keyring text,
        7 secretRef LOCAL_OBJECT_REFERENCE, 8 readOnly bool
    }
    SCALE_IO_VOLUME_SOURCE {
        1 gateway text kept, 2 system text kept, 3 secretRef LOCAL_OBJECT_REFERENCE, 4 sslEnabled bool,
        5 protectionDomain text, 6 storagePool text, 7 storageMode text, 8 volumeName text, 9 fsType text,
        10 readOnly bool
    }
    SECRET_PROJECTION {
        1 .. LOCAL_OBJECT_REFERENCE, 2 items [KEY_TO_PATH], 4 optional bool kept
    }
    SECRET_VOLUME_SOURCE {
        1 secretName text, 2 items [KEY_TO_PATH], 3 defaultMode int kept, 4 optional bool kept
    }
    SERVICE_ACCOUNT_TOKEN_PROJECTION {
        1 audience text, 2 expirationSeconds int kept, 3 path text kept
    }
    STORAGE_OS_VOLUME_SOURCE {
        1 volumeName text, 2 volumeNamespace text, 3 fsType text, 4 readOnly bool, 5 secretRef LOCAL_OBJECT_REFERENCE
    }
    VOLUME {
        1 name text kept, 2 .. VOLUME_SOURCE
    }
    VOLUME_PROJECTION {
        1 secret SECRET_PROJECTION, 2 downwardAPI DOWNWARD_API_PROJECTION, 3 configMap CONFIG_MAP_PROJECTION,
        4 serviceAccountToken SERVICE_ACCOUNT_TOKEN_PROJECTION, 5 clusterTrustBundle CLUSTER_TRUST_BUNDLE_PROJECTION
    }
    VOLUME_RESOURCE_REQUIREMENTS {
        1 limits {quantity}, 2 requests {quantity}
    }
    VOLUME_SOURCE {
        1 hostPath HOST_PATH_VOLUME_SOURCE, 2 emptyDir EMPTY_DIR_VOLUME_SOURCE,
        3 gcePersistentDisk GCE_PERSISTENT_DISK_VOLUME_SOURCE,
        4 awsElasticBlockStore AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE, 5 gitRepo GIT_REPO_VOLUME_SOURCE,
        6 secret SECRET_VOLUME_SOURCE, 7 nfs NFS_VOLUME_SOURCE, 8 iscsi ISCSI_VOLUME_SOURCE,
        9 glusterfs GLUSTERFS_VOLUME_SOURCE, 10 persistentVolumeClaim PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE,
        11 rbd RBD_VOLUME_SOURCE, 12 flexVolume FLEX_VOLUME_SOURCE, 13 cinder CINDER_VOLUME_SOURCE,
        14 cephfs CEPH_FS_VOLUME_SOURCE, 15 flocker FLOCKER_VOLUME_SOURCE, 16 downwardAPI DOWNWARD_API_VOLUME_SOURCE,
        17 fc FC_VOLUME_SOURCE, 18 azureFile AZURE_FILE_VOLUME_SOURCE, 19 configMap CONFIG_MAP_VOLUME_SOURCE,
        20 vsphereVolume VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE, 21 quobyte QUOBYTE_VOLUME_SOURCE,
        22 azureDisk AZURE_DISK_VOLUME_SOURCE, 23 photonPersistentDisk PHOTON_PERSISTENT_DISK_VOLUME_SOURCE,
        26 projected PROJECTED_VOLUME_SOURCE, 24 portworxVolume PORTWORX_VOLUME_SOURCE,
        25 scaleIO SCALE_IO_VOLUME_SOURCE, 27 storageos STORAGE_OS_VOLUME_SOURCE, 28 csi CSI_VOLUME_SOURCE,
        29 ephemeral EPHEMERAL_VOLUME_SOURCE, 30 image IMAGE_VOLUME_SOURCE
    }
    VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE {
        1 volumePath text kept, 2 fsType text, 3 storagePolicyName text, 4 storagePolicyID text
    }
}
