//! Differences that are meant to be.

use crate::compare::{Difference, places};
use crate::recording::Step;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// One rule, as accepted.yaml describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// The steps, as words `SCENES:NUMBERS`.
    of: String,
    /// The places in their answers.
    at: String,
    /// Why.
    because: String,
    /// The steps in which it was needed.
    #[serde(skip)]
    needed: Steps,
    /// Those it names and was not needed in.
    #[serde(skip)]
    needless: Steps,
}

type Steps = BTreeMap<String, BTreeSet<usize>>;

/// The rules of the file, and which of them were needed where.
pub struct Accepted(Vec<Rule>);

impl Accepted {
    pub fn read(file: &Path) -> Accepted {
        let rules: Vec<Rule> = serde_yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        assert!(rules.iter().all(|rule| rule.because.len() > 20), "every rule says why");
        assert!(
            rules.iter().all(|rule| rule.at != "*"),
            "a rule says where; another answer as a whole has another status"
        );
        Accepted(rules)
    }

    /// What of the differences in a step's answer is not accepted.
    pub fn judge(&mut self, scene: &str, number: usize, step: &Step, differences: Vec<Difference>) -> Vec<Difference> {
        let mut rules: Vec<(&mut Rule, Names)> =
            self.0.iter_mut().filter_map(|rule| names(&rule.of, scene, number).map(|how| (rule, how))).collect();
        let is_other = differences.iter().any(|difference| difference.at == STATUS);
        let mut open = Vec::new();
        for difference in differences {
            // Whether a request succeeds is nothing that differs in passing, and all else follows from it.
            let place = if is_other { STATUS } else { &difference.at };
            match rules.iter_mut().find(|(rule, _)| fits(&rule.at, place)) {
                Some((rule, _)) => _ = rule.needed.entry(scene.into()).or_default().insert(number),
                None => open.push(difference),
            }
        }
        for (rule, how) in rules {
            let is_needed = rule.needed.get(scene).is_some_and(|numbers| numbers.contains(&number));
            let applies = || how == Names::Exactly || places(step).iter().any(|place| fits(&rule.at, place));
            if !is_needed && applies() {
                rule.needless.entry(scene.into()).or_default().insert(number);
            }
        }
        open
    }

    /// The rules that nothing needs, and those that name steps which would be equal without them.
    pub fn complaints(&self) -> Vec<String> {
        let wide = self.0.iter().filter(|rule| rule.needed.is_empty() || !rule.needless.is_empty());
        wide.map(|rule| format!("{} at {} is needed in: {}", rule.of, rule.at, written(&rule.needed))).collect()
    }
}

/// How a rule names a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// By its number.
    Exactly,
    /// As one of those whose answers have the place.
    ByPlace,
}

fn names(of: &str, scene: &str, number: usize) -> Option<Names> {
    let (_, numbers) = of.split(' ').filter_map(|word| word.rsplit_once(':')).find(|(scenes, numbers)| {
        let in_range = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            (first.parse().unwrap()..=last.parse().unwrap()).contains(&number)
        };
        fits(scenes, scene) && (*numbers == "*" || numbers.split(',').any(in_range))
    })?;
    Some(if numbers == "*" { Names::ByPlace } else { Names::Exactly })
}

/// Steps as a rule names them.
fn written(steps: &Steps) -> String {
    let words = steps.iter().map(|(scene, numbers)| {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for number in numbers.iter().copied() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        let range = |(first, last): &(usize, usize)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        format!("{scene}:{}", ranges.iter().map(range).collect::<Vec<_>>().join(","))
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The place of the status code.
const STATUS: &str = "status";

/// Whether a text is of a pattern in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            let Some(rest) = text.strip_prefix(before) else { return false };
            (0..=rest.len()).any(|start| rest.is_char_boundary(start) && fits(after, &rest[start..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(of: &str, at: &str, differing: &[(usize, &str)]) -> (usize, Vec<String>) {
        let rule =
            Rule { of: of.into(), at: at.into(), because: String::new(), needed: Steps::new(), needless: Steps::new() };
        let mut accepted = Accepted(vec![rule]);
        let step = Step { content: json!({"a": {"b": 1}}), ..Step::default() };
        let mut open = 0;
        for number in 1..=4 {
            let here = differing.iter().filter(|(step, _)| *step == number);
            let differences = here.map(|(_, at)| Difference::new(at, &json!(1), &json!(2))).collect();
            open += accepted.judge("scene", number, &step, differences).len();
        }
        (open, accepted.complaints())
    }

    #[test]
    fn a_rule_is_as_wide_as_it_has_to_be() {
        let all = [(1, "/a/b"), (2, "/a/b"), (4, "/a/b")];
        assert_eq!(judged("scene:1-2,4", "/a/*", &all), (0, vec![]));
        assert_eq!(judged("scene:1-4", "/a/*", &all), (0, vec!["scene:1-4 at /a/* is needed in: scene:1-2,4".into()]));
        assert_eq!(judged("scene:*", "/a/*", &all), (0, vec!["scene:* at /a/* is needed in: scene:1-2,4".into()]));
        assert_eq!(judged("scene:*", "/c", &[(3, "/c")]), (0, vec![]), "the other answers have no such place");
        assert_eq!(judged("scene:1", "/a/*", &all).0, 2);
        assert_eq!(judged("other:* scene:7", "/a/b", &[]), (0, vec!["other:* scene:7 at /a/b is needed in: ".into()]));
    }

    #[test]
    fn another_status_is_another_answer() {
        assert_eq!(judged("scene:1", "status", &[(1, "status"), (1, "/a")]), (0, vec![]));
        assert_eq!(judged("scene:1", "/*", &[(1, "status"), (1, "/a")]).0, 2);
    }
}
