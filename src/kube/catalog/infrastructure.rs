//! Networking, storage, coordination and the events of them.

use super::row::{Field, GroupVersion, STATUS, cluster, namespaced};

pub(super) const NETWORKING_V1: GroupVersion = GroupVersion {
    group: "networking.k8s.io",
    version: "v1",
    rows: &[
        cluster("ingressclasses", "IngressClass"),
        namespaced("ingresses", "Ingress").short(&["ing"]).with(&[STATUS]),
        namespaced("networkpolicies", "NetworkPolicy").short(&["netpol"]),
    ],
};

pub(super) const DISCOVERY_V1: GroupVersion =
    GroupVersion { group: "discovery.k8s.io", version: "v1", rows: &[namespaced("endpointslices", "EndpointSlice")] };

pub(super) const STORAGE_V1: GroupVersion = GroupVersion {
    group: "storage.k8s.io",
    version: "v1",
    rows: &[
        cluster("csidrivers", "CSIDriver").returns_deleted(),
        cluster("csinodes", "CSINode").returns_deleted(),
        namespaced("csistoragecapacities", "CSIStorageCapacity"),
        cluster("storageclasses", "StorageClass").short(&["sc"]).returns_deleted(),
        cluster("volumeattachments", "VolumeAttachment").with(&[STATUS]).returns_deleted(),
    ],
};

pub(super) const COORDINATION_V1: GroupVersion =
    GroupVersion { group: "coordination.k8s.io", version: "v1", rows: &[namespaced("leases", "Lease")] };

pub(super) const EVENTS_V1: GroupVersion = GroupVersion {
    group: "events.k8s.io",
    version: "v1",
    rows: &[namespaced("events", "Event").short(&["ev"]).selectable(EVENT_FIELDS).stored_as("", "v1")],
};

const EVENT_FIELDS: &[Field] = &[
    Field("reason", "", ""),
    Field("regarding.kind", "", ""),
    Field("regarding.namespace", "", ""),
    Field("regarding.name", "", ""),
    Field("regarding.uid", "", ""),
    Field("regarding.apiVersion", "", ""),
    Field("regarding.resourceVersion", "", ""),
    Field("regarding.fieldPath", "", ""),
    Field("reportingController", "", ""),
    Field("type", "", ""),
];
