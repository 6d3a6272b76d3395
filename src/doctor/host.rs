//! What this host has, against what a fleet takes.

use super::Finding;
use crate::config::Settings;
use crate::report::units;
use crate::telemetry::available_memory_bytes;
use std::fs;

/// What this host has, as far as it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// How many files a process may have open if it asks for as many as it may.
    pub open_files: u64,
    /// Ports for outgoing connections, of each source address to each destination.
    pub ephemeral_ports: Option<u64>,
    /// Memory that is free or can be freed, in bytes; what a control group allows if that is less.
    pub memory_bytes: Option<u64>,
    /// Processors that the process may use.
    pub cores: usize,
}

impl Host {
    /// Asks the operating system.
    pub fn read() -> Host {
        let open_files = rlimit::Resource::NOFILE.get().map_or(0, |(_, hard)| hard);
        let ports = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok().and_then(|text| ports(&text));
        let free = available_memory_bytes();
        let group = |file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
        let allowed = group("/sys/fs/cgroup/memory.max")
            .map(|max| max.saturating_sub(group("/sys/fs/cgroup/memory.current").unwrap_or(0)));
        Host {
            open_files,
            ephemeral_ports: ports,
            memory_bytes: [free, allowed].into_iter().flatten().min(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// What it means for so many clusters.
    pub fn findings(&self, settings: &Settings, clusters: u32) -> Vec<Finding> {
        let clusters = u64::from(clusters);
        let mut findings = vec![self.limit(settings, clusters), self.files(clusters)];
        let sources = settings.source_addresses.len().max(1) as u64;
        findings.extend(self.ephemeral_ports.map(|ports| ports_for(ports * sources, clusters)));
        findings.extend(self.memory_bytes.map(|bytes| memory_for(bytes, clusters)));
        findings.push(self.processors(clusters));
        findings
    }

    fn limit(&self, settings: &Settings, clusters: u64) -> Finding {
        let detail = format!("MaxClusters is {}", units::count(settings.max_clusters as u64));
        match clusters <= settings.max_clusters as u64 {
            true => Finding::ok("settings", detail),
            false => Finding::fail("settings", detail, format!("set MaxClusters to {clusters} or more")),
        }
    }

    fn files(&self, clusters: u64) -> Finding {
        let needed = SOCKETS_PER_CLUSTER * clusters + OTHER_FILES;
        let allowed = match self.open_files {
            limit if limit > MANY_FILES => format!("more than {}", units::count(MANY_FILES)),
            limit => units::count(limit),
        };
        let detail = format!("{allowed} may be open; {} are needed", units::count(needed));
        let remedy =
            format!("raise the hard limit: ulimit -Hn {needed} as root, LimitNOFILE={needed} in a systemd unit");
        match self.open_files >= needed {
            true => Finding::ok("open files", detail),
            false => Finding::fail("open files", detail, remedy),
        }
    }

    fn processors(&self, clusters: u64) -> Finding {
        let needed = clusters as f64 * CORES_PER_CLUSTER;
        let detail = format!("{} cores; {clusters} clusters that are held take about {needed:.2}", self.cores);
        match needed {
            needed if needed <= self.cores as f64 * COMFORTABLE => Finding::ok("processors", detail),
            needed if needed <= self.cores as f64 => Finding::warn("processors", detail, SLOW_RAMP),
            _ => Finding::fail(
                "processors",
                detail,
                "take a host with more cores, or spread the fleet over several agents",
            ),
        }
    }
}

fn ports_for(ports: u64, clusters: u64) -> Finding {
    let needed = SOCKETS_PER_CLUSTER * clusters;
    let detail = format!("{} to each address of a Rancher; {} are needed", units::count(ports), units::count(needed));
    let remedy = "widen the range (sysctl net.ipv4.ip_local_port_range=\"1024 65535\"), give this host more \
                  addresses and name them in SourceAddresses, or spread the fleet over several hosts";
    match needed {
        // Connections that were closed keep their port for a minute.
        needed if needed * 10 <= ports * 8 => Finding::ok("ports", detail),
        needed if needed <= ports => Finding::warn("ports", detail + ", and reconnects need more for a while", remedy),
        _ => Finding::fail("ports", detail, remedy),
    }
}

fn memory_for(bytes: u64, clusters: u64) -> Finding {
    let needed = clusters * BYTES_PER_CLUSTER + OTHER_BYTES;
    let text = |bytes: u64| units::bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
    let detail = format!("{} are free; {clusters} clusters take about {}", text(bytes), text(needed));
    let remedy = "free memory, take a larger host, or use a template with fewer objects that Rancher writes to";
    match needed {
        needed if needed as f64 <= bytes as f64 * COMFORTABLE => Finding::ok("memory", detail),
        needed if needed <= bytes => Finding::warn("memory", detail, remedy),
        _ => Finding::fail("memory", detail, remedy),
    }
}

/// `32768 60999` is 28,232 ports.
fn ports(range: &str) -> Option<u64> {
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    (last + 1).checked_sub(first)
}

/// Two tunnels.
const SOCKETS_PER_CLUSTER: u64 = 2;
/// Workers, state file, log, REST clients.
const OTHER_FILES: u64 = 128;
/// What is said of hosts without a limit worth naming.
const MANY_FILES: u64 = 10_000_000;
/// A cluster with both tunnels and what Rancher writes in it, kernel buffers not counted: 122 KiB at 1,000 clusters with twelve watches
/// (`rehearse --clusters 1000 --hold 30s`), and room for the further watches of older Ranchers.
const BYTES_PER_CLUSTER: u64 = 160 << 10;
/// The agent without clusters: 104 MiB in the same run.
const OTHER_BYTES: u64 = 112 << 20;
/// Pings, reports and Rancher's polling of a cluster that is held: 7.9 % of a core for 1,000 in the same run.
const CORES_PER_CLUSTER: f64 = 0.000_1;
/// The share that may be in steady use before a ramp or a reconnect has too little left.
const COMFORTABLE: f64 = 0.5;
const SLOW_RAMP: &str = "ramp up slowly: bringing a cluster up takes many times what holding it takes";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn host() -> Host {
        Host { open_files: 1_048_576, ephemeral_ports: Some(28_232), memory_bytes: Some(8 << 30), cores: 4 }
    }

    fn verdicts(host: &Host, clusters: u32) -> Vec<(&'static str, Verdict)> {
        let settings = Settings { max_clusters: 50_000, ..Settings::default() };
        host.findings(&settings, clusters).into_iter().map(|finding| (finding.check, finding.verdict)).collect()
    }

    #[test]
    fn a_host_with_room_is_well() {
        let findings = verdicts(&host(), 2_000);
        let checks: Vec<&str> = findings.iter().map(|(check, _)| *check).collect();
        assert_eq!(checks, ["settings", "open files", "ports", "memory", "processors"]);
        assert!(findings.iter().all(|(_, verdict)| *verdict == Verdict::Ok), "{findings:?}");
    }

    #[test]
    fn each_shortage_is_found() {
        let short = |change: fn(&mut Host)| {
            let mut host = host();
            change(&mut host);
            let mut found = verdicts(&host, 2_000);
            found.retain(|(_, verdict)| *verdict != Verdict::Ok);
            found
        };
        assert_eq!(short(|host| host.open_files = 4_000), [("open files", Verdict::Fail)]);
        assert_eq!(short(|host| host.ephemeral_ports = Some(4_200)), [("ports", Verdict::Warn)]);
        assert_eq!(short(|host| host.ephemeral_ports = Some(3_999)), [("ports", Verdict::Fail)]);
        let three = Settings { source_addresses: vec!["10.0.0.5".parse().unwrap(); 3], ..Settings::default() };
        let findings = Host { ephemeral_ports: Some(1_400), ..host() }.findings(&three, 2_000);
        assert_eq!(findings[2].verdict, Verdict::Warn, "each source address has ports of its own");
        assert_eq!(short(|host| host.memory_bytes = Some(500 << 20)), [("memory", Verdict::Warn)]);
        assert_eq!(short(|host| host.memory_bytes = Some(200 << 20)), [("memory", Verdict::Fail)]);
        assert_eq!(verdicts(&host(), 60_000)[0], ("settings", Verdict::Fail));
        assert_eq!(verdicts(&Host { cores: 1, ..host() }, 9_000)[4], ("processors", Verdict::Warn));
    }

    #[test]
    fn the_kernels_words_are_read() {
        assert_eq!(ports("32768\t60999\n"), Some(28_232));
        assert_eq!(ports("nonsense"), None);
        assert!(Host::read().open_files > 0);
    }
}
