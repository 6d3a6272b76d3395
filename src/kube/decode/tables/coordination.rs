//! Messages of `coordination.k8s.io`, from its `generated.proto` in Kubernetes 1.31.

use super::messages;
use super::meta::OBJECT_META;

messages! {
    LEASE {
        1 metadata OBJECT_META, 2 spec LEASE_SPEC
    }
    LEASE_SPEC {
        1 holderIdentity text kept, 2 leaseDurationSeconds int kept, 3 acquireTime micro_time, 4 renewTime micro_time,
        5 leaseTransitions int kept, 6 strategy text kept, 7 preferredHolder text kept
    }
}
