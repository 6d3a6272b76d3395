//! What results say of the agent that made them.

use crate::config::Loaded;
use serde_json::{Map, Value, json};
use std::fs;

/// Version, host and settings; secrets are masked.
pub(super) fn about(loaded: &Loaded) -> Value {
    let text = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().trim_start_matches(':').trim().to_owned())
    };
    let memory_kib =
        field("/proc/meminfo", "MemTotal:").and_then(|size| size.trim_end_matches(" kB").parse::<u64>().ok());
    let servers: Vec<Value> = loaded
        .settings
        .rancher_servers()
        .iter()
        .map(|(server, weight)| json!({"name": server.name, "url": server.url, "weight": weight}))
        .collect();
    let settings: Map<String, Value> = loaded
        .origins
        .iter()
        .filter(|resolved| !resolved.text.is_empty())
        .map(|resolved| {
            (resolved.key.to_owned(), json!({"value": resolved.text, "origin": resolved.origin.to_string()}))
        })
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "host": {
            "name": text("/proc/sys/kernel/hostname"),
            "system": std::env::consts::OS,
            "kernel": text("/proc/sys/kernel/osrelease"),
            "architecture": std::env::consts::ARCH,
            "processor": field("/proc/cpuinfo", "model name"),
            "cores": std::thread::available_parallelism().map_or(1, usize::from),
            "memoryBytes": memory_kib.map(|kib| kib * 1024),
            "openFiles": rlimit::getrlimit(rlimit::Resource::NOFILE).map(|(soft, _)| soft).ok(),
        },
        "ranchers": servers,
        "settings": settings,
    })
}
