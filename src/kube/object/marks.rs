//! Text that stands for a hole while an object is still a tree.

/// Stands for the cluster's name in a template's objects.
pub(in crate::kube) const CLUSTER_NAME: &str = "{{cluster-name}}";
/// Stands for the time the cluster was made, RFC 3339 with whole seconds.
pub(in crate::kube) const CREATED: &str = "{{created}}";
/// Stands for a node's last heartbeat, RFC 3339 with whole seconds.
pub(in crate::kube) const HEARTBEAT: &str = "\u{10FFE0}heartbeat\u{10FFE1}";
/// Stands for a lease's last renewal, RFC 3339 with microseconds.
pub(in crate::kube) const RENEWAL: &str = "\u{10FFE0}renewal\u{10FFE1}";

/// Stands for the uid of the baseline object `ordinal`.
pub(in crate::kube) fn owner_uid(ordinal: u32) -> String {
    format!("{OPEN}{ordinal}{CLOSE}")
}

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fill {
    /// The server's fields of `metadata`.
    Stamp,
    ClusterName,
    Created,
    Heartbeat,
    Renewal,
    /// The uid of a baseline object.
    Uid(u32),
    /// What only this object says: a place among those.
    Own(u32),
}

/// The first mark in `text`: what is before it, what it stands for, and what follows.
pub(super) fn first(text: &str) -> Option<(&str, Fill, &str)> {
    let fixed = [
        (CLUSTER_NAME, Fill::ClusterName),
        (CREATED, Fill::Created),
        (HEARTBEAT, Fill::Heartbeat),
        (RENEWAL, Fill::Renewal),
    ];
    let fixed = fixed.into_iter().filter_map(|(mark, fill)| Some((text.find(mark)?, mark.len(), fill)));
    let (at, length, fill) = fixed.chain(first_uid(text)).min_by_key(|(at, ..)| *at)?;
    let (before, from) = text.split_at(at);
    Some((before, fill, &from[length..]))
}

fn first_uid(text: &str) -> Option<(usize, usize, Fill)> {
    text.match_indices(OPEN).find_map(|(at, _)| {
        let (word, _) = text[at + OPEN.len_utf8()..].split_once(CLOSE)?;
        let ordinal = word.parse().ok()?;
        Some((at, OPEN.len_utf8() + word.len() + CLOSE.len_utf8(), Fill::Uid(ordinal)))
    })
}

/// Around a mark that no template writes; from the end of the last private-use plane.
const OPEN: char = '\u{10FFE0}';
const CLOSE: char = '\u{10FFE1}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_in_order() {
        let text = format!("a{}b{CLUSTER_NAME}c{HEARTBEAT}{{{{other}}}}", owner_uid(17));
        let (before, fill, rest) = first(&text).unwrap();
        assert_eq!((before, fill), ("a", Fill::Uid(17)));
        let (before, fill, rest) = first(rest).unwrap();
        assert_eq!((before, fill), ("b", Fill::ClusterName));
        assert_eq!(first(rest), Some(("c", Fill::Heartbeat, "{{other}}")));
        assert_eq!(first("{{other}}"), None);
        assert_eq!(first("\u{10FFE0}x"), None);
    }
}
