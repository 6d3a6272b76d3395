//! What `tests/fuzz` has found and begun with is replayed, with mutations that are the same every time; no nightly compiler is needed.

#[path = "fuzz/targets.rs"]
mod targets;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use serde_yaml::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

macro_rules! replay {
    ($($target:ident),* $(,)?) => {
        $(#[test] fn $target() { replay(stringify!($target), targets::$target) })*

        #[test]
        fn every_folder_of_the_corpus_has_a_target() {
            let targets = [$(stringify!($target)),*];
            let folders = std::fs::read_dir(path("tests/fuzz/corpus")).unwrap();
            for folder in folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()) {
                assert!(targets.contains(&folder.as_str()), "{folder}");
            }
        }
    };
}

replay!(
    tunnel_message,
    tunnel_session,
    http1_requests,
    http1_responses,
    kube,
    patch_json,
    patch_merge,
    patch_strategic,
    patch_apply,
    protobuf,
    selectors,
    cluster_template,
    configuration,
    scenario,
    profile,
    expressions,
    rest_bodies,
    reports,
    rancher_answers,
    sealed_values,
    journal,
);

/// Runs a target over its corpus, and over mutations of it for `SCALE_AGENT_FUZZ_SECONDS`, else about a second.
fn replay(name: &str, target: fn(&[u8])) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} has no corpus");
    let attempt = |input: &[u8], number: usize| {
        if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{number}"));
            std::fs::write(&kept, input).unwrap();
            panic!("{name}: the input is in {}; once mended, it goes to tests/fuzz/corpus/{name}", kept.display());
        }
    };
    seeds.iter().for_each(|seed| attempt(seed, 0));
    let seconds = std::env::var("SCALE_AGENT_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let (patience, most) = seconds.map_or((PATIENCE, MUTATIONS), |seconds| (Duration::from_secs(seconds), usize::MAX));
    let begin = Instant::now();
    let mut number = 0;
    while number < most && begin.elapsed() < patience {
        number += 1;
        attempt(&mutated(&seeds, &mut Rng::with_seed(number as u64)), number);
    }
    eprintln!("{name}: {} seeds, {number} mutations", seeds.len());
}

/// The kept corpus, and the files of the repository that the target reads.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folders = match name {
        "cluster_template" => &["config/templates", "config/cluster.yaml"][..],
        "scenario" => &["config/scenarios"],
        "profile" => &["config/profiles"],
        "configuration" => &["config/config.yaml"],
        _ => &[],
    };
    let own = path("tests/fuzz/corpus").join(name);
    let kept = folders.iter().map(|folder| path(folder)).chain([own]).flat_map(|path| files(&path));
    let mut seeds: Vec<Vec<u8>> = kept.map(|file| std::fs::read(file).unwrap()).collect();
    if name == "kube" {
        seeds.extend(files(&path("tests/differential/corpus")).iter().flat_map(|file| scene(file)));
    }
    if name == "protobuf" {
        let golden = std::fs::read_to_string(path("src/kube/decode/golden.txt")).unwrap();
        let bodies = golden.split("\n\n").skip(1).filter_map(|block| block.trim().lines().nth(1));
        seeds.extend(bodies.map(|body| STANDARD.decode(body).unwrap()));
    }
    seeds
}

/// Each request of a scene of the differential tests, after the one that makes its namespace.
fn scene(file: &Path) -> Vec<Vec<u8>> {
    let scene: Value = serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let request = |step: &Value| {
        let line = step["do"].as_str()?;
        let body = match &step["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            body => serde_json::to_string(body).ok()?,
        };
        Some(format!("{line}\n{body}"))
    };
    let requests: Vec<String> = scene["steps"].as_sequence().unwrap().iter().filter_map(request).collect();
    requests.iter().skip(1).map(|request| format!("{}\n===\n{request}", requests[0]).into_bytes()).collect()
}

fn mutated(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut input = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..=input.len());
        let end = (at + rng.usize(..32)).min(input.len());
        match rng.u8(..8) {
            0 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
            1 if at < input.len() => input[at] = rng.u8(..),
            2 => _ = input.drain(at..end),
            3 => {
                let piece = input[at..end].to_vec();
                let to = rng.usize(..=input.len());
                input.splice(to..to, piece);
            }
            4 => {
                let other = &seeds[rng.usize(..seeds.len())];
                let from = rng.usize(..=other.len());
                let to = (from + rng.usize(..64)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            5 => input.truncate(at),
            _ => _ = input.splice(at..end, WORDS[rng.usize(..WORDS.len())].bytes()),
        }
    }
    input.truncate(LONGEST_BYTES);
    input
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What parsers stumble over.
const WORDS: [&str; 36] = [
    "",
    "null",
    "{}",
    "[]",
    "\"\"",
    "true",
    "-1",
    "0",
    "4294967296",
    "18446744073709551616",
    "-9223372036854775809",
    "1e999",
    "0.1",
    "{{cluster-name}}",
    "{{",
    "}}",
    "%",
    "%00",
    "%ff",
    "~1",
    "/-",
    "\u{0}",
    "\u{feff}",
    "é",
    "\u{10ffff}",
    "&a",
    "*a",
    "<<: *a",
    "$patch: delete",
    "\"$patch\":\"replace\"",
    "\"$setElementOrder/containers\":[]",
    "metadata",
    ",",
    ":",
    "\n",
    "\r\n\r\n",
];
const MUTATIONS: usize = 2_000;
const PATIENCE: Duration = Duration::from_millis(1_200);
/// Longer ones find nothing that shorter ones do not.
const LONGEST_BYTES: usize = 64 * 1024;
