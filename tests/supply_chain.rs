//! What may be among the dependencies, by `config/deny.toml`: CI has no cargo-deny, so its rules are looked after here, all but the
//! advisories.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The rules: the quoted words of each list, by `section.list`.
fn rules() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(format!("{}/config/deny.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (mut section, mut list, mut rules) = (String::new(), None, BTreeMap::<_, Vec<String>>::new());
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'))
            && !name.is_empty()
        {
            section = name.to_owned();
        } else if let Some(name) = line.strip_suffix(" = [") {
            list = Some(format!("{section}.{name}"));
        } else if line == "]" {
            list = None;
        } else if let Some(list) = &list {
            let words = line.split('"').skip(1).step_by(2).map(str::to_owned);
            rules.entry(list.clone()).or_default().push(words.collect::<Vec<_>>().join(" "));
        }
    }
    rules
}

/// The packages that are built for this platform, tests included.
fn packages() -> Vec<Value> {
    let arguments =
        ["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform=x86_64-unknown-linux-gnu"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let built: BTreeSet<&str> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    let all = metadata["packages"].as_array().unwrap().iter();
    all.filter(|package| built.contains(package["id"].as_str().unwrap())).cloned().collect()
}

fn text<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or_default()
}

/// Whether an SPDX expression can be met with licences that are allowed. `/` is how `OR` was once written.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.trim();
    let inner = |text: &str| text.matches('(').count() == text.matches(')').count();
    // Outside parentheses AND binds closer than OR.
    for (word, all) in [(" OR ", false), ("/", false), (" AND ", true)] {
        for (at, _) in expression.match_indices(word) {
            let (left, right) = (&expression[..at], &expression[at + word.len()..]);
            if inner(left) && inner(right) {
                let (left, right) = (is_met(left, allowed), is_met(right, allowed));
                return if all { left && right } else { left || right };
            }
        }
    }
    match expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => is_met(inner, allowed),
        None => allowed.iter().any(|known| known == expression),
    }
}

#[test]
fn every_licence_is_one_that_is_allowed() {
    let allowed = &rules()["licenses.allow"];
    for (expression, met) in [
        ("MIT OR GPL-3.0", true),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND Unicode-3.0", true),
        ("(GPL-3.0 OR MIT) AND GPL-2.0", false),
        ("", false),
    ] {
        assert_eq!(is_met(expression, allowed), met, "{expression}");
    }
    let packages = packages();
    assert!(packages.len() > 100, "{}", packages.len());
    let refused = packages.iter().filter(|package| !is_met(text(package, "license"), allowed));
    let refused: Vec<String> =
        refused.map(|package| format!("{}: {}", text(package, "name"), text(package, "license"))).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn nothing_is_there_that_is_banned_or_there_twice_or_from_elsewhere() {
    let (rules, packages) = (rules(), packages());
    let (banned, skipped) = (&rules["bans.deny"], &rules["bans.skip"]);
    assert!(banned.len() > 10 && banned.iter().any(|name| name == "tokio"), "{banned:?}");
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &packages {
        let (name, version) = (text(package, "name"), text(package, "version"));
        assert!(!banned.iter().any(|banned| banned == name), "{name} is banned");
        let source = package["source"].as_str();
        assert!(source.is_none_or(|source| source.starts_with("registry+")), "{name} is from {source:?}");
        assert!(source.is_some() || name == env!("CARGO_PKG_NAME"), "{name} is a folder");
        if !skipped.iter().any(|rule| format!("{name} {version}.").starts_with(&format!("{rule}."))) {
            versions.entry(name).or_default().insert(version);
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert!(versions.is_empty(), "{versions:?}");
}
