//! Types of `events.k8s.io/v1`, as of Kubernetes 1.31.

use super::core::{EVENT_SOURCE, OBJECT_REFERENCE};
use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    EVENT {
        1 metadata OBJECT_META shown, 2 eventTime micro_time shown, 3 series EVENT_SERIES, 4 reportingController text,
        5 reportingInstance text, 6 action text, 7 reason text, 8 regarding OBJECT_REFERENCE shown,
        9 related OBJECT_REFERENCE, 10 note text, 11 type text, 12 deprecatedSource EVENT_SOURCE shown,
        13 deprecatedFirstTimestamp time shown, 14 deprecatedLastTimestamp time shown, 15 deprecatedCount int
    }
    EVENT_SERIES {
        1 count int shown, 2 lastObservedTime micro_time shown
    }
}
