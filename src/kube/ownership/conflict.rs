//! What an apply answers that takes others' fields without being told to.

use super::owner::Owner;
use crate::kube::{Cause, Details, Status};

/// A field that somebody else owns with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    /// Whose it is.
    pub owner: String,
    pub path: String,
}

/// The conflicts with one owner.
pub(super) fn conflicts(owner: &Owner, paths: Vec<String>) -> Vec<Conflict> {
    paths.into_iter().map(|path| Conflict { owner: owner.title(), path }).collect()
}

/// 409 with a cause for each.
pub(super) fn refuse(conflicts: &[Conflict]) -> Status {
    let message = match conflicts {
        [Conflict { owner, path }] => format!("Apply failed with 1 conflict: conflict with {owner}: {path}"),
        _ => {
            let mut owners: Vec<&str> = conflicts.iter().map(|conflict| conflict.owner.as_str()).collect();
            owners.sort_unstable();
            owners.dedup();
            let of = |owner: &&str| {
                let paths = conflicts.iter().filter(|conflict| conflict.owner == **owner);
                let paths: Vec<String> = paths.map(|conflict| format!("\n- {}", conflict.path)).collect();
                format!("conflicts with {owner}:{}", paths.concat())
            };
            let all: Vec<String> = owners.iter().map(of).collect();
            format!("Apply failed with {} conflicts: {}", conflicts.len(), all.join("\n"))
        }
    };
    let causes = conflicts.iter().map(|Conflict { owner, path }| Cause {
        reason: "FieldManagerConflict",
        message: format!("conflict with {owner}"),
        field: path.clone(),
    });
    Status {
        code: 409,
        reason: "Conflict",
        message,
        details: Some(Box::new(Details { causes: causes.collect(), ..Details::default() })),
        continue_token: None,
    }
}
