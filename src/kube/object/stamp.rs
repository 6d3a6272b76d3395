//! What the server owns of an object's metadata.

use super::Uid;
use jiff::Timestamp;
use std::io::Write;

/// The fields of an object's metadata that the server fills in, and when its node last gave a sign of life. Times are seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kube) struct Stamp {
    /// `uid`.
    pub uid: Uid,
    /// `resourceVersion`.
    pub revision: u64,
    /// `creationTimestamp`.
    pub created_s: i64,
    /// What fills the heartbeat holes.
    pub heartbeat_s: i64,
    /// `deletionTimestamp`, once somebody deleted an object that finalizers hold.
    pub deleted_s: Option<i64>,
    /// `generation`; 0 for kinds that have none.
    pub generation: u32,
}

impl Stamp {
    /// Appends the fields as they stand in `metadata` after others.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        _ = write!(out, ",\"uid\":\"{}\"", self.uid);
        if self.revision > 0 {
            _ = write!(out, ",\"resourceVersion\":\"{}\"", self.revision);
        }
        if self.generation > 0 {
            _ = write!(out, ",\"generation\":{}", self.generation);
        }
        _ = write!(out, ",\"creationTimestamp\":\"{}\"", timestamp(self.created_s));
        if let Some(deleted_s) = self.deleted_s {
            _ = write!(out, ",\"deletionTimestamp\":\"{}\",\"deletionGracePeriodSeconds\":0", timestamp(deleted_s));
        }
    }
}

/// `metav1.Time`.
pub(in crate::kube) fn time(seconds: i64) -> String {
    timestamp(seconds).to_string()
}

/// `metav1.MicroTime`, as Leases have it.
pub(in crate::kube) fn micro_time(seconds: i64) -> String {
    format!("{:.6}", timestamp(seconds))
}

fn timestamp(seconds: i64) -> Timestamp {
    // Seconds come from a Timestamp, so that they always fit one.
    Timestamp::from_second(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_in_an_apiservers_order() {
        let mut stamp = Stamp {
            uid: Uid::of_baseline(0, 0),
            revision: 42,
            created_s: 1_767_225_600,
            heartbeat_s: 0,
            deleted_s: None,
            generation: 0,
        };
        let written = |stamp: &Stamp| {
            let mut out = Vec::new();
            stamp.write(&mut out);
            String::from_utf8(out).unwrap()
        };
        let uid = stamp.uid.to_string();
        assert_eq!(
            written(&stamp),
            format!(",\"uid\":\"{uid}\",\"resourceVersion\":\"42\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\"")
        );
        stamp.generation = 3;
        stamp.deleted_s = Some(1_767_225_601);
        assert_eq!(
            written(&stamp),
            format!(
                ",\"uid\":\"{uid}\",\"resourceVersion\":\"42\",\"generation\":3,\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\
                 \"deletionTimestamp\":\"2026-01-01T00:00:01Z\",\"deletionGracePeriodSeconds\":0"
            )
        );
    }

    #[test]
    fn times_have_their_kinds_precision() {
        assert_eq!(time(1_767_225_600), "2026-01-01T00:00:00Z");
        assert_eq!(micro_time(1_767_225_600), "2026-01-01T00:00:00.000000Z");
    }
}
