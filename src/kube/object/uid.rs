//! Object uids.

use std::fmt;

/// A uid in the shape of a version 4 UUID (RFC 9562 §5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::kube) struct Uid(pub(super) u64, pub(super) u64);

impl Uid {
    /// The uid of the baseline object `ordinal` in the cluster of `seed`: always the same, and stored nowhere.
    pub(in crate::kube) fn of_baseline(seed: u64, ordinal: u32) -> Uid {
        let first = mix(seed ^ mix(u64::from(ordinal)));
        Uid::shaped(first, mix(first))
    }

    /// A new one.
    pub(in crate::kube) fn random(random: &mut fastrand::Rng) -> Uid {
        Uid::shaped(random.u64(..), random.u64(..))
    }

    /// Reads a uid as it is displayed; `None` for anything else.
    pub(super) fn parse(text: &[u8]) -> Option<Uid> {
        let is_dash = |at: usize| [8, 13, 18, 23].contains(&at);
        let mut bits = 0_u128;
        for (at, byte) in text.iter().enumerate() {
            match byte {
                b'-' if is_dash(at) => {}
                b'0'..=b'9' if !is_dash(at) => bits = bits << 4 | u128::from(byte - b'0'),
                b'a'..=b'f' if !is_dash(at) => bits = bits << 4 | u128::from(byte - b'a' + 10),
                _ => return None,
            }
        }
        (text.len() == 36).then_some(Uid((bits >> 64) as u64, bits as u64))
    }

    /// Bits by which what is done to objects spreads over time: always the same for one object.
    pub(in crate::kube) fn spread(self) -> u64 {
        self.1
    }

    fn shaped(high: u64, low: u64) -> Uid {
        Uid(high & !0xf000 | 0x4000, low & !(0b11 << 62) | 0b10 << 62)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Uid(high, low) = self;
        let parts = (high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffff_ffff_ffff);
        write!(f, "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", parts.0, parts.1, parts.2, parts.3, parts.4)
    }
}

/// The finaliser of SplitMix64: neighbouring seeds and ordinals come out unrelated.
fn mix(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn has_the_shape_of_a_version_4_uuid() {
        assert_eq!(Uid::shaped(0, 0).to_string(), "00000000-0000-4000-8000-000000000000");
        assert_eq!(Uid::shaped(u64::MAX, u64::MAX).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn what_is_displayed_is_read() {
        let uid = Uid::of_baseline(1, 2);
        assert_eq!(Uid::parse(uid.to_string().as_bytes()), Some(uid));
        for text in [
            "",
            "00000000-0000-4000-8000-00000000000",
            "00000000-0000-4000-8000-00000000000G",
            "00000000x0000-4000-8000-000000000000",
        ] {
            assert_eq!(Uid::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn clusters_and_objects_do_not_share_uids() {
        let uids: HashSet<Uid> =
            (0..100).flat_map(|seed| (0..100).map(move |ordinal| Uid::of_baseline(seed, ordinal))).collect();
        assert_eq!(uids.len(), 10_000);
        assert_eq!(Uid::of_baseline(7, 3), Uid::of_baseline(7, 3));
    }
}
