//! The core group.

use super::resource::NameRule;
use super::row::{Below, Field, GroupVersion, SCALE, STATUS, below, cluster, namespaced};
use super::verbs::{Verb, Verbs};

pub(super) const V1: GroupVersion = GroupVersion {
    group: "",
    version: "v1",
    rows: &[
        namespaced("bindings", "Binding").verbs(Verbs::CREATE),
        cluster("componentstatuses", "ComponentStatus").short(&["cs"]).verbs(Verbs::GET_LIST),
        namespaced("configmaps", "ConfigMap").short(&["cm"]),
        namespaced("endpoints", "Endpoints").short(&["ep"]),
        namespaced("events", "Event").short(&["ev"]).selectable(EVENT_FIELDS),
        namespaced("limitranges", "LimitRange").short(&["limits"]),
        cluster("namespaces", "Namespace")
            .short(&["ns"])
            .verbs(NO_DELETE_COLLECTION)
            .with(&[below("finalize", Verbs::of(&[Verb::Update])), STATUS])
            .named(NameRule::Label)
            .selectable(&[Field("status.phase", "", "")])
            .returns_deleted(),
        cluster("nodes", "Node").short(&["no"]).with(&[proxy("NodeProxyOptions"), STATUS]).selectable(&[Field(
            "spec.unschedulable",
            "",
            "false",
        )]),
        namespaced("persistentvolumeclaims", "PersistentVolumeClaim").short(&["pvc"]).with(&[STATUS]).returns_deleted(),
        cluster("persistentvolumes", "PersistentVolume").short(&["pv"]).with(&[STATUS]).returns_deleted(),
        namespaced("pods", "Pod")
            .short(&["po"])
            .category(&["all"])
            .with(&[
                stream("attach", "PodAttachOptions"),
                below("binding", Verbs::CREATE).of("", "v1", "Binding"),
                below("ephemeralcontainers", Verbs::GET_PATCH_UPDATE),
                below("eviction", Verbs::CREATE).of("policy", "v1", "Eviction"),
                stream("exec", "PodExecOptions"),
                below("log", Verbs::of(&[Verb::Get])),
                stream("portforward", "PodPortForwardOptions"),
                proxy("PodProxyOptions"),
                STATUS,
            ])
            .selectable(POD_FIELDS)
            .returns_deleted(),
        namespaced("podtemplates", "PodTemplate").returns_deleted(),
        namespaced("replicationcontrollers", "ReplicationController")
            .short(&["rc"])
            .category(&["all"])
            .with(&[SCALE, STATUS])
            .selectable(&[Field("status.replicas", "", "0")]),
        namespaced("resourcequotas", "ResourceQuota").short(&["quota"]).with(&[STATUS]).returns_deleted(),
        namespaced("secrets", "Secret").selectable(&[Field("type", "", "")]),
        namespaced("serviceaccounts", "ServiceAccount")
            .short(&["sa"])
            .with(&[below("token", Verbs::CREATE).of("authentication.k8s.io", "v1", "TokenRequest")])
            .returns_deleted(),
        namespaced("services", "Service")
            .short(&["svc"])
            .category(&["all"])
            .with(&[proxy("ServiceProxyOptions"), STATUS])
            .named(NameRule::Label1035)
            .selectable(&[Field("spec.clusterIP", "", ""), Field("spec.type", "", "")])
            .returns_deleted(),
    ],
};

/// Namespaces are emptied one by one, so that none is deleted by a slip of a selector.
const NO_DELETE_COLLECTION: Verbs =
    Verbs::of(&[Verb::Create, Verb::Delete, Verb::Get, Verb::List, Verb::Patch, Verb::Update, Verb::Watch]);

const fn proxy(kind: &'static str) -> Below {
    below("proxy", Verbs::of(&[Verb::Create, Verb::Delete, Verb::Get, Verb::Patch, Verb::Update])).of("", "v1", kind)
}

const fn stream(name: &'static str, kind: &'static str) -> Below {
    below(name, Verbs::of(&[Verb::Create, Verb::Get])).of("", "v1", kind)
}

const POD_FIELDS: &[Field] = &[
    Field("spec.nodeName", "", ""),
    Field("spec.host", "spec.nodeName", ""),
    Field("spec.restartPolicy", "", ""),
    Field("spec.schedulerName", "", ""),
    Field("spec.serviceAccountName", "", ""),
    Field("spec.hostNetwork", "", "false"),
    Field("status.phase", "", ""),
    Field("status.podIP", "", ""),
    Field("status.podIPs", "", ""),
    Field("status.nominatedNodeName", "", ""),
];

const EVENT_FIELDS: &[Field] = &[
    Field("involvedObject.kind", "", ""),
    Field("involvedObject.namespace", "", ""),
    Field("involvedObject.name", "", ""),
    Field("involvedObject.uid", "", ""),
    Field("involvedObject.apiVersion", "", ""),
    Field("involvedObject.resourceVersion", "", ""),
    Field("involvedObject.fieldPath", "", ""),
    Field("reason", "", ""),
    Field("reportingComponent", "", ""),
    Field("source", "source.component", ""),
    Field("type", "", ""),
];
