//! What a message may cost, and how one that is not acceptable is refused.

use super::Method;

/// Bounds of one message.
#[derive(Debug, Clone, Copy)]
pub struct MessageLimits {
    /// Start line and header fields together, in bytes.
    pub head_bytes: usize,
    /// Header fields.
    pub headers: usize,
    /// The body with its transfer coding removed, in bytes.
    pub body_bytes: usize,
}

impl Default for MessageLimits {
    /// Go's `net/http` takes heads of 1 MiB; 64 KiB is more than any Kubernetes client sends. A kube-apiserver takes request
    /// bodies of 3 MiB.
    fn default() -> MessageLimits {
        MessageLimits { head_bytes: 64 * 1024, headers: 128, body_bytes: 3 << 20 }
    }
}

/// A message that cannot be accepted; the connection closes after it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct Refusal {
    /// The status code a server answers with.
    pub status: u16,
    /// What was wrong and what was expected.
    pub message: String,
    /// What was asked, by method and target, as far as it was understood.
    pub asked: Option<Box<(Method, String)>>,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into(), asked: None }
    }

    /// Of a request with this method and target.
    pub(super) fn of(self, method: Method, target: &str) -> Refusal {
        Refusal { asked: Some(Box::new((method, target.to_owned()))), ..self }
    }

    /// A head that httparse does not accept.
    pub(super) fn unreadable(error: httparse::Error) -> Refusal {
        match error {
            httparse::Error::TooManyHeaders => Refusal::new(431, "too many header fields"),
            httparse::Error::Version => Refusal::new(505, "only HTTP/1.0 and HTTP/1.1 are spoken here"),
            error => Refusal::new(400, format!("malformed HTTP message: {error}")),
        }
    }
}
