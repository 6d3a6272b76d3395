//! What a process uses, from Linux's `/proc` (proc(5)).

use std::time::Duration;

/// Memory and processor time of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Resident set size in bytes.
    pub rss_bytes: u64,
    /// Proportional set size in bytes: pages shared with other processes count in part.
    pub pss_bytes: u64,
    /// Processor time, user and system together, with a resolution of 10 ms.
    pub cpu: Duration,
}

impl Usage {
    /// What process `pid` uses now; `None` when the system does not tell.
    pub fn of(pid: u32) -> Option<Usage> {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        Some(Usage {
            rss_bytes: kibibytes(&read("status")?, "VmRSS:")?,
            pss_bytes: kibibytes(&read("smaps_rollup")?, "Pss:")?,
            cpu: cpu_time(&read("stat")?)?,
        })
    }
}

/// Memory of the host that can be had without swapping, in bytes.
pub fn available_memory_bytes() -> Option<u64> {
    kibibytes(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// Resident set size of this process in bytes: one short read, unlike [`Usage::of`].
pub fn rss_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

/// The size in bytes that a line such as `VmRSS:   1234 kB` states.
fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn cpu_time(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses and may hold anything, parentheses included.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(UTIME_AFTER_NAME);
    let utime: u64 = fields.next()?.parse().ok()?;
    let stime: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((utime + stime) * MILLISECONDS_PER_TICK))
}

/// On x86-64, and on arm64 as distributions build it for servers.
const PAGE_BYTES: u64 = 4096;
/// `utime` is field 14, the first after the name is field 3.
const UTIME_AFTER_NAME: usize = 11;
/// `USER_HZ` is 100 on every architecture that Rust's standard library runs Linux on.
const MILLISECONDS_PER_TICK: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_from_status_and_smaps() {
        let status = "Name:\tagent\nVmHWM:\t  9000 kB\nVmRSS:\t  1234 kB\nThreads:\t3\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(1_263_616));
        assert_eq!(kibibytes(status, "Pss:"), None);
    }

    #[test]
    fn time_from_stat_whatever_the_name() {
        let stat = "4711 (a) b) S 1 4711 4711 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 12345 0 0";
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_time("nonsense"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn of_this_process() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.rss_bytes >= 1024 * 1024, "{usage:?}");
        assert!(usage.pss_bytes <= usage.rss_bytes, "{usage:?}");
        let rss_bytes = rss_bytes().unwrap();
        assert!(rss_bytes > usage.rss_bytes / 2 && rss_bytes < usage.rss_bytes * 2, "{rss_bytes} and {usage:?}");
    }
}
