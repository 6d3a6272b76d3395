//! The faults.

use super::Share;
use super::kinds::{KINDS, Kind};
use std::fmt;
use std::time::Duration;

/// One thing that goes wrong, with its parameters. Times of responses are log-normal with this median and 99th percentile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fault {
    /// Both tunnels break once, without a close frame; they come back by the usual backoff.
    Drop,
    /// Both tunnels break every so often, and stay down for so long each time.
    Flap { every: Duration, down: Duration },
    /// The tunnels stay open, but nothing is read from them or written to them.
    Stall,
    /// Each tunnel carries so many bytes a second in each direction.
    Slow { bytes_per_second: u64 },
    /// The tunnels are closed and stay down; at the end all come back at once.
    Refuse,
    /// Every response of the Kubernetes API takes its time.
    Latency { p50: Duration, p99: Duration },
    /// A share of the requests is answered 429, 500 or 503.
    Errors { status: u16, share: Share },
    /// Open watches end, and a share of the new ones is answered 410 `Expired`.
    ExpireWatches { share: Share },
    /// Every open watch ends so often.
    CloseWatches { every: Duration },
    /// Every LIST takes its time.
    SlowLists { p50: Duration, p99: Duration },
    /// A share of the nodes is not ready.
    NotReady { share: Share },
    /// A share of the pods crashes over and over.
    CrashLoop { share: Share },
    /// A pod is replaced by another one so often.
    Churn { every: Duration },
    /// A node is added, and the next time removed.
    NodeChurn { every: Duration },
    /// The Kubernetes API refuses connections; the tunnels stay up.
    ApiDown,
    /// The Kubernetes API shows a certificate that has expired.
    ExpiredCertificate,
    /// The cluster falls silent as if it had lost its power; at the end it comes back over new tunnels.
    Vanish,
}

/// What a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The sockets of the tunnels.
    Tunnel,
    /// Requests and responses of the Kubernetes API.
    Api,
    /// The cluster's own objects and its API server.
    Cluster,
    /// The fleet as a whole.
    Fleet,
}

impl Fault {
    /// What kind it is of.
    pub fn kind(&self) -> &'static Kind {
        let name = self.name();
        KINDS.iter().find(|kind| kind.name == name).expect("every fault's name is in the table, as a test asserts")
    }

    /// Its name, as it is written everywhere.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Drop => "drop",
            Fault::Flap { .. } => "flap",
            Fault::Stall => "stall",
            Fault::Slow { .. } => "slow",
            Fault::Refuse => "refuse",
            Fault::Latency { .. } => "latency",
            Fault::Errors { .. } => "errors",
            Fault::ExpireWatches { .. } => "expire-watches",
            Fault::CloseWatches { .. } => "close-watches",
            Fault::SlowLists { .. } => "slow-lists",
            Fault::NotReady { .. } => "not-ready",
            Fault::CrashLoop { .. } => "crash-loop",
            Fault::Churn { .. } => "churn",
            Fault::NodeChurn { .. } => "node-churn",
            Fault::ApiDown => "api-down",
            Fault::ExpiredCertificate => "expired-certificate",
            Fault::Vanish => "vanish",
        }
    }

    /// Its parameters, as they are written.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let time = crate::config::duration_text;
        match self {
            Fault::Drop | Fault::Stall | Fault::Refuse | Fault::ApiDown | Fault::ExpiredCertificate | Fault::Vanish => {
                Vec::new()
            }
            Fault::Flap { every, down } => vec![("every", time(*every)), ("down", time(*down))],
            Fault::Slow { bytes_per_second } => vec![("bytes-per-second", bytes_per_second.to_string())],
            Fault::Latency { p50, p99 } | Fault::SlowLists { p50, p99 } => {
                vec![("p50", time(*p50)), ("p99", time(*p99))]
            }
            Fault::Errors { status, share } => vec![("status", status.to_string()), ("share", share.to_string())],
            Fault::ExpireWatches { share } | Fault::NotReady { share } | Fault::CrashLoop { share } => {
                vec![("share", share.to_string())]
            }
            Fault::CloseWatches { every } | Fault::Churn { every } | Fault::NodeChurn { every } => {
                vec![("every", time(*every))]
            }
        }
    }
}

impl fmt::Display for Fault {
    /// As on a command line: `errors status=503 share=20%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.parameters().into_iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}
