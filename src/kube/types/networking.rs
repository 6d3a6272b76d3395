//! Types of `networking.k8s.io/v1`, as of Kubernetes 1.31.

use super::core_volumes::TYPED_LOCAL_OBJECT_REFERENCE;
use super::message::messages;
use super::meta::{LABEL_SELECTOR, OBJECT_META};

messages! {
    HTTP_INGRESS_PATH {
        1 path text, 3 pathType text kept, 2 backend INGRESS_BACKEND shown
    }
    HTTP_INGRESS_RULE_VALUE {
        1 paths [HTTP_INGRESS_PATH] shown
    }
    INGRESS {
        1 metadata OBJECT_META shown, 2 spec INGRESS_SPEC shown, 3 status INGRESS_STATUS shown
    }
    INGRESS_BACKEND {
        4 service INGRESS_SERVICE_BACKEND, 3 resource TYPED_LOCAL_OBJECT_REFERENCE
    }
    INGRESS_CLASS {
        1 metadata OBJECT_META shown, 2 spec INGRESS_CLASS_SPEC shown
    }
    INGRESS_CLASS_PARAMETERS_REFERENCE {
        1 apiGroup text kept, 2 kind text shown, 3 name text shown, 4 scope text kept, 5 namespace text kept
    }
    INGRESS_CLASS_SPEC {
        1 controller text, 2 parameters INGRESS_CLASS_PARAMETERS_REFERENCE
    }
    INGRESS_LOAD_BALANCER_INGRESS {
        1 ip text, 2 hostname text, 4 ports [INGRESS_PORT_STATUS]
    }
    INGRESS_LOAD_BALANCER_STATUS {
        1 ingress [INGRESS_LOAD_BALANCER_INGRESS]
    }
    INGRESS_PORT_STATUS {
        1 port int shown, 2 protocol text shown, 3 error text kept
    }
    INGRESS_RULE {
        1 host text, 2 .. INGRESS_RULE_VALUE
    }
    INGRESS_RULE_VALUE {
        1 http HTTP_INGRESS_RULE_VALUE
    }
    INGRESS_SERVICE_BACKEND {
        1 name text shown, 2 port SERVICE_BACKEND_PORT shown
    }
    INGRESS_SPEC {
        4 ingressClassName text kept, 1 defaultBackend INGRESS_BACKEND, 2 tls [INGRESS_TLS], 3 rules [INGRESS_RULE]
    }
    INGRESS_STATUS {
        1 loadBalancer INGRESS_LOAD_BALANCER_STATUS shown
    }
    INGRESS_TLS {
        1 hosts [text], 2 secretName text
    }
    IP_BLOCK {
        1 cidr text shown, 2 except [text]
    }
    NETWORK_POLICY {
        1 metadata OBJECT_META shown, 2 spec NETWORK_POLICY_SPEC shown
    }
    NETWORK_POLICY_EGRESS_RULE {
        1 ports [NETWORK_POLICY_PORT], 2 to [NETWORK_POLICY_PEER]
    }
    NETWORK_POLICY_INGRESS_RULE {
        1 ports [NETWORK_POLICY_PORT], 2 from [NETWORK_POLICY_PEER]
    }
    NETWORK_POLICY_PEER {
        1 podSelector LABEL_SELECTOR, 2 namespaceSelector LABEL_SELECTOR, 3 ipBlock IP_BLOCK
    }
    NETWORK_POLICY_PORT {
        1 protocol text kept, 2 port int_or_string, 3 endPort int kept
    }
    NETWORK_POLICY_SPEC {
        1 podSelector LABEL_SELECTOR shown, 2 ingress [NETWORK_POLICY_INGRESS_RULE],
        3 egress [NETWORK_POLICY_EGRESS_RULE], 4 policyTypes [text]
    }
    SERVICE_BACKEND_PORT {
        1 name text, 2 number int
    }
}
