//! Faults as users of Rancher reported them.

/// A fault, or several together, with the clusters and the time that go with it.
#[derive(Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it does, and who met it.
    pub help: &'static str,
    /// The faults, as on a command line.
    pub(super) faults: &'static [&'static str],
    /// Which clusters, unless the user says otherwise.
    pub(super) select: &'static str,
    /// For how long, unless the user says otherwise.
    pub(super) duration: &'static str,
}

/// Every preset.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "mass-disconnect",
        help: "60 clusters go and stay away: more than 50 filled the queues of Rancher's handlers, which wait for each of them (rancher/rancher#39597)",
        faults: &["refuse"],
        select: "count=60",
        duration: "10m",
    },
    Preset {
        name: "flapping",
        help: "a tenth of the clusters goes back and forth between Active and Unavailable (rancher/rancher#37807)",
        faults: &["flap every=30s down=5s"],
        select: "10%",
        duration: "10m",
    },
    Preset {
        name: "vanish-10-percent",
        help: "a tenth of the clusters falls silent without a goodbye, and returns (rancher/rancher#35546)",
        faults: &["vanish"],
        select: "10%",
        duration: "5m",
    },
    Preset {
        name: "reconnect-storm",
        help: "all clusters are cut off and return in one moment, as after a restart of the server (rancher/rancher#33470)",
        faults: &["refuse"],
        select: "all",
        duration: "30s",
    },
    Preset {
        name: "slow-downstreams",
        help: "a fifth of the clusters answers slowly, lists above all, until Rancher's calls time out (rancher/rancher#45129)",
        faults: &["latency p50=1s p99=15s", "slow-lists p50=10s p99=40s"],
        select: "20%",
        duration: "10m",
    },
];
