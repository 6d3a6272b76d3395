//! What may be among the dependencies: `config/deny.toml`, as cargo-deny judges it.

#[path = "support/tools.rs"]
mod tools;

use std::path::Path;

#[test]
fn cargo_deny_finds_nothing_that_is_banned_or_there_twice_or_of_another_licence_or_source() {
    // Advisories are fetched from afar, so they are no part of it.
    let arguments = ["--offline", "--locked", "--config", "config/deny.toml", "check", "bans", "licenses", "sources"];
    let Some(said) = tools::run("cargo-deny", &arguments, Path::new(env!("CARGO_MANIFEST_DIR")), "") else { return };
    assert!(said.contains("bans ok, licenses ok, sources ok"), "{said}");
    assert!(!said.contains("warning["), "a rule that nothing needs: {said}");
}

#[test]
fn no_asynchronous_runtime_is_locked() {
    let read = |name| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (rules, lock) = (read("config/deny.toml"), read("Cargo.lock"));
    let (_, banned) = rules.split_once("\ndeny = [").unwrap();
    let (banned, _) = banned.split_once("\n]").unwrap();
    let banned: Vec<&str> = banned.split('"').skip(1).step_by(2).collect();
    assert!(banned.len() > 10 && banned.contains(&"tokio"), "{banned:?}");
    for name in banned {
        assert!(!lock.contains(&format!("\nname = \"{name}\"\n")), "{name} is in Cargo.lock");
    }
}
