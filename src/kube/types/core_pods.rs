//! Types of the core group: pods, as of Kubernetes 1.31.

use super::core::{CLIENT_IP_CONFIG, OBJECT_REFERENCE};
use super::core_volumes::{
    LOCAL_OBJECT_REFERENCE, POD_RESOURCE_CLAIM, POD_RESOURCE_CLAIM_STATUS, RESOURCE_CLAIM, VOLUME, VOLUME_DEVICE,
    VOLUME_MOUNT,
};
use super::message::messages;
use super::meta::{LABEL_SELECTOR, OBJECT_META};

messages! {
    AFFINITY {
        1 nodeAffinity NODE_AFFINITY, 2 podAffinity POD_AFFINITY, 3 podAntiAffinity POD_ANTI_AFFINITY
    }
    APP_ARMOR_PROFILE {
        1 type text shown, 2 localhostProfile text kept
    }
    BINDING {
        1 metadata OBJECT_META shown, 2 target OBJECT_REFERENCE shown
    }
    CAPABILITIES {
        1 add [text], 2 drop [text]
    }
    CONFIG_MAP_ENV_SOURCE {
        1 .. LOCAL_OBJECT_REFERENCE, 2 optional bool kept
    }
    CONFIG_MAP_KEY_SELECTOR {
        1 .. LOCAL_OBJECT_REFERENCE, 2 key text shown, 3 optional bool kept
    }
    CONTAINER {
        1 name text shown, 2 image text, 3 command [text], 4 args [text], 5 workingDir text, 6 ports [CONTAINER_PORT],
        19 envFrom [ENV_FROM_SOURCE], 7 env [ENV_VAR], 8 resources RESOURCE_REQUIREMENTS shown,
        23 resizePolicy [CONTAINER_RESIZE_POLICY], 24 restartPolicy text kept, 9 volumeMounts [VOLUME_MOUNT],
        21 volumeDevices [VOLUME_DEVICE], 10 livenessProbe PROBE, 11 readinessProbe PROBE, 22 startupProbe PROBE,
        12 lifecycle LIFECYCLE, 13 terminationMessagePath text, 20 terminationMessagePolicy text,
        14 imagePullPolicy text, 15 securityContext SECURITY_CONTEXT, 16 stdin bool, 17 stdinOnce bool, 18 tty bool
    }
    CONTAINER_IMAGE {
        1 names [text] shown, 2 sizeBytes long
    }
    CONTAINER_PORT {
        1 name text, 2 hostPort int, 3 containerPort int shown, 4 protocol text, 5 hostIP text
    }
    CONTAINER_RESIZE_POLICY {
        1 resourceName text shown, 2 restartPolicy text shown
    }
    CONTAINER_STATE {
        1 waiting CONTAINER_STATE_WAITING, 2 running CONTAINER_STATE_RUNNING, 3 terminated CONTAINER_STATE_TERMINATED
    }
    CONTAINER_STATE_RUNNING {
        1 startedAt time shown
    }
    CONTAINER_STATE_TERMINATED {
        1 exitCode int shown, 2 signal int, 3 reason text, 4 message text, 5 startedAt time shown,
        6 finishedAt time shown, 7 containerID text
    }
    CONTAINER_STATE_WAITING {
        1 reason text, 2 message text
    }
    CONTAINER_STATUS {
        1 name text shown, 2 state CONTAINER_STATE shown, 3 lastState CONTAINER_STATE shown, 4 ready bool shown,
        5 restartCount int shown, 6 image text shown, 7 imageID text shown, 8 containerID text, 9 started bool kept,
        10 allocatedResources {quantity}, 11 resources RESOURCE_REQUIREMENTS, 12 volumeMounts [VOLUME_MOUNT_STATUS],
        13 user CONTAINER_USER, 14 allocatedResourcesStatus [RESOURCE_STATUS]
    }
    CONTAINER_USER {
        1 linux LINUX_CONTAINER_USER
    }
    ENV_FROM_SOURCE {
        1 prefix text, 2 configMapRef CONFIG_MAP_ENV_SOURCE, 3 secretRef SECRET_ENV_SOURCE
    }
    ENV_VAR {
        1 name text shown, 2 value text, 3 valueFrom ENV_VAR_SOURCE
    }
    ENV_VAR_SOURCE {
        1 fieldRef OBJECT_FIELD_SELECTOR, 2 resourceFieldRef RESOURCE_FIELD_SELECTOR,
        3 configMapKeyRef CONFIG_MAP_KEY_SELECTOR, 4 secretKeyRef SECRET_KEY_SELECTOR
    }
    EPHEMERAL_CONTAINER {
        1 .. EPHEMERAL_CONTAINER_COMMON, 2 targetContainerName text
    }
    EPHEMERAL_CONTAINER_COMMON {
        1 name text shown, 2 image text, 3 command [text], 4 args [text], 5 workingDir text, 6 ports [CONTAINER_PORT],
        19 envFrom [ENV_FROM_SOURCE], 7 env [ENV_VAR], 8 resources RESOURCE_REQUIREMENTS shown,
        23 resizePolicy [CONTAINER_RESIZE_POLICY], 24 restartPolicy text kept, 9 volumeMounts [VOLUME_MOUNT],
        21 volumeDevices [VOLUME_DEVICE], 10 livenessProbe PROBE, 11 readinessProbe PROBE, 22 startupProbe PROBE,
        12 lifecycle LIFECYCLE, 13 terminationMessagePath text, 20 terminationMessagePolicy text,
        14 imagePullPolicy text, 15 securityContext SECURITY_CONTEXT, 16 stdin bool, 17 stdinOnce bool, 18 tty bool
    }
    EXEC_ACTION {
        1 command [text]
    }
    GRPC_ACTION {
        1 port int shown, 2 service text kept
    }
    HOST_ALIAS {
        1 ip text shown, 2 hostnames [text]
    }
    HOST_IP {
        1 ip text shown
    }
    HTTP_GET_ACTION {
        1 path text, 2 port int_or_string shown, 3 host text, 4 scheme text, 5 httpHeaders [HTTP_HEADER]
    }
    HTTP_HEADER {
        1 name text shown, 2 value text shown
    }
    LIFECYCLE {
        1 postStart LIFECYCLE_HANDLER, 2 preStop LIFECYCLE_HANDLER
    }
    LIFECYCLE_HANDLER {
        1 exec EXEC_ACTION, 2 httpGet HTTP_GET_ACTION, 3 tcpSocket TCP_SOCKET_ACTION, 4 sleep SLEEP_ACTION
    }
    LINUX_CONTAINER_USER {
        1 uid long shown, 2 gid long shown, 3 supplementalGroups [long]
    }
    NODE_AFFINITY {
        1 requiredDuringSchedulingIgnoredDuringExecution NODE_SELECTOR,
        2 preferredDuringSchedulingIgnoredDuringExecution [PREFERRED_SCHEDULING_TERM]
    }
    NODE_RUNTIME_HANDLER {
        1 name text shown, 2 features NODE_RUNTIME_HANDLER_FEATURES
    }
    NODE_RUNTIME_HANDLER_FEATURES {
        1 recursiveReadOnlyMounts bool kept, 2 userNamespaces bool kept
    }
    NODE_SELECTOR {
        1 nodeSelectorTerms [NODE_SELECTOR_TERM] shown
    }
    NODE_SELECTOR_REQUIREMENT {
        1 key text shown, 2 operator text shown, 3 values [text]
    }
    NODE_SELECTOR_TERM {
        1 matchExpressions [NODE_SELECTOR_REQUIREMENT], 2 matchFields [NODE_SELECTOR_REQUIREMENT]
    }
    OBJECT_FIELD_SELECTOR {
        1 apiVersion text, 2 fieldPath text shown
    }
    POD {
        1 metadata OBJECT_META shown, 2 spec POD_SPEC shown, 3 status POD_STATUS shown
    }
    POD_AFFINITY {
        1 requiredDuringSchedulingIgnoredDuringExecution [POD_AFFINITY_TERM],
        2 preferredDuringSchedulingIgnoredDuringExecution [WEIGHTED_POD_AFFINITY_TERM]
    }
    POD_AFFINITY_TERM {
        1 labelSelector LABEL_SELECTOR, 2 namespaces [text], 3 topologyKey text shown,
        4 namespaceSelector LABEL_SELECTOR, 5 matchLabelKeys [text], 6 mismatchLabelKeys [text]
    }
    POD_ANTI_AFFINITY {
        1 requiredDuringSchedulingIgnoredDuringExecution [POD_AFFINITY_TERM],
        2 preferredDuringSchedulingIgnoredDuringExecution [WEIGHTED_POD_AFFINITY_TERM]
    }
    POD_CONDITION {
        1 type text shown, 2 status text shown, 3 lastProbeTime time shown, 4 lastTransitionTime time shown,
        5 reason text, 6 message text
    }
    POD_DNS_CONFIG {
        1 nameservers [text], 2 searches [text], 3 options [POD_DNS_CONFIG_OPTION]
    }
    POD_DNS_CONFIG_OPTION {
        1 name text, 2 value text kept
    }
    POD_IP {
        1 ip text shown
    }
    POD_OS {
        1 name text shown
    }
    POD_READINESS_GATE {
        1 conditionType text shown
    }
    POD_SCHEDULING_GATE {
        1 name text shown
    }
    POD_SECURITY_CONTEXT {
        1 seLinuxOptions SE_LINUX_OPTIONS, 8 windowsOptions WINDOWS_SECURITY_CONTEXT_OPTIONS, 2 runAsUser long kept,
        6 runAsGroup long kept, 3 runAsNonRoot bool kept, 4 supplementalGroups [long],
        12 supplementalGroupsPolicy text kept, 5 fsGroup long kept, 7 sysctls [SYSCTL], 9 fsGroupChangePolicy text kept,
        10 seccompProfile SECCOMP_PROFILE, 11 appArmorProfile APP_ARMOR_PROFILE
    }
    POD_SPEC {
        1 volumes [VOLUME], 20 initContainers [CONTAINER], 2 containers [CONTAINER] shown,
        34 ephemeralContainers [EPHEMERAL_CONTAINER], 3 restartPolicy text, 4 terminationGracePeriodSeconds long kept,
        5 activeDeadlineSeconds long kept, 6 dnsPolicy text, 7 nodeSelector {text}, 8 serviceAccountName text,
        9 serviceAccount text, 21 automountServiceAccountToken bool kept, 10 nodeName text, 11 hostNetwork bool,
        12 hostPID bool, 13 hostIPC bool, 27 shareProcessNamespace bool kept, 14 securityContext POD_SECURITY_CONTEXT,
        15 imagePullSecrets [LOCAL_OBJECT_REFERENCE], 16 hostname text, 17 subdomain text, 18 affinity AFFINITY,
        19 schedulerName text, 22 tolerations [TOLERATION], 23 hostAliases [HOST_ALIAS], 24 priorityClassName text,
        25 priority int kept, 26 dnsConfig POD_DNS_CONFIG, 28 readinessGates [POD_READINESS_GATE],
        29 runtimeClassName text kept, 30 enableServiceLinks bool kept, 31 preemptionPolicy text kept,
        32 overhead {quantity}, 33 topologySpreadConstraints [TOPOLOGY_SPREAD_CONSTRAINT],
        35 setHostnameAsFQDN bool kept, 36 os POD_OS, 37 hostUsers bool kept, 38 schedulingGates [POD_SCHEDULING_GATE],
        39 resourceClaims [POD_RESOURCE_CLAIM]
    }
    POD_STATUS {
        1 phase text, 2 conditions [POD_CONDITION], 3 message text, 4 reason text, 11 nominatedNodeName text,
        5 hostIP text, 16 hostIPs [HOST_IP], 6 podIP text, 12 podIPs [POD_IP], 7 startTime time,
        10 initContainerStatuses [CONTAINER_STATUS], 8 containerStatuses [CONTAINER_STATUS], 9 qosClass text,
        13 ephemeralContainerStatuses [CONTAINER_STATUS], 14 resize text,
        15 resourceClaimStatuses [POD_RESOURCE_CLAIM_STATUS]
    }
    POD_TEMPLATE_SPEC {
        1 metadata OBJECT_META shown, 2 spec POD_SPEC shown
    }
    PREFERRED_SCHEDULING_TERM {
        1 weight int shown, 2 preference NODE_SELECTOR_TERM shown
    }
    PROBE {
        1 .. PROBE_HANDLER, 2 initialDelaySeconds int, 3 timeoutSeconds int, 4 periodSeconds int, 5 successThreshold int,
        6 failureThreshold int, 7 terminationGracePeriodSeconds long kept
    }
    PROBE_HANDLER {
        1 exec EXEC_ACTION, 2 httpGet HTTP_GET_ACTION, 3 tcpSocket TCP_SOCKET_ACTION, 4 grpc GRPC_ACTION
    }
    RESOURCE_FIELD_SELECTOR {
        1 containerName text, 2 resource text shown, 3 divisor quantity shown
    }
    RESOURCE_HEALTH {
        1 resourceID text shown, 2 health text
    }
    RESOURCE_REQUIREMENTS {
        1 limits {quantity}, 2 requests {quantity}, 3 claims [RESOURCE_CLAIM]
    }
    RESOURCE_STATUS {
        1 name text shown, 2 resources [RESOURCE_HEALTH]
    }
    SECCOMP_PROFILE {
        1 type text shown, 2 localhostProfile text kept
    }
    SECRET_ENV_SOURCE {
        1 .. LOCAL_OBJECT_REFERENCE, 2 optional bool kept
    }
    SECRET_KEY_SELECTOR {
        1 .. LOCAL_OBJECT_REFERENCE, 2 key text shown, 3 optional bool kept
    }
    SECURITY_CONTEXT {
        1 capabilities CAPABILITIES, 2 privileged bool kept, 3 seLinuxOptions SE_LINUX_OPTIONS,
        10 windowsOptions WINDOWS_SECURITY_CONTEXT_OPTIONS, 4 runAsUser long kept, 8 runAsGroup long kept,
        5 runAsNonRoot bool kept, 6 readOnlyRootFilesystem bool kept, 7 allowPrivilegeEscalation bool kept,
        9 procMount text kept, 11 seccompProfile SECCOMP_PROFILE, 12 appArmorProfile APP_ARMOR_PROFILE
    }
    SESSION_AFFINITY_CONFIG {
        1 clientIP CLIENT_IP_CONFIG
    }
    SE_LINUX_OPTIONS {
        1 user text, 2 role text, 3 type text, 4 level text
    }
    SLEEP_ACTION {
        1 seconds long shown
    }
    SYSCTL {
        1 name text shown, 2 value text shown
    }
    TCP_SOCKET_ACTION {
        1 port int_or_string shown, 2 host text
    }
    TOLERATION {
        1 key text, 2 operator text, 3 value text, 4 effect text, 5 tolerationSeconds long kept
    }
    TOPOLOGY_SELECTOR_LABEL_REQUIREMENT {
        1 key text shown, 2 values [text] shown
    }
    TOPOLOGY_SELECTOR_TERM {
        1 matchLabelExpressions [TOPOLOGY_SELECTOR_LABEL_REQUIREMENT]
    }
    TOPOLOGY_SPREAD_CONSTRAINT {
        1 maxSkew int shown, 2 topologyKey text shown, 3 whenUnsatisfiable text shown, 4 labelSelector LABEL_SELECTOR,
        5 minDomains int kept, 6 nodeAffinityPolicy text kept, 7 nodeTaintsPolicy text kept, 8 matchLabelKeys [text]
    }
    VOLUME_MOUNT_STATUS {
        1 name text shown, 2 mountPath text shown, 3 readOnly bool, 4 recursiveReadOnly text kept
    }
    WEIGHTED_POD_AFFINITY_TERM {
        1 weight int shown, 2 podAffinityTerm POD_AFFINITY_TERM shown
    }
    WINDOWS_SECURITY_CONTEXT_OPTIONS {
        1 gmsaCredentialSpecName text kept, 2 gmsaCredentialSpec text kept, 3 runAsUserName text kept,
        4 hostProcess bool kept
    }
}
