//! Why a tunnel is not up, in kinds that can be counted.

/// Why a tunnel could not be opened or was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No address, no connection, or one that broke while it was opened.
    Unreachable,
    /// Not open within ConnectTimeout.
    Timeout,
    /// Rancher, or a proxy, answered the upgrade with something else.
    Refused,
    /// Rancher closed it with a close frame.
    Closed,
    /// The connection broke.
    Broken,
    /// No pong within PingTimeout.
    Silent,
    /// The peer broke the protocol.
    Protocol,
    /// The agent closed it to open it anew.
    Reopened,
    /// A fault on purpose.
    Fault,
}

/// What happened to a tunnel, by kind and for people.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) cause: Cause,
    pub(super) text: String,
}

impl Cause {
    /// All causes.
    pub const ALL: [Cause; 9] = [
        Cause::Unreachable,
        Cause::Timeout,
        Cause::Refused,
        Cause::Closed,
        Cause::Broken,
        Cause::Silent,
        Cause::Protocol,
        Cause::Reopened,
        Cause::Fault,
    ];

    /// The cause as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Unreachable => "unreachable",
            Cause::Timeout => "timeout",
            Cause::Refused => "refused",
            Cause::Closed => "closed",
            Cause::Broken => "broken",
            Cause::Silent => "silent",
            Cause::Protocol => "protocol",
            Cause::Reopened => "reopened",
            Cause::Fault => "fault",
        }
    }
}

impl Lost {
    pub(super) fn new(cause: Cause, text: impl Into<String>) -> Lost {
        Lost { cause, text: text.into() }
    }
}
