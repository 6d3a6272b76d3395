//! This process: memory, processor time, open files, under the names that every Prometheus client uses.

use super::{Exposition, Source};
use std::fs;

/// The running process, as `/proc/self` tells of it.
#[derive(Debug)]
pub struct Process {
    started: jiff::Timestamp,
}

/// What the process uses.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessUsage {
    /// Processor time of all threads in seconds.
    pub cpu_seconds: f64,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// Mapped memory in bytes.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub open_files: u64,
}

impl Process {
    /// This process, which started at `started` as far as others are to know.
    pub fn new(started: jiff::Timestamp) -> Process {
        Process { started }
    }

    /// What it uses now; what cannot be read is 0.
    pub fn usage() -> ProcessUsage {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let open_files = fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
        ProcessUsage { open_files, ..read(&stat, &status) }
    }
}

impl Source for Process {
    fn expose(&self, out: &mut Exposition) {
        let usage = Process::usage();
        let limit = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(0, |(soft, _)| soft);
        let mut gauge = |name: &str, help: &str, value: f64| out.gauge(name, help, &[(&[], value)]);
        gauge("process_resident_memory_bytes", "Resident memory size in bytes.", usage.resident_bytes as f64);
        gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", usage.virtual_bytes as f64);
        gauge("process_open_fds", "Number of open file descriptors.", usage.open_files as f64);
        gauge("process_max_fds", "Maximum number of open file descriptors.", limit as f64);
        gauge("process_threads", "Number of threads.", usage.threads as f64);
        gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            self.started.as_millisecond() as f64 / 1e3,
        );
        out.seconds_counter(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            usage.cpu_seconds,
        );
    }
}

/// Reads `/proc/PID/stat` and `/proc/PID/status` (proc(5)).
fn read(stat: &str, status: &str) -> ProcessUsage {
    // The command's name, in brackets, may hold anything; fields are counted from behind it, the third first.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
    };
    ProcessUsage {
        cpu_seconds: (field(14) + field(15)) as f64 / TICKS_PER_SECOND,
        resident_bytes: bytes("VmRSS:"),
        virtual_bytes: bytes("VmSize:"),
        threads: field(20),
        open_files: 0,
    }
}

/// USER_HZ, which Linux has fixed at 100 for what it shows to programs.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_proc_5() {
        let stat =
            "42 (a ) name) S 1 42 42 0 -1 4194304 500 0 0 0 150 50 0 0 20 0 7 0 1000 2000 300 18446744073709551615";
        let status = "Name:\ta\nVmSize:\t    2048 kB\nVmRSS:\t     512 kB\n";
        let usage = read(stat, status);
        let expected = ProcessUsage {
            cpu_seconds: 2.0,
            resident_bytes: 512 * 1024,
            virtual_bytes: 2 << 20,
            threads: 7,
            open_files: 0,
        };
        assert_eq!(usage, expected);
        assert_eq!(read("", ""), ProcessUsage::default());
    }

    #[test]
    fn this_process_has_memory_threads_and_files() {
        let usage = Process::usage();
        assert!(usage.resident_bytes > 1 << 20 && usage.threads >= 1 && usage.open_files >= 3, "{usage:?}");
    }
}
