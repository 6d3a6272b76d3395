//! What the status of a definition says.

use super::names::{Taken, granted};
use crate::kube::tree::{self, items};
use serde_json::{Value, json};

/// What holds a deleted definition until its objects are gone.
pub(in crate::kube) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Gives a definition its names, as far as others have none of them, and reports it as served once it had all of them; whether it
/// has all of them now.
pub(in crate::kube) fn accept(definition: &mut Value, taken: &Taken, now: &str) -> bool {
    let (wanted, held) = (&definition["spec"]["names"], &definition["status"]["acceptedNames"]);
    let (names, conflict) = granted(wanted, held, taken);
    let has_all = conflict.is_none();
    let accepted = match &conflict {
        None => ("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
        Some((reason, problem)) => ("NamesAccepted", "False", *reason, problem.as_str()),
    };
    tree::set(definition, &["status", "acceptedNames"], names);
    put(definition, accepted, now);
    if !is_established(definition) {
        let established = if has_all {
            ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
        } else {
            ("Established", "False", "NotAccepted", "not all names are accepted")
        };
        put(definition, established, now);
    }
    has_all
}

/// Whether a definition's kind is served.
pub(in crate::kube) fn is_established(definition: &Value) -> bool {
    is_true(definition, "Established")
}

/// Whether a definition is on its way out.
pub(in crate::kube) fn is_ending(definition: &Value) -> bool {
    is_true(definition, "Terminating")
}

/// A definition was deleted.
pub(in crate::kube) fn ends_soon(definition: &mut Value, now: &str) {
    tree::include(definition, &["metadata", "finalizers"], CLEANUP);
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    put(definition, ("Terminating", "True", "InstanceDeletionPending", message), now);
}

/// Its objects are being deleted.
pub(in crate::kube) fn under_way(definition: &mut Value, now: &str) {
    let message = "CustomResource deletion is in progress";
    put(definition, ("Terminating", "True", "InstanceDeletionInProgress", message), now);
}

/// Its objects are gone.
pub(in crate::kube) fn ended(definition: &mut Value, now: &str) {
    let_go(definition, "InstanceDeletionCompleted", "removed all instances", now);
}

/// It never had any.
pub(in crate::kube) fn never_served(definition: &mut Value, now: &str) {
    let_go(definition, "NeverEstablished", "resource was never established", now);
}

fn let_go(definition: &mut Value, reason: &str, message: &str, now: &str) {
    tree::exclude(definition, &["metadata", "finalizers"], CLEANUP);
    put(definition, ("Terminating", "False", reason, message), now);
}

fn is_true(definition: &Value, kind: &str) -> bool {
    let mut conditions = items(&definition["status"]["conditions"]);
    conditions.any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// Reports a condition, by type, status, reason and message; its time is that of its last change of status.
fn put(definition: &mut Value, (kind, status, reason, message): (&str, &str, &str, &str), now: &str) {
    let conditions = tree::at(definition, &["status", "conditions"]);
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let mut condition = json!({
        "type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message
    });
    let Value::Array(conditions) = conditions else { return };
    match conditions.iter_mut().find(|known| known["type"] == kind) {
        Some(known) => {
            if known["status"] == status {
                condition["lastTransitionTime"] = known["lastTransitionTime"].take();
            }
            *known = condition;
        }
        None => conditions.push(condition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: &str = "2026-01-01T00:00:00Z";
    const NOW: &str = "2026-02-02T00:00:00Z";

    fn definition() -> Value {
        json!({"spec": {"names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}}})
    }

    #[test]
    fn who_has_its_names_is_served_and_stays_so() {
        let mut definition = definition();
        assert!(!is_established(&definition));
        assert!(accept(&mut definition, &Taken::default(), THEN));
        assert!(is_established(&definition));
        assert_eq!(definition["status"]["acceptedNames"], definition["spec"]["names"]);
        // What it asks for later it may not get; what it has it keeps.
        definition["spec"]["names"]["singular"] = json!("gadget");
        let taken = Taken { resources: ["gadget".to_owned()].into(), ..Taken::default() };
        assert!(!accept(&mut definition, &taken, NOW));
        assert!(is_established(&definition));
        let [accepted, established] = definition["status"]["conditions"].as_array().unwrap().as_slice() else {
            panic!()
        };
        assert_eq!((&accepted["reason"], &accepted["lastTransitionTime"]), (&json!("SingularConflict"), &json!(NOW)));
        assert_eq!(established["lastTransitionTime"], THEN);
        assert_eq!(definition["status"]["acceptedNames"]["singular"], "widget");
    }

    #[test]
    fn the_end_of_a_definition_is_told_step_by_step() {
        let mut definition = definition();
        accept(&mut definition, &Taken::default(), THEN);
        let told = |definition: &Value| {
            let condition = &definition["status"]["conditions"][2];
            (condition["status"] == "True", condition["reason"].clone(), definition["metadata"]["finalizers"].clone())
        };
        ends_soon(&mut definition, NOW);
        assert!(is_ending(&definition));
        assert_eq!(told(&definition), (true, json!("InstanceDeletionPending"), json!([CLEANUP])));
        under_way(&mut definition, NOW);
        assert_eq!(told(&definition), (true, json!("InstanceDeletionInProgress"), json!([CLEANUP])));
        ended(&mut definition, NOW);
        assert_eq!(told(&definition), (false, json!("InstanceDeletionCompleted"), json!([])));
        assert!(!is_ending(&definition));
    }
}
