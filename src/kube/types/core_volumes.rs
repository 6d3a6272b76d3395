//! Types of the core group: volumes, as of Kubernetes 1.31.

use super::core::OBJECT_REFERENCE;
use super::core_pods::{NODE_SELECTOR, OBJECT_FIELD_SELECTOR, RESOURCE_FIELD_SELECTOR};
use super::message::messages;
use super::meta::{LABEL_SELECTOR, OBJECT_META};

messages! {
    ATTACHED_VOLUME {
        1 name text shown, 2 devicePath text shown
    }
    AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE {
        1 volumeID text shown, 2 fsType text, 3 partition int, 4 readOnly bool
    }
    AZURE_DISK_VOLUME_SOURCE {
        1 diskName text shown, 2 diskURI text shown, 3 cachingMode text kept, 4 fsType text kept, 5 readOnly bool kept,
        6 kind text kept
    }
    AZURE_FILE_PERSISTENT_VOLUME_SOURCE {
        1 secretName text shown, 2 shareName text shown, 3 readOnly bool, 4 secretNamespace text kept
    }
    AZURE_FILE_VOLUME_SOURCE {
        1 secretName text shown, 2 shareName text shown, 3 readOnly bool
    }
    CEPH_FS_PERSISTENT_VOLUME_SOURCE {
        1 monitors [text] shown, 2 path text, 3 user text, 4 secretFile text, 5 secretRef SECRET_REFERENCE,
        6 readOnly bool
    }
    CEPH_FS_VOLUME_SOURCE {
        1 monitors [text] shown, 2 path text, 3 user text, 4 secretFile text, 5 secretRef LOCAL_OBJECT_REFERENCE,
        6 readOnly bool
    }
    CINDER_PERSISTENT_VOLUME_SOURCE {
        1 volumeID text shown, 2 fsType text, 3 readOnly bool, 4 secretRef SECRET_REFERENCE
    }
    CINDER_VOLUME_SOURCE {
        1 volumeID text shown, 2 fsType text, 3 readOnly bool, 4 secretRef LOCAL_OBJECT_REFERENCE
    }
    CLUSTER_TRUST_BUNDLE_PROJECTION {
        1 name text kept, 2 signerName text kept, 3 labelSelector LABEL_SELECTOR, 5 optional bool kept,
        4 path text shown
    }
    CONFIG_MAP_PROJECTION {
        1 .. LOCAL_OBJECT_REFERENCE, 2 items [KEY_TO_PATH], 4 optional bool kept
    }
    CONFIG_MAP_VOLUME_SOURCE {
        1 .. LOCAL_OBJECT_REFERENCE, 2 items [KEY_TO_PATH], 3 defaultMode int kept, 4 optional bool kept
    }
    CSI_PERSISTENT_VOLUME_SOURCE {
        1 driver text shown, 2 volumeHandle text shown, 3 readOnly bool, 4 fsType text, 5 volumeAttributes {text},
        6 controllerPublishSecretRef SECRET_REFERENCE, 7 nodeStageSecretRef SECRET_REFERENCE,
        8 nodePublishSecretRef SECRET_REFERENCE, 9 controllerExpandSecretRef SECRET_REFERENCE,
        10 nodeExpandSecretRef SECRET_REFERENCE
    }
    CSI_VOLUME_SOURCE {
        1 driver text shown, 2 readOnly bool kept, 3 fsType text kept, 4 volumeAttributes {text},
        5 nodePublishSecretRef LOCAL_OBJECT_REFERENCE
    }
    DOWNWARD_API_PROJECTION {
        1 items [DOWNWARD_API_VOLUME_FILE]
    }
    DOWNWARD_API_VOLUME_FILE {
        1 path text shown, 2 fieldRef OBJECT_FIELD_SELECTOR, 3 resourceFieldRef RESOURCE_FIELD_SELECTOR, 4 mode int kept
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
    FLEX_PERSISTENT_VOLUME_SOURCE {
        1 driver text shown, 2 fsType text, 3 secretRef SECRET_REFERENCE, 4 readOnly bool, 5 options {text}
    }
    FLEX_VOLUME_SOURCE {
        1 driver text shown, 2 fsType text, 3 secretRef LOCAL_OBJECT_REFERENCE, 4 readOnly bool, 5 options {text}
    }
    FLOCKER_VOLUME_SOURCE {
        1 datasetName text, 2 datasetUUID text
    }
    GCE_PERSISTENT_DISK_VOLUME_SOURCE {
        1 pdName text shown, 2 fsType text, 3 partition int, 4 readOnly bool
    }
    GIT_REPO_VOLUME_SOURCE {
        1 repository text shown, 2 revision text, 3 directory text
    }
    GLUSTERFS_PERSISTENT_VOLUME_SOURCE {
        1 endpoints text shown, 2 path text shown, 3 readOnly bool, 4 endpointsNamespace text kept
    }
    GLUSTERFS_VOLUME_SOURCE {
        1 endpoints text shown, 2 path text shown, 3 readOnly bool
    }
    HOST_PATH_VOLUME_SOURCE {
        1 path text shown, 2 type text kept
    }
    IMAGE_VOLUME_SOURCE {
        1 reference text, 2 pullPolicy text
    }
    ISCSI_PERSISTENT_VOLUME_SOURCE {
        1 targetPortal text shown, 2 iqn text shown, 3 lun int shown, 4 iscsiInterface text, 5 fsType text,
        6 readOnly bool, 7 portals [text], 8 chapAuthDiscovery bool, 11 chapAuthSession bool,
        10 secretRef SECRET_REFERENCE, 12 initiatorName text kept
    }
    ISCSI_VOLUME_SOURCE {
        1 targetPortal text shown, 2 iqn text shown, 3 lun int shown, 4 iscsiInterface text, 5 fsType text,
        6 readOnly bool, 7 portals [text], 8 chapAuthDiscovery bool, 11 chapAuthSession bool,
        10 secretRef LOCAL_OBJECT_REFERENCE, 12 initiatorName text kept
    }
    KEY_TO_PATH {
        1 key text shown, 2 path text shown, 3 mode int kept
    }
    LOCAL_OBJECT_REFERENCE {
        1 name text
    }
    LOCAL_VOLUME_SOURCE {
        1 path text shown, 2 fsType text kept
    }
    MODIFY_VOLUME_STATUS {
        1 targetVolumeAttributesClassName text, 2 status text shown
    }
    NFS_VOLUME_SOURCE {
        1 server text shown, 2 path text shown, 3 readOnly bool
    }
    PERSISTENT_VOLUME {
        1 metadata OBJECT_META shown, 2 spec PERSISTENT_VOLUME_SPEC shown, 3 status PERSISTENT_VOLUME_STATUS shown
    }
    PERSISTENT_VOLUME_CLAIM {
        1 metadata OBJECT_META shown, 2 spec PERSISTENT_VOLUME_CLAIM_SPEC shown,
        3 status PERSISTENT_VOLUME_CLAIM_STATUS shown
    }
    PERSISTENT_VOLUME_CLAIM_CONDITION {
        1 type text shown, 2 status text shown, 3 lastProbeTime time shown, 4 lastTransitionTime time shown,
        5 reason text, 6 message text
    }
    PERSISTENT_VOLUME_CLAIM_SPEC {
        1 accessModes [text], 4 selector LABEL_SELECTOR, 2 resources VOLUME_RESOURCE_REQUIREMENTS shown,
        3 volumeName text, 5 storageClassName text kept, 6 volumeMode text kept,
        7 dataSource TYPED_LOCAL_OBJECT_REFERENCE, 8 dataSourceRef TYPED_OBJECT_REFERENCE,
        9 volumeAttributesClassName text kept
    }
    PERSISTENT_VOLUME_CLAIM_STATUS {
        1 phase text, 2 accessModes [text], 3 capacity {quantity}, 4 conditions [PERSISTENT_VOLUME_CLAIM_CONDITION],
        5 allocatedResources {quantity}, 7 allocatedResourceStatuses {text},
        8 currentVolumeAttributesClassName text kept, 9 modifyVolumeStatus MODIFY_VOLUME_STATUS
    }
    PERSISTENT_VOLUME_CLAIM_TEMPLATE {
        1 metadata OBJECT_META shown, 2 spec PERSISTENT_VOLUME_CLAIM_SPEC shown
    }
    PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE {
        1 claimName text shown, 2 readOnly bool
    }
    PERSISTENT_VOLUME_SOURCE {
        1 gcePersistentDisk GCE_PERSISTENT_DISK_VOLUME_SOURCE,
        2 awsElasticBlockStore AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE, 3 hostPath HOST_PATH_VOLUME_SOURCE,
        4 glusterfs GLUSTERFS_PERSISTENT_VOLUME_SOURCE, 5 nfs NFS_VOLUME_SOURCE, 6 rbd RBD_PERSISTENT_VOLUME_SOURCE,
        7 iscsi ISCSI_PERSISTENT_VOLUME_SOURCE, 8 cinder CINDER_PERSISTENT_VOLUME_SOURCE,
        9 cephfs CEPH_FS_PERSISTENT_VOLUME_SOURCE, 10 fc FC_VOLUME_SOURCE, 11 flocker FLOCKER_VOLUME_SOURCE,
        12 flexVolume FLEX_PERSISTENT_VOLUME_SOURCE, 13 azureFile AZURE_FILE_PERSISTENT_VOLUME_SOURCE,
        14 vsphereVolume VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE, 15 quobyte QUOBYTE_VOLUME_SOURCE,
        16 azureDisk AZURE_DISK_VOLUME_SOURCE, 17 photonPersistentDisk PHOTON_PERSISTENT_DISK_VOLUME_SOURCE,
        18 portworxVolume PORTWORX_VOLUME_SOURCE, 19 scaleIO SCALE_IO_PERSISTENT_VOLUME_SOURCE,
        20 local LOCAL_VOLUME_SOURCE, 21 storageos STORAGE_OS_PERSISTENT_VOLUME_SOURCE,
        22 csi CSI_PERSISTENT_VOLUME_SOURCE
    }
    PERSISTENT_VOLUME_SPEC {
        1 capacity {quantity}, 2 .. PERSISTENT_VOLUME_SOURCE, 3 accessModes [text], 4 claimRef OBJECT_REFERENCE,
        5 persistentVolumeReclaimPolicy text, 6 storageClassName text, 7 mountOptions [text], 8 volumeMode text kept,
        9 nodeAffinity VOLUME_NODE_AFFINITY, 10 volumeAttributesClassName text kept
    }
    PERSISTENT_VOLUME_STATUS {
        1 phase text, 2 message text, 3 reason text, 4 lastPhaseTransitionTime time
    }
    PHOTON_PERSISTENT_DISK_VOLUME_SOURCE {
        1 pdID text shown, 2 fsType text
    }
    POD_RESOURCE_CLAIM {
        1 name text shown, 3 resourceClaimName text kept, 4 resourceClaimTemplateName text kept
    }
    POD_RESOURCE_CLAIM_STATUS {
        1 name text shown, 2 resourceClaimName text kept
    }
    PORTWORX_VOLUME_SOURCE {
        1 volumeID text shown, 2 fsType text, 3 readOnly bool
    }
    PROJECTED_VOLUME_SOURCE {
        1 sources [VOLUME_PROJECTION] shown, 2 defaultMode int kept
    }
    QUOBYTE_VOLUME_SOURCE {
        1 registry text shown, 2 volume text shown, 3 readOnly bool, 4 user text, 5 group text, 6 tenant text
    }
    RBD_PERSISTENT_VOLUME_SOURCE {
        1 monitors [text] shown, 2 image text shown, 3 fsType text, 4 pool text, 5 user text, 6 keyring text,
        7 secretRef SECRET_REFERENCE, 8 readOnly bool
    }
    RBD_VOLUME_SOURCE {
        1 monitors [text] shown, 2 image text shown, 3 fsType text, 4 pool text, 5 user text, 6 keyring text,
        7 secretRef LOCAL_OBJECT_REFERENCE, 8 readOnly bool
    }
    RESOURCE_CLAIM {
        1 name text shown, 2 request text
    }
    SCALE_IO_PERSISTENT_VOLUME_SOURCE {
        1 gateway text shown, 2 system text shown, 3 secretRef SECRET_REFERENCE, 4 sslEnabled bool,
        5 protectionDomain text, 6 storagePool text, 7 storageMode text, 8 volumeName text, 9 fsType text,
        10 readOnly bool
    }
    SCALE_IO_VOLUME_SOURCE {
        1 gateway text shown, 2 system text shown, 3 secretRef LOCAL_OBJECT_REFERENCE, 4 sslEnabled bool,
        5 protectionDomain text, 6 storagePool text, 7 storageMode text, 8 volumeName text, 9 fsType text,
        10 readOnly bool
    }
    SECRET_PROJECTION {
        1 .. LOCAL_OBJECT_REFERENCE, 2 items [KEY_TO_PATH], 4 optional bool kept
    }
    SECRET_REFERENCE {
        1 name text, 2 namespace text
    }
    SECRET_VOLUME_SOURCE {
        1 secretName text, 2 items [KEY_TO_PATH], 3 defaultMode int kept, 4 optional bool kept
    }
    SERVICE_ACCOUNT_TOKEN_PROJECTION {
        1 audience text, 2 expirationSeconds long kept, 3 path text shown
    }
    STORAGE_OS_PERSISTENT_VOLUME_SOURCE {
        1 volumeName text, 2 volumeNamespace text, 3 fsType text, 4 readOnly bool, 5 secretRef OBJECT_REFERENCE
    }
    STORAGE_OS_VOLUME_SOURCE {
        1 volumeName text, 2 volumeNamespace text, 3 fsType text, 4 readOnly bool, 5 secretRef LOCAL_OBJECT_REFERENCE
    }
    TYPED_LOCAL_OBJECT_REFERENCE {
        1 apiGroup text kept, 2 kind text shown, 3 name text shown
    }
    TYPED_OBJECT_REFERENCE {
        1 apiGroup text kept, 2 kind text shown, 3 name text shown, 4 namespace text kept
    }
    VOLUME {
        1 name text shown, 2 .. VOLUME_SOURCE
    }
    VOLUME_DEVICE {
        1 name text shown, 2 devicePath text shown
    }
    VOLUME_MOUNT {
        1 name text shown, 2 readOnly bool, 7 recursiveReadOnly text kept, 3 mountPath text shown, 4 subPath text,
        5 mountPropagation text kept, 6 subPathExpr text
    }
    VOLUME_NODE_AFFINITY {
        1 required NODE_SELECTOR
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
        1 volumePath text shown, 2 fsType text, 3 storagePolicyName text, 4 storagePolicyID text
    }
}
