//! Types of `node.k8s.io/v1`, as of Kubernetes 1.31.

use super::core_pods::TOLERATION;
use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    OVERHEAD {
        1 podFixed {quantity}
    }
    RUNTIME_CLASS {
        1 metadata OBJECT_META shown, 2 handler text shown, 3 overhead OVERHEAD, 4 scheduling SCHEDULING
    }
    SCHEDULING {
        1 nodeSelector {text}, 2 tolerations [TOLERATION]
    }
}
