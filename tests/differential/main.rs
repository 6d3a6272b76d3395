//! What a real kube-apiserver answered, and what a virtual cluster answers to the same.
//!
//! `recorded/` holds the requests of `corpus/` with a kube-apiserver's answers (tests/peers/recorder makes it); each file is a scene and
//! is played to a cluster of its own. What differs must stand in `accepted.yaml`, with a reason.

mod accepted;
mod compare;
mod recording;
mod replay;
mod strategic;

use accepted::Accepted;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[test]
fn a_virtual_cluster_answers_as_a_kube_apiserver_does() {
    let mut accepted = Accepted::read(&home().join("accepted.yaml"));
    let only = std::env::var("SCENE").ok();
    let (mut requests, mut equal, mut tolerated) = (0, 0, 0);
    let mut report = String::new();
    let mut by_scene: BTreeMap<String, usize> = BTreeMap::new();
    for (scene, steps) in recording::scenes(&home().join("recorded")) {
        if only.as_ref().is_some_and(|only| !scene.starts_with(only)) {
            continue;
        }
        for (number, (step, differences)) in replay::play(&steps).into_iter().enumerate() {
            requests += 1;
            let title = format!("{scene}:{} {}", number + 1, step.title());
            let total = differences.len();
            let open = accepted.judge(&scene, number + 1, step, differences);
            match (total, open.len()) {
                (0, _) => equal += 1,
                (_, 0) => tolerated += 1,
                _ => {
                    *by_scene.entry(scene.clone()).or_default() += 1;
                    _ = writeln!(report, "{title}");
                    for difference in open {
                        _ = writeln!(report, "    {difference}");
                    }
                }
            }
        }
    }
    let differing = requests - equal - tolerated;
    println!("{requests} requests: {equal} equal, {tolerated} accepted, {differing} differing");
    assert!(
        report.is_empty(),
        "{report}\n{by_scene:?}\n{requests} requests: {equal} equal, {tolerated} accepted, {differing} differing"
    );
    if only.is_none() {
        assert!(requests >= 400, "the corpus has but {requests} requests");
        let complaints = accepted.complaints();
        assert!(complaints.is_empty(), "rules that are wider than they have to be:\n{}", complaints.join("\n"));
    }
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential")
}
