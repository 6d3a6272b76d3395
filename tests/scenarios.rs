//! Scenario files: checked without anybody, and played against the stand-in.

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run_scenario(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(cargo_bin!("scale-cluster-agent"));
    command.arg("run-scenario").args(args).env("HOME", home).output().unwrap()
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 3);
    files
}

#[test]
fn the_examples_are_right_and_run_in_a_share_of_their_time() {
    for file in examples() {
        let home = tempfile::tempdir().unwrap();
        let path = file.to_str().unwrap();
        let output = run_scenario(home.path(), &[path, "--check"]);
        assert_eq!(output.status.code(), Some(0), "{path}: {}", words(&output));
        let faults = words(&output).lines().filter(|line| line.starts_with("after ")).count();
        assert!(faults >= 1, "{path}: {}", words(&output));
        let output = run_scenario(home.path(), &[path, "--check", "--output", "json"]);
        let plan: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{path}: {}", words(&output)));
        assert_eq!(plan["faults"].as_array().map(Vec::len), Some(faults), "{plan:#}");
        assert!(plan["faults"][0]["at"].is_string() && plan["ramp"]["clusters"].is_u64(), "{plan:#}");

        // A hundredth of 20 minutes, and half a dozen clusters.
        let folder = home.path().join("run");
        let args = [path, "--rehearse", "--scale", "1%", "--results", folder.to_str().unwrap()];
        let output = run_scenario(home.path(), &args);
        let run: Value = serde_json::from_slice(&std::fs::read(folder.join("run.json")).unwrap()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{path}: {}", words(&output));
        assert_eq!(run["faults"].as_array().map(Vec::len), Some(faults), "{path}: {}", words(&output));
        assert!(
            run["faults"].as_array().unwrap().iter().all(|fault| fault["problem"].is_null()),
            "{:#}",
            run["faults"]
        );
        assert!(run["figures"]["active"].as_u64() >= Some(3), "{path}: {}", words(&output));
        if path.contains("mass-disconnect") {
            assert!(run["figures"]["disconnects"].as_u64() >= Some(3), "{path}: {}", words(&output));
        }
    }
}

#[test]
fn a_mistake_is_found_in_its_line_before_anything_is_done() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("scenario.yaml");
    std::fs::write(&file, "ramp:\n  clusters: 5\nfaults:\n  - {at: 1m, fault: dorp}\n").unwrap();
    for flag in ["--check", "--rehearse"] {
        let output = run_scenario(home.path(), &[file.to_str().unwrap(), flag]);
        assert_eq!(output.status.code(), Some(2), "{}", words(&output));
        let place = format!("{}:4: faults[0].fault: ", file.display());
        assert!(
            words(&output).contains(&place) && words(&output).contains("did you mean \"drop\"?"),
            "{}",
            words(&output)
        );
    }
    let output = run_scenario(home.path(), &["/nonexistent.yaml", "--check"]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
}
