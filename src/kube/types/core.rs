//! Types of the core group: what is neither a pod nor a volume, as of Kubernetes 1.31.

use super::core_pods::{CONTAINER_IMAGE, NODE_RUNTIME_HANDLER, POD_TEMPLATE_SPEC, SESSION_AFFINITY_CONFIG};
use super::core_volumes::{ATTACHED_VOLUME, LOCAL_OBJECT_REFERENCE};
use super::message::messages;
use super::meta::{CONDITION, OBJECT_META};

messages! {
    CLIENT_IP_CONFIG {
        1 timeoutSeconds int kept
    }
    COMPONENT_CONDITION {
        1 type text shown, 2 status text shown, 3 message text, 4 error text
    }
    COMPONENT_STATUS {
        1 metadata OBJECT_META shown, 2 conditions [COMPONENT_CONDITION]
    }
    CONFIG_MAP {
        1 metadata OBJECT_META shown, 4 immutable bool kept, 2 data {text}, 3 binaryData {bytes}
    }
    CONFIG_MAP_NODE_CONFIG_SOURCE {
        1 namespace text shown, 2 name text shown, 3 uid text, 4 resourceVersion text, 5 kubeletConfigKey text shown
    }
    DAEMON_ENDPOINT {
        1 Port int shown
    }
    ENDPOINTS {
        1 metadata OBJECT_META shown, 2 subsets [ENDPOINT_SUBSET]
    }
    ENDPOINT_ADDRESS {
        1 ip text shown, 3 hostname text, 4 nodeName text kept, 2 targetRef OBJECT_REFERENCE
    }
    ENDPOINT_PORT {
        1 name text, 2 port int shown, 3 protocol text, 4 appProtocol text kept
    }
    ENDPOINT_SUBSET {
        1 addresses [ENDPOINT_ADDRESS], 2 notReadyAddresses [ENDPOINT_ADDRESS], 3 ports [ENDPOINT_PORT]
    }
    EVENT {
        1 metadata OBJECT_META shown, 2 involvedObject OBJECT_REFERENCE shown, 3 reason text, 4 message text,
        5 source EVENT_SOURCE shown, 6 firstTimestamp time shown, 7 lastTimestamp time shown, 8 count int, 9 type text,
        10 eventTime micro_time shown, 11 series EVENT_SERIES, 12 action text, 13 related OBJECT_REFERENCE,
        14 reportingComponent text shown, 15 reportingInstance text shown
    }
    EVENT_SERIES {
        1 count int, 2 lastObservedTime micro_time shown
    }
    EVENT_SOURCE {
        1 component text, 2 host text
    }
    LIMIT_RANGE {
        1 metadata OBJECT_META shown, 2 spec LIMIT_RANGE_SPEC shown
    }
    LIMIT_RANGE_ITEM {
        1 type text shown, 2 max {quantity}, 3 min {quantity}, 4 default {quantity}, 5 defaultRequest {quantity},
        6 maxLimitRequestRatio {quantity}
    }
    LIMIT_RANGE_SPEC {
        1 limits [LIMIT_RANGE_ITEM] shown
    }
    LOAD_BALANCER_INGRESS {
        1 ip text, 2 hostname text, 3 ipMode text kept, 4 ports [PORT_STATUS]
    }
    LOAD_BALANCER_STATUS {
        1 ingress [LOAD_BALANCER_INGRESS]
    }
    NAMESPACE {
        1 metadata OBJECT_META shown, 2 spec NAMESPACE_SPEC shown, 3 status NAMESPACE_STATUS shown
    }
    NAMESPACE_CONDITION {
        1 type text shown, 2 status text shown, 4 lastTransitionTime time shown, 5 reason text, 6 message text
    }
    NAMESPACE_SPEC {
        1 finalizers [text]
    }
    NAMESPACE_STATUS {
        1 phase text, 2 conditions [NAMESPACE_CONDITION]
    }
    NODE {
        1 metadata OBJECT_META shown, 2 spec NODE_SPEC shown, 3 status NODE_STATUS shown
    }
    NODE_ADDRESS {
        1 type text shown, 2 address text shown
    }
    NODE_CONDITION {
        1 type text shown, 2 status text shown, 3 lastHeartbeatTime time shown, 4 lastTransitionTime time shown,
        5 reason text, 6 message text
    }
    NODE_CONFIG_SOURCE {
        2 configMap CONFIG_MAP_NODE_CONFIG_SOURCE
    }
    NODE_CONFIG_STATUS {
        1 assigned NODE_CONFIG_SOURCE, 2 active NODE_CONFIG_SOURCE, 3 lastKnownGood NODE_CONFIG_SOURCE, 4 error text
    }
    NODE_DAEMON_ENDPOINTS {
        1 kubeletEndpoint DAEMON_ENDPOINT shown
    }
    NODE_FEATURES {
        1 supplementalGroupsPolicy bool kept
    }
    NODE_SPEC {
        1 podCIDR text, 7 podCIDRs [text], 3 providerID text, 4 unschedulable bool, 5 taints [TAINT],
        6 configSource NODE_CONFIG_SOURCE, 2 externalID text
    }
    NODE_STATUS {
        1 capacity {quantity}, 2 allocatable {quantity}, 3 phase text, 4 conditions [NODE_CONDITION],
        5 addresses [NODE_ADDRESS], 6 daemonEndpoints NODE_DAEMON_ENDPOINTS shown, 7 nodeInfo NODE_SYSTEM_INFO shown,
        8 images [CONTAINER_IMAGE], 9 volumesInUse [text], 10 volumesAttached [ATTACHED_VOLUME],
        11 config NODE_CONFIG_STATUS, 12 runtimeHandlers [NODE_RUNTIME_HANDLER], 13 features NODE_FEATURES
    }
    NODE_SYSTEM_INFO {
        1 machineID text shown, 2 systemUUID text shown, 3 bootID text shown, 4 kernelVersion text shown,
        5 osImage text shown, 6 containerRuntimeVersion text shown, 7 kubeletVersion text shown,
        8 kubeProxyVersion text shown, 9 operatingSystem text shown, 10 architecture text shown
    }
    OBJECT_REFERENCE {
        1 kind text, 2 namespace text, 3 name text, 4 uid text, 5 apiVersion text, 6 resourceVersion text,
        7 fieldPath text
    }
    POD_TEMPLATE {
        1 metadata OBJECT_META shown, 2 template POD_TEMPLATE_SPEC shown
    }
    PORT_STATUS {
        1 port int shown, 2 protocol text shown, 3 error text kept
    }
    REPLICATION_CONTROLLER {
        1 metadata OBJECT_META shown, 2 spec REPLICATION_CONTROLLER_SPEC shown,
        3 status REPLICATION_CONTROLLER_STATUS shown
    }
    REPLICATION_CONTROLLER_CONDITION {
        1 type text shown, 2 status text shown, 3 lastTransitionTime time shown, 4 reason text, 5 message text
    }
    REPLICATION_CONTROLLER_SPEC {
        1 replicas int kept, 4 minReadySeconds int, 2 selector {text}, 3 template POD_TEMPLATE_SPEC
    }
    REPLICATION_CONTROLLER_STATUS {
        1 replicas int shown, 2 fullyLabeledReplicas int, 4 readyReplicas int, 5 availableReplicas int,
        3 observedGeneration long, 6 conditions [REPLICATION_CONTROLLER_CONDITION]
    }
    RESOURCE_QUOTA {
        1 metadata OBJECT_META shown, 2 spec RESOURCE_QUOTA_SPEC shown, 3 status RESOURCE_QUOTA_STATUS shown
    }
    RESOURCE_QUOTA_SPEC {
        1 hard {quantity}, 2 scopes [text], 3 scopeSelector SCOPE_SELECTOR
    }
    RESOURCE_QUOTA_STATUS {
        1 hard {quantity}, 2 used {quantity}
    }
    SCOPED_RESOURCE_SELECTOR_REQUIREMENT {
        1 scopeName text shown, 2 operator text shown, 3 values [text]
    }
    SCOPE_SELECTOR {
        1 matchExpressions [SCOPED_RESOURCE_SELECTOR_REQUIREMENT]
    }
    SECRET {
        1 metadata OBJECT_META shown, 5 immutable bool kept, 2 data {bytes}, 4 stringData {text}, 3 type text
    }
    SERVICE {
        1 metadata OBJECT_META shown, 2 spec SERVICE_SPEC shown, 3 status SERVICE_STATUS shown
    }
    SERVICE_ACCOUNT {
        1 metadata OBJECT_META shown, 2 secrets [OBJECT_REFERENCE], 3 imagePullSecrets [LOCAL_OBJECT_REFERENCE],
        4 automountServiceAccountToken bool kept
    }
    SERVICE_PORT {
        1 name text, 2 protocol text, 6 appProtocol text kept, 3 port int shown, 4 targetPort int_or_string shown,
        5 nodePort int
    }
    SERVICE_SPEC {
        1 ports [SERVICE_PORT], 2 selector {text}, 3 clusterIP text, 18 clusterIPs [text], 4 type text,
        5 externalIPs [text], 7 sessionAffinity text, 8 loadBalancerIP text, 9 loadBalancerSourceRanges [text],
        10 externalName text, 11 externalTrafficPolicy text, 12 healthCheckNodePort int,
        13 publishNotReadyAddresses bool, 14 sessionAffinityConfig SESSION_AFFINITY_CONFIG, 19 ipFamilies [text],
        17 ipFamilyPolicy text kept, 20 allocateLoadBalancerNodePorts bool kept, 21 loadBalancerClass text kept,
        22 internalTrafficPolicy text kept, 23 trafficDistribution text kept
    }
    SERVICE_STATUS {
        1 loadBalancer LOAD_BALANCER_STATUS shown, 2 conditions [CONDITION]
    }
    TAINT {
        1 key text shown, 2 value text, 3 effect text shown, 4 timeAdded time
    }
}
