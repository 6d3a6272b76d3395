//! Other people's tools that judge what is ours.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a tool in a folder and gives what it prints; fails if the tool does. `None`, with a word, where it is not at hand, unless it
/// has to be.
pub fn run<A: AsRef<OsStr>>(name: &str, arguments: &[A], folder: &Path, input: &str) -> Option<String> {
    let beside = std::env::var_os("SCALE_AGENT_TOOLS").map(|folder| PathBuf::from(folder).join(name));
    let program = beside.filter(|path| path.exists()).unwrap_or_else(|| name.into());
    let mut command = Command::new(&program);
    command.args(arguments).current_dir(folder);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if std::env::var_os("SCALE_AGENT_REQUIRE_PEERS").is_none() => {
            eprintln!("skipped: {name} cannot be started: {error}");
            return None;
        }
        Err(error) => panic!("{name} cannot be started: {error}"),
    };
    // Whoever reads no input may have closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
    assert!(output.status.success(), "{name}: {said}");
    Some(said)
}
