//! Differences that are meant to be.

use crate::compare::Difference;
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// One rule: `*` stands for anything in its texts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// The steps, as `scene:number METHOD target`.
    of: String,
    /// The places in their answers; the status code is at `status` alone, never at `*`.
    at: String,
    /// Why.
    because: String,
    #[serde(skip)]
    used: bool,
}

/// The rules of the file, and which of them were needed.
pub struct Accepted(Vec<Rule>);

impl Accepted {
    pub fn read(file: &Path) -> Accepted {
        let rules: Vec<Rule> = serde_yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        assert!(rules.iter().all(|rule| rule.because.len() > 20), "every rule says why");
        Accepted(rules)
    }

    pub fn covers(&mut self, title: &str, difference: &Difference) -> bool {
        // Whether a request succeeds is nothing that differs in passing.
        let at = |rule: &Rule| if difference.at == STATUS { rule.at == STATUS } else { fits(&rule.at, &difference.at) };
        let found = self.0.iter_mut().find(|rule| fits(&rule.of, title) && at(rule));
        found.map(|rule| rule.used = true).is_some()
    }

    pub fn unused(&self) -> Vec<String> {
        let unused = self.0.iter().filter(|rule| !rule.used);
        unused.map(|rule| format!("{} at {}: {}", rule.of, rule.at, rule.because)).collect()
    }
}

/// The place of the status code, which a rule has to name.
const STATUS: &str = "status";

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            let Some(rest) = text.strip_prefix(before) else { return false };
            (0..=rest.len()).any(|start| rest.is_char_boundary(start) && fits(after, &rest[start..]))
        }
    }
}
