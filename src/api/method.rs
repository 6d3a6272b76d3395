//! What methods of HTTP are for.

/// Whether a request of this method is meant to change anything: all but those that RFC 9110 §9.2.1 calls safe.
pub(super) fn changes_something(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}
