//! Types of `coordination.k8s.io/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    LEASE {
        1 metadata OBJECT_META shown, 2 spec LEASE_SPEC shown
    }
    LEASE_SPEC {
        1 holderIdentity text kept, 2 leaseDurationSeconds int kept, 3 acquireTime micro_time, 4 renewTime micro_time,
        5 leaseTransitions int kept, 6 strategy text kept, 7 preferredHolder text kept
    }
}
