//! Identifiers that look random and are the same on every run.

use ring::digest::{SHA256, digest};

/// 64 hex digits derived from `text`, as image and container IDs have.
pub(super) fn hex(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A UUID derived from `text`.
pub(super) fn uuid(text: &str) -> String {
    let hex = hex(text);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// `length` characters of the alphabet of generated Kubernetes names, derived from `text`; different for each `index` below
/// 27 to the power of `length`.
pub(super) fn suffix(text: &str, index: usize, length: u32) -> String {
    let alphabet = SAFE_ALPHABET.as_bytes();
    let base = alphabet.len() as u64;
    let seed =
        digest(&SHA256, text.as_bytes()).as_ref().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    let names = base.pow(length);
    // STEP has no factor in common with 27, so that consecutive indexes visit every name once before one repeats.
    let mut number = (seed % names + (index as u64 % names) * STEP % names) % names;
    let mut suffix = String::new();
    for _ in 0..length {
        let letter = alphabet.get((number % base) as usize).copied().unwrap_or(b'x');
        suffix.push(char::from(letter));
        number /= base;
    }
    suffix
}

/// The letters and digits of generated names: without vowels and what looks alike (apimachinery `util/rand`).
const SAFE_ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";

/// Any large number that 3 does not divide.
const STEP: u64 = 7_919_017;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn suffixes_differ_by_index() {
        let suffixes: HashSet<String> = (0..10_000).map(|index| suffix("default/web", index, 5)).collect();
        assert_eq!(suffixes.len(), 10_000);
        assert!(suffixes.iter().all(|suffix| suffix.len() == 5));
        assert_ne!(suffix("a", 0, 10), suffix("b", 0, 10));
    }

    #[test]
    fn uuids_have_their_shape() {
        let parts: Vec<usize> = uuid("x").split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
    }
}
