//! The rules of the house that a compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that hold protocols: bytes and time come in as arguments.
const PROTOCOL_ROOMS: [&str; 7] = ["tunnel", "http1", "kube", "template", "steve", "faults", "ramp"];

/// What a protocol room may not touch.
const OUTSIDE: [&str; 13] = [
    "std::net",
    "std::fs",
    "std::thread",
    "std::env",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "fastrand::Rng::new(",
    "mio::",
    "crate::engine",
    "crate::api",
    "crate::manager",
];

fn source_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn protocol_rooms_do_no_io_and_know_no_clock() {
    let mut offences = Vec::new();
    for room in PROTOCOL_ROOMS {
        let files = source_files(&source_root().join(room));
        assert!(!files.is_empty(), "room {room} has no source");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // Tests at the bottom of a file may drive it with a clock.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate() {
                if line.trim_start().starts_with("//") {
                    continue;
                }
                for outside in OUTSIDE.iter().filter(|outside| line.contains(**outside)) {
                    offences.push(format!("{}:{}: {outside}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn no_file_is_a_corridor() {
    let long: Vec<String> = source_files(&source_root())
        .into_iter()
        .map(|file| (fs::read_to_string(&file).unwrap().lines().count(), file))
        .filter(|(lines, _)| *lines > 600)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "longer than 600 lines:\n{}", long.join("\n"));
}

/// Whoever may open a connection to somewhere: what Rancher asks a tunnel for leads to none of these.
#[test]
fn nothing_dials_but_what_is_meant_to() {
    let dials = ["TcpStream::connect", "UdpSocket", "Agent::config_builder"];
    let root = source_root();
    let mut found: Vec<String> = source_files(&root)
        .into_iter()
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            dials.iter().any(|dial| code.contains(dial))
        })
        .map(|file| file.strip_prefix(&root).unwrap().display().to_string())
        .collect();
    found.sort();
    assert_eq!(found, DIALLERS);
}

/// To Rancher: what doctor tries, the tunnels, its REST API, a look at its certificate. And a running agent's REST API.
const DIALLERS: [&str; 5] =
    ["doctor/network.rs", "engine/dial.rs", "rancher/client.rs", "rancher/presented.rs", "remote/client.rs"];
