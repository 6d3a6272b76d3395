//! Flow collections that nest too deep.

/// The line, from 1, on which `[` and `{` nest deeper than any reader would follow; `None` if they do not. Those inside of texts count,
/// which are rarely as unbalanced.
///
/// Asked before the text is parsed: serde_yaml refuses depth as well, but only once its scanner has done work that grows with the square
/// of it, most of a minute for 160 KB.
pub fn too_deep(text: &[u8]) -> Option<usize> {
    let (mut depth, mut line) = (0_usize, 1);
    for byte in text {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'\n' => line += 1,
            _ => {}
        }
        if depth > DEPTH_LIMIT {
            return Some(line);
        }
    }
    None
}

/// Twice what serde_yaml follows.
pub const DEPTH_LIMIT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_what_is_open_at_once() {
        let nested = |depth: usize| format!("a: x\nb: {}{}\n", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(too_deep(nested(DEPTH_LIMIT).as_bytes()), None);
        assert_eq!(too_deep(nested(DEPTH_LIMIT + 1).as_bytes()), Some(2));
        assert_eq!(too_deep(nested(100).repeat(100).as_bytes()), None);
        assert_eq!(too_deep("{\n".repeat(1_000).as_bytes()), Some(DEPTH_LIMIT + 1));
        assert_eq!(too_deep("]".repeat(1_000).as_bytes()), None);
    }
}
