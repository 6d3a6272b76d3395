//! Messages of `scheduling.k8s.io`, from its `generated.proto` in Kubernetes 1.31.

use super::messages;
use super::meta::OBJECT_META;

messages! {
    PRIORITY_CLASS {
        1 metadata OBJECT_META, 2 value int kept, 3 globalDefault bool, 4 description text,
        5 preemptionPolicy text kept
    }
}
