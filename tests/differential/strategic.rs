//! Strategic merge patches against what k8s.io/apimachinery makes of the same (tests/peers/recorder/patches.go).

use crate::home;
use scale_cluster_agent::kube::catalog;
use scale_cluster_agent::kube::patch::{PatchKind, apply};
use serde_json::Value;

/// What is left of a merged object once it is decoded: the reference implementation leaves directives and nulls in what a patch adds to a
/// list, and the typed decoder after it drops them.
fn decoded(merged: &Value) -> Value {
    match merged {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), decoded(value))).collect())
        }
        Value::Array(items) => items.iter().map(decoded).collect(),
        other => other.clone(),
    }
}

#[test]
fn strategic_merges_are_those_of_the_reference_implementation() {
    let (_, deployments) = catalog::lookup("apps", "v1", "deployments").unwrap();
    let recorded = std::fs::read_to_string(home().join("strategic.jsonl")).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in recorded.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        // An order asked for beside elements that replace others is nothing that a client sends.
        let patch = case["patch"].to_string();
        if patch.contains("$setElementOrder") && patch.contains(r#""$patch":"replace""#) {
            continue;
        }
        count += 1;
        let merged = apply(PatchKind::Strategic, deployments, &case["original"], case["patch"].to_string().as_bytes());
        match (merged, case.get("merged")) {
            (Ok(merged), Some(wanted)) if merged == decoded(wanted) => {}
            (Err(_), None) => {}
            (merged, wanted) => wrong.push(format!(
                "{}\n  + {}\n  = {}\n  not {merged:?}",
                case["original"],
                case["patch"],
                wanted.map_or_else(|| case["error"].to_string(), Value::to_string)
            )),
        }
    }
    assert!(count >= 200, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong[..wrong.len().min(3)].join("\n"));
}
