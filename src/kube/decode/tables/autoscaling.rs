//! Messages of `autoscaling`, from its `generated.proto` in Kubernetes 1.31.

use super::messages;
use super::meta::OBJECT_META;

messages! {
    SCALE {
        1 metadata OBJECT_META, 2 spec SCALE_SPEC, 3 status SCALE_STATUS
    }
    SCALE_SPEC {
        1 replicas int
    }
    SCALE_STATUS {
        1 replicas int kept, 2 selector text
    }
}
