//! Objects as bytes that outlive the process: what a cluster keeps of an object, as it is, little-endian.
//!
//! ```text
//! stamp := uid:u64,u64 revision:u64 created_s:i64 heartbeat_s:i64 deleted_s:i64 generation:u32      deleted_s is MIN for none
//! body  := labels:u32,u32 holes:u32 { at:u32 kind:u32 ordinal:u32 }* text
//! ```

use super::body::Hole;
use super::marks::Fill;
use super::own::Flat;
use super::{ObjectBody, Stamp, Uid};
use std::sync::Arc;

impl Stamp {
    /// Appends the stamp.
    pub(in crate::kube) fn encode(&self, out: &mut Vec<u8>) {
        let Uid(high, low) = self.uid;
        let deleted_s = self.deleted_s.unwrap_or(NOT_DELETED);
        for word in [high, low, self.revision] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        for seconds in [self.created_s, self.heartbeat_s, deleted_s] {
            out.extend_from_slice(&seconds.to_le_bytes());
        }
        out.extend_from_slice(&self.generation.to_le_bytes());
    }

    /// Takes a stamp off the front of `bytes`; `None` if they hold none.
    pub(in crate::kube) fn decode(bytes: &mut &[u8]) -> Option<Stamp> {
        let uid = Uid(u64::from_le_bytes(take(bytes)?), u64::from_le_bytes(take(bytes)?));
        let revision = u64::from_le_bytes(take(bytes)?);
        let mut seconds = || Some(i64::from_le_bytes(take(bytes)?));
        let (created_s, heartbeat_s, deleted_s) = (seconds()?, seconds()?, seconds()?);
        let generation = u32::from_le_bytes(take(bytes)?);
        let deleted_s = (deleted_s != NOT_DELETED).then_some(deleted_s);
        Some(Stamp { uid, revision, created_s, heartbeat_s, deleted_s, generation })
    }
}

impl ObjectBody {
    /// Appends the body.
    pub(in crate::kube) fn encode(&self, out: &mut Vec<u8>) {
        let flat = self.flat();
        let mut word = |word: u32| out.extend_from_slice(&word.to_le_bytes());
        word(flat.labels.start);
        word(flat.labels.end);
        // There are fewer holes than bytes of text, which fit 32 bits.
        word(flat.holes.len() as u32);
        for hole in &flat.holes {
            let (kind, ordinal) = match hole.fill {
                Fill::Stamp => (0, 0),
                Fill::ClusterName => (1, 0),
                Fill::Created => (2, 0),
                Fill::Heartbeat => (3, 0),
                Fill::Renewal => (4, 0),
                Fill::Uid(ordinal) => (5, ordinal),
                // They are in the text.
                Fill::Own(_) => continue,
            };
            [hole.at, kind, ordinal].into_iter().for_each(&mut word);
        }
        out.extend_from_slice(&flat.text);
    }

    /// The body that `bytes` are; `None` if they are none.
    pub(in crate::kube) fn decode(mut bytes: &[u8]) -> Option<ObjectBody> {
        let bytes = &mut bytes;
        let labels = word(bytes)?..word(bytes)?;
        let count = word(bytes)?;
        let mut holes = Vec::new();
        for _ in 0..count {
            let (at, kind, ordinal) = (word(bytes)?, word(bytes)?, word(bytes)?);
            let fill = match kind {
                0 => Fill::Stamp,
                1 => Fill::ClusterName,
                2 => Fill::Created,
                3 => Fill::Heartbeat,
                4 => Fill::Renewal,
                5 => Fill::Uid(ordinal),
                _ => return None,
            };
            holes.push(Hole { at, fill });
        }
        let text = bytes.to_vec();
        let end = u32::try_from(text.len()).ok()?;
        let in_order = holes.is_sorted_by_key(|hole| hole.at) && holes.last().is_none_or(|hole| hole.at <= end);
        let whole = labels.start <= labels.end && labels.end <= end;
        // Wherever it begins: the pieces are but written one after the other.
        let after_labels = text.get(labels.end as usize..)?;
        let status = after_labels.windows(STATUS.len()).position(|window| window == STATUS);
        let split = status.map_or(text.len().saturating_sub(1), |at| labels.end as usize + at);
        let flat = Flat { text, holes, labels, split };
        (in_order && whole && std::str::from_utf8(&flat.text).is_ok())
            .then(|| ObjectBody::of(flat, Vec::new(), Arc::new))
    }
}

/// Where the second piece of most bodies begins.
const STATUS: &[u8] = b",\"status\":";

fn word(bytes: &mut &[u8]) -> Option<u32> {
    take(bytes).map(u32::from_le_bytes)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

/// No deletion has this time.
const NOT_DELETED: i64 = i64::MIN;

#[cfg(test)]
mod tests {
    use super::super::{CREATED, Holes, owner_uid};
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn encoded() -> Vec<u8> {
        let object = json!({
            "metadata": {"name": "a", "labels": {"x": "ü"}}, "spec": {"since": CREATED, "owner": owner_uid(7)}
        });
        let mut bytes = Vec::new();
        ObjectBody::compile(&object, Holes::Marks).encode(&mut bytes);
        bytes
    }

    #[test]
    fn a_body_comes_back_as_it_was() {
        let object = json!({
            "metadata": {"name": "a", "labels": {"x": "ü"}}, "spec": {"since": CREATED, "owner": owner_uid(7)}
        });
        assert_eq!(ObjectBody::decode(&encoded()), Some(ObjectBody::compile(&object, Holes::Marks)));
    }

    #[test]
    fn a_stamp_comes_back_as_it_was_and_leaves_the_rest() {
        for deleted_s in [None, Some(-5)] {
            let stamp = Stamp {
                uid: Uid::of_baseline(1, 2),
                revision: u64::MAX,
                created_s: -1,
                heartbeat_s: 1_767_225_600,
                deleted_s,
                generation: 3,
            };
            let mut bytes = Vec::new();
            stamp.encode(&mut bytes);
            bytes.extend_from_slice(b"rest");
            let mut rest = &bytes[..];
            assert_eq!(Stamp::decode(&mut rest), Some(stamp));
            assert_eq!(rest, b"rest");
        }
    }

    proptest! {
        #[test]
        fn damaged_bytes_are_refused_or_can_be_written(at in 0usize..200, to: u8, cut in 0usize..200) {
            let mut bytes = encoded();
            let at = at % bytes.len();
            bytes[at] = to;
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            if let Some(body) = ObjectBody::decode(&bytes) {
                let stamp = Stamp {
                    uid: Uid::of_baseline(1, 2), revision: 1, created_s: 0, heartbeat_s: 0, deleted_s: None, generation: 0,
                };
                let mut out = Vec::new();
                body.write(&stamp, &super::super::Particulars::new("edge", 1, 0), &mut out);
                prop_assert!(out.len() < 10_000);
            }
        }
    }
}
