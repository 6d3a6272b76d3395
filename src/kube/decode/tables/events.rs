//! Messages of `events.k8s.io`, from its `generated.proto` in Kubernetes 1.31.

use super::core::{EVENT_SOURCE, OBJECT_REFERENCE};
use super::messages;
use super::meta::OBJECT_META;

messages! {
    EVENTS_EVENT {
        1 metadata OBJECT_META, 2 eventTime micro_time, 3 series EVENTS_EVENT_SERIES, 4 reportingController text,
        5 reportingInstance text, 6 action text, 7 reason text, 8 regarding OBJECT_REFERENCE,
        9 related OBJECT_REFERENCE, 10 note text, 11 type text, 12 deprecatedSource EVENT_SOURCE,
        13 deprecatedFirstTimestamp time, 14 deprecatedLastTimestamp time, 15 deprecatedCount int
    }
    EVENTS_EVENT_SERIES {
        1 count int kept, 2 lastObservedTime micro_time
    }
}
