//! The table of faults: what each is called, what it does and which parameters it has. Parser, help and README follow from it.

use super::{Fault, FaultError, Layer, Share};
use crate::config::{duration_text, parse_duration};
use std::collections::BTreeMap;
use std::time::Duration;

/// A kind of fault.
#[derive(Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What it hits.
    pub layer: Layer,
    /// What it does, in one line.
    pub help: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    make: fn(&Values<'_>) -> Result<Fault, FaultError>,
}

/// A parameter of a fault.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is unless it is given.
    pub default: &'static str,
}

/// The parameters that were given.
struct Values<'a> {
    parameters: &'static [Parameter],
    given: &'a BTreeMap<String, String>,
}

impl Kind {
    /// The fault of this kind with these parameters, which it takes out of `given`.
    pub(super) fn take(&self, given: &mut BTreeMap<String, String>) -> Result<Fault, FaultError> {
        let fault = (self.make)(&Values { parameters: self.parameters, given })?;
        self.parameters.iter().for_each(|parameter| drop(given.remove(parameter.name)));
        Ok(fault)
    }
}

impl Values<'_> {
    fn text(&self, name: &str) -> &str {
        let default = self.parameters.iter().find(|parameter| parameter.name == name);
        let default = default.map_or("", |parameter| parameter.default);
        self.given.get(name).map_or(default, String::as_str)
    }

    fn share(&self) -> Result<Share, FaultError> {
        let text = self.text("share");
        text.parse().map_err(|expected| FaultError::bad_value("share", text, expected))
    }

    fn time(&self, name: &str, shortest: Duration) -> Result<Duration, FaultError> {
        read_time(name, self.text(name), shortest, LONGEST_DELAY)
    }

    fn number(&self, name: &str, smallest: u64, largest: u64) -> Result<u64, FaultError> {
        let text = self.text(name);
        text.parse()
            .ok()
            .filter(|number| (smallest..=largest).contains(number))
            .ok_or_else(|| FaultError::bad_value(name, text, format!("a whole number from {smallest} to {largest}")))
    }

    fn status(&self) -> Result<u16, FaultError> {
        let text = self.text("status");
        let status = text.parse().ok().filter(|status| ERROR_STATUSES.contains(status));
        status.ok_or_else(|| FaultError::bad_value("status", text, "one of 429, 500, 503"))
    }

    fn times_of_responses(&self) -> Result<(Duration, Duration), FaultError> {
        let p50 = self.time("p50", Duration::from_millis(1))?;
        match self.given.contains_key("p99") {
            false => Ok((p50, p50.max(self.time("p99", Duration::ZERO)?))),
            true => Ok((p50, self.time("p99", p50)?)),
        }
    }
}

pub(super) fn read_time(
    field: &str,
    text: &str,
    shortest: Duration,
    longest: Duration,
) -> Result<Duration, FaultError> {
    let expected = || format!("a duration from {} to {} such as 30s", duration_text(shortest), duration_text(longest));
    parse_duration(text)
        .ok()
        .filter(|time| (shortest..=longest).contains(time))
        .ok_or_else(|| FaultError::bad_value(field, text, expected()))
}

/// Every fault.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "drop",
        layer: Layer::Tunnel,
        help: "both tunnels break once, without a close frame, and come back by the usual backoff",
        parameters: &[],
        make: |_| Ok(Fault::Drop),
    },
    Kind {
        name: "flap",
        layer: Layer::Tunnel,
        help: "both tunnels break every so often and stay down for a while each time",
        parameters: &[EVERY_30S, Parameter { name: "down", default: "5s" }],
        make: |values| {
            let every = values.time("every", FASTEST)?;
            Ok(Fault::Flap { every, down: read_time("down", values.text("down"), Duration::ZERO, every)? })
        },
    },
    Kind {
        name: "stall",
        layer: Layer::Tunnel,
        help: "the tunnels stay open, but nothing is read from them or written to them",
        parameters: &[],
        make: |_| Ok(Fault::Stall),
    },
    Kind {
        name: "slow",
        layer: Layer::Tunnel,
        help: "each tunnel carries only so many bytes a second in each direction",
        parameters: &[Parameter { name: "bytes-per-second", default: "4096" }],
        make: |values| Ok(Fault::Slow { bytes_per_second: values.number("bytes-per-second", 64, 1_000_000_000)? }),
    },
    Kind {
        name: "refuse",
        layer: Layer::Tunnel,
        help: "the tunnels are closed and stay down; at the end all come back at once",
        parameters: &[],
        make: |_| Ok(Fault::Refuse),
    },
    Kind {
        name: "latency",
        layer: Layer::Api,
        help: "every response of the Kubernetes API takes its time, log-normally around the median p50",
        parameters: &[Parameter { name: "p50", default: "200ms" }, Parameter { name: "p99", default: "2s" }],
        make: |values| values.times_of_responses().map(|(p50, p99)| Fault::Latency { p50, p99 }),
    },
    Kind {
        name: "errors",
        layer: Layer::Api,
        help: "a share of the requests is answered 429, 500 or 503",
        parameters: &[Parameter { name: "status", default: "500" }, Parameter { name: "share", default: "10%" }],
        make: |values| Ok(Fault::Errors { status: values.status()?, share: values.share()? }),
    },
    Kind {
        name: "expire-watches",
        layer: Layer::Api,
        help: "open watches end, and a share of the new ones is answered 410, so that clients list anew",
        parameters: &[ALL],
        make: |values| Ok(Fault::ExpireWatches { share: values.share()? }),
    },
    Kind {
        name: "close-watches",
        layer: Layer::Api,
        help: "every open watch ends every so often",
        parameters: &[EVERY_30S],
        make: |values| Ok(Fault::CloseWatches { every: values.time("every", FASTEST)? }),
    },
    Kind {
        name: "slow-lists",
        layer: Layer::Api,
        help: "every LIST takes its time, log-normally around the median p50",
        parameters: &[Parameter { name: "p50", default: "5s" }, Parameter { name: "p99", default: "20s" }],
        make: |values| values.times_of_responses().map(|(p50, p99)| Fault::SlowLists { p50, p99 }),
    },
    Kind {
        name: "not-ready",
        layer: Layer::Cluster,
        help: "a share of the nodes is not ready",
        parameters: &[ALL],
        make: |values| Ok(Fault::NotReady { share: values.share()? }),
    },
    Kind {
        name: "crash-loop",
        layer: Layer::Cluster,
        help: "a share of the pods crashes over and over",
        parameters: &[ALL],
        make: |values| Ok(Fault::CrashLoop { share: values.share()? }),
    },
    Kind {
        name: "churn",
        layer: Layer::Cluster,
        help: "a pod is replaced by another one every so often",
        parameters: &[Parameter { name: "every", default: "1s" }],
        make: |values| Ok(Fault::Churn { every: values.time("every", FASTEST_WRITE)? }),
    },
    Kind {
        name: "node-churn",
        layer: Layer::Cluster,
        help: "a node is added, and the next time removed, every so often",
        parameters: &[EVERY_30S],
        make: |values| Ok(Fault::NodeChurn { every: values.time("every", FASTEST)? }),
    },
    Kind {
        name: "api-down",
        layer: Layer::Cluster,
        help: "the Kubernetes API refuses connections while the tunnels stay up",
        parameters: &[],
        make: |_| Ok(Fault::ApiDown),
    },
    Kind {
        name: "expired-certificate",
        layer: Layer::Cluster,
        help: "the Kubernetes API shows a certificate that has expired",
        parameters: &[],
        make: |_| Ok(Fault::ExpiredCertificate),
    },
    Kind {
        name: "vanish",
        layer: Layer::Fleet,
        help: "the clusters fall silent as if they had lost their power, and come back over new tunnels",
        parameters: &[],
        make: |_| Ok(Fault::Vanish),
    },
];

const EVERY_30S: Parameter = Parameter { name: "every", default: "30s" };
const ALL: Parameter = Parameter { name: "share", default: "100%" };
/// What an overloaded or broken apiserver answers.
const ERROR_STATUSES: [u16; 3] = [429, 500, 503];
/// What is repeated more often than a handshake takes is no repetition.
const FASTEST: Duration = Duration::from_secs(1);
/// A hundred writes a second in one cluster are more than any real one has.
const FASTEST_WRITE: Duration = Duration::from_millis(10);
/// Every client has given up by then.
const LONGEST_DELAY: Duration = Duration::from_secs(600);
