//! Types of `scheduling.k8s.io/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    PRIORITY_CLASS {
        1 metadata OBJECT_META shown, 2 value int shown, 3 globalDefault bool, 4 description text,
        5 preemptionPolicy text kept
    }
}
